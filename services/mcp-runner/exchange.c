/* SPDX-License-Identifier: Apache-2.0 */
/* A request from the bus: given to the child, its messages sent back until the
 * last one. */
#include "exchange.h"

#include "base/clock.h"
#include "base/log.h"
#include "downstream/fault.h"
#include "wire/codec.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    LOOK_MS = 1000,
    SLICE_MS = 1000,
    CALL_MAX_MS = 3600000,
    PING_MS = 4000, /* machines stand still for a second or two; who is gone is known at once */
    REFUSING = 2
};

/* ---- the exchange ---------------------------------------------------------------- */

static const char *given(const char *text)
{
    return *text ? text : NULL;
}

static enum status begin(struct exchange *x, struct slot *slot, struct error *err)
{
    const McpRunner__Call *call = x->call;
    struct downstream_session *session = NULL;
    struct downstream_exchange *down = NULL;

    TRY(slot_session(slot, x->deadline_ms, &session, err));
    /* Of an older child that many share nobody says the level but by logging/setLevel. */
    bool leveled = downstream_modern(session) || *slot->caller;
    const struct downstream_request request = {.method = call->method,
                                               .params_text = given(call->params),
                                               .target = given(call->target),
                                               .capabilities = given(call->capabilities),
                                               .log_level = leveled ? given(call->log_level) : NULL,
                                               .client = given(call->client),
                                               .progress = call->progress,
                                               .repeatable = call->repeatable,
                                               .deadline_ms = x->deadline_ms};
    TRY(downstream_begin(session, &request, &down, err));
    pthread_mutex_lock(&x->lock);
    x->down = down;
    x->session = session;
    if (x->cancelled)
        downstream_cancel(down);
    pthread_mutex_unlock(&x->lock);
    return ST_OK;
}

/* lost: the child that it was given to has ended. */
static void finish(struct exchange *x, bool lost)
{
    struct downstream_exchange *down;

    pthread_mutex_lock(&x->lock);
    down = TAKE(x->down);
    if (!lost)
        asked_end(x);
    x->session = NULL;
    pthread_mutex_unlock(&x->lock);
    downstream_end(down);
}

static bool is_last(const struct downstream_message *msg)
{
    return msg->kind == DOWNSTREAM_RESULT || msg->kind == DOWNSTREAM_ERROR;
}

/* Until the last message, a failure, or nobody reads. */
static enum status carry(struct exchange *x, struct error *err)
{
    struct downstream_message msg;

    for (;;) {
        TRY(downstream_next(x->down, LOOK_MS, &msg, err));
        asked_note(x, &msg);
        if (msg.kind != DOWNSTREAM_NOTHING && !frame_send(x, &msg))
            return fault_set(err, x->call->server, DOWNSTREAM_FAULT_TOO_LARGE,
                             "sends more than is read of it");
        if (msg.kind != DOWNSTREAM_NOTHING && is_last(&msg))
            return ST_OK;
        pthread_mutex_lock(&x->lock);
        bool over = exchange_deserted(x);
        pthread_mutex_unlock(&x->lock);
        if (over)
            return fault_set(err, x->call->server, DOWNSTREAM_FAULT_CANCELLED,
                             "was not asked any more");
    }
}

/* Nothing was carried out here. */
static enum status moved(struct exchange *x, struct error *err)
{
    error_clear(err);
    (void)error_set(err, ST_UNAVAILABLE, "This runner does not hold '%s'.", x->call->server);
    err->reason = REASON_MOVED;
    return ST_UNAVAILABLE;
}

static enum status carry_out(struct exchange *x, struct error *err)
{
    struct config *config = NULL;
    struct slot *slot;
    char key[KEY_SIZE];
    enum status status;

    TRY(registry_get(x->runner, x->call->server, 0, &config, err));
    lease_key(config, x->call->caller, key);
    config_unref(config);
    slot = slot_find(x->runner, key);
    if (!slot)
        return moved(x, err);
    slot->used_ms = clock_mono_ms();
    if (!wish_takes(x, slot, &status, err)) {
        status = begin(x, slot, err);
        if (status == ST_OK) {
            status = carry(x, err);
            finish(x, status != ST_OK && downstream_fault_of(err) == DOWNSTREAM_FAULT_LOST);
        } else if (slot->closing) {
            status = moved(x, err);
        }
    }
    slot->used_ms = clock_mono_ms();
    slot_unref(slot);
    return status;
}

/* ---- life ---------------------------------------------------------------------------- */

static void exchange_free(struct exchange *x)
{
    struct runner *runner = x->runner;

    pthread_mutex_lock(&runner->lock);
    for (struct exchange **p = &runner->exchanges; *p; p = &(*p)->next)
        if (*p == x) {
            *p = x->next;
            runner->n_exchanges--;
            break;
        }
    if (runner->stopping)
        pthread_cond_broadcast(&runner->changed);
    pthread_mutex_unlock(&runner->lock);
    /* Whoever found it before has let go of it now. */
    pthread_mutex_lock(&x->lock);
    pthread_mutex_unlock(&x->lock);
    pthread_cond_destroy(&x->changed);
    pthread_mutex_destroy(&x->lock);
    arena_done(&x->arena);
    free(x);
}

static void run(struct exchange *x)
{
    struct error err = {0};

    if (carry_out(x, &err) == ST_OK) {
        tally_count(x->runner, x->call->server, NULL);
    } else {
        tally_count(x->runner, x->call->server, &err);
        frame_fault(x, err.reason, err.status, err.message);
    }
    exchange_free(x);
}

static struct exchange *exchange_new(struct runner *runner, const struct bus_message *msg)
{
    struct exchange *x = calloc(1, sizeof(*x));
    ProtobufCMessage *message = NULL;
    int32_t ms;

    if (!x)
        abort();
    x->runner = runner;
    arena_init(&x->arena);
    pthread_mutex_init(&x->lock, NULL);
    pthread_cond_init(&x->changed, NULL);
    x->word_ms = clock_mono_ms();
    if (!msg->reply || wire_unpack(&x->arena, &mcp_runner__call__descriptor, msg->data, msg->len,
                                   &message, NULL) != ST_OK) {
        exchange_free(x);
        return NULL;
    }
    x->call = (const McpRunner__Call *)message;
    x->reply = arena_strdup(&x->arena, msg->reply);
    ms = x->call->timeout_ms;
    x->deadline_ms = clock_mono_ms() + (ms < 1 ? 1 : ms > CALL_MAX_MS ? CALL_MAX_MS : ms);
    return x;
}

/* With runner->lock held: calls that the server may have besides those it has. */
static int room(struct runner *runner, const char *server)
{
    const struct entry *entry = registry_entry(runner, server);
    const McpHealth__Policy *policy = entry ? entry->config->server->policy : NULL;
    int max = policy && policy->max_inflight > 0 ? policy->max_inflight : INT_MAX;

    for (const struct exchange *x = runner->exchanges; x && max > 0 && max < INT_MAX; x = x->next)
        max -= strcmp(x->call->server, server) == 0;
    return max;
}

static bool enlist(struct runner *runner, struct exchange *x, bool *ret_stopping)
{
    bool fits;

    pthread_mutex_lock(&runner->lock);
    *ret_stopping = runner->stopping;
    fits = !runner->stopping && runner->n_exchanges < runner_config.max_calls &&
           room(runner, x->call->server) > 0;
    if (fits) {
        x->next = runner->exchanges;
        runner->exchanges = x;
        runner->n_exchanges++;
    }
    pthread_mutex_unlock(&runner->lock);
    return fits;
}

static void on_call(struct bus_message *msg, void *arg)
{
    struct runner *runner = arg;
    struct exchange *x = exchange_new(runner, msg);
    struct error err = {0};
    bool stopping;

    if (!x)
        return;
    if (enlist(runner, x, &stopping)) {
        run(x);
        return;
    }
    if (stopping)
        (void)moved(x, &err);
    else
        (void)fault_set(&err, x->call->server, DOWNSTREAM_FAULT_BUSY,
                        "has as many calls as it may have at once");
    frame_fault(x, err.reason, err.status, err.message);
    exchange_free(x);
}

/* ---- words ----------------------------------------------------------------------------- */

/* Found, and locked; NULL. */
static struct exchange *find(struct runner *runner, const char *id)
{
    struct exchange *x;

    pthread_mutex_lock(&runner->lock);
    x = runner->exchanges;
    while (x && strcmp(x->call->id, id) != 0)
        x = x->next;
    if (x)
        pthread_mutex_lock(&x->lock);
    pthread_mutex_unlock(&runner->lock);
    return x;
}

/* With x->lock held. */
static void answer(struct exchange *x, const McpRunner__Word *word)
{
    struct error err = {0};

    x->asked = false;
    asked_forget(x, word->id, strlen(word->id));
    if (x->session && downstream_answer(x->session, word->id, strlen(word->id), given(word->result),
                                        given(word->error), &err) != ST_OK)
        log_debug("%s", err.message);
}

/* With x->lock held. */
static void progress(struct exchange *x, const McpRunner__Word *word)
{
    struct error err = {0};

    if (x->session && *word->result &&
        downstream_notify(x->session, "notifications/progress", word->result, &err) != ST_OK)
        log_debug("%s", err.message);
}

static void extend(struct exchange *x, int32_t ms)
{
    if (ms < 1 || ms > CALL_MAX_MS)
        return;
    x->deadline_ms = clock_mono_ms() + ms;
    if (x->down)
        downstream_extend(x->down, x->deadline_ms);
}

static void on_word(struct bus_message *msg, void *arg)
{
    CLEANUP(arena_done) struct arena arena;
    ProtobufCMessage *message = NULL;

    arena_init(&arena);
    if (wire_unpack(&arena, &mcp_runner__word__descriptor, msg->data, msg->len, &message, NULL) !=
        ST_OK)
        return;
    const McpRunner__Word *word = (const McpRunner__Word *)message;
    struct exchange *x = find(arg, strrchr(msg->subject, '.') + 1);
    if (!x)
        return;
    x->word_ms = clock_mono_ms();
    switch (word->kind) {
    case MCP_RUNNER__WORD_KIND__WORD_KIND_TAKEN:
        if (word->number > x->taken && word->number <= x->number)
            x->taken = word->number;
        break;
    case MCP_RUNNER__WORD_KIND__WORD_KIND_ANSWER:
        answer(x, word);
        break;
    case MCP_RUNNER__WORD_KIND__WORD_KIND_PROGRESS:
        progress(x, word);
        break;
    case MCP_RUNNER__WORD_KIND__WORD_KIND_CANCEL:
        x->cancelled = true;
        if (x->down)
            downstream_cancel(x->down);
        break;
    case MCP_RUNNER__WORD_KIND__WORD_KIND_EXTEND:
        extend(x, word->timeout_ms);
        break;
    default:
        break;
    }
    pthread_cond_broadcast(&x->changed);
    pthread_mutex_unlock(&x->lock);
}

/* ---- life of all ------------------------------------------------------------------------ */

static void on_ping(struct bus_message *msg, void *arg)
{
    struct runner *runner = arg;

    if (msg->reply && bus_publish_now(runner->bus, msg->reply, NULL, NULL, 0) != ST_OK)
        log_debug("a ping could not be answered");
}

bool exchanges_ping(struct runner *runner, const char *id)
{
    struct bus_message reply;
    char subject[96];

    (void)snprintf(subject, sizeof(subject), "mal.runner.%s.ping", id);
    if (bus_request(runner->bus, subject, NULL, NULL, 0, PING_MS, &reply) != ST_OK)
        return false;
    bus_message_release(&reply);
    return true;
}

enum status exchanges_open(struct runner *runner, struct error *err)
{
    char subject[96];

    (void)snprintf(subject, sizeof(subject), "mal.runner.%s.call", runner->id);
    const struct bus_taking taking = {.subject = subject,
                                      .fn = on_call,
                                      .arg = runner,
                                      .threads = (int)runner_config.max_calls + REFUSING};
    if (bus_take(runner->bus, &taking, &runner->calls) != ST_OK)
        return error_set(err, ST_UNAVAILABLE, "cannot subscribe to calls");
    (void)snprintf(subject, sizeof(subject), "mal.runner.%s.word.*", runner->id);
    if (bus_subscribe(runner->bus, subject, on_word, runner, &runner->words) != ST_OK)
        return error_set(err, ST_UNAVAILABLE, "cannot subscribe to words");
    (void)snprintf(subject, sizeof(subject), "mal.runner.%s.ping", runner->id);
    if (bus_subscribe(runner->bus, subject, on_ping, runner, &runner->pings) != ST_OK)
        return error_set(err, ST_UNAVAILABLE, "cannot subscribe to pings");
    return ST_OK;
}

void exchanges_close(struct runner *runner, int timeout_ms)
{
    int64_t until = clock_mono_ms() + timeout_ms;

    pthread_mutex_lock(&runner->lock);
    while (runner->n_exchanges > 0 && clock_mono_ms() < until) {
        struct timespec slice = clock_in_ms(SLICE_MS);

        (void)pthread_cond_timedwait(&runner->changed, &runner->lock, &slice);
    }
    pthread_mutex_unlock(&runner->lock);
    bus_takers_free(TAKE(runner->calls));
    bus_sub_free(TAKE(runner->words));
    bus_sub_free(TAKE(runner->pings));
}
