/* SPDX-License-Identifier: Apache-2.0 */
/* Making the tools of an endpoint from what is known of servers. */
#include "toolset.h"

#include "keylist.h"
#include "mcp/message.h"
#include "mcp/mirror.h"
#include "relay.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 128 };

/* A further name of an offer. */
struct alias {
    struct offer offer;
    struct alias *next;
};

/* While it is made. */
struct making {
    struct toolset *set;
    struct alias *aliases;
    size_t n_aliases;
};

static bool is_set(const char *text)
{
    return text != NULL && *text != '\0';
}

/* ---- what is shown --------------------------------------------------------- */

/* Members to show instead of the tool's own; "" and NULL leave them. */
struct overrides {
    const char *name, *title, *description;
    const char *annotations; /* JSON */
};

static bool is_replaced(const struct overrides *with, const struct json *json,
                        const struct json_node *key)
{
    return (is_set(with->name) && json_is(json, key, "name")) ||
           (is_set(with->title) && json_is(json, key, "title")) ||
           (is_set(with->description) && json_is(json, key, "description")) ||
           (is_set(with->annotations) && json_is(json, key, "annotations"));
}

static void put_overrides(struct strbuf *out, const struct overrides *with)
{
    if (is_set(with->name))
        mcp_put_member(out, "name", with->name);
    if (is_set(with->title))
        mcp_put_member(out, "title", with->title);
    if (is_set(with->description))
        mcp_put_member(out, "description", with->description);
    if (is_set(with->annotations)) {
        strbuf_str(out, out->data[out->len - 1] == '{' ? "" : ",");
        strbuf_str(out, "\"annotations\":");
        strbuf_str(out, with->annotations);
    }
}

static const struct definition *parse(struct arena *arena, const char *text, size_t len)
{
    const struct json_limits limits = {.depth = DEPTH_MAX, .loose = true};
    struct definition *shown = arena_alloc(arena, sizeof(*shown));
    struct json *json = arena_alloc(arena, sizeof(*json));

    shown->text = text;
    shown->len = len;
    shown->mirrored = memmem(text, len, "x-mcp-header", 12) != NULL;
    if (json_parse(arena, text, len, &limits, json, NULL) != ST_OK)
        return NULL;
    shown->json = json;
    shown->node = json->nodes;
    return shown;
}

/* The tool with other members. NULL when it cannot be read again. */
static const struct definition *shown_with(struct arena *arena, const struct definition *from,
                                           const struct overrides *with)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    const struct json_node *end = from->node + from->node->span;

    strbuf_char(&out, '{');
    put_overrides(&out, with);
    for (const struct json_node *key = json_first(from->node); key < end;
         key = json_next(json_next(key))) {
        if (is_replaced(with, from->json, key))
            continue;
        strbuf_str(&out, out.len > 1 ? "," : "");
        json_put_node(&out, from->json, key);
        strbuf_char(&out, ':');
        json_put_node(&out, from->json, json_next(key));
    }
    strbuf_char(&out, '}');
    return parse(arena, arena_memdup(arena, out.data, out.len), out.len);
}

/* Wrong annotations of headers make the tool unusable for callers over HTTP. */
static bool is_usable(const struct definition *tool)
{
    CLEANUP(arena_done) struct arena arena = {0};
    struct mirrors mirrors = {0};
    const char *why;

    arena_init(&arena);
    return !tool->mirrored ||
           mirror_read(&arena, tool->json, json_get(tool->json, tool->node, "inputSchema"),
                       &mirrors, &why);
}

/* ---- the hub's own endpoint ------------------------------------------------------ */

static void add_aliases(struct making *making, const McpHealth__ToolName *name,
                        const struct offer *offer)
{
    for (size_t i = 0; i < name->n_aliases; i++) {
        struct alias *alias = arena_alloc(&making->set->arena, sizeof(*alias));

        alias->offer = *offer;
        alias->offer.name = name->aliases[i];
        alias->next = making->aliases;
        making->aliases = alias;
        making->n_aliases++;
    }
}

static void add_server(struct making *making, const struct server *server)
{
    struct toolset *set = making->set;

    for (size_t i = 0; i < server->names->n_tools; i++) {
        const McpHealth__ToolName *name = server->names->tools[i];
        const struct definition *tool =
            definitions_find(server->definitions, DEFINITION_TOOL, name->tool);
        struct offer *offer = &set->items[set->n];

        if (tool == NULL || !relay_exposed(server, name->tool) || !is_usable(tool))
            continue;
        *offer = (struct offer){
            .name = name->name,
            .server = server,
            .tool = name->tool,
            .shown = tool,
            .version = server->definitions->version,
        };
        if (strcmp(name->name, name->tool) != 0)
            offer->shown = shown_with(&set->arena, tool, &(struct overrides){.name = name->name});
        if (offer->shown == NULL)
            continue;
        set->n++;
        add_aliases(making, name, offer);
    }
}

/* It was read and is not switched off. */
static bool is_served(const struct server *server)
{
    return server->definitions != NULL &&
           server->config->status != MCP_HEALTH__SERVER_STATUS__SERVER_STATUS_INACTIVE;
}

static bool is_exposed(const struct server *server)
{
    return server->names != NULL && is_served(server) && server->config->policy != NULL &&
           server->config->policy->expose;
}

static int by_name(const void *a, const void *b)
{
    const struct offer *left = a, *right = b;

    return strcmp(left->name, right->name);
}

static int pointers_by_name(const void *a, const void *b)
{
    const struct offer *const *left = a, *const *right = b;

    return by_name(*left, *right);
}

static void index_names(struct making *making)
{
    struct toolset *set = making->set;

    set->by_name = arena_alloc(&set->arena, (set->n + making->n_aliases) * sizeof(void *));
    for (size_t i = 0; i < set->n; i++)
        set->by_name[set->n_by_name++] = &set->items[i];
    for (const struct alias *alias = making->aliases; alias != NULL; alias = alias->next)
        set->by_name[set->n_by_name++] = &alias->offer;
    qsort(set->by_name, set->n_by_name, sizeof(void *), pointers_by_name);
}

static struct toolset *set_new(size_t max)
{
    struct toolset *set = calloc(1, sizeof(*set));

    if (set == NULL)
        abort();
    arena_init(&set->arena);
    set->items = arena_alloc(&set->arena, max * sizeof(*set->items));
    return set;
}

struct toolset *toolset_hub(const struct tools *tools, const struct picture *picture)
{
    const struct server *servers = picture->servers;
    size_t max = tools->n, own;
    struct making making = {0};
    struct toolset *set;

    for (size_t i = 0; i < picture->n; i++)
        max += is_exposed(&servers[i]) ? servers[i].names->n_tools : 0;
    making.set = set = set_new(max);
    for (size_t i = 0; i < tools->n; i++)
        if (tools->rows[i].rpc->tool_name != NULL)
            set->items[set->n++] = (struct offer){.name = tools->rows[i].rpc->tool_name,
                                                  .own = &tools->rows[i],
                                                  .tool = tools->rows[i].rpc->tool_name};
    own = set->n;
    for (size_t i = 0; i < picture->n; i++)
        if (is_exposed(&servers[i]))
            add_server(&making, &servers[i]);
    qsort(set->items + own, set->n - own, sizeof(*set->items), by_name);
    index_names(&making);
    return set;
}

/* ---- virtual servers --------------------------------------------------------------- */

/* The tool as it is, before anything else is shown of it. False: it is not there. */
static bool find_source(struct toolset *set, const struct tools *tools,
                        const struct picture *picture, const McpHealth__VirtualTool *tool,
                        struct offer *offer)
{
    if (*tool->server == '\0') {
        offer->own = tools_find(tools, tool->tool, SCOPES_ALL);
        offer->version = MCP_2025_11_25;
        if (offer->own == NULL)
            return false;
        offer->shown =
            parse(&set->arena, offer->own->shown[TOOL_FULL].data, offer->own->shown[TOOL_FULL].len);
        return offer->shown != NULL;
    }
    offer->server = picture_server(picture, tool->server);
    if (offer->server == NULL || !is_served(offer->server) ||
        !relay_exposed(offer->server, tool->tool))
        return false;
    offer->version = offer->server->definitions->version;
    offer->shown = definitions_find(offer->server->definitions, DEFINITION_TOOL, tool->tool);
    return offer->shown != NULL && is_usable(offer->shown);
}

static void add_chosen(struct toolset *set, const struct tools *tools,
                       const struct picture *picture, const McpHealth__VirtualTool *tool)
{
    const struct overrides with = {tool->name, tool->title, tool->description, tool->annotations};
    struct offer offer = {.name = is_set(tool->name) ? tool->name : tool->tool, .tool = tool->tool};

    if (!find_source(set, tools, picture, tool, &offer))
        return;
    if (is_set(with.name) || is_set(with.title) || is_set(with.description) ||
        is_set(with.annotations))
        offer.shown = shown_with(&set->arena, offer.shown, &with);
    if (offer.shown != NULL)
        set->items[set->n++] = offer;
}

struct toolset *toolset_virtual(const struct tools *tools, const struct picture *picture,
                                const McpHealth__Virtual *chosen)
{
    struct making making = {.set = set_new(chosen->n_tools)};

    making.set->granted = true;
    for (size_t i = 0; i < chosen->n_tools; i++)
        add_chosen(making.set, tools, picture, chosen->tools[i]);
    index_names(&making);
    return making.set;
}

/* ---- looking --------------------------------------------------------------------- */

void toolset_free(struct toolset *set)
{
    if (set == NULL)
        return;
    arena_done(&set->arena);
    free(set);
}

const struct offer *toolset_find(const struct toolset *set, const char *name)
{
    const struct offer wanted = {.name = name}, *pointer = &wanted, **found = NULL;

    if (set->n_by_name > 0)
        found = bsearch(&pointer, set->by_name, set->n_by_name, sizeof(void *), pointers_by_name);
    return found != NULL ? *found : NULL;
}

bool toolset_same(const struct toolset *a, const struct toolset *b)
{
    if (a == NULL || b == NULL || a->n != b->n)
        return a == b;
    for (size_t i = 0; i < a->n; i++) {
        const struct offer *x = &a->items[i], *y = &b->items[i];

        if (strcmp(x->name, y->name) != 0 || (x->shown == NULL) != (y->shown == NULL))
            return false;
        if (x->shown != NULL && (x->shown->len != y->shown->len ||
                                 memcmp(x->shown->text, y->shown->text, x->shown->len) != 0))
            return false;
    }
    return true;
}
