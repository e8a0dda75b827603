/* SPDX-License-Identifier: Apache-2.0 */
/* What scripted servers of both eras have in common: the handshake, events, and
 * looking into what they were sent. */
#pragma once

#include "downstream_fixture.h"

#include <stdatomic.h>

#define JSON "Content-Type: application/json\r\n"

static const char *const discover =
    "{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{"
    "\"tools\":{},\"prompts\":{}}}";
static const char *const initialized =
    "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}}}";

/* The part that every scripted server shares; false: the test's own. */
static inline bool handshake(struct peer_request *req, void *arg)
{
    char session[64];

    if (strcmp(req->method, "GET") == 0 && peer_header(req, "Last-Event-ID")[0] == '\0') {
        peer_reply(req, 405, "", "");
        return true;
    }
    note(arg, req);
    if (peer_asks(req, "server/discover"))
        peer_result(req, "", discover);
    else if (peer_asks(req, "initialize")) {
        (void)snprintf(session, sizeof(session), "Mcp-Session-Id: s-%d\r\n", req->number);
        peer_result(req, session, initialized);
    } else if (strstr(req->body, "notifications/") != NULL || strcmp(req->method, "DELETE") == 0)
        peer_reply(req, 202, "", "");
    else
        return false;
    return true;
}

/* The note of the first request that asks for it, from the given one on. */
static inline const struct peer_request *noted(struct notes *notes, int from, const char *text)
{
    for (int i = from;; i++)
        if (strstr(note_get(notes, i)->body, text) != NULL ||
            strstr(note_get(notes, i)->head, text) != NULL)
            return note_get(notes, i);
}

static inline int count(struct notes *notes, const char *text)
{
    int n = 0;

    (void)pthread_mutex_lock(&notes->lock);
    for (int i = 0; i < notes->n; i++)
        n += strstr(notes->items[i].body, text) != NULL;
    (void)pthread_mutex_unlock(&notes->lock);
    return n;
}

static inline void event(struct peer_request *req, const char *json)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;

    strbuf_printf(&text, "event: message\ndata: %s", json);
    peer_event(req, text.data);
}

static inline void result_event(struct peer_request *req)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;

    strbuf_printf(&text, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"resultType\":\"complete\"}}",
                  peer_id(req));
    event(req, text.data);
}

static inline struct downstream_exchange *begin(struct fixture *f, int ms)
{
    const struct downstream_request request = {.method = "tools/call",
                                               .params_text = "{\"name\":\"t\"}",
                                               .progress = true,
                                               .deadline_ms = clock_mono_ms() + ms};
    struct downstream_exchange *x;

    ck_assert_msg(downstream_begin(f->session, &request, &x, &f->err) == ST_OK, "%s",
                  f->err.message);
    return x;
}

/* Begins an answer that nobody waits for. */
static atomic_bool saw_the_end;

static inline void abandoned(struct peer_request *req, void *arg)
{
    if (handshake(req, arg))
        return;
    peer_events(req, "");
    if (peer_left(req, 10000))
        atomic_store(&saw_the_end, true);
    peer_hang_up(req);
}
