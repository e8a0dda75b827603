/* SPDX-License-Identifier: Apache-2.0 */
/* Transfers of mal stdio: headers by era, JSON and event-stream answers, the
 * legacy session. */
#include "bridge.h"

#include "mcp/era.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRANSFERS_MAX = 256 };

enum transfer_kind { KIND_REQUEST, KIND_NOTICE, KIND_LISTEN, KIND_STREAM, KIND_INITIALIZE };

struct transfer {
    struct transfer *next;
    struct bridge *bridge;
    CURL *curl;
    struct curl_slist *headers;
    struct strbuf sent; /* the message */
    struct strbuf body; /* JSON answer, or the event being read */
    struct strbuf data; /* data lines of that event */
    char *id;           /* raw JSON of the request's id, NULL for notices */
    enum transfer_kind kind;
    bool events;   /* the answer is an event stream */
    bool answered; /* something with our id, or any body, was passed on */
    bool retried;  /* already repeated after a lost session */
};

void bridge_complain(const struct bridge *bridge, const char *fmt, ...)
{
    va_list ap;

    (void)bridge;
    (void)fputs("mal stdio: ", stderr);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
}

/* One message to the client: compact JSON, one line. */
static void emit(const char *json, size_t len)
{
    CLEANUP(strbuf_done) struct strbuf line = STRBUF_INIT;

    json_put_compact(&line, json, len);
    strbuf_char(&line, '\n');
    (void)fwrite(line.data, 1, line.len, stdout);
    (void)fflush(stdout);
}

static void emit_failure(const struct transfer *transfer, const char *fmt, const char *detail,
                         long status)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    CLEANUP(strbuf_done) struct strbuf words = STRBUF_INIT;

    strbuf_printf(&words, "%s", fmt);
    if (status)
        strbuf_printf(&words, " %ld", status);
    if (detail && *detail)
        strbuf_printf(&words, ": %.300s", detail);
    bridge_complain(transfer->bridge, "%s", strbuf_cstr(&words));
    if (!transfer->id)
        return;
    strbuf_printf(&out, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32603,\"message\":",
                  transfer->id);
    json_put_string(&out, strbuf_cstr(&words));
    strbuf_str(&out, "}}");
    emit(out.data, out.len);
}

static void transfer_free(struct transfer *transfer)
{
    (void)curl_multi_remove_handle(transfer->bridge->multi, transfer->curl);
    curl_easy_cleanup(transfer->curl);
    curl_slist_free_all(transfer->headers);
    strbuf_done(&transfer->sent);
    strbuf_done(&transfer->body);
    strbuf_done(&transfer->data);
    free(transfer->id);
    free(transfer);
}

static void transfer_drop(struct transfer *transfer)
{
    struct transfer **link = &transfer->bridge->transfers;

    while (*link != transfer)
        link = &(*link)->next;
    *link = transfer->next;
    transfer_free(transfer);
}

/* Learns the negotiated version from an InitializeResult. */
static void learn_version(struct bridge *bridge, const char *text, size_t len)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct json json;
    struct error err = {0};
    const char *version;

    if (json_parse(&arena, text, len, NULL, &json, &err) != ST_OK)
        return;
    version =
        json_text(&arena, &json, json_path(&json, json.nodes, "result", "protocolVersion", NULL));
    if (version)
        (void)snprintf(bridge->version, sizeof bridge->version, "%s", version);
}

static void deliver(struct transfer *transfer, const char *text, size_t len)
{
    transfer->answered = true;
    if (transfer->kind == KIND_INITIALIZE) {
        learn_version(transfer->bridge, text, len);
        if (transfer->bridge->replaying)
            return;
    }
    emit(text, len);
}

/* One line of an event stream (WHATWG HTML, server-sent events). */
static void event_line(struct transfer *transfer, const char *line, size_t len)
{
    if (len == 0) {
        if (transfer->data.len > 0)
            deliver(transfer, transfer->data.data, transfer->data.len);
        strbuf_clear(&transfer->data);
        return;
    }
    if (len >= 5 && memcmp(line, "data:", 5) == 0) {
        size_t skip = len > 5 && line[5] == ' ' ? 6 : 5;

        if (transfer->data.len > 0)
            strbuf_char(&transfer->data, '\n');
        strbuf_add(&transfer->data, line + skip, len - skip);
    }
}

static void read_events(struct transfer *transfer)
{
    size_t from = 0;

    for (size_t i = 0; i < transfer->body.len; i++) {
        size_t len = i - from;

        if (transfer->body.data[i] != '\n')
            continue;
        if (len > 0 && transfer->body.data[from + len - 1] == '\r')
            len--;
        event_line(transfer, transfer->body.data + from, len);
        from = i + 1;
    }
    memmove(transfer->body.data, transfer->body.data + from, transfer->body.len - from);
    transfer->body.len -= from;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct transfer *transfer = arg;

    if (transfer->body.len + size * n > (64u << 20))
        return 0;
    strbuf_add(&transfer->body, data, size * n);
    if (transfer->events)
        read_events(transfer);
    return size * n;
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
    struct transfer *transfer = arg;
    size_t len = size * n;
    static const char content_type[] = "content-type:";
    static const char session_id[] = "mcp-session-id:";

    if (len > sizeof content_type && strncasecmp(data, content_type, sizeof content_type - 1) == 0)
        transfer->events = memmem(data, len, "text/event-stream", 17) != NULL;
    if (transfer->kind == KIND_INITIALIZE && len > sizeof session_id &&
        strncasecmp(data, session_id, sizeof session_id - 1) == 0) {
        const char *value = data + sizeof session_id - 1;
        size_t left = len - (sizeof session_id - 1);

        while (left > 0 && (*value == ' ' || *value == '\t')) {
            value++;
            left--;
        }
        while (left > 0 && (value[left - 1] == '\r' || value[left - 1] == '\n'))
            left--;
        (void)snprintf(transfer->bridge->session, sizeof transfer->bridge->session, "%.*s",
                       (int)left, value);
    }
    return len;
}

static void add_header(struct transfer *transfer, const char *name, const char *value)
{
    CLEANUP(strbuf_done) struct strbuf line = STRBUF_INIT;

    strbuf_printf(&line, *value ? "%s: %s" : "%s;", name, value);
    transfer->headers = curl_slist_append(transfer->headers, strbuf_cstr(&line));
}

/* Plain when printable, else the sentinel form with Base64. */
static void add_encoded(struct transfer *transfer, const char *name, const char *value)
{
    size_t len = strlen(value), size;
    bool plain =
        !(len > 0 && (value[0] == ' ' || value[len - 1] == ' ')) &&
        !(strncmp(value, "=?base64?", 9) == 0 && len >= 11 && strcmp(value + len - 2, "?=") == 0);
    char *text;

    for (const char *p = value; *p; p++)
        plain = plain && *p >= 0x20 && *p <= 0x7e;
    if (plain) {
        add_header(transfer, name, value);
        return;
    }
    size = sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_ORIGINAL);
    text = calloc(1, size + 12);
    memcpy(text, "=?base64?", 9);
    (void)sodium_bin2base64(text + 9, size, (const unsigned char *)value, len,
                            sodium_base64_VARIANT_ORIGINAL);
    memcpy(text + strlen(text), "?=", 3);
    add_header(transfer, name, text);
    free(text);
}

static struct transfer *transfer_new(struct bridge *bridge, enum transfer_kind kind,
                                     const char *text, size_t len)
{
    struct transfer *transfer = calloc(1, sizeof *transfer);

    transfer->bridge = bridge;
    transfer->kind = kind;
    transfer->curl = curl_easy_init();
    strbuf_add(&transfer->sent, text, len);
    add_header(transfer, "Accept",
               kind == KIND_STREAM ? "text/event-stream" : "application/json, text/event-stream");
    if (kind != KIND_STREAM)
        add_header(transfer, "Content-Type", "application/json");
    if (bridge->address.key)
        add_header(transfer, "x-api-key", bridge->address.key);
    return transfer;
}

static void transfer_start(struct transfer *transfer)
{
    CURL *curl = transfer->curl;

    /* curl would ask for 100-continue on large bodies and wait a second. */
    add_header(transfer, "Expect", "");
    (void)curl_easy_setopt(curl, CURLOPT_URL, transfer->bridge->address.url);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, transfer->headers);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, 10000L);
    (void)curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, transfer);
    (void)curl_easy_setopt(curl, CURLOPT_PRIVATE, transfer);
    if (transfer->kind != KIND_STREAM) {
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, transfer->sent.data);
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)transfer->sent.len);
    }
    transfer->next = transfer->bridge->transfers;
    transfer->bridge->transfers = transfer;
    (void)curl_multi_add_handle(transfer->bridge->multi, curl);
}

static void add_session_headers(struct transfer *transfer)
{
    if (transfer->bridge->session[0])
        add_header(transfer, "Mcp-Session-Id", transfer->bridge->session);
    if (transfer->bridge->version[0])
        add_header(transfer, "MCP-Protocol-Version", transfer->bridge->version);
}

/* The headers that mirror a modern body. */
static void add_modern_headers(struct transfer *transfer, struct arena *arena,
                               const struct mcp_message *msg, const char *version)
{
    bool by_uri = strcmp(msg->method, "resources/read") == 0;
    const char *name = NULL;

    add_header(transfer, "MCP-Protocol-Version", version);
    add_header(transfer, "Mcp-Method", msg->method);
    if (by_uri || strcmp(msg->method, "tools/call") == 0 || strcmp(msg->method, "prompts/get") == 0)
        name =
            json_text(arena, msg->json, json_get(msg->json, msg->params, by_uri ? "uri" : "name"));
    if (name)
        add_encoded(transfer, "Mcp-Name", name);
}

static void open_stream(struct bridge *bridge)
{
    struct transfer *transfer = transfer_new(bridge, KIND_STREAM, "", 0);

    add_session_headers(transfer);
    transfer_start(transfer);
}

/* A modern client cancels by notice; over HTTP that is closing the request. */
static void cancel(struct bridge *bridge, const char *id, size_t len)
{
    for (struct transfer *t = bridge->transfers; t; t = t->next) {
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
    transfer = transfer_new(bridge, kind, line, len);
    if (msg->id && msg->kind == MCP_REQUEST) {
        id = json_raw(msg->json, msg->id, &id_len);
        transfer->id = strndup(id, id_len);
    }
    if (version) {
        add_modern_headers(transfer, arena, msg, version);
    } else if (kind == KIND_INITIALIZE) {
        bridge->initializing = true;
        bridge->session[0] = bridge->version[0] = '\0';
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
    for (const struct transfer *t = bridge->transfers; t; t = t->next)
        open_transfers++;
    if (json_parse(&arena, line, len, NULL, &json, &err) != ST_OK) {
        CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

        mcp_put_error(&out, NULL, -32700, err.message, NULL);
        emit(out.data, out.len);
        return;
    }
    if (open_transfers >= TRANSFERS_MAX) {
        bridge_complain(bridge, "more than %d messages under way; one is left out", TRANSFERS_MAX);
        return;
    }
    if (json.nodes[0].type == JSON_T_ARRAY) {
        struct transfer *transfer = transfer_new(bridge, KIND_REQUEST, line, len);

        add_session_headers(transfer);
        transfer_start(transfer);
        return;
    }
    if (mcp_message_parse(&arena, &json, json.nodes, &msg, &err) != ST_OK) {
        CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

        mcp_put_error(&out, &msg, -32600, err.message, NULL);
        emit(out.data, out.len);
        return;
    }
    send_message(bridge, &arena, &msg, line, len);
}

/* Lines that waited for initialize go on their way. */
static void release_waiting(struct bridge *bridge)
{
    CLEANUP(strbuf_done) struct strbuf lines = bridge->waiting;
    char *save = NULL;

    bridge->initializing = bridge->replaying = false;
    bridge->waiting = (struct strbuf)STRBUF_INIT;
    for (char *line = lines.data ? strtok_r(lines.data, "\n", &save) : NULL; line;
         line = strtok_r(NULL, "\n", &save))
        bridge_line(bridge, line, strlen(line));
}

/* The session is gone (hub made anew): greet again, then repeat the message. It
 * was refused before any tool ran, so repeating it is safe. */
static bool begin_anew(struct transfer *transfer)
{
    struct bridge *bridge = transfer->bridge;
    static const char initialized[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}";
    CLEANUP(strbuf_done) struct strbuf greeting = STRBUF_INIT;

    if (bridge->greeting.len == 0 || transfer->retried || bridge->initializing)
        return false;
    strbuf_add(&greeting, bridge->greeting.data, bridge->greeting.len);
    bridge_line(bridge, greeting.data, greeting.len);
    bridge->replaying = true;
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

static void transfer_finished(struct transfer *transfer, CURLcode code)
{
    struct bridge *bridge = transfer->bridge;
    long status = 0;

    (void)curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
    if (transfer->kind == KIND_STREAM) {
        /* A refused GET (405) is normal; a stream that ended is opened again by
         * the next message's session. */
        if (status == 200 && code == CURLE_OK && bridge->session[0])
            open_stream(bridge);
    } else if (status == 404 && bridge->session[0] && transfer->kind != KIND_INITIALIZE &&
               begin_anew(transfer)) {
        bridge_complain(bridge, "the session was lost; a new one is begun");
    } else if (code != CURLE_OK) {
        emit_failure(transfer, "the hub cannot be reached", curl_easy_strerror(code), 0);
    } else if (!transfer->events && transfer->body.len > 0 && transfer->body.data[0] == '{' &&
               memmem(transfer->body.data, transfer->body.len, "\"jsonrpc\"", 9)) {
        deliver(transfer, transfer->body.data, transfer->body.len);
    } else if (!transfer->events && transfer->body.len > 0 && transfer->body.data[0] == '[') {
        deliver(transfer, transfer->body.data, transfer->body.len);
    } else if (status >= 300 || (transfer->id && !transfer->answered)) {
        emit_failure(transfer, "the hub answered", strbuf_cstr(&transfer->body), status);
    }
    if (transfer->kind == KIND_INITIALIZE)
        release_waiting(bridge);
    if (is_initialized_notice(transfer) && status == 202 && bridge->session[0])
        open_stream(bridge);
    transfer_drop(transfer);
}

void bridge_step(struct bridge *bridge)
{
    int running, left;
    CURLMsg *msg;

    (void)curl_multi_perform(bridge->multi, &running);
    while ((msg = curl_multi_info_read(bridge->multi, &left))) {
        struct transfer *transfer = NULL;

        if (msg->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        transfer_finished(transfer, msg->data.result);
    }
}

bool bridge_waiting(const struct bridge *bridge)
{
    for (const struct transfer *t = bridge->transfers; t; t = t->next)
        if (t->kind != KIND_STREAM && t->kind != KIND_LISTEN)
            return true;
    return bridge->waiting.len > 0;
}

void bridge_open(struct bridge *bridge, const struct hub_address *address)
{
    *bridge = (struct bridge){.address = *address, .multi = curl_multi_init()};
}

void bridge_close(struct bridge *bridge)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct cli_reply reply;
    struct error ignored = {0};

    while (bridge->transfers)
        transfer_drop(bridge->transfers);
    (void)curl_multi_cleanup(bridge->multi);
    if (bridge->session[0]) {
        const char *headers[4] = {arena_printf(&arena, "Mcp-Session-Id: %s", bridge->session)};

        if (bridge->address.key)
            headers[1] = arena_printf(&arena, "x-api-key: %s", bridge->address.key);
        if (cli_http(&arena, "DELETE", bridge->address.url, headers, NULL, 3000, &reply,
                     &ignored) != ST_OK)
            bridge_complain(bridge, "the session could not be ended: %s", ignored.message);
    }
    strbuf_done(&bridge->greeting);
    strbuf_done(&bridge->waiting);
}
