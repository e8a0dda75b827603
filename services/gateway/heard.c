/* SPDX-License-Identifier: Apache-2.0 */
/* What a server says on the stream of a shared session: from the copy that has the
 * stream to the one that runs the call or carries the caller's stream. */
#include "base/log.h"
#include "links_internal.h"
#include "streams.h"

#include <string.h>

enum { TAKE_MS = 1000 };

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

static void refuse(struct links *links, const struct link_job *job)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct picture *picture = servers_look(links->gw->servers);
    struct link_map *map;
    struct link *link = find(picture, job->key, &map);
    struct json json;
    const char *id;
    size_t len;

    arena_init(&arena);
    if (link != NULL && json_parse(&arena, job->json, job->len,
                                   &(struct json_limits){.loose = true}, &json, NULL) == ST_OK) {
        id = json_raw(&json, json_get(&json, json.nodes, "id"), &len);
        (void)!downstream_answer(link->session, id, len, NULL,
                                 "{\"code\":-32601,\"message\":\"nobody here can answer that\"}",
                                 NULL);
    }
    if (link != NULL)
        link_give(map, link);
    picture_unref(picture);
}

void links_ask(struct links *links, const struct link_job *job)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct bus_message reply;

    arena_init(&arena);
    if (bus_request(links->gw->bus, heard_subject(&arena, job->key), NULL, job->json, job->len,
                    TAKE_MS, &reply) == ST_OK)
        bus_message_release(&reply);
    else
        refuse(links, job);
}

/* Progress belongs to a call, changes are told by the hub itself. */
static bool passes(const char *json, size_t len)
{
    static const char *const ours[] = {"notifications/progress",
                                       "notifications/cancelled",
                                       "notifications/tools/list_changed",
                                       "notifications/prompts/list_changed",
                                       "notifications/resources/list_changed",
                                       "notifications/resources/updated"};
    CLEANUP(arena_done) struct arena arena = {0};
    struct json parsed;

    arena_init(&arena);
    if (json_parse(&arena, json, len, &(struct json_limits){.loose = true}, &parsed, NULL) != ST_OK)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
        if (json_is(&parsed, json_get(&parsed, parsed.nodes, "method"), ours[i]))
            return false;
    return true;
}

/* Of every copy's streams. */
void links_told(struct bus_message *msg, void *arg)
{
    struct links *links = arg;
    const char *key = msg->subject + strlen(LINKS_HEARD ".");
    struct picture *picture = servers_look(links->gw->servers);
    struct link_map *map;
    struct link *link = find(picture, key, &map);
    bool taken = link != NULL && downstream_inject(link->session, msg->data, msg->len);

    if (link != NULL)
        link_give(map, link);
    if (taken && msg->reply != NULL)
        (void)!bus_publish(links->gw->bus, msg->reply, NULL, NULL, 0);
    else if (!taken && msg->reply == NULL && passes(msg->data, msg->len))
        streams_pass_on(links->gw->streams, key, msg->data, msg->len);
    picture_unref(picture);
    bus_message_release(msg);
}
