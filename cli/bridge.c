/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of mal stdio: headers by era, the legacy session and its stream. */
#include "bridge.h"

#include "client.h"
#include "mcp/era.h"
#include "mcp/message.h"

#include <stdlib.h>
#include <string.h>

enum { TRANSFERS_MAX = 256 };

static void add_session_headers(struct transfer *transfer)
{
    if (transfer->channel->session[0])
        transfer_add_header(transfer, "Mcp-Session-Id", transfer->channel->session);
    if (transfer->channel->version[0])
        transfer_add_header(transfer, "MCP-Protocol-Version", transfer->channel->version);
}

/* The headers that mirror a modern body. */
static void add_modern_headers(struct transfer *transfer, struct arena *arena,
                               const struct mcp_message *msg, const char *version)
{
    bool by_uri = strcmp(msg->method, "resources/read") == 0;
    const char *name = NULL;

    transfer_add_header(transfer, "MCP-Protocol-Version", version);
    transfer_add_header(transfer, "Mcp-Method", msg->method);
    if (by_uri || strcmp(msg->method, "tools/call") == 0 || strcmp(msg->method, "prompts/get") == 0)
        name =
            json_text(arena, msg->json, json_get(msg->json, msg->params, by_uri ? "uri" : "name"));
    if (name)
        transfer_add_encoded(transfer, "Mcp-Name", name);
}

static void open_stream(struct bridge *bridge)
{
    struct transfer *transfer = transfer_new(&bridge->channel, KIND_STREAM, "", 0);

    add_session_headers(transfer);
    transfer_start(transfer);
}

/* A modern client cancels by notice; over HTTP that is closing the request. */
static void cancel(struct bridge *bridge, const char *id, size_t len)
{
    for (struct transfer *t = bridge->channel.transfers; t; t = t->next) {
        if (t->id && strlen(t->id) == len && memcmp(t->id, id, len) == 0) {
            transfer_drop(t);
            return;
        }
    }
}

static enum transfer_kind kind_of(const struct mcp_message *msg, bool modern)
{
    if (msg->kind != MCP_REQUEST)
        return KIND_NOTICE;
    if (!modern && strcmp(msg->method, "initialize") == 0)
        return KIND_INITIALIZE;
    return strcmp(msg->method, "subscriptions/listen") == 0 ? KIND_LISTEN : KIND_REQUEST;
}

static void send_message(struct bridge *bridge, struct arena *arena, const struct mcp_message *msg,
                         const char *line, size_t len)
{
    const char *version =
        json_text(arena, msg->json, json_get(msg->json, msg->meta, MCP_META_VERSION));
    enum transfer_kind kind = kind_of(msg, version != NULL);
    struct transfer *transfer;
    size_t id_len;
    const char *id;

    if (version && msg->kind == MCP_NOTIFICATION &&
        strcmp(msg->method, "notifications/cancelled") == 0) {
        const struct json_node *target = json_get(msg->json, msg->params, "requestId");

        if (target) {
            id = json_raw(msg->json, target, &id_len);
            cancel(bridge, id, id_len);
        }
        return;
    }
    transfer = transfer_new(&bridge->channel, kind, line, len);
    if (msg->id && msg->kind == MCP_REQUEST) {
        id = json_raw(msg->json, msg->id, &id_len);
        transfer->id = strndup(id, id_len);
    }
    if (version) {
        add_modern_headers(transfer, arena, msg, version);
    } else if (kind == KIND_INITIALIZE) {
        bridge->initializing = true;
        bridge->channel.session[0] = bridge->channel.version[0] = '\0';
        strbuf_clear(&bridge->greeting);
        strbuf_add(&bridge->greeting, line, len);
    } else {
        add_session_headers(transfer);
    }
    transfer_start(transfer);
}

void bridge_line(struct bridge *bridge, const char *line, size_t len)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct mcp_message msg = {0};
    struct error err = {0};
    struct json json;
    size_t open_transfers = 0;

    if (bridge->initializing) {
        strbuf_add(&bridge->waiting, line, len);
        strbuf_char(&bridge->waiting, '\n');
        return;
    }
    for (const struct transfer *t = bridge->channel.transfers; t; t = t->next)
        open_transfers++;
    if (json_parse(&arena, line, len, NULL, &json, &err) != ST_OK) {
        CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

        mcp_put_error(&out, NULL, -32700, err.message, NULL);
        client_emit(out.data, out.len);
        return;
    }
    if (open_transfers >= TRANSFERS_MAX) {
        client_complain("more than %d messages under way; one is left out", TRANSFERS_MAX);
        return;
    }
    if (json.nodes[0].type == JSON_T_ARRAY) {
        struct transfer *transfer = transfer_new(&bridge->channel, KIND_REQUEST, line, len);

        add_session_headers(transfer);
        transfer_start(transfer);
        return;
    }
    if (mcp_message_parse(&arena, &json, json.nodes, &msg, &err) != ST_OK) {
        CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

        mcp_put_error(&out, &msg, -32600, err.message, NULL);
        client_emit(out.data, out.len);
        return;
    }
    send_message(bridge, &arena, &msg, line, len);
}

/* Lines that waited for initialize go on their way. */
static void release_waiting(struct bridge *bridge)
{
    CLEANUP(strbuf_done) struct strbuf lines = bridge->waiting;
    char *save = NULL;

    bridge->initializing = bridge->channel.replaying = false;
    bridge->waiting = (struct strbuf)STRBUF_INIT;
    for (char *line = lines.data ? strtok_r(lines.data, "\n", &save) : NULL; line;
         line = strtok_r(NULL, "\n", &save))
        bridge_line(bridge, line, strlen(line));
}

/* The session is gone (hub made anew): greet again, then repeat the message. It
 * was refused before any tool ran, so repeating it is safe. */
static bool begin_anew(struct bridge *bridge, const struct transfer *transfer)
{
    static const char initialized[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}";
    CLEANUP(strbuf_done) struct strbuf greeting = STRBUF_INIT;

    if (bridge->greeting.len == 0 || transfer->retried || bridge->initializing)
        return false;
    strbuf_add(&greeting, bridge->greeting.data, bridge->greeting.len);
    bridge_line(bridge, greeting.data, greeting.len);
    bridge->channel.replaying = true;
    strbuf_printf(&bridge->waiting, "%s\n", initialized);
    if (transfer->kind != KIND_STREAM) {
        strbuf_add(&bridge->waiting, transfer->sent.data, transfer->sent.len);
        strbuf_char(&bridge->waiting, '\n');
    }
    return true;
}

static bool is_initialized_notice(const struct transfer *transfer)
{
    return transfer->kind == KIND_NOTICE &&
           memmem(transfer->sent.data, transfer->sent.len, "notifications/initialized", 25);
}

/* A message or a batch of them, as opposed to an error page. */
static bool is_json_rpc(const struct strbuf *body)
{
    return body->len > 0 && (body->data[0] == '{' || body->data[0] == '[') &&
           memmem(body->data, body->len, "\"jsonrpc\"", 9);
}

static void finished(struct bridge *bridge, struct transfer *transfer, CURLcode code)
{
    long status = 0;

    (void)curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
    if (transfer->kind == KIND_STREAM) {
        /* A refused GET (405) is normal; a stream that ended is opened again by
         * the next message's session. */
        if (status == 200 && code == CURLE_OK && bridge->channel.session[0])
            open_stream(bridge);
    } else if (status == 404 && bridge->channel.session[0] && transfer->kind != KIND_INITIALIZE &&
               begin_anew(bridge, transfer)) {
        client_complain("the session was lost; a new one is begun");
    } else if (code != CURLE_OK) {
        transfer_fail(transfer, "the hub cannot be reached", curl_easy_strerror(code), 0);
    } else if (!transfer->events && is_json_rpc(&transfer->body)) {
        transfer_deliver(transfer, transfer->body.data, transfer->body.len);
    } else if (status >= 300 || (transfer->id && !transfer->answered)) {
        transfer_fail(transfer, "the hub answered", strbuf_cstr(&transfer->body), status);
    }
    if (transfer->kind == KIND_INITIALIZE)
        release_waiting(bridge);
    if (is_initialized_notice(transfer) && status == 202 && bridge->channel.session[0])
        open_stream(bridge);
    transfer_drop(transfer);
}

void bridge_step(struct bridge *bridge)
{
    int running, left;
    CURLMsg *msg;

    (void)curl_multi_perform(bridge->channel.multi, &running);
    while ((msg = curl_multi_info_read(bridge->channel.multi, &left))) {
        struct transfer *transfer = NULL;

        if (msg->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        finished(bridge, transfer, msg->data.result);
    }
}

bool bridge_waiting(const struct bridge *bridge)
{
    for (const struct transfer *t = bridge->channel.transfers; t; t = t->next)
        if (t->kind != KIND_STREAM && t->kind != KIND_LISTEN)
            return true;
    return bridge->waiting.len > 0;
}

void bridge_open(struct bridge *bridge, const struct hub_address *address)
{
    *bridge = (struct bridge){.channel = {.address = *address, .multi = curl_multi_init()}};
}

void bridge_close(struct bridge *bridge)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct cli_request request = {
        .method = "DELETE", .url = bridge->channel.address.url, .timeout_ms = 3000};
    struct cli_reply reply;
    struct error ignored = {0};

    while (bridge->channel.transfers)
        transfer_drop(bridge->channel.transfers);
    (void)curl_multi_cleanup(bridge->channel.multi);
    if (bridge->channel.session[0]) {
        const char *headers[4] = {
            arena_printf(&arena, "Mcp-Session-Id: %s", bridge->channel.session)};

        if (bridge->channel.address.key)
            headers[1] = arena_printf(&arena, "x-api-key: %s", bridge->channel.address.key);
        request.headers = headers;
        if (cli_http(&arena, &request, &reply, &ignored) != ST_OK)
            client_complain("the session could not be ended: %s", ignored.message);
    }
    strbuf_done(&bridge->greeting);
    strbuf_done(&bridge->waiting);
}
