/* SPDX-License-Identifier: Apache-2.0 */
/* Asking for confirmation on a stream. */
#include "answer.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "mcp_reply.h"

#include <string.h>
#include <time.h>

enum { KEEPALIVE_MS = 15000, POLL_MS = 250, ANSWER_MAX = 4 << 20 };

void answer_put_params(struct strbuf *out, const char *question, bool with_mode)
{
    strbuf_str(out, "{");
    if (with_mode)
        strbuf_str(out, "\"mode\":\"form\",");
    strbuf_str(out, "\"message\":");
    json_put_string(out, question);
    strbuf_str(out, ",\"requestedSchema\":{\"type\":\"object\",\"properties\":{\"confirm\":{"
                    "\"type\":\"boolean\",\"title\":\"Go ahead\",\"description\":"
                    "\"Whether to do exactly this.\"}},\"required\":[\"confirm\"]}}");
}

bool answer_read(const struct json *json, const struct json_node *result, enum answer *ret_answer)
{
    const struct json_node *action, *confirm;

    if (result == NULL || result->type != JSON_T_OBJECT)
        return false;
    action = json_get(json, result, "action");
    if (json_is(json, action, "decline") || json_is(json, action, "cancel")) {
        *ret_answer = ANSWER_NO;
        return true;
    }
    if (!json_is(json, action, "accept"))
        return false;
    confirm = json_path(json, result, "content", "confirm", NULL);
    *ret_answer = ANSWER_NONE;
    if (confirm != NULL && confirm->type == JSON_T_TRUE)
        *ret_answer = ANSWER_YES;
    if (confirm != NULL && confirm->type == JSON_T_FALSE)
        *ret_answer = ANSWER_NO;
    return true;
}

const char *answer_subject(struct arena *arena, const char *session, const char *id)
{
    return arena_printf(arena, "mal.gateway.v1.answer.%s.%s", session, id);
}

bool answer_listen(struct bus *bus, const char *subject, struct bus_sub **ret_sub)
{
    if (bus_subscribe_sync(bus, subject, ret_sub) != ST_OK)
        return false;
    if (bus_check(bus, NULL) == ST_OK)
        return true;
    bus_sub_free(TAKE(*ret_sub));
    return false;
}

/* A UUID; of questions of downstream servers with a number behind it. */
static bool is_ours(const char *id)
{
    char uuid[UUID_SIZE];
    size_t digits;

    if (strlen(id) < UUID_SIZE - 1)
        return false;
    (void)snprintf(uuid, sizeof(uuid), "%s", id);
    id += UUID_SIZE - 1;
    digits = *id == '.' ? strspn(id + 1, "0123456789") : 0;
    return uuid_valid(uuid) &&
           (*id == '\0' || (digits > 0 && digits < 4 && id[1 + digits] == '\0'));
}

void answer_deliver(struct gateway *gw, struct arena *arena, const char *session, const char *id,
                    const struct mcp_message *msg)
{
    const char *raw;
    size_t len;

    if (!is_ours(id))
        return; /* no question of ours */
    raw = json_raw(msg->json, msg->root, &len);
    if (len > ANSWER_MAX ||
        bus_publish(gw->bus, answer_subject(arena, session, id), NULL, raw, len) != ST_OK)
        log_warn("a client's answer could not be passed on");
}

static enum answer read_message(struct mcp *m, const char *text, size_t len)
{
    struct json json;
    enum answer answer;

    if (text == NULL || json_parse(m->x->arena, text, len, NULL, &json, NULL) != ST_OK ||
        !answer_read(&json, json_get(&json, json.nodes, "result"), &answer))
        return ANSWER_NONE;
    return answer;
}

/* Without the bus bus_sub_next returns at once. */
static void pause_poll(void)
{
    const struct timespec poll = {.tv_nsec = POLL_MS * 1000000L};

    (void)nanosleep(&poll, NULL);
}

/* The client's message in the arena; NULL when it left, cancelled or took too long. */
static const char *wait(struct mcp *m, const struct flight *flight, struct bus_sub *sub,
                        size_t *ret_len)
{
    int64_t now = clock_mono_ms(), until = now + config.confirm_timeout_ms;
    int64_t comment = now + KEEPALIVE_MS;
    struct bus_message msg;
    const char *text;
    enum status status;

    while (now < until && !m->x->gw->stopping && !flight->cancelled) {
        status = bus_sub_next(sub, POLL_MS, &msg);
        if (status == ST_OK) {
            text = arena_memdup(m->x->arena, msg.data, msg.len);
            *ret_len = msg.len;
            bus_message_release(&msg);
            return text;
        }
        if (status != ST_DEADLINE_EXCEEDED)
            pause_poll();
        now = clock_mono_ms();
        if (http_client_gone(m->x->req))
            return NULL;
        if (now >= comment) {
            if (http_sse_comment(m->x->req) != ST_OK)
                return NULL;
            comment = now + KEEPALIVE_MS;
        }
    }
    return NULL;
}

enum answer answer_ask(struct mcp *m, struct flight *flight, const char *question)
{
    CLEANUP(strbuf_done) struct strbuf message = STRBUF_INIT;
    char id[UUID_SIZE];
    struct bus_sub *sub;
    enum answer answer;
    const char *text = NULL;
    size_t len = 0;

    uuid_v4(id);
    strbuf_printf(&message,
                  "{\"jsonrpc\":\"2.0\",\"id\":\"%s\",\"method\":\"elicitation/create\","
                  "\"params\":",
                  id);
    answer_put_params(&message, question, m->version >= MCP_2025_11_25);
    strbuf_char(&message, '}');
    if (!answer_listen(m->x->gw->bus, answer_subject(m->x->arena, m->session->hash, id), &sub))
        return ANSWER_NONE;
    m->x->gw->waiting++;
    inflight_begin(m->x->gw->inflight, flight);
    if (mcp_stream(m) && http_sse_event(m->x->req, NULL, message.data, message.len) == ST_OK)
        text = wait(m, flight, sub, &len);
    answer = read_message(m, text, len);
    inflight_end(m->x->gw->inflight, flight);
    m->x->gw->waiting--;
    bus_sub_free(sub);
    return answer;
}
