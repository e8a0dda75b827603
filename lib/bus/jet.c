/* SPDX-License-Identifier: Apache-2.0 */
/* JetStream's requests and answers, over the inbox of the calling thread. */
#include "internal.h"

#include "base/log.h"
#include "wire/json.h"

enum {
    ERR_STREAM_NAME_EXISTS = 10058,
    ERR_WRONG_LAST_SEQUENCE = 10071,
};

enum status jet_answer(const void *data, size_t len)
{
    CLEANUP(arena_done) struct arena arena;
    struct json json;
    int64_t code = 0, err_code = 0;

    arena_init(&arena);
    if (json_parse(&arena, data, len, NULL, &json, NULL) != ST_OK)
        return ST_INTERNAL;
    const struct json_node *error = json_get(&json, json.nodes, "error");
    if (!error)
        return ST_OK;
    (void)json_int(&json, json_get(&json, error, "code"), &code);
    (void)json_int(&json, json_get(&json, error, "err_code"), &err_code);
    if (err_code == ERR_WRONG_LAST_SEQUENCE)
        return ST_FAILED_PRECONDITION;
    const char *words = json_text(&arena, &json, json_get(&json, error, "description"));
    log_warn("JetStream: %s (%d)", words ? words : "error", (int)err_code);
    return code >= 500 ? ST_UNAVAILABLE : ST_INVALID_ARGUMENT;
}

enum status jet_publish(struct bus *bus, const char *subject, const struct bus_header *headers,
                        const void *data, size_t len, int timeout_ms)
{
    struct bus_message reply;

    TRY(bus_request(bus, subject, headers, data, len, timeout_ms ? timeout_ms : BUS_API_MS,
                    &reply));
    enum status status = jet_answer(reply.data, reply.len);
    bus_message_release(&reply);
    return status;
}

enum status jet_stream(struct bus *bus, jsStreamConfig *config, struct error *err)
{
    jsStreamInfo *info = NULL;
    jsErrCode code = 0;
    jsOptions options;

    jsOptions_Init(&options);
    options.Wait = BUS_API_MS;
    natsStatus s = js_AddStream(&info, bus->js, config, &options, &code);
    if (s != NATS_OK && (int)code == ERR_STREAM_NAME_EXISTS)
        s = js_UpdateStream(&info, bus->js, config, &options, &code);
    jsStreamInfo_Destroy(info);
    if (s == NATS_OK)
        return ST_OK;
    enum status status = bus_status(s);
    if (status == ST_INTERNAL)
        status = ST_FAILED_PRECONDITION;
    return error_set(err, status, "cannot set up the stream %s: %s (%d)", config->Name,
                     natsStatus_GetText(s), (int)code);
}

/* $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>,
 * or with domain and account hash after ACK (11 or 12 tokens). */
bool jet_position(const char *reply, struct jet_position *ret)
{
    const char *tokens[16];
    size_t n = 0;

    if (!reply || strncmp(reply, "$JS.ACK.", 8) != 0)
        return false;
    for (const char *p = reply; p && n < ARRAY_SIZE(tokens);) {
        tokens[n++] = p;
        p = strchr(p, '.');
        p = p ? p + 1 : NULL;
    }
    if (n != 9 && n != 11 && n != 12)
        return false;
    const char **t = tokens + (n == 9 ? 4 : 6);
    ret->delivered = strtoull(t[0], NULL, 10);
    ret->stream_seq = strtoull(t[1], NULL, 10);
    ret->consumer_seq = strtoull(t[2], NULL, 10);
    ret->pending = strtoull(t[4], NULL, 10);
    return true;
}
