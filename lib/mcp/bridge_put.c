/* SPDX-License-Identifier: Apache-2.0 */
/* Writing objects member by member. */
#include "mcp/bridge_put.h"

void put_comma(struct strbuf *out)
{
    if (out->len > 0 && out->data[out->len - 1] != '{' && out->data[out->len - 1] != '[')
        strbuf_char(out, ',');
}

void put_key(struct strbuf *out, const char *key)
{
    put_comma(out);
    strbuf_char(out, '"');
    strbuf_str(out, key);
    strbuf_str(out, "\":");
}

void put_member(struct strbuf *out, const struct json *json, const struct json_node *key)
{
    put_comma(out);
    json_put_member(out, json, key);
}

void put_text_block(struct strbuf *out, const char *text)
{
    strbuf_str(out, "{\"type\":\"text\",\"text\":");
    json_put_string(out, text);
    strbuf_char(out, '}');
}

bool key_in(const struct json *json, const struct json_node *key, const char *const *words)
{
    for (; *words != NULL; words++)
        if (json_is(json, key, *words))
            return true;
    return false;
}

void put_without(struct strbuf *out, const struct json *json, const struct json_node *object,
                 const char *const *words)
{
    strbuf_char(out, '{');
    FOR_MEMBERS(key, object)
    if (!key_in(json, key, words))
        put_member(out, json, key);
    strbuf_char(out, '}');
}
