/* SPDX-License-Identifier: Apache-2.0 */
/* What downstream servers say outside of calls, on the streams of their callers. */
#include "streams_internal.h"

#include "child.h"
#include "mcp/bridge.h"
#include "servers.h"
#include "stream_text.h"

#include <string.h>

/* As the server last said; MCP_UNKNOWN. */
static enum mcp_version version_of(const struct picture *picture, const char *endpoint)
{
    const struct server *server = endpoint != NULL ? picture_server(picture, endpoint) : NULL;

    return server != NULL && server->definitions != NULL ? server->definitions->version
                                                         : MCP_UNKNOWN;
}

/* Told by the hub itself, when it has heard of it. */
static bool is_change(const char *method)
{
    static const char *const changes[] = {
        "notifications/tools/list_changed", "notifications/prompts/list_changed",
        "notifications/resources/list_changed", "notifications/resources/updated"};

    for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
        if (strcmp(method, changes[i]) == 0)
            return true;
    return false;
}

/* With the lock held. */
static void tell(const struct stream *stream, const struct picture *picture,
                 const struct downstream_message *msg)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    CLEANUP(arena_done) struct arena arena = {0};
    struct bridge bridge = {.server = msg->version};
    struct bridge_listener listener = {.log_level = NULL};

    if (is_change(msg->method) ||
        !sessions_listener(stream->streams->gw->sessions, &arena, stream->session, &bridge.caller,
                           &listener.log_level))
        return;
    if (bridge.server == MCP_UNKNOWN)
        bridge.server = version_of(picture, stream->endpoint);
    if (bridge.server == MCP_UNKNOWN)
        bridge.server = bridge.caller;
    if (!bridge_put_notification(&text, &bridge, msg->method, &msg->json, msg->params, &listener))
        return;
    stream_put_event(&out, text.data, text.len);
    http_stream_send(stream->http, out.data, out.len);
}

void streams_pass_on(struct streams *streams, const char *session,
                     const struct downstream_message *msg)
{
    struct picture *picture = servers_look(streams->gw->servers);

    (void)pthread_mutex_lock(&streams->lock);
    for (struct stream *stream = streams->first; stream != NULL; stream = stream->next)
        if (stream->session != NULL && strcmp(stream->session, session) == 0 && !stream->ending &&
            stream_carries(stream))
            tell(stream, picture, msg);
    (void)pthread_mutex_unlock(&streams->lock);
    picture_unref(picture);
}

const char *stream_capabilities(const struct stream *stream, struct arena *arena)
{
    if (stream->session == NULL)
        return stream->capabilities;
    return sessions_capabilities(stream->streams->gw->sessions, arena, stream->session);
}

bool stream_has_child(const struct stream *stream, const struct server *server, const char *child)
{
    CLEANUP(arena_done) struct arena arena = {0};
    const char *own;

    if (server == NULL || stream->endpoint == NULL ||
        strcmp(stream->endpoint, server->config->id) != 0)
        return false;
    own = child_at(&arena, server, stream->principal, stream_capabilities(stream, &arena));
    return own != NULL && strcmp(own, child) == 0;
}

void streams_pass_on_of_child(struct streams *streams, const char *endpoint, const char *child,
                              const struct downstream_message *msg)
{
    struct picture *picture = servers_look(streams->gw->servers);
    const struct server *server = picture_server(picture, endpoint);

    (void)pthread_mutex_lock(&streams->lock);
    for (struct stream *stream = streams->first; stream != NULL; stream = stream->next)
        if (stream->session != NULL && stream_has_child(stream, server, child) && !stream->ending &&
            stream_carries(stream))
            tell(stream, picture, msg);
    (void)pthread_mutex_unlock(&streams->lock);
    picture_unref(picture);
}
