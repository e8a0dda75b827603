/* SPDX-License-Identifier: Apache-2.0 */
/* tools/list of the hub's own endpoints, and calls of downstream tools there. */
#include "mcp_offers.h"

#include "mcp_reply.h"
#include "pass.h"

#include <string.h>

enum { DEPTH_MAX = 128 };

static const struct toolset *tools_here(struct mcp *m)
{
    return m->x->virtual != NULL ? m->x->virtual->tools : exchange_picture(m->x)->tools;
}

const struct offer *offer_find(struct mcp *m, const char *name)
{
    const struct toolset *set = tools_here(m);
    const struct offer *offer = toolset_find(set, name);

    return offer != NULL && toolset_visible(set, offer, &m->x->who) ? offer : NULL;
}

void mcp_tools_list(struct mcp *m)
{
    const char *cursor;

    if (!mcp_cursor(m, &cursor))
        return;
    reply_begin(m, TTL_STABLE_MS);
    if (m->modern)
        strbuf_char(&m->out, ',');
    if (toolset_list(tools_here(m), &m->out, &m->x->who, m->version, cursor))
        reply_end(m, NULL);
    else
        reply_error(m, MCP_INVALID_PARAMS, "params.cursor is no cursor of this list");
}

/* ---- calls -------------------------------------------------------------------------- */

/* The message with another params.name. */
static bool rename_call(struct mcp *m, const char *name)
{
    const struct json_limits limits = {.depth = DEPTH_MAX};
    const struct json_node *old = json_get(m->msg.json, m->msg.params, "name");
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
    struct json *json = arena_alloc(m->x->arena, sizeof(*json));
    const char *whole, *raw;
    size_t len, old_len, before;

    whole = json_raw(m->msg.json, m->msg.root, &len);
    raw = json_raw(m->msg.json, old, &old_len);
    before = (size_t)(raw - whole);
    strbuf_reserve(&text, len + strlen(name) + 2);
    strbuf_add(&text, whole, before);
    json_put_string(&text, name);
    strbuf_add(&text, raw + old_len, len - before - old_len);
    return json_parse(m->x->arena, arena_memdup(m->x->arena, text.data, text.len), text.len,
                      &limits, json, NULL) == ST_OK &&
           mcp_message_parse(m->x->arena, json, json->nodes, &m->msg, NULL) == ST_OK;
}

void offer_pass(struct mcp *m, const struct offer *offer)
{
    const char *name;

    if (mcp_param(m, "name", &name) != PARAM_TEXT ||
        (strcmp(name, offer->tool) != 0 && !rename_call(m, offer->tool))) {
        reply_error(m, MCP_INTERNAL_ERROR, "the call could not be read again");
        return;
    }
    (void)pass_request(m, offer->server, NULL);
}
