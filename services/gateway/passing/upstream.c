/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to downstream servers. */
#include "upstream.h"

#include "base/ids.h"
#include "config.h"
#include "links.h"

#include <stdlib.h>
#include <string.h>

/* Calls at once are bounded by the gate. */
enum { CALLS_MAX = 1 << 20 };

/* ---- the server ------------------------------------------------------------------ */

static enum status read_headers(struct arena *arena, const McpHealth__Server *record,
                                const struct reference_source *source,
                                struct downstream_header *headers, struct error *err)
{
    struct reference_source own = *source;
    struct reference_pair *secrets = arena_alloc(arena, record->n_secrets * sizeof(*secrets));

    for (size_t i = 0; i < record->n_secrets; i++)
        secrets[i] = (struct reference_pair){record->secrets[i]->key, record->secrets[i]->value};
    own.secrets = secrets;
    own.n_secrets = record->n_secrets;
    for (size_t i = 0; i < record->n_headers; i++) {
        headers[i].name = record->headers[i]->key;
        TRY(reference_resolve(arena, &own, record->headers[i]->value, &headers[i].value, err));
    }
    return ST_OK;
}

/* Request ids of this process: others call in the same sessions. Numbers stay exact
 * in every language. */
static uint64_t own_range(void)
{
    uint32_t random;

    random_bytes(&random, sizeof(random));
    return (uint64_t)random << 20;
}

static void make_server(struct upstream *upstream, const McpHealth__Server *record,
                        const struct reference_source *source)
{
    CLEANUP(arena_done) struct arena arena = {0};
    const McpHealth__Policy *policy = record->policy;
    struct downstream_header *headers;
    struct downstream_options options = {
        .id = record->id,
        .first_id = own_range(),
        .url = record->endpoint_url,
        .limits = {.call_ms = (int)config.proxy_timeout_ms,
                   .connect_ms = (int)config.connect_timeout_ms,
                   .max_calls = CALLS_MAX},
    };

    arena_init(&arena);
    headers = arena_alloc(&arena, record->n_headers * sizeof(*headers));
    options.headers = headers;
    options.n_headers = record->n_headers;
    if (policy != NULL && policy->connect_timeout_ms > 0)
        options.limits.connect_ms = policy->connect_timeout_ms;
    if (policy != NULL && *policy->newest_version != '\0')
        options.newest = policy->newest_version;
    if (read_headers(&arena, record, source, headers, &upstream->error) == ST_OK &&
        downstream_new(&options, &upstream->server, &upstream->error) != ST_OK)
        upstream->server = NULL;
}

struct upstream *upstream_new(const McpHealth__Server *record,
                              const struct reference_source *source)
{
    struct upstream *upstream = calloc(1, sizeof(*upstream));

    if (upstream == NULL)
        abort();
    upstream->refs = 1;
    link_map_init(&upstream->links);
    make_server(upstream, record, source);
    return upstream;
}

static const McpHealth__Policy no_policy = MCP_HEALTH__POLICY__INIT;

bool upstream_same(const McpHealth__Server *a, const McpHealth__Server *b)
{
    const McpHealth__Policy *p = a->policy != NULL ? a->policy : &no_policy;
    const McpHealth__Policy *q = b->policy != NULL ? b->policy : &no_policy;

    return a->revision == b->revision && a->transport == b->transport &&
           strcmp(a->endpoint_url, b->endpoint_url) == 0 &&
           strcmp(a->protocol_version, b->protocol_version) == 0 &&
           p->connect_timeout_ms == q->connect_timeout_ms &&
           strcmp(p->newest_version, q->newest_version) == 0;
}

struct upstream *upstream_ref(struct upstream *upstream)
{
    (void)atomic_fetch_add(&upstream->refs, 1);
    return upstream;
}

void upstream_unref(struct upstream *upstream)
{
    if (upstream == NULL || atomic_fetch_sub(&upstream->refs, 1) > 1)
        return;
    if (upstream->server != NULL)
        downstream_stop(upstream->server);
    link_map_done(&upstream->links);
    downstream_free(upstream->server);
    free(upstream);
}

/* ---- sessions ---------------------------------------------------------------------- */

enum status upstream_link(const struct server *server, struct links *links,
                          const struct link_wish *wish, struct link **ret_link, struct error *err)
{
    struct upstream *upstream = server->upstream;
    struct downstream_session_options options = wish->options;
    struct downstream_session *session;
    struct share *share = NULL;
    enum status status;

    *ret_link = wish->alone ? link_take_idle(&upstream->links, wish->key)
                            : link_take(&upstream->links, wish->key);
    if (*ret_link != NULL)
        return ST_OK;
    if (wish->shared) {
        share = share_new(links, server, wish->key);
        share_options(share, &options);
    }
    status = downstream_open(upstream->server, &options, &session, err);
    if (status == ST_OK)
        *ret_link = link_add(&upstream->links, wish->key, session, share, wish->alone);
    else
        share_free(share);
    return status;
}
