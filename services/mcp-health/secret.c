/* SPDX-License-Identifier: Apache-2.0 */
/* Named secrets: stored sealed, never shown again. */
#include "health.h"

#include "base/log.h"
#include "secret.sql.h"
#include "server.sql.h"

struct secret_keys secret_keys_now(void)
{
    struct secret_keys keys;
    struct error err = {0};

    if (secret_keys_read(health_config.secret_keys, &keys, &err) != ST_OK)
        keys.n = 0;
    return keys;
}

enum status mcp_health_list_secrets(struct call *call, const McpHealth__ListSecretsRequest *req,
                                    McpHealth__ListSecretsResponse *rsp)
{
    TRY(pg_one(call, &rsp->base, sql_secret_count, ""));
    TRY(pg_all(call, &rsp->base, "items", sql_secret_list, "ii", req->limit, req->offset));
    PAGE_DONE(rsp, req);
    return ST_OK;
}

/* Whoever uses the secret learns its value from the bucket. */
static enum status tell_users(struct call *call, const char *name)
{
    TRY(pg_exec(call, sql_secret_users, NULL, "s", name));
    return pg_exec(call, sql_server_notify, NULL, "");
}

enum status mcp_health_put_secret(struct call *call, const McpHealth__PutSecretRequest *req,
                                  McpHealth__PutSecretResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    struct secret_keys keys = secret_keys_now();
    const char *sealed = secret_seal(call->arena, &keys, req->value);
    struct pg_rows rows;

    TRY(health_trusted(call));
    if (!sealed) {
        call_hint(call, "set MAL_SECRET_KEYS of mcp-health and of who reaches servers.");
        return call_fail_reason(call, ST_FAILED_PRECONDITION, "NO_SECRET_KEY",
                                "Secrets are only kept sealed, and there is no key to seal with.");
    }
    TRY(tx_begin(&tx, call));
    TRY(pg_rows(call, &rows, sql_secret_put, "ss", req->name, sealed));
    rsp->secret = new_message(call, &mcp_health__secret__descriptor);
    rsp->secret->name = req->name;
    rsp->secret->created_at = pg_cell(&rows, 0, "created_at");
    rsp->secret->updated_at = pg_cell(&rows, 0, "updated_at");
    rsp->created = strcmp(pg_cell(&rows, 0, "created"), "t") == 0;
    TRY(tell_users(call, req->name));
    return tx_commit(&tx);
}

enum status mcp_health_delete_secret(struct call *call, const McpHealth__DeleteSecretRequest *req,
                                     McpHealth__DeleteSecretResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    int rows = 0;

    TRY(health_trusted(call));
    TRY(tx_begin(&tx, call));
    TRY(pg_exec(call, sql_secret_delete, &rows, "s", req->name));
    if (rows == 0)
        return fail_missing(call, ST_NOT_FOUND, "Secret", req->name);
    TRY(tell_users(call, req->name));
    rsp->name = req->name;
    rsp->deleted = true;
    return tx_commit(&tx);
}

static enum status reseal_one(struct call *call, const struct secret_keys *keys, const char *name,
                              const char *value)
{
    const char *plain;

    if (secret_is_current(keys, value))
        return ST_OK;
    plain = secret_open(call->arena, keys, value);
    if (!plain) {
        log_warn("no key of MAL_SECRET_KEYS opens the secret %s", name);
        return ST_OK;
    }
    TRY(pg_exec(call, sql_secret_replace, NULL, "ss", name, secret_seal(call->arena, keys, plain)));
    return tell_users(call, name);
}

enum status secrets_reseal(struct call *call)
{
    CLEANUP(tx_done) struct tx tx = {0};
    struct secret_keys keys;
    struct pg_rows rows;

    TRY(secret_keys_read(health_config.secret_keys, &keys, &call->error));
    if (keys.n == 0)
        return ST_OK;
    TRY(tx_begin(&tx, call));
    TRY(pg_rows(call, &rows, sql_secret_all, ""));
    for (int i = 0; i < rows.n; i++)
        TRY(reseal_one(call, &keys, pg_cell(&rows, i, "name"), pg_cell(&rows, i, "value")));
    return tx_commit(&tx);
}
