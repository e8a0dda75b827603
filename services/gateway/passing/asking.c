/* SPDX-License-Identifier: Apache-2.0 */
/* Questions of a downstream server to the client of a legacy call. */
#include "asking.h"

#include "answer.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "respond.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct asking {
    struct mcp *m;
    struct bus_sub *sub;
    char id[UUID_SIZE]; /* what the ids of its questions begin with */
    unsigned last;
};

struct asking *asking_begin(struct mcp *m)
{
    struct asking *asking = arena_alloc(m->x->arena, sizeof(*asking));
    const char *subject;

    *asking = (struct asking){.m = m};
    uuid_v4(asking->id);
    subject = arena_printf(m->x->arena, "%s.*",
                           answer_subject(m->x->arena, m->session->hash, asking->id));
    if (!answer_listen(m->x->gw->bus, subject, &asking->sub))
        return NULL;
    m->x->gw->waiting++;
    return asking;
}

unsigned asking_number(const struct asking *asking)
{
    return asking->last + 1;
}

const char *asking_id(const struct asking *asking, unsigned number)
{
    return arena_printf(asking->m->x->arena, "\"%s.%u\"", asking->id, number);
}

static bool send(struct mcp *m, const char *text, size_t len)
{
    return mcp_stream(m) && http_sse_event(m->x->req, NULL, text, len) == ST_OK;
}

bool asking_put(struct asking *asking, const char *members, size_t len)
{
    CLEANUP(strbuf_done) struct strbuf message = STRBUF_INIT;

    asking->last++;
    strbuf_printf(&message, "{\"jsonrpc\":\"2.0\",\"id\":%s,", asking_id(asking, asking->last));
    strbuf_add(&message, members, len);
    strbuf_char(&message, '}');
    return send(asking->m, message.data, message.len);
}

/* The node as text of its own, or NULL. */
static const char *text_of(struct asking *asking, const struct json *json,
                           const struct json_node *node)
{
    size_t len;
    const char *raw;

    if (node == NULL)
        return NULL;
    raw = json_raw(json, node, &len);
    return arena_memdup(asking->m->x->arena, raw, len);
}

static bool read_answer(struct asking *asking, const struct bus_message *msg, struct asked *asked)
{
    struct arena *arena = asking->m->x->arena;
    const char *text = arena_memdup(arena, msg->data, msg->len);
    const struct json_node *root;
    struct json json;

    if (json_parse(arena, text, msg->len, &(struct json_limits){.loose = true}, &json, NULL) !=
        ST_OK)
        return false;
    root = json.nodes;
    *asked = (struct asked){
        .number = (unsigned)strtoul(strrchr(msg->subject, '.') + 1, NULL, 10),
        .error = text_of(asking, &json, json_get(&json, root, "error")),
    };
    if (json_get(&json, root, "method") != NULL)
        asked->progress = text_of(asking, &json, json_get(&json, root, "params"));
    else if (asked->error == NULL)
        asked->result = text_of(asking, &json, json_get(&json, root, "result"));
    return asked->result != NULL || asked->error != NULL || asked->progress != NULL;
}

bool asking_next(struct asking *asking, int wait_ms, struct asked *ret_asked)
{
    int64_t until = clock_mono_ms() + wait_ms;
    struct bus_message msg;
    bool good = false;

    while (!good) {
        int64_t left = until - clock_mono_ms();

        enum status status = bus_sub_next(asking->sub, left > 0 ? (int)left : 0, &msg);

        if (status != ST_OK) {
            /* Without the bus it returns at once. */
            if (status != ST_DEADLINE_EXCEEDED && left > 0)
                (void)usleep((unsigned)left * 1000);
            return false;
        }
        good = read_answer(asking, &msg, ret_asked);
        bus_message_release(&msg);
    }
    return true;
}

void asking_withdraw(struct asking *asking, unsigned number)
{
    const char *text =
        arena_printf(asking->m->x->arena,
                     "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
                     "\"requestId\":%s}}",
                     asking_id(asking, number));

    if (!send(asking->m, text, strlen(text)))
        log_debug("a client left before its question was withdrawn");
}

void asking_end(struct asking *asking)
{
    if (asking == NULL)
        return;
    bus_sub_free(asking->sub);
    asking->m->x->gw->waiting--;
}
