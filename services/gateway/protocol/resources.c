/* SPDX-License-Identifier: Apache-2.0 */
/* Every skill's document is a resource. */
#include "catalog_lists.h"
#include "mcp/seal.h"
#include "mcp_reply.h"
#include "skill_uri.h"

#include "mal/catalog/v1/catalog.api.h"

#include <string.h>

/* Where the page starts; false: -32602 answered. */
static bool page_start(struct mcp *m, char kind, const char **ret_after)
{
    const char *cursor;

    if (!mcp_cursor(m, &cursor))
        return false;
    *ret_after = cursor != NULL ? mcp_cursor_get(m->x->arena, kind, cursor) : "";
    if (*ret_after != NULL)
        return true;
    reply_error(m, MCP_INVALID_PARAMS, "params.cursor is no cursor of this list");
    return false;
}

static void put_resource(struct mcp *m, const Catalog__Skill *skill)
{
    strbuf_char(&m->out, '{');
    mcp_put_member(&m->out, "uri", skill_uri(m->x->arena, skill->id));
    mcp_put_member(&m->out, "name", skill->id);
    if (m->version >= MCP_2025_06_18)
        mcp_put_member(&m->out, "title", skill->name);
    mcp_put_member(&m->out, "description", skill->description);
    mcp_put_member(&m->out, "mimeType", "text/markdown");
    if (m->version >= MCP_2025_06_18) {
        reply_key(m, "annotations");
        strbuf_char(&m->out, '{');
        mcp_put_member(&m->out, "lastModified", skill->updated_at);
        strbuf_char(&m->out, '}');
    }
    strbuf_char(&m->out, '}');
}

/* The page and, if there is one, the first of the next; none for who may not read. */
static bool documents(struct mcp *m, const char *after, const Catalog__PageDocumentsResponse **ret)
{
    static const Catalog__PageDocumentsResponse none = CATALOG__PAGE_DOCUMENTS_RESPONSE__INIT;
    struct error err = {0};

    *ret = &none;
    if ((m->x->who.scopes & SCOPE_READ) == 0)
        return true;
    if (catalog_documents(m->x, after, "", (int)config.list_page + 1, ret, &err) == ST_OK)
        return true;
    reply_error(m, MCP_INTERNAL_ERROR, "%s", err.message);
    return false;
}

void mcp_resources_list(struct mcp *m)
{
    const Catalog__PageDocumentsResponse *page;
    const char *after;
    size_t i;

    if (!page_start(m, 'r', &after) || !documents(m, after, &page))
        return;
    reply_begin(m, TTL_STALE);
    reply_key(m, "resources");
    strbuf_char(&m->out, '[');
    for (i = 0; i < page->n_items && i < (size_t)config.list_page; i++) {
        if (i > 0)
            strbuf_char(&m->out, ',');
        put_resource(m, page->items[i]);
    }
    strbuf_char(&m->out, ']');
    if (i < page->n_items) {
        reply_key(m, "nextCursor");
        strbuf_char(&m->out, '"');
        mcp_cursor_put(&m->out, 'r', page->items[i - 1]->id);
        strbuf_char(&m->out, '"');
    }
    reply_end(m, NULL);
}

void mcp_templates_list(struct mcp *m)
{
    const char *after;

    if (!page_start(m, 'u', &after))
        return;
    reply_begin(m, TTL_STABLE_MS);
    reply_key(m, "resourceTemplates");
    strbuf_str(&m->out, "[{\"uriTemplate\":\"" SKILL_TEMPLATE "\",\"name\":\"skill\"");
    if (m->version >= MCP_2025_06_18)
        strbuf_str(&m->out, ",\"title\":\"Skill document\"");
    strbuf_str(&m->out, ",\"description\":\"The SKILL.md document of a skill, by its id.\","
                        "\"mimeType\":\"text/markdown\"}]");
    reply_end(m, NULL);
}

static void not_found(struct mcp *m, const char *uri)
{
    CLEANUP(strbuf_done) struct strbuf data = STRBUF_INIT;

    strbuf_str(&data, "{");
    mcp_put_member(&data, "uri", uri);
    strbuf_char(&data, '}');
    reply_error_data(m, m->modern ? MCP_INVALID_PARAMS : MCP_RESOURCE_NOT_FOUND, data.data,
                     "There is no such resource.");
}

void mcp_resources_read(struct mcp *m)
{
    Catalog__GetSkillContentRequest request = CATALOG__GET_SKILL_CONTENT_REQUEST__INIT;
    const Catalog__GetSkillContentResponse *skill = NULL;
    ProtobufCMessage *reply;
    struct error err = {0};
    enum status status = ST_NOT_FOUND;
    const char *uri;

    if (!mcp_need(m, "uri", &uri))
        return;
    request.id = skill_uri_id(m->x->arena, uri);
    if (request.id != NULL && (m->x->who.scopes & SCOPE_READ) != 0)
        status = catalog_ask(m->x, &catalog_get_skill_content_rpc, &request.base, &reply, &err);
    if (status == ST_OK)
        skill = (const void *)reply;
    if (status == ST_NOT_FOUND || status == ST_INVALID_ARGUMENT ||
        (skill != NULL && !skill->has_content)) {
        not_found(m, uri);
        return;
    }
    if (skill == NULL) {
        reply_error(m, MCP_INTERNAL_ERROR, "%s", err.message);
        return;
    }
    reply_begin(m, TTL_STALE);
    reply_key(m, "contents");
    strbuf_str(&m->out, "[{");
    mcp_put_member(&m->out, "uri", uri);
    mcp_put_member(&m->out, "mimeType", "text/markdown");
    mcp_put_member(&m->out, "text", skill->content);
    strbuf_str(&m->out, "}]");
    reply_end(m, NULL);
}

static void subscribe(struct mcp *m, bool on)
{
    const char *uri;

    if (!mcp_need(m, "uri", &uri))
        return;
    if (skill_uri_id(m->x->arena, uri) == NULL || (m->x->who.scopes & SCOPE_READ) == 0) {
        not_found(m, uri);
        return;
    }
    reply_subscribed(m, sessions_subscribe(m->x->gw->sessions, m->x, m->session->hash, uri, on));
}

void mcp_subscribe(struct mcp *m)
{
    subscribe(m, true);
}

void mcp_unsubscribe(struct mcp *m)
{
    subscribe(m, false);
}
