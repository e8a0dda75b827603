/* SPDX-License-Identifier: Apache-2.0 */
/* What a child asked in an exchange and has no answer to yet: it shall not wait for
 * one when the exchange is over. */
#include "exchange.h"

#include "base/log.h"
#include "downstream/exchange.h"

#include <string.h>

/* With x->lock held: its place among those that are open, ASKED_MAX when it is none. */
static size_t place_of(const struct exchange *x, const char *id, size_t len)
{
    size_t i = 0;

    while (i < ASKED_MAX && !(x->open[i] && strlen(x->open[i]) == len && /* as written */
                              memcmp(x->open[i], id, len) == 0))
        i++;
    return i;
}

void asked_forget(struct exchange *x, const char *id, size_t len)
{
    size_t i = place_of(x, id, len);

    if (i < ASKED_MAX)
        x->open[i] = NULL;
}

void asked_note(struct exchange *x, const struct downstream_message *msg)
{
    const struct json_node *id = msg->id;
    const char *raw;
    size_t len, i = 0;

    if (msg->kind == DOWNSTREAM_NOTIFICATION && inbound_withdraws(msg))
        id = json_get(&msg->json, msg->params, "requestId");
    if (!id)
        return;
    raw = json_raw(&msg->json, id, &len);
    pthread_mutex_lock(&x->lock);
    if (msg->kind == DOWNSTREAM_REQUEST) {
        x->asked = true;
        while (i < ASKED_MAX && x->open[i])
            i++;
        if (i < ASKED_MAX)
            x->open[i] = arena_memdup(&x->arena, raw, len);
    } else {
        asked_forget(x, raw, len);
    }
    pthread_mutex_unlock(&x->lock);
}

void asked_end(struct exchange *x)
{
    struct error err = {0};

    for (size_t i = 0; i < ASKED_MAX; i++)
        if (x->open[i] &&
            downstream_answer(
                x->session, x->open[i], strlen(x->open[i]), NULL,
                "{\"code\":-32603,\"message\":\"the call that this was asked for is over\"}",
                &err) != ST_OK)
            log_debug("%s", err.message);
    memset(x->open, 0, sizeof(x->open));
}
