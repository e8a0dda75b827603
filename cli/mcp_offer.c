/* SPDX-License-Identifier: Apache-2.0 */
/* mal mcp expose, tools, virtual: what of downstream servers the hub offers as its
 * own. */
#include "mcp.h"

#include <stdio.h>
#include <string.h>

enum { FILE_MAX = 4 * 1024 * 1024 };

enum status mcp_expose(const struct mcp_hub *hub, char **words, int n, struct error *err)
{
    bool off = n > 1 && strcmp(words[1], "off") == 0;
    int first = off ? 2 : 1;
    json_auto_t *body = json_object();
    json_auto_t *reply = NULL;

    (void)json_object_set_new(body, "expose", json_boolean(!off));
    TRY(mcp_pairs(hub, words + first, n - first, body, err));
    TRY(mcp_rest(hub, "PATCH",
                 arena_printf(hub->arena, "/mcps/%s/policy", mcp_escape(hub, words[0])), body,
                 &reply, err));
    if (hub->json)
        mcp_print(json_object_get(reply, "policy"));
    else
        (void)printf("%s: %s\n", words[0],
                     off ? "its tools are not part of /mcp" : "its tools are part of /mcp");
    return ST_OK;
}

enum status mcp_tools(const struct mcp_hub *hub, const char *server, struct error *err)
{
    json_auto_t *reply = NULL;
    size_t i;
    json_t *tool;

    TRY(mcp_rest(hub, "GET", arena_printf(hub->arena, "/mcps/%s/tools", mcp_escape(hub, server)),
                 NULL, &reply, err));
    if (hub->json) {
        mcp_print(json_object_get(reply, "items"));
        return ST_OK;
    }
    json_array_foreach(json_object_get(reply, "items"), i, tool)
    {
        const char *shown = mcp_text(tool, "shown_as");

        (void)printf("%-40s  %-8s  %s\n", mcp_text(tool, "name"), mcp_text(tool, "pin"),
                     *shown ? shown : "-");
    }
    return ST_OK;
}

/* ---- virtual servers --------------------------------------------------------- */

static long long tokens(const json_t *server)
{
    return json_integer_value(json_object_get(server, "token_budget"));
}

static enum status list(const struct mcp_hub *hub, struct error *err)
{
    json_auto_t *items = NULL;
    size_t i;
    json_t *one;

    TRY(mcp_all_pages(hub, "/virtual-servers", &items, err));
    if (hub->json) {
        mcp_print(items);
        return ST_OK;
    }
    json_array_foreach(items, i, one)
    {
        (void)printf("%-24s  %4zu tools  ~%lld tokens  %s\n", mcp_text(one, "id"),
                     json_array_size(json_object_get(one, "tools")), tokens(one),
                     mcp_text(one, "name"));
    }
    return ST_OK;
}

/* The file holds one object; "-" is standard input. Owned by the caller. */
static enum status read_body(const struct mcp_hub *hub, const char *path, json_t **ret_body,
                             struct error *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "re");
    char *text = arena_alloc(hub->arena, FILE_MAX + 1);
    json_error_t where;
    size_t n;

    if (!file)
        return error_set(err, ST_NOT_FOUND, "%s cannot be read", path);
    n = fread(text, 1, FILE_MAX, file);
    if (!is_stdin)
        (void)fclose(file);
    *ret_body = json_loadb(text, n, JSON_REJECT_DUPLICATES, &where);
    if (json_is_object(*ret_body))
        return ST_OK;
    return error_set(err, ST_INVALID_ARGUMENT, "%s is no JSON object: line %d: %s", path,
                     where.line, *ret_body ? "another value" : where.text);
}

static enum status set(const struct mcp_hub *hub, const char *path, const char *file,
                       struct error *err)
{
    static const char *const made[] = {"id", "token_budget", "created_at", "updated_at"};
    json_auto_t *body = NULL;
    json_auto_t *reply = NULL;
    const json_t *server;
    size_t i;
    json_t *warning;

    TRY(read_body(hub, file, &body, err));
    /* What `show` printed is taken as it is. */
    for (i = 0; i < ARRAY_SIZE(made); i++)
        (void)json_object_del(body, made[i]);
    TRY(mcp_rest(hub, "PUT", path, body, &reply, err));
    if (hub->json) {
        mcp_print(reply);
        return ST_OK;
    }
    server = json_object_get(reply, "server");
    (void)printf("%s: %zu tools, about %lld tokens, at /mcp/%s\n", mcp_text(server, "id"),
                 json_array_size(json_object_get(server, "tools")), tokens(server),
                 mcp_text(server, "id"));
    json_array_foreach(json_object_get(reply, "warnings"), i, warning)
    {
        (void)fprintf(stderr, "warning: %s\n", json_string_value(warning));
    }
    return ST_OK;
}

enum status mcp_virtual(const struct mcp_hub *hub, char **words, int n, struct error *err)
{
    json_auto_t *reply = NULL;
    const char *path =
        n > 1 ? arena_printf(hub->arena, "/virtual-servers/%s", mcp_escape(hub, words[1])) : NULL;

    if (n == 1 && strcmp(words[0], "list") == 0)
        return list(hub, err);
    if (n == 3 && strcmp(words[0], "set") == 0)
        return set(hub, path, words[2], err);
    if (n == 2 && strcmp(words[0], "rm") == 0)
        return mcp_rest(hub, "DELETE", path, NULL, &reply, err);
    if (n != 2 || strcmp(words[0], "show") != 0)
        return error_set(err, ST_INVALID_ARGUMENT,
                         "mal mcp virtual list, show ID, set ID FILE, or rm ID");
    TRY(mcp_rest(hub, "GET", path, NULL, &reply, err));
    mcp_print(json_object_get(reply, "server"));
    return ST_OK;
}
