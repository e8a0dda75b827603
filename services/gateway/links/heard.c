/* SPDX-License-Identifier: Apache-2.0 */
/* What a server says on the stream of a shared session: from the copy that has the
 * stream to the one that runs the call or carries the caller's stream. */
#include "base/clock.h"
#include "base/log.h"
#include "links_internal.h"
#include "streams.h"

#include <string.h>
#include <unistd.h>

#define HOLD "hold" /* instead of a message of the server */

enum { TAKE_MS = 1000, PAUSE_MS = 50, HOLD_MS = 3 * LINKS_HOLD_EVERY_MS };

static const char *heard_subject(struct arena *arena, const char *key)
{
    return arena_printf(arena, LINKS_HEARD ".%s", key);
}

void links_publish(struct links *links, const char *key, const char *json, size_t len)
{
    CLEANUP(arena_done) struct arena arena = {0};

    arena_init(&arena);
    if (bus_publish(links->gw->bus, heard_subject(&arena, key), NULL, json, len) != ST_OK)
        log_debug("what a server said could not be passed on");
}

static bool parse(struct arena *arena, const char *text, size_t len, struct json *json)
{
    return json_parse(arena, text, len, &(struct json_limits){.loose = true}, json, NULL) == ST_OK;
}

/* The id of a question, as JSON. */
static const char *asked_id(const struct json *json, size_t *ret_len)
{
    return json_raw(json, json_get(json, json->nodes, "id"), ret_len);
}

/* The id of the question that is withdrawn; NULL: the message withdraws none. */
static const char *withdrawn_id(const struct json *json, size_t *ret_len)
{
    const struct json_node *params = json_get(json, json->nodes, "params");
    const struct json_node *id = params != NULL ? json_get(json, params, "requestId") : NULL;

    if (id == NULL ||
        !json_is(json, json_get(json, json->nodes, "method"), "notifications/cancelled"))
        return NULL;
    return json_raw(json, id, ret_len);
}

/* The link of that key on this copy, with one user more. */
static struct link *find(struct picture *picture, const char *key, struct link_map **ret_map)
{
    struct link *link = NULL;

    for (size_t i = 0; i < picture->n && link == NULL; i++) {
        if (picture->servers[i].upstream == NULL)
            continue;
        *ret_map = &picture->servers[i].upstream->links;
        link = link_take(*ret_map, key);
    }
    return link;
}

static void refuse(struct links *links, const struct link_job *job, const char *id, size_t id_len)
{
    struct picture *picture = servers_look(links->gw->servers);
    struct link_map *map;
    struct link *link = find(picture, job->key, &map);

    if (link != NULL) {
        (void)!downstream_answer(link->session, id, id_len, NULL,
                                 "{\"code\":-32601,\"message\":\"nobody here can answer that\"}",
                                 NULL);
        link_give(map, link);
    }
    picture_unref(picture);
}

/* The copy that takes it: of several that run a call, the first that says so. Whose call
 * it was nobody can tell; they are all of one client, which is asked once. */
static bool find_copy(struct links *links, const char *key, char ret_instance[33])
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct bus_message reply;

    arena_init(&arena);
    if (bus_request(links->gw->bus, heard_subject(&arena, key), NULL, NULL, 0, TAKE_MS, &reply) !=
        ST_OK)
        return false;
    (void)snprintf(ret_instance, 33, "%.*s", (int)(reply.len < 32 ? reply.len : 32),
                   (const char *)reply.data);
    bus_message_release(&reply);
    return true;
}

/* Who only stands still asks it when it goes on: whoever asked another one, or it again,
 * before that is sure would ask twice. */
static bool hand_over(struct links *links, const struct link_job *job, const char *instance)
{
    CLEANUP(strbuf_done) struct strbuf subject = STRBUF_INIT;
    CLEANUP(strbuf_done) struct strbuf body = STRBUF_INIT;
    int64_t left_ms = job->until_ms - clock_mono_ms();
    struct bus_message reply;
    bool taken;

    strbuf_printf(&subject, LINKS_ALIVE ".%s", instance);
    strbuf_printf(&body, "%s ", job->key);
    strbuf_add(&body, job->json, job->len);
    if (bus_request(links->gw->bus, subject.data, NULL, body.data, body.len,
                    left_ms > TAKE_MS ? (int)left_ms : TAKE_MS, &reply) != ST_OK)
        return false;
    taken = reply.len > 0;
    bus_message_release(&reply);
    return taken;
}

bool links_ask(struct links *links, const struct link_job *job)
{
    CLEANUP(arena_done) struct arena arena = {0};
    int64_t now_ms = clock_mono_ms();
    char instance[33];
    struct json json;
    const char *id;
    size_t id_len;

    arena_init(&arena);
    if (!parse(&arena, job->json, job->len, &json))
        return true;
    id = asked_id(&json, &id_len);
    if (withdrawn_has(&links->withdrawn, job->key, id, id_len) ||
        (find_copy(links, job->key, instance) && hand_over(links, job, instance)))
        return true;
    if (now_ms >= job->until_ms) {
        refuse(links, job, id, id_len);
        return true;
    }
    /* Without the bus there is no waiting in this. */
    if (clock_mono_ms() - now_ms < PAUSE_MS)
        (void)usleep(PAUSE_MS * 1000);
    return false;
}

static bool take(struct links *links, const char *key, const char *json, size_t len)
{
    struct picture *picture = servers_look(links->gw->servers);
    struct link_map *map;
    struct link *link = find(picture, key, &map);
    bool taken = false;

    if (link != NULL) {
        taken = len == 0 ? downstream_can_take(link->session)
                         : downstream_inject(link->session, json, len);
        link_give(map, link);
    }
    picture_unref(picture);
    return taken;
}

/* The word of its withdrawal may have come before the question did. */
static void take_back(struct links *links, const char *key, const char *text, size_t len)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    CLEANUP(arena_done) struct arena arena = {0};
    struct json json;
    const char *id;
    size_t id_len;

    arena_init(&arena);
    if (!parse(&arena, text, len, &json))
        return;
    id = asked_id(&json, &id_len);
    if (!withdrawn_has(&links->withdrawn, key, id, id_len))
        return;
    strbuf_str(&out, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
                     "\"requestId\":");
    strbuf_add(&out, id, id_len);
    strbuf_str(&out, "}}");
    (void)take(links, key, out.data, out.len);
}

void links_alive(struct bus_message *msg, void *arg)
{
    struct links *links = arg;
    const char *text = msg->data, *json = text + SESSION_HASH_SIZE;
    bool taken = false;

    if (msg->len > SESSION_HASH_SIZE) {
        char key[SESSION_HASH_SIZE];
        size_t len = msg->len - SESSION_HASH_SIZE;

        (void)snprintf(key, sizeof(key), "%.*s", SESSION_HASH_SIZE - 1, text);
        taken = take(links, key, json, len);
        if (taken)
            take_back(links, key, json, len);
    }
    if (msg->reply != NULL)
        (void)!bus_publish(links->gw->bus, msg->reply, NULL, "+", taken);
    bus_message_release(msg);
}

/* What is no question: for calls here, or the caller's stream. */
static void tell(struct links *links, const char *key, const char *text, size_t len)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct downstream_message msg = {.kind = DOWNSTREAM_NOTIFICATION, .version = MCP_UNKNOWN};
    struct json json;
    const char *id;
    size_t id_len;

    arena_init(&arena);
    if (!parse(&arena, text, len, &json))
        return;
    msg.json = json;
    msg.params = json_get(&json, json.nodes, "params");
    id = withdrawn_id(&json, &id_len);
    if (id != NULL)
        withdrawn_add(&links->withdrawn, key, id, id_len);
    msg.method = json_text(&arena, &json, json_get(&json, json.nodes, "method"));
    if (!take(links, key, text, len) && id == NULL && msg.method != NULL)
        streams_pass_on(links->gw->streams, key, &msg);
}

void links_hold(struct links *links, const char *key)
{
    links_publish(links, key, HOLD, strlen(HOLD));
}

/* The caller is asked: no call of the session here shall end meanwhile. */
static void hold(struct links *links, const char *key)
{
    struct picture *picture = servers_look(links->gw->servers);
    struct link_map *map;
    struct link *link = find(picture, key, &map);

    if (link != NULL) {
        downstream_hold(link->session, HOLD_MS);
        link_give(map, link);
    }
    picture_unref(picture);
}

void links_told(struct bus_message *msg, void *arg)
{
    struct links *links = arg;
    const char *key = msg->subject + strlen(LINKS_HEARD "."), *own = links->gw->instance;

    if (msg->len == strlen(HOLD) && memcmp(msg->data, HOLD, msg->len) == 0)
        hold(links, key);
    else if (msg->len > 0)
        tell(links, key, msg->data, msg->len);
    else if (msg->reply != NULL && take(links, key, NULL, 0))
        (void)!bus_publish(links->gw->bus, msg->reply, NULL, own, strlen(own));
    bus_message_release(msg);
}
