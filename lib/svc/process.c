/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of every process. */
#include "svc/process.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "http/http.h"
#include "svc/admin.h"

#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>

enum {
    RETRY_FIRST_MS = 100,
    RETRY_LAST_MS = 2000,
    CONNECT_MS = 500,
    BUS_DRAIN_MS = 5000,
    LOOK_MS = 1000
};

static const char *nats_url, *nats_user, *nats_password, *admin_bind, *log_level;

static const struct setting process_settings[] = {
    {.env = "MAL_NATS_URL",
     .type = SETTING_STRING,
     .fallback = "nats://127.0.0.1:4222",
     .help = "Where the NATS server listens; several are joined by commas.",
     .target = &nats_url},
    {.env = "MAL_NATS_USER",
     .type = SETTING_STRING,
     .fallback = "",
     .help = "NATS user of this process; empty for none.",
     .target = &nats_user},
    {.env = "MAL_NATS_PASSWORD",
     .type = SETTING_STRING,
     .fallback = "",
     .help = "Password of the NATS user.",
     .target = &nats_password,
     .secret = true},
    {.env = "MAL_ADMIN_BIND",
     .type = SETTING_STRING,
     .fallback = "127.0.0.1:0",
     .help = "Address and port of /healthz, /readyz and /metrics; port 0 takes a free one, "
             "which the log names.",
     .target = &admin_bind},
    {.env = "MAL_LOG_LEVEL",
     .type = SETTING_STRING,
     .fallback = "info",
     .help = "Least level that is logged: debug, info, warn or error.",
     .target = &log_level},
    {0},
};

static void print_help(const struct process *process)
{
    (void)printf("usage: mal-%s [--help] [--version] [--print-config[=markdown]]\n\n%s\n\n"
                 "Settings come from the environment:\n\n",
                 process->name, process->description ? process->description : "");
    for (const struct setting *const *table = process->tables; *table; table++)
        for (const struct setting *s = *table; s->env; s++)
            (void)printf("  %s (default: %s)\n      %s\n", s->env,
                         *s->fallback ? s->fallback : "empty", s->help);
}

static void print_config(const struct process *process,
                         void (*print)(const struct setting *const *, struct strbuf *))
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

    print(process->tables, &out);
    (void)fputs(strbuf_cstr(&out), stdout);
}

/* True when the flag was all that was wanted. */
static bool run_flag(const struct process *process, int argc, char **argv, int *ret_code)
{
    *ret_code = 0;
    if (argc < 2)
        return false;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        print_help(process);
    } else if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        (void)printf("mal-%s %s\n", process->name, MAL_VERSION);
    } else if (argc == 2 && strcmp(argv[1], "--print-config") == 0) {
        print_config(process, settings_print);
    } else if (argc == 2 && strcmp(argv[1], "--print-config=markdown") == 0) {
        print_config(process, settings_markdown);
    } else {
        (void)fprintf(stderr, "mal-%s: unknown argument '%s'; see --help\n", process->name,
                      argv[1]);
        *ret_code = 2;
    }
    return true;
}

static bool load_settings(struct process *process)
{
    enum log_level level = LOG_INFO;
    struct error err = {0};

    if (settings_load(process->tables, NULL, &err) != ST_OK) {
        (void)fprintf(stderr, "mal-%s: %s", process->name, err.message);
        return false;
    }
    if (!log_level_parse(log_level, &level)) {
        (void)fprintf(stderr, "mal-%s: MAL_LOG_LEVEL: must be debug, info, warn or error\n",
                      process->name);
        return false;
    }
    log_init(process->name, level);
    return true;
}

/* Threads inherit the mask, so that signals wait for process_wait. */
static void set_signals(struct process *process)
{
    sigemptyset(&process->signals);
    sigaddset(&process->signals, SIGTERM);
    sigaddset(&process->signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &process->signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warn("the limit of file descriptors could not be raised: %s", strerrordesc_np(errno));
}

static int64_t metric_bus_up(void *arg)
{
    struct process *process = arg;
    struct bus *bus = process->bus_seen;

    return bus && bus_up(bus);
}

static struct {
    struct metric *messages, *bytes, *reconnects, *slow, *requests;
} of_bus;

static void add_bus_metrics(void)
{
    of_bus.messages = metric_new(METRIC_COUNTER, "mal_bus_messages_total", "NATS messages.");
    of_bus.bytes = metric_new(METRIC_COUNTER, "mal_bus_bytes_total", "Bytes of NATS messages.");
    of_bus.reconnects = metric_new(METRIC_COUNTER, "mal_bus_reconnects_total",
                                   "Times the NATS connection was made anew.");
    of_bus.slow = metric_new(METRIC_COUNTER, "mal_bus_slow_total",
                             "Times a subscription lost messages because it was too slow.");
    of_bus.requests = metric_new(METRIC_GAUGE, "mal_bus_requests_in_flight",
                                 "Requests of this process that wait for an answer.");
}

static void read_bus_metrics(void *arg)
{
    struct process *process = arg;
    struct bus *bus = process->bus_seen;
    struct bus_stats stats = {0};

    if (bus)
        bus_stats(bus, &stats);
    metric_set(of_bus.messages, "direction=\"in\"", (int64_t)stats.in_messages);
    metric_set(of_bus.messages, "direction=\"out\"", (int64_t)stats.out_messages);
    metric_set(of_bus.bytes, "direction=\"in\"", (int64_t)stats.in_bytes);
    metric_set(of_bus.bytes, "direction=\"out\"", (int64_t)stats.out_bytes);
    metric_set(of_bus.reconnects, NULL, (int64_t)stats.reconnects);
    metric_set(of_bus.slow, NULL, (int64_t)stats.slow);
    metric_set(of_bus.requests, NULL, stats.in_flight);
}

static int64_t metric_ready(void *arg)
{
    struct process *process = arg;

    return process_is_ready(process, NULL);
}

static void add_metrics(struct process *process)
{
    static char labels[128];

    (void)snprintf(labels, sizeof(labels), "service=\"%s\",version=\"%s\"", process->name,
                   MAL_VERSION);
    metric_set(metric_new(METRIC_GAUGE, "mal_build_info", "What runs; always 1."), labels, 1);
    metric_callback("mal_ready", "Whether the process can serve.", metric_ready, process);
    metric_callback("mal_bus_up", "Whether the NATS connection stands.", metric_bus_up, process);
    add_bus_metrics();
    metrics_on_render(read_bus_metrics, process);
}

bool process_init(struct process *process, const struct process_options *options, int argc,
                  char **argv, int *ret_code)
{
    size_t n = 0;

    *process = (struct process){.name = options->name, .description = options->description};
    for (; options->tables && options->tables[n]; n++) {
        if (n == PROCESS_TABLES_MAX - 1)
            abort();
        process->tables[n] = options->tables[n];
    }
    process->tables[n] = process_settings;
    if (run_flag(process, argc, argv, ret_code))
        return false;
    if (!load_settings(process)) {
        *ret_code = 2;
        return false;
    }
    pthread_mutex_init(&process->lock, NULL);
    set_signals(process);
    raise_descriptor_limit();
    add_metrics(process);
    return true;
}

void process_check(struct process *process, const char *name,
                   bool (*fn)(void *arg, struct strbuf *why), void *arg)
{
    int n = process->n_checks;

    if (n == PROCESS_CHECKS_MAX)
        abort();
    process->checks[n] = (struct process_check){.name = name, .fn = fn, .arg = arg};
    process->n_checks = n + 1;
}

bool process_is_ready(struct process *process, struct strbuf *why)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
    struct bus *bus = process->bus_seen;

    if (process->stopping)
        strbuf_str(&text, "stopping\n");
    else if (!process->ready)
        strbuf_str(&text, "starting\n");
    if (!bus || !bus_up(bus))
        strbuf_str(&text, "bus: not connected\n");
    pthread_mutex_lock(&process->lock);
    for (int i = 0; i < process->n_checks; i++) {
        CLEANUP(strbuf_done) struct strbuf one = STRBUF_INIT;

        if (!process->checks[i].fn(process->checks[i].arg, &one))
            strbuf_printf(&text, "%s: %s\n", process->checks[i].name, strbuf_cstr(&one));
    }
    pthread_mutex_unlock(&process->lock);
    if (why)
        strbuf_str(why, strbuf_cstr(&text));
    return text.len == 0;
}

bool process_start(struct process *process)
{
    struct error err = {0};
    const char *colon = strrchr(admin_bind, ':');
    char fields[sizeof(process->admin_bind) + 8];

    if (admin_start(process, admin_bind, &err) != ST_OK) {
        process_fail(process, &err);
        return false;
    }
    process->admin_port = http_server_port(process->admin);
    (void)snprintf(process->admin_bind, sizeof(process->admin_bind), "%.*s:%d",
                   colon ? (int)(colon - admin_bind) : 0, admin_bind, process->admin_port);
    (void)snprintf(fields, sizeof(fields), "admin=%s", process->admin_bind);
    log_fields(LOG_INFO, fields, "listening");
    return true;
}

bool process_connect(struct process *process)
{
    char name[64];
    struct bus_options options = {.url = nats_url, .name = name, .connect_ms = CONNECT_MS};
    int wait_ms = RETRY_FIRST_MS;

    (void)snprintf(name, sizeof(name), "mal-%s", process->name);
    if (*nats_user) {
        options.user = nats_user;
        options.password = nats_password;
    }
    for (;;) {
        struct error err = {0};
        enum status status = bus_new(&process->bus, &options, &err);

        if (status == ST_OK) {
            process->bus_seen = process->bus;
            return true;
        }
        if (wait_ms == RETRY_FIRST_MS)
            log_warn("bus: %s; trying on", err.message);
        if (status != ST_UNAVAILABLE && status != ST_DEADLINE_EXCEEDED) {
            process_fail(process, &err);
            return false;
        }
        if (process_stopped(process, wait_ms))
            return false;
        wait_ms = wait_ms < RETRY_LAST_MS / 2 ? 2 * wait_ms : RETRY_LAST_MS;
    }
}

void process_ready(struct process *process, const char *fields)
{
    CLEANUP(strbuf_done) struct strbuf line = STRBUF_INIT;

    memory_give_back();
    process->ready = true;
    strbuf_printf(&line, "admin=%s", process->admin_bind);
    if (fields && *fields)
        strbuf_printf(&line, " %s", fields);
    log_fields(LOG_INFO, strbuf_cstr(&line), "ready");
}

static void begin_stop(struct process *process)
{
    process->stopping = true;
    log_info("stopping");
    pthread_sigmask(SIG_UNBLOCK, &process->signals, NULL);
}

/* A supervisor starts the process anew, with new settings perhaps. */
static bool refused_for_good(struct process *process)
{
    if (!process->bus || !bus_closed(process->bus))
        return false;
    log_error("bus: NATS refused this process for good");
    process->exit_code = 1;
    begin_stop(process);
    return true;
}

void process_wait(struct process *process)
{
    while (!process_stopped(process, LOOK_MS) && !refused_for_good(process))
        ;
}

bool process_stopped(struct process *process, int timeout_ms)
{
    int64_t deadline_ms = clock_mono_ms() + timeout_ms;

    while (!process->stopping) {
        int64_t left = deadline_ms - clock_mono_ms();
        struct timespec time = {0};

        if (left > 0)
            time = (struct timespec){left / 1000, left % 1000 * 1000000};
        if (sigtimedwait(&process->signals, NULL, &time) > 0)
            begin_stop(process);
        else if (errno != EINTR)
            return false;
    }
    return true;
}

void process_fail(struct process *process, const struct error *err)
{
    log_error("%s", err->message);
    process->exit_code = 1;
}

int process_done(struct process *process)
{
    int code = process->exit_code;

    process->stopping = true;
    http_server_stop(process->admin);
    process->admin = NULL;
    process->bus_seen = NULL;
    if (process->bus) {
        bus_drain(process->bus, BUS_DRAIN_MS);
        bus_free(process->bus);
        process->bus = NULL;
    }
    pthread_mutex_destroy(&process->lock);
    if (code == 0)
        log_info("stopped");
    return code;
}
