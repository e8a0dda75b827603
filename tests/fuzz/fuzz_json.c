/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON scanner: what it accepts is a sound tape, and stays the same value
 * when it is written out compactly and read again. */
#include "wire/json.h"

#include "base/utf8.h"

#include <stdlib.h>

/* NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
    if (!held)
        abort();
}

static void look_at_nodes(struct arena *arena, const struct json *json, size_t size)
{
    for (uint32_t i = 0; i < json->n_nodes; i++) {
        const struct json_node *node = &json->nodes[i];
        const char *text;
        int64_t integer;
        double number;

        must(node->start + (size_t)node->len <= size);
        must(node->span >= 1 && i + (size_t)node->span <= json->n_nodes);
        if (node->type == JSON_T_STRING) {
            text = json_text(arena, json, node);
            must(utf8_valid(text, strlen(text)));
            must(json_is(json, node, text));
        } else if (node->type == JSON_T_INT && json_int(json, node, &integer)) {
            must(json_double(json, node, &number));
        } else if (node->type == JSON_T_OBJECT && node->count > 0) {
            text = json_text(arena, json, json_first(node));
            must(json_get(json, node, text) == json_next(json_first(node)));
        }
    }
}

static void compare(const struct json *a, const struct json *b)
{
    must(a->n_nodes == b->n_nodes);
    for (uint32_t i = 0; i < a->n_nodes; i++)
        must(a->nodes[i].type == b->nodes[i].type && a->nodes[i].span == b->nodes[i].span &&
             a->nodes[i].count == b->nodes[i].count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strbuf buf = STRBUF_INIT;
    struct arena arena;
    struct error err = {0};
    struct json json, again;

    arena_init(&arena);
    /* Any bytes at all become a JSON string that reads back. */
    json_put_string_n(&buf, (const char *)data, size);
    must(json_parse(&arena, buf.data, buf.len, NULL, &json, &err) == ST_OK);
    strbuf_clear(&buf);
    if (json_parse(&arena, (const char *)data, size, NULL, &json, &err) == ST_OK) {
        look_at_nodes(&arena, &json, size);
        json_put_compact(&buf, (const char *)data, size);
        must(json_parse(&arena, buf.data, buf.len, NULL, &again, &err) == ST_OK);
        compare(&json, &again);
    } else {
        must(strstr(err.message, " at byte ") != NULL);
    }
    strbuf_done(&buf);
    arena_done(&arena);
    return 0;
}
