/* SPDX-License-Identifier: Apache-2.0 */
/* A modern server made a task of an older caller's call, which knows no tasks: it is
 * looked at until it is done, and its result is the call's. */
#include "base/clock.h"
#include "base/log.h"
#include "mcp/message.h"
#include "pass.h"

#include <string.h>
#include <time.h>

enum { POLL_MS = 1000, POLL_MIN_MS = 50, POLL_MAX_MS = 10000, SLICE_MS = 50, CANCEL_MS = 5000 };

/* As long as the server wants, unless the caller cancels. */
static void wait_for(const struct pass *pass, int64_t ms)
{
    const struct timespec slice = {.tv_nsec = SLICE_MS * 1000000L};
    int64_t until = clock_mono_ms() + ms;

    while (clock_mono_ms() < until && !pass->flight.cancelled && !pass->m->x->gw->stopping)
        (void)nanosleep(&slice, NULL);
}

static void ask_about(struct pass *pass, const char *method, const char *task)
{
    CLEANUP(strbuf_done) struct strbuf params = STRBUF_INIT;
    struct downstream_request *request = &pass->relay.request;

    strbuf_char(&params, '{');
    mcp_put_member(&params, "taskId", task);
    strbuf_char(&params, '}');
    request->method = method;
    request->target = NULL;
    request->json = NULL;
    request->params = NULL;
    request->params_text = arena_memdup(pass->m->x->arena, params.data, params.len);
}

static void look_again(struct pass *pass, const struct downstream_message *msg, const char *task)
{
    int64_t ms = POLL_MS;

    (void)json_int(&msg->json, json_get(&msg->json, msg->result, "pollIntervalMs"), &ms);
    wait_for(pass, ms < POLL_MIN_MS ? POLL_MIN_MS : ms > POLL_MAX_MS ? POLL_MAX_MS : ms);
    ask_about(pass, "tasks/get", task);
    pass->again = true;
}

static void ignored(struct relay *relay, const struct downstream_message *msg)
{
    (void)relay;
    (void)msg;
}

void pass_task_cancel(struct pass *pass)
{
    struct flight flight = {.request_id = pass->m->x->request_id};
    struct error err = {0};

    ask_about(pass, "tasks/cancel", TAKE(pass->task));
    pass->relay.flight = &flight;
    pass->relay.heard = ignored;
    pass->relay.answered = ignored;
    pass->relay.quiet = NULL;
    pass->relay.over = NULL;
    pass->relay.request.deadline_ms = clock_mono_ms() + CANCEL_MS;
    if (relay_run(&pass->relay, &err) != ST_OK)
        log_debug("a task could not be cancelled: %s", err.message);
}

void pass_task(struct pass *pass, const struct downstream_message *msg)
{
    const struct json *json = &msg->json;
    const struct json_node *status = json_get(json, msg->result, "status");
    const char *task = json_text(pass->m->x->arena, json, json_get(json, msg->result, "taskId"));
    struct downstream_message last = *msg;
    bool stopping = pass->m->x->gw->stopping;

    /* Who gives up has to say so. */
    pass->task =
        json_is(json, status, "working") || json_is(json, status, "input_required") ? task : NULL;
    if (pass->task_until_ms == 0)
        pass->task_until_ms = clock_mono_ms() + pass->timeout_ms;
    if (json_is(json, status, "completed") &&
        (last.result = json_get(json, msg->result, "result")) != NULL) {
        pass_answer(pass, &last);
    } else if (json_is(json, status, "failed") &&
               (last.error = json_get(json, msg->result, "error")) != NULL) {
        last.kind = DOWNSTREAM_ERROR;
        (void)json_int(json, json_get(json, last.error, "code"), &last.code);
        pass_answer(pass, &last);
    } else if (json_is(json, status, "working") && task != NULL &&
               clock_mono_ms() < pass->task_until_ms && !stopping) {
        look_again(pass, msg, task);
    } else if (json_is(json, status, "working") && stopping) {
        pass_broken(pass, DOWNSTREAM_FAULT_CLOSED,
                    "still works on its task, but this gateway stops; what becomes of it is not "
                    "known here");
    } else if (json_is(json, status, "working")) {
        pass_broken(pass, DOWNSTREAM_FAULT_TIMEOUT, "has not finished the task in time");
    } else if (json_is(json, status, "cancelled")) {
        pass_words(pass, "The server cancelled the task.");
    } else if (json_is(json, status, "input_required")) {
        pass_words(pass, "The server's task asks for something that this client cannot be asked.");
    } else {
        pass_broken(pass, DOWNSTREAM_FAULT_PROTOCOL, "made a task whose state says nothing");
    }
}
