/* SPDX-License-Identifier: Apache-2.0 */
/* Events that share a message. The stream stores, hands out and acknowledges by
 * the message, which costs more than an event is worth when there are thousands
 * a second. The message is the first event as it would be alone; the others ride
 * behind its payload, each as a protobuf field that no message of ours has, and
 * a header says how many and where. */
#include "internal.h"

#include "base/log.h"
#include "base/strbuf.h"

/* Field 2047, length-delimited. */
static const char tag[] = {'\xfa', '\x7f'};

enum { STRINGS = 4, VARINT_MAX = 5 };

static void put_varint(struct strbuf *out, size_t value)
{
    for (; value >= 0x80; value >>= 7)
        strbuf_char(out, (char)(value | 0x80));
    strbuf_char(out, (char)value);
}

void bus_rider_put(struct strbuf *payload, const struct bus_event *event)
{
    const char *strings[STRINGS] = {event->event_id, event->actor, event->request_id, event->time};
    size_t len = event->len;

    for (size_t i = 0; i < STRINGS; i++)
        len += strlen(strings[i]) + 1;
    strbuf_add(payload, tag, sizeof(tag));
    put_varint(payload, len);
    for (size_t i = 0; i < STRINGS; i++)
        strbuf_add(payload, strings[i], strlen(strings[i]) + 1);
    strbuf_add(payload, event->data, event->len);
}

struct bus_header bus_rider_header(char out[BUS_RIDER_TEXT], size_t n, size_t first_len)
{
    (void)snprintf(out, BUS_RIDER_TEXT, "%zu %zu", n, first_len);
    return (struct bus_header){BUS_RIDERS, out};
}

/* The rider at *p, which is moved behind it; false when there is none. */
static bool read_rider(const char **p, const char *end, struct bus_event *event)
{
    const char **strings[STRINGS] = {&event->event_id, &event->actor, &event->request_id,
                                     &event->time};
    const char *q = *p;
    size_t len = 0;
    unsigned shift = 0;

    if ((size_t)(end - q) < sizeof(tag) || memcmp(q, tag, sizeof(tag)) != 0)
        return false;
    q += sizeof(tag);
    do {
        if (q == end || shift == 7 * VARINT_MAX)
            return false;
        len |= (size_t)(*q & 0x7f) << shift;
        shift += 7;
    } while (*q++ & 0x80);
    if (len > (size_t)(end - q))
        return false;
    end = *p = q + len;
    for (size_t i = 0; i < STRINGS; i++) {
        const char *zero = memchr(q, '\0', (size_t)(end - q));

        if (!zero)
            return false;
        *strings[i] = q;
        q = zero + 1;
    }
    event->data = q;
    event->len = (size_t)(end - q);
    return true;
}

size_t bus_events_split(struct bus_event *events, const char *header)
{
    const char *p, *end = (const char *)events->data + events->len;
    char *text;
    size_t n, first_len;

    if (!header)
        return 1;
    n = strtoul(header, &text, 10);
    first_len = strtoul(text, NULL, 10);
    if (n > BUS_RIDERS_MAX || first_len > events->len)
        n = first_len = 0;
    p = (const char *)events->data + first_len;
    for (size_t i = 1; i <= n; i++) {
        events[i] = events[0];
        if (!read_rider(&p, end, &events[i])) {
            log_error("a message of events is torn: %zu of %zu were read", i, n + 1);
            n = i - 1;
        }
    }
    events->len = first_len;
    return n + 1;
}

size_t bus_events_read(natsMsg *msg, const struct jet_position *position, struct bus_event *out)
{
    bus_event_read(msg, position, out);
    return bus_events_split(out, bus_msg_header(msg, BUS_RIDERS));
}
