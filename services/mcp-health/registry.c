/* SPDX-License-Identifier: Apache-2.0 */
/* The copy of catalog's registrations. */
#include "health.h"

#include "server.sql.h"

enum status health_trusted(struct call *call)
{
    if (call->trusted)
        return ST_OK;
    call_hint(call, "ask the operator, or use a key that MAL_TRUSTED_KEYS names.");
    return call_fail(call, ST_PERMISSION_DENIED, "Only trusted keys may do this.");
}

enum status server_exists(struct call *call, const char *id)
{
    const char *found;

    return fail_missing(call, pg_text(call, sql_server_exists, &found, "s", id), "MCP server", id);
}

enum status server_touch(struct call *call, const char *id)
{
    TRY(pg_exec(call, sql_server_dirty, NULL, "s", id));
    return pg_exec(call, sql_server_notify, NULL, "");
}

static const char *pairs_text(struct call *call, size_t n, Mal__Pair *const *pairs)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

    strbuf_char(&out, '{');
    for (size_t i = 0; i < n; i++) {
        if (i)
            strbuf_char(&out, ',');
        json_put_string(&out, pairs[i]->key);
        strbuf_char(&out, ':');
        json_put_string(&out, pairs[i]->value);
    }
    strbuf_char(&out, '}');
    return take_text(call, &out);
}

static enum status put(struct call *call, const Catalog__Mcp *mcp)
{
    int rows = 0;

    TRY(pg_exec(call, sql_server_put, &rows, "ssssSSassSba", mcp->id, mcp->name, mcp->description,
                enum_text(&mcp->base, "transport"), mcp->endpoint_url, mcp->command, mcp->n_args,
                mcp->args, pairs_text(call, mcp->n_env_vars, mcp->env_vars),
                pairs_text(call, mcp->n_headers, mcp->headers), mcp->health_check_url,
                mcp->status == CATALOG__MCP_STATUS__MCP_STATUS_INACTIVE, mcp->n_tools_exposed,
                mcp->tools_exposed));
    if (rows == 0)
        return ST_OK;
    return pg_exec(call, sql_server_state_init, NULL, "s", mcp->id);
}

enum status registry_store(struct call *call, size_t n, Catalog__Mcp *const *rows, bool all)
{
    const char **ids = arena_alloc(call->arena, (n + 1) * sizeof(*ids));

    for (size_t i = 0; i < n; i++) {
        ids[i] = rows[i]->id;
        TRY(put(call, rows[i]));
    }
    if (all) {
        TRY(pg_exec(call, sql_server_remove_others, NULL, "a", n, ids));
        TRY(pg_exec(call, sql_server_policy_drop, NULL, ""));
    }
    return pg_exec(call, sql_server_notify, NULL, "");
}

enum status registry_remove(struct call *call, const char *id)
{
    TRY(pg_exec(call, sql_server_remove, NULL, "s", id));
    TRY(pg_exec(call, sql_server_policy_drop, NULL, ""));
    return pg_exec(call, sql_server_notify, NULL, "");
}
