/* SPDX-License-Identifier: Apache-2.0 */
/* The first words with a server. What a probe brings is read as the
 * specification says; doubts never become a verdict. */
#include "downstream/probe.h"

#include "base/log.h"
#include "downstream/pipe.h"
#include "mcp/era.h"
#include "mcp/message.h"

#include <stdlib.h>
#include <string.h>

/* Pulls until the last message; the exchange still has to be ended. */
static enum status finish(struct downstream_exchange *x, struct downstream_message *msg,
                          struct error *err)
{
    do {
        TRY(downstream_next(x, -1, msg, err));
    } while (msg->kind != DOWNSTREAM_RESULT && msg->kind != DOWNSTREAM_ERROR);
    return ST_OK;
}

static char *raw_copy(const struct json *json, const struct json_node *node,
                      enum json_type expected)
{
    struct strbuf text = STRBUF_INIT;
    const char *raw;
    size_t len;

    if (node == NULL || node->type != expected)
        return NULL;
    raw = json_raw(json, node, &len);
    json_put_compact(&text, raw, len);
    return strbuf_take(&text);
}

static char *text_copy(const struct json *json, const struct json_node *node)
{
    struct arena arena = {0};
    const char *text = json_text(&arena, json, node);
    char *copy = text != NULL ? strdup(text) : NULL;

    if (text != NULL && copy == NULL)
        abort();
    arena_done(&arena);
    return copy;
}

static struct facts *read_facts(const struct downstream_message *msg, enum mcp_version version)
{
    const struct json *json = &msg->json;
    const struct json_node *result = msg->result;
    const struct json_node *info = json_get(json, result, "serverInfo");
    struct facts *facts = facts_new();

    if (version == MCP_2026_07_28)
        info = json_get(json, json_get(json, result, "_meta"), MCP_META_SERVER);
    facts->version = version;
    facts->capabilities = raw_copy(json, json_get(json, result, "capabilities"), JSON_T_OBJECT);
    facts->server_info = raw_copy(json, info, JSON_T_OBJECT);
    facts->instructions = text_copy(json, json_get(json, result, "instructions"));
    if (!json_int(json, json_get(json, result, "ttlMs"), &facts->ttl_ms) || facts->ttl_ms < 0)
        facts->ttl_ms = 0;
    return facts;
}

/* ---- server/discover ---------------------------------------------------------------- */

/* Revisions in an array of texts. */
struct offer {
    bool is_list, modern, legacy;
};

static struct offer read_offer(const struct json *json, const struct json_node *list)
{
    struct offer offer = {0};
    const struct json_node *item;

    if (list == NULL || list->type != JSON_T_ARRAY)
        return offer;
    offer.is_list = true;
    item = json_first(list);
    for (uint32_t i = 0; i < list->count; i++, item = json_next(item)) {
        struct arena arena = {0};
        enum mcp_version version = mcp_version_parse(json_text(&arena, json, item));

        offer.is_list = offer.is_list && item->type == JSON_T_STRING;
        offer.modern = offer.modern || version == MCP_2026_07_28;
        offer.legacy = offer.legacy || version < MCP_2026_07_28;
        arena_done(&arena);
    }
    return offer;
}

enum verdict { VERDICT_MODERN, VERDICT_LEGACY, VERDICT_AGAIN, VERDICT_FAILED };

static enum verdict incompatible(struct downstream *server, struct error *err)
{
    (void)fault_set(err, server->id, DOWNSTREAM_FAULT_REVISION,
                    "speaks no revision of MCP that the hub knows");
    return VERDICT_FAILED;
}

static enum verdict judge_result(struct downstream *server, const struct downstream_message *msg,
                                 struct facts **ret_facts, struct error *err)
{
    struct offer offer =
        read_offer(&msg->json, json_get(&msg->json, msg->result, "supportedVersions"));

    /* Servers that answer {} to everything are old. */
    if (!offer.is_list)
        return VERDICT_LEGACY;
    if (offer.modern) {
        *ret_facts = read_facts(msg, MCP_2026_07_28);
        return VERDICT_MODERN;
    }
    return offer.legacy ? VERDICT_LEGACY : incompatible(server, err);
}

static enum verdict judge_error(struct downstream *server, const struct downstream_message *msg,
                                struct error *err)
{
    struct offer offer = read_offer(
        &msg->json, json_path(&msg->json, msg->error, "data", "supported", (const char *)NULL));

    if (msg->code == MCP_UNSUPPORTED_VERSION && offer.is_list) {
        if (offer.modern)
            return VERDICT_AGAIN;
        return offer.legacy ? VERDICT_LEGACY : incompatible(server, err);
    }
    if ((msg->code == MCP_HEADER_MISMATCH || msg->code == MCP_MISSING_CAPABILITY) &&
        msg->http_status == 400) {
        (void)fault_set(err, server->id, DOWNSTREAM_FAULT_PROTOCOL,
                        "refuses server/discover (error %d)", (int)msg->code);
        return VERDICT_FAILED;
    }
    return VERDICT_LEGACY;
}

/* What a failed probe says of the era: mostly nothing. */
static enum verdict judge_failure(const struct downstream_exchange *x)
{
    int status = x->http_status;

    if (x->server->stdio)
        return x->fault == DOWNSTREAM_FAULT_TIMEOUT || x->fault == DOWNSTREAM_FAULT_LOST
                   ? VERDICT_LEGACY
                   : VERDICT_FAILED;
    if (x->fault == DOWNSTREAM_FAULT_REFUSED)
        return status >= 400 && status < 500 ? VERDICT_LEGACY : VERDICT_FAILED;
    if (x->fault == DOWNSTREAM_FAULT_PROTOCOL)
        return status >= 200 && status < 300 ? VERDICT_LEGACY : VERDICT_FAILED;
    return VERDICT_FAILED;
}

/* A child that ended or hangs since is started anew. */
static enum status fresh_child(struct downstream_session *session, struct error *err)
{
    struct pipe *pipe = pipe_ref(session);
    bool broken = pipe == NULL || pipe_broken(pipe);

    if (pipe != NULL)
        pipe_unref(pipe);
    if (!broken)
        return ST_OK;
    error_clear(err);
    pipe_close(session);
    return pipe_open(session, err);
}

static enum verdict ask(struct downstream_session *session, int64_t deadline_ms,
                        struct facts **ret_facts, struct error *err)
{
    const struct downstream_request request = {.method = "server/discover",
                                               .deadline_ms = deadline_ms,
                                               .repeatable = !session->server->stdio};
    struct downstream_exchange *x;
    struct downstream_message msg;
    enum verdict verdict;

    if (exchange_begin(session, &request, true, true, &x, err) != ST_OK)
        return VERDICT_FAILED;
    if (finish(x, &msg, err) != ST_OK)
        verdict = judge_failure(x);
    else if (msg.kind == DOWNSTREAM_RESULT)
        verdict = judge_result(session->server, &msg, ret_facts, err);
    else
        verdict = judge_error(session->server, &msg, err);
    downstream_end(x);
    return verdict;
}

enum status probe(struct downstream_session *session, int64_t deadline_ms, enum era *ret_era,
                  struct error *err)
{
    struct downstream *server = session->server;
    /* Over stdio silence is an answer, and initialize needs time too. */
    int64_t now = clock_mono_ms(),
            until = server->stdio ? now + (deadline_ms - now) / 2 : deadline_ms;
    struct facts *facts = NULL;
    enum verdict verdict = ask(session, until, &facts, err);

    if (verdict == VERDICT_AGAIN)
        verdict = ask(session, until, &facts, err);
    if (verdict == VERDICT_AGAIN)
        verdict = incompatible(server, err);
    if (verdict == VERDICT_FAILED)
        return err->status != ST_OK ? err->status : ST_UNAVAILABLE;
    error_clear(err);
    *ret_era = verdict == VERDICT_MODERN ? ERA_MODERN : ERA_LEGACY;
    (void)pthread_mutex_lock(&server->lock);
    server->era = *ret_era;
    facts_unref(server->facts);
    server->facts = facts;
    (void)pthread_mutex_unlock(&server->lock);
    return server->stdio && *ret_era == ERA_LEGACY ? fresh_child(session, err) : ST_OK;
}

/* ---- initialize ------------------------------------------------------------------------ */

static void put_initialize(struct strbuf *out, const struct downstream_session *session)
{
    enum mcp_version offered =
        session->server->newest < MCP_2025_11_25 ? session->server->newest : MCP_2025_11_25;

    strbuf_char(out, '{');
    mcp_put_member(out, "protocolVersion", mcp_version_text(offered));
    strbuf_printf(out, ",\"capabilities\":%s,\"clientInfo\":%s}", session->capabilities,
                  session->server->client_info);
}

static enum status read_version(struct downstream *server, const struct downstream_message *msg,
                                enum mcp_version *ret_version, struct error *err)
{
    struct arena arena = {0};
    const char *text =
        json_text(&arena, &msg->json, json_get(&msg->json, msg->result, "protocolVersion"));

    *ret_version = mcp_version_parse(text);
    arena_done(&arena);
    if (*ret_version < MCP_2026_07_28)
        return ST_OK;
    return fault_set(err, server->id, DOWNSTREAM_FAULT_REVISION,
                     "speaks no revision of MCP that the hub knows");
}

static enum status refused(struct downstream *server, const struct downstream_message *msg,
                           struct error *err)
{
    struct arena arena = {0};
    const char *why = json_text(&arena, &msg->json, json_get(&msg->json, msg->error, "message"));
    enum status status = fault_set(err, server->id, DOWNSTREAM_FAULT_REFUSED,
                                   "refuses to be initialized: %.200s", why != NULL ? why : "");

    arena_done(&arena);
    return status;
}

/* The session is what this answer says. */
static enum status adopt(struct downstream_session *session, const struct downstream_exchange *x,
                         const struct downstream_message *msg, struct error *err)
{
    enum mcp_version version;
    struct facts *facts;

    if (msg->kind == DOWNSTREAM_ERROR)
        return refused(session->server, msg, err);
    TRY(read_version(session->server, msg, &version, err));
    facts = read_facts(msg, version);
    (void)pthread_mutex_lock(&session->lock);
    facts_unref(session->facts);
    session->facts = facts;
    memcpy(session->id, x->view.id, sizeof(session->id));
    session->generation++;
    (void)pthread_mutex_unlock(&session->lock);
    return ST_OK;
}

enum status initialize(struct downstream_session *session, int64_t deadline_ms, struct error *err)
{
    CLEANUP(strbuf_done) struct strbuf params = STRBUF_INIT;
    struct downstream_request request = {.method = "initialize", .deadline_ms = deadline_ms};
    struct downstream_exchange *x;
    struct downstream_message msg;
    enum status status;

    put_initialize(&params, session);
    request.params_text = params.data;
    TRY(exchange_begin(session, &request, true, false, &x, err));
    status = finish(x, &msg, err);
    if (status == ST_OK)
        status = adopt(session, x, &msg, err);
    downstream_end(x);
    if (status != ST_OK)
        return status;
    return downstream_notify(session, "notifications/initialized", NULL, err);
}
