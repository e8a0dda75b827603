/* SPDX-License-Identifier: Apache-2.0 */
/* What several requests of sprint have in common: made ids, references, totals. */
#include "sprint.h"

#include "base/clock.h"
#include "tally.sql.h"

bool is_guarded(const char *tool)
{
    return list_names(sprint_config.confirm_tools, tool);
}

const char *int_text(struct call *call, bool there, int32_t number)
{
    return there ? arena_printf(call->arena, "%d", number) : NULL;
}

const char *now_text(struct call *call)
{
    char *text = arena_alloc(call->arena, TIMESTAMP_SIZE);

    clock_format(call->now_ms, text);
    return text;
}

enum status fail_unknown(struct call *call, const char *field, const char *kind, const char *id)
{
    (void)fail_missing(call, ST_NOT_FOUND, kind, id);
    return call_fail(call, ST_NOT_FOUND, "%s '%s', given as %s, was not found.", kind, id, field);
}

enum status fail_reference(struct call *call, enum status status, const ProtobufCMessage *entity)
{
    static const struct {
        const char *constraint, *field, *kind;
    } references[] = {
        {"sprint_project_id_fkey", "project_id", "Project"},
        {"work_item_sprint_id_fkey", "sprint_id", "Sprint"},
        {"work_item_project_id_fkey", "project_id", "Project"},
        {"work_item_parent_id_fkey", "parent_id", "Work item"},
    };

    if (status != ST_NOT_FOUND)
        return status;
    for (size_t i = 0; i < ARRAY_SIZE(references); i++)
        if (strcmp(references[i].constraint, pg_constraint(call)) == 0)
            return fail_unknown(call, references[i].field, references[i].kind,
                                wire_get_string(entity, references[i].field));
    return status;
}

enum status keep_metadata(struct call *call, const char **io_metadata, const char *before,
                          struct names *changed)
{
    TRY(pg_keep_json(call, io_metadata, before));
    if (strcmp(*io_metadata, before) == 0)
        names_remove(changed, "metadata");
    return ST_OK;
}

enum status tally_total(struct call *call, int32_t *ret_total, const char *noun, const char *status,
                        const char *type, const char *priority)
{
    const char *total;

    TRY(pg_text(call, sql_tally_total, &total, "ssss", noun, status, type, priority));
    *ret_total = (int32_t)strtol(total, NULL, 10);
    return ST_OK;
}

enum status add_named(struct call *call, const struct named *named, const void *req, void *stored)
{
    const char *slug, *id;
    enum status status;

    if (*named->id) {
        status = named->insert(call, named->id, req, stored);
        if (status == ST_NOT_FOUND && !*pg_constraint(call))
            status = ST_ALREADY_EXISTS;
        return fail_taken(call, status, named->kind, named->id);
    }
    TRY(pg_text(call, named->slug, &slug, "s", named->name));
    do {
        TRY(pg_text(call, named->free_id, &id, "s", slug));
        status = named->insert(call, id, req, stored);
        /* Someone took it since; by now that can be seen. */
    } while (status == ST_NOT_FOUND && !*pg_constraint(call));
    return status;
}

enum status sprint_count_entities(struct call *call, const Sprint__CountEntitiesRequest *req,
                                  Sprint__CountEntitiesResponse *rsp)
{
    (void)req;
    return pg_one(call, &rsp->base, sql_tally_entities, "");
}
