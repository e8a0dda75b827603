/* SPDX-License-Identifier: Apache-2.0 */
/* The connections of this gateway copy to one downstream server that is reached
 * over HTTP, and the sessions on them. */
#pragma once

#include "downstream/downstream.h"
#include "mcp/reference.h"

#include "mal/mcp_health/v1/state.pb-c.h"

#include <pthread.h>
#include <stdatomic.h>

struct link;

/* Counted. */
struct upstream {
    atomic_int refs;
    struct downstream *server; /* NULL: error says why it cannot be reached */
    struct error error;
    pthread_mutex_t lock; /* of what follows */
    struct link *links;
    size_t n_links;
};

/* One session with its users. */
struct link {
    struct link *next;
    struct downstream_session *session;
    char *key;
    int users;
    int64_t used_ms;
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

/* The session that callers with this key share, opened when there is none. */
enum status upstream_link(struct upstream *upstream, const char *key,
                          const struct downstream_session_options *options, struct link **ret_link,
                          struct error *err) MUST_CHECK;
void upstream_unlink(struct upstream *upstream, struct link *link);
/* Closes sessions that nobody used for a while. */
void upstream_sweep(struct upstream *upstream, int64_t now_ms);
