/* SPDX-License-Identifier: Apache-2.0 */
/* mal mcp import: the file that desktop clients keep their servers in. */
#include "mcp.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { ID_MAX = 64 };

/* "My Server_2" is my-server-2; NULL when no letter or digit is left. */
static const char *slug(struct arena *arena, const char *name)
{
    char *id = arena_alloc(arena, ID_MAX + 1);
    size_t n = 0;

    for (; *name && n < ID_MAX; name++) {
        unsigned char c = (unsigned char)*name;

        if (c < 0x80 && isalnum(c))
            id[n++] = (char)tolower(c);
        else if (n > 0 && id[n - 1] != '-')
            id[n++] = '-';
    }
    if (n > 0 && id[n - 1] == '-')
        n--;
    id[n] = '\0';
    return n > 0 ? id : NULL;
}

static void copy_member(json_t *to, const char *name, const json_t *from, const char *member)
{
    json_t *value = json_object_get(from, member);

    if (value)
        (void)json_object_set(to, name, value);
}

/* The registration of one entry; owned by the caller. */
static enum status registration(const char *id, const char *name, const json_t *entry,
                                json_t **ret_body, struct error *err)
{
    const char *url = json_string_value(json_object_get(entry, "url"));
    const char *command = json_string_value(json_object_get(entry, "command"));
    const char *type = json_string_value(json_object_get(entry, "type"));
    json_t *body;

    if (!url == !command)
        return error_set(err, ST_INVALID_ARGUMENT, "%s: one of command and url must be there",
                         name);
    if (type && strcmp(type, "sse") == 0)
        return error_set(err, ST_INVALID_ARGUMENT,
                         "%s: the transport sse of 2024 is not spoken by the hub", name);
    body = json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", id, "name", name, "description",
                     "Imported from a client's configuration.", "author", "import", "transport",
                     url ? "streamable-http" : "stdio");
    if (!body)
        return error_set(err, ST_INVALID_ARGUMENT, "%s: not UTF-8", name);
    if (url) {
        copy_member(body, "endpoint_url", entry, "url");
        copy_member(body, "headers", entry, "headers");
    } else {
        copy_member(body, "command", entry, "command");
        copy_member(body, "args", entry, "args");
        copy_member(body, "env_vars", entry, "env");
    }
    *ret_body = body;
    return ST_OK;
}

/* outcome: "added" or "there already". */
static enum status import_one(const struct mcp_hub *hub, const char *id, const char *name,
                              const json_t *entry, const char **ret_outcome, struct error *err)
{
    json_auto_t *body = NULL;
    json_auto_t *there = NULL;
    json_auto_t *reply = NULL;
    enum status st;

    TRY(registration(id, name, entry, &body, err));
    st = mcp_rest(hub, "GET", arena_printf(hub->arena, "/mcps/%s", id), NULL, &there, err);
    *ret_outcome = "skipped";
    if (st != ST_NOT_FOUND)
        return st;
    error_clear(err);
    *ret_outcome = "added";
    return mcp_rest(hub, "POST", "/mcps", body, &reply, err);
}

static void tell(const struct mcp_hub *hub, json_t *report, const char *id, const char *outcome,
                 const struct error *err)
{
    json_t *line = json_pack("{s:s, s:s}", "id", id, "outcome", outcome);

    if (err)
        (void)json_object_set_new(line, "error", json_string(err->message));
    (void)json_array_append_new(report, line);
    if (hub->json)
        return;
    (void)fprintf(err ? stderr : stdout, "%s: %s%s%s\n", id, outcome, err ? ": " : "",
                  err ? err->message : "");
    for (unsigned i = 0; err && i < err->n_fields; i++)
        (void)fprintf(stderr, "  - %s: %s\n", err->fields[i].field, err->fields[i].message);
}

enum status mcp_import(const struct mcp_hub *hub, const char *path, struct error *err)
{
    json_error_t why;
    json_auto_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    json_auto_t *report = json_array();
    json_t *servers = json_object_get(root, "mcpServers"), *entry;
    const char *name;
    int failed = 0;

    if (!root)
        return error_set(err, ST_INVALID_ARGUMENT, "%s: line %d: %s", path, why.line, why.text);
    if (!servers)
        servers = json_object_get(root, "servers"); /* VS Code */
    if (!json_is_object(servers))
        return error_set(err, ST_INVALID_ARGUMENT, "%s: no object mcpServers", path);
    json_object_foreach(servers, name, entry)
    {
        const char *id = slug(hub->arena, name), *outcome = "";
        struct error own = {0};
        enum status st = id ? import_one(hub, id, name, entry, &outcome, &own)
                            : error_set(&own, ST_INVALID_ARGUMENT, "no letter or digit in it");

        failed += st != ST_OK;
        tell(hub, report, id ? id : name, st == ST_OK ? outcome : "failed",
             st == ST_OK ? NULL : &own);
    }
    if (hub->json)
        mcp_print(report);
    if (failed)
        return error_set(err, ST_INVALID_ARGUMENT, "%d of %zu servers were not imported", failed,
                         json_object_size(servers));
    return ST_OK;
}
