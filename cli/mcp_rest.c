/* SPDX-License-Identifier: Apache-2.0 */
/* The hub over REST, for mal mcp. */
#include "mcp.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REST_TIMEOUT_MS = 30000, PAGE = 100 };

const char *mcp_escape(const struct mcp_hub *hub, const char *text)
{
    char *escaped = curl_easy_escape(NULL, text, 0);
    const char *copy = arena_strdup(hub->arena, escaped ? escaped : "");

    curl_free(escaped);
    return copy;
}

void mcp_print(const json_t *json)
{
    (void)json_dumpf(json, stdout, JSON_INDENT(2));
    (void)putchar('\n');
}

const char *mcp_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

static enum status failure(const struct mcp_hub *hub, const json_t *reply,
                           const struct cli_reply *raw, struct error *err)
{
    const json_t *error = json_object_get(reply, "error");
    enum status st = raw->status == 404 ? ST_NOT_FOUND : ST_FAILED_PRECONDITION;
    size_t i;
    json_t *field;

    if (!error)
        return error_set(err, ST_INTERNAL, "the hub answered %ld: %.200s", raw->status, raw->body);
    json_array_foreach(json_object_get(error, "fields"), i, field)
    {
        error_field(err, hub->arena, mcp_text(field, "field"), "%s", mcp_text(field, "message"));
    }
    error_hint(err, "%s", mcp_text(error, "hint"));
    return error_set(err, st, "%s", mcp_text(error, "message"));
}

enum status mcp_rest(const struct mcp_hub *hub, const char *method, const char *path,
                     const json_t *body, json_t **ret_reply, struct error *err)
{
    const char *headers[3] = {"Content-Type: application/json", NULL, NULL};
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    struct cli_request request = {.method = method,
                                  .url = arena_printf(hub->arena, "%s/api/v1%s", hub->base, path),
                                  .headers = headers,
                                  .body = text,
                                  .timeout_ms = REST_TIMEOUT_MS};
    struct cli_reply reply;
    enum status st;

    if (hub->key)
        headers[1] = arena_printf(hub->arena, "x-api-key: %s", hub->key);
    st = cli_http(hub->arena, &request, &reply, err);
    free(text);
    TRY(st);
    *ret_reply = json_loadb(reply.body, reply.len, 0, NULL);
    return reply.status > 299 || !*ret_reply ? failure(hub, *ret_reply, &reply, err) : ST_OK;
}

enum status mcp_all_pages(const struct mcp_hub *hub, const char *path, json_t **ret_items,
                          struct error *err)
{
    json_t *items = *ret_items = json_array();

    for (;;) {
        json_auto_t *page = NULL;

        TRY(mcp_rest(
            hub, "GET",
            arena_printf(hub->arena, "%s?limit=%d&offset=%zu", path, PAGE, json_array_size(items)),
            NULL, &page, err));
        (void)json_array_extend(items, json_object_get(page, "items"));
        if (!json_is_true(json_object_get(page, "has_more")))
            return ST_OK;
    }
}

enum status mcp_pairs(const struct mcp_hub *hub, char **words, int n, json_t *body,
                      struct error *err)
{
    for (int i = 0; i < n; i++) {
        size_t len = strcspn(words[i], "=");
        json_t *value;

        if (len == 0 || words[i][len] == '\0')
            return error_set(err, ST_INVALID_ARGUMENT, "'%s' is no key=value", words[i]);
        value = json_loads(words[i] + len + 1, JSON_DECODE_ANY, NULL);
        if (!value)
            value = json_string(words[i] + len + 1);
        (void)json_object_set_new(body, arena_memdup(hub->arena, words[i], len), value);
    }
    return ST_OK;
}
