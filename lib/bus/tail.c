/* SPDX-License-Identifier: Apache-2.0 */
/* Live tails: an ephemeral consumer from now on, made again after each trouble
 * where it had got to. */
#include "internal.h"

#include "base/log.h"

enum { BATCH = 256, IDLE_S = 60, RETRY_MS = 250 };

struct bus_tail {
    struct pull pull;
    struct pause pause;
    char filter[BUS_SUBJECT_SIZE];
    void (*fn)(const struct bus_event *event, void *arg);
    void *arg;
    uint64_t last;     /* stream sequence of the last event, or of the start */
    uint64_t expected; /* the consumer's next sequence */
    bool started;
    struct bus_event events[1 + BUS_RIDERS_MAX]; /* of the message at hand */
    pthread_t thread;
};

static enum status ensure(struct bus_tail *tail)
{
    jsConsumerConfig config;
    jsConsumerInfo *info = NULL;

    jsConsumerConfig_Init(&config);
    config.FilterSubject = tail->filter;
    config.AckPolicy = js_AckNone;
    config.MemoryStorage = true;
    config.InactiveThreshold = IDLE_S * 1000000000LL;
    config.DeliverPolicy = js_DeliverNew;
    if (tail->started) {
        config.DeliverPolicy = js_DeliverByStartSequence;
        config.OptStartSeq = tail->last + 1;
    }
    TRY(bus_pull_ensure(&tail->pull, &config, &info));
    if (!tail->started)
        tail->last = info->Delivered.Stream;
    tail->started = true;
    tail->expected = 1;
    jsConsumerInfo_Destroy(info);
    return ST_OK;
}

/* The stream was made anew with fewer events than we have seen, or those after
 * the last one are gone. */
static enum status check_gap(struct bus_tail *tail)
{
    jsStreamInfo *info = NULL;
    jsErrCode code;
    jsOptions options;

    jsOptions_Init(&options);
    options.Wait = BUS_API_MS;
    TRY(bus_status(
        js_GetStreamInfo(&info, tail->pull.bus->js, tail->pull.stream, &options, &code)));
    bool anew = info->State.LastSeq < tail->last;
    bool gone = info->State.FirstSeq > tail->last + 1;
    uint64_t last = anew ? info->State.LastSeq : info->State.FirstSeq - 1;
    jsStreamInfo_Destroy(info);
    if (anew || gone) {
        tail->last = last;
        tail->fn(NULL, tail->arg);
    }
    return ST_OK;
}

static void read_events(struct bus_tail *tail)
{
    while (!bus_pause_stopped(&tail->pause)) {
        natsMsg *msg = NULL;
        struct jet_position position;
        enum status status = bus_pull_next(&tail->pull, 1000, &msg, &position);

        if (status == ST_DEADLINE_EXCEEDED)
            continue;
        if (status != ST_OK)
            return;
        /* A hole: cnats dropped some because we were too slow. */
        bool hole = position.consumer_seq != tail->expected;
        if (!hole) {
            tail->expected++;
            tail->last = position.stream_seq;
            size_t n = bus_events_read(msg, &position, tail->events);
            for (size_t i = 0; i < n; i++)
                tail->fn(&tail->events[i], tail->arg);
        }
        natsMsg_Destroy(msg);
        if (hole)
            return;
    }
}

static void *run_tail(void *arg)
{
    struct bus_tail *tail = arg;
    bool ready = true; /* bus_tail did it */

    while (!bus_pause_until_up(&tail->pause, tail->pull.bus)) {
        if (!ready) {
            bus_pull_delete(&tail->pull);
            if (check_gap(tail) != ST_OK || ensure(tail) != ST_OK) {
                bus_pause_ms(&tail->pause, RETRY_MS);
                continue;
            }
        }
        read_events(tail);
        bus_inbox_discard(tail->pull.inbox); /* what is left on it comes again */
        ready = false;
    }
    bus_pull_delete(&tail->pull);
    return NULL;
}

static void tail_free(struct bus_tail *tail)
{
    bus_pull_done(&tail->pull);
    bus_pause_done(&tail->pause);
    free(tail);
}

enum status bus_tail(struct bus *bus, const char *filter,
                     void (*fn)(const struct bus_event *event, void *arg), void *arg,
                     struct bus_tail **ret_tail)
{
    struct bus_tail *tail = calloc(1, sizeof(*tail));

    if (!tail)
        abort();
    tail->fn = fn;
    tail->arg = arg;
    (void)snprintf(tail->filter, sizeof(tail->filter), "%s", filter);
    bus_pause_init(&tail->pause);
    bus_pull_init(&tail->pull, bus, "MAL_EVT", BATCH);
    enum status status = ensure(tail);
    if (status == ST_OK && pthread_create(&tail->thread, NULL, run_tail, tail) != 0)
        status = ST_RESOURCE_EXHAUSTED;
    if (status != ST_OK) {
        tail_free(tail);
        return status;
    }
    *ret_tail = tail;
    return ST_OK;
}

void bus_tail_stop(struct bus_tail *tail)
{
    if (!tail)
        return;
    bus_pause_stop(&tail->pause);
    bus_pull_stop(&tail->pull);
    pthread_join(tail->thread, NULL);
    tail_free(tail);
}
