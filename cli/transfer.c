/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP exchange of mal stdio: its headers, its JSON or event-stream answer. */
#include "transfer.h"

#include "client.h"
#include "wire/json.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void transfer_fail(const struct transfer *transfer, const char *what, const char *detail,
                   long status)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    CLEANUP(strbuf_done) struct strbuf words = STRBUF_INIT;

    strbuf_str(&words, what);
    if (status)
        strbuf_printf(&words, " %ld", status);
    if (detail && *detail)
        strbuf_printf(&words, ": %.300s", detail);
    client_complain("%s", strbuf_cstr(&words));
    if (!transfer->id)
        return;
    strbuf_printf(&out, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32603,\"message\":",
                  transfer->id);
    json_put_string(&out, strbuf_cstr(&words));
    strbuf_str(&out, "}}");
    client_emit(out.data, out.len);
}

static void transfer_free(struct transfer *transfer)
{
    (void)curl_multi_remove_handle(transfer->channel->multi, transfer->curl);
    curl_easy_cleanup(transfer->curl);
    curl_slist_free_all(transfer->headers);
    strbuf_done(&transfer->sent);
    strbuf_done(&transfer->body);
    strbuf_done(&transfer->data);
    free(transfer->id);
    free(transfer);
}

void transfer_drop(struct transfer *transfer)
{
    struct transfer **link = &transfer->channel->transfers;

    while (*link != transfer)
        link = &(*link)->next;
    *link = transfer->next;
    transfer_free(transfer);
}

/* Learns the negotiated version from an InitializeResult. */
static void learn_version(struct channel *channel, const char *text, size_t len)
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
        (void)snprintf(channel->version, sizeof channel->version, "%s", version);
}

void transfer_deliver(struct transfer *transfer, const char *text, size_t len)
{
    transfer->answered = true;
    if (transfer->kind == KIND_INITIALIZE) {
        learn_version(transfer->channel, text, len);
        if (transfer->channel->replaying)
            return;
    }
    client_emit(text, len);
}

/* One line of an event stream (WHATWG HTML, server-sent events). */
static void event_line(struct transfer *transfer, const char *line, size_t len)
{
    if (len == 0) {
        if (transfer->data.len > 0)
            transfer_deliver(transfer, transfer->data.data, transfer->data.len);
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
        (void)snprintf(transfer->channel->session, sizeof transfer->channel->session, "%.*s",
                       (int)left, value);
    }
    return len;
}

void transfer_add_header(struct transfer *transfer, const char *name, const char *value)
{
    CLEANUP(strbuf_done) struct strbuf line = STRBUF_INIT;

    strbuf_printf(&line, *value ? "%s: %s" : "%s;", name, value);
    transfer->headers = curl_slist_append(transfer->headers, strbuf_cstr(&line));
}

void transfer_add_encoded(struct transfer *transfer, const char *name, const char *value)
{
    size_t len = strlen(value), size;
    bool plain =
        !(len > 0 && (value[0] == ' ' || value[len - 1] == ' ')) &&
        !(strncmp(value, "=?base64?", 9) == 0 && len >= 11 && strcmp(value + len - 2, "?=") == 0);
    char *text;

    for (const char *p = value; *p; p++)
        plain = plain && *p >= 0x20 && *p <= 0x7e;
    if (plain) {
        transfer_add_header(transfer, name, value);
        return;
    }
    size = sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_ORIGINAL);
    text = calloc(1, size + 12);
    memcpy(text, "=?base64?", 9);
    (void)sodium_bin2base64(text + 9, size, (const unsigned char *)value, len,
                            sodium_base64_VARIANT_ORIGINAL);
    memcpy(text + strlen(text), "?=", 3);
    transfer_add_header(transfer, name, text);
    free(text);
}

struct transfer *transfer_new(struct channel *channel, enum transfer_kind kind, const char *text,
                              size_t len)
{
    struct transfer *transfer = calloc(1, sizeof *transfer);

    transfer->channel = channel;
    transfer->kind = kind;
    transfer->curl = curl_easy_init();
    strbuf_add(&transfer->sent, text, len);
    transfer_add_header(transfer, "Accept",
                        kind == KIND_STREAM ? "text/event-stream"
                                            : "application/json, text/event-stream");
    if (kind != KIND_STREAM)
        transfer_add_header(transfer, "Content-Type", "application/json");
    if (channel->address.key)
        transfer_add_header(transfer, "x-api-key", channel->address.key);
    return transfer;
}

void transfer_start(struct transfer *transfer)
{
    CURL *curl = transfer->curl;

    /* curl would ask for 100-continue on large bodies and wait a second. */
    transfer->headers = curl_slist_append(transfer->headers, "Expect:");
    (void)curl_easy_setopt(curl, CURLOPT_URL, transfer->channel->address.url);
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
    transfer->next = transfer->channel->transfers;
    transfer->channel->transfers = transfer;
    (void)curl_multi_add_handle(transfer->channel->multi, curl);
}
