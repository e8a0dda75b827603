/* SPDX-License-Identifier: Apache-2.0 */
/* Children that are held: one for each key, started when it is needed, ended when
 * nobody has needed it for a while. */
#include "runner.h"

#include "base/clock.h"
#include "base/log.h"
#include "downstream/fault.h"
#include "mcp/message.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    ATTEMPTS = 3,
    PATIENCE_MS = 1500,
    SLICE_MS = 20,
    MIND_MS = 200,
    TELL_MS = 1000,
    AWAIT_MS = 1000, /* between looks */
    ENDING_MS = 6000,
    MAX_CALLS = 256
};

/* What the hub can bridge. */
static const char all_capabilities[] =
    "{\"roots\":{\"listChanged\":true},\"sampling\":{},\"elicitation\":{}}";

/* ---- life --------------------------------------------------------------------------- */

static enum status make_down(struct slot *slot, struct error *err)
{
    const McpHealth__Server *server = slot->config->server;
    const McpHealth__Policy *policy = server->policy;
    const struct downstream_program program = {
        .start = program_start, .stop = program_stop, .arg = slot};

    return downstream_new(
        &(struct downstream_options){
            .id = slot->server,
            .program = &program,
            .newest = policy && *policy->newest_version ? policy->newest_version : NULL,
            .limits = {.probe_ms = (int)runner_config.start_s * 1000, .max_calls = MAX_CALLS}},
        &slot->down, err);
}

static void slot_free(struct slot *slot)
{
    downstream_free(slot->down);
    program_done(slot);
    wish_done(slot);
    config_unref(slot->config);
    pthread_cond_destroy(&slot->changed);
    pthread_mutex_destroy(&slot->lock);
    free(slot->capabilities);
    free(slot);
}

static enum status slot_new(struct runner *runner, const struct wanted *wanted,
                            struct slot **ret_slot, struct error *err)
{
    struct slot *slot = calloc(1, sizeof(*slot));
    bool own = strchr(wanted->key, '.') != NULL;

    if (!slot)
        abort();
    slot->runner = runner;
    slot->config = config_ref(wanted->config);
    slot->capabilities =
        strdup(own && *wanted->capabilities ? wanted->capabilities : all_capabilities);
    if (!slot->capabilities)
        abort();
    (void)snprintf(slot->key, sizeof(slot->key), "%s", wanted->key);
    (void)snprintf(slot->server, sizeof(slot->server), "%s", wanted->config->server->id);
    (void)snprintf(slot->caller, sizeof(slot->caller), "%s", own ? wanted->caller : "");
    slot->used_ms = clock_mono_ms();
    pthread_mutex_init(&slot->lock, NULL);
    pthread_mutex_init(&slot->wish_lock, NULL);
    pthread_cond_init(&slot->changed, NULL);
    program_init(slot);
    enum status status = make_down(slot, err);
    if (status != ST_OK)
        slot_free(slot);
    else
        *ret_slot = slot;
    return status;
}

/* Alone with it at last. */
static void close_slot(void *arg)
{
    struct slot *slot = arg;
    struct runner *runner = slot->runner;

    downstream_stop(slot->down);
    pthread_mutex_lock(&runner->lock);
    while (slot->refs > 1)
        pthread_cond_wait(&runner->changed, &runner->lock);
    pthread_mutex_unlock(&runner->lock);
    downstream_close(slot->session, 0);
    pthread_mutex_lock(&runner->lock);
    for (struct slot **p = &runner->ending; *p; p = &(*p)->next)
        if (*p == slot) {
            *p = slot->next;
            break;
        }
    pthread_mutex_unlock(&runner->lock);
    slot_free(slot);
    pthread_mutex_lock(&runner->lock);
    runner->n_children--;
    pthread_cond_broadcast(&runner->changed);
    pthread_mutex_unlock(&runner->lock);
}

void slot_retire(struct slot *slot)
{
    struct runner *runner = slot->runner;
    struct slot **p = &runner->slots;

    while (*p && *p != slot)
        p = &(*p)->next;
    if (!*p)
        return;
    *p = slot->next;
    slot->next = runner->ending;
    runner->ending = slot;
    slot->gone = true;
    slot->closing = true;
    runner->n_slots--;
    if (!runner_spawn(runner, close_slot, slot))
        log_error("no thread to end the child of %s", slot->server);
}

/* With the lock held: whether there is room, made if need be. */
static bool make_room(struct runner *runner)
{
    struct slot *oldest = NULL;

    if (runner->n_slots < runner_config.max_children)
        return true;
    for (struct slot *slot = runner->slots; slot; slot = slot->next)
        if (slot->refs == 1 && (!oldest || slot->used_ms < oldest->used_ms))
            oldest = slot;
    if (oldest)
        slot_retire(oldest);
    return oldest != NULL;
}

static struct slot *find(struct runner *runner, const char *key)
{
    struct slot *slot = runner->slots;

    while (slot && strcmp(slot->key, key) != 0)
        slot = slot->next;
    if (slot)
        slot->refs++;
    return slot;
}

struct slot *slot_find(struct runner *runner, const char *key)
{
    pthread_mutex_lock(&runner->lock);
    struct slot *slot = find(runner, key);
    pthread_mutex_unlock(&runner->lock);
    return slot;
}

static bool holds(const struct slot *slot, const char *key)
{
    while (slot && strcmp(slot->key, key) != 0)
        slot = slot->next;
    return slot != NULL;
}

/* Until none of the key is ending, nor, if so wanted, in the table. */
static void await(struct runner *runner, const char *key, bool table, int64_t deadline_ms)
{
    pthread_mutex_lock(&runner->lock);
    while ((holds(runner->ending, key) || (table && holds(runner->slots, key))) &&
           clock_mono_ms() < deadline_ms) {
        struct timespec slice = clock_in_ms(AWAIT_MS);

        (void)pthread_cond_timedwait(&runner->changed, &runner->lock, &slice);
    }
    pthread_mutex_unlock(&runner->lock);
}

void slot_await_end(struct runner *runner, const char *key, int64_t deadline_ms)
{
    await(runner, key, true, deadline_ms);
}

/* With the lock held. */
static enum status add(struct runner *runner, struct slot *slot, struct error *err)
{
    if (runner->stopping) /* no MCP_ reason: another runner may do it */
        return error_set(err, ST_UNAVAILABLE, "This runner stops; another takes over.");
    if (!make_room(runner))
        return fault_set(err, slot->server, DOWNSTREAM_FAULT_BUSY,
                         "is not started: %d children run and none is idle",
                         (int)runner_config.max_children);
    slot->refs = 2;
    slot->next = runner->slots;
    runner->slots = slot;
    runner->n_slots++;
    runner->n_children++;
    return ST_OK;
}

enum status slot_get(struct runner *runner, const struct wanted *wanted, struct slot **ret_slot,
                     struct error *err)
{
    struct slot *made = NULL;
    enum status status = ST_OK;

    *ret_slot = slot_find(runner, wanted->key);
    if (*ret_slot)
        return ST_OK;
    /* Two at once would write the same files. */
    await(runner, wanted->key, false, clock_mono_ms() + ENDING_MS);
    TRY(slot_new(runner, wanted, &made, err));
    pthread_mutex_lock(&runner->lock);
    *ret_slot = find(runner, wanted->key); /* somebody was faster */
    if (!*ret_slot) {
        status = add(runner, made, err);
        if (status == ST_OK)
            *ret_slot = TAKE(made);
    }
    pthread_mutex_unlock(&runner->lock);
    if (made)
        slot_free(made);
    return status;
}

void slot_unref(struct slot *slot)
{
    struct runner *runner;

    if (!slot)
        return;
    runner = slot->runner;
    pthread_mutex_lock(&runner->lock);
    slot->refs--;
    if (slot->gone)
        pthread_cond_broadcast(&runner->changed);
    pthread_mutex_unlock(&runner->lock);
}

/* ---- start --------------------------------------------------------------------------- */

/* Until it may be started; false when that is too long. */
static bool wait_turn(struct slot *slot, int64_t deadline_ms, struct error *err)
{
    int64_t wait = program_wait_ms(slot);

    if (wait > PATIENCE_MS || clock_mono_ms() + wait >= deadline_ms) {
        (void)fault_set(err, slot->server, DOWNSTREAM_FAULT_CONNECT,
                        "ended again and again; it is started anew in %d s at the earliest",
                        (int)(wait / 1000) + 1);
        return false;
    }
    while (program_wait_ms(slot) > 0 && !slot->closing)
        (void)usleep(SLICE_MS * 1000);
    return true;
}

static void note_well(struct slot *slot)
{
    pthread_mutex_lock(&slot->runner->lock);
    struct entry *entry = registry_entry(slot->runner, slot->server);
    if (entry && entry->config == slot->config)
        entry->well = true;
    pthread_mutex_unlock(&slot->runner->lock);
}

static enum status start(struct slot *slot, int64_t deadline_ms,
                         struct downstream_session **ret_session, struct error *err)
{
    const struct downstream_session_options options = {.capabilities = slot->capabilities,
                                                       .on_message = heard_from,
                                                       .arg = slot,
                                                       .deadline_ms = deadline_ms};
    enum status status = ST_UNAVAILABLE;

    for (int i = 0; i < ATTEMPTS && !slot->closing; i++) {
        struct error why = {0};

        if (!wait_turn(slot, deadline_ms, i == 0 ? err : &why))
            break;
        error_clear(err);
        status = downstream_open(slot->down, &options, ret_session, err);
        if (status == ST_OK) {
            note_well(slot);
            if (wish_listen(slot, *ret_session, &why) != ST_OK)
                log_debug("%s", why.message);
            heard_start(slot);
            return ST_OK;
        }
        downstream_forget(slot->down);
        if (slot->hopeless || clock_mono_ms() >= deadline_ms)
            break;
    }
    if (err->status == ST_OK)
        return fault_set(err, slot->server, DOWNSTREAM_FAULT_CLOSED, "was taken away");
    return err->status;
}

static bool wait_until(struct slot *slot, int64_t deadline_ms)
{
    int64_t left = deadline_ms - clock_mono_ms();
    struct timespec until;

    if (left <= 0)
        return false;
    until = clock_in_ms(left);
    (void)pthread_cond_timedwait(&slot->changed, &slot->lock, &until);
    return true;
}

enum status slot_session(struct slot *slot, int64_t deadline_ms,
                         struct downstream_session **ret_session, struct error *err)
{
    struct downstream_session *session = NULL;
    enum status status;

    pthread_mutex_lock(&slot->lock);
    while (slot->starting)
        if (!wait_until(slot, deadline_ms)) {
            pthread_mutex_unlock(&slot->lock);
            return fault_set(err, slot->server, DOWNSTREAM_FAULT_TIMEOUT, "is still being started");
        }
    *ret_session = slot->session;
    slot->starting = !slot->session;
    pthread_mutex_unlock(&slot->lock);
    if (*ret_session)
        return ST_OK;
    status = start(slot, deadline_ms, &session, err);
    pthread_mutex_lock(&slot->lock);
    slot->session = session;
    slot->starting = false;
    pthread_cond_broadcast(&slot->changed);
    pthread_mutex_unlock(&slot->lock);
    *ret_session = session;
    return status;
}

/* ---- looking after them ---------------------------------------------------------------- */

static int64_t idle_ms(const struct runner *runner, const struct slot *slot)
{
    const struct entry *entry = registry_entry((struct runner *)(uintptr_t)runner, slot->server);
    const McpHealth__Policy *policy = entry ? entry->config->server->policy : NULL;

    return 1000 *
           (policy && policy->idle_stop_s > 0 ? policy->idle_stop_s : runner_config.idle_stop_s);
}

static bool look(struct runner *runner)
{
    int64_t now = clock_mono_ms();

    pthread_mutex_lock(&runner->lock);
    for (struct slot *slot = runner->slots, *next; slot; slot = next) {
        next = slot->next;
        program_look(slot);
        heard_settle(slot);
        if (slot->refs == 1 && now - slot->used_ms >= idle_ms(runner, slot)) {
            log_info("stopping the child of %s, which nobody needs", slot->server);
            slot_retire(slot);
        }
    }
    bool stopping = runner->stopping;
    pthread_mutex_unlock(&runner->lock);
    return !stopping;
}

void *slot_mind(void *arg)
{
    int64_t told_ms = clock_mono_ms();

    while (look(arg)) {
        if (clock_mono_ms() - told_ms >= TELL_MS) {
            told_ms = clock_mono_ms();
            tally_send(arg);
        }
        (void)usleep(MIND_MS * 1000);
    }
    tally_send(arg);
    return NULL;
}
