/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of the catalog's lists. */
#include "catalog_lists.h"

#include "invoke.h"
#include "ratelimit.h"

#include "mal/catalog/v1/catalog.api.h"

#include <string.h>

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

enum status catalog_documents(struct exchange *x, const char *after, const char *start, int limit,
                              const Catalog__PageDocumentsResponse **ret, struct error *err)
{
    Catalog__PageDocumentsRequest request = CATALOG__PAGE_DOCUMENTS_REQUEST__INIT;
    ProtobufCMessage *reply;

    request.after = after;
    request.start = start;
    request.limit = limit;
    TRY(catalog_ask(x, &catalog_page_documents_rpc, &request.base, &reply, err));
    *ret = (const void *)reply;
    return ST_OK;
}

static enum status add_commands(struct exchange *x, const char *after, int limit,
                                struct prompt *items, size_t *n, struct error *err)
{
    Catalog__PageCommandsRequest request = CATALOG__PAGE_COMMANDS_REQUEST__INIT;
    const Catalog__PageCommandsResponse *page;
    ProtobufCMessage *reply;

    request.after = after;
    request.limit = limit;
    TRY(catalog_ask(x, &catalog_page_commands_rpc, &request.base, &reply, err));
    page = (const void *)reply;
    for (size_t i = 0; i < page->n_items && i < (size_t)limit; i++)
        items[(*n)++] = (struct prompt){.name = page->items[i]->id, .command = page->items[i]};
    return ST_OK;
}

static enum status add_subagents(struct exchange *x, const char *after, int limit,
                                 struct prompt *items, size_t *n, struct error *err)
{
    Catalog__PageSubagentsRequest request = CATALOG__PAGE_SUBAGENTS_REQUEST__INIT;
    const Catalog__PageSubagentsResponse *page;
    ProtobufCMessage *reply;

    request.after = after;
    request.limit = limit;
    TRY(catalog_ask(x, &catalog_page_subagents_rpc, &request.base, &reply, err));
    page = (const void *)reply;
    for (size_t i = 0; i < page->n_items && i < (size_t)limit; i++)
        items[(*n)++] =
            (struct prompt){.name = arena_printf(x->arena, AGENT "%s", page->items[i]->id),
                            .subagent = page->items[i]};
    return ST_OK;
}

enum status catalog_prompts(struct exchange *x, const char *after, int limit,
                            struct prompt **ret_items, size_t *ret_n, struct error *err)
{
    bool commands_done = strncmp(after, AGENT, strlen(AGENT)) == 0;

    *ret_items = arena_alloc(x->arena, (size_t)limit * sizeof(**ret_items));
    *ret_n = 0;
    if (!commands_done)
        TRY(add_commands(x, after, limit, *ret_items, ret_n, err));
    if (*ret_n == (size_t)limit)
        return ST_OK;
    return add_subagents(x, commands_done ? after + strlen(AGENT) : "", limit - (int)*ret_n,
                         *ret_items, ret_n, err);
}
