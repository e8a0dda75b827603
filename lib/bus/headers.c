/* SPDX-License-Identifier: Apache-2.0 */
/* A call's identity and deadline as headers of its request, and back. */
#include "internal.h"

#include "base/clock.h"
#include "base/ids.h"

static const struct {
    const char *name;
    unsigned scope;
} scopes[] = {
    {"read", SCOPE_READ},       {"write", SCOPE_WRITE}, {"destructive", SCOPE_DESTRUCTIVE},
    {"execute", SCOPE_EXECUTE}, {"admin", SCOPE_ADMIN},
};

static const char *scopes_text(struct arena *arena, unsigned bits)
{
    char *text = arena_alloc(arena, 64), *p = text;

    for (size_t i = 0; i < ARRAY_SIZE(scopes); i++) {
        if (bits & scopes[i].scope) {
            size_t len = strlen(scopes[i].name);
            if (p != text)
                *p++ = ',';
            memcpy(p, scopes[i].name, len);
            p += len;
        }
    }
    return text;
}

static unsigned scopes_parse(const char *text)
{
    unsigned bits = 0;

    while (text && *text) {
        size_t len = strcspn(text, ",");
        for (size_t i = 0; i < ARRAY_SIZE(scopes); i++) {
            if (strlen(scopes[i].name) == len && memcmp(scopes[i].name, text, len) == 0)
                bits |= scopes[i].scope;
        }
        text += len + (text[len] == ',');
    }
    return bits;
}

void bus_call_headers(struct call *call, int64_t remaining_ms, struct bus_header out[CALL_HEADERS])
{
    size_t n = 0;

    if (call->actor)
        out[n++] = (struct bus_header){"Mal-Actor", call->actor};
    if (call->trusted)
        out[n++] = (struct bus_header){"Mal-Trusted", "1"};
    if (call->scopes)
        out[n++] = (struct bus_header){"Mal-Scopes", scopes_text(call->arena, call->scopes)};
    if (call->channel)
        out[n++] = (struct bus_header){"Mal-Channel", call->channel};
    if (call->request_id)
        out[n++] = (struct bus_header){"Mal-Request-Id", call->request_id};
    out[n++] = (struct bus_header){"Mal-Deadline-Ms",
                                   arena_printf(call->arena, "%lld", (long long)remaining_ms)};
    if (call->traceparent)
        out[n++] = (struct bus_header){"traceparent", call->traceparent};
    out[n] = (struct bus_header){NULL, NULL};
}

static const char *copy(struct arena *arena, natsMsg *msg, const char *name)
{
    const char *value = bus_msg_header(msg, name);

    return value ? arena_strdup(arena, value) : NULL;
}

/* Remaining milliseconds of a request; what is no number counts as absent. */
static int64_t deadline_of(natsMsg *msg)
{
    const char *text = bus_msg_header(msg, "Mal-Deadline-Ms");
    char *end = NULL;

    if (!text || !*text)
        return BUS_REQUEST_MS;
    long long value = strtoll(text, &end, 10);
    if (*end || value < 0)
        return BUS_REQUEST_MS;
    return value < BUS_DEADLINE_MAX_MS ? value : BUS_DEADLINE_MAX_MS;
}

void bus_call_from_headers(struct call *call, natsMsg *msg, int64_t received_ms)
{
    const char *trusted = bus_msg_header(msg, "Mal-Trusted");

    call->actor = copy(call->arena, msg, "Mal-Actor");
    call->channel = copy(call->arena, msg, "Mal-Channel");
    call->request_id = copy(call->arena, msg, "Mal-Request-Id");
    call->traceparent = copy(call->arena, msg, "traceparent");
    call->trusted = trusted && strcmp(trusted, "1") == 0;
    call->scopes = scopes_parse(bus_msg_header(msg, "Mal-Scopes"));
    call->deadline_ms = received_ms + deadline_of(msg);
    call->now_ms = clock_wall_ms();
    /* Handlers and logs rely on them. */
    if (!call->actor)
        call->actor = "";
    if (!call->channel)
        call->channel = "";
    if (!call->request_id || !uuid_valid(call->request_id)) {
        char *id = arena_alloc(call->arena, UUID_SIZE);
        uuid_v7(id);
        call->request_id = id;
    }
}
