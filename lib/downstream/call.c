/* SPDX-License-Identifier: Apache-2.0 */
/* A call from its request to its answer, questions in between included. */
#include "downstream/internal.h"

#include "mcp/bridge.h"
#include "mcp/message.h"

#include <string.h>
#include <unistd.h>

enum { ROUNDS_MAX = 10, RETRY_MS = 250 };

static const struct json_node *moved(const struct json_node *node, const struct json_node *from,
                                     const struct json_node *to)
{
    return node != NULL ? to + (node - from) : NULL;
}

/* The last message with everything it points to. */
static void keep(struct arena *arena, const struct downstream_message *msg,
                 struct downstream_message *ret_msg)
{
    const struct json_node *old = msg->json.nodes;
    struct json_node *nodes = arena_alloc(arena, msg->json.n_nodes * sizeof(*nodes));

    memcpy(nodes, old, msg->json.n_nodes * sizeof(*nodes));
    *ret_msg = *msg;
    ret_msg->json.text = arena_memdup(arena, msg->json.text, (size_t)old->start + old->len);
    ret_msg->json.nodes = nodes;
    ret_msg->result = moved(msg->result, old, nodes);
    ret_msg->error = moved(msg->error, old, nodes);
}

/* A legacy server's question. */
static void answer(struct downstream_session *session, const struct downstream_talk *talk,
                   const struct downstream_message *msg)
{
    CLEANUP(strbuf_done) struct strbuf result = STRBUF_INIT;
    size_t len;
    const char *id = json_raw(&msg->json, msg->id, &len);

    if (talk != NULL && talk->ask != NULL &&
        talk->ask(msg->method, &msg->json, msg->params, &result, talk->arg))
        (void)!downstream_answer(session, id, len, strbuf_cstr(&result), NULL, NULL);
    else
        (void)!downstream_answer(session, id, len, NULL,
                                 "{\"code\":-32601,\"message\":\"nobody here can answer that\"}",
                                 NULL);
}

static enum status run(struct downstream_session *session, const struct downstream_request *request,
                       const struct downstream_talk *talk, struct arena *arena,
                       struct downstream_message *ret_last, struct error *err)
{
    struct downstream_exchange *x;
    struct downstream_message msg;
    enum status status;

    TRY(downstream_begin(session, request, &x, err));
    for (;;) {
        status = downstream_next(x, -1, &msg, err);
        if (status != ST_OK || msg.kind == DOWNSTREAM_RESULT || msg.kind == DOWNSTREAM_ERROR)
            break;
        if (msg.kind == DOWNSTREAM_REQUEST)
            answer(session, talk, &msg);
        else if (talk != NULL && talk->on_message != NULL)
            talk->on_message(&msg, talk->arg);
    }
    if (status == ST_OK)
        keep(arena, &msg, ret_last);
    downstream_end(x);
    return status;
}

/* ---- multi-round-trip requests --------------------------------------------------- */

static enum status cannot(struct downstream_session *session, const char *what, struct error *err)
{
    return fault_set(err, session->server->id, DOWNSTREAM_FAULT_PROTOCOL, "%s", what);
}

/* Answers of all inputRequests as one object. */
static enum status answer_all(struct downstream_session *session,
                              const struct downstream_talk *talk,
                              const struct downstream_message *msg, struct strbuf *out,
                              struct error *err)
{
    const struct json *json = &msg->json;
    const struct json_node *requests = json_get(json, msg->result, "inputRequests"), *key;

    strbuf_char(out, '{');
    key = requests != NULL ? json_first(requests) : NULL;
    for (uint32_t i = 0; requests != NULL && requests->type == JSON_T_OBJECT && i < requests->count;
         i++, key = json_next(json_next(key))) {
        CLEANUP(arena_done) struct arena arena = {0};
        CLEANUP(strbuf_done) struct strbuf result = STRBUF_INIT;
        const char *method = json_text(&arena, json, json_get(json, json_next(key), "method"));
        const char *raw;
        size_t len;

        if (method == NULL)
            return cannot(session, "asks for something without saying what", err);
        if (!talk->ask(method, json, json_get(json, json_next(key), "params"), &result, talk->arg))
            return cannot(session, "asks for something that nobody here can give", err);
        raw = json_raw(json, key, &len);
        if (i > 0)
            strbuf_char(out, ',');
        strbuf_add(out, raw, len);
        strbuf_char(out, ':');
        strbuf_add(out, result.data, result.len);
    }
    strbuf_char(out, '}');
    return ST_OK;
}

/* The params of the next round. */
static enum status put_round(struct downstream_session *session,
                             const struct downstream_request *request,
                             const struct downstream_talk *talk,
                             const struct downstream_message *msg, struct strbuf *out,
                             struct error *err)
{
    CLEANUP(strbuf_done) struct strbuf answers = STRBUF_INIT;
    CLEANUP(arena_done) struct arena arena = {0};
    const struct json_node *state = json_get(&msg->json, msg->result, "requestState");
    const struct json_node *params = request->params;
    const struct json *json = request->json;
    const char *raw = NULL;
    struct json parsed;
    size_t len = 0;

    TRY(answer_all(session, talk, msg, &answers, err));
    if (params == NULL && request->params_text != NULL) {
        TRY(json_parse(&arena, request->params_text, strlen(request->params_text), NULL, &parsed,
                       err));
        json = &parsed;
        params = parsed.nodes;
    }
    if (state != NULL)
        raw = json_raw(&msg->json, state, &len);
    bridge_put_retry(out, json, params, answers.data, raw, len);
    return ST_OK;
}

static bool wants_input(const struct downstream_message *msg)
{
    return msg->kind == DOWNSTREAM_RESULT && msg->version == MCP_2026_07_28 &&
           json_is(&msg->json, json_get(&msg->json, msg->result, "resultType"), "input_required");
}

enum status downstream_call(struct downstream_session *session,
                            const struct downstream_request *request,
                            const struct downstream_talk *talk, struct arena *arena,
                            struct downstream_message *ret_last, struct error *err)
{
    struct downstream_request again = *request;

    TRY(run(session, request, talk, arena, ret_last, err));
    for (int round = 1; talk != NULL && talk->ask != NULL && wants_input(ret_last); round++) {
        CLEANUP(strbuf_done) struct strbuf params = STRBUF_INIT;

        if (round > ROUNDS_MAX)
            return cannot(session, "does not stop asking", err);
        TRY(put_round(session, request, talk, ret_last, &params, err));
        if (json_get(&ret_last->json, ret_last->result, "inputRequests") == NULL)
            (void)usleep(RETRY_MS * 1000);
        again.json = NULL;
        again.params = NULL;
        again.params_text = params.data;
        TRY(run(session, &again, talk, arena, ret_last, err));
    }
    return ST_OK;
}
