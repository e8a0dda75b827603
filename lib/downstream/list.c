/* SPDX-License-Identifier: Apache-2.0 */
/* Whole lists: page after page, bounded, and not in circles. */
#include "downstream/list.h"

#include "mcp/message.h"

#include <string.h>

enum { ITEMS_MAX = 50000 };

static const struct {
    const char *method, *capability, *key;
} lists[] = {
    {"tools/list", "tools", "tools"},
    {"resources/list", "resources", "resources"},
    {"resources/templates/list", "resources", "resourceTemplates"},
    {"prompts/list", "prompts", "prompts"},
};

/* A list while it is gathered. */
struct walk {
    struct downstream_session *session;
    const char *method, *key;
    int64_t deadline_ms;
    struct arena arena; /* pages */
    const char **cursors;
    unsigned n_pages;
    size_t bytes;
    struct listed *items;
    size_t n_items, size_items;
    int64_t ttl_ms;
    bool is_public;
};

static void walk_done(struct walk *w)
{
    arena_done(&w->arena);
}

static enum status broken(struct walk *w, const char *what, struct error *err)
{
    return fault_set(err, w->session->server->id, DOWNSTREAM_FAULT_PROTOCOL, "%s (%s)", what,
                     w->method);
}

static enum status grow(struct walk *w, size_t n, struct error *err)
{
    size_t size = w->size_items;
    struct listed *items;

    if (w->n_items + n > ITEMS_MAX)
        return fault_set(err, w->session->server->id, DOWNSTREAM_FAULT_TOO_LARGE,
                         "lists more than %d items (%s)", ITEMS_MAX, w->method);
    if (w->n_items + n <= size)
        return ST_OK;
    while (size < w->n_items + n)
        size = size ? size * 2 : 64;
    items = arena_alloc(&w->arena, size * sizeof(*items));
    if (w->n_items > 0)
        memcpy(items, w->items, w->n_items * sizeof(*items));
    w->items = items;
    w->size_items = size;
    return ST_OK;
}

static void read_hints(struct walk *w, const struct downstream_message *msg)
{
    int64_t ttl_ms;

    if (!json_int(&msg->json, json_get(&msg->json, msg->result, "ttlMs"), &ttl_ms) || ttl_ms < 0)
        ttl_ms = 0;
    w->ttl_ms = w->n_pages == 0 || ttl_ms < w->ttl_ms ? ttl_ms : w->ttl_ms;
    w->is_public = (w->n_pages == 0 || w->is_public) &&
                   json_is(&msg->json, json_get(&msg->json, msg->result, "cacheScope"), "public");
}

static enum status read_page(struct walk *w, const struct downstream_message *msg,
                             struct error *err)
{
    const struct json_node *list = json_get(&msg->json, msg->result, w->key), *item;
    struct json *json = arena_alloc(&w->arena, sizeof(*json));

    *json = msg->json;
    if (list == NULL || list->type != JSON_T_ARRAY)
        return broken(w, "answers a list without a list", err);
    w->bytes += list->len;
    if (w->bytes > w->session->server->limits.reply_bytes)
        return fault_set(err, w->session->server->id, DOWNSTREAM_FAULT_TOO_LARGE,
                         "lists more than %u bytes (%s)", w->session->server->limits.reply_bytes,
                         w->method);
    TRY(grow(w, list->count, err));
    item = json_first(list);
    for (uint32_t i = 0; i < list->count; i++, item = json_next(item)) {
        if (item->type != JSON_T_OBJECT)
            return broken(w, "lists what is no object", err);
        w->items[w->n_items++] = (struct listed){.json = json, .node = item};
    }
    read_hints(w, msg);
    return ST_OK;
}

/* The cursor of the next page, NULL at the end. */
static enum status next_cursor(struct walk *w, const struct downstream_message *msg,
                               const char **ret_cursor, struct error *err)
{
    const struct json_node *node = json_get(&msg->json, msg->result, "nextCursor");

    *ret_cursor = json_text(&w->arena, &msg->json, node);
    if (*ret_cursor == NULL)
        return ST_OK;
    for (unsigned i = 0; i < w->n_pages; i++)
        if (strcmp(w->cursors[i], *ret_cursor) == 0)
            return broken(w, "lists its pages in a circle", err);
    w->cursors[w->n_pages++] = *ret_cursor;
    if (w->n_pages < w->session->server->limits.pages)
        return ST_OK;
    return fault_set(err, w->session->server->id, DOWNSTREAM_FAULT_TOO_LARGE,
                     "lists more than %u pages (%s)", w->session->server->limits.pages, w->method);
}

static enum status refused(struct walk *w, const struct downstream_message *msg, struct error *err)
{
    const char *why = json_text(&w->arena, &msg->json, json_get(&msg->json, msg->error, "message"));

    return fault_set(err, w->session->server->id, DOWNSTREAM_FAULT_PROTOCOL,
                     "refuses %s (error %lld: %.200s)", w->method, (long long)msg->code,
                     why != NULL ? why : "");
}

static enum status walk_pages(struct walk *w, struct error *err)
{
    struct downstream_request request = {
        .method = w->method, .repeatable = true, .deadline_ms = w->deadline_ms};
    struct downstream_message msg;
    const char *cursor = NULL;

    w->cursors = arena_alloc(&w->arena, w->session->server->limits.pages * sizeof(*w->cursors));
    do {
        CLEANUP(strbuf_done) struct strbuf params = STRBUF_INIT;

        strbuf_char(&params, '{');
        if (cursor != NULL)
            mcp_put_member(&params, "cursor", cursor);
        strbuf_char(&params, '}');
        request.params_text = params.data;
        TRY(downstream_call(w->session, &request, NULL, &w->arena, &msg, err));
        if (msg.kind == DOWNSTREAM_ERROR)
            /* Not every server says beforehand what it does not have. */
            return msg.code == MCP_METHOD_NOT_FOUND && w->n_pages == 0 ? ST_OK
                                                                       : refused(w, &msg, err);
        TRY(read_page(w, &msg, err));
        TRY(next_cursor(w, &msg, &cursor, err));
    } while (cursor != NULL);
    return ST_OK;
}

/* Copies what is kept. */
static void keep(struct walk *w, struct arena *arena, struct downstream_list *ret_list)
{
    const char **items = arena_alloc(arena, (w->n_items + 1) * sizeof(*items));

    *ret_list = (struct downstream_list){
        .items = items, .ttl_ms = w->ttl_ms, .is_public = w->is_public && w->n_items > 0};
    for (size_t i = 0; i < w->n_items; i++) {
        size_t len;
        const char *raw = json_raw(w->items[i].json, w->items[i].node, &len);

        if (w->items[i].drop)
            ret_list->n_dropped++;
        else
            items[ret_list->n_items++] = arena_memdup(arena, raw, len);
    }
}

static bool has_capability(struct walk *w, const char *name)
{
    struct downstream_facts facts;
    struct json json;

    downstream_describe(w->session, &w->arena, &facts);
    return facts.capabilities == NULL ||
           json_parse(&w->arena, facts.capabilities, strlen(facts.capabilities), NULL, &json,
                      NULL) != ST_OK ||
           json_get(&json, json.nodes, name) != NULL;
}

static void learn(struct walk *w)
{
    struct downstream *server = w->session->server;

    if (strcmp(w->method, "tools/list") == 0 && w->session->modern && !server->stdio)
        tools_learn(server, w->items, w->n_items);
}

enum status downstream_list(struct downstream_session *session, const char *method,
                            int64_t deadline_ms, struct arena *arena,
                            struct downstream_list *ret_list, struct error *err)
{
    CLEANUP(walk_done)
    struct walk w = {.session = session,
                     .method = method,
                     .deadline_ms = server_deadline(session->server, deadline_ms)};
    unsigned which = 0;
    enum status status = ST_OK;

    while (which < ARRAY_SIZE(lists) && strcmp(lists[which].method, method) != 0)
        which++;
    if (which == ARRAY_SIZE(lists))
        return error_set(err, ST_INVALID_ARGUMENT, "'%s' is no list", method);
    w.key = lists[which].key;
    if (has_capability(&w, lists[which].capability))
        status = walk_pages(&w, err);
    if (status == ST_OK) {
        learn(&w);
        keep(&w, arena, ret_list);
    }
    return status;
}

enum status downstream_list_array(struct downstream_session *session, const char *method,
                                  int64_t deadline_ms, struct arena *arena, const char **ret_array,
                                  struct error *err)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    struct downstream_list list = {0};

    TRY(downstream_list(session, method, deadline_ms, arena, &list, err));
    strbuf_char(&out, '[');
    for (size_t i = 0; i < list.n_items; i++) {
        if (i > 0)
            strbuf_char(&out, ',');
        strbuf_str(&out, list.items[i]);
    }
    strbuf_char(&out, ']');
    *ret_array = arena_memdup(arena, strbuf_cstr(&out), out.len);
    return ST_OK;
}

void list_refresh_tools(struct downstream_session *session, int64_t deadline_ms)
{
    struct arena arena = {0};
    struct downstream_list list;

    (void)!downstream_list(session, "tools/list", deadline_ms, &arena, &list, NULL);
    arena_done(&arena);
}
