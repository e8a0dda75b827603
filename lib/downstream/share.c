/* SPDX-License-Identifier: Apache-2.0 */
/* Legacy HTTP sessions outside this process: as text, and used by several
 * processes as one. */
#include "downstream/headers.h"
#include "downstream/internal.h"
#include "mcp/message.h"

#include <stdlib.h>
#include <string.h>

enum { END_MS = 1000 };

/* ---- as text -------------------------------------------------------------------------- */

static void put_text(struct strbuf *out, const char *key, const char *text)
{
    if (text != NULL)
        mcp_put_member(out, key, text);
}

static void save(struct downstream_session *session, struct strbuf *out)
{
    struct session_view view;

    session_look(session, &view);
    (void)pthread_mutex_lock(&session->lock);
    strbuf_char(out, '{');
    mcp_put_member(out, "id", view.id);
    if (session->facts != NULL) {
        mcp_put_member(out, "version", mcp_version_text(session->facts->version));
        put_text(out, "capabilities", session->facts->capabilities);
        put_text(out, "server_info", session->facts->server_info);
        put_text(out, "instructions", session->facts->instructions);
    }
    strbuf_char(out, '}');
    (void)pthread_mutex_unlock(&session->lock);
}

static char *saved_text(struct arena *arena, const struct json *json, const char *key)
{
    const char *text = json_text(arena, json, json_get(json, json->nodes, key));
    char *copied = text != NULL ? strdup(text) : NULL;

    if (text != NULL && copied == NULL)
        abort();
    return copied;
}

/* NULL: it is no saved session. *ret_id in the arena. */
static struct facts *read_saved(struct arena *arena, const char *saved, size_t len,
                                const char **ret_id)
{
    enum mcp_version version;
    struct facts *facts;
    struct json json;

    if (json_parse(arena, saved, len, NULL, &json, NULL) != ST_OK)
        return NULL;
    *ret_id = json_text(arena, &json, json_get(&json, json.nodes, "id"));
    version = mcp_version_parse(json_text(arena, &json, json_get(&json, json.nodes, "version")));
    if (*ret_id == NULL || strlen(*ret_id) >= SESSION_ID_SIZE || version == MCP_UNKNOWN)
        return NULL;
    facts = facts_new();
    facts->version = version;
    facts->capabilities = saved_text(arena, &json, "capabilities");
    facts->server_info = saved_text(arena, &json, "server_info");
    facts->instructions = saved_text(arena, &json, "instructions");
    return facts;
}

static void become(struct downstream_session *session, const char *id, struct facts *facts)
{
    (void)pthread_mutex_lock(&session->lock);
    facts_unref(session->facts);
    session->facts = facts;
    (void)snprintf(session->id, sizeof(session->id), "%s", id);
    session->level_told = ++session->generation;
    (void)pthread_mutex_unlock(&session->lock);
}

enum status downstream_resume(struct downstream *server,
                              const struct downstream_session_options *options, const char *saved,
                              size_t len, struct downstream_session **ret_session,
                              struct error *err)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct downstream_session *session;
    struct facts *facts;
    const char *id = NULL;
    enum status status;

    if (server->stdio)
        return error_set(err, ST_INVALID_ARGUMENT, "A child cannot be handed on.");
    facts = read_saved(&arena, saved, len, &id);
    if (facts == NULL)
        return error_set(err, ST_INVALID_ARGUMENT, "This is no saved session.");
    session = session_new(server, options);
    session->modern = facts->version >= MCP_2026_07_28;
    become(session, id, facts);
    status = headers_more(&session->headers, options->headers, options->n_headers, err);
    if (status == ST_OK)
        *ret_session = session;
    else
        session_free(session);
    return status;
}

/* ---- shared ----------------------------------------------------------------------------- */

bool share_take(struct downstream_session *session)
{
    CLEANUP(strbuf_done) struct strbuf saved = STRBUF_INIT;
    CLEANUP(arena_done) struct arena arena = {0};
    struct session_view view;
    struct facts *facts;
    const char *id = NULL;

    if (session->shared.load == NULL || !session->shared.load(&saved, session->shared.arg))
        return false;
    facts = read_saved(&arena, strbuf_cstr(&saved), saved.len, &id);
    if (facts == NULL)
        return false;
    session_look(session, &view);
    if (strcmp(view.id, id) == 0 || facts->version >= MCP_2026_07_28) {
        facts_unref(facts);
        return false;
    }
    become(session, id, facts);
    return true;
}

void share_give(struct downstream_session *session)
{
    CLEANUP(strbuf_done) struct strbuf saved = STRBUF_INIT;
    struct session_view mine;

    session_look(session, &mine);
    if (session->shared.save == NULL || mine.id[0] == '\0')
        return;
    save(session, &saved);
    if (!session->shared.save(saved.data, saved.len, session->shared.arg) && share_take(session))
        post_delete(session, &mine, clock_mono_ms() + END_MS);
}
