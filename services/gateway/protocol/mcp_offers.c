/* SPDX-License-Identifier: Apache-2.0 */
/* tools/list of the hub's own endpoints, and calls of downstream tools there. */
#include "mcp_offers.h"

#include "mcp_reply.h"
#include "pass.h"
#include "search.h"

#include <string.h>

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

    if (m->x->search) {
        search_list(m);
        return;
    }
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

void offer_pass(struct mcp *m, const struct offer *offer)
{
    (void)pass_request(m, offer->server, offer->tool);
}
