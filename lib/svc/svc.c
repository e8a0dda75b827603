/* SPDX-License-Identifier: Apache-2.0 */
/* main() of a service: everything in the right order, and back again. */
#include "svc/internal.h"

#include "base/log.h"

enum { RETRY_FIRST_MS = 100, RETRY_LAST_MS = 2000, STOP_TIMEOUT_MS = 30000 };

static const char *pg_url;
static int64_t workers, statement_timeout_ms;
static const struct svc *running; /* one service a process, for pg_open */
static char schema[64];           /* its name, as an identifier in SQL */

static const struct setting svc_settings[] = {
    {.env = "MAL_PG_URL",
     .type = SETTING_STRING,
     .fallback = "postgresql:///mal",
     .help = "Connection string of the Postgres database.",
     .target = &pg_url,
     .secret = true},
    {.env = "MAL_WORKERS",
     .type = SETTING_INT,
     .fallback = "4",
     .help = "Threads that answer requests, each with its own database connection.",
     .target = &workers,
     .min = 1,
     .max = 64},
    {.env = "MAL_STATEMENT_TIMEOUT_MS",
     .type = SETTING_INT,
     .fallback = "30000",
     .help = "Longest time in milliseconds one statement may run where the caller sets no "
             "shorter deadline.",
     .target = &statement_timeout_ms,
     .min = 100,
     .max = 600000},
    {0},
};

enum status service_pg_open(const struct svc *svc, const char *purpose, struct pg_conn **ret_conn,
                            struct error *err)
{
    char app[64];

    (void)snprintf(app, sizeof(app), "mal-%s %s", svc->name, purpose);
    return pg_conn_new(ret_conn,
                       &(struct pg_options){.url = pg_url,
                                            .schema = schema,
                                            .app = app,
                                            .statement_timeout_ms = statement_timeout_ms},
                       err);
}

static enum status pg_open(struct pg_conn **ret_conn, struct error *err)
{
    return service_pg_open(running, "background", ret_conn, err);
}

static bool database_ready(void *arg, struct strbuf *why)
{
    struct service *service = arg;
    enum status status;

    pthread_mutex_lock(&service->lock);
    status = pg_conn_check(service->admin, NULL);
    pthread_mutex_unlock(&service->lock);
    if (status != ST_OK)
        strbuf_str(why, "not reachable");
    return status == ST_OK;
}

static int64_t metric_pg_up(void *arg)
{
    struct pg_stats stats;

    (void)arg;
    pg_stats(&stats);
    return stats.up;
}

static int64_t metric_pg_lost(void *arg)
{
    struct pg_stats stats;

    (void)arg;
    pg_stats(&stats);
    return stats.lost;
}

static int64_t metric_pg_connections(void *arg)
{
    struct pg_stats stats;

    (void)arg;
    pg_stats(&stats);
    return stats.connections;
}

static int64_t metric_outbox(void *arg)
{
    struct service *service = arg;
    int64_t n;

    pthread_mutex_lock(&service->lock);
    n = outbox_waiting(service->admin);
    pthread_mutex_unlock(&service->lock);
    return n;
}

static int64_t metric_calls_waiting(void *arg)
{
    struct service *service = arg;
    int64_t n;

    pthread_mutex_lock(&service->lock);
    n = service->server ? (int64_t)bus_server_waiting(service->server) : 0;
    pthread_mutex_unlock(&service->lock);
    return n;
}

static void add_metrics(struct service *service)
{
    dispatch_init();
    metric_callback("mal_pg_connections", "Database connections the process keeps.",
                    metric_pg_connections, NULL);
    metric_callback("mal_pg_connections_up", "Database connections that stand.", metric_pg_up,
                    NULL);
    metric_callback("mal_pg_connections_lost", "Database connections lost since the start.",
                    metric_pg_lost, NULL);
    metric_callback("mal_outbox_waiting", "Events not yet published; -1 while unknown.",
                    metric_outbox, service);
    metric_callback("mal_calls_waiting", "Calls that wait for a worker.", metric_calls_waiting,
                    service);
}

/* Repeats a step while it fails for want of a server; false when it failed for
 * good or the process is to stop. */
static bool until_done(struct service *service, const char *what,
                       enum status (*step)(struct service *, struct error *))
{
    int wait_ms = RETRY_FIRST_MS;

    for (;;) {
        struct error err = {0};
        enum status status = step(service, &err);

        if (status == ST_OK)
            return true;
        if (!status_retryable(status)) {
            process_fail(&service->process, &err);
            return false;
        }
        if (wait_ms == RETRY_FIRST_MS)
            log_warn("%s: %s; trying on", what, err.message);
        if (process_stopped(&service->process, wait_ms))
            return false;
        wait_ms = wait_ms < RETRY_LAST_MS / 2 ? 2 * wait_ms : RETRY_LAST_MS;
    }
}

static enum status step_migrate(struct service *service, struct error *err)
{
    const struct svc *svc = service->svc;
    enum status status;

    pthread_mutex_lock(&service->lock);
    status = pg_migrate(service->admin, schema, svc->migrations, svc->n_migrations, err);
    pthread_mutex_unlock(&service->lock);
    return status;
}

static enum status step_setup(struct service *service, struct error *err)
{
    return bus_setup(service->context.bus, err);
}

static enum status step_start(struct service *service, struct error *err)
{
    if (service->svc->start)
        TRY(service->svc->start(&service->context, err));
    service->started = true;
    return ST_OK;
}

static enum status step_serve(struct service *service, struct error *err)
{
    struct bus_server *server = NULL;

    TRY(dispatch_start(service, (int)workers + service->context.extra_workers, &server, err));
    pthread_mutex_lock(&service->lock);
    service->server = server;
    pthread_mutex_unlock(&service->lock);
    return ST_OK;
}

static enum status start_relay(struct service *service, struct error *err)
{
    struct pg_conn *conn;

    TRY(service_pg_open(service->svc, "relay", &conn, err));
    return relay_new(&service->relay, schema, conn, service->context.bus, err);
}

static bool start(struct service *service)
{
    if (!process_start(&service->process) || !until_done(service, "database", step_migrate) ||
        !process_connect(&service->process))
        return false;
    service->context.bus = service->process.bus;
    service->context.pg_open = pg_open;
    return until_done(service, "streams", step_setup) &&
           until_done(service, "relay", start_relay) && until_done(service, "start", step_start) &&
           until_done(service, "serving", step_serve);
}

static void stop(struct service *service)
{
    if (service->server)
        bus_server_stop(service->server, STOP_TIMEOUT_MS);
    if (service->svc->stop && service->started)
        service->svc->stop(&service->context);
    pthread_mutex_lock(&service->lock);
    bus_server_free(service->server);
    service->server = NULL;
    pthread_mutex_unlock(&service->lock);
    relay_free(service->relay);
}

static bool service_init(struct service *service)
{
    struct error err = {0};

    pthread_mutex_init(&service->lock, NULL);
    if (service_pg_open(service->svc, "admin", &service->admin, &err) != ST_OK) {
        process_fail(&service->process, &err);
        return false;
    }
    add_metrics(service);
    process_check(&service->process, "database", database_ready, service);
    return true;
}

int svc_main(int argc, char **argv, const struct svc *svc)
{
    const struct setting *const tables[] = {svc_settings, svc->settings, NULL};
    struct service service = {.svc = svc};
    int code;

    running = svc;
    (void)snprintf(schema, sizeof(schema), "%s", svc->name);
    for (char *p = schema; *p; p++)
        if (*p == '-')
            *p = '_';
    if (!process_init(&service.process,
                      &(struct process_options){
                          .name = svc->name, .description = svc->description, .tables = tables},
                      argc, argv, &code))
        return code;
    if (service_init(&service) && start(&service)) {
        process_ready(&service.process, NULL);
        process_wait(&service.process);
    }
    stop(&service);
    code = process_done(&service.process);
    pg_conn_free(service.admin);
    free(service.tallies);
    pthread_mutex_destroy(&service.lock);
    return code;
}
