/* SPDX-License-Identifier: Apache-2.0 */
/* What downstream servers ask: of older callers on the stream of their call, of
 * modern ones by parking the exchange. */
#include "asking.h"
#include "base/clock.h"
#include "links.h"
#include "mcp_reply.h"
#include "park.h"
#include "pass.h"

#include <string.h>

#define NOT_DECLARED                                                                               \
    "{\"code\":-32601,\"message\":\"the client did not declare that it can be asked this\"}"
#define NOBODY "{\"code\":-32603,\"message\":\"the client cannot be asked at the moment\"}"
#define OVER "{\"code\":-32603,\"message\":\"the call that this was asked for is over\"}"
#define NO_ANSWER "{\"code\":-32603,\"message\":\"the client did not answer in time\"}"

/* ---- open questions of an older server ---------------------------------------------------- */

static struct pass_question *find(struct pass *pass, unsigned number)
{
    for (size_t i = 0; i < PASS_QUESTIONS; i++)
        if (pass->questions[i].number == number)
            return &pass->questions[i];
    return NULL;
}

static bool any_open(const struct pass *pass)
{
    for (size_t i = 0; i < PASS_QUESTIONS; i++)
        if (pass->questions[i].number != 0)
            return true;
    return false;
}

/* Whether the question may be asked on another call of the session just as well. */
static bool is_anyones(const struct pass *pass, const struct downstream_message *msg)
{
    const struct link *link = pass->relay.line->link;

    return msg->unrelated && link != NULL && link->share != NULL &&
           pass->relay.caller_session != NULL;
}

/* It cannot be asked here, or not any more: another call of the session, maybe at
 * another copy, takes it, or it is refused. */
static void hand_on(struct pass *pass, const char *json, size_t len)
{
    if (pass->relay.line != NULL)
        downstream_shun(pass->relay.line->exchange);
    links_asked(pass->m->x->gw->links, pass->server->config->id, pass->relay.caller_session, json,
                len);
}

static void refuse(struct pass *pass, const struct downstream_message *msg, const char *error)
{
    size_t len;
    const char *raw;

    if (!is_anyones(pass, msg)) {
        relay_answer(&pass->relay, msg, NULL, error);
        return;
    }
    raw = json_raw(&msg->json, msg->json.nodes, &len);
    hand_on(pass, raw, len);
}

/* The time that the server has begins anew when nothing is open. */
static void close_question(struct pass *pass, struct pass_question *question)
{
    question->number = 0;
    if (!any_open(pass))
        relay_extend(&pass->relay, clock_mono_ms() + pass->timeout_ms);
}

bool pass_ready_to_ask(struct pass *pass)
{
    struct mcp *m = pass->m;

    if (pass->asking == NULL && m->x->gw->waiting < config.max_questions)
        pass->asking = asking_begin(m);
    return pass->asking != NULL;
}

void pass_put_member(struct strbuf *out, const struct json *json, const struct json_node *key,
                     const char *name, const char *value)
{
    if (out->data[out->len - 1] != '{')
        strbuf_char(out, ',');
    if (key != NULL)
        json_put_node(out, json, key);
    else
        strbuf_printf(out, "\"%s\"", name);
    strbuf_printf(out, ":%s", value);
}

/* The object with another value of one of its members. */
static const char *with_member(struct pass *pass, const struct json *json,
                               const struct json_node *object, const char *name, const char *value)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

    strbuf_char(&out, '{');
    for (const struct json_node *key = json_first(object); key < object + object->span;
         key = json_next(json_next(key))) {
        size_t len;
        const char *raw = json_raw(json, json_next(key), &len);

        if (!json_is(json, key, name))
            pass_put_member(&out, json, key, NULL, arena_memdup(pass->m->x->arena, raw, len));
    }
    pass_put_member(&out, json, NULL, name, value);
    strbuf_char(&out, '}');
    return arena_memdup(pass->m->x->arena, out.data, out.len);
}

/* The server's params for a client of its own revision; its token for progress is
 * replaced by ours. */
static const char *same_params(struct pass *pass, const struct downstream_message *msg,
                               struct pass_question *question)
{
    const struct json_node *meta, *token;
    const char *raw;
    size_t len;

    if (msg->params == NULL)
        return "{}";
    meta = json_get(&msg->json, msg->params, "_meta");
    token = meta != NULL ? json_get(&msg->json, meta, "progressToken") : NULL;
    if (token == NULL) {
        raw = json_raw(&msg->json, msg->params, &len);
        return arena_memdup(pass->m->x->arena, raw, len);
    }
    raw = json_raw(&msg->json, token, &question->token_len);
    question->token = arena_memdup(pass->m->x->arena, raw, question->token_len);
    return with_member(pass, &msg->json, msg->params, "_meta",
                       with_member(pass, &msg->json, meta, "progressToken",
                                   asking_id(pass->asking, asking_number(pass->asking))));
}

/* "method":…,"params":… for the caller; false when its revision has no such words. */
static bool put_members(struct pass *pass, struct strbuf *out, const struct downstream_message *msg,
                        struct pass_question *question)
{
    const struct bridge bridge = pass_bridge(pass, msg->version);
    CLEANUP(strbuf_done) struct strbuf entry = STRBUF_INIT;
    const char *params = same_params(pass, msg, question), *id;
    struct json json;

    strbuf_str(&entry, "\"method\":");
    json_put_string(&entry, msg->method);
    strbuf_str(&entry, ",\"params\":");
    json_put_compact(&entry, params, strlen(params));
    if (bridge.server == bridge.caller) {
        strbuf_add(out, entry.data, entry.len);
        return true;
    }
    params = arena_printf(pass->m->x->arena, "{%s}", entry.data);
    if (json_parse(pass->m->x->arena, params, strlen(params), &(struct json_limits){.loose = true},
                   &json, NULL) != ST_OK)
        return false;
    id = json_text(pass->m->x->arena, &msg->json,
                   json_get(&msg->json, msg->params, "elicitationId"));
    return bridge_put_question(out, &bridge, &json, json.nodes, id != NULL ? id : "");
}

static void ask_older(struct pass *pass, const struct downstream_message *msg)
{
    struct pass_question *question = find(pass, 0), made = {0};
    CLEANUP(strbuf_done) struct strbuf members = STRBUF_INIT;
    int64_t now = clock_mono_ms();
    const char *id;

    if (question == NULL || !pass_ready_to_ask(pass)) {
        refuse(pass, msg, NOBODY);
        return;
    }
    if (!put_members(pass, &members, msg, &made)) {
        refuse(pass, msg, NOT_DECLARED);
        return;
    }
    made.number = asking_number(pass->asking);
    made.until_ms = now + config.confirm_timeout_ms;
    id = json_raw(&msg->json, msg->id, &made.id_len);
    made.id = arena_memdup(pass->m->x->arena, id, made.id_len);
    if (!asking_put(pass->asking, members.data, members.len)) {
        refuse(pass, msg, NOBODY);
        return;
    }
    if (is_anyones(pass, msg)) {
        id = json_raw(&msg->json, msg->json.nodes, &made.json_len);
        made.json = arena_memdup(pass->m->x->arena, id, made.json_len);
    }
    *question = made;
    relay_extend(&pass->relay, made.until_ms + pass->timeout_ms);
    pass->relay.quiet_ms = 0;
}

void pass_asked(struct pass *pass, const struct downstream_message *msg)
{
    struct mcp *m = pass->m;

    if (pass->caps == NULL ||
        !bridge_may_ask(&pass->caps_json, pass->caps, msg->method, &msg->json, msg->params))
        refuse(pass, msg, NOT_DECLARED);
    else if (!m->modern)
        ask_older(pass, msg);
    else if (!pass_askable(m) || !park(pass, msg))
        refuse(pass, msg, NOBODY);
}

void pass_withdrawn(struct pass *pass, const struct downstream_message *msg)
{
    const struct json_node *id = json_get(&msg->json, msg->params, "requestId");
    const char *raw;
    size_t len;

    if (id == NULL)
        return;
    raw = json_raw(&msg->json, id, &len);
    for (size_t i = 0; i < PASS_QUESTIONS; i++) {
        struct pass_question *question = &pass->questions[i];

        if (question->number == 0 || question->id_len != len || memcmp(question->id, raw, len) != 0)
            continue;
        asking_withdraw(pass->asking, question->number);
        close_question(pass, question);
    }
}

/* ---- their answers -------------------------------------------------------------------------- */

static void pass_progress(struct pass *pass, const struct pass_question *question,
                          const char *params)
{
    struct json json;

    if (question->token == NULL ||
        json_parse(pass->m->x->arena, params, strlen(params), &(struct json_limits){.loose = true},
                   &json, NULL) != ST_OK ||
        json.nodes->type != JSON_T_OBJECT)
        return;
    params = with_member(pass, &json, json.nodes, "progressToken",
                         arena_memdup(pass->m->x->arena, question->token, question->token_len));
    line_progress(pass->relay.line, params);
}

/* Those whose time is over end; the others are still open. */
static void expire(struct pass *pass)
{
    int64_t now = clock_mono_ms();

    for (size_t i = 0; i < PASS_QUESTIONS; i++) {
        struct pass_question *question = &pass->questions[i];

        if (question->number != 0 && question->json != NULL && now >= question->hold_ms) {
            question->hold_ms = now + LINKS_HOLD_EVERY_MS;
            links_hold(pass->m->x->gw->links, pass->relay.caller_session);
        }
        if (question->number == 0 || now < question->until_ms)
            continue;
        asking_withdraw(pass->asking, question->number);
        line_answer(pass->relay.line, question->id, question->id_len, NULL, NO_ANSWER);
        close_question(pass, question);
    }
}

/* Nobody is there any more who could answer on this call. */
static void give_up(struct pass *pass)
{
    for (size_t i = 0; i < PASS_QUESTIONS; i++) {
        struct pass_question *question = &pass->questions[i];

        if (question->number == 0)
            continue;
        if (question->json != NULL)
            hand_on(pass, question->json, question->json_len);
        else
            line_answer(pass->relay.line, question->id, question->id_len, NULL, NOBODY);
        close_question(pass, question);
    }
}

bool pass_look(struct pass *pass, int wait_ms)
{
    struct pass_question *question;
    struct asked asked;

    if (!any_open(pass))
        return false;
    if (asking_next(pass->asking, wait_ms, &asked)) {
        question = asked.number != 0 ? find(pass, asked.number) : NULL;
        if (question != NULL && asked.progress != NULL) {
            pass_progress(pass, question, asked.progress);
        } else if (question != NULL) {
            line_answer(pass->relay.line, question->id, question->id_len, asked.result,
                        asked.error);
            close_question(pass, question);
        }
    } else if (pass->m->x->gw->stopping || http_client_gone(pass->m->x->req)) {
        give_up(pass);
    }
    expire(pass);
    return any_open(pass);
}

void pass_ask_over(struct relay *relay)
{
    struct pass *pass = relay->arg;

    for (size_t i = 0; i < PASS_QUESTIONS; i++) {
        struct pass_question *question = &pass->questions[i];

        if (question->number == 0 || question->json != NULL)
            continue;
        asking_withdraw(pass->asking, question->number);
        line_answer(relay->line, question->id, question->id_len, NULL, OVER);
        question->number = 0;
    }
}

void pass_ask_end(struct pass *pass)
{
    for (size_t i = 0; i < PASS_QUESTIONS; i++) {
        struct pass_question *question = &pass->questions[i];

        if (question->number == 0)
            continue;
        asking_withdraw(pass->asking, question->number);
        /* This call was answered without: another one waits for it. */
        if (question->json != NULL)
            hand_on(pass, question->json, question->json_len);
        question->number = 0;
    }
    asking_end(TAKE(pass->asking));
}
