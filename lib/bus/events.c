/* SPDX-License-Identifier: Apache-2.0 */
/* The event streams, and publishing with an acknowledgement. */
#include "internal.h"

static const int64_t second_ns = 1000000000;

enum status bus_setup(struct bus *bus, struct error *err)
{
    jsStreamConfig config;

    jsStreamConfig_Init(&config);
    config.Name = "MAL_EVT";
    config.Description = "Events of the services";
    config.Subjects = (const char *[]){"mal.evt.>"};
    config.SubjectsLen = 1;
    config.Storage = js_FileStorage;
    config.MaxAge = 30 * 86400LL * second_ns;
    config.Duplicates = 120 * second_ns;
    config.AllowDirect = true;
    TRY(jet_stream(bus, &config, err));

    config.Name = "MAL_DEAD";
    config.Description = "Events that a consumer could not apply";
    config.Subjects = (const char *[]){"mal.dead.>"};
    config.MaxAge = 90 * 86400LL * second_ns;
    return jet_stream(bus, &config, err);
}

enum { MAX_HEADERS = 16 };

/* NOLINTNEXTLINE(readability-function-size): the parts of a message */
enum status bus_event_publish(struct bus *bus, const char *subject, const char *event_id,
                              const struct bus_header *headers, const void *data, size_t len,
                              int timeout_ms)
{
    struct bus_header all[MAX_HEADERS] = {{"Nats-Msg-Id", event_id}};
    size_t n = 1;

    for (; headers && headers->name; headers++) {
        if (n == MAX_HEADERS - 1)
            return ST_INVALID_ARGUMENT;
        all[n++] = *headers;
    }
    return jet_publish(bus, subject, all, data, len, timeout_ms);
}

void bus_event_read(natsMsg *msg, const struct jet_position *position, struct bus_event *out)
{
    const char *id = bus_msg_header(msg, "Nats-Msg-Id");
    const char *actor = bus_msg_header(msg, "Mal-Actor");
    const char *request_id = bus_msg_header(msg, "Mal-Request-Id");
    const char *time = bus_msg_header(msg, "Mal-Time");

    *out = (struct bus_event){
        .subject = natsMsg_GetSubject(msg),
        .event_id = id ? id : "",
        .message_id = id ? id : "",
        .actor = actor ? actor : "",
        .request_id = request_id ? request_id : "",
        .time = time ? time : "",
        .sequence = position->stream_seq,
        .delivered = (int)position->delivered,
        .data = natsMsg_GetData(msg),
        .len = (size_t)natsMsg_GetDataLength(msg),
    };
}
