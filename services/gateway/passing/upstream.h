/* SPDX-License-Identifier: Apache-2.0 */
/* The connections of this gateway copy to one downstream server that is reached
 * over HTTP, and the sessions on them. */
#pragma once

#include "link.h"
#include "mcp/reference.h"

#include "mal/mcp_health/v1/state.pb-c.h"

#include <stdatomic.h>

struct links;
struct server;

/* Counted. */
struct upstream {
    atomic_int refs;
    struct downstream *server; /* NULL: error says why it cannot be reached */
    struct error error;
    struct link_map links;
};

/* Never fails: what is wrong is told to callers. source->secrets is not used,
 * those of the record are. */
struct upstream *upstream_new(const McpHealth__Server *record,
                              const struct reference_source *source);
/* Both ways of reaching the server are the same. */
bool upstream_same(const McpHealth__Server *a, const McpHealth__Server *b);
struct upstream *upstream_ref(struct upstream *upstream);
/* Accepts NULL. The last one closes the sessions. */
void upstream_unref(struct upstream *upstream);

struct link_wish {
    const char *key; /* who shares the session */
    bool shared;     /* the key is the hash of a caller's session; other copies use it, too */
    bool alone;      /* no other call uses it meanwhile, as far as there may be so many */
    struct downstream_session_options options;
};
/* The session of that key, opened when there is none. Given back by link_give. */
enum status upstream_link(const struct server *server, struct links *links,
                          const struct link_wish *wish, struct link **ret_link,
                          struct error *err) MUST_CHECK;
