/* SPDX-License-Identifier: Apache-2.0 */
/* mal mcp: downstream servers, their policy, held definitions and secrets. */
#include "mcp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECRET_MAX = 4000 };

static const char mcp_help[] =
    "Usage: mal mcp list\n"
    "       mal mcp import FILE              servers of {\"mcpServers\": {…}} that are not there\n"
    "       mal mcp drift SERVER             definitions that wait for approval, as a diff\n"
    "       mal mcp approve SERVER [TOOL]    serve them; without TOOL all\n"
    "       mal mcp policy SERVER [key=value…]   show or change; null takes the default\n"
    "       mal mcp expose SERVER [off] [key=value…]   its tools in /mcp, or not; further policy\n"
    "       mal mcp tools SERVER             its tools, and their names in /mcp\n"
    "       mal mcp virtual list\n"
    "       mal mcp virtual show ID          a curated set of tools as JSON\n"
    "       mal mcp virtual set ID FILE      {\"name\": …, \"tools\": [{\"server\": …, \"tool\": "
    "…}]}\n"
    "       mal mcp virtual rm ID\n"
    "       mal mcp secret set NAME          value from standard input\n"
    "       mal mcp secret list\n"
    "       mal mcp secret rm NAME\n\n"
    "  --url URL, --key KEY   the hub (default: MAL_URL, MAL_KEY, else the stack in --dir)\n"
    "  --dir DIR              folder of the private stack (default .mal)\n"
    "  --json                 print JSON\n\n"
    "Literal secrets in env and headers are stored sealed; ${env:NAME} and\n"
    "${secret:NAME} refer to what the operator holds.\n";

/* ---- servers -------------------------------------------------------------------- */

static enum status list(const struct mcp_hub *hub, struct error *err)
{
    json_auto_t *items = NULL;
    size_t i;
    json_t *one;

    TRY(mcp_all_pages(hub, "/mcps", &items, err));
    if (hub->json)
        mcp_print(items);
    else
        json_array_foreach(items, i, one)
        {
            const char *url = mcp_text(one, "endpoint_url");

            (void)printf("%-24s  %-8s  %-15s  %s\n", mcp_text(one, "id"), mcp_text(one, "status"),
                         mcp_text(one, "transport"), *url ? url : mcp_text(one, "command"));
        }
    return ST_OK;
}

/* ---- definitions ------------------------------------------------------------------ */

/* The tools whose definition is not the approved one; owned by the caller. */
static enum status held(const struct mcp_hub *hub, const char *server, json_t **ret_items,
                        struct error *err)
{
    json_auto_t *reply = NULL;
    size_t i;
    json_t *tool;

    TRY(mcp_rest(hub, "GET", arena_printf(hub->arena, "/mcps/%s/tools", mcp_escape(hub, server)),
                 NULL, &reply, err));
    *ret_items = json_array();
    json_array_foreach(json_object_get(reply, "items"), i, tool)
    {
        if (strcmp(mcp_text(tool, "pin"), "approved") != 0)
            (void)json_array_append(*ret_items, tool);
    }
    return ST_OK;
}

static void print_side(char sign, const char *name, const json_t *value)
{
    char *text;

    if (!value)
        return;
    text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
    (void)printf("%c %s: %s\n", sign, name, text ? text : "");
    free(text);
}

static void print_drift(const json_t *tool)
{
    static const char *const names[] = {"description", "input_schema"};
    const json_t *before = json_object_get(tool, "previous");

    (void)printf("%s (%s)\n", mcp_text(tool, "name"), mcp_text(tool, "pin"));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const json_t *old = json_object_get(before, names[i]);
        const json_t *now = json_object_get(tool, names[i]);

        if (old && now && json_equal(old, now))
            continue;
        print_side('-', names[i], old);
        print_side('+', names[i], now);
    }
}

static enum status drift(const struct mcp_hub *hub, const char *server, struct error *err)
{
    json_auto_t *items = NULL;
    size_t i;
    json_t *tool;

    TRY(held(hub, server, &items, err));
    if (hub->json) {
        mcp_print(items);
        return ST_OK;
    }
    if (json_array_size(items) == 0)
        (void)puts("Nothing differs from what was approved.");
    json_array_foreach(items, i, tool)
    {
        print_drift(tool);
    }
    return ST_OK;
}

static enum status approve_one(const struct mcp_hub *hub, const char *server, const char *tool,
                               struct error *err)
{
    json_auto_t *body = json_object();
    json_auto_t *reply = NULL;

    TRY(mcp_rest(hub, "POST",
                 arena_printf(hub->arena, "/mcps/%s/tools/%s/approve", mcp_escape(hub, server),
                              mcp_escape(hub, tool)),
                 body, &reply, err));
    if (!hub->json)
        (void)printf("%s: %s\n", tool,
                     json_is_true(json_object_get(reply, "changed")) ? "approved"
                                                                     : "nothing was held");
    return ST_OK;
}

static enum status approve(const struct mcp_hub *hub, const char *server, const char *tool,
                           struct error *err)
{
    json_auto_t *items = NULL;
    size_t i;
    json_t *one;

    if (tool)
        return approve_one(hub, server, tool, err);
    TRY(held(hub, server, &items, err));
    json_array_foreach(items, i, one)
    {
        TRY(approve_one(hub, server, mcp_text(one, "name"), err));
    }
    return ST_OK;
}

/* ---- policy and secrets -------------------------------------------------------------- */

static enum status policy(const struct mcp_hub *hub, char **words, int n, struct error *err)
{
    const char *path = arena_printf(hub->arena, "/mcps/%s/policy", mcp_escape(hub, words[0]));
    json_auto_t *body = json_object();
    json_auto_t *reply = NULL;

    TRY(mcp_pairs(hub, words + 1, n - 1, body, err));
    TRY(mcp_rest(hub, n > 1 ? "PATCH" : "GET", path, n > 1 ? body : NULL, &reply, err));
    mcp_print(json_object_get(reply, "policy"));
    return ST_OK;
}

static enum status secret_set(const struct mcp_hub *hub, const char *path, struct error *err)
{
    json_auto_t *body = NULL;
    json_auto_t *reply = NULL;
    char value[SECRET_MAX + 2];
    size_t n = fread(value, 1, sizeof(value) - 1, stdin);

    if (n > 0 && value[n - 1] == '\n')
        n--;
    if (n == 0 || n > SECRET_MAX)
        return error_set(err, ST_INVALID_ARGUMENT,
                         "the value on standard input must have 1 to %d bytes", SECRET_MAX);
    body = json_pack("{s:s%}", "value", value, n);
    if (!body)
        return error_set(err, ST_INVALID_ARGUMENT, "the value is not UTF-8");
    return mcp_rest(hub, "PUT", path, body, &reply, err);
}

static enum status secret(const struct mcp_hub *hub, char **words, int n, struct error *err)
{
    json_auto_t *items = NULL;
    json_auto_t *reply = NULL;
    const char *path =
        n > 1 ? arena_printf(hub->arena, "/secrets/%s", mcp_escape(hub, words[1])) : NULL;
    size_t i;
    json_t *one;

    if (path && strcmp(words[0], "set") == 0)
        return secret_set(hub, path, err);
    if (path && strcmp(words[0], "rm") == 0)
        return mcp_rest(hub, "DELETE", path, NULL, &reply, err);
    if (path || strcmp(words[0], "list") != 0)
        return error_set(err, ST_INVALID_ARGUMENT, "mal mcp secret set NAME, list, or rm NAME");
    TRY(mcp_all_pages(hub, "/secrets", &items, err));
    if (hub->json)
        mcp_print(items);
    else
        json_array_foreach(items, i, one)
        {
            (void)printf("%-32s  %s\n", mcp_text(one, "name"), mcp_text(one, "updated_at"));
        }
    return ST_OK;
}

/* ---- the command ------------------------------------------------------------------- */

static enum status run(const struct mcp_hub *hub, char **words, int n, bool *ret_known,
                       struct error *err)
{
    const char *what = words[0];

    *ret_known = true;
    if (n == 1 && strcmp(what, "list") == 0)
        return list(hub, err);
    if (n == 2 && strcmp(what, "import") == 0)
        return mcp_import(hub, words[1], err);
    if (n == 2 && strcmp(what, "drift") == 0)
        return drift(hub, words[1], err);
    if ((n == 2 || n == 3) && strcmp(what, "approve") == 0)
        return approve(hub, words[1], n == 3 ? words[2] : NULL, err);
    if (n >= 2 && strcmp(what, "policy") == 0)
        return policy(hub, words + 1, n - 1, err);
    if (n >= 2 && strcmp(what, "expose") == 0)
        return mcp_expose(hub, words + 1, n - 1, err);
    if (n == 2 && strcmp(what, "tools") == 0)
        return mcp_tools(hub, words[1], err);
    if (n >= 2 && n <= 4 && strcmp(what, "virtual") == 0)
        return mcp_virtual(hub, words + 1, n - 1, err);
    if ((n == 2 || n == 3) && strcmp(what, "secret") == 0)
        return secret(hub, words + 1, n - 1, err);
    *ret_known = false;
    return ST_OK;
}

static enum status find_hub(struct mcp_hub *hub, const char *dir, const char *url, const char *key,
                            struct error *err)
{
    struct hub_address address;
    size_t len;

    TRY(hub_address(hub->arena, dir, url, key, &address, err));
    len = strlen(address.url);
    if (len > 4 && strcmp(address.url + len - 4, "/mcp") == 0)
        len -= 4;
    hub->base = arena_memdup(hub->arena, address.url, len);
    hub->key = address.key;
    return ST_OK;
}

int cmd_mcp(int argc, char **argv)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct mcp_hub hub = {.arena = &arena};
    const char *dir = NULL, *url = NULL, *key = NULL, *value;
    char **words = arena_alloc(&arena, (size_t)argc * sizeof(void *));
    struct error err = {0};
    bool known;
    int n = 0;

    for (int i = 1; i < argc; i++) {
        if ((value = cli_option(argc, argv, &i, "--dir")))
            dir = value;
        else if ((value = cli_option(argc, argv, &i, "--url")))
            url = value;
        else if ((value = cli_option(argc, argv, &i, "--key")))
            key = value;
        else if (cli_flag(argv[i], "--json"))
            hub.json = true;
        else if (cli_flag(argv[i], "--help"))
            return fputs(mcp_help, stdout) < 0 ? EXIT_FAILED : EXIT_DONE;
        else
            words[n++] = argv[i];
    }
    if (n == 0)
        return cli_usage("mcp needs a word: list, import, drift, approve, policy, expose, tools, "
                         "virtual or secret");
    if (find_hub(&hub, dir, url, key, &err) != ST_OK)
        return cli_fail(&err);
    if (run(&hub, words, n, &known, &err) != ST_OK)
        return cli_fail(&err);
    return known ? EXIT_DONE : cli_usage("mcp: no such command, or words too many or too few");
}
