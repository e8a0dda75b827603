/* SPDX-License-Identifier: Apache-2.0 */
/* requestState of calls that ask a modern caller: sealed, bound to who asked for
 * what, and of which server. */
#include "mcp/seal.h"
#include "mcp_reply.h"
#include "pass.h"
#include "secrets.h"
#include "wire/codec.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { DIGEST_SIZE = 32 };

static void digest(const struct pass *pass, unsigned char out[DIGEST_SIZE])
{
    static const char *const salient[] = {"name", "uri", "arguments"};
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
    struct mcp *m = pass->m;

    strbuf_printf(&text, "%s\n%s\n", m->x->endpoint != NULL ? m->x->endpoint : "", m->msg.method);
    for (size_t i = 0; i < ARRAY_SIZE(salient); i++) {
        const struct json_node *node = json_get(m->msg.json, m->msg.params, salient[i]);

        strbuf_printf(&text, "%s ", salient[i]);
        if (node != NULL)
            json_put_node(&text, m->msg.json, node);
        strbuf_char(&text, '\n');
    }
    (void)crypto_generichash(out, DIGEST_SIZE, (const unsigned char *)text.data, text.len, NULL, 0);
}

const char *pass_seal(struct pass *pass, Gateway__BridgeState *state)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    struct exchange *x = pass->m->x;
    unsigned char hash[DIGEST_SIZE];
    const void *packed;
    size_t len;

    digest(pass, hash);
    state->principal = x->who.id;
    state->server = pass->server->config->id;
    state->digest.data = hash;
    state->digest.len = sizeof(hash);
    state->expires_ms = arena_printf(x->arena, "%" PRId64, x->now_ms + config.confirm_timeout_ms);
    packed = wire_pack(x->arena, &state->base, &len);
    mcp_seal(&out, x->gw->secrets->state, packed, len);
    return arena_memdup(x->arena, out.data, out.len);
}

/* NULL: no state of ours, or not for this request. */
static const Gateway__BridgeState *open_state(const struct pass *pass, const char *text)
{
    struct exchange *x = pass->m->x;
    ProtobufCAllocator allocator = wire_allocator(x->arena);
    const Gateway__BridgeState *state;
    unsigned char hash[DIGEST_SIZE];
    const void *data;
    size_t len;

    if (!mcp_unseal(x->arena, x->gw->secrets->state, text, &data, &len))
        return NULL;
    state = gateway__bridge_state__unpack(&allocator, len, data);
    digest(pass, hash);
    if (state == NULL || state->kind == GATEWAY__BRIDGE_STATE_KIND__BRIDGE_STATE_KIND_UNSPECIFIED ||
        strcmp(state->principal, x->who.id) != 0 ||
        strcmp(state->server, pass->server->config->id) != 0 || state->digest.len != sizeof(hash) ||
        sodium_memcmp(state->digest.data, hash, sizeof(hash)) != 0 ||
        strtoll(state->expires_ms, NULL, 10) < x->now_ms)
        return NULL;
    return state;
}

/* An object of objects, or not there. */
static bool responses_ok(const struct json_node *responses)
{
    if (responses == NULL)
        return true;
    if (responses->type != JSON_T_OBJECT)
        return false;
    for (const struct json_node *key = json_first(responses); key < responses + responses->span;
         key = json_next(json_next(key)))
        if (json_next(key)->type != JSON_T_OBJECT)
            return false;
    return true;
}

/* Whether every URL was opened. */
static bool all_accepted(const struct json *json, const struct json_node *responses)
{
    if (responses == NULL || responses->count == 0)
        return false;
    for (const struct json_node *key = json_first(responses); key < responses + responses->span;
         key = json_next(json_next(key)))
        if (!json_is(json, json_get(json, json_next(key), "action"), "accept"))
            return false;
    return true;
}

bool pass_unseal(struct pass *pass, const Gateway__BridgeState **ret_state)
{
    struct mcp *m = pass->m;
    const struct json_node *responses;
    const char *text;

    *ret_state = NULL;
    if (!m->modern || !pass_askable(m))
        return true;
    responses = json_get(m->msg.json, m->msg.params, "inputResponses");
    if (mcp_param(m, "requestState", &text) == PARAM_WRONG || !responses_ok(responses)) {
        reply_error(m, MCP_INVALID_PARAMS,
                    "requestState must be a string and inputResponses an object of results");
        return false;
    }
    if (text == NULL)
        return true;
    *ret_state = open_state(pass, text);
    if (*ret_state == NULL) {
        reply_error(m, MCP_INVALID_PARAMS,
                    "requestState is not valid for this request; send it anew without");
        return false;
    }
    if ((*ret_state)->kind == GATEWAY__BRIDGE_STATE_KIND__BRIDGE_STATE_KIND_URLS &&
        !all_accepted(m->msg.json, responses)) {
        pass_words(pass, "The user did not open the URL that this needs.");
        return false;
    }
    return true;
}

void pass_put_params(struct pass *pass, const Gateway__BridgeState *state)
{
    CLEANUP(strbuf_done) struct strbuf own = STRBUF_INIT;
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    struct downstream_request *request = &pass->relay.request;
    const struct bridge bridge = pass_bridge(pass, MCP_UNKNOWN);
    struct mcp *m = pass->m;
    const struct json_node *responses;
    size_t len;

    if (state == NULL && bridge.server == bridge.caller) {
        request->json = m->msg.json;
        request->params = m->msg.params;
        return;
    }
    if (state == NULL || state->kind != GATEWAY__BRIDGE_STATE_KIND__BRIDGE_STATE_KIND_SERVER) {
        bridge_put_params(&out, &bridge, m->msg.method, m->msg.json, m->msg.params);
    } else {
        const char *answers = NULL;

        responses = json_get(m->msg.json, m->msg.params, "inputResponses");
        if (responses != NULL) {
            answers = json_raw(m->msg.json, responses, &len);
            answers = arena_memdup(m->x->arena, answers, len);
        }
        if (state->has_state)
            json_put_string(&own, state->state);
        bridge_put_retry(&out, m->msg.json, m->msg.params, answers,
                         state->has_state ? own.data : NULL, own.len);
    }
    request->params_text = arena_memdup(m->x->arena, out.data, out.len);
}
