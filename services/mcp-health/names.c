/* SPDX-License-Identifier: Apache-2.0 */
/* Names of exposed tools in /mcp, kept so that a name goes on meaning its tool. */
#include "names.h"

#include "base/log.h"
#include "bus/bus.h"
#include "names.sql.h"
#include "naming.h"

enum { WANTED_MAX = 20000 }; /* as in names.sql */

static enum naming naming_of(const char *mode)
{
    if (!mode)
        mode = health_config.mcp_prefix;
    if (strcmp(mode, "always") == 0)
        return NAMING_ALWAYS;
    return strcmp(mode, "never") == 0 ? NAMING_NEVER : NAMING_ON_CONFLICT;
}

static enum status read_given(struct call *call, struct given_name **ret, size_t *ret_n)
{
    struct pg_rows rows;

    TRY(pg_rows(call, &rows, sql_names_given, ""));
    *ret_n = (size_t)rows.n;
    *ret = arena_alloc(call->arena, *ret_n * sizeof(**ret));
    for (int i = 0; i < rows.n; i++)
        (*ret)[i] = (struct given_name){.name = pg_cell(&rows, i, "name"),
                                        .server = pg_cell(&rows, i, "mcp_id"),
                                        .tool = pg_cell(&rows, i, "tool")};
    return ST_OK;
}

static enum status read_wanted(struct call *call, struct named_tool **ret, size_t *ret_n)
{
    struct pg_rows rows;

    TRY(pg_rows(call, &rows, sql_names_wanted, ""));
    if (rows.n == WANTED_MAX)
        log_warn("more tools are exposed than /mcp takes; those beyond %d have no name there",
                 WANTED_MAX);
    *ret_n = (size_t)rows.n;
    *ret = arena_alloc(call->arena, *ret_n * sizeof(**ret));
    for (int i = 0; i < rows.n; i++) {
        const char *prefix = pg_cell(&rows, i, "prefix");
        struct named_tool *tool = &(*ret)[i];

        tool->server = pg_cell(&rows, i, "mcp_id");
        tool->tool = pg_cell(&rows, i, "tool");
        tool->naming = naming_of(pg_cell(&rows, i, "prefix_mode"));
        tool->prefix = prefix ? prefix : tool->server;
    }
    return ST_OK;
}

static void add_servers(struct call *call, const struct pg_rows *rows, struct names *names)
{
    for (int i = 0; i < rows->n; i++)
        names_add_once(call, names, pg_cell(rows, i, "mcp_id"));
}

/* Stores what was chosen; servers whose names are others now are added. */
static enum status store(struct call *call, const struct named_tool *tools, size_t n,
                         struct names *changed)
{
    const char **columns[3];
    struct pg_rows rows;
    size_t n_named = 0;

    for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
        columns[i] = arena_alloc(call->arena, (n + 1) * sizeof(char *));
    for (size_t i = 0; i < n; i++) {
        if (!tools[i].name)
            continue;
        columns[0][n_named] = tools[i].name;
        columns[1][n_named] = tools[i].server;
        columns[2][n_named++] = tools[i].tool;
    }
    TRY(pg_rows(call, &rows, sql_names_retire, "a", n_named, columns[0]));
    add_servers(call, &rows, changed);
    TRY(pg_rows(call, &rows, sql_names_give, "aaa", n_named, columns[0], n_named, columns[1],
                n_named, columns[2]));
    add_servers(call, &rows, changed);
    return pg_exec(call, sql_names_trim, NULL, "");
}

static enum status put(struct call *call, struct bus_kv *kv, const char *id)
{
    McpHealth__Names names = MCP_HEALTH__NAMES__INIT;
    const char *key = arena_printf(call->arena, "n.%s", id);
    const void *data;
    size_t len;

    names.id = id;
    TRY(pg_all(call, &names.base, "tools", sql_names_of, "s", id));
    if (names.n_tools == 0)
        return bus_kv_delete(kv, key);
    data = wire_pack(call->arena, &names.base, &len);
    return bus_kv_put(kv, key, data, len);
}

enum status names_publish(struct call *call, struct bus_kv *kv, bool all)
{
    struct named_tool *tools;
    struct given_name *given;
    struct names changed = {0};
    struct pg_rows rows;
    size_t n, n_given;

    TRY(read_wanted(call, &tools, &n));
    TRY(read_given(call, &given, &n_given));
    names_choose(call->arena, tools, n, given, n_given);
    TRY(store(call, tools, n, &changed));
    if (all) {
        TRY(pg_rows(call, &rows, sql_names_servers, ""));
        add_servers(call, &rows, &changed);
    }
    for (size_t i = 0; i < changed.n; i++)
        TRY(put(call, kv, changed.items[i]));
    return ST_OK;
}
