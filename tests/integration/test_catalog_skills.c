/* SPDX-License-Identifier: Apache-2.0 */
/* Skills: what registering, reading, changing and deleting them promises. */
#include "catalog_fixture.h"

#include <pthread.h>

#define DOCUMENT(id) "---\\nname: " id "\\ndescription: Says how.\\n---\\n# Title\\n"

static const char minimal[] = "{'id':'one','name':'One','description':'The first.',"
                              "'version':'1.0.0','category':'data','author':'ana'}";

static void add(const char *id, const char *more)
{
    char request[2000];

    (void)snprintf(request, sizeof(request),
                   "{'id':'%s','name':'Name of %s','description':'About %s.','version':'1.0.0',"
                   "'category':'devops','author':'ana'%s}",
                   id, id, id, more);
    OK(f, "RegisterSkill", request);
}

START_TEST(a_registered_skill_comes_back_as_given)
{
    OK(f, "RegisterSkill",
       "{'id':'one','name':' One ','description':'The first.','version':'1.2.3','category':'data',"
       "'author':'ana','tags':['B','a','b '],'trigger_patterns':['say "
       "one'],'asset_content':'" DOCUMENT("one") "'}");
    HAS(f, "'warnings':[]");
    OK(f, "GetSkill", "{'id':'one'}");
    HAS(f, "'id':'one','name':'One','description':'The first.','version':'1.2.3','category':'data',"
           "'trigger_patterns':['say one'],'asset_path':'skills/one/SKILL.md','dependencies':[],"
           "'author':'ana','tags':['b','a'],'has_content':true,'content_sha256':'");
    HAS(f, "'content':'" DOCUMENT("one") "'");
    ck_assert_int_eq(events(f, "catalog.skill.registered"), 1);
}
END_TEST

START_TEST(null_for_an_optional_field_counts_as_absent)
{
    OK(f, "RegisterSkill",
       "{'id':'one','name':'One','description':'The first.','version':'1.0.0','category':'data',"
       "'author':'ana','tags':null,'asset_path':null,'asset_content':null}");
    HAS(f, "'has_content':false");
    HAS_NOT(f, "content_sha256");
}
END_TEST

START_TEST(a_taken_id_names_the_update_tool)
{
    OK(f, "RegisterSkill", minimal);
    FAILS(f, "RegisterSkill", minimal, ST_ALREADY_EXISTS);
    MENTIONS(f, "'one'");
    MENTIONS(f, "mal_update_skill");
    ck_assert_int_eq(events(f, "catalog.skill.registered"), 1);
}
END_TEST

START_TEST(a_taken_asset_path_is_refused)
{
    add("one", ",'asset_path':'docs/a.md'");
    FAILS(f, "RegisterSkill",
          "{'id':'two','name':'Two','description':'x','version':'1.0.0','category':'data',"
          "'author':'ana','asset_path':'docs/a.md'}",
          ST_ALREADY_EXISTS);
    MENTIONS(f, "asset_path");
    add("two", "");
    FAILS(f, "UpdateSkill", "{'id':'two','asset_path':'docs/a.md'}", ST_ALREADY_EXISTS);
    MENTIONS(f, "asset_path");
}
END_TEST

START_TEST(all_violations_are_reported_together)
{
    FAILS(f, "RegisterSkill",
          "{'id':'Not A Slug','name':'','description':'x','version':'1','category':'food',"
          "'author':'ana','extra':1}",
          ST_INVALID_ARGUMENT);
    MENTIONS(f, "id");
    MENTIONS(f, "name");
    MENTIONS(f, "version");
    MENTIONS(f, "category");
    MENTIONS(f, "extra");
}
END_TEST

START_TEST(front_matter_and_unknown_dependencies_are_warnings)
{
    add("one", ",'asset_content':'# No front matter'");
    HAS(f, "no front matter");
    add("two", ",'asset_content':'---\\nname: other\\n---\\ntext'");
    ck_assert_ptr_nonnull(strstr(f->reply, "The name 'other'"));
    HAS(f, "no description");
    add("three", ",'dependencies':['one','nowhere']");
    ck_assert_ptr_nonnull(strstr(f->reply, "dependency 'nowhere'"));
    ck_assert_ptr_null(strstr(f->reply, "dependency 'one'"));
}
END_TEST

START_TEST(an_update_tells_what_changed_and_moves_the_time)
{
    char before[64];

    OK(f, "RegisterSkill", minimal);
    (void)snprintf(before, sizeof(before), "%.40s", strstr(f->reply, "\"updated_at\""));
    OK(f, "UpdateSkill", "{'id':'one','name':'One','description':'Better.','tags':['x']}");
    HAS(f, "'changed':['description','tags']");
    ck_assert_ptr_null(strstr(f->reply, before));
    ck_assert_int_eq(events(f, "catalog.skill.updated"), 1);
}
END_TEST

START_TEST(an_update_without_difference_changes_nothing)
{
    char before[64];

    add("one", ",'tags':['a'],'asset_content':'" DOCUMENT("one") "'");
    (void)snprintf(before, sizeof(before), "%.40s", strstr(f->reply, "\"updated_at\""));
    OK(f, "UpdateSkill",
       "{'id':'one','name':'Name of one','tags':['A'],'asset_content':'" DOCUMENT("one") "'}");
    HAS(f, "'changed':[]");
    HAS(f, "'has_content':true");
    ck_assert_ptr_nonnull(strstr(f->reply, before));
    ck_assert_int_eq(events(f, "catalog.skill.updated"), 0);
}
END_TEST

START_TEST(null_removes_the_document_and_nothing_else)
{
    add("one", ",'tags':['a'],'asset_content':'text'");
    OK(f, "UpdateSkill", "{'id':'one','asset_content':null}");
    HAS(f, "'has_content':false");
    HAS(f, "'changed':['asset_content']");
    HAS_NOT(f, "content_sha256");
    OK(f, "UpdateSkill", "{'id':'one','tags':[]}");
    HAS(f, "'tags':[]");
    FAILS(f, "UpdateSkill", "{'id':'one','name':null}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "name");
    FAILS(f, "UpdateSkill", "{'id':'one'}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "no field to change");
    FAILS(f, "UpdateSkill", "{'id':'one','author':'ben'}", ST_INVALID_ARGUMENT);
}
END_TEST

START_TEST(what_does_not_exist_is_not_found_with_a_way_to_find_it)
{
    const char *const rpcs[] = {"GetSkill", "GetSkillContent"};

    for (size_t i = 0; i < ARRAY_SIZE(rpcs); i++) {
        FAILS(f, rpcs[i], "{'id':'docker-x'}", ST_NOT_FOUND);
        ck_assert_str_eq(f->call.error.message, "Skill 'docker-x' was not found.");
        ck_assert_str_eq(f->call.error.hint,
                         "mal_list_skills or mal_search_skills to find the id.");
    }
    FAILS(f, "UpdateSkill", "{'id':'docker-x','name':'y'}", ST_NOT_FOUND);
    FAILS(f, "DeleteSkill", "{'id':'docker-x'}", ST_NOT_FOUND);
}
END_TEST

START_TEST(a_skill_without_document_has_no_content)
{
    add("one", "");
    OK(f, "GetSkillContent", "{'id':'one'}");
    HAS(f, "'has_content':false");
    HAS(f, "'bytes':0");
    HAS_NOT(f, "'content':");
}
END_TEST

/* The ids of the page, each with a blank behind it. */
static const char *page(const char *rpc, const char *request)
{
    const char *ids = "", *p;

    OK(f, rpc, request);
    for (p = f->reply; (p = strstr(p, "{\"id\":\"")) != NULL;) {
        p += strlen("{\"id\":\"");
        ids = arena_printf(&f->arena, "%s%.*s ", ids, (int)strcspn(p, "\""), p);
    }
    return ids;
}

START_TEST(pages_of_documents_go_on_after_an_id)
{
    static const char document[] = ",'asset_content':'12345'";

    add("b-two", document);
    add("a", document);
    add("b", document);
    add("c-without", "");
    add("d", document);
    ck_assert_str_eq(page("PageDocuments", "{}"), "a b b-two d ");
    ck_assert_str_eq(page("PageDocuments", "{'limit':2}"), "a b ");
    ck_assert_str_eq(page("PageDocuments", "{'after':'b','limit':2}"), "b-two d ");
    ck_assert_str_eq(page("PageDocuments", "{'after':'c'}"), "d ");
    ck_assert_str_eq(page("PageDocuments", "{'after':'d'}"), "");
    ck_assert_str_eq(page("PageDocuments", "{'start':'b'}"), "b b-two ");
    ck_assert_str_eq(page("PageDocuments", "{'start':'b_%'}"), "");
}
END_TEST

START_TEST(deleting_asks_first_and_names_what_is_lost)
{
    add("one", ",'asset_content':'12345'");
    add("two", ",'dependencies':['one']");
    FAILS(f, "DeleteSkill", "{'id':'one'}", ST_FAILED_PRECONDITION);
    ck_assert_str_eq(f->call.error.reason, "CONFIRMATION_REQUIRED");
    MENTIONS(f, "5 bytes");
    MENTIONS(f, "'two'");
    OK(f, "GetSkill", "{'id':'one'}");
    OK(f, "DeleteSkill", "{'id':'one','confirm':true}");
    HAS(f, "{'id':'one','deleted':true,'dependents':['two']}");
    FAILS(f, "GetSkill", "{'id':'one'}", ST_NOT_FOUND);
    ck_assert_int_eq(events(f, "catalog.skill.deleted"), 1);
}
END_TEST

START_TEST(an_unguarded_delete_does_not_ask)
{
    catalog_config.confirm_tools = "mal_import_catalog";
    add("one", "");
    OK(f, "DeleteSkill", "{'id':'one'}");
}
END_TEST

/* Every id of a page once; how many there were. */
static int collect(bool seen[151])
{
    int n = 0;

    for (const char *p = f->reply; (p = strstr(p, "\"id\":\"s-")); n++) {
        long number = strtol(p += strlen("\"id\":\"s-"), NULL, 10);

        ck_assert_int_le(number, 150);
        ck_assert_msg(!seen[number], "s-%ld twice", number);
        seen[number] = true;
    }
    return n;
}

START_TEST(pages_hold_every_entry_once)
{
    bool seen[151] = {false};

    pg_server_sql(f->url, "insert into catalog.skill (id, name, description, version, category,"
                          " asset_path, author) select 's-' || n, 'S', 'd', '1.0.0', 'data',"
                          " 'p' || n, 'ana' from generate_series(1, 150) n");
    OK(f, "ListSkills", "{'limit':100}");
    HAS(f, "'total':150,'count':100,'offset':0,'has_more':true,'next_offset':100}");
    ck_assert_int_eq(collect(seen), 100);
    OK(f, "ListSkills", "{'limit':100,'offset':100}");
    HAS(f, "'total':150,'count':50,'offset':100,'has_more':false}");
    ck_assert_int_eq(collect(seen), 50);
    OK(f, "ListSkills", "{'offset':1000}");
    HAS(f, "{'items':[],'total':150,'count':0,'offset':1000,'has_more':false}");
    FAILS(f, "ListSkills", "{'limit':0}", ST_INVALID_ARGUMENT);
    FAILS(f, "ListSkills", "{'limit':101}", ST_INVALID_ARGUMENT);
    FAILS(f, "ListSkills", "{'offset':-1}", ST_INVALID_ARGUMENT);
}
END_TEST

START_TEST(lists_follow_the_last_change)
{
    add("one", "");
    add("two", "");
    OK(f, "UpdateSkill", "{'id':'one','version':'1.0.1'}");
    OK(f, "ListSkills", "{}");
    ck_assert(strstr(f->reply, "\"id\":\"one\"") < strstr(f->reply, "\"id\":\"two\""));
    OK(f, "UpdateSkill", "{'id':'two','version':'1.0.0'}");
    OK(f, "ListSkills", "{}");
    ck_assert(strstr(f->reply, "\"id\":\"one\"") < strstr(f->reply, "\"id\":\"two\""));
}
END_TEST

START_TEST(tag_filters_match_any_tag_in_any_case)
{
    add("one", ",'tags':['Docker','Été']");
    add("two", ",'tags':['vite']");
    OK(f, "ListSkills", "{'tags':'none, DOCKER ,docker,'}");
    HAS(f, "'id':'one'");
    HAS(f, "'total':1,");
    OK(f, "ListSkills", "{'tags':'ÉTÉ,vite','category':'devops'}");
    HAS(f, "'total':2,");
    OK(f, "ListSkills", "{'tags':'vite','category':'data'}");
    HAS(f, "'total':0,");
    FAILS(f, "ListSkills", "{'tags':' , '}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "tags");
}
END_TEST

START_TEST(a_document_has_up_to_256_kib)
{
    struct strbuf buf = STRBUF_INIT;

    strbuf_str(&buf, "{\"id\":\"big\",\"name\":\"B\",\"description\":\"d\",\"version\":\"1.0.0\","
                     "\"category\":\"data\",\"author\":\"a\",\"asset_content\":\"");
    for (int i = 0; i < 262144 / 8; i++)
        strbuf_printf(&buf, "w%06d ", i);
    strbuf_str(&buf, "\"}");
    ck_assert_int_eq(run_json(f, "RegisterSkill", strbuf_cstr(&buf), true), ST_OK);
    OK(f, "GetSkillContent", "{'id':'big'}");
    HAS(f, "'bytes':262144}");
    OK(f, "SearchSkills", "{'query':'w012000'}");
    HAS(f, "'total':1,");
    OK(f, "SearchSkills", "{'query':'w003000'}");
    HAS(f, "**w003000**");
    buf.len -= 2;
    strbuf_str(&buf, "x\"}");
    ck_assert_int_eq(run_json(f, "RegisterSkill", strbuf_cstr(&buf), true), ST_INVALID_ARGUMENT);
    MENTIONS(f, "asset_content");
    strbuf_done(&buf);
}
END_TEST

enum { ROUNDS = 30 };

/* Sets one field again and again on a connection of its own. */
static void *keep_updating(void *arg)
{
    struct fixture own = {0};

    arena_init(&own.arena);
    own.conn = open_conn(f->url);
    for (int i = 1; i <= ROUNDS; i++) {
        char request[100];

        (void)snprintf(request, sizeof(request), "{'id':'one','%s':'1.0.%d'}", (const char *)arg,
                       i);
        OK(&own, "UpdateSkill", request);
    }
    fixture_done(&own);
    return NULL;
}

START_TEST(concurrent_updates_lose_nothing)
{
    pthread_t threads[2];
    char name[] = "name", version[] = "version";

    add("one", "");
    ck_assert_int_eq(pthread_create(&threads[0], NULL, keep_updating, name), 0);
    ck_assert_int_eq(pthread_create(&threads[1], NULL, keep_updating, version), 0);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    OK(f, "GetSkill", "{'id':'one'}");
    HAS(f, "'name':'1.0.30'");
    HAS(f, "'version':'1.0.30'");
    ck_assert_int_eq(events(f, "catalog.skill.updated"), (intmax_t)2 * ROUNDS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog_skills");
    TCase *tcase = case_new(suite, "skills", 30);

    tcase_add_test(tcase, a_registered_skill_comes_back_as_given);
    tcase_add_test(tcase, null_for_an_optional_field_counts_as_absent);
    tcase_add_test(tcase, a_taken_id_names_the_update_tool);
    tcase_add_test(tcase, a_taken_asset_path_is_refused);
    tcase_add_test(tcase, all_violations_are_reported_together);
    tcase_add_test(tcase, front_matter_and_unknown_dependencies_are_warnings);
    tcase_add_test(tcase, an_update_tells_what_changed_and_moves_the_time);
    tcase_add_test(tcase, an_update_without_difference_changes_nothing);
    tcase_add_test(tcase, null_removes_the_document_and_nothing_else);
    tcase_add_test(tcase, what_does_not_exist_is_not_found_with_a_way_to_find_it);
    tcase_add_test(tcase, a_skill_without_document_has_no_content);
    tcase_add_test(tcase, pages_of_documents_go_on_after_an_id);
    tcase_add_test(tcase, deleting_asks_first_and_names_what_is_lost);
    tcase_add_test(tcase, an_unguarded_delete_does_not_ask);
    tcase_add_test(tcase, pages_hold_every_entry_once);
    tcase_add_test(tcase, lists_follow_the_last_change);
    tcase_add_test(tcase, tag_filters_match_any_tag_in_any_case);
    tcase_add_test(tcase, a_document_has_up_to_256_kib);
    tcase_add_test(tcase, concurrent_updates_lose_nothing);
    return run_suite(suite);
}
