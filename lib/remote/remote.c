/* SPDX-License-Identifier: Apache-2.0 */
/* Exchanges over the bus: what is said to the owner, what comes back. */
#include "remote/internal.h"

#include "base/clock.h"
#include "base/ids.h"
#include "downstream/fault.h"
#include "mal/mcp_runner/v1/mcp_runner.api.h"
#include "wire/codec.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { CALL_MS = 60000, ALIVE_MS = 1000, GRACE_MS = 1500, TAKEN_EVERY = 8, OPENS_MAX = 3 };

struct remote_exchange {
    struct bus *bus;
    struct bus_answers *answers;
    char id[TOKEN_SIZE], owner[TOKEN_SIZE];
    struct arena arena; /* of the request */
    struct remote_request request;
    _Atomic int64_t deadline_ms;
    int64_t alive_ms; /* when something was last said to the owner */
    int opens;
    bool heard, over; /* a frame came; the last one was given */
    bool unsure;      /* nothing was said since the request was sent */
    bool probed;      /* the owner was asked whether it is there: something may still come */
    bool complete;    /* the answer came */
    atomic_bool cancelled;
    int taken, number;
    struct strbuf json;
    struct arena given; /* of the message given last */
};

/* ---- saying ---------------------------------------------------------------------- */

static int left_ms(const struct remote_exchange *x)
{
    int64_t left = x->deadline_ms - clock_mono_ms();

    return left < 1 ? 1 : left > INT_MAX ? INT_MAX : (int)left;
}

static enum status lost(struct remote_exchange *x, struct error *err)
{
    x->over = true;
    owner_forget(&x->request, x->owner);
    return fault_set(err, x->request.server, DOWNSTREAM_FAULT_LOST,
                     "was lost with the process that held it; whether the request was carried out "
                     "is not known");
}

static enum status send_call(struct remote_exchange *x, struct error *err)
{
    McpRunner__Call call = MCP_RUNNER__CALL__INIT;
    struct arena arena;
    char subject[96];
    size_t len;

    call.server = x->request.server;
    call.caller = or_empty(x->request.caller);
    call.id = x->id;
    call.method = x->request.method;
    call.params = or_empty(x->request.params);
    call.target = or_empty(x->request.target);
    call.capabilities = or_empty(x->request.capabilities);
    call.log_level = or_empty(x->request.log_level);
    call.client = or_empty(x->request.client);
    call.progress = x->request.progress;
    call.repeatable = x->request.repeatable;
    call.timeout_ms = left_ms(x);
    (void)snprintf(subject, sizeof(subject), "mal.runner.%s.call", x->owner);
    arena_init(&arena);
    const void *data = wire_pack(&arena, &call.base, &len);
    enum status status =
        bus_publish_now(x->bus, subject, bus_answers_subject(x->answers), data, len);
    arena_done(&arena);
    x->alive_ms = clock_mono_ms();
    x->unsure = true;
    if (status == ST_OK)
        return ST_OK;
    x->over = true;
    if (status != ST_UNAVAILABLE)
        return fault_set(err, x->request.server, DOWNSTREAM_FAULT_TOO_LARGE,
                         "cannot be sent so large a request");
    return fault_set(err, x->request.server, DOWNSTREAM_FAULT_CONNECT,
                     "cannot be reached: the message bus is away");
}

static enum status say(struct remote_exchange *x, const McpRunner__Word *word, const char *reply)
{
    struct arena arena;
    char subject[128];
    size_t len;

    (void)snprintf(subject, sizeof(subject), "mal.runner.%s.word.%s", x->owner, x->id);
    arena_init(&arena);
    const void *data = wire_pack(&arena, &word->base, &len);
    enum status status = bus_publish_now(x->bus, subject, reply, data, len);
    arena_done(&arena);
    return status;
}

static void say_kind(struct remote_exchange *x, McpRunner__WordKind kind, int number,
                     const char *reply)
{
    McpRunner__Word word = MCP_RUNNER__WORD__INIT;

    word.kind = kind;
    word.number = number;
    word.timeout_ms = left_ms(x);
    /* What is lost with the bus is found out by who waits. */
    (void)!say(x, &word, reply);
}

enum status remote_answer(struct remote_exchange *x, const char *id, size_t id_len,
                          const char *result, const char *error)
{
    McpRunner__Word word = MCP_RUNNER__WORD__INIT;
    struct arena arena;

    arena_init(&arena);
    word.kind = MCP_RUNNER__WORD_KIND__WORD_KIND_ANSWER;
    word.id = arena_memdup(&arena, id, id_len);
    word.result = or_empty(result);
    word.error = or_empty(error);
    enum status status = say(x, &word, NULL);
    arena_done(&arena);
    return status;
}

enum status remote_progress(struct remote_exchange *x, const char *params)
{
    McpRunner__Word word = MCP_RUNNER__WORD__INIT;

    word.kind = MCP_RUNNER__WORD_KIND__WORD_KIND_PROGRESS;
    word.result = params;
    return say(x, &word, NULL);
}

void remote_cancel(struct remote_exchange *x)
{
    if (!atomic_exchange(&x->cancelled, true))
        say_kind(x, MCP_RUNNER__WORD_KIND__WORD_KIND_CANCEL, 0, NULL);
}

void remote_extend(struct remote_exchange *x, int64_t deadline_ms)
{
    x->deadline_ms = deadline_ms;
    say_kind(x, MCP_RUNNER__WORD_KIND__WORD_KIND_EXTEND, 0, NULL);
}

/* ---- hearing ------------------------------------------------------------------------ */

static enum status fault(struct remote_exchange *x, const McpRunner__Frame *frame,
                         struct error *err)
{
    struct error known = {.status = ST_UNAVAILABLE, .reason = frame->reason};
    enum status status = status_from_number((uint32_t)frame->status);

    x->over = true;
    (void)error_set(err, status == ST_OK ? ST_UNAVAILABLE : status, "%s", frame->text);
    if (err)
        err->reason = downstream_fault_text(downstream_fault_of(&known));
    return status == ST_OK ? ST_UNAVAILABLE : status;
}

/* The frame's json stands in x->json. */
static enum status give(struct remote_exchange *x, const McpRunner__Frame *frame,
                        struct downstream_message *msg, struct error *err)
{
    CLEANUP(strbuf_done) struct strbuf both = STRBUF_INIT;
    const struct json_limits limits = {.depth = 160, .nodes = 600000, .loose = true};
    const struct json_node *value;

    strbuf_printf(&both, "[%s,", *frame->id ? frame->id : "null");
    strbuf_str(&both, x->json.len > 0 ? x->json.data : "null");
    strbuf_char(&both, ']');
    strbuf_clear(&x->json);
    const char *text = arena_memdup(&x->given, both.data, both.len);
    if (json_parse(&x->given, text, both.len, &limits, &msg->json, err) != ST_OK)
        return lost(x, err);
    msg->version = mcp_version_parse(frame->protocol_version);
    value = json_next(json_first(msg->json.nodes));
    if (*frame->method) {
        msg->method = arena_strdup(&x->given, frame->method);
        msg->params = value->type == JSON_T_NULL ? NULL : value;
    }
    msg->own_progress = frame->own_progress;
    switch (frame->kind) {
    case MCP_RUNNER__FRAME_KIND__FRAME_KIND_REQUEST:
        msg->kind = DOWNSTREAM_REQUEST;
        msg->id = json_first(msg->json.nodes);
        break;
    case MCP_RUNNER__FRAME_KIND__FRAME_KIND_RESULT:
        msg->kind = DOWNSTREAM_RESULT;
        msg->result = value;
        break;
    case MCP_RUNNER__FRAME_KIND__FRAME_KIND_ERROR:
        msg->kind = DOWNSTREAM_ERROR;
        msg->error = value;
        (void)json_int(&msg->json, json_get(&msg->json, value, "code"), &msg->code);
        break;
    default:
        msg->kind = DOWNSTREAM_NOTIFICATION;
        break;
    }
    x->over = msg->kind == DOWNSTREAM_RESULT || msg->kind == DOWNSTREAM_ERROR;
    x->complete = x->over;
    return ST_OK;
}

static enum status find_owner(struct remote_exchange *x, struct error *err)
{
    x->opens++;
    return owner_open(x->bus, &x->request, x->deadline_ms, x->owner, err);
}

/* Nothing was carried out there: to whoever owns the child now. */
static enum status move(struct remote_exchange *x, struct error *err)
{
    if (x->opens >= OPENS_MAX)
        return lost(x, err);
    enum status status = find_owner(x, err);
    if (status != ST_OK) {
        x->over = true;
        return status;
    }
    return send_call(x, err);
}

static enum status take_frame(struct remote_exchange *x, const struct bus_message *bytes,
                              struct downstream_message *msg, struct error *err)
{
    ProtobufCMessage *message = NULL;

    arena_reset(&x->given);
    if (wire_unpack(&x->given, &mcp_runner__frame__descriptor, bytes->data, bytes->len, &message,
                    err) != ST_OK)
        return lost(x, err);
    const McpRunner__Frame *frame = (const McpRunner__Frame *)message;
    if (strcmp(frame->reason, "MCP_MOVED") == 0 && !x->heard)
        return move(x, err);
    if (frame->kind == MCP_RUNNER__FRAME_KIND__FRAME_KIND_FAULT)
        return fault(x, frame, err);
    x->heard = true;
    x->unsure = false;
    if (frame->number != x->number + 1)
        return lost(x, err); /* one was dropped on the way */
    x->number = frame->number;
    strbuf_add(&x->json, frame->json.data, frame->json.len);
    if (x->number - x->taken >= TAKEN_EVERY) {
        x->taken = x->number;
        say_kind(x, MCP_RUNNER__WORD_KIND__WORD_KIND_TAKEN, x->taken, NULL);
    }
    return frame->more ? ST_OK : give(x, frame, msg, err);
}

/* Why it does not go on waiting; ST_OK: it does. */
static enum status waited(struct remote_exchange *x, int64_t now, struct error *err)
{
    if (x->cancelled) {
        x->over = true;
        return fault_set(err, x->request.server, DOWNSTREAM_FAULT_CANCELLED,
                         "was not asked any more");
    }
    /* The owner says so itself, a moment later at most. */
    if (now >= x->deadline_ms + GRACE_MS) {
        remote_cancel(x);
        x->over = true;
        owner_forget(&x->request, x->owner);
        return fault_set(err, x->request.server, DOWNSTREAM_FAULT_TIMEOUT,
                         "did not answer in time");
    }
    if (now - x->alive_ms >= ALIVE_MS) {
        x->alive_ms = now;
        x->unsure = false;
        x->probed = true;
        say_kind(x, MCP_RUNNER__WORD_KIND__WORD_KIND_ALIVE, 0, bus_answers_subject(x->answers));
    }
    return ST_OK;
}

enum status remote_next(struct remote_exchange *x, int wait_ms, struct downstream_message *ret_msg,
                        struct error *err)
{
    int64_t until = wait_ms < 0 ? INT64_MAX : clock_mono_ms() + wait_ms;
    struct error scratch = {0};

    if (!err)
        err = &scratch;
    *ret_msg = (struct downstream_message){.kind = DOWNSTREAM_NOTHING};
    if (x->over)
        return fault_set(err, x->request.server, DOWNSTREAM_FAULT_CLOSED, "has answered already");
    for (;;) {
        struct bus_message bytes;
        int64_t now = clock_mono_ms();

        TRY(waited(x, now, err));
        int64_t next = x->alive_ms + ALIVE_MS, last = x->deadline_ms + GRACE_MS;
        next = next < last ? next : last;
        next = next < until ? next : until;
        enum status status =
            bus_answers_next(x->answers, next > now ? (int)(next - now) : 0, &bytes);
        if (status == ST_OK) {
            status = take_frame(x, &bytes, ret_msg, err);
            bus_message_release(&bytes);
            TRY(status);
            if (ret_msg->kind != DOWNSTREAM_NOTHING)
                return ST_OK;
        } else if (status == ST_UNAVAILABLE && x->unsure && bus_up(x->bus)) {
            TRY(move(x, err)); /* nobody took the request */
        } else if (status != ST_DEADLINE_EXCEEDED) {
            return lost(x, err);
        } else if (clock_mono_ms() >= until) {
            return ST_OK;
        }
    }
}

/* ---- life --------------------------------------------------------------------------- */

static const char *keep(struct remote_exchange *x, const char *text)
{
    return text ? arena_strdup(&x->arena, text) : NULL;
}

static struct remote_exchange *exchange_new(struct bus *bus, const struct remote_request *request)
{
    struct remote_exchange *x = calloc(1, sizeof(*x));

    if (!x)
        abort();
    arena_init(&x->arena);
    arena_init(&x->given);
    x->bus = bus;
    x->request = *request;
    x->request.server = keep(x, request->server);
    x->request.caller = keep(x, request->caller);
    x->request.method = keep(x, request->method);
    x->request.params = keep(x, request->params);
    x->request.target = keep(x, request->target);
    x->request.capabilities = keep(x, request->capabilities);
    x->request.log_level = keep(x, request->log_level);
    x->request.client = keep(x, request->client);
    x->deadline_ms = request->deadline_ms ? request->deadline_ms : clock_mono_ms() + CALL_MS;
    (void)snprintf(x->owner, sizeof(x->owner), "%s", or_empty(request->owner));
    token_hex(x->id);
    return x;
}

static enum status begin(struct remote_exchange *x, struct error *err)
{
    if (bus_answers_begin(x->bus, &x->answers) != ST_OK)
        return fault_set(err, x->request.server, DOWNSTREAM_FAULT_CONNECT,
                         "cannot be reached: the message bus is away");
    if (!*x->owner && !owner_known(&x->request, x->owner))
        TRY(find_owner(x, err));
    return send_call(x, err);
}

enum status remote_begin(struct bus *bus, const struct remote_request *request,
                         struct remote_exchange **ret_exchange, struct error *err)
{
    struct remote_exchange *x = exchange_new(bus, request);
    enum status status = begin(x, err);

    if (status == ST_OK) {
        *ret_exchange = x;
        return ST_OK;
    }
    x->over = true;
    remote_end(x);
    return status;
}

void remote_end(struct remote_exchange *x)
{
    if (!x)
        return;
    if (!x->over)
        remote_cancel(x);
    if (x->answers)
        bus_answers_end(x->answers, x->complete && !x->probed);
    strbuf_done(&x->json);
    arena_done(&x->given);
    arena_done(&x->arena);
    free(x);
}

const char *remote_owner(const struct remote_exchange *x)
{
    return x->owner;
}
