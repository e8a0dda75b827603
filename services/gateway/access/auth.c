/* SPDX-License-Identifier: Apache-2.0 */
/* API keys in x-api-key or Authorization: Bearer, and what wrong ones get. */
#include "auth.h"

#include "base/log.h"
#include "keylist.h"
#include "keyring.h"
#include "ratelimit.h"
#include "respond.h"

#include <string.h>
#include <strings.h>

enum { SECRET_MAX = 512 };

/* Neither blanks nor control characters, of a sane length. */
static bool well_formed(const char *secret)
{
    size_t len = strlen(secret);

    for (const char *c = secret; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~')
            return false;
    return len > 0 && len <= SECRET_MAX;
}

enum auth_credential auth_credential(const char *api_key, const char *authorization,
                                     const char **ret_secret)
{
    *ret_secret = NULL;
    if (authorization != NULL && strncasecmp(authorization, "Bearer", 6) == 0 &&
        (authorization[6] == ' ' || authorization[6] == '\0')) {
        const char *secret = authorization + 6 + strspn(authorization + 6, " ");

        if (!well_formed(secret) || (api_key != NULL && strcmp(api_key, secret) != 0))
            return AUTH_MALFORMED;
        *ret_secret = secret;
        return AUTH_SECRET;
    }
    if (api_key == NULL)
        return AUTH_NONE; /* another scheme, such as Basic, is no credential here */
    if (!well_formed(api_key))
        return AUTH_MALFORMED;
    *ret_secret = api_key;
    return AUTH_SECRET;
}

static void refuse(struct exchange *x, int status, const char *message, const char *headers)
{
    const char *body = arena_printf(
        x->arena, "{\"error\":{\"status\":\"%s\",\"message\":\"%s\",\"request_id\":\"%s\"}}",
        status == 401   ? "UNAUTHENTICATED"
        : status == 429 ? "RESOURCE_EXHAUSTED"
                        : "INVALID_ARGUMENT",
        message, x->request_id);

    respond(x, status, "application/json", body, strlen(body), headers);
}

/* Without any key on loopback the caller is MAL_IDENTITY and may do all. */
static bool open_door(struct exchange *x)
{
    if (!x->gw->loopback || !keyring_empty(x->gw->keys))
        return false;
    x->who = (struct principal){
        .id = "open",
        .name = config.identity,
        .scopes = SCOPES_ALL,
        .trusted = config_list_has(config.trusted_keys, config.identity),
    };
    return true;
}

/* A key that is wrong, or that may be right but comes from an address that has
 * guessed too often and was never right with it. */
static bool too_often(struct exchange *x, bool found)
{
    int wait_s = 60;

    if (!limits_blocked(x->gw->limits, x->req->peer, x->now_ms, &wait_s))
        return false;
    if (found && limits_known(x->gw->limits, x->req->peer, x->who.id, x->now_ms))
        return false;
    refuse(x, 429, "Too many wrong API keys from this address; wait a minute.",
           arena_printf(x->arena, "Retry-After: %d\r\n", wait_s));
    return true;
}

bool auth_check(struct exchange *x)
{
    const char *secret;
    enum auth_credential kind = AUTH_MALFORMED;
    bool found;

    if (http_header_count(x->req, "Authorization") <= 1 &&
        http_header_count(x->req, "x-api-key") <= 1)
        kind = auth_credential(http_header(x->req, "x-api-key"),
                               http_header(x->req, "Authorization"), &secret);
    if (kind == AUTH_MALFORMED) {
        refuse(x, 400,
               "Send one API key, as x-api-key: KEY or Authorization: Bearer KEY, without blanks.",
               NULL);
        return false;
    }
    if (open_door(x))
        return true;
    if (kind == AUTH_NONE) {
        refuse(x, 401, "An API key is needed: Authorization: Bearer KEY or x-api-key: KEY.",
               "WWW-Authenticate: Bearer realm=\"hub\"\r\n");
        return false;
    }
    found = keyring_find(x->gw->keys, x->arena, secret, x->now_ms, &x->who);
    if (too_often(x, found))
        return false;
    if (!found) {
        limits_failed(x->gw->limits, x->req->peer, x->now_ms);
        refuse(x, 401, "This API key is not valid.",
               "WWW-Authenticate: Bearer realm=\"hub\", error=\"invalid_token\"\r\n");
        return false;
    }
    limits_succeeded(x->gw->limits, x->req->peer, x->who.id, x->now_ms);
    return true;
}
