/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a program on stdio to tell of changes; it says them on its pipe. */
#include "downstream/watch.h"

#include "mcp/message.h"

/* A legacy child says everything unasked, but for single resources. */
static enum status watch_legacy_child(struct downstream_session *session,
                                      const struct downstream_wish *wish, struct error *err)
{
    for (size_t i = 0; i < wish->n_uris; i++) {
        CLEANUP(strbuf_done) struct strbuf params = STRBUF_INIT;
        CLEANUP(arena_done) struct arena arena = {0};
        struct downstream_request request = {.method = "resources/subscribe", .repeatable = true};
        struct downstream_message msg;

        strbuf_char(&params, '{');
        mcp_put_member(&params, "uri", wish->uris[i]);
        strbuf_char(&params, '}');
        request.params_text = params.data;
        TRY(downstream_call(session, &request, NULL, &arena, &msg, err));
    }
    return ST_OK;
}

/* The listen request stays open; its messages carry its id. */
static enum status watch_modern_child(struct downstream_session *session,
                                      const struct downstream_wish *wish, struct error *err)
{
    CLEANUP(strbuf_done) struct strbuf body = STRBUF_INIT;
    uint64_t id = atomic_fetch_add(&session->server->next_id, 1) + 1, before;

    watch_put_listen(&body, session, id, wish);
    (void)pthread_mutex_lock(&session->lock);
    before = session->listen_id;
    session->listen_id = id;
    (void)pthread_mutex_unlock(&session->lock);
    TRY(post_message(session, &body, 0, err));
    if (before != 0)
        post_cancelled(session, before);
    return ST_OK;
}

enum status watch_child(struct downstream_session *session, const struct downstream_wish *wish,
                        struct error *err)
{
    if (session->modern)
        return watch_modern_child(session, wish, err);
    return watch_legacy_child(session, wish, err);
}
