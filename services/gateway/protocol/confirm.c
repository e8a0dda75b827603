/* SPDX-License-Identifier: Apache-2.0 */
/* Confirmation: a question within a legacy call, or an input_required result
 * whose sealed state comes back with the answer. */
#include "confirm.h"

#include "answer.h"
#include "base/ids.h"
#include "base/log.h"
#include "mcp/seal.h"
#include "mcp_reply.h"
#include "progress.h"
#include "secrets.h"

#include "mal/gateway/v1/state.pb-c.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { DIGEST_SIZE = 32 };

static enum status refused(struct invocation *inv)
{
    error_clear(&inv->call.error);
    (void)call_fail_reason(&inv->call, ST_FAILED_PRECONDITION, "NOT_CONFIRMED",
                           "The user did not agree; nothing was changed.");
    call_hint(&inv->call, "again only if the user asks for it.");
    return ST_FAILED_PRECONDITION;
}

/* Nobody to ask: the model has to. */
static enum status ask_the_model(struct invocation *inv)
{
    call_hint(&inv->call, "ask the user, then call %s again with confirm: true.",
              inv->tool->rpc->tool_name);
    return ST_FAILED_PRECONDITION;
}

static void digest(struct invocation *inv, unsigned char out[DIGEST_SIZE])
{
    size_t len;
    const void *packed = wire_pack(inv->x->arena, inv->request, &len);

    (void)crypto_generichash(out, DIGEST_SIZE, packed, len, NULL, 0);
}

static void put_state(struct mcp *m, struct invocation *inv)
{
    Gateway__ConfirmState state = GATEWAY__CONFIRM_STATE__INIT;
    unsigned char hash[DIGEST_SIZE];
    char nonce[TOKEN_SIZE];
    size_t len;
    const void *packed;

    token_hex(nonce);
    digest(inv, hash);
    state.nonce = nonce;
    state.principal = m->x->who.id;
    state.tool = inv->tool->rpc->tool_name;
    state.digest.data = hash;
    state.digest.len = sizeof(hash);
    state.expires_ms =
        arena_printf(m->x->arena, "%" PRId64, m->x->now_ms + config.confirm_timeout_ms);
    packed = wire_pack(m->x->arena, &state.base, &len);
    strbuf_char(&m->out, '"');
    mcp_seal(&m->out, m->x->gw->secrets->state, packed, len);
    strbuf_char(&m->out, '"');
}

static void put_input_required(struct mcp *m, struct invocation *inv)
{
    strbuf_clear(&m->out);
    mcp_put_result_head(&m->out, &m->msg);
    strbuf_str(&m->out, "{\"resultType\":\"input_required\",\"inputRequests\":{\"confirm\":{"
                        "\"method\":\"elicitation/create\",\"params\":");
    answer_put_params(&m->out, inv->call.error.message, true);
    strbuf_str(&m->out, "}}");
    reply_key(m, "requestState");
    put_state(m, inv);
    reply_end(m, NULL);
}

/* NULL: the text is no state of ours, or not for this call. */
static const Gateway__ConfirmState *open_state(struct mcp *m, struct invocation *inv,
                                               const char *text)
{
    ProtobufCAllocator allocator = wire_allocator(m->x->arena);
    const Gateway__ConfirmState *state;
    unsigned char hash[DIGEST_SIZE];
    const void *data;
    size_t len;

    if (!mcp_unseal(m->x->arena, m->x->gw->secrets->state, text, &data, &len))
        return NULL;
    state = gateway__confirm_state__unpack(&allocator, len, data);
    digest(inv, hash);
    if (state == NULL || strcmp(state->principal, m->x->who.id) != 0 ||
        strcmp(state->tool, inv->tool->rpc->tool_name) != 0 || state->digest.len != sizeof(hash) ||
        sodium_memcmp(state->digest.data, hash, sizeof(hash)) != 0 ||
        strtoll(state->expires_ms, NULL, 10) < m->x->now_ms)
        return NULL;
    return state;
}

/* Makes the state void for others; ALREADY_EXISTS when it was. */
static enum status use_up(struct mcp *m, const Gateway__ConfirmState *state)
{
    enum status status = bus_kv_create(m->x->gw->once, state->nonce, "1", 1);

    if (status == ST_OK)
        return ST_OK;
    if (status == ST_ALREADY_EXISTS) {
        reply_error(m, MCP_INVALID_PARAMS, "requestState was used already; call anew without it");
        return ST_INVALID_ARGUMENT;
    }
    reply_error(m, MCP_INTERNAL_ERROR,
                "the confirmation could not be recorded; nothing was "
                "changed, call again");
    return ST_UNAVAILABLE;
}

/* What the retry says. Failed: a JSON-RPC error was written. */
static enum status resume(struct mcp *m, struct invocation *inv, enum answer *ret_answer)
{
    const struct json_node *responses = json_get(m->msg.json, m->msg.params, "inputResponses");
    const struct json_node *ours;
    const Gateway__ConfirmState *state;
    const char *text;

    *ret_answer = ANSWER_NONE;
    if (mcp_param(m, "requestState", &text) == PARAM_WRONG ||
        (responses != NULL && responses->type != JSON_T_OBJECT)) {
        reply_error(m, MCP_INVALID_PARAMS,
                    "requestState must be a string and inputResponses an object");
        return ST_INVALID_ARGUMENT;
    }
    if (text == NULL)
        return ST_OK;
    state = open_state(m, inv, text);
    if (state == NULL) {
        reply_error(m, MCP_INVALID_PARAMS,
                    "requestState is not valid for this call; call anew without it");
        return ST_INVALID_ARGUMENT;
    }
    ours = responses != NULL ? json_get(m->msg.json, responses, "confirm") : NULL;
    if (ours == NULL)
        return ST_OK;
    if (!answer_read(m->msg.json, ours, ret_answer)) {
        reply_error(m, MCP_INVALID_PARAMS, "inputResponses.confirm must be an ElicitResult");
        return ST_INVALID_ARGUMENT;
    }
    return *ret_answer == ANSWER_NONE ? ST_OK : use_up(m, state);
}

static enum status run(struct mcp *m, struct invocation *inv)
{
    struct progress *progress = progress_begin(m, inv->tool);
    enum status status = invocation_run(inv);

    progress_end(progress);
    return status;
}

static enum status ask_legacy(struct mcp *m, struct invocation *inv)
{
    const char *question = arena_strdup(m->x->arena, inv->call.error.message);

    /* A question holds its worker: most of them must stay free for others. */
    if (m->x->gw->waiting >= config.max_questions)
        return ask_the_model(inv);
    if (answer_ask(m, &inv->flight, question) != ANSWER_YES)
        return refused(inv);
    invocation_confirm(inv);
    return run(m, inv);
}

enum status confirm_run(struct mcp *m, struct invocation *inv, enum confirm *ret_answered)
{
    enum answer answer = ANSWER_NONE;
    enum status status = m->modern ? resume(m, inv, &answer) : ST_OK;

    *ret_answered = status == ST_OK ? CONFIRM_PENDING : CONFIRM_ANSWERED;
    if (status != ST_OK)
        return status;
    if (answer == ANSWER_NO)
        return refused(inv);
    if (answer == ANSWER_YES)
        invocation_confirm(inv);
    status = run(m, inv);
    if (!invocation_needs_confirmation(inv, status))
        return status;
    if (!m->client.form_elicitation)
        return ask_the_model(inv);
    if (!m->modern)
        return m->batch || !mcp_accepts(m->x, "text/event-stream") ? ask_the_model(inv)
                                                                   : ask_legacy(m, inv);
    put_input_required(m, inv);
    *ret_answered = CONFIRM_ASKED;
    return status;
}
