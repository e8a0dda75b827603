/* SPDX-License-Identifier: Apache-2.0 */
/* tools/list of an endpoint's tools for one caller. */
#include "toolset.h"

#include "keylist.h"
#include "mcp/bridge.h"
#include "mcp/message.h"
#include "mcp/seal.h"
#include "relay.h"

#include <string.h>

enum { CURSOR = 't' };

bool toolset_visible(const struct toolset *set, const struct offer *offer,
                     const struct principal *who)
{
    if (offer->own != NULL)
        return (offer->own->needs & ~who->scopes) == 0;
    return (who->scopes & SCOPE_EXECUTE) != 0 &&
           (set->granted || principal_may_use(who, offer->server->config->id));
}

bool toolset_put(struct strbuf *out, const struct offer *offer, enum mcp_version version)
{
    const struct bridge bridge = {.server = offer->version, .caller = version};

    if (offer->shown == NULL) {
        const struct strbuf *text = &offer->own->shown[tools_form(version)];

        strbuf_add(out, text->data, text->len);
        return true;
    }
    if (bridge.server != bridge.caller)
        return bridge_put_tool(out, &bridge, offer->shown->json, offer->shown->node, NULL);
    json_put_compact(out, offer->shown->text, offer->shown->len);
    return true;
}

/* Index from which the page starts; false when the cursor is none. */
static bool start(const struct toolset *set, const char *cursor, size_t *ret_index)
{
    CLEANUP(arena_done) struct arena arena = {0};
    const char *after = "";
    size_t i = 0;

    *ret_index = 0;
    arena_init(&arena);
    if (cursor != NULL)
        after = mcp_cursor_get(&arena, CURSOR, cursor);
    if (after == NULL || *after == '\0')
        return after != NULL;
    while (i < set->n && strcmp(set->items[i].name, after) != 0)
        i++;
    *ret_index = i + 1;
    if (i < set->n)
        return true;
    /* A downstream tool that has gone meanwhile: the next one by name. */
    for (i = 0; i < set->n && (set->items[i].own != NULL || strcmp(set->items[i].name, after) < 0);)
        i++;
    *ret_index = i;
    return strncmp(after, "mal_", 4) != 0;
}

bool toolset_list(const struct toolset *set, struct strbuf *out, const struct principal *who,
                  enum mcp_version version, const char *cursor)
{
    const struct offer *last = NULL;
    int64_t count = 0;
    size_t at;

    if (!start(set, cursor, &at))
        return false;
    strbuf_str(out, "\"tools\":[");
    for (; at < set->n; at++) {
        const struct offer *offer = &set->items[at];
        size_t before = out->len;

        if (!toolset_visible(set, offer, who))
            continue;
        if (count == config.list_page)
            break;
        if (count > 0)
            strbuf_char(out, ',');
        if (toolset_put(out, offer, version)) {
            last = offer;
            count++;
        } else {
            out->len = before;
            out->data[before] = '\0';
        }
    }
    strbuf_char(out, ']');
    if (at < set->n && last != NULL) {
        strbuf_str(out, ",\"nextCursor\":\"");
        mcp_cursor_put(out, CURSOR, last->name);
        strbuf_char(out, '"');
    }
    return true;
}
