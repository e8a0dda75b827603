/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: registering and updating. */
#include "catalog.h"

#include "command.sql.h"

enum status command_add(struct tx *tx, const Catalog__RegisterCommandRequest *req,
                        const struct birth *birth, Catalog__Command *command)
{
    struct call *call = tx->call;
    Catalog__CommandRegistered event = CATALOG__COMMAND_REGISTERED__INIT;

    TRY(fail_taken(call,
                   pg_one(call, &command->base, sql_command_insert, "ssssassssbSS", req->id,
                          req->name, req->description, req->author, req->n_tags, req->tags,
                          req->category, enum_text(&req->base, "shell"), req->script_template,
                          parameters_json(call, req->n_parameters, req->parameters),
                          (int)req->requires_confirmation, birth->created_at, birth->updated_at),
                   "Command", req->id));
    event.id = command->id;
    event.name = command->name;
    return event_add(tx, "mal.evt.catalog.command.registered", &event.base);
}

enum status catalog_register_command(struct call *call, const Catalog__RegisterCommandRequest *req,
                                     Catalog__RegisterCommandResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    struct names warnings = {0};

    command_check(call, req->script_template, req->n_parameters, req->parameters);
    TRY(call_invalid(call));
    rsp->command = new_message(call, &catalog__command__descriptor);
    TRY(tx_begin(&tx, call));
    TRY(command_add(&tx, req, &(struct birth){0}, rsp->command));
    command_warn(call, rsp->command, &warnings);
    rsp->n_warnings = warnings.n;
    rsp->warnings = warnings.items;
    return tx_commit(&tx);
}

static enum status save(struct tx *tx, Catalog__Command **command_io, const struct names *changed)
{
    struct call *call = tx->call;
    Catalog__CommandUpdated event = CATALOG__COMMAND_UPDATED__INIT;
    const Catalog__Command *command = *command_io;
    Catalog__Command *stored = new_message(call, &catalog__command__descriptor);

    TRY(pg_one(call, &stored->base, sql_command_update, "sssassssb", command->id, command->name,
               command->description, command->n_tags, command->tags, command->category,
               enum_text(&command->base, "shell"), command->script_template,
               parameters_json(call, command->n_parameters, command->parameters),
               (int)command->requires_confirmation));
    event.id = stored->id;
    event.name = stored->name;
    event.n_changed = changed->n;
    event.changed = changed->items;
    *command_io = stored;
    return event_add(tx, "mal.evt.catalog.command.updated", &event.base);
}

enum status catalog_update_command(struct call *call, const Catalog__UpdateCommandRequest *req,
                                   Catalog__UpdateCommandResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    Catalog__Command *command = new_message(call, &catalog__command__descriptor);
    struct names changed = {0}, warnings = {0};

    TRY(update_check(call, &req->base));
    TRY(tx_begin(&tx, call));
    TRY(fail_missing(call, pg_one(call, &command->base, sql_command_lock, "s", req->id), "Command",
                     req->id));
    update_merge(call, &command->base, &req->base, &changed);
    command_check(call, command->script_template, command->n_parameters, command->parameters);
    TRY(call_invalid(call));
    command_warn(call, command, &warnings);
    if (changed.n)
        TRY(save(&tx, &command, &changed));
    rsp->command = command;
    rsp->n_changed = changed.n;
    rsp->changed = changed.items;
    rsp->n_warnings = warnings.n;
    rsp->warnings = warnings.items;
    return tx_commit(&tx);
}
