/* SPDX-License-Identifier: Apache-2.0 */
/* Mirrored headers: which arguments have one, and how values are written. */
#include "mcp/mirror.h"

#include <ctype.h>
#include <math.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

#define PREFIX "=?base64?"
#define SUFFIX "?="
#define KEYWORD "x-mcp-header"

enum { PATH_MAX_KEYS = 32, MIRRORS_MAX = 64 };

/* ---- values ------------------------------------------------------------------- */

static bool is_plain(const char *text, size_t len)
{
    size_t prefix = sizeof(PREFIX) - 1, suffix = sizeof(SUFFIX) - 1;

    for (size_t i = 0; i < len; i++)
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
    if (len > 0 && (text[0] == ' ' || text[len - 1] == ' '))
        return false;
    return len < prefix + suffix || memcmp(text, PREFIX, prefix) != 0 ||
           memcmp(text + len - suffix, SUFFIX, suffix) != 0;
}

void mirror_put_value(struct strbuf *out, const char *text, size_t len)
{
    size_t size = sodium_base64_encoded_len(len, sodium_base64_VARIANT_ORIGINAL);

    if (is_plain(text, len)) {
        strbuf_add(out, text, len);
        return;
    }
    strbuf_str(out, PREFIX);
    strbuf_reserve(out, size);
    (void)sodium_bin2base64(out->data + out->len, size, (const unsigned char *)text, len,
                            sodium_base64_VARIANT_ORIGINAL);
    out->len += size - 1;
    strbuf_str(out, SUFFIX);
}

/* Numbers in plain decimals; false for what is no safe integer. */
static bool put_number(struct strbuf *out, const struct json *json, const struct json_node *node)
{
    double value;

    if (!json_double(json, node, &value) || value != floor(value) ||
        fabs(value) > 9007199254740991.0)
        return false;
    strbuf_printf(out, "%.0f", value == 0 ? 0.0 : value);
    return true;
}

static void put_header(struct strbuf *out, const char *header, const struct json *json,
                       const struct json_node *value)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct strbuf number = STRBUF_INIT;
    const char *text;

    if (value->type == JSON_T_STRING)
        text = json_text(&arena, json, value);
    else if (value->type == JSON_T_TRUE || value->type == JSON_T_FALSE)
        text = value->type == JSON_T_TRUE ? "true" : "false";
    else if ((value->type == JSON_T_INT || value->type == JSON_T_NUMBER) &&
             put_number(&number, json, value))
        text = number.data;
    else
        return;
    strbuf_printf(out, "Mcp-Param-%s: ", header);
    mirror_put_value(out, text, strlen(text));
    strbuf_str(out, "\r\n");
    strbuf_done(&number);
}

void mirror_put_headers(struct strbuf *out, const struct mirrors *mirrors, const struct json *json,
                        const struct json_node *arguments)
{
    for (size_t i = 0; i < mirrors->n; i++) {
        const struct json_node *value = arguments;

        for (const char *const *key = mirrors->items[i].path; *key && value; key++)
            value = json_get(json, value, *key);
        if (value != NULL)
            put_header(out, mirrors->items[i].header, json, value);
    }
}

/* ---- annotations ---------------------------------------------------------------- */

struct walk {
    struct arena *arena;
    const struct json *json;
    const struct json_node *path[PATH_MAX_KEYS]; /* keys */
    struct mirror items[MIRRORS_MAX];
    size_t n;
    const char *why;
};

static bool is_token(const char *text)
{
    if (text == NULL || *text == '\0')
        return false;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("!#$%&'*+-.^_`|~", *text))
            return false;
    return true;
}

static bool refuse(struct walk *w, const char *why)
{
    w->why = why;
    return false;
}

static bool take(struct walk *w, const struct json_node *schema, const struct json_node *node,
                 unsigned depth)
{
    const struct json_node *type = json_get(w->json, schema, "type");
    const char *header = json_text(w->arena, w->json, node), **path;

    if (!is_token(header))
        return refuse(w, "x-mcp-header is no header name");
    if (!json_is(w->json, type, "string") && !json_is(w->json, type, "integer") &&
        !json_is(w->json, type, "boolean"))
        return refuse(w, "x-mcp-header stands at other than a string, integer or boolean");
    for (size_t i = 0; i < w->n; i++)
        if (strcasecmp(w->items[i].header, header) == 0)
            return refuse(w, "x-mcp-header names one header twice");
    if (w->n == MIRRORS_MAX)
        return refuse(w, "x-mcp-header is used too often");
    path = arena_alloc(w->arena, (depth + 1) * sizeof(*path));
    for (unsigned i = 0; i < depth; i++)
        path[i] = json_text(w->arena, w->json, w->path[i]);
    w->items[w->n++] = (struct mirror){.path = path, .header = header};
    return true;
}

static bool walk_schema(struct walk *w, const struct json_node *schema, unsigned depth,
                        bool reachable);

/* Every value of the object; depth counts the keys from the root. */
static bool walk_map(struct walk *w, const struct json_node *map, unsigned depth, bool reachable)
{
    const struct json_node *key = json_first(map);

    if (map->type != JSON_T_OBJECT)
        return true;
    for (uint32_t i = 0; i < map->count; i++, key = json_next(json_next(key))) {
        if (reachable && depth == PATH_MAX_KEYS)
            return refuse(w, "its arguments are nested too deeply");
        if (reachable)
            w->path[depth] = key;
        if (!walk_schema(w, json_next(key), depth + 1, reachable))
            return false;
    }
    return true;
}

/* A schema or an array of schemas. */
static bool walk_one_or_more(struct walk *w, const struct json_node *node, unsigned depth)
{
    const struct json_node *item = json_first(node);

    if (node->type != JSON_T_ARRAY)
        return walk_schema(w, node, depth, false);
    for (uint32_t i = 0; i < node->count; i++, item = json_next(item))
        if (!walk_schema(w, item, depth, false))
            return false;
    return true;
}

static bool is_one_of(const struct json *json, const struct json_node *key,
                      const char *const *words)
{
    for (; *words; words++)
        if (json_is(json, key, *words))
            return true;
    return false;
}

static bool walk_keyword(struct walk *w, const struct json_node *key, unsigned depth,
                         bool reachable)
{
    static const char *const maps[] = {"patternProperties", "$defs", "definitions",
                                       "dependentSchemas", NULL};
    static const char *const schemas[] = {"items",
                                          "prefixItems",
                                          "additionalItems",
                                          "contains",
                                          "additionalProperties",
                                          "unevaluatedItems",
                                          "unevaluatedProperties",
                                          "propertyNames",
                                          "contentSchema",
                                          "oneOf",
                                          "anyOf",
                                          "allOf",
                                          "not",
                                          "if",
                                          "then",
                                          "else",
                                          NULL};
    const struct json_node *value = json_next(key);

    if (json_is(w->json, key, "properties"))
        return walk_map(w, value, depth, reachable);
    if (is_one_of(w->json, key, maps))
        return walk_map(w, value, depth, false);
    if (is_one_of(w->json, key, schemas))
        return walk_one_or_more(w, value, depth);
    return true;
}

/* Recursion is bounded by the depth that the JSON parser takes. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static bool walk_schema(struct walk *w, const struct json_node *schema, unsigned depth,
                        bool reachable)
{
    const struct json_node *note = json_get(w->json, schema, KEYWORD);
    const struct json_node *key = json_first(schema);

    if (schema->type != JSON_T_OBJECT)
        return true;
    if (note != NULL && (!reachable || depth == 0))
        return refuse(w, "x-mcp-header stands where no argument is");
    if (note != NULL && !take(w, schema, note, depth))
        return false;
    for (uint32_t i = 0; i < schema->count; i++, key = json_next(json_next(key)))
        if (!walk_keyword(w, key, depth, reachable))
            return false;
    return true;
}

bool mirror_read(struct arena *arena, const struct json *json, const struct json_node *schema,
                 struct mirrors *ret_mirrors, const char **ret_why)
{
    struct walk *w;

    *ret_mirrors = (struct mirrors){0};
    /* Hardly any schema has one. */
    if (schema == NULL || memmem(json->text + schema->start, schema->len, "mcp-header",
                                 sizeof("mcp-header") - 1) == NULL)
        return true;
    w = arena_alloc(arena, sizeof(*w));
    w->arena = arena;
    w->json = json;
    if (!walk_schema(w, schema, 0, true)) {
        *ret_why = w->why;
        return false;
    }
    ret_mirrors->items = w->items;
    ret_mirrors->n = w->n;
    return true;
}
