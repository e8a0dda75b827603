/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's side of a running hub: mal speaks on the bus itself, as actor
 * cli, trusted. */
#pragma once

#include "cli.h"

#include "bus/bus.h"
#include "wire/call.h"

struct hub {
    struct bus *bus;
    struct arena arena;
};

enum status hub_open(struct hub *hub, const char *url, const char *user, const char *password,
                     struct error *err) MUST_CHECK;
/* The hub whose folder that is (stack.json), or MAL_NATS_URL when set. */
enum status hub_open_dir(struct hub *hub, const char *dir, struct error *err) MUST_CHECK;
void hub_close(struct hub *hub);
/* A call by the operator; valid until hub_close. */
struct call hub_call(struct hub *hub, int timeout_ms);
/* The call's status; its words go to err when it failed. */
enum status hub_failed(const struct call *call, enum status status, struct error *err) MUST_CHECK;

/* Where clients reach the hub: --url/MAL_URL and --key/MAL_KEY, else those of
 * the private stack in dir. */
struct hub_address {
    const char *url, *key;
};
enum status hub_address(struct arena *arena, const char *dir, const char *url, const char *key,
                        struct hub_address *ret_address, struct error *err) MUST_CHECK;

/* The database of the private stack in dir, as its superuser. */
enum status hub_pg_url(struct arena *arena, const char *dir, const char **ret_url,
                       struct error *err) MUST_CHECK;

/* The stack's own key (named "default", every scope), made at the first start
 * and kept in <dir>/key. */
enum status hub_own_key(struct hub *hub, const char *dir, struct arena *arena,
                        const char **ret_secret, struct error *err) MUST_CHECK;
/* Loads content/; report (may be NULL) gets the one line that tells counts, in
 * words or as JSON. */
enum status hub_starter_load(struct hub *hub, const char *content_dir, bool json,
                             struct strbuf *report, struct error *err) MUST_CHECK;
/* Adds the sample project and its members where they are absent. */
enum status hub_sample_load(struct hub *hub, struct strbuf *report, struct error *err) MUST_CHECK;
