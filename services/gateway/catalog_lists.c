/* SPDX-License-Identifier: Apache-2.0 */
/* Walking the catalog's lists. They come in order of change; here they are
 * sorted by id, so that pages do not shift while somebody edits. */
#include "catalog_lists.h"

#include "invoke.h"
#include "ratelimit.h"

#include "mal/catalog/v1/catalog.api.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 100, ENTRIES_MAX = 20000 };

enum status catalog_ask(struct exchange *x, const struct rpc *rpc, const ProtobufCMessage *request,
                        ProtobufCMessage **ret_reply, struct error *err)
{
    struct call call;
    enum status status;
    int wait_s;

    if (!limits_call(x->gw->limits, x->who.id, x->now_ms, &wait_s)) {
        (void)error_set(err, ST_RESOURCE_EXHAUSTED, "The API key %s calls too often.", x->who.name);
        return ST_RESOURCE_EXHAUSTED;
    }
    exchange_call(x, &call, rpc);
    status = bus_call(x->gw->bus, &call, rpc, request, 0, ret_reply);
    if (status != ST_OK)
        *err = call.error;
    return status;
}

static void add(struct exchange *x, struct entries *entries, const char *key,
                const ProtobufCMessage *row)
{
    if (entries->n == ENTRIES_MAX)
        return;
    if ((entries->n & (entries->n - 1)) == 0) { /* full at each power of two */
        struct entry *bigger =
            arena_alloc(x->arena, (entries->n > 0 ? entries->n * 2 : 1) * sizeof(*bigger));

        if (entries->n > 0)
            memcpy(bigger, entries->items, entries->n * sizeof(*bigger));
        entries->items = bigger;
    }
    entries->items[entries->n++] = (struct entry){key, row};
}

static int compare(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;

    return strcmp(left->key, right->key);
}

/* A row that moved while we walked may have come twice. */
static void sort(struct entries *entries)
{
    size_t kept = 0;

    if (entries->n == 0)
        return;
    qsort(entries->items, entries->n, sizeof(*entries->items), compare);
    for (size_t i = 1; i < entries->n; i++)
        if (strcmp(entries->items[kept].key, entries->items[i].key) != 0)
            entries->items[++kept] = entries->items[i];
    entries->n = kept + 1;
}

enum status catalog_skills(struct exchange *x, struct entries *ret, struct error *err)
{
    bool more = true;

    *ret = (struct entries){0};
    for (int offset = 0; more && offset < ENTRIES_MAX; offset += PAGE) {
        Catalog__ListSkillsRequest request = CATALOG__LIST_SKILLS_REQUEST__INIT;
        ProtobufCMessage *reply;
        const Catalog__ListSkillsResponse *page;

        request.limit = PAGE;
        request.offset = offset;
        TRY(catalog_ask(x, &catalog_list_skills_rpc, &request.base, &reply, err));
        page = (const void *)reply;
        for (size_t i = 0; i < page->n_items; i++)
            add(x, ret, page->items[i]->id, &page->items[i]->base);
        more = page->has_more;
    }
    sort(ret);
    return ST_OK;
}

static enum status add_commands(struct exchange *x, struct entries *ret, struct error *err)
{
    bool more = true;

    for (int offset = 0; more && offset < ENTRIES_MAX; offset += PAGE) {
        Catalog__ListCommandsRequest request = CATALOG__LIST_COMMANDS_REQUEST__INIT;
        ProtobufCMessage *reply;
        const Catalog__ListCommandsResponse *page;

        request.limit = PAGE;
        request.offset = offset;
        TRY(catalog_ask(x, &catalog_list_commands_rpc, &request.base, &reply, err));
        page = (const void *)reply;
        for (size_t i = 0; i < page->n_items; i++)
            add(x, ret, page->items[i]->id, &page->items[i]->base);
        more = page->has_more;
    }
    return ST_OK;
}

static enum status add_subagents(struct exchange *x, struct entries *ret, struct error *err)
{
    bool more = true;

    for (int offset = 0; more && offset < ENTRIES_MAX; offset += PAGE) {
        Catalog__ListSubagentsRequest request = CATALOG__LIST_SUBAGENTS_REQUEST__INIT;
        ProtobufCMessage *reply;
        const Catalog__ListSubagentsResponse *page;

        request.limit = PAGE;
        request.offset = offset;
        TRY(catalog_ask(x, &catalog_list_subagents_rpc, &request.base, &reply, err));
        page = (const void *)reply;
        for (size_t i = 0; i < page->n_items; i++)
            add(x, ret, arena_printf(x->arena, "agent.%s", page->items[i]->id),
                &page->items[i]->base);
        more = page->has_more;
    }
    return ST_OK;
}

enum status catalog_prompts(struct exchange *x, struct entries *ret, struct error *err)
{
    *ret = (struct entries){0};
    TRY(add_commands(x, ret, err));
    TRY(add_subagents(x, ret, err));
    sort(ret);
    return ST_OK;
}

size_t entries_after(const struct entries *entries, const char *key)
{
    size_t i = 0;

    while (*key != '\0' && i < entries->n && strcmp(entries->items[i].key, key) <= 0)
        i++;
    return i;
}
