/* SPDX-License-Identifier: Apache-2.0 */
/* The level of logs that an older server keeps for its session: told again to one that
 * begins anew. Who asks for it says so with every request. */
#include "downstream/probe.h"

#include "mcp/message.h"

#include <string.h>

#define SET_LEVEL "logging/setLevel"

/* Whether it takes it or not, the request goes on. */
static void tell(struct downstream_session *session, const char *level, int64_t deadline_ms)
{
    CLEANUP(strbuf_done) struct strbuf params = STRBUF_INIT;
    struct downstream_request request = {
        .method = SET_LEVEL, .deadline_ms = server_probe_deadline(session->server, deadline_ms)};
    struct downstream_exchange *x;
    struct downstream_message msg;

    strbuf_char(&params, '{');
    mcp_put_member(&params, "level", level);
    strbuf_char(&params, '}');
    request.params_text = params.data;
    if (exchange_begin(session, &request, session->server->stdio, false, &x, NULL) != ST_OK)
        return;
    x->renewed = true; /* is part of it */
    while (downstream_next(x, -1, &msg, NULL) == ST_OK && x->state != EXCHANGE_OVER)
        ;
    downstream_end(x);
}

void level_renew(struct downstream_session *session, int64_t deadline_ms)
{
    char level[LEVEL_SIZE];

    (void)pthread_mutex_lock(&session->lock);
    (void)snprintf(level, sizeof(level), "%s", session->level);
    session->level_told = session->generation;
    (void)pthread_mutex_unlock(&session->lock);
    if (level[0] != '\0')
        tell(session, level, deadline_ms);
}

void level_before(struct downstream_session *session, const struct downstream_request *request)
{
    bool sets = strcmp(request->method, SET_LEVEL) == 0, told;

    /* Whoever first uses a session over HTTP knows whether there is one to be told; later
     * another process may have told a newer one. */
    if (request->log_level == NULL && !sets && session->server->stdio)
        return;
    (void)pthread_mutex_lock(&session->lock);
    told = session->level_told == session->generation;
    session->level_told = session->generation;
    if (request->log_level != NULL || sets)
        (void)snprintf(session->level, sizeof(session->level), "%s",
                       sets ? "" : request->log_level);
    (void)pthread_mutex_unlock(&session->lock);
    if (!told && !sets && request->log_level != NULL)
        tell(session, request->log_level, request->deadline_ms);
}
