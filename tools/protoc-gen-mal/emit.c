/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the C code of a package: rule tables and rpc rows (api), dispatch
 * (server), client stubs. */
#include "emit.h"

#include "../common/ctext.h"
#include "../common/grow.h"
#include "format.h"
#include "schema.h"

/* One package while its files are written. */
struct package {
    const struct model *model;
    const struct file *lead;
    const char *c;    /* catalog */
    const char *base; /* mal/catalog/v1/catalog */
    struct strbuf *out;
    bool *messages_done, *enums_done; /* by index in the model */
};

void output_add(struct outputs *outputs, struct arena *arena, const char *name,
                struct strbuf *content)
{
    outputs->items =
        grow(arena, outputs->items, outputs->n, &outputs->size, sizeof outputs->items[0]);
    outputs->items[outputs->n++] = (struct output){name, arena_strdup(arena, strbuf_cstr(content))};
    strbuf_clear(content);
}

static bool same_package(const struct file *a, const struct file *b)
{
    return strcmp(a->package, b->package) == 0;
}

/* The first file of its package that is to be generated; it stands for the package. */
static bool leads_package(const struct model *model, const struct file *file)
{
    for (const struct file *f = model->files; f < file; f++)
        if (f->generate && same_package(f, file))
            return false;
    return file->generate;
}

static bool is_ours(const struct package *p, const struct place *place)
{
    return place->file->generate && same_package(place->file, p->lead);
}

static void put_enum(struct package *p, const struct enumeration *e)
{
    bool *done = &p->enums_done[e - p->model->enums];
    if (*done)
        return;
    *done = true;
    strbuf_printf(p->out, "static const char *const %s__names[] = {", e->c_lower);
    for (size_t i = 0; i < e->n_values; i++) {
        strbuf_str(p->out, i ? ", " : "");
        ctext_literal(p->out, e->values[i].json);
    }
    strbuf_printf(p->out,
                  "};\nstatic const struct enum_rule %s__rule = {&%s__descriptor, %s__names};\n\n",
                  e->c_lower, e->c_lower, e->c_lower);
}

static void put_flags(struct strbuf *out, const struct field *field)
{
    const Mal__Rule *rule = field->rule;
    const struct {
        bool set;
        const char *name;
    } flags[] = {
        {rule->required, "REQUIRED"},
        {rule->has_min_case == MAL__RULE__HAS_MIN_MIN, "HAS_MIN"},
        {rule->has_max_case == MAL__RULE__HAS_MAX_MAX, "HAS_MAX"},
        {rule->nullable, "NULLABLE"},
        {rule->json, "JSON"},
        {rule->map, "MAP"},
        {rule->secret, "SECRET"},
        {rule->internal, "INTERNAL"},
        {rule->line, "LINE"},
        {rule->tags, "TAGS"},
        {rule->unique, "UNIQUE"},
        {rule->scalars, "SCALARS"},
        {rule->any, "ANY"},
        {field->presence, "PRESENCE"},
    };
    const char *separator = "     .flags = ";
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        if (!flags[i].set)
            continue;
        strbuf_printf(out, "%sRULE_%s", separator, flags[i].name);
        separator = " | ";
    }
    strbuf_str(out, separator[1] == '|' ? ",\n" : "");
}

static void put_text(struct strbuf *out, const char *member, const char *text)
{
    if (!text || !*text)
        return;
    strbuf_printf(out, "     .%s = ", member);
    ctext_literal(out, text);
    strbuf_str(out, ",\n");
}

static void put_count(struct strbuf *out, const char *member, uint32_t count)
{
    if (count)
        strbuf_printf(out, "     .%s = %u,\n", member, count);
}

static void put_field(struct strbuf *out, const struct field *field)
{
    const Mal__Rule *rule = field->rule;
    strbuf_printf(out, "    {.name = \"%s\",\n", field->name);
    put_text(out, "description", field->place.comment);
    put_flags(out, field);
    if (*rule->format)
        strbuf_printf(out, "     .format = %s,\n", format_find(rule->format)->constant);
    if (rule->has_min_case == MAL__RULE__HAS_MIN_MIN)
        strbuf_printf(out, "     .min = %.17g,\n", rule->min);
    if (rule->has_max_case == MAL__RULE__HAS_MAX_MAX)
        strbuf_printf(out, "     .max = %.17g,\n", rule->max);
    put_count(out, "min_len", rule->min_len);
    put_count(out, "max_len", rule->max_len);
    put_count(out, "max_bytes", rule->max_bytes);
    put_count(out, "min_items", rule->min_items);
    put_count(out, "max_items", rule->max_items);
    put_text(out, "pattern", rule->pattern);
    put_text(out, "key_pattern", rule->key_pattern);
    put_text(out, "fallback", rule->default_);
    if (field->message)
        strbuf_printf(out, "     .message = &%s__rule,\n", field->message->c_lower);
    if (field->enumeration)
        strbuf_printf(out, "     .enumeration = &%s__rule,\n", field->enumeration->c_lower);
    strbuf_str(out, "    },\n");
}

/* Index of an internal field the codec knows by name, -1 when there is none. */
static int special_field(const struct message *message, const char *name)
{
    const struct field *field = message_field(message, name);
    return field && field->rule->internal ? (int)(field - message->fields) : -1;
}

/* The types it refers to come first; messages are not recursive (lint). */
// NOLINTNEXTLINE(misc-no-recursion)
static void put_message(struct package *p, const struct message *message)
{
    bool *done = &p->messages_done[message - p->model->messages];
    if (*done)
        return;
    *done = true;
    for (size_t i = 0; i < message->n_fields; i++) {
        if (message->fields[i].message)
            put_message(p, message->fields[i].message);
        if (message->fields[i].enumeration)
            put_enum(p, message->fields[i].enumeration);
    }
    if (message->n_fields) {
        strbuf_printf(p->out, "static const struct field_rule %s__fields[] = {\n",
                      message->c_lower);
        for (size_t i = 0; i < message->n_fields; i++)
            put_field(p->out, &message->fields[i]);
        strbuf_str(p->out, "};\n");
    }
    strbuf_printf(p->out,
                  "%sconst struct message_rule %s__rule = {\n    .descriptor = &%s__descriptor,\n",
                  is_ours(p, &message->place) ? "" : "static ", message->c_lower, message->c_lower);
    if (message->n_fields)
        strbuf_printf(p->out, "    .fields = %s__fields,\n", message->c_lower);
    strbuf_printf(p->out, "    .unset_field = %d,\n    .text_field = %d,\n};\n\n",
                  special_field(message, "unset"), special_field(message, "text"));
}

static void put_rules(struct package *p)
{
    const struct model *model = p->model;
    size_t n = 0;
    for (size_t i = 0; i < model->n_messages; i++)
        if (is_ours(p, &model->messages[i].place))
            put_message(p, &model->messages[i]);
    strbuf_str(p->out, "static const struct message_rule *const rules[] = {\n");
    for (size_t i = 0; i < model->n_messages; i++) {
        if (!is_ours(p, &model->messages[i].place))
            continue;
        strbuf_printf(p->out, "    &%s__rule,\n", model->messages[i].c_lower);
        n++;
    }
    strbuf_printf(p->out,
                  "    NULL,\n};\n\n"
                  "__attribute__((constructor)) static void register_rules(void)\n{\n"
                  "    wire_register_rules(rules, %zu);\n}\n\n",
                  n);
}

static const char *yes(bool value)
{
    return value ? "true" : "false";
}

static void put_rpc(struct package *p, const struct method *m)
{
    struct arena *arena = p->model->arena;
    struct schema_options in = {.side = SCHEMA_INPUT}, answer = {.side = SCHEMA_OUTPUT};
    bool shown = m->tool || m->http;
    if (shown) {
        ctext_declare(p->out, arena_printf(arena, "%s_input", m->snake),
                      schema_text(arena, schema_message(m->request, in)));
        ctext_declare(p->out, arena_printf(arena, "%s_output", m->snake),
                      schema_text(arena, schema_message(m->response, answer)));
    }
    strbuf_printf(p->out,
                  "const struct rpc %s_%s_rpc = {\n    .package = \"%s\",\n    .name = \"%s\",\n"
                  "    .subject = \"%s\",\n    .description = ",
                  p->c, m->snake, p->c, m->name, m->subject);
    ctext_literal(p->out, m->place.comment);
    strbuf_str(p->out, ",\n");
    if (m->tool) {
        strbuf_printf(p->out, "    .tool_name = \"%s\",\n    .title = ", m->tool->name);
        ctext_literal(p->out, m->tool->title);
        strbuf_printf(p->out,
                      ",\n    .read_only = %s,\n    .destructive = %s,\n    .idempotent = %s,\n"
                      "    .open_world = %s,\n",
                      yes(m->tool->read_only), yes(m->tool->destructive), yes(m->tool->idempotent),
                      yes(m->tool->open_world));
        if (m->tool->gateway)
            strbuf_str(p->out, "    .gateway = true,\n");
    }
    if (m->http) {
        strbuf_printf(p->out, "    .method = \"%s\",\n    .path = \"%s\",\n    .trusted = %s,\n",
                      m->http->method, m->http->path, yes(m->http->trusted));
        if (*m->http->scope)
            strbuf_printf(p->out, "    .scope = \"%s\",\n", m->http->scope);
    }
    if (shown)
        strbuf_printf(p->out, "    .input_schema = %s_input,\n    .output_schema = %s_output,\n",
                      m->snake, m->snake);
    strbuf_printf(p->out, "    .request = &%s__rule,\n    .response = &%s__rule,\n};\n\n",
                  m->request->c_lower, m->response->c_lower);
}

static void put_head(struct package *p, const char *include)
{
    strbuf_printf(p->out, "/* Generated by protoc-gen-mal from package %s; do not edit. */\n",
                  p->lead->package);
    if (include)
        strbuf_printf(p->out, "#include \"%s%s\"\n\n", p->base, include);
    else
        strbuf_str(p->out, "#pragma once\n\n");
}

static bool next_method(const struct package *p, const struct method **m)
{
    const struct method *end = p->model->methods + p->model->n_methods;
    for (*m = *m ? *m + 1 : p->model->methods; *m < end; (*m)++)
        if (is_ours(p, &(*m)->place))
            return true;
    return false;
}

static void emit_api_c(struct package *p, struct outputs *outputs)
{
    put_head(p, ".api.h");
    put_rules(p);
    size_t n = 0;
    for (const struct method *m = NULL; next_method(p, &m); n++)
        put_rpc(p, m);
    strbuf_printf(p->out, "const struct rpc *const %s_rpcs[] = {\n", p->c);
    for (const struct method *m = NULL; next_method(p, &m);)
        strbuf_printf(p->out, "    &%s_%s_rpc,\n", p->c, m->snake);
    strbuf_printf(p->out, "    NULL,\n};\nconst size_t %s_n_rpcs = %zu;\n", p->c, n);
    output_add(outputs, p->model->arena, arena_printf(p->model->arena, "%s.api.c", p->base),
               p->out);
}

static void put_stub(struct package *p, const struct method *m)
{
    strbuf_printf(p->out,
                  "extern const struct rpc %s_%s_rpc;\n"
                  "static inline enum status %s_%s_call(struct bus *bus, struct call *call,\n"
                  "        const %s *request, int timeout_ms, %s **ret_reply)\n{\n"
                  "    ProtobufCMessage *reply = NULL;\n"
                  "    enum status status = bus_call(bus, call, &%s_%s_rpc, &request->base,\n"
                  "                                  timeout_ms, &reply);\n"
                  "    *ret_reply = (%s *)reply;\n    return status;\n}\n\n",
                  p->c, m->snake, p->c, m->snake, m->request->c_type, m->response->c_type, p->c,
                  m->snake, m->response->c_type);
}

static void emit_api_h(struct package *p, struct outputs *outputs)
{
    const struct model *model = p->model;
    put_head(p, NULL);
    strbuf_str(p->out, "#include \"bus/bus.h\"\n#include \"wire/rule.h\"\n\n");
    for (size_t i = 0; i < model->n_files; i++) {
        const struct file *file = &model->files[i];
        if (file->generate && same_package(file, p->lead))
            strbuf_printf(p->out, "#include \"%.*s.pb-c.h\"\n", (int)strlen(file->name) - 6,
                          file->name);
    }
    strbuf_char(p->out, '\n');
    for (size_t i = 0; i < model->n_messages; i++)
        if (is_ours(p, &model->messages[i].place))
            strbuf_printf(p->out, "extern const struct message_rule %s__rule;\n",
                          model->messages[i].c_lower);
    strbuf_char(p->out, '\n');
    for (const struct method *m = NULL; next_method(p, &m);)
        put_stub(p, m);
    strbuf_printf(p->out,
                  "/* All of the above, in the order of the .proto; ends with NULL. */\n"
                  "extern const struct rpc *const %s_rpcs[];\nextern const size_t %s_n_rpcs;\n",
                  p->c, p->c);
    output_add(outputs, model->arena, arena_printf(model->arena, "%s.api.h", p->base), p->out);
}

/* The next one that the package's service answers. */
static bool next_served(const struct package *p, const struct method **m)
{
    while (next_method(p, m))
        if (!(*m)->tool || !(*m)->tool->gateway)
            return true;
    return false;
}

static void emit_server(struct package *p, struct outputs *outputs)
{
    struct arena *arena = p->model->arena;
    put_head(p, NULL);
    strbuf_printf(p->out, "#include \"%s.api.h\"\n#include \"wire/call.h\"\n\n", p->base);
    for (const struct method *m = NULL; next_served(p, &m);)
        strbuf_printf(p->out,
                      "enum status %s_%s(struct call *call, const %s *req,\n        %s *rsp);\n",
                      p->c, m->snake, m->request->c_type, m->response->c_type);
    strbuf_printf(p->out,
                  "\n/* Ends with a zeroed row. */\n"
                  "extern const struct endpoint %s_endpoints[];\n"
                  "extern const size_t %s_n_endpoints;\n",
                  p->c, p->c);
    output_add(outputs, arena, arena_printf(arena, "%s.server.h", p->base), p->out);

    size_t n = 0;
    put_head(p, ".server.h");
    for (const struct method *m = NULL; next_served(p, &m); n++)
        strbuf_printf(p->out,
                      "static enum status run_%s(struct call *call, const ProtobufCMessage *req,\n"
                      "        ProtobufCMessage *rsp)\n{\n"
                      "    return %s_%s(call, (const %s *)req,\n        (%s *)rsp);\n}\n\n",
                      m->snake, p->c, m->snake, m->request->c_type, m->response->c_type);
    strbuf_printf(p->out, "const struct endpoint %s_endpoints[] = {\n", p->c);
    for (const struct method *m = NULL; next_served(p, &m);)
        strbuf_printf(p->out, "    {&%s_%s_rpc, run_%s},\n", p->c, m->snake, m->snake);
    strbuf_printf(p->out, "    {NULL, NULL},\n};\nconst size_t %s_n_endpoints = %zu;\n", p->c, n);
    output_add(outputs, arena, arena_printf(arena, "%s.server.c", p->base), p->out);
}

void emit_packages(const struct model *model, struct outputs *outputs)
{
    for (size_t i = 0; i < model->n_files; i++) {
        const struct file *file = &model->files[i];
        if (!leads_package(model, file))
            continue;
        CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
        const char *slash = strrchr(file->name, '/');
        struct package package = {
            .model = model,
            .lead = file,
            .c = file->c_package,
            .base = arena_printf(model->arena, "%.*s%s", slash ? (int)(slash - file->name) + 1 : 0,
                                 file->name, file->c_package),
            .out = &out,
            .messages_done = arena_alloc(model->arena, model->n_messages),
            .enums_done = arena_alloc(model->arena, model->n_enums),
        };
        emit_api_c(&package, outputs);
        emit_api_h(&package, outputs);
        emit_server(&package, outputs);
    }
}
