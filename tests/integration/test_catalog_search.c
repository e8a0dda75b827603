/* SPDX-License-Identifier: Apache-2.0 */
/* Full-text search: what finds what, in which order, and counted how. */
#include "catalog_fixture.h"

static void add(const char *id, const char *name, const char *description, const char *document)
{
    char request[2000];

    (void)snprintf(
        request, sizeof(request),
        "{'id':'%s','name':'%s','description':'%s','version':'1.0.0','category':'devops',"
        "'author':'ana','tags':['tag-%s'],'asset_content':'%s'}",
        id, name, description, id, document);
    OK(f, "RegisterSkill", request);
}

/* The ids that a query finds, in order, with a space after each. */
static const char *found(const char *query)
{
    static char ids[500];
    char request[300];
    size_t n = 0;

    (void)snprintf(request, sizeof(request), "{'query':'%s'}", query);
    OK(f, "SearchSkills", request);
    ids[0] = '\0';
    for (const char *p = f->reply; (p = strstr(p, "\"id\":\"")); p += 6)
        n += (size_t)snprintf(ids + n, sizeof(ids) - n, "%.*s ", (int)strcspn(p + 6, "\""), p + 6);
    return ids;
}

static void set_up_skills(void)
{
    set_up();
    add("cloud", "Cloud", "Deploy to the cloud run service.", "# Steps");
    add("coffee", "Coffee", "Where the café is.", "# Map\\n**Bold** words about a zebra.");
    add("plain", "Plain", "Nothing of note.", "# The deployment of clouds, and then run");
}

START_TEST(words_are_found_by_stem_accent_and_case)
{
    ck_assert_str_eq(found("deploying"), "cloud plain ");
    ck_assert_str_eq(found("CAFE"), "coffee ");
    ck_assert_str_eq(found("cafés"), "coffee ");
    ck_assert_str_eq(found("the"), "coffee cloud plain ");
    ck_assert_str_eq(found("nowhere"), "");
}
END_TEST

START_TEST(prefix_phrase_or_and_without_work)
{
    ck_assert_str_eq(found("depl*"), "cloud plain ");
    ck_assert_str_eq(found("coff*"), "coffee ");
    ck_assert_str_eq(found("\\\"cloud run\\\""), "cloud ");
    ck_assert_str_eq(found("cloud run"), "cloud plain ");
    ck_assert_str_eq(found("cafe OR deploy"), "coffee cloud plain ");
    ck_assert_str_eq(found("deploy -clouds"), "");
    ck_assert_str_eq(found("deploy -service"), "plain ");
    ck_assert_str_eq(found("tag-coffee"), "coffee ");
}
END_TEST

START_TEST(signs_alone_find_nothing_and_fail_nothing)
{
    ck_assert_str_eq(found("?! -- ** ()&|:"), "");
    ck_assert_str_eq(found("   "), "");
    ck_assert_str_eq(found("-"), "");
    ck_assert_str_eq(found("a:* & !b | <->"), "");
    FAILS(f, "SearchSkills", "{'query':''}", ST_INVALID_ARGUMENT);
    FAILS(f, "SearchSkills", "{}", ST_INVALID_ARGUMENT);
    FAILS(f, "SearchCatalog", "{'query':'x','collection':'members'}", ST_INVALID_ARGUMENT);
}
END_TEST

START_TEST(ids_and_names_weigh_more_than_documents)
{
    add("zebra", "Animal", "Striped.", "x");
    ck_assert_str_eq(found("zebra"), "zebra coffee ");
}
END_TEST

START_TEST(equal_matches_go_by_time_in_skills_and_by_id_in_the_catalog)
{
    add("tie-b", "Same", "Same.", "gnu");
    add("tie-a", "Same", "Same.", "gnu");
    add("tie-c", "Same", "Same.", "gnu");
    OK(f, "UpdateSkill", "{'id':'tie-b','version':'1.0.1'}");
    ck_assert_str_eq(found("gnu"), "tie-b tie-c tie-a ");
    OK(f, "SearchCatalog", "{'query':'gnu'}");
    ck_assert(strstr(f->reply, "\"id\":\"tie-a\"") < strstr(f->reply, "\"id\":\"tie-b\""));
    ck_assert(strstr(f->reply, "\"id\":\"tie-b\"") < strstr(f->reply, "\"id\":\"tie-c\""));
}
END_TEST

START_TEST(snippets_mark_the_words)
{
    OK(f, "SearchSkills", "{'query':'cafe'}");
    HAS(f, "'snippet':'Where the **café** is.'");
    HAS(f, "'collection':'skills'");
    HAS(f, "'category':'devops'");
    OK(f, "SearchSkills", "{'query':'zebra'}");
    HAS(f, "about a **zebra**");
    OK(f, "SearchSkills", "{'query':'plain'}");
    HAS(f, "'snippet':'Nothing of note.'");
}
END_TEST

START_TEST(a_change_is_found_at_once_and_a_deletion_no_more)
{
    OK(f, "UpdateSkill", "{'id':'plain','asset_content':'quokka'}");
    ck_assert_str_eq(found("quokka"), "plain ");
    ck_assert_str_eq(found("deployment"), "cloud ");
    OK(f, "DeleteSkill", "{'id':'plain','confirm':true}");
    ck_assert_str_eq(found("quokka"), "");
}
END_TEST

START_TEST(totals_count_beyond_the_page)
{
    pg_server_sql(f->url, "insert into catalog.skill (id, name, description, version, category,"
                          " asset_path, author) select 'w-' || n, 'Walrus', 'd', '1.0.0', 'data',"
                          " 'p' || n, 'ana' from generate_series(1, 50) n");
    OK(f, "SearchSkills", "{'query':'walrus','limit':10,'offset':30}");
    HAS(f, "'total':50,'count':10,'offset':30,'has_more':true,'next_offset':40}");
    OK(f, "SearchSkills", "{'query':'walrus','limit':10,'offset':40}");
    HAS(f, "'has_more':false}");
}
END_TEST

START_TEST(the_catalog_is_searched_by_collection)
{
    OK(f, "RegisterCommand",
       "{'id':'deploy-it','name':'Deploy it','description':'d','author':'ana','category':'git',"
       "'shell':'bash','script_template':'true'}");
    OK(f, "RegisterSubagent",
       "{'id':'agent','name':'Agent','description':'Knows to deploy.','author':'ana',"
       "'system_prompt':'p'}");
    OK(f, "RegisterMcp",
       "{'id':'server','name':'Server','description':'d','author':'ana','transport':'stdio',"
       "'command':'x','tools_exposed':['deploy']}");
    OK(f, "SearchCatalog", "{'query':'deploy'}");
    HAS(f, "'total':5,'count':5,'offset':0,'has_more':false,"
           "'totals':{'skills':2,'commands':1,'subagents':1,'mcps':1}}");
    ck_assert(strstr(f->reply, "deploy-it") < strstr(f->reply, "\"id\":\"agent\""));
    OK(f, "SearchCatalog", "{'query':'deploy','limit':1}");
    HAS(f, "'total':5,'count':4,'offset':0,'has_more':true,'next_offset':1,");
    OK(f, "SearchCatalog", "{'query':'deploy','limit':1,'offset':1}");
    HAS(f, "'count':1,'offset':1,'has_more':false,");
    OK(f, "SearchCatalog", "{'query':'deploy','collection':'commands'}");
    HAS(f, "'total':1,'count':1,");
    HAS(f, "'totals':{'skills':0,'commands':1,'subagents':0,'mcps':0}");
    OK(f, "SearchCatalog", "{'query':'!?'}");
    HAS(f, "'total':0,");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog_search");
    TCase *tcase = tcase_create("search");

    tcase_add_checked_fixture(tcase, set_up_skills, tear_down);
    tcase_set_timeout(tcase, 30);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, words_are_found_by_stem_accent_and_case);
    tcase_add_test(tcase, prefix_phrase_or_and_without_work);
    tcase_add_test(tcase, signs_alone_find_nothing_and_fail_nothing);
    tcase_add_test(tcase, ids_and_names_weigh_more_than_documents);
    tcase_add_test(tcase, equal_matches_go_by_time_in_skills_and_by_id_in_the_catalog);
    tcase_add_test(tcase, snippets_mark_the_words);
    tcase_add_test(tcase, a_change_is_found_at_once_and_a_deletion_no_more);
    tcase_add_test(tcase, totals_count_beyond_the_page);
    tcase_add_test(tcase, the_catalog_is_searched_by_collection);
    return run_suite(suite);
}
