/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to downstream servers. */
#include "upstream.h"

#include "base/clock.h"
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Calls at once are bounded by the gate. */
enum { CLOSE_MS = 500, IDLE_MS = 600000, CALLS_MAX = 1 << 20 };

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

static void make_server(struct upstream *upstream, const McpHealth__Server *record,
                        const struct reference_source *source)
{
    CLEANUP(arena_done) struct arena arena = {0};
    const McpHealth__Policy *policy = record->policy;
    struct downstream_header *headers;
    struct downstream_options options = {
        .id = record->id,
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
    (void)pthread_mutex_init(&upstream->lock, NULL);
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

static void link_close(struct link *link, int wait_ms)
{
    downstream_close(link->session, wait_ms);
    free(link->key);
    free(link);
}

void upstream_unref(struct upstream *upstream)
{
    if (upstream == NULL || atomic_fetch_sub(&upstream->refs, 1) > 1)
        return;
    if (upstream->server != NULL)
        downstream_stop(upstream->server);
    while (upstream->links != NULL) {
        struct link *link = upstream->links;

        upstream->links = link->next;
        link_close(link, CLOSE_MS);
    }
    downstream_free(upstream->server);
    (void)pthread_mutex_destroy(&upstream->lock);
    free(upstream);
}

/* ---- sessions ---------------------------------------------------------------------- */

/* With the lock held. */
static struct link *take(struct upstream *upstream, const char *key)
{
    struct link *link = upstream->links;

    while (link != NULL && strcmp(link->key, key) != 0)
        link = link->next;
    if (link != NULL)
        link->users++;
    return link;
}

/* Another worker may have opened the same meanwhile: then its session is used. */
static struct link *keep(struct upstream *upstream, const char *key,
                         struct downstream_session *session)
{
    struct link *link, *mine = calloc(1, sizeof(*mine));

    if (mine == NULL || (mine->key = strdup(key)) == NULL)
        abort();
    mine->session = session;
    mine->users = 1;
    (void)pthread_mutex_lock(&upstream->lock);
    link = take(upstream, key);
    if (link == NULL) {
        mine->next = upstream->links;
        upstream->links = mine;
        upstream->n_links++;
    }
    (void)pthread_mutex_unlock(&upstream->lock);
    if (link == NULL)
        return mine;
    link_close(mine, CLOSE_MS);
    return link;
}

enum status upstream_link(struct upstream *upstream, const char *key,
                          const struct downstream_session_options *options, struct link **ret_link,
                          struct error *err)
{
    struct downstream_session *session;

    (void)pthread_mutex_lock(&upstream->lock);
    *ret_link = take(upstream, key);
    (void)pthread_mutex_unlock(&upstream->lock);
    if (*ret_link != NULL)
        return ST_OK;
    TRY(downstream_open(upstream->server, options, &session, err));
    *ret_link = keep(upstream, key, session);
    return ST_OK;
}

void upstream_unlink(struct upstream *upstream, struct link *link)
{
    (void)pthread_mutex_lock(&upstream->lock);
    link->users--;
    link->used_ms = clock_mono_ms();
    (void)pthread_mutex_unlock(&upstream->lock);
}

void upstream_sweep(struct upstream *upstream, int64_t now_ms)
{
    struct link *gone = NULL;

    (void)pthread_mutex_lock(&upstream->lock);
    for (struct link **at = &upstream->links; *at != NULL;) {
        struct link *link = *at;

        if (link->users > 0 || now_ms - link->used_ms < IDLE_MS) {
            at = &link->next;
            continue;
        }
        *at = link->next;
        link->next = gone;
        gone = link;
        upstream->n_links--;
    }
    (void)pthread_mutex_unlock(&upstream->lock);
    while (gone != NULL) {
        struct link *link = gone;

        gone = link->next;
        link_close(link, CLOSE_MS);
    }
}
