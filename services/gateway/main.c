/* SPDX-License-Identifier: Apache-2.0 */
/* mal-gateway: MCP and REST on one listener, everything else over the bus. */
#include "base/ids.h"
#include "base/log.h"
#include "confirm.h"
#include "gate.h"
#include "inflight.h"
#include "keylist.h"
#include "keyring.h"
#include "links.h"
#include "notify.h"
#include "park.h"
#include "ratelimit.h"
#include "secrets.h"
#include "servers.h"
#include "session.h"
#include "streams.h"
#include "svc/process.h"
#include "tools.h"
#include "watching.h"

#include <sodium.h>
#include <stdatomic.h>
#include <string.h>

#define DESCRIPTION "Serves MCP and REST and calls the hub's services over the bus."

enum {
    PACKAGES_MAX = 16,
    AUDIT_CAPACITY = 10000,
    ONCE_TTL_S = 600,
    FLUSH_MS = 5000,
    RETRY_MS = 500
};

static bool is_loopback(const char *bind)
{
    return strncmp(bind, "127.", 4) == 0 || strncmp(bind, "localhost:", 10) == 0 ||
           strncmp(bind, "[::1]", 5) == 0;
}

/* These are called between say_ready and stop only. */

static int64_t count_streams(void *arg)
{
    struct gateway *gw = arg;
    uint64_t streams = 0, in_flight = 0;

    http_server_stats(gw->http, &streams, &in_flight);
    return (int64_t)streams;
}

static int64_t count_sessions(void *arg)
{
    return sessions_count(((struct gateway *)arg)->sessions);
}

static int64_t count_running(void *arg)
{
    return ((struct gateway *)arg)->running;
}

static int64_t count_parked(void *arg)
{
    return parking_count(((struct gateway *)arg)->parking);
}

static int64_t count_dropped(void *arg)
{
    struct gateway *gw = arg;
    uint64_t sent = 0, dropped = 0, waiting = 0;

    bus_event_queue_stats(gw->audit, &sent, &dropped, &waiting);
    return (int64_t)dropped;
}

static int64_t count_waiting(void *arg)
{
    struct gateway *gw = arg;
    uint64_t sent = 0, dropped = 0, waiting = 0;

    bus_event_queue_stats(gw->audit, &sent, &dropped, &waiting);
    return (int64_t)waiting;
}

static void metrics(struct gateway *gw)
{
    invoke_metrics();
    gate_metrics();
    metric_callback("mal_gateway_streams", "Open event streams.", count_streams, gw);
    metric_callback("mal_gateway_sessions", "Legacy MCP sessions.", count_sessions, gw);
    metric_callback("mal_gateway_calls_in_flight", "Calls in progress.", count_running, gw);
    metric_callback("mal_gateway_parked_calls", "Calls that wait for a client's answer.",
                    count_parked, gw);
    metric_callback("mal_gateway_audit_dropped", "Audit events lost because the bus was away.",
                    count_dropped, gw);
    metric_callback("mal_gateway_audit_waiting", "Audit events that the bus has yet to take.",
                    count_waiting, gw);
    metric_callbacks_live(gw, false);
}

static enum status check_exposure(struct gateway *gw, struct error *err)
{
    if (gw->loopback)
        return ST_OK;
    if (keyring_empty(gw->keys))
        return error_set(err, ST_FAILED_PRECONDITION,
                         "There is no API key, so the gateway does not listen on %s. Make one with "
                         "`mal keys add NAME`, or set MAL_API_KEYS, or listen on 127.0.0.1.",
                         config.bind);
    return ST_OK;
}

/* The gateway serves nothing on the bus, but whoever lists it sees its copies. */
static const struct bus_service listed_as = {
    .name = "gateway",
    .version = MAL_VERSION,
    .description = DESCRIPTION,
};

/* Calls that are answered and not yet in the stream. */
static enum status open_audit(struct gateway *gw, struct error *err)
{
    CLEANUP(strbuf_done) struct strbuf dir = STRBUF_INIT;

    TRY(bus_event_queue_new(gw->bus, AUDIT_CAPACITY, &gw->audit));
    bus_event_queue_share(gw->audit, true);
    strbuf_str(&dir, config.spool_dir);
    if (dir.len == 0 && *config.data_dir != '\0')
        strbuf_printf(&dir, "%s/spool", config.data_dir);
    return dir.len > 0 ? bus_event_queue_keep(gw->audit, strbuf_cstr(&dir), err) : ST_OK;
}

static enum status start(struct gateway *gw, struct error *err)
{
    const struct http_options options = {.bind = config.bind, .handler = route, .arg = gw};
    struct package packages[PACKAGES_MAX];
    struct http_server *http;
    struct bus_kv *once;

    token_hex(gw->instance);
    TRY(bus_setup(gw->bus, err));
    TRY(secrets_load(gw->secrets, gw->bus, err));
    TRY(keyring_new(&gw->keys, gw->bus, gw->secrets->pepper, err));
    TRY(check_exposure(gw, err));
    gw->limits = limits_new(config.rate_limit, config.failure_limit);
    gw->tools = tools_new(packages, packages_all(packages, PACKAGES_MAX), config.confirm_tools);
    gw->streams = streams_new(gw);
    TRY(sessions_new(&gw->sessions, gw, err));
    TRY(inflight_new(&gw->inflight, gw, err));
    TRY(bus_kv_open(gw->bus, "MAL_ONCE", ONCE_TTL_S, &once, err));
    gw->once = once;
    TRY(open_audit(gw, err));
    TRY(servers_new(&gw->servers, gw, err));
    TRY(parking_new(&gw->parking, gw, err));
    TRY(links_new(&gw->links, gw, err));
    TRY(watching_new(&gw->watching, gw, err));
    TRY(notifier_new(&gw->notifier, gw, err));
    TRY(bus_serve(gw->bus, &listed_as, &gw->listed, err));
    TRY(http_server_start(&http, &options, err));
    gw->http = http;
    return ST_OK;
}

/* Undoes whatever start did. */
static void stop(struct gateway *gw)
{
    gw->stopping = true;
    metric_callbacks_live(gw, false);
    if (gw->streams != NULL)
        streams_end_all(gw->streams);
    http_server_stop(atomic_exchange(&gw->http, NULL));
    bus_server_free(TAKE(gw->listed));
    notifier_stop(gw->notifier);
    watching_stop(gw->watching);
    parking_free(TAKE(gw->parking));
    inflight_free(TAKE(gw->inflight));
    links_stop(gw->links);
    servers_free(TAKE(gw->servers));
    sessions_free(TAKE(gw->sessions));
    /* Those two told them what they saw until now. */
    links_free(TAKE(gw->links));
    notifier_free(TAKE(gw->notifier));
    streams_free(TAKE(gw->streams));
    watching_free(TAKE(gw->watching));
    if (gw->audit != NULL)
        bus_event_queue_free(TAKE(gw->audit), FLUSH_MS);
    if (gw->once != NULL)
        bus_kv_free(TAKE(gw->once));
    keyring_free(TAKE(gw->keys));
    tools_free(TAKE(gw->tools));
    limits_free(TAKE(gw->limits));
    gw->stopping = false;
}

/* The bus may be there before its streams are: tries again then. */
static bool started(struct process *process, struct gateway *gw)
{
    struct error err = {0};
    enum status status;

    while ((status = start(gw, &err)) != ST_OK) {
        stop(gw);
        if (status != ST_UNAVAILABLE && status != ST_DEADLINE_EXCEEDED) {
            process_fail(process, &err);
            return false;
        }
        log_warn("not ready to start: %s", err.message);
        error_clear(&err);
        if (process_stopped(process, RETRY_MS))
            return false;
    }
    return true;
}

/* A setting that cannot be read is told at once, not when the bus is there. */
static bool keys_readable(struct process *process)
{
    CLEANUP(arena_done) struct arena arena;
    const struct listed_key *keys;
    struct secret_keys secrets;
    struct error err = {0};
    size_t n;

    arena_init(&arena);
    if (keylist_parse(&arena, config.api_keys, &keys, &n, &err) == ST_OK &&
        secret_keys_read(config.secret_keys, &secrets, &err) == ST_OK)
        return true;
    process_fail(process, &err);
    return false;
}

static void say_ready(struct process *process, struct gateway *gw)
{
    CLEANUP(strbuf_done) struct strbuf fields = STRBUF_INIT;
    const char *colon = strrchr(config.bind, ':');
    int host_len = colon != NULL ? (int)(colon - config.bind) : (int)strlen(config.bind);

    metric_callbacks_live(gw, true);
    strbuf_printf(&fields, "url=http://%.*s:%d", host_len, config.bind, http_server_port(gw->http));
    process_ready(process, fields.data);
}

int main(int argc, char **argv)
{
    const struct setting *const tables[] = {gateway_settings, http_settings, NULL};
    const struct process_options options = {
        .name = "gateway",
        .description = DESCRIPTION,
        .tables = tables,
    };
    static struct gateway gw;
    static struct secrets secrets;
    struct process process;
    int code;

    if (sodium_init() < 0)
        return 1;
    if (!process_init(&process, &options, argc, argv, &code))
        return code;
    gw.secrets = &secrets;
    gw.loopback = is_loopback(config.bind);
    metrics(&gw);
    if (process_start(&process) && keys_readable(&process) && process_connect(&process)) {
        gw.bus = process.bus;
        if (started(&process, &gw)) {
            say_ready(&process, &gw);
            process_wait(&process);
            stop(&gw);
        }
    }
    return process_done(&process);
}
