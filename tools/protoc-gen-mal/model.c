/* SPDX-License-Identifier: Apache-2.0 */
/* Reads protoc's descriptors, comments and our options into the model. */
#include "model.h"

#include <ctype.h>

/* Field numbers in descriptor.proto, which make up a location's path. */
enum {
    FILE_MESSAGE = 4,
    FILE_ENUM = 5,
    FILE_SERVICE = 6,
    MESSAGE_FIELD = 2,
    ENUM_VALUE = 2,
    SERVICE_METHOD = 2
};
/* Numbers of the extensions in options.proto and protobuf-c.proto. */
enum {
    OPTION_PB_C_FILE = 1019,
    OPTION_TOOL = 51001,
    OPTION_HTTP = 51002,
    OPTION_RULE = 51003,
    OPTION_JSON = 51004,
    PB_C_PACKAGE = 6
};

struct path {
    int32_t part[4];
    size_t n;
};

void model_error(struct model *model, const struct place *place, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const char *words = arena_vprintf(model->arena, fmt, ap);
    va_end(ap);
    strbuf_printf(&model->errors, "\n%s:%d: %s", place->file->name, place->line, words);
    model->n_errors++;
}

const struct field *message_field(const struct message *message, const char *name)
{
    for (size_t i = 0; i < message->n_fields; i++)
        if (strcmp(message->fields[i].name, name) == 0)
            return &message->fields[i];
    return NULL;
}

bool field_is_format(const struct field *field)
{
    return field->enumeration && strcmp(field->enumeration->full_name, "mal.v1.Format") == 0;
}

/* Our options are unknown to descriptor.proto, so they are left among the
 * unknown fields; several settings of one option come as several fields and
 * their payloads, concatenated, are the message. NULL when absent. */
static const uint8_t *option_bytes(struct arena *arena, const ProtobufCMessage *options,
                                   unsigned number, size_t *ret_len)
{
    CLEANUP(strbuf_done) struct strbuf bytes = STRBUF_INIT;
    bool found = false;
    for (unsigned i = 0; options && i < options->n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field = &options->unknown_fields[i];
        if (field->tag != number || field->wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
            continue;
        size_t skip = 0; /* the bytes begin with their own length, a varint */
        while (skip < field->len && field->data[skip] & 0x80)
            skip++;
        skip++;
        strbuf_add(&bytes, field->data + skip, field->len - skip);
        found = true;
    }
    *ret_len = bytes.len;
    return found ? (const uint8_t *)arena_memdup(arena, strbuf_cstr(&bytes), bytes.len) : NULL;
}

static void *pool_alloc(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void pool_free(void *arena, void *pointer)
{
    (void)arena;
    (void)pointer;
}

/* The option as its message; NULL when absent. */
static const void *option_message(struct arena *arena, const ProtobufCMessage *options,
                                  unsigned number, const ProtobufCMessageDescriptor *type)
{
    ProtobufCAllocator pool = {pool_alloc, pool_free, arena};
    size_t len;
    const uint8_t *bytes = option_bytes(arena, options, number, &len);
    return bytes ? protobuf_c_message_unpack(type, &pool, len, bytes) : NULL;
}

/* One paragraph of a comment on one line, paragraphs parted by an empty line. */
static const char *comment_text(struct arena *arena, const char *comment)
{
    if (!comment)
        return NULL;
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    bool paragraph = false;
    while (*comment) {
        size_t len = strcspn(comment, "\n");
        const char *line = comment, *end = comment + len;
        while (line < end && isspace((unsigned char)*line))
            line++;
        while (end > line && isspace((unsigned char)end[-1]))
            end--;
        if (line < end) {
            if (out.len)
                strbuf_str(&out, paragraph ? "\n\n" : " ");
            strbuf_add(&out, line, (size_t)(end - line));
            paragraph = false;
        } else {
            paragraph = true;
        }
        comment += len + (comment[len] == '\n');
    }
    return out.len ? arena_strdup(arena, strbuf_cstr(&out)) : NULL;
}

static struct place place_of(struct arena *arena, const struct file *file, struct path path)
{
    const Google__Protobuf__SourceCodeInfo *info = file->proto->source_code_info;
    struct place place = {.file = file, .line = 1};
    for (size_t i = 0; info && i < info->n_location; i++) {
        const Google__Protobuf__SourceCodeInfo__Location *at = info->location[i];
        if (at->n_path == path.n && at->n_span > 0 &&
            memcmp(at->path, path.part, path.n * sizeof path.part[0]) == 0) {
            place.line = at->span[0] + 1;
            place.comment = comment_text(arena, at->leading_comments);
            break;
        }
    }
    return place;
}

static void read_file(struct model *model, struct file *file,
                      const Google__Protobuf__FileDescriptorProto *proto)
{
    *file = (struct file){
        .name = proto->name, .package = proto->package ? proto->package : "", .proto = proto};
    file->c_package = file->package;
    size_t len;
    const ProtobufCMessage *options = proto->options ? &proto->options->base : NULL;
    const uint8_t *bytes = option_bytes(model->arena, options, OPTION_PB_C_FILE, &len);
    /* ProtobufCFileOptions is bools and one string: no need for its code. */
    for (size_t i = 0; bytes && i + 1 < len;) {
        unsigned number = bytes[i] >> 3, wire = bytes[i] & 7;
        if (wire == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED) {
            size_t size = bytes[i + 1];
            if (number == PB_C_PACKAGE && i + 2 + size <= len)
                file->c_package = arena_memdup(model->arena, bytes + i + 2, size);
            i += 2 + size;
        } else {
            i += 2;
        }
    }
}

static void read_names(struct arena *arena, const struct file *file, const char *name,
                       const char **ret_full, const char **ret_type, const char **ret_lower)
{
    *ret_full = *file->package ? arena_printf(arena, "%s.%s", file->package, name)
                               : arena_strdup(arena, name);
    *ret_type =
        arena_printf(arena, "%s__%s", name_camel(arena, file->c_package), name_camel(arena, name));
    *ret_lower =
        arena_printf(arena, "%s__%s", name_lower(arena, file->c_package), name_lower(arena, name));
}

static int compare_values(const void *a, const void *b)
{
    const struct enum_value *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

/* work_item_status's IN_PROGRESS -> in_progress */
static const char *value_json(struct model *model, const struct enumeration *enumeration,
                              const Google__Protobuf__EnumValueDescriptorProto *proto)
{
    size_t len;
    const uint8_t *bytes = option_bytes(model->arena, proto->options ? &proto->options->base : NULL,
                                        OPTION_JSON, &len);
    if (bytes)
        return (const char *)bytes;
    const char *prefix =
        arena_printf(model->arena, "%s_", name_upper(model->arena, enumeration->name));
    size_t skip = strncmp(proto->name, prefix, strlen(prefix)) == 0 ? strlen(prefix) : 0;
    char *json = arena_strdup(model->arena, proto->name + skip);
    for (char *p = json; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return json;
}

static void read_enum(struct model *model, const struct file *file, size_t index)
{
    const Google__Protobuf__EnumDescriptorProto *proto = file->proto->enum_type[index];
    struct enumeration *out = &model->enums[model->n_enums++];
    const char *c_type;
    out->name = proto->name;
    out->place = place_of(model->arena, file, (struct path){{FILE_ENUM, (int)index}, 2});
    read_names(model->arena, file, proto->name, &out->full_name, &c_type, &out->c_lower);
    out->n_values = proto->n_value;
    out->values = arena_alloc(model->arena, proto->n_value * sizeof out->values[0]);
    for (size_t i = 0; i < proto->n_value; i++) {
        struct path path = {{FILE_ENUM, (int)index, ENUM_VALUE, (int)i}, 4};
        out->values[i] = (struct enum_value){
            .place = place_of(model->arena, file, path),
            .name = proto->value[i]->name,
            .number = proto->value[i]->number,
            .json = proto->value[i]->number ? value_json(model, out, proto->value[i]) : NULL,
        };
    }
    qsort(out->values, out->n_values, sizeof out->values[0], compare_values);
}

static enum field_type field_type(const Google__Protobuf__FieldDescriptorProto *proto,
                                  const char **ret_name)
{
    static const struct {
        enum field_type type;
        const char *name;
    } types[] = {
        [1] = {TYPE_DOUBLE, "double"},   [2] = {TYPE_OTHER, "float"},
        [3] = {TYPE_OTHER, "int64"},     [4] = {TYPE_OTHER, "uint64"},
        [5] = {TYPE_INT32, "int32"},     [6] = {TYPE_OTHER, "fixed64"},
        [7] = {TYPE_OTHER, "fixed32"},   [8] = {TYPE_BOOL, "bool"},
        [9] = {TYPE_STRING, "string"},   [10] = {TYPE_OTHER, "group"},
        [11] = {TYPE_MESSAGE, NULL},     [12] = {TYPE_BYTES, "bytes"},
        [13] = {TYPE_UINT32, "uint32"},  [14] = {TYPE_ENUM, NULL},
        [15] = {TYPE_OTHER, "sfixed32"}, [16] = {TYPE_OTHER, "sfixed64"},
        [17] = {TYPE_OTHER, "sint32"},   [18] = {TYPE_OTHER, "sint64"},
    };
    *ret_name = types[proto->type].name ? types[proto->type].name : proto->type_name + 1;
    return types[proto->type].type;
}

static int compare_fields(const void *a, const void *b)
{
    const struct field *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

static bool alone_in_oneof(const Google__Protobuf__DescriptorProto *message,
                           const Google__Protobuf__FieldDescriptorProto *field)
{
    for (size_t i = 0; i < message->n_field; i++)
        if (message->field[i] != field && message->field[i]->has_oneof_index &&
            message->field[i]->oneof_index == field->oneof_index)
            return false;
    return true;
}

static void read_field(struct model *model, struct field *out,
                       const Google__Protobuf__DescriptorProto *message,
                       const Google__Protobuf__FieldDescriptorProto *proto)
{
    static const Mal__Rule no_rule = MAL__RULE__INIT;
    out->name = proto->name;
    out->number = proto->number;
    out->type = field_type(proto, &out->type_name);
    out->repeated = proto->label == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED;
    out->proto3_optional = proto->proto3_optional;
    if (proto->has_oneof_index && !proto->proto3_optional) {
        out->oneof = message->oneof_decl[proto->oneof_index]->name;
        out->presence = alone_in_oneof(message, proto);
    }
    out->rule = option_message(model->arena, proto->options ? &proto->options->base : NULL,
                               OPTION_RULE, &mal__rule__descriptor);
    if (!out->rule)
        out->rule = &no_rule;
}

static void read_message(struct model *model, const struct file *file, size_t index)
{
    const Google__Protobuf__DescriptorProto *proto = file->proto->message_type[index];
    struct message *out = &model->messages[model->n_messages++];
    out->proto = proto;
    out->name = proto->name;
    out->place = place_of(model->arena, file, (struct path){{FILE_MESSAGE, (int)index}, 2});
    read_names(model->arena, file, proto->name, &out->full_name, &out->c_type, &out->c_lower);
    out->n_fields = proto->n_field;
    out->fields = arena_alloc(model->arena, proto->n_field * sizeof out->fields[0]);
    for (size_t i = 0; i < proto->n_field; i++) {
        struct path path = {{FILE_MESSAGE, (int)index, MESSAGE_FIELD, (int)i}, 4};
        out->fields[i].place = place_of(model->arena, file, path);
        read_field(model, &out->fields[i], proto, proto->field[i]);
    }
    qsort(out->fields, out->n_fields, sizeof out->fields[0], compare_fields);
}

/* name has a leading dot, as protoc writes type names. */
static const struct message *find_message(const struct model *model, const char *name)
{
    for (size_t i = 0; i < model->n_messages; i++)
        if (strcmp(model->messages[i].full_name, name + 1) == 0)
            return &model->messages[i];
    return NULL;
}

static const struct enumeration *find_enum(const struct model *model, const char *name)
{
    for (size_t i = 0; i < model->n_enums; i++)
        if (strcmp(model->enums[i].full_name, name + 1) == 0)
            return &model->enums[i];
    return NULL;
}

static void read_methods(struct model *model, const struct file *file)
{
    for (size_t s = 0; s < file->proto->n_service; s++) {
        const Google__Protobuf__ServiceDescriptorProto *service = file->proto->service[s];
        for (size_t i = 0; i < service->n_method; i++) {
            const Google__Protobuf__MethodDescriptorProto *proto = service->method[i];
            const ProtobufCMessage *options = proto->options ? &proto->options->base : NULL;
            struct path path = {{FILE_SERVICE, (int)s, SERVICE_METHOD, (int)i}, 4};
            struct method *out = &model->methods[model->n_methods++];
            out->place = place_of(model->arena, file, path);
            out->name = proto->name;
            out->snake = name_lower(model->arena, proto->name);
            out->subject = arena_printf(model->arena, "%s.%s", file->package, out->snake);
            out->tool = option_message(model->arena, options, OPTION_TOOL, &mal__tool__descriptor);
            out->http = option_message(model->arena, options, OPTION_HTTP, &mal__http__descriptor);
            out->request = find_message(model, proto->input_type);
            out->response = find_message(model, proto->output_type);
            out->streaming = proto->client_streaming || proto->server_streaming;
        }
    }
}

/* Types refer to each other in any order, so they are bound when all are read. */
static void bind_types(struct model *model)
{
    for (size_t i = 0; i < model->n_messages; i++) {
        struct message *message = &model->messages[i];
        for (size_t j = 0; j < message->n_fields; j++) {
            struct field *field = &message->fields[j];
            const char *dotted = arena_printf(model->arena, ".%s", field->type_name);
            if (field->type == TYPE_MESSAGE)
                field->message = find_message(model, dotted);
            else if (field->type == TYPE_ENUM)
                field->enumeration = find_enum(model, dotted);
        }
    }
}

void model_read(struct model *model, struct arena *arena,
                const Google__Protobuf__Compiler__CodeGeneratorRequest *request)
{
    size_t messages = 0, enums = 0, methods = 0;
    *model = (struct model){.arena = arena, .n_files = request->n_proto_file};
    model->files = arena_alloc(arena, model->n_files * sizeof model->files[0]);
    for (size_t i = 0; i < model->n_files; i++) {
        const Google__Protobuf__FileDescriptorProto *proto = request->proto_file[i];
        read_file(model, &model->files[i], proto);
        for (size_t j = 0; j < request->n_file_to_generate; j++)
            if (strcmp(request->file_to_generate[j], proto->name) == 0)
                model->files[i].generate = true;
        messages += proto->n_message_type;
        enums += proto->n_enum_type;
        for (size_t j = 0; j < proto->n_service; j++)
            methods += proto->service[j]->n_method;
    }
    model->messages = arena_alloc(arena, messages * sizeof model->messages[0]);
    model->enums = arena_alloc(arena, enums * sizeof model->enums[0]);
    model->methods = arena_alloc(arena, methods * sizeof model->methods[0]);
    for (size_t i = 0; i < model->n_files; i++) {
        const struct file *file = &model->files[i];
        for (size_t j = 0; j < file->proto->n_enum_type; j++)
            read_enum(model, file, j);
        for (size_t j = 0; j < file->proto->n_message_type; j++)
            read_message(model, file, j);
    }
    for (size_t i = 0; i < model->n_files; i++)
        read_methods(model, &model->files[i]);
    bind_types(model);
}
