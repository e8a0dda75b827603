/* SPDX-License-Identifier: Apache-2.0 */
/* What gateways tell a child that is no request to it: which changes they wish to
 * hear of, and notifications of callers. */
#include "exchange.h"

#include "wire/json.h"

#include <stdlib.h>
#include <string.h>

enum { WISHES_MAX = 4000 };

/* Older children tell everything unasked; those of 2026-07-28 are to be asked. */
enum status wish_listen(struct slot *slot, struct downstream_session *session, struct error *err)
{
    struct downstream_wish wish = {.tools = true, .prompts = true, .resources = true};
    enum status status;

    if (!downstream_modern(session))
        return ST_OK;
    pthread_mutex_lock(&slot->wish_lock);
    wish.uris = (const char *const *)slot->wishes;
    wish.n_uris = slot->n_wishes;
    status = downstream_watch(session, &wish, err);
    pthread_mutex_unlock(&slot->wish_lock);
    return status;
}

void wish_done(struct slot *slot)
{
    for (size_t i = 0; i < slot->n_wishes; i++)
        free(slot->wishes[i]);
    free(slot->wishes);
    pthread_mutex_destroy(&slot->wish_lock);
}

/* Whether it was not among them. Of too many the one that was told first goes, so
 * that what somebody wishes now is heard. */
static bool add(struct slot *slot, const char *uri)
{
    bool fresh = true;
    char *copy, **more;

    pthread_mutex_lock(&slot->wish_lock);
    for (size_t i = 0; i < slot->n_wishes; i++)
        if (strcmp(slot->wishes[i], uri) == 0)
            fresh = false;
    if (fresh && slot->n_wishes >= WISHES_MAX) {
        free(slot->wishes[0]);
        slot->n_wishes--;
        memmove(slot->wishes, slot->wishes + 1, slot->n_wishes * sizeof(*slot->wishes));
    }
    if (fresh) {
        more = realloc(slot->wishes, (slot->n_wishes + 1) * sizeof(*more));
        copy = strdup(uri);
        if (!more || !copy)
            abort();
        slot->wishes = more;
        slot->wishes[slot->n_wishes++] = copy;
    }
    pthread_mutex_unlock(&slot->wish_lock);
    return fresh;
}

static bool is_notification(const char *method)
{
    return strncmp(method, "notifications/", 14) == 0;
}

static bool subscribes(const char *method)
{
    return strcmp(method, "resources/subscribe") == 0 ||
           strcmp(method, "resources/unsubscribe") == 0;
}

static enum status subscribe(struct exchange *x, struct slot *slot,
                             struct downstream_session *session, struct error *err)
{
    const char *params = x->call->params, *uri = NULL;
    struct json json;

    if (json_parse(&x->arena, params, strlen(params), NULL, &json, NULL) == ST_OK)
        uri = json_text(&x->arena, &json, json_get(&json, json.nodes, "uri"));
    /* Others may still wish to hear of it: what is heard in vain costs little. */
    if (!uri || strcmp(x->call->method, "resources/unsubscribe") == 0)
        return ST_OK;
    return add(slot, uri) ? wish_listen(slot, session, err) : ST_OK;
}

static void answer(struct exchange *x, enum mcp_version version)
{
    struct downstream_message msg = {.kind = DOWNSTREAM_RESULT, .version = version};

    if (json_parse(&x->arena, "{}", 2, NULL, &msg.json, NULL) != ST_OK)
        abort();
    msg.result = msg.json.nodes;
    (void)!frame_send(x, &msg);
}

bool wish_takes(struct exchange *x, struct slot *slot, enum status *ret_status, struct error *err)
{
    struct downstream_session *session = NULL;
    bool notes = is_notification(x->call->method);

    if (!notes && !subscribes(x->call->method))
        return false;
    *ret_status = slot_session(slot, x->deadline_ms, &session, err);
    if (*ret_status != ST_OK)
        return true;
    if (!notes && !downstream_modern(session))
        return false;
    *ret_status = notes ? downstream_notify(session, x->call->method,
                                            *x->call->params ? x->call->params : NULL, err)
                        : subscribe(x, slot, session, err);
    if (*ret_status == ST_OK)
        answer(x, downstream_modern(session) ? MCP_2026_07_28 : MCP_2025_11_25);
    return true;
}
