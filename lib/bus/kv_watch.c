/* SPDX-License-Identifier: Apache-2.0 */
/* Watching a bucket: all entries, then every change. */
#include "kv.h"

enum { BATCH = 256, IDLE_S = 60, RETRY_MS = 250 };

struct bus_kv_watch {
    struct pull pull;
    struct pause pause;
    struct bus_kv kv;
    void (*fn)(const char *key, const void *data, size_t len, void *arg);
    void *arg;
    uint64_t expected; /* the consumer's next sequence */
    uint64_t pending;  /* entries until all were shown */
    bool shown;
    pthread_t thread;
};

static enum status ensure(struct bus_kv_watch *watch)
{
    char filter[KV_SUBJECT_SIZE];
    jsConsumerConfig config;
    jsConsumerInfo *info = NULL;

    (void)snprintf(filter, sizeof(filter), "%s>", watch->kv.prefix);
    jsConsumerConfig_Init(&config);
    config.FilterSubject = filter;
    config.AckPolicy = js_AckNone;
    config.MemoryStorage = true;
    config.InactiveThreshold = IDLE_S * 1000000000LL;
    config.DeliverPolicy = js_DeliverLastPerSubject;
    TRY(bus_pull_ensure(&watch->pull, &config, &info));
    watch->expected = 1;
    watch->pending = info->NumPending;
    watch->shown = false;
    jsConsumerInfo_Destroy(info);
    return ST_OK;
}

static void show_end(struct bus_kv_watch *watch)
{
    if (watch->shown || watch->pending > 0)
        return;
    watch->shown = true;
    watch->fn(NULL, NULL, 0, watch->arg);
}

static void show(struct bus_kv_watch *watch, natsMsg *msg)
{
    const char *subject = natsMsg_GetSubject(msg);
    size_t prefix = strlen(watch->kv.prefix);
    bool deleted = bus_kv_deleted(msg);

    if (strncmp(subject, watch->kv.prefix, prefix) != 0)
        return;
    /* What was deleted before we looked is of no interest, except after an
     * outage: whoever watches may still know the key. */
    const char *data = natsMsg_GetData(msg);
    watch->fn(subject + prefix, deleted ? NULL : (data ? data : ""),
              deleted ? 0 : (size_t)natsMsg_GetDataLength(msg), watch->arg);
}

static void read_changes(struct bus_kv_watch *watch)
{
    show_end(watch);
    while (!bus_pause_stopped(&watch->pause)) {
        natsMsg *msg = NULL;
        struct jet_position position;
        enum status status = bus_pull_next(&watch->pull, 1000, &msg, &position);

        if (status == ST_DEADLINE_EXCEEDED)
            continue;
        if (status != ST_OK)
            return;
        bool hole = position.consumer_seq != watch->expected++;
        if (!hole) {
            show(watch, msg);
            if (watch->pending > 0)
                watch->pending--;
            /* Entries may have been replaced while we read the first ones. */
            if (position.pending == 0)
                watch->pending = 0;
            show_end(watch);
        }
        natsMsg_Destroy(msg);
        if (hole)
            return;
    }
}

static void *run_watch(void *arg)
{
    struct bus_kv_watch *watch = arg;
    bool ready = true; /* bus_kv_watch did it */

    while (!bus_pause_until_up(&watch->pause, watch->pull.bus)) {
        if (!ready) {
            bus_pull_delete(&watch->pull);
            if (ensure(watch) != ST_OK) {
                bus_pause_ms(&watch->pause, RETRY_MS);
                continue;
            }
        }
        read_changes(watch);
        bus_inbox_discard(watch->pull.inbox);
        ready = false;
    }
    bus_pull_delete(&watch->pull);
    return NULL;
}

static void watch_free(struct bus_kv_watch *watch)
{
    bus_pull_done(&watch->pull);
    bus_pause_done(&watch->pause);
    free(watch);
}

enum status bus_kv_watch(struct bus_kv *kv,
                         void (*fn)(const char *key, const void *data, size_t len, void *arg),
                         void *arg, struct bus_kv_watch **ret_watch)
{
    struct bus_kv_watch *watch = calloc(1, sizeof(*watch));

    if (!watch)
        abort();
    watch->kv = *kv;
    watch->fn = fn;
    watch->arg = arg;
    bus_pause_init(&watch->pause);
    bus_pull_init(&watch->pull, kv->bus, watch->kv.stream, BATCH);
    enum status status = ensure(watch);
    if (status == ST_OK && pthread_create(&watch->thread, NULL, run_watch, watch) != 0)
        status = ST_RESOURCE_EXHAUSTED;
    if (status != ST_OK) {
        watch_free(watch);
        return status;
    }
    *ret_watch = watch;
    return ST_OK;
}

void bus_kv_watch_stop(struct bus_kv_watch *watch)
{
    if (!watch)
        return;
    bus_pause_stop(&watch->pause);
    bus_pull_stop(&watch->pull);
    pthread_join(watch->thread, NULL);
    watch_free(watch);
}
