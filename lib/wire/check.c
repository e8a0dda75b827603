/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of one value and of the elements of one field. */
#include "wire/internal.h"

#include "base/utf8.h"

#include <float.h>
#include <stdarg.h>

enum { PATH_MAX_BYTES = 256, FEW = 32, KEY_MAX = 200 };

/* Lists whose elements have to differ are bounded, whatever the rule says. */
enum { DISTINCT_MAX = 10000 };

/* Writes path into out, the outermost first, and returns its length. */
static size_t path_text(const struct path *path, char *out, size_t size)
{
    size_t len;
    int n;

    if (!path)
        return 0;
    len = path_text(path->up, out, size);
    if (path->name)
        n = snprintf(out + len, size - len, "%s%s", len ? "." : "", path->name);
    else
        n = snprintf(out + len, size - len, "[%zu]", path->index);
    if (n < 0)
        return len;
    return len + (size_t)n < size ? len + (size_t)n : size - 1;
}

bool codec_full(const struct codec *c)
{
    return c->err->n_fields >= ERROR_FIELDS_MAX;
}

void codec_bad(struct codec *c, const struct path *path, const char *fmt, ...)
{
    char where[PATH_MAX_BYTES] = "";
    const char *message;
    va_list ap;

    if (codec_full(c))
        return;
    (void)path_text(path, where, sizeof where);
    va_start(ap, fmt);
    message = arena_vprintf(c->arena, fmt, ap);
    va_end(ap);
    error_field(c->err, c->arena, where, "%s", message);
}

enum status codec_end(struct codec *c)
{
    if (c->err->status == ST_OK)
        return ST_OK;
    if (!c->err->message[0])
        return error_set(c->err, ST_INVALID_ARGUMENT, "Validation failed.");
    return c->err->status;
}

static const char *plural(uint32_t n)
{
    return n == 1 ? "" : "s";
}

static void check_pattern(struct codec *c, const struct path *path, const char *pattern,
                          const char *text)
{
    if (pattern && !pattern_matches(pattern, text))
        codec_bad(c, path, "must match %s", pattern);
}

static void check_text(struct codec *c, const struct path *path, const struct field_rule *rule,
                       const char *text)
{
    size_t len = strlen(text), chars = utf8_length(text, len);

    if (rule->max_bytes && len > rule->max_bytes)
        codec_bad(c, path, "must have at most %u byte%s", rule->max_bytes, plural(rule->max_bytes));
    else if (rule->max_len && chars > rule->max_len)
        codec_bad(c, path, "must have at most %u character%s", rule->max_len,
                  plural(rule->max_len));
    else if (chars == 0 && rule->min_len > 0)
        codec_bad(c, path, "must not be empty");
    else if (chars < rule->min_len)
        codec_bad(c, path, "must have at least %u characters", rule->min_len);
    else if (!format_valid(rule->format, text))
        codec_bad(c, path, "%s", format_words(rule->format));
    else
        check_pattern(c, path, rule->pattern, text);
}

static void check_string(struct codec *c, const struct path *path, const struct field_rule *rule,
                         void *slot)
{
    const char *text = slot_string(slot);

    if (!utf8_valid(text, strlen(text))) {
        codec_bad(c, path, "must be valid UTF-8");
        return;
    }
    if (rule->flags & RULE_JSON) {
        check_json_text(c, path, rule, text);
        return;
    }
    if (rule->flags & (RULE_LINE | RULE_TAGS)) {
        text = text_trim(c->arena, text);
        if (text_has_control(text)) {
            codec_bad(c, path, "must be a single line without control characters");
            return;
        }
        if (rule->flags & RULE_TAGS)
            text = text_lower(c->arena, text);
        slot_set_pointer(slot, text);
    }
    check_text(c, path, rule, text);
}

static void check_number(struct codec *c, const struct path *path, const struct field_rule *rule,
                         double value)
{
    bool low = rule->flags & RULE_HAS_MIN && !(value >= rule->min);
    bool high = rule->flags & RULE_HAS_MAX && !(value <= rule->max);

    if (!low && !high)
        return;
    if (rule->flags & RULE_HAS_MIN && rule->flags & RULE_HAS_MAX)
        codec_bad(c, path, "must be between %.15g and %.15g", rule->min, rule->max);
    else if (low)
        codec_bad(c, path, "must be at least %.15g", rule->min);
    else
        codec_bad(c, path, "must be at most %.15g", rule->max);
}

void check_enum_name(struct codec *c, const struct path *path, const struct enum_rule *rule)
{
    CLEANUP(strbuf_done) struct strbuf allowed = STRBUF_INIT;

    for (unsigned i = 0; i < rule->descriptor->n_values; i++)
        if (rule->names[i])
            strbuf_printf(&allowed, "%s%s", allowed.len ? ", " : "", rule->names[i]);
    codec_bad(c, path, "must be one of %s", strbuf_cstr(&allowed));
}

void check_value(struct codec *c, const struct path *path, const ProtobufCFieldDescriptor *field,
                 const struct field_rule *rule, void *slot)
{
    if (field->type == PROTOBUF_C_TYPE_STRING)
        check_string(c, path, rule, slot);
    else if (field_integer(field))
        check_number(c, path, rule, (double)slot_int(field, slot));
    else if (field->type == PROTOBUF_C_TYPE_DOUBLE || field->type == PROTOBUF_C_TYPE_FLOAT)
        check_number(c, path, rule, slot_double(field, slot));
    else if (field->type == PROTOBUF_C_TYPE_ENUM && rule->enumeration &&
             !wire_enum_name(rule->enumeration, *(const int32_t *)slot))
        check_enum_name(c, path, rule->enumeration);
}

bool check_count(struct codec *c, const struct path *path, const struct field_rule *rule, size_t n)
{
    bool distinct = rule->flags & (RULE_TAGS | RULE_UNIQUE | RULE_MAP);
    size_t most = rule->max_items ? rule->max_items : distinct ? DISTINCT_MAX : SIZE_MAX;

    if (n > most) {
        codec_bad(c, path, "must have at most %zu %s", most, most == 1 ? "entry" : "entries");
        return false;
    }
    if (n < rule->min_items)
        codec_bad(c, path, "must have at least %u %s", rule->min_items,
                  rule->min_items == 1 ? "entry" : "entries");
    return true;
}

static int compare_texts(const void *a, const void *b)
{
    const char *const *x = *(const char *const *const *)a, *const *y =
                                                               *(const char *const *const *)b;
    int order = strcmp(*x, *y);

    /* Equal ones keep their order. */
    return order ? order : (x > y) - (x < y);
}

/* Marks in twice[] what stands further ahead already. */
static void find_twice(struct arena *arena, const char *const *texts, size_t n, bool *twice)
{
    const char *const **order;

    if (n <= FEW) {
        for (size_t i = 1; i < n; i++)
            for (size_t k = 0; k < i && !twice[i]; k++)
                twice[i] = strcmp(texts[i], texts[k]) == 0;
        return;
    }
    order = arena_alloc(arena, n * sizeof *order);
    for (size_t i = 0; i < n; i++)
        order[i] = &texts[i];
    qsort(order, n, sizeof *order, compare_texts);
    for (size_t i = 1; i < n; i++)
        if (strcmp(*order[i], *order[i - 1]) == 0)
            twice[order[i] - texts] = true;
}

static void drop_twice(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                       const bool *twice)
{
    const char **elems = (const char **)slot_message(field_slot(message, field));
    size_t n = *field_count(message, field), kept = 0;

    for (size_t i = 0; i < n; i++)
        if (!twice[i])
            elems[kept++] = elems[i];
    *field_count(message, field) = kept;
}

/* The text by which elements must differ: strings, numbers, the keys of a map. */
static const char **distinct_texts(struct codec *c, const ProtobufCMessage *message,
                                   const ProtobufCFieldDescriptor *field)
{
    const ProtobufCFieldDescriptor *key =
        field->type == PROTOBUF_C_TYPE_MESSAGE ? map_key(field) : NULL;
    size_t n = *field_count(message, field);
    const char **texts = arena_alloc(c->arena, n * sizeof *texts);

    for (size_t i = 0; i < n; i++) {
        const void *slot = field_elem(message, field, i);

        if (key)
            texts[i] = slot_string(field_slot(slot_message(slot), key));
        else if (field->type == PROTOBUF_C_TYPE_STRING)
            texts[i] = slot_string(slot);
        else if (field->type == PROTOBUF_C_TYPE_DOUBLE || field->type == PROTOBUF_C_TYPE_FLOAT)
            texts[i] = arena_printf(c->arena, "%.17g", slot_double(field, slot));
        else
            texts[i] = arena_printf(c->arena, "%lld", (long long)slot_int(field, slot));
    }
    return texts;
}

void check_list(struct codec *c, const struct path *path, const ProtobufCFieldDescriptor *field,
                const struct field_rule *rule, ProtobufCMessage *message)
{
    size_t n = *field_count(message, field);
    const char **texts;
    bool *twice;

    if (n < 2 || !(rule->flags & (RULE_TAGS | RULE_UNIQUE | RULE_MAP)) ||
        (field->type == PROTOBUF_C_TYPE_MESSAGE && !(rule->flags & RULE_MAP)))
        return;
    texts = distinct_texts(c, message, field);
    twice = arena_alloc(c->arena, n * sizeof *twice);
    find_twice(c->arena, texts, n, twice);
    if (rule->flags & RULE_TAGS) {
        drop_twice(message, field, twice);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct path index = {.up = path, .index = i};
        struct path entry = {.up = path, .name = texts[i]};

        if (twice[i] && rule->flags & RULE_MAP)
            codec_bad(c, &entry, "is given twice");
        else if (twice[i])
            codec_bad(c, &index, "must differ from the entries before it");
    }
}

void check_entry(struct codec *c, const struct path *path, const ProtobufCFieldDescriptor *field,
                 const struct field_rule *rule, ProtobufCMessage *entry)
{
    const ProtobufCFieldDescriptor *key = map_key(field), *value = map_value(field);
    const char *name = slot_string(field_slot(entry, key));
    struct path inner = {.up = path, .name = name};

    if (!utf8_valid(name, strlen(name)) || text_has_control(name)) {
        codec_bad(c, path, "has a key with characters that are not allowed");
        return;
    }
    if (strlen(name) > KEY_MAX) {
        codec_bad(c, path, "has a key of more than %d bytes", KEY_MAX);
        return;
    }
    if (rule->key_pattern && !pattern_matches(rule->key_pattern, name))
        codec_bad(c, path, "has the key '%s'; keys must match %s", name, rule->key_pattern);
    check_value(c, &inner, value, rule, field_slot(entry, value));
}
