/* SPDX-License-Identifier: Apache-2.0 */
/* Making the tools of an endpoint from what is known of servers. */
#include "toolset.h"

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

/* ---- what is shown --------------------------------------------------------- */

/* The object with another name. NULL when it cannot be read again. */
static const struct definition *renamed(struct arena *arena, const struct definition *from,
                                        const char *name)
{
    const struct json_limits limits = {.depth = DEPTH_MAX, .loose = true};
    const struct json_node *old = json_get(from->json, from->node, "name");
    struct definition *shown = arena_alloc(arena, sizeof(*shown));
    struct json *json = arena_alloc(arena, sizeof(*json));
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
    const char *raw;
    size_t len, before;

    raw = json_raw(from->json, old, &len);
    before = (size_t)(raw - from->text);
    strbuf_add(&text, from->text, before);
    json_put_string(&text, name);
    strbuf_add(&text, raw + len, from->len - before - len);
    shown->key = name;
    shown->text = arena_memdup(arena, text.data, text.len);
    shown->len = text.len;
    shown->mirrored = from->mirrored;
    if (json_parse(arena, shown->text, shown->len, &limits, json, NULL) != ST_OK)
        return NULL;
    shown->json = json;
    shown->node = json->nodes;
    return shown;
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
            .shown =
                strcmp(name->name, name->tool) == 0 ? tool : renamed(&set->arena, tool, name->name),
            .version = server->definitions->version,
        };
        if (offer->shown == NULL)
            continue;
        set->n++;
        add_aliases(making, name, offer);
    }
}

static bool is_exposed(const struct server *server)
{
    return server->names != NULL && server->definitions != NULL && server->config->policy != NULL &&
           server->config->policy->expose &&
           server->config->status != MCP_HEALTH__SERVER_STATUS__SERVER_STATUS_INACTIVE;
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

struct toolset *toolset_hub(const struct tools *tools, const struct server *servers, size_t n)
{
    size_t max = tools->n, own;
    struct making making = {0};
    struct toolset *set;

    for (size_t i = 0; i < n; i++)
        max += is_exposed(&servers[i]) ? servers[i].names->n_tools : 0;
    making.set = set = set_new(max);
    for (size_t i = 0; i < tools->n; i++)
        if (tools->rows[i].rpc->tool_name != NULL)
            set->items[set->n++] = (struct offer){.name = tools->rows[i].rpc->tool_name,
                                                  .own = &tools->rows[i],
                                                  .tool = tools->rows[i].rpc->tool_name};
    own = set->n;
    for (size_t i = 0; i < n; i++)
        if (is_exposed(&servers[i]))
            add_server(&making, &servers[i]);
    qsort(set->items + own, set->n - own, sizeof(*set->items), by_name);
    index_names(&making);
    return set;
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
