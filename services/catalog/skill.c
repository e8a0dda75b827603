/* SPDX-License-Identifier: Apache-2.0 */
/* Skills: reading and deleting. */
#include "catalog.h"

#include "skill.sql.h"

enum status catalog_list_skills(struct call *call, const Catalog__ListSkillsRequest *req,
                                Catalog__ListSkillsResponse *rsp)
{
    const char *category = enum_text(&req->base, "category"), **tags;
    size_t n;

    TRY(filter_tags(call, "tags", req->tags, &n, &tags));
    TRY(pg_one(call, &rsp->base, sql_skill_count, "sa", category, n, tags));
    TRY(pg_all(call, &rsp->base, "items", sql_skill_list, "saii", category, n, tags, req->limit,
               req->offset));
    PAGE_DONE(rsp, req);
    return ST_OK;
}

enum status catalog_page_documents(struct call *call, const Catalog__PageDocumentsRequest *req,
                                   Catalog__PageDocumentsResponse *rsp)
{
    return pg_all(call, &rsp->base, "items", sql_skill_page, "ssi", req->after, req->start,
                  req->limit);
}

enum status catalog_get_skill(struct call *call, const Catalog__GetSkillRequest *req,
                              Catalog__GetSkillResponse *rsp)
{
    Catalog__Skill *skill = new_message(call, &catalog__skill__descriptor);

    TRY(fail_missing(call, pg_one(call, &skill->base, sql_skill_get, "s", req->id), "Skill",
                     req->id));
    if (skill->has_content) {
        rsp->has_content_case = CATALOG__GET_SKILL_RESPONSE__HAS_CONTENT_CONTENT;
        rsp->content = skill->content;
        skill->content = "";
    }
    rsp->skill = skill;
    return ST_OK;
}

enum status catalog_get_skill_content(struct call *call, const Catalog__GetSkillContentRequest *req,
                                      Catalog__GetSkillContentResponse *rsp)
{
    Catalog__Skill skill = CATALOG__SKILL__INIT;

    TRY(fail_missing(call, pg_one(call, &skill.base, sql_skill_get, "s", req->id), "Skill",
                     req->id));
    rsp->id = skill.id;
    rsp->name = skill.name;
    rsp->asset_path = skill.asset_path;
    rsp->has_content = skill.has_content;
    rsp->content = skill.content;
    rsp->content_sha256 = skill.content_sha256;
    rsp->bytes = (int32_t)strlen(skill.content);
    return ST_OK;
}

static enum status dependents(struct call *call, const char *id, struct names *ret_ids)
{
    struct pg_rows rows;

    TRY(pg_rows(call, &rows, sql_skill_dependents, "s", id));
    for (int i = 0; i < rows.n; i++)
        names_add(call, ret_ids, pg_cell(&rows, i, "id"));
    return ST_OK;
}

/* Says exactly what is lost. */
static enum status ask_delete(struct call *call, const Catalog__Skill *skill,
                              const struct names *users)
{
    const char *document = "", *rest = "";

    if (skill->has_content)
        document =
            arena_printf(call->arena, " and its document (%zu bytes)", strlen(skill->content));
    if (users->n)
        rest = arena_printf(call->arena, "; %zu skill%s, such as '%s', build%s on it", users->n,
                            users->n == 1 ? "" : "s", users->items[0], users->n == 1 ? "s" : "");
    return fail_unconfirmed(call, "mal_delete_skill",
                            "Deleting skill '%s' removes \"%s\" version %s%s for good%s.",
                            skill->id, skill->name, skill->version, document, rest);
}

enum status catalog_delete_skill(struct call *call, const Catalog__DeleteSkillRequest *req,
                                 Catalog__DeleteSkillResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    Catalog__SkillDeleted event = CATALOG__SKILL_DELETED__INIT;
    Catalog__Skill skill = CATALOG__SKILL__INIT;
    struct names users = {0};

    TRY(tx_begin(&tx, call));
    TRY(fail_missing(call, pg_one(call, &skill.base, sql_skill_lock, "s", req->id), "Skill",
                     req->id));
    TRY(dependents(call, req->id, &users));
    if (!req->confirm && is_guarded("mal_delete_skill"))
        return ask_delete(call, &skill, &users);
    TRY(pg_exec(call, sql_skill_delete, NULL, "s", req->id));
    event.id = skill.id;
    event.name = skill.name;
    event.version = skill.version;
    TRY(event_add(&tx, "mal.evt.catalog.skill.deleted", &event.base));
    rsp->id = skill.id;
    rsp->deleted = true;
    rsp->n_dependents = users.n;
    rsp->dependents = users.items;
    return tx_commit(&tx);
}
