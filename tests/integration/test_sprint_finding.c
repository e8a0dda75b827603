/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations and their decisions are found again: by filters, by words. */
#include "conversation_fixture.h"

/* ---- browsing ----------------------------------------------------------- */

START_TEST(filters_combine_and_order_is_newest_first)
{
    add_team();
    OK(f, "LogInteraction",
       "{'id':'a','session_id':'s1','user_id':'ana','source':'api','tags':['x','y'],"
       "'title':'MAL-42'}");
    OK(f, "LogInteraction", "{'id':'b','session_id':'s1','user_id':'ben','tags':['y']}");
    OK(f, "LogInteraction",
       "{'id':'c','session_id':'s2','user_id':'ana','title':'sprint 7 and API-1'}");
    OK(f, "ListInteractions", "{}");
    HAS(f, "{'items':[{'id':'c',");
    HAS(f, "'total':3,'count':3,'offset':0,'has_more':false}");
    OK(f, "ListInteractions", "{'limit':1,'offset':1}");
    HAS(f, "{'items':[{'id':'b',");
    HAS(f, "'total':3,'count':1,'offset':1,'has_more':true,'next_offset':2}");
    OK(f, "ListInteractions", "{'offset':9}");
    HAS(f, "{'items':[],'total':3,'count':0,'offset':9,'has_more':false}");
    OK(f, "ListInteractions", "{'user_id':'ana'}");
    HAS(f, "'total':2,");
    OK(f, "ListInteractions", "{'session_id':'s1','user_id':'ana'}");
    HAS(f, "'total':1,");
    OK(f, "ListInteractions", "{'source':'api'}");
    HAS(f, "'total':1,");
    OK(f, "ListInteractions", "{'tags':'Y, nothing'}");
    HAS(f, "'total':2,");
    OK(f, "ListInteractions", "{'sprint_id':'sprint-7'}");
    HAS(f, "'total':2,");
    OK(f, "ListInteractions", "{'sprint_id':'sprint-7','work_item_id':'API-1'}");
    HAS(f, "{'items':[{'id':'c',");
    HAS(f, "'total':1,");
    OK(f, "ListInteractions", "{'sprint_id':'nowhere'}");
    HAS(f, "'total':0,");
    FAILS(f, "ListInteractions", "{'tags':' , '}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "tags");
    FAILS(f, "ListInteractions", "{'limit':101}", ST_INVALID_ARGUMENT);
}
END_TEST

START_TEST(what_only_mentions_an_item_is_about_it_too)
{
    add_team();
    OK(f, "LogInteraction",
       "{'id':'a','session_id':'s','user_id':'ana','summary':'MAL-43, then MAL-42'}");
    OK(f, "ListInteractions", "{'work_item_id':'MAL-42'}");
    HAS(f, "{'items':[{'id':'a',");
}
END_TEST

START_TEST(ranges_include_both_days_to_their_last_moment)
{
    static const char *const at[] = {"2026-03-01 23:59:59.999999+00", "2026-03-02 00:00:00+00",
                                     "2026-03-03 23:59:59.999999+00", "2026-03-04 00:00:00+00"};

    for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
        OK(f, "LogInteraction",
           arena_printf(&f->arena,
                        "{'id':'i%zu','session_id':'s','user_id':'ana','title':'deploy',"
                        "'decisions':['deploy']}",
                        i));
        pg_server_sql(f->url, arena_printf(&f->arena,
                                           "update sprint.interaction set created_at = '%s'"
                                           " where id = 'i%zu'; update sprint.decision set"
                                           " created_at = '%s' where interaction_id = 'i%zu'",
                                           at[i], i, at[i], i));
    }
    static const struct {
        const char *range, *total;
    } cases[] = {{"'from':'2026-03-02','to':'2026-03-03'", "'total':2,"},
                 {"'from':'2026-03-03','to':'2026-03-03'", "'total':1,"},
                 {"'from':'2026-03-02'", "'total':3,"},
                 {"'to':'2026-03-03'", "'total':3,"},
                 {"'from':'2026-03-05'", "'total':0,"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        OK(f, "ListInteractions", arena_printf(&f->arena, "{%s}", cases[i].range));
        HAS(f, cases[i].total);
        OK(f, "SearchInteractions",
           arena_printf(&f->arena, "{'query':'deploy',%s}", cases[i].range));
        HAS(f, cases[i].total);
        OK(f, "ListDecisions", arena_printf(&f->arena, "{%s}", cases[i].range));
        HAS(f, cases[i].total);
    }
    FAILS(f, "ListInteractions", "{'from':'2026-03-03','to':'2026-03-02'}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "to");
    FAILS(f, "SearchInteractions", "{'query':'x','from':'2026-03-03','to':'2026-03-02'}",
          ST_INVALID_ARGUMENT);
    FAILS(f, "ListDecisions", "{'from':'2026-03-03','to':'2026-03-02'}", ST_INVALID_ARGUMENT);
}
END_TEST

/* ---- search -------------------------------------------------------------- */

START_TEST(a_word_in_any_text_finds_the_conversation)
{
    static const char *const words[] = {"titlish", "summarish", "decidish",
                                        "actish",  "taggish",   "talkish"};

    OK(f, "LogInteraction",
       "{'id':'a','session_id':'s','user_id':'ana','title':'A titlish one',"
       "'summary':'Quite *summarish* that.','decisions':['decidish'],'action_items':['actish'],"
       "'tags':['taggish'],'messages':[{'role':'human','content':'nothing'},"
       "{'role':'tool','content':'very talkish'}]}");
    OK(f, "LogInteraction", "{'id':'b','session_id':'s','user_id':'ben','title':'Another'}");
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        OK(f, "SearchInteractions", arena_printf(&f->arena, "{'query':'%s'}", words[i]));
        HAS(f, "{'items':[{'interaction':{'id':'a',");
        HAS(f, "'total':1,'count':1,'offset':0,'has_more':false}");
    }
    HAS(f, "'snippet':'nothing\\nvery **talkish**'");
    OK(f, "SearchInteractions", "{'query':'summarish'}");
    HAS(f, "'snippet':'Quite ***summarish*** that.'");
    OK(f, "SearchInteractions", "{'query':'mal_'}");
    HAS(f, "'total':0,");
}
END_TEST

START_TEST(queries_know_stems_accents_phrases_and_signs)
{
    OK(f, "LogInteraction",
       "{'id':'a','session_id':'s','user_id':'ana','summary':'Deploying the café to Cloud Run'}");
    OK(f, "LogInteraction",
       "{'id':'b','session_id':'s','user_id':'ben','summary':'Run to the cloud now'}");
    static const struct {
        const char *query, *total;
    } cases[] = {{"deploy", "'total':1,"},        {"cafe", "'total':1,"},
                 {"depl*", "'total':1,"},         {"\\\"cloud run\\\"", "'total':1,"},
                 {"cloud -deploy", "'total':1,"}, {"café OR run", "'total':2,"},
                 {"cloud run", "'total':2,"},     {"!?&|", "'total':0,"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *json = quoted(arena_printf(&f->arena, "{'query':'%s'}", cases[i].query));

        ck_assert_int_eq(run_json(f, "SearchInteractions", json, true), ST_OK);
        HAS(f, cases[i].total);
        free(json);
    }
    FAILS(f, "SearchInteractions", "{}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "query");
}
END_TEST

START_TEST(the_best_match_comes_first_and_filters_hold)
{
    OK(f, "LogInteraction",
       "{'id':'d','session_id':'s','user_id':'ana','messages':[{'role':'human',"
       "'content':'board'}]}");
    OK(f, "LogInteraction", "{'id':'c','session_id':'s','user_id':'ana','summary':'board'}");
    OK(f, "LogInteraction", "{'id':'b','session_id':'s','user_id':'ana','tags':['board','k']}");
    OK(f, "LogInteraction", "{'id':'a','session_id':'s','user_id':'ben','title':'board'}");
    OK(f, "SearchInteractions", "{'query':'board'}");
    const char *p = f->reply;
    for (const char *id = "abcd"; *id; id++) {
        p = strstr(p, arena_printf(&f->arena, "\"interaction\":{\"id\":\"%c\"", *id));
        ck_assert_msg(p != NULL, "%c in %s", *id, f->reply);
    }
    OK(f, "SearchInteractions", "{'query':'board','limit':1,'offset':1}");
    HAS(f, "{'items':[{'interaction':{'id':'b',");
    HAS(f, "'total':4,'count':1,'offset':1,'has_more':true,'next_offset':2}");
    OK(f, "SearchInteractions", "{'query':'board','user_id':'ben'}");
    HAS(f, "'total':1,");
    OK(f, "SearchInteractions", "{'query':'board','tags':'k,j'}");
    HAS(f, "'total':1,");
    OK(f, "SearchInteractions", "{'query':'board','user_id':'ben','tags':'k'}");
    HAS(f, "'total':0,");
}
END_TEST

START_TEST(the_first_hundred_thousand_characters_are_searched)
{
    CLEANUP(strbuf_done) struct strbuf json = STRBUF_INIT;

    strbuf_str(&json, "{\"session_id\":\"s\",\"user_id\":\"ana\",\"messages\":[");
    for (int i = 0; i < 3; i++) {
        strbuf_str(&json, i ? ",{\"role\":\"human\",\"content\":\""
                            : "{\"role\":\"human\",\"content\":\"");
        for (int k = 0; k < 4993; k++)
            strbuf_str(&json, "ü é ö ä å ");
        strbuf_printf(&json, "word%d\"}", i);
    }
    strbuf_str(&json, "]}");
    ck_assert_int_eq(run_json(f, "LogInteraction", strbuf_cstr(&json), true), ST_OK);
    ck_assert_str_eq(value("select length(transcript) from sprint.interaction"), "100000");
    OK(f, "SearchInteractions", "{'query':'word0'}");
    HAS(f, "'total':1,");
    OK(f, "SearchInteractions", "{'query':'word1'}");
    HAS(f, "'total':1,");
    OK(f, "SearchInteractions", "{'query':'word2'}");
    HAS(f, "'total':0,");
}
END_TEST

/* Texts that make the most of a search vector, which holds a mebibyte. */
START_TEST(no_text_is_too_rich_to_be_stored)
{
    CLEANUP(strbuf_done) struct strbuf json = STRBUF_INIT;

    for (int kind = 0; kind < 4; kind++) {
        strbuf_clear(&json);
        strbuf_str(&json, "{\"session_id\":\"s\",\"user_id\":\"ana\",\"messages\":[{\"role\":"
                          "\"human\",\"content\":\"");
        for (unsigned k = 0, chars = 0; chars < 99000; k++) {
            char part[64];

            if (kind == 0) /* every character a word of four bytes */
                chars += (unsigned)snprintf(part, sizeof(part), "%c%c%c%c ", 0xf0,
                                            0xa0 + (int)(k >> 12) % 16, 0x80 + (int)(k >> 6) % 64,
                                            0x80 + (int)k % 64) -
                         3;
            else if (kind == 1)
                chars += (unsigned)snprintf(part, sizeof(part), "a%x-b%x-c%x ", k, k, k);
            else if (kind == 2)
                chars += (unsigned)snprintf(part, sizeof(part), "h%x.de/a%x/b%x ", k, k, k);
            else
                chars += (unsigned)snprintf(part, sizeof(part), "%x@x%x.org ", k, k);
            strbuf_str(&json, part);
        }
        strbuf_str(&json, "\"}]}");
        enum status status = run_json(f, "LogInteraction", strbuf_cstr(&json), true);
        ck_assert_msg(status == ST_OK, "%d: %s", kind, f->call.error.message);
    }
}
END_TEST

/* ---- decisions ------------------------------------------------------------ */

START_TEST(decisions_are_listed_searched_and_filtered)
{
    add_team();
    OK(f, "LogInteraction",
       "{'id':'a','session_id':'s','user_id':'ana','decisions':['Use Postgres.','Use NATS.'],"
       "'work_item_id':'MAL-42'}");
    OK(f, "LogInteraction",
       "{'id':'b','session_id':'s','user_id':'ben','decisions':['Postgres over Postgres.']}");
    OK(f, "ListDecisions", "{}");
    HAS(f, "{'items':[{'id':'3','interaction_id':'b','text':'Postgres over Postgres.',"
           "'user_id':'ben','created_at':'");
    HAS(f, "{'id':'2','interaction_id':'a','text':'Use NATS.','user_id':'ana','sprint_id':"
           "'sprint-7','work_item_id':'MAL-42','created_at':'");
    HAS(f, "'total':3,'count':3,'offset':0,'has_more':false}");
    OK(f, "ListDecisions", "{'query':'postgres'}");
    HAS(f, "{'items':[{'id':'3',"); /* twice in it */
    HAS(f, "'total':2,");
    OK(f, "ListDecisions", "{'query':'postgres','user_id':'ana'}");
    HAS(f, "{'items':[{'id':'1',");
    HAS(f, "'total':1,");
    OK(f, "ListDecisions", "{'sprint_id':'sprint-7'}");
    HAS(f, "{'items':[{'id':'2',");
    HAS(f, "'total':2,");
    OK(f, "ListDecisions", "{'sprint_id':'sprint-7','user_id':'ben'}");
    HAS(f, "'total':0,");
    OK(f, "ListDecisions", "{'query':'?'}");
    HAS(f, "'total':0,");
    OK(f, "ListDecisions", "{'limit':2,'offset':2}");
    HAS(f, "'total':3,'count':1,'offset':2,'has_more':false}");
    OK(f, "ListDecisions", "{'limit':2}");
    HAS(f, "'has_more':true,'next_offset':2}");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sprint_finding");
    TCase *tcase = case_new(suite, "finding", 60);

    tcase_add_test(tcase, filters_combine_and_order_is_newest_first);
    tcase_add_test(tcase, what_only_mentions_an_item_is_about_it_too);
    tcase_add_test(tcase, ranges_include_both_days_to_their_last_moment);
    tcase_add_test(tcase, a_word_in_any_text_finds_the_conversation);
    tcase_add_test(tcase, queries_know_stems_accents_phrases_and_signs);
    tcase_add_test(tcase, the_best_match_comes_first_and_filters_hold);
    tcase_add_test(tcase, the_first_hundred_thousand_characters_are_searched);
    tcase_add_test(tcase, no_text_is_too_rich_to_be_stored);
    tcase_add_test(tcase, decisions_are_listed_searched_and_filtered);
    return run_suite(suite);
}
