/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of mcp-health share. */
#pragma once

#include "base/settings.h"
#include "mal/catalog/v1/catalog.pb-c.h"
#include "mal/mcp_health/v1/events.pb-c.h"
#include "mal/mcp_health/v1/mcp_health.server.h"
#include "mal/mcp_health/v1/state.pb-c.h"
#include "mcp/secret.h"
#include "pg/pg.h"
#include "wire/call.h"
#include "wire/codec.h"
#include "wire/handler.h"

/* Written by settings_load before threads start; tests write it themselves. */
struct health_settings {
    const char *secret_keys; /* MAL_SECRET_KEYS, see mcp/secret.h */
    const char *env_allow;   /* variables that ${env:NAME} may read */
    const char *pin_tools;   /* off, warn or hold */
    const char *mcp_prefix;  /* always, on-conflict or never */
    int64_t interval_s;      /* between probes of a server that is well */
    int64_t window;          /* M: outcomes that are looked at */
    int64_t threshold;       /* N: failures among them that make an error */
};
extern struct health_settings health_config;

struct svc;
struct svc health_service(void);

/* PERMISSION_DENIED unless the caller's key is a trusted one. */
enum status health_trusted(struct call *call) MUST_CHECK;
/* The server's registration is there, else NOT_FOUND with words. */
enum status server_exists(struct call *call, const char *id) MUST_CHECK;
/* Gateways and runners are to hear of the server. */
enum status server_touch(struct call *call, const char *id) MUST_CHECK;
/* Wakes the publisher. */
#define HEALTH_CHANNEL "mal_mcp_health_publish"

/* ---- registry ------------------------------------------------------------ */

/* Brings the copy of catalog's registrations up to date. all: rows is every
 * server there is, and what it does not name is gone. */
enum status registry_store(struct call *call, size_t n, Catalog__Mcp *const *rows,
                           bool all) MUST_CHECK;
/* The server was deleted. */
enum status registry_remove(struct call *call, const char *id) MUST_CHECK;

/* ---- secrets ---------------------------------------------------------------- */

/* Keys in use; none when the setting cannot be read (refused at start). */
struct secret_keys secret_keys_now(void);
/* At start: seals with the newest key what an older one sealed. */
enum status secrets_reseal(struct call *call) MUST_CHECK;

/* Adds the sealed values of the secrets that the server's values refer to. */
enum status server_secrets(struct call *call, McpHealth__Server *server) MUST_CHECK;

/* ---- policy ------------------------------------------------------------------- */

/* What was decided, defaults where nothing was. */
enum status policy_read(struct call *call, const char *id, McpHealth__Policy *ret) MUST_CHECK;
enum pin_rule { PIN_OFF, PIN_WARN, PIN_HOLD };
enum pin_rule pin_rule(const McpHealth__Policy *policy);

/* ---- finding tools ------------------------------------------------------------- */

/* At start: the tools of the hub itself as this build has them. */
enum status own_tools_store(struct call *call) MUST_CHECK;

/* ---- publishing ---------------------------------------------------------------- */

struct bus_kv;
/* Writes what changed into the bucket MAL_MCPS (kv); one copy at a time. first:
 * names of tools as well though nothing changed. */
enum status publish_changes(struct call *call, struct bus_kv *kv, bool first) MUST_CHECK;
