/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: reading and deleting. */
#include "catalog.h"

#include "command.sql.h"

enum status catalog_list_commands(struct call *call, const Catalog__ListCommandsRequest *req,
                                  Catalog__ListCommandsResponse *rsp)
{
    const char **tags;
    size_t n;

    TRY(filter_tags(call, "tags", req->tags, &n, &tags));
    TRY(pg_one(call, &rsp->base, sql_command_count, "Sa", req->category, n, tags));
    TRY(pg_all(call, &rsp->base, "items", sql_command_list, "Saii", req->category, n, tags,
               req->limit, req->offset));
    PAGE_DONE(rsp, req);
    return ST_OK;
}

enum status command_find(struct call *call, const char *id, Catalog__Command *command)
{
    return fail_missing(call, pg_one(call, &command->base, sql_command_get, "s", id), "Command",
                        id);
}

enum status catalog_page_commands(struct call *call, const Catalog__PageCommandsRequest *req,
                                  Catalog__PageCommandsResponse *rsp)
{
    return pg_all(call, &rsp->base, "items", sql_command_page, "si", req->after, req->limit);
}

enum status catalog_get_command(struct call *call, const Catalog__GetCommandRequest *req,
                                Catalog__GetCommandResponse *rsp)
{
    const char **values;

    rsp->command = new_message(call, &catalog__command__descriptor);
    TRY(command_find(call, req->id, rsp->command));
    if (req->n_params == 0)
        return ST_OK;
    TRY(values_bind(call, rsp->command, req->n_params, req->params, &values));
    rsp->rendered_script = script_render(call, rsp->command, values);
    return ST_OK;
}

enum status catalog_delete_command(struct call *call, const Catalog__DeleteCommandRequest *req,
                                   Catalog__DeleteCommandResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    Catalog__CommandDeleted event = CATALOG__COMMAND_DELETED__INIT;
    Catalog__Command command = CATALOG__COMMAND__INIT;

    TRY(tx_begin(&tx, call));
    TRY(fail_missing(call, pg_one(call, &command.base, sql_command_lock, "s", req->id), "Command",
                     req->id));
    if (!req->confirm) {
        call_hint(call, "ask the user, then delete it again with confirm: true.");
        return call_fail_reason(call, ST_FAILED_PRECONDITION, "CONFIRMATION_REQUIRED",
                                "Deleting command '%s' removes \"%s\" and its script for good.",
                                command.id, command.name);
    }
    TRY(pg_exec(call, sql_command_delete, NULL, "s", req->id));
    event.id = command.id;
    event.name = command.name;
    TRY(event_add(&tx, "mal.evt.catalog.command.deleted", &event.base));
    rsp->id = command.id;
    rsp->deleted = true;
    return tx_commit(&tx);
}
