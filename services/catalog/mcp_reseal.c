/* SPDX-License-Identifier: Apache-2.0 */
/* Rotation of the key that seals servers' secrets: at start everything is sealed
 * anew that the newest key did not seal. */
#include "catalog.h"

#include "base/log.h"
#include "mcp.sql.h"
#include "mcp/secret.h"

/* How many values were sealed anew. */
static size_t reseal_pairs(struct call *call, const struct secret_keys *keys, const char *id,
                           size_t n, Mal__Pair **pairs)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        const char *plain = pairs[i]->value;

        if (secret_is_reference(plain) || secret_is_current(keys, plain))
            continue;
        if (secret_is_sealed(plain))
            plain = secret_open(call->arena, keys, plain);
        if (plain) {
            pairs[i]->value = secret_seal(call->arena, keys, plain);
            count++;
        } else {
            log_warn("no key of MAL_SECRET_KEYS opens %s of server %s", pairs[i]->key, id);
        }
    }
    return count;
}

static enum status reseal_server(struct tx *tx, const struct secret_keys *keys, Catalog__Mcp *mcp)
{
    static const char *env_vars = "env_vars", *headers = "headers";
    struct call *call = tx->call;
    Catalog__McpUpdated event = CATALOG__MCP_UPDATED__INIT;
    struct names changed = {0};

    if (reseal_pairs(call, keys, mcp->id, mcp->n_env_vars, mcp->env_vars))
        names_add(call, &changed, env_vars);
    if (reseal_pairs(call, keys, mcp->id, mcp->n_headers, mcp->headers))
        names_add(call, &changed, headers);
    if (changed.n == 0)
        return ST_OK;
    TRY(pg_exec(call, sql_mcp_reseal, NULL, "sSS", mcp->id,
                pairs_json(call, mcp->n_env_vars, mcp->env_vars),
                pairs_json(call, mcp->n_headers, mcp->headers)));
    event.id = mcp->id;
    event.transport = mcp->transport;
    event.status = mcp->status;
    event.n_changed = changed.n;
    event.changed = changed.items;
    return event_add(tx, "mal.evt.catalog.mcp.updated", &event.base);
}

enum status secrets_reseal(struct call *call)
{
    CLEANUP(tx_done) struct tx tx = {0};
    Catalog__ResolveMcpResponse servers = CATALOG__RESOLVE_MCP_RESPONSE__INIT;
    struct secret_keys keys;

    TRY(secret_keys_read(catalog_config.secret_keys, &keys, &call->error));
    if (keys.n == 0)
        return ST_OK;
    TRY(tx_begin(&tx, call));
    TRY(pg_all(call, &servers.base, "items", sql_mcp_secrets, ""));
    for (size_t i = 0; i < servers.n_items; i++)
        TRY(reseal_server(&tx, &keys, servers.items[i]));
    return tx_commit(&tx);
}
