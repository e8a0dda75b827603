/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics. A family is a fixed hash of series by their labels; a series, once
 * there, is counted into without a lock. */
#include "svc/metrics.h"

#include "base/clock.h"

#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

enum { METRICS_MAX = 128, HOOKS_MAX = 8, BUCKETS = 256, SERIES_MAX = 4096 };

static const int64_t bounds_us[] = {500,     1000,     2500,     5000,    10000,   25000,
                                    50000,   100000,   250000,   500000,  1000000, 2500000,
                                    5000000, 10000000, 30000000, 60000000};
enum { BOUNDS = ARRAY_SIZE(bounds_us) };

struct series {
    struct series *next; /* in its bucket; never changes once published */
    char *labels;
    atomic_llong value;              /* counter, gauge; histogram: sum in microseconds */
    atomic_llong counts[BOUNDS + 1]; /* histogram: per bucket, the last is beyond all */
};

struct metric {
    enum metric_type type;
    const char *name, *help;
    int64_t (*fn)(void *arg); /* instead of series */
    void *arg;
    bool live; /* fn is called; under calling */
    _Atomic(struct series *) buckets[BUCKETS];
    atomic_int n_series;
};

static struct {
    void (*fn)(void *arg);
    void *arg;
} hooks[HOOKS_MAX];
static atomic_int n_hooks;
static struct metric *metrics[METRICS_MAX];
static atomic_int n_metrics;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t calling = PTHREAD_MUTEX_INITIALIZER; /* a callback runs */

static struct metric *add_metric(const struct metric *like)
{
    struct metric *metric = calloc(1, sizeof(*metric));

    if (!metric)
        abort();
    metric->type = like->type;
    metric->name = like->name;
    metric->help = like->help;
    metric->fn = like->fn;
    metric->arg = like->arg;
    metric->live = like->live;
    pthread_mutex_lock(&lock);
    if (n_metrics == METRICS_MAX)
        abort();
    metrics[n_metrics] = metric;
    n_metrics++;
    pthread_mutex_unlock(&lock);
    return metric;
}

struct metric *metric_new(enum metric_type type, const char *name, const char *help)
{
    return add_metric(&(struct metric){.type = type, .name = name, .help = help});
}

void metric_callback(const char *name, const char *help, int64_t (*fn)(void *arg), void *arg)
{
    (void)add_metric(
        &(struct metric){.name = name, .help = help, .fn = fn, .arg = arg, .live = true});
}

void metric_callbacks_live(const void *arg, bool live)
{
    pthread_mutex_lock(&calling);
    for (int i = 0, n = n_metrics; i < n; i++)
        if (metrics[i]->fn && metrics[i]->arg == arg)
            metrics[i]->live = live;
    pthread_mutex_unlock(&calling);
}

static struct series *find(struct series *series, const char *labels)
{
    while (series && strcmp(series->labels, labels) != 0)
        series = series->next;
    return series;
}

static struct series *add(struct metric *metric, _Atomic(struct series *) *bucket,
                          const char *labels)
{
    struct series *series;

    pthread_mutex_lock(&lock);
    series = find(*bucket, labels);
    if (!series) {
        series = calloc(1, sizeof(*series));
        if (!series)
            abort();
        series->labels = strdup(labels);
        if (!series->labels)
            abort();
        series->next = *bucket;
        *bucket = series;
        metric->n_series++;
    }
    pthread_mutex_unlock(&lock);
    return series;
}

static struct series *series_of(struct metric *metric, const char *labels)
{
    uint32_t hash = 2166136261u;
    struct series *series;

    if (!labels)
        labels = "";
    for (const char *p = labels; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    series = find(metric->buckets[hash % BUCKETS], labels);
    if (series)
        return series;
    /* Labels come from our own tables; this is the net below. */
    if (metric->n_series >= SERIES_MAX)
        return add(metric, &metric->buckets[0], "overflow=\"true\"");
    return add(metric, &metric->buckets[hash % BUCKETS], labels);
}

struct series *metric_series(struct metric *metric, const char *labels)
{
    return series_of(metric, labels);
}

void series_add(struct series *series, int64_t value)
{
    atomic_fetch_add_explicit(&series->value, value, memory_order_relaxed);
}

void series_set(struct series *series, int64_t value)
{
    atomic_store_explicit(&series->value, value, memory_order_relaxed);
}

void metric_add(struct metric *metric, const char *labels, int64_t value)
{
    series_add(series_of(metric, labels), value);
}

void metric_set(struct metric *metric, const char *labels, int64_t value)
{
    series_set(series_of(metric, labels), value);
}

void series_observe_us(struct series *series, int64_t duration_us)
{
    size_t i = 0;

    while (i < BOUNDS && duration_us > bounds_us[i])
        i++;
    atomic_fetch_add_explicit(&series->counts[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&series->value, duration_us, memory_order_relaxed);
}

void metric_observe_us(struct metric *metric, const char *labels, int64_t duration_us)
{
    series_observe_us(series_of(metric, labels), duration_us);
}

static void render_histogram(struct strbuf *out, const struct metric *metric, struct series *series)
{
    const char *comma = *series->labels ? "," : "";
    const char *open = *series->labels ? "{" : "", *close = *series->labels ? "}" : "";
    int64_t total = 0;

    for (size_t i = 0; i <= BOUNDS; i++) {
        total += series->counts[i];
        strbuf_printf(out, "%s_bucket{%s%sle=\"", metric->name, series->labels, comma);
        if (i < BOUNDS)
            strbuf_printf(out, "%g\"} %" PRId64 "\n", (double)bounds_us[i] / 1e6, total);
        else
            strbuf_printf(out, "+Inf\"} %" PRId64 "\n", total);
    }
    strbuf_printf(out, "%s_sum%s%s%s %.6f\n", metric->name, open, series->labels, close,
                  (double)series->value / 1e6);
    strbuf_printf(out, "%s_count%s%s%s %" PRId64 "\n", metric->name, open, series->labels, close,
                  total);
}

static void render_series(struct strbuf *out, const struct metric *metric, struct series *series)
{
    if (metric->type == METRIC_HISTOGRAM)
        render_histogram(out, metric, series);
    else if (*series->labels)
        strbuf_printf(out, "%s{%s} %lld\n", metric->name, series->labels, (long long)series->value);
    else
        strbuf_printf(out, "%s %lld\n", metric->name, (long long)series->value);
}

static void head(struct strbuf *out, const char *name, const char *help, const char *type)
{
    strbuf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void render_callback(struct strbuf *out, struct metric *metric)
{
    int64_t value = 0;
    bool live;

    pthread_mutex_lock(&calling);
    live = metric->live;
    if (live)
        value = metric->fn(metric->arg);
    pthread_mutex_unlock(&calling);
    if (!live)
        return;
    head(out, metric->name, metric->help, "gauge");
    strbuf_printf(out, "%s %" PRId64 "\n", metric->name, value);
}

static void render(struct strbuf *out, struct metric *metric)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};

    if (metric->fn) {
        render_callback(out, metric);
        return;
    }
    head(out, metric->name, metric->help, types[metric->type]);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct series *s = metric->buckets[i]; s; s = s->next)
            render_series(out, metric, s);
}

static int64_t count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int64_t n = -3; /* ".", ".." and the directory itself */

    if (!dir)
        return 0;
    while (readdir(dir))
        n++;
    (void)closedir(dir);
    return n < 0 ? 0 : n;
}

struct process_stat {
    unsigned long user_ticks, system_ticks, virtual_bytes;
    long threads, resident_pages;
    unsigned long long start_ticks;
};

static bool read_stat(struct process_stat *stat)
{
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    size_t n;
    const char *p;

    if (!file)
        return false;
    n = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[n] = '\0';
    p = strrchr(text, ')'); /* the name before may hold anything */
    /* NOLINTNEXTLINE(cert-err34-c): the kernel's numbers */
    return p && sscanf(p + 2,
                       "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %ld "
                       "%*d %llu %lu %ld",
                       &stat->user_ticks, &stat->system_ticks, &stat->threads, &stat->start_ticks,
                       &stat->virtual_bytes, &stat->resident_pages) == 6;
}

static int64_t boot_time_s(void)
{
    struct timespec up;

    (void)clock_gettime(CLOCK_BOOTTIME, &up);
    return clock_wall_ms() / 1000 - up.tv_sec;
}

static void render_process(struct strbuf *out)
{
    long ticks = sysconf(_SC_CLK_TCK);
    struct process_stat stat = {0};
    struct rlimit limit = {0};

    if (!read_stat(&stat))
        return;
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    head(out, "process_cpu_seconds_total", "Processor time used.", "counter");
    strbuf_printf(out, "process_cpu_seconds_total %.2f\n",
                  (double)(stat.user_ticks + stat.system_ticks) / (double)ticks);
    head(out, "process_resident_memory_bytes", "Resident memory.", "gauge");
    strbuf_printf(out, "process_resident_memory_bytes %ld\n",
                  stat.resident_pages * sysconf(_SC_PAGESIZE));
    head(out, "process_virtual_memory_bytes", "Virtual memory.", "gauge");
    strbuf_printf(out, "process_virtual_memory_bytes %lu\n", stat.virtual_bytes);
    head(out, "process_threads", "Threads.", "gauge");
    strbuf_printf(out, "process_threads %ld\n", stat.threads);
    head(out, "process_open_fds", "Open file descriptors.", "gauge");
    strbuf_printf(out, "process_open_fds %" PRId64 "\n", count_descriptors());
    head(out, "process_max_fds", "Most file descriptors the process may open.", "gauge");
    strbuf_printf(out, "process_max_fds %llu\n", (unsigned long long)limit.rlim_cur);
    head(out, "process_start_time_seconds", "Start of the process since 1970.", "gauge");
    strbuf_printf(out, "process_start_time_seconds %lld\n",
                  (long long)boot_time_s() + (long long)(stat.start_ticks / (unsigned long)ticks));
}

void metrics_on_render(void (*fn)(void *arg), void *arg)
{
    pthread_mutex_lock(&lock);
    if (n_hooks == HOOKS_MAX)
        abort();
    hooks[n_hooks].fn = fn;
    hooks[n_hooks].arg = arg;
    n_hooks++;
    pthread_mutex_unlock(&lock);
}

void metrics_render(struct strbuf *out)
{
    int last = n_hooks;

    for (int i = 0; i < last; i++)
        hooks[i].fn(hooks[i].arg);
    int n = n_metrics;

    for (int i = 0; i < n; i++)
        render(out, metrics[i]);
    render_process(out);
}
