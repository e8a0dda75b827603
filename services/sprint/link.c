/* SPDX-License-Identifier: Apache-2.0 */
/* Links of a conversation: what is given, and what its texts mention as far as
 * it exists. */
#include "link.h"

#include "link.sql.h"
#include "link_scan.h"

/* A row that exists; id is NULL where none does. */
struct found {
    const char *id, *sprint_id, *project_id; /* the latter may be NULL */
};

static void scan(struct mentions *mentions, const Sprint__LogInteractionRequest *req)
{
    mentions_scan(mentions, req->title);
    mentions_scan(mentions, req->summary);
    for (size_t i = 0; i < req->n_decisions; i++)
        mentions_scan(mentions, req->decisions[i]);
    for (size_t i = 0; i < req->n_action_items; i++)
        mentions_scan(mentions, req->action_items[i]);
    for (size_t i = 0; i < req->n_messages; i++)
        mentions_scan(mentions, req->messages[i]->content);
}

/* Puts each row at the place of the mention that it answers. */
static void place(const struct pg_rows *rows, bool items, struct found *found)
{
    for (int row = 0; row < rows->n; row++) {
        size_t n = strtoul(pg_cell(rows, row, "n"), NULL, 10) - 1;

        found[n].id = pg_cell(rows, row, "id");
        found[n].sprint_id = items ? pg_cell(rows, row, "sprint_id") : NULL;
        found[n].project_id = pg_cell(rows, row, "project_id");
    }
}

static enum status find_items(struct call *call, size_t n, const char *const *ids,
                              struct found *found)
{
    const char **plain = arena_alloc(call->arena, n * sizeof(*plain));
    struct pg_rows rows;

    for (size_t i = 0; i < n; i++)
        plain[i] = mention_plain(call->arena, ids[i]);
    TRY(pg_rows(call, &rows, sql_link_items, "aa", n, ids, n, plain));
    place(&rows, true, found);
    return ST_OK;
}

static enum status find_sprints(struct call *call, const struct mention_set *set,
                                struct found *found)
{
    const char **numbers = arena_alloc(call->arena, set->n * sizeof(*numbers));
    struct pg_rows rows;
    bool missing = false;

    TRY(pg_rows(call, &rows, sql_link_sprints, "a", set->n, set->items));
    place(&rows, false, found);
    for (size_t i = 0; i < set->n; i++) {
        const char *number = found[i].id ? NULL : mention_number(call->arena, set->items[i]);

        numbers[i] = number ? number : "";
        missing = missing || number;
    }
    if (!missing)
        return ST_OK;
    TRY(pg_rows(call, &rows, sql_link_sprints_named, "a", set->n, numbers));
    place(&rows, false, found);
    return ST_OK;
}

static enum status find_sprint(struct call *call, const char *id, struct found *ret_sprint)
{
    struct pg_rows rows;

    TRY(pg_rows(call, &rows, sql_link_sprint, "s", id));
    if (rows.n)
        *ret_sprint = (struct found){.id = pg_cell(&rows, 0, "id"),
                                     .project_id = pg_cell(&rows, 0, "project_id")};
    return ST_OK;
}

static enum status given(struct call *call, const Sprint__LogInteractionRequest *req,
                         struct found *item, struct found *sprint)
{
    if (*req->sprint_id)
        TRY(find_sprint(call, req->sprint_id, sprint));
    if (*req->work_item_id)
        TRY(find_items(call, 1, (const char *const *)&req->work_item_id, item));
    if (*req->sprint_id && !sprint->id)
        return fail_unknown(call, "sprint_id", "Sprint", req->sprint_id);
    /* MAL-042 is a mention of MAL-42, but not its id. */
    if (*req->work_item_id && (!item->id || strcmp(item->id, req->work_item_id) != 0))
        return fail_unknown(call, "work_item_id", "Work item", req->work_item_id);
    return ST_OK;
}

/* Adds what was found; the first of it becomes *io_first unless that is given. */
static void add(struct call *call, struct names *names, size_t max, size_t n,
                const struct found *found, struct found *io_first)
{
    if (io_first->id)
        names_add_once(call, names, io_first->id);
    for (size_t i = 0; i < n && names->n < max; i++) {
        if (!found[i].id)
            continue;
        if (!io_first->id)
            *io_first = found[i];
        names_add_once(call, names, found[i].id);
    }
}

static enum status mentioned(struct call *call, const Sprint__LogInteractionRequest *req,
                             struct links *links, struct found *item, struct found *sprint)
{
    struct found *items, *sprints;
    struct mentions mentions;
    size_t n_given = (item->id != NULL) + (sprint->id != NULL);

    mentions_init(&mentions, call->arena);
    scan(&mentions, req);
    items = arena_alloc(call->arena, mentions.items.n * sizeof(*items));
    sprints = arena_alloc(call->arena, mentions.sprints.n * sizeof(*sprints));
    if (mentions.items.n)
        TRY(find_items(call, mentions.items.n, mentions.items.items, items));
    if (mentions.sprints.n)
        TRY(find_sprints(call, &mentions.sprints, sprints));
    add(call, &links->sprints, LINKS_MAX - 1, mentions.sprints.n, sprints, sprint);
    add(call, &links->work_items, LINKS_MAX - links->sprints.n, mentions.items.n, items, item);
    /* What is planned in a sprint is about it. */
    if (!sprint->id && item->sprint_id) {
        TRY(find_sprint(call, item->sprint_id, sprint));
        add(call, &links->sprints, LINKS_MAX, 0, NULL, sprint);
    }
    links->automatic = links->sprints.n + links->work_items.n > n_given;
    return ST_OK;
}

enum status links_find(struct call *call, const Sprint__LogInteractionRequest *req,
                       struct links *ret_links)
{
    struct found item = {0}, sprint = {0};

    *ret_links = (struct links){0};
    TRY(given(call, req, &item, &sprint));
    if (!item.id || !sprint.id)
        TRY(mentioned(call, req, ret_links, &item, &sprint));
    else {
        names_add(call, &ret_links->sprints, sprint.id);
        names_add(call, &ret_links->work_items, item.id);
    }
    ret_links->sprint_id = sprint.id;
    ret_links->work_item_id = item.id;
    ret_links->project_id = item.project_id ? item.project_id : sprint.project_id;
    return ST_OK;
}

enum status links_store(struct call *call, const char *interaction_id, const struct links *links)
{
    return pg_exec(call, sql_link_insert, NULL, "saa", interaction_id, links->sprints.n,
                   links->sprints.items, links->work_items.n, links->work_items.items);
}
