/* SPDX-License-Identifier: Apache-2.0 */
/* Downstream MCP servers: registering and updating. */
#include "catalog.h"

#include "mcp.sql.h"

enum status mcp_trusted(struct call *call)
{
    if (call->trusted)
        return ST_OK;
    call_hint(call, "ask the operator, or use a key that MAL_TRUSTED_KEYS names.");
    return call_fail(call, ST_PERMISSION_DENIED, "Only trusted keys may change servers.");
}

void mcp_from_request(Catalog__Mcp *mcp, const Catalog__RegisterMcpRequest *req)
{
    mcp->id = req->id;
    mcp->name = req->name;
    mcp->description = req->description;
    mcp->author = req->author;
    mcp->n_tags = req->n_tags;
    mcp->tags = req->tags;
    mcp->transport = req->transport;
    mcp->endpoint_url = req->endpoint_url;
    mcp->command = req->command;
    mcp->n_args = req->n_args;
    mcp->args = req->args;
    mcp->n_env_vars = req->n_env_vars;
    mcp->env_vars = req->env_vars;
    mcp->n_headers = req->n_headers;
    mcp->headers = req->headers;
    mcp->health_check_url = req->health_check_url;
    mcp->n_tools_exposed = req->n_tools_exposed;
    mcp->tools_exposed = req->tools_exposed;
    mcp->status = CATALOG__MCP_STATUS__MCP_STATUS_ACTIVE;
}

void mcp_check(struct call *call, const Catalog__Mcp *mcp)
{
    bool stdio = mcp->transport == CATALOG__TRANSPORT__TRANSPORT_STDIO;
    const char *other =
        stdio ? "does not go with transport stdio" : "does not go with transport streamable-http";

    if (stdio && !*mcp->command)
        call_field(call, "command", "is required for transport stdio");
    if (stdio && *mcp->endpoint_url)
        call_field(call, "endpoint_url", "%s", other);
    if (stdio && mcp->n_headers)
        call_field(call, "headers", "%s", other);
    if (!stdio && !*mcp->endpoint_url)
        call_field(call, "endpoint_url", "is required for transport streamable-http");
    if (!stdio && *mcp->command)
        call_field(call, "command", "%s", other);
    if (!stdio && mcp->n_args)
        call_field(call, "args", "%s", other);
    if (!stdio && mcp->n_env_vars)
        call_field(call, "env_vars", "%s", other);
}

static void warn_command(struct call *call, const Catalog__Mcp *mcp, struct names *warnings)
{
    if (!*mcp->command || list_names(catalog_config.stdio_allow, "*") ||
        list_names(catalog_config.stdio_allow, mcp->command))
        return;
    names_add(call, warnings,
              arena_printf(call->arena,
                           "The program '%s' may not be started until the operator adds it to "
                           "MAL_STDIO_ALLOW.",
                           mcp->command));
}

static void warn_references(struct call *call, const char *field, const Mal__Pair *pair,
                            struct names *warnings)
{
    const char *p = pair->value, *name;

    while ((p = strstr(p, "${env:"))) {
        p += strlen("${env:");
        name = arena_memdup(call->arena, p, strcspn(p, "}"));
        if (strncmp(name, "MAL_", 4) != 0 && list_names(catalog_config.env_allow, name))
            continue;
        names_add_once(call, warnings,
                       arena_printf(call->arena,
                                    "%s.%s refers to a variable that is not in MAL_ENV_ALLOW; "
                                    "calls are refused until the operator adds it.",
                                    field, pair->key));
    }
}

static void warn(struct call *call, const Catalog__Mcp *mcp, struct names *warnings)
{
    warn_command(call, mcp, warnings);
    for (size_t i = 0; i < mcp->n_env_vars; i++)
        warn_references(call, "env_vars", mcp->env_vars[i], warnings);
    for (size_t i = 0; i < mcp->n_headers; i++)
        warn_references(call, "headers", mcp->headers[i], warnings);
}

enum status mcp_add(struct tx *tx, const Catalog__Mcp *mcp, const struct birth *birth,
                    Catalog__Mcp *stored)
{
    struct call *call = tx->call;
    Catalog__McpRegistered event = CATALOG__MCP_REGISTERED__INIT;

    TRY(fail_taken(call,
                   pg_one(call, &stored->base, sql_mcp_insert, "ssssasSSassSsaSS", mcp->id,
                          mcp->name, mcp->description, mcp->author, mcp->n_tags, mcp->tags,
                          enum_text(&mcp->base, "transport"), mcp->endpoint_url, mcp->command,
                          mcp->n_args, mcp->args, pairs_json(call, mcp->n_env_vars, mcp->env_vars),
                          pairs_json(call, mcp->n_headers, mcp->headers), mcp->health_check_url,
                          enum_text(&mcp->base, "status"), mcp->n_tools_exposed, mcp->tools_exposed,
                          birth->created_at, birth->updated_at),
                   "MCP server", mcp->id));
    event.id = stored->id;
    event.transport = stored->transport;
    event.status = stored->status;
    return event_add(tx, "mal.evt.catalog.mcp.registered", &event.base);
}

enum status catalog_register_mcp(struct call *call, const Catalog__RegisterMcpRequest *req,
                                 Catalog__RegisterMcpResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    Catalog__Mcp mcp = CATALOG__MCP__INIT;
    struct names warnings = {0};

    mcp_from_request(&mcp, req);
    mcp.env_vars = secrets_keep(call, "env_vars", mcp.n_env_vars, mcp.env_vars, 0, NULL);
    mcp.headers = secrets_keep(call, "headers", mcp.n_headers, mcp.headers, 0, NULL);
    mcp_check(call, &mcp);
    TRY(call_invalid(call));
    rsp->mcp = new_message(call, &catalog__mcp__descriptor);
    TRY(tx_begin(&tx, call));
    TRY(mcp_add(&tx, &mcp, &(struct birth){0}, rsp->mcp));
    warn(call, &mcp, &warnings);
    mcp_mask(rsp->mcp);
    rsp->n_warnings = warnings.n;
    rsp->warnings = warnings.items;
    return tx_commit(&tx);
}

static enum status save(struct tx *tx, Catalog__Mcp **mcp_io, const struct names *changed)
{
    struct call *call = tx->call;
    Catalog__McpUpdated event = CATALOG__MCP_UPDATED__INIT;
    const Catalog__Mcp *mcp = *mcp_io;
    Catalog__Mcp *stored = new_message(call, &catalog__mcp__descriptor);

    TRY(pg_one(call, &stored->base, sql_mcp_update, "sssasSSassSsa", mcp->id, mcp->name,
               mcp->description, mcp->n_tags, mcp->tags, enum_text(&mcp->base, "transport"),
               mcp->endpoint_url, mcp->command, mcp->n_args, mcp->args,
               pairs_json(call, mcp->n_env_vars, mcp->env_vars),
               pairs_json(call, mcp->n_headers, mcp->headers), mcp->health_check_url,
               enum_text(&mcp->base, "status"), mcp->n_tools_exposed, mcp->tools_exposed));
    event.id = stored->id;
    event.transport = stored->transport;
    event.status = stored->status;
    event.n_changed = changed->n;
    event.changed = changed->items;
    *mcp_io = stored;
    return event_add(tx, "mal.evt.catalog.mcp.updated", &event.base);
}

enum status catalog_update_mcp(struct call *call, const Catalog__UpdateMcpRequest *req,
                               Catalog__UpdateMcpResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    Catalog__Mcp *mcp = new_message(call, &catalog__mcp__descriptor);
    Catalog__UpdateMcpRequest update = *req;
    struct names changed = {0}, warnings = {0};

    TRY(mcp_trusted(call));
    TRY(update_check(call, &req->base));
    TRY(tx_begin(&tx, call));
    TRY(fail_missing(call, pg_one(call, &mcp->base, sql_mcp_lock, "s", req->id), "MCP server",
                     req->id));
    update.env_vars = secrets_keep(call, "env_vars", update.n_env_vars, update.env_vars,
                                   mcp->n_env_vars, mcp->env_vars);
    update.headers = secrets_keep(call, "headers", update.n_headers, update.headers, mcp->n_headers,
                                  mcp->headers);
    update_merge(call, &mcp->base, &update.base, &changed);
    mcp_check(call, mcp);
    TRY(call_invalid(call));
    warn(call, mcp, &warnings);
    if (changed.n)
        TRY(save(&tx, &mcp, &changed));
    mcp_mask(mcp);
    rsp->mcp = mcp;
    rsp->n_changed = changed.n;
    rsp->changed = changed.items;
    rsp->n_warnings = warnings.n;
    rsp->warnings = warnings.items;
    return tx_commit(&tx);
}
