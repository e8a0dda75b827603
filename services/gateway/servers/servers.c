/* SPDX-License-Identifier: Apache-2.0 */
/* Following the bucket MAL_MCPS. */
#include "picture.h"

#include "base/clock.h"
#include "base/log.h"
#include "links.h"
#include "notify.h"
#include "streams.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LOAD_MS = 10000 };

struct servers {
    struct gateway *gw;
    struct bus_kv *kv;
    struct bus_kv_watch *watch;
    struct reference_source source;
    struct secret_keys keys;
    struct row *rows;
    unsigned round;
    bool loaded;
    unsigned told;        /* lists that the last entry changed */
    pthread_mutex_t lock; /* of picture and ready */
    pthread_cond_t cond;
    struct picture *picture;
    bool ready;
};

/* ---- the picture -------------------------------------------------------------------- */

/* Lists of the hub's own endpoints that are others now. */
static void tell_changes(struct gateway *gw, const struct picture *old, const struct picture *now)
{
    if (!toolset_same(old->tools, now->tools))
        notifier_tell(gw->notifier, STREAM_TOOLS);
    for (size_t i = 0; i < old->n_virtuals; i++) {
        const char *id = old->virtuals[i].config->id;
        const struct virtual_server *virtual = picture_virtual(now, id);

        if (virtual == NULL || !toolset_same(old->virtuals[i].tools, virtual->tools))
            streams_notify_endpoint(gw->streams, id, STREAM_TOOLS, NULL, 0);
    }
}

static void swap(struct servers *servers)
{
    struct picture *picture = picture_new(servers->gw, servers->rows), *old;

    (void)pthread_mutex_lock(&servers->lock);
    old = servers->picture;
    servers->picture = picture;
    servers->ready = true;
    (void)pthread_cond_broadcast(&servers->cond);
    (void)pthread_mutex_unlock(&servers->lock);
    tell_changes(servers->gw, old, picture);
    picture_unref(old);
}

struct picture *servers_look(struct servers *servers)
{
    struct picture *picture;

    (void)pthread_mutex_lock(&servers->lock);
    picture = picture_ref(servers->picture);
    (void)pthread_mutex_unlock(&servers->lock);
    return picture;
}

/* ---- rows ------------------------------------------------------------------------------ */

static struct row *row_of(struct servers *servers, const char *id)
{
    struct row *row = servers->rows;

    while (row != NULL && strcmp(row->id, id) != 0)
        row = row->next;
    if (row != NULL)
        return row;
    row = calloc(1, sizeof(*row));
    if (row == NULL || (row->id = strdup(id)) == NULL)
        abort();
    row->next = servers->rows;
    servers->rows = row;
    return row;
}

static void set_upstream(struct servers *servers, struct row *row, const McpHealth__Server *next)
{
    const McpHealth__Server *before = row->server != NULL ? row->server->server : NULL;

    if (before != NULL && next != NULL && row->upstream != NULL && upstream_same(before, next))
        return;
    /* Calls that run end on the old way, unless the server is gone. */
    if (next == NULL && row->upstream != NULL && row->upstream->server != NULL)
        downstream_stop(row->upstream->server);
    upstream_unref(TAKE(row->upstream));
    if (next != NULL &&
        next->transport == MCP_HEALTH__SERVER_TRANSPORT__SERVER_TRANSPORT_STREAMABLE_HTTP)
        row->upstream = upstream_new(next, &servers->source);
}

static bool is_active(const McpHealth__Server *server)
{
    return server->status == MCP_HEALTH__SERVER_STATUS__SERVER_STATUS_ACTIVE;
}

static void set_gate(struct servers *servers, struct row *row, const McpHealth__Server *next)
{
    if (row->gate == NULL)
        row->gate = gate_new(servers->gw, row->id);
    gate_allow(row->gate, next->policy != NULL ? next->policy->max_inflight : 0);
    if (row->server != NULL && !is_active(row->server->server) && is_active(next))
        gate_reset(row->gate);
}

static void set_server(struct servers *servers, struct row *row, const void *data, size_t len)
{
    McpHealth__Server *next = data != NULL ? mcp_health__server__unpack(NULL, len, data) : NULL;

    if (data != NULL && next == NULL)
        log_warn("the entry of server %s in MAL_MCPS is damaged", row->id);
    row->server_round = servers->round;
    set_upstream(servers, row, next);
    if (next != NULL)
        set_gate(servers, row, next);
    record_unref(TAKE(row->server));
    if (next != NULL)
        row->server = record_new((struct server_record){.server = next});
}

/* Which lists are no longer what they were. */
static unsigned kinds_changed(const struct definitions *before, const McpHealth__Definitions *next)
{
    static const McpHealth__Definitions none = MCP_HEALTH__DEFINITIONS__INIT;
    const McpHealth__Definitions *old = before != NULL ? before->record : &none;
    unsigned kinds = 0;

    if (next == NULL)
        next = &none;
    if (strcmp(old->tools, next->tools) != 0)
        kinds |= STREAM_TOOLS;
    if (strcmp(old->prompts, next->prompts) != 0)
        kinds |= STREAM_PROMPTS;
    if (strcmp(old->resources, next->resources) != 0 ||
        strcmp(old->resource_templates, next->resource_templates) != 0)
        kinds |= STREAM_RESOURCES;
    return kinds;
}

static void set_definitions(struct servers *servers, struct row *row, const void *data, size_t len)
{
    McpHealth__Definitions *next =
        data != NULL ? mcp_health__definitions__unpack(NULL, len, data) : NULL;

    row->definitions_round = servers->round;
    if (next != NULL && row->definitions != NULL &&
        strcmp(next->hash, row->definitions->record->hash) == 0 &&
        strcmp(next->protocol_version, row->definitions->record->protocol_version) == 0 &&
        strcmp(next->capabilities, row->definitions->record->capabilities) == 0 &&
        strcmp(next->instructions, row->definitions->record->instructions) == 0) {
        mcp_health__definitions__free_unpacked(next, NULL);
        return;
    }
    servers->told |= kinds_changed(row->definitions, next);
    definitions_unref(TAKE(row->definitions));
    if (next != NULL)
        row->definitions = definitions_new(next);
}

static void set_virtual(struct servers *servers, struct row *row, const void *data, size_t len)
{
    McpHealth__Virtual *next = data != NULL ? mcp_health__virtual__unpack(NULL, len, data) : NULL;

    row->virtual_round = servers->round;
    record_unref(TAKE(row->virtual));
    if (next != NULL)
        row->virtual = record_new((struct server_record){.virtual = next});
}

static void set_names(struct servers *servers, struct row *row, const void *data, size_t len)
{
    McpHealth__Names *next = data != NULL ? mcp_health__names__unpack(NULL, len, data) : NULL;

    row->names_round = servers->round;
    record_unref(TAKE(row->names));
    if (next != NULL)
        row->names = record_new((struct server_record){.names = next});
}

/* All present entries were told: what was not among them is gone. */
static void round_over(struct servers *servers)
{
    for (struct row **at = &servers->rows; *at != NULL;) {
        struct row *row = *at;
        unsigned round = servers->round;

        if (row->server != NULL && row->server_round != round)
            set_server(servers, row, NULL, 0);
        if (row->definitions != NULL && row->definitions_round != round)
            set_definitions(servers, row, NULL, 0);
        if (row->virtual != NULL && row->virtual_round != round)
            set_virtual(servers, row, NULL, 0);
        if (row->names != NULL && row->names_round != round)
            set_names(servers, row, NULL, 0);
        if (row->server == NULL && row->definitions == NULL && row->virtual == NULL &&
            row->names == NULL) {
            *at = row->next;
            gate_unref(row->gate);
            free(row->id);
            free(row);
        } else {
            at = &row->next;
        }
    }
    servers->round++;
    servers->loaded = true;
}

static void changed(const char *key, const void *data, size_t len, void *arg)
{
    struct servers *servers = arg;

    if (key == NULL) {
        round_over(servers);
    } else if (strncmp(key, "s.", 2) == 0) {
        set_server(servers, row_of(servers, key + 2), data, len);
    } else if (strncmp(key, "d.", 2) == 0) {
        set_definitions(servers, row_of(servers, key + 2), data, len);
    } else if (strncmp(key, "n.", 2) == 0) {
        set_names(servers, row_of(servers, key + 2), data, len);
    } else if (strncmp(key, "v.", 2) == 0) {
        set_virtual(servers, row_of(servers, key + 2), data, len);
    }
    if (!servers->loaded)
        return;
    swap(servers);
    if (key != NULL && servers->told != 0)
        streams_notify_endpoint(servers->gw->streams, key + 2, servers->told, NULL, 0);
    servers->told = 0;
}

/* ---- life ---------------------------------------------------------------------------------- */

static enum status wait_ready(struct servers *servers, struct error *err)
{
    struct timespec until = clock_in_ms(LOAD_MS);
    int rc = 0;
    bool ready;

    (void)pthread_mutex_lock(&servers->lock);
    while (!servers->ready && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&servers->cond, &servers->lock, &until);
    ready = servers->ready;
    (void)pthread_mutex_unlock(&servers->lock);
    return ready ? ST_OK : error_set(err, ST_UNAVAILABLE, "the bucket MAL_MCPS did not answer");
}

enum status servers_new(struct servers **ret_servers, struct gateway *gw, struct error *err)
{
    struct servers *servers = calloc(1, sizeof(*servers));

    if (servers == NULL)
        abort();
    *ret_servers = servers;
    servers->gw = gw;
    (void)pthread_mutex_init(&servers->lock, NULL);
    (void)pthread_cond_init(&servers->cond, NULL);
    servers->picture = picture_new(servers->gw, servers->rows);
    TRY(secret_keys_read(config.secret_keys, &servers->keys, err));
    servers->source =
        (struct reference_source){.keys = &servers->keys, .env_allow = config.env_allow};
    TRY(bus_kv_open(gw->bus, "MAL_MCPS", 0, &servers->kv, err));
    if (bus_kv_watch(servers->kv, changed, servers, &servers->watch) != ST_OK)
        return error_set(err, ST_UNAVAILABLE, "cannot watch the bucket MAL_MCPS");
    return wait_ready(servers, err);
}

void servers_free(struct servers *servers)
{
    if (servers == NULL)
        return;
    if (servers->watch != NULL)
        bus_kv_watch_stop(servers->watch);
    if (servers->kv != NULL)
        bus_kv_free(servers->kv);
    servers->round++;
    round_over(servers);
    picture_unref(servers->picture);
    (void)pthread_cond_destroy(&servers->cond);
    (void)pthread_mutex_destroy(&servers->lock);
    free(servers);
}

void servers_sweep(struct servers *servers)
{
    struct picture *picture = servers_look(servers);

    links_sweep(servers->gw->links);
    servers_report(servers->gw, picture);
    picture_unref(picture);
}
