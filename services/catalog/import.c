/* SPDX-License-Identifier: Apache-2.0 */
/* Takes over the entries of an export that are not in the catalog yet, all in
 * one transaction. */
#include "import.h"

static void count(Catalog__Counts *counts, Catalog__Collection collection)
{
    switch (collection) {
    case CATALOG__COLLECTION__COLLECTION_SKILLS:
        counts->skills++;
        break;
    case CATALOG__COLLECTION__COLLECTION_COMMANDS:
        counts->commands++;
        break;
    case CATALOG__COLLECTION__COLLECTION_SUBAGENTS:
        counts->subagents++;
        break;
    default:
        counts->mcps++;
        break;
    }
    counts->total++;
}

static void add_failure(struct call *call, Catalog__ImportCatalogResponse *rsp,
                        const struct import_entry *entry)
{
    Catalog__ImportFailure *failure = new_message(call, &catalog__import_failure__descriptor);

    failure->collection = entry->kind->collection;
    failure->id = entry->id;
    failure->index = entry->index;
    failure->reason = entry->reason;
    rsp->failures[rsp->n_failures++] = failure;
}

static void summarise(struct import *import, Catalog__ImportCatalogResponse *rsp)
{
    struct call *call = import->call;

    rsp->imported = new_message(call, &catalog__counts__descriptor);
    rsp->skipped = new_message(call, &catalog__counts__descriptor);
    rsp->failed = new_message(call, &catalog__counts__descriptor);
    rsp->failures = arena_alloc(call->arena, import->n_entries * sizeof(void *));
    for (size_t i = 0; i < import->n_entries; i++) {
        const struct import_entry *entry = &import->entries[i];

        if (entry->reason) {
            count(rsp->failed, entry->kind->collection);
            add_failure(call, rsp, entry);
        } else {
            count(entry->exists ? rsp->skipped : rsp->imported, entry->kind->collection);
        }
    }
    rsp->n_warnings = import->warnings.n;
    rsp->warnings = import->warnings.items;
}

static enum status add_mcp(struct tx *tx, const struct import_entry *entry)
{
    Catalog__Mcp mcp = CATALOG__MCP__INIT, stored = CATALOG__MCP__INIT;

    mcp_from_request(&mcp, (const void *)entry->request);
    if (entry->inactive || (entry->status && strcmp(entry->status, "inactive") == 0))
        mcp.status = CATALOG__MCP_STATUS__MCP_STATUS_INACTIVE;
    else if (entry->status && strcmp(entry->status, "error") == 0)
        mcp.status = CATALOG__MCP_STATUS__MCP_STATUS_ERROR;
    return mcp_add(tx, &mcp, &entry->birth, &stored);
}

static enum status add_entry(struct tx *tx, const struct import_entry *entry)
{
    Catalog__Skill skill = CATALOG__SKILL__INIT;
    Catalog__Command command = CATALOG__COMMAND__INIT;
    Catalog__Subagent subagent = CATALOG__SUBAGENT__INIT;

    switch (entry->kind->collection) {
    case CATALOG__COLLECTION__COLLECTION_SKILLS:
        return skill_add(tx, (const void *)entry->request, &entry->birth, &skill);
    case CATALOG__COLLECTION__COLLECTION_COMMANDS:
        return command_add(tx, (const void *)entry->request, &entry->birth, &command);
    case CATALOG__COLLECTION__COLLECTION_SUBAGENTS:
        return subagent_add(tx, (const void *)entry->request, &entry->birth, &subagent);
    default:
        return add_mcp(tx, entry);
    }
}

static enum status write_all(struct import *import, struct tx *tx,
                             const Catalog__ImportCatalogResponse *rsp)
{
    struct call *call = import->call;
    Catalog__CatalogImported event = CATALOG__CATALOG_IMPORTED__INIT;

    for (size_t i = 0; i < import->n_entries; i++) {
        const struct import_entry *entry = &import->entries[i];
        enum status status;

        if (entry->reason || entry->exists)
            continue;
        status = add_entry(tx, entry);
        if (status == ST_ALREADY_EXISTS) {
            call_hint(call, "the import again.");
            return call_fail(call, ST_UNAVAILABLE,
                             "'%s' was added by someone else meanwhile; nothing was imported.",
                             entry->id);
        }
        TRY(status);
    }
    if (rsp->imported->total == 0)
        return ST_OK;
    event.imported = rsp->imported;
    event.skipped = rsp->skipped;
    return event_add(tx, "mal.evt.catalog.catalog.imported", &event.base);
}

static enum status ask(struct call *call, const Catalog__ImportCatalogResponse *rsp)
{
    const Catalog__Counts *n = rsp->imported;

    return fail_unconfirmed(
        call, "mal_import_catalog",
        "Importing adds %d entries (%d skills, %d commands, %d subagents, %d MCP "
        "servers), skips %d that are already there and leaves out %d that are "
        "not valid.",
        n->total, n->skills, n->commands, n->subagents, n->mcps, rsp->skipped->total,
        rsp->failed->total);
}

enum status catalog_import_catalog(struct call *call, const Catalog__ImportCatalogRequest *req,
                                   Catalog__ImportCatalogResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    struct import import = {.call = call};

    TRY(tx_begin(&tx, call));
    TRY(import_plan(&import, req->data));
    summarise(&import, rsp);
    rsp->dry_run = req->dry_run;
    if (req->dry_run)
        return ST_OK;
    if (!req->confirm && is_guarded("mal_import_catalog"))
        return ask(call, rsp);
    TRY(write_all(&import, &tx, rsp));
    return tx_commit(&tx);
}
