/* SPDX-License-Identifier: Apache-2.0 */
/* The bucket MAL_MCPS: what gateways and runners know of servers. Each entry is
 * written inside the transaction that marks its row clean, so that a crash or a
 * bus that is away leaves it dirty. */
#include "health.h"

#include "bus/bus.h"
#include "listing.sql.h"
#include "names.h"
#include "policy.sql.h"
#include "publish.sql.h"
#include "secret.sql.h"
#include "tool.h"
#include "virtual.h"

#include <sodium.h>

static enum status put(struct call *call, struct bus_kv *kv, char kind, const char *id,
                       const ProtobufCMessage *message)
{
    size_t len;
    const void *data = wire_pack(call->arena, message, &len);

    return bus_kv_put(kv, arena_printf(call->arena, "%c.%s", kind, id), data, len);
}

static enum status drop(struct call *call, struct bus_kv *kv, char kind, const char *id)
{
    return bus_kv_delete(kv, arena_printf(call->arena, "%c.%s", kind, id));
}

/* ---- secrets that values refer to ------------------------------------------- */

static void names_in(struct call *call, size_t n, Mal__Pair *const *pairs, struct names *names)
{
    static const char open[] = "${secret:";

    for (size_t i = 0; i < n; i++)
        for (const char *p = strstr(pairs[i]->value, open); p; p = strstr(p, open)) {
            size_t len = strcspn(p += strlen(open), "}");

            if (p[len] == '}')
                names_add_once(call, names, arena_memdup(call->arena, p, len));
        }
}

enum status server_secrets(struct call *call, McpHealth__Server *server)
{
    struct names names = {0};
    struct pg_rows rows;

    names_in(call, server->n_env_vars, server->env_vars, &names);
    names_in(call, server->n_headers, server->headers, &names);
    if (names.n == 0)
        return ST_OK;
    TRY(pg_rows(call, &rows, sql_secret_values, "a", names.n, names.items));
    server->secrets = arena_alloc(call->arena, ((size_t)rows.n + 1) * sizeof(void *));
    for (int i = 0; i < rows.n; i++) {
        Mal__Pair *pair = new_message(call, &mal__pair__descriptor);

        pair->key = pg_cell(&rows, i, "name");
        pair->value = pg_cell(&rows, i, "value");
        server->secrets[server->n_secrets++] = pair;
    }
    return ST_OK;
}

/* ---- definitions --------------------------------------------------------------- */

static const char *hash_of(struct call *call, const McpHealth__Definitions *d)
{
    const char *const parts[] = {d->tools, d->resources, d->resource_templates, d->prompts};
    unsigned char hash[crypto_hash_sha256_BYTES];
    char *text = arena_alloc(call->arena, 2 * sizeof(hash) + 1);
    crypto_hash_sha256_state state;

    (void)crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        (void)crypto_hash_sha256_update(&state, (const unsigned char *)parts[i],
                                        strlen(parts[i]) + 1);
    (void)crypto_hash_sha256_final(&state, hash);
    return sodium_bin2hex(text, 2 * sizeof(hash) + 1, hash, sizeof(hash));
}

/* Nothing is there to serve before the first reading. */
static enum status put_definitions(struct call *call, struct bus_kv *kv,
                                   const McpHealth__Server *server)
{
    McpHealth__Definitions definitions = MCP_HEALTH__DEFINITIONS__INIT;
    enum status status = pg_one(call, &definitions.base, sql_listing_get, "s", server->id);

    if (status == ST_NOT_FOUND)
        return ST_OK;
    TRY(status);
    TRY(tools_served(call, server->id, pin_rule(server->policy), &definitions.tools));
    definitions.hash = hash_of(call, &definitions);
    return put(call, kv, 'd', server->id, &definitions.base);
}

/* ---- one row each ----------------------------------------------------------------- */

static enum status publish_server(struct call *call, struct bus_kv *kv, McpHealth__Server *server)
{
    server->policy = new_message(call, &mcp_health__policy__descriptor);
    TRY(policy_read(call, server->id, server->policy));
    TRY(server_secrets(call, server));
    TRY(put_definitions(call, kv, server));
    TRY(put(call, kv, 's', server->id, &server->base));
    return pg_exec(call, sql_publish_done, NULL, "s", server->id);
}

static enum status forget_server(struct call *call, struct bus_kv *kv, const char *id)
{
    TRY(drop(call, kv, 's', id));
    TRY(drop(call, kv, 'd', id));
    TRY(drop(call, kv, 'n', id));
    return pg_exec(call, sql_publish_forget, NULL, "s", id);
}

static enum status publish_virtual(struct call *call, struct bus_kv *kv, McpHealth__Virtual *server)
{
    TRY(virtual_budget(call, server, NULL));
    TRY(put(call, kv, 'v', server->id, &server->base));
    return pg_exec(call, sql_publish_virtual_done, NULL, "s", server->id);
}

static enum status forget_virtual(struct call *call, struct bus_kv *kv, const char *id)
{
    TRY(drop(call, kv, 'v', id));
    return pg_exec(call, sql_publish_virtual_forget, NULL, "s", id);
}

/* ---- all of them -------------------------------------------------------------------- */

/* Rows that a query names by id, each handed to fn. */
static enum status each_removed(struct call *call, struct bus_kv *kv, const struct query *query,
                                enum status (*fn)(struct call *, struct bus_kv *, const char *),
                                bool *io_any)
{
    struct pg_rows rows;

    TRY(pg_rows(call, &rows, query, ""));
    for (int i = 0; i < rows.n; i++)
        TRY(fn(call, kv, pg_cell(&rows, i, "id")));
    *io_any |= rows.n > 0;
    return ST_OK;
}

enum status publish_changes(struct call *call, struct bus_kv *kv, bool first)
{
    CLEANUP(tx_done) struct tx tx = {0};
    McpHealth__ServerList servers = MCP_HEALTH__SERVER_LIST__INIT;
    McpHealth__ListVirtualServersResponse virtuals =
        MCP_HEALTH__LIST_VIRTUAL_SERVERS_RESPONSE__INIT;
    bool any = first;

    TRY(tx_begin(&tx, call));
    TRY(pg_exec(call, sql_publish_lock, NULL, ""));
    TRY(pg_all(call, &servers.base, "items", sql_publish_servers, ""));
    for (size_t i = 0; i < servers.n_items; i++)
        TRY(publish_server(call, kv, servers.items[i]));
    any |= servers.n_items > 0;
    TRY(each_removed(call, kv, sql_publish_removed, forget_server, &any));
    if (any)
        TRY(names_publish(call, kv, first));
    TRY(pg_all(call, &virtuals.base, "items", sql_publish_virtuals, ""));
    for (size_t i = 0; i < virtuals.n_items; i++)
        TRY(publish_virtual(call, kv, virtuals.items[i]));
    TRY(each_removed(call, kv, sql_publish_virtuals_removed, forget_virtual, &any));
    return tx_commit(&tx);
}
