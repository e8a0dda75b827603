/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the event stream from a point on to its end, for those who rebuild
 * what they know from it. */
#include "internal.h"

#include "base/clock.h"

enum { BATCH = 500, IDLE_S = 60, WAIT_MS = 10000 };

struct reader {
    struct pull pull;
    const struct bus_read_options *options;
    uint64_t end; /* sequence of the last event that is wanted */
    natsMsg *msgs[BATCH];
    size_t n;
    struct bus_event events[BATCH + BUS_RIDERS_MAX]; /* that they brought */
    size_t n_events;
};

static enum status stream_state(struct bus *bus, struct bus_stream *ret_stream)
{
    jsStreamInfo *info = NULL;
    jsErrCode code;
    jsOptions options;

    jsOptions_Init(&options);
    options.Wait = BUS_API_MS;
    TRY(bus_status(js_GetStreamInfo(&info, bus->js, "MAL_EVT", &options, &code)));
    *ret_stream = (struct bus_stream){.first = info->State.FirstSeq, .last = info->State.LastSeq};
    /* One that never lost an event knows all since it was made. */
    if (info->State.FirstSeq <= 1)
        ret_stream->since_ms = info->Created / 1000000;
    else if (info->State.Msgs > 0)
        ret_stream->since_ms = info->State.FirstTime / 1000000;
    else
        ret_stream->since_ms = clock_wall_ms();
    jsStreamInfo_Destroy(info);
    return ST_OK;
}

enum status bus_event_last(struct bus *bus, const char *subject, char out[BUS_EVENT_ID_SIZE])
{
    char body[BUS_SUBJECT_SIZE + 32];
    struct bus_message reply;
    const char *id, *status;

    (void)snprintf(body, sizeof(body), "{\"last_by_subj\":\"%s\"}", subject);
    TRY(bus_request(bus, "$JS.API.DIRECT.GET.MAL_EVT", NULL, body, strlen(body), BUS_API_MS,
                    &reply));
    id = bus_message_header(&reply, "Nats-Msg-Id");
    status = bus_message_header(&reply, "Status");
    (void)snprintf(out, BUS_EVENT_ID_SIZE, "%s", id ? id : "");
    bool found = !status;
    bool missing = status && strcmp(status, "404") == 0;
    bus_message_release(&reply);
    return found ? ST_OK : missing ? ST_NOT_FOUND : ST_UNAVAILABLE;
}

enum status bus_consumer_floor(struct bus *bus, const char *durable, uint64_t *ret_floor)
{
    jsConsumerInfo *info = NULL;
    jsErrCode code = 0;
    jsOptions options;

    jsOptions_Init(&options);
    options.Wait = BUS_API_MS;
    natsStatus s = js_GetConsumerInfo(&info, bus->js, "MAL_EVT", durable, &options, &code);
    *ret_floor = s == NATS_OK ? info->AckFloor.Stream : 0;
    jsConsumerInfo_Destroy(info);
    return s == NATS_NOT_FOUND ? ST_OK : bus_status(s);
}

/* A consumer of its own, which the server removes when nobody reads it. */
static enum status open_reader(struct reader *reader, uint64_t *ret_pending)
{
    jsConsumerConfig config;
    jsConsumerInfo *info = NULL;

    jsConsumerConfig_Init(&config);
    config.Durable = reader->options->reader;
    config.FilterSubject = reader->options->filter;
    config.AckPolicy = js_AckNone;
    config.MemoryStorage = true;
    config.InactiveThreshold = IDLE_S * 1000000000LL;
    config.DeliverPolicy = js_DeliverAll;
    if (reader->options->from > 1) {
        config.DeliverPolicy = js_DeliverByStartSequence;
        config.OptStartSeq = reader->options->from;
    }
    /* One that was left behind stands somewhere else. */
    (void)snprintf(reader->pull.consumer, sizeof(reader->pull.consumer), "%s",
                   reader->options->reader);
    bus_pull_delete(&reader->pull);
    TRY(bus_pull_ensure(&reader->pull, &config, &info));
    *ret_pending = info->NumPending;
    jsConsumerInfo_Destroy(info);
    return ST_OK;
}

static enum status hand_over(struct reader *reader)
{
    enum status status = ST_OK;

    if (reader->n_events > 0)
        status = reader->options->fn(reader->events, reader->n_events, reader->options->arg);
    for (size_t i = 0; i < reader->n; i++)
        bus_msg_free(reader->msgs[i]);
    reader->n = reader->n_events = 0;
    return status;
}

static enum status read_all(struct reader *reader)
{
    struct jet_position position = {0};
    uint64_t pending = 0, expected = 1;

    TRY(open_reader(reader, &pending));
    while (pending > 0 && position.stream_seq < reader->end) {
        natsMsg *msg = NULL;
        enum status status = bus_pull_next(&reader->pull, WAIT_MS, &msg, &position);

        if (status != ST_OK)
            return ST_UNAVAILABLE; /* the server went away in between */
        reader->msgs[reader->n++] = msg;
        reader->n_events += bus_events_read(msg, &position, &reader->events[reader->n_events]);
        pending = position.pending;
        if (position.consumer_seq != expected++)
            return ST_UNAVAILABLE; /* some were lost on the way */
        if (reader->n_events >= BATCH)
            TRY(hand_over(reader));
    }
    return hand_over(reader);
}

enum status bus_read(struct bus *bus, const struct bus_read_options *options,
                     struct bus_stream *ret_stream)
{
    struct reader *reader;

    TRY(stream_state(bus, ret_stream));
    if (ret_stream->last < ret_stream->first || ret_stream->last < options->from)
        return ST_OK;
    reader = calloc(1, sizeof(*reader));
    if (!reader)
        abort();
    reader->options = options;
    reader->end = ret_stream->last;
    bus_pull_init(&reader->pull, bus, "MAL_EVT", BATCH);
    enum status status = read_all(reader);
    for (size_t i = 0; i < reader->n; i++)
        bus_msg_free(reader->msgs[i]);
    bus_pull_delete(&reader->pull);
    bus_pull_done(&reader->pull);
    free(reader);
    return status;
}
