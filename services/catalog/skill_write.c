/* SPDX-License-Identifier: Apache-2.0 */
/* Skills: registering and updating. */
#include "catalog.h"

#include "skill.sql.h"

const char *skill_asset_path(struct call *call, const char *id, const char *given)
{
    return *given ? given : arena_printf(call->arena, "skills/%s/SKILL.md", id);
}

/* Which of the two unique values is taken. */
static enum status taken(struct call *call, enum status status, const char *id, const char *path)
{
    if (status != ST_ALREADY_EXISTS || strcmp(pg_constraint(call), "skill_asset_path_key") != 0)
        return fail_taken(call, status, "Skill", id);
    call_hint(call, "another asset_path, or mal_update_skill to move the skill that has it.");
    return call_fail(call, ST_ALREADY_EXISTS, "The asset_path '%s' belongs to another skill.",
                     path);
}

enum status skill_add(struct tx *tx, const Catalog__RegisterSkillRequest *req,
                      const struct birth *birth, Catalog__Skill *skill)
{
    struct call *call = tx->call;
    Catalog__SkillRegistered event = CATALOG__SKILL_REGISTERED__INIT;
    const char *path = skill_asset_path(call, req->id, req->asset_path);
    const char *content = req->has_asset_content_case ? req->asset_content : NULL;

    TRY(taken(call,
              pg_one(call, &skill->base, sql_skill_insert, "sssssasasasSS", req->id, req->name,
                     req->description, req->version, enum_text(&req->base, "category"),
                     req->n_trigger_patterns, req->trigger_patterns, path, req->n_dependencies,
                     req->dependencies, req->author, req->n_tags, req->tags, content,
                     birth->created_at, birth->updated_at),
              req->id, path));
    event.id = skill->id;
    event.name = skill->name;
    event.version = skill->version;
    return event_add(tx, "mal.evt.catalog.skill.registered", &event.base);
}

static enum status warn_unknown(struct call *call, size_t n, const char **dependencies,
                                struct names *warnings)
{
    struct pg_rows rows;

    if (n == 0)
        return ST_OK;
    TRY(pg_rows(call, &rows, sql_skill_unknown, "a", n, dependencies));
    for (int i = 0; i < rows.n; i++)
        names_add(call, warnings,
                  arena_printf(call->arena, "The dependency '%s' is not in the catalog (yet).",
                               pg_cell(&rows, i, "id")));
    return ST_OK;
}

enum status catalog_register_skill(struct call *call, const Catalog__RegisterSkillRequest *req,
                                   Catalog__RegisterSkillResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    struct names warnings = {0};

    rsp->skill = new_message(call, &catalog__skill__descriptor);
    TRY(tx_begin(&tx, call));
    TRY(skill_add(&tx, req, &(struct birth){0}, rsp->skill));
    if (req->has_asset_content_case)
        frontmatter_warn(call, req->id, req->asset_content, &warnings);
    TRY(warn_unknown(call, req->n_dependencies, req->dependencies, &warnings));
    rsp->n_warnings = warnings.n;
    rsp->warnings = warnings.items;
    return tx_commit(&tx);
}

/* The document has another name in the request than in the skill. */
static void merge_document(struct call *call, Catalog__Skill *skill,
                           const Catalog__UpdateSkillRequest *req, struct names *changed)
{
    bool removes = wire_is_unset(&req->base, "asset_content");

    if (!removes && !req->has_asset_content_case)
        return;
    if (removes ? !skill->has_content
                : skill->has_content && strcmp(skill->content, req->asset_content) == 0)
        return;
    skill->has_content = !removes;
    skill->content = removes ? "" : req->asset_content;
    names_add(call, changed, "asset_content");
}

static enum status save(struct tx *tx, Catalog__Skill **skill_io, const struct names *changed)
{
    struct call *call = tx->call;
    Catalog__SkillUpdated event = CATALOG__SKILL_UPDATED__INIT;
    const Catalog__Skill *skill = *skill_io;
    Catalog__Skill *stored = new_message(call, &catalog__skill__descriptor);

    TRY(taken(call,
              pg_one(call, &stored->base, sql_skill_update, "sssssasaas", skill->id, skill->name,
                     skill->description, skill->version, enum_text(&skill->base, "category"),
                     skill->n_trigger_patterns, skill->trigger_patterns, skill->asset_path,
                     skill->n_dependencies, skill->dependencies, skill->n_tags, skill->tags,
                     skill->has_content ? skill->content : NULL),
              skill->id, skill->asset_path));
    event.id = skill->id;
    event.name = skill->name;
    event.version = skill->version;
    event.n_changed = changed->n;
    event.changed = changed->items;
    *skill_io = stored;
    return event_add(tx, "mal.evt.catalog.skill.updated", &event.base);
}

enum status catalog_update_skill(struct call *call, const Catalog__UpdateSkillRequest *req,
                                 Catalog__UpdateSkillResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    Catalog__Skill *skill = new_message(call, &catalog__skill__descriptor);
    struct names changed = {0}, warnings = {0};

    TRY(update_check(call, &req->base));
    TRY(tx_begin(&tx, call));
    TRY(fail_missing(call, pg_one(call, &skill->base, sql_skill_lock, "s", req->id), "Skill",
                     req->id));
    update_merge(call, &skill->base, &req->base, &changed);
    merge_document(call, skill, req, &changed);
    if (req->has_asset_content_case)
        frontmatter_warn(call, req->id, req->asset_content, &warnings);
    TRY(warn_unknown(call, req->n_dependencies, req->dependencies, &warnings));
    if (changed.n)
        TRY(save(&tx, &skill, &changed));
    skill->content = "";
    rsp->skill = skill;
    rsp->n_changed = changed.n;
    rsp->changed = changed.items;
    rsp->n_warnings = warnings.n;
    rsp->warnings = warnings.items;
    return tx_commit(&tx);
}
