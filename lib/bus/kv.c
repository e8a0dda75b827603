/* SPDX-License-Identifier: Apache-2.0 */
/* Key-value buckets: a stream with the last message of each subject (ADR-8),
 * spoken over the inbox of the calling thread. */
#include "kv.h"

#include "wire/json.h"

#include <ctype.h>

enum {
    ERR_STREAM_NOT_FOUND = 10059,
    DUPLICATES_S = 120,
};

static const int64_t second_ns = 1000000000;

static enum status create_bucket(struct bus *bus, const struct bus_kv *kv, int64_t ttl_s,
                                 struct error *err)
{
    char subject[BUS_SUBJECT_SIZE];
    jsStreamConfig config;

    (void)snprintf(subject, sizeof(subject), "%s>", kv->prefix);
    jsStreamConfig_Init(&config);
    config.Name = kv->stream;
    config.Subjects = (const char *[]){subject};
    config.SubjectsLen = 1;
    config.Storage = js_FileStorage;
    config.MaxMsgsPerSubject = 1;
    config.MaxAge = ttl_s * second_ns;
    config.Duplicates =
        (ttl_s > 0 && ttl_s < DUPLICATES_S ? ttl_s : (int64_t)DUPLICATES_S) * second_ns;
    config.AllowRollup = true;
    config.DenyDelete = true;
    config.AllowDirect = true;
    config.Discard = js_DiscardNew;
    return jet_stream(bus, &config, err);
}

enum status bus_kv_open(struct bus *bus, const char *bucket, int64_t ttl_s, struct bus_kv **ret_kv,
                        struct error *err)
{
    jsStreamInfo *info = NULL;
    jsErrCode code = 0;
    jsOptions options;

    if (strlen(bucket) > 64 || ttl_s < 0)
        return error_set(err, ST_INVALID_ARGUMENT, "bad bucket '%s'", bucket);
    struct bus_kv *kv = calloc(1, sizeof(*kv));
    if (!kv)
        abort();
    kv->bus = bus;
    (void)snprintf(kv->stream, sizeof(kv->stream), "KV_%s", bucket);
    (void)snprintf(kv->prefix, sizeof(kv->prefix), "$KV.%s.", bucket);
    jsOptions_Init(&options);
    options.Wait = BUS_API_MS;
    natsStatus s = js_GetStreamInfo(&info, bus->js, kv->stream, &options, &code);
    /* Whoever opens it without a lifetime leaves the one it has. */
    bool right = s == NATS_OK && (ttl_s == 0 || info->Config->MaxAge == ttl_s * second_ns);
    jsStreamInfo_Destroy(info);
    enum status status = ST_OK;
    if (s != NATS_OK && s != NATS_NOT_FOUND && (int)code != ERR_STREAM_NOT_FOUND)
        status = error_set(err, bus_status(s), "cannot open the bucket %s: %s", bucket,
                           natsStatus_GetText(s));
    else if (!right)
        status = create_bucket(bus, kv, ttl_s, err);
    if (status != ST_OK) {
        free(kv);
        return status;
    }
    *ret_kv = kv;
    return ST_OK;
}

void bus_kv_free(struct bus_kv *kv)
{
    free(kv);
}

static enum status key_subject(const struct bus_kv *kv, const char *key, char out[KV_SUBJECT_SIZE])
{
    size_t len = strlen(key);

    if (len == 0 || len > KV_KEY_MAX || key[0] == '.' || key[len - 1] == '.')
        return ST_INVALID_ARGUMENT;
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)key[i]) && !strchr("._-/=\\", key[i]))
            return ST_INVALID_ARGUMENT;
        if (key[i] == '.' && key[i + 1] == '.')
            return ST_INVALID_ARGUMENT;
    }
    (void)snprintf(out, KV_SUBJECT_SIZE, "%s%s", kv->prefix, key);
    return ST_OK;
}

static enum status put(struct bus_kv *kv, const char *key, const struct bus_header *headers,
                       const void *data, size_t len)
{
    char subject[KV_SUBJECT_SIZE];

    TRY(key_subject(kv, key, subject));
    return jet_publish(kv->bus, subject, headers, data, len, 0);
}

enum status bus_kv_put(struct bus_kv *kv, const char *key, const void *data, size_t len)
{
    return put(kv, key, NULL, data, len);
}

enum status bus_kv_update(struct bus_kv *kv, const char *key, const void *data, size_t len,
                          uint64_t revision)
{
    char text[24];
    const struct bus_header headers[] = {{"Nats-Expected-Last-Subject-Sequence", text},
                                         {NULL, NULL}};

    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)revision);
    return put(kv, key, headers, data, len);
}

/* The last message of the key, also when it marks a deletion. */
static enum status last(struct bus_kv *kv, const char *key, struct bus_message *ret_msg,
                        bool *ret_deleted)
{
    char subject[KV_SUBJECT_SIZE], api[KV_SUBJECT_SIZE + 128];

    TRY(key_subject(kv, key, subject));
    (void)snprintf(api, sizeof(api), "$JS.API.DIRECT.GET.%s.%s", kv->stream, subject);
    TRY(bus_request(kv->bus, api, NULL, NULL, 0, BUS_API_MS, ret_msg));
    const char *code = bus_message_header(ret_msg, "Status");
    if (code) {
        enum status status = strcmp(code, "404") == 0 ? ST_NOT_FOUND : ST_UNAVAILABLE;
        bus_message_release(ret_msg);
        return status;
    }
    *ret_deleted = bus_kv_deleted(ret_msg->impl);
    return ST_OK;
}

bool bus_kv_deleted(natsMsg *msg)
{
    const char *operation = bus_msg_header(msg, "KV-Operation");

    return operation && (strcmp(operation, "DEL") == 0 || strcmp(operation, "PURGE") == 0);
}

static uint64_t revision_of(const struct bus_message *msg)
{
    const char *text = bus_message_header(msg, "Nats-Sequence");

    return text ? strtoull(text, NULL, 10) : 0;
}

enum status bus_kv_create(struct bus_kv *kv, const char *key, const void *data, size_t len)
{
    struct bus_message msg;
    bool deleted = false;
    enum status status = bus_kv_update(kv, key, data, len, 0);

    if (status != ST_FAILED_PRECONDITION)
        return status;
    /* There is one; it may mark a deletion. */
    status = last(kv, key, &msg, &deleted);
    if (status == ST_NOT_FOUND) /* it expired meanwhile */
        return bus_kv_update(kv, key, data, len, 0);
    TRY(status);
    uint64_t revision = revision_of(&msg);
    bus_message_release(&msg);
    if (!deleted)
        return ST_ALREADY_EXISTS;
    status = bus_kv_update(kv, key, data, len, revision);
    return status == ST_FAILED_PRECONDITION ? ST_ALREADY_EXISTS : status;
}

enum status bus_kv_get(struct bus_kv *kv, const char *key, struct arena *arena,
                       const void **ret_data, size_t *ret_len, uint64_t *ret_revision)
{
    struct bus_message msg;
    bool deleted = false;

    TRY(last(kv, key, &msg, &deleted));
    if (!deleted) {
        *ret_data = arena_memdup(arena, msg.len ? msg.data : "", msg.len);
        *ret_len = msg.len;
        if (ret_revision)
            *ret_revision = revision_of(&msg);
    }
    bus_message_release(&msg);
    return deleted ? ST_NOT_FOUND : ST_OK;
}

enum status bus_kv_delete(struct bus_kv *kv, const char *key)
{
    const struct bus_header headers[] = {{"KV-Operation", "DEL"}, {NULL, NULL}};

    return put(kv, key, headers, NULL, 0);
}

/* How many messages the answer says were purged. */
static enum status purged(const struct bus_message *reply, int64_t *ret_n)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct json json;

    *ret_n = 0;
    TRY(jet_answer(reply->data, reply->len));
    arena_init(&arena);
    TRY(json_parse(&arena, reply->data, reply->len, NULL, &json, NULL));
    (void)json_int(&json, json_get(&json, json.nodes, "purged"), ret_n);
    return ST_OK;
}

enum status bus_kv_remove(struct bus_kv *kv, const char *key, uint64_t revision)
{
    char subject[KV_SUBJECT_SIZE], api[KV_SUBJECT_SIZE], body[KV_SUBJECT_SIZE + 64];
    struct bus_message reply;
    enum status status;
    int64_t n;
    int len;

    TRY(key_subject(kv, key, subject));
    (void)snprintf(api, sizeof(api), "$JS.API.STREAM.PURGE.%s", kv->stream);
    /* Up to that message, which is the last of the subject if any is purged. */
    len = snprintf(body, sizeof(body), "{\"filter\":\"%s\",\"seq\":%llu}", subject,
                   (unsigned long long)revision + 1);
    TRY(bus_request(kv->bus, api, NULL, body, (size_t)len, BUS_API_MS, &reply));
    status = purged(&reply, &n);
    bus_message_release(&reply);
    return status == ST_OK && n == 0 ? ST_FAILED_PRECONDITION : status;
}
