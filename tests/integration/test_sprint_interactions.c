/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations: stored whole, linked with what they mention. */
#include "conversation_fixture.h"

#include <pthread.h>

#include "mal/sprint/v1/events.pb-c.h"

/* ---- logging and reading ----------------------------------------------- */

START_TEST(everything_given_comes_back)
{
    add_team();
    OK(f, "LogInteraction",
       "{'id':'talk:1','session_id':'s-1','user_id':'ana','source':'web_chat','title':'Board',"
       "'summary':'What it shows.','decisions':['Use a board.','No swim lanes.'],"
       "'action_items':['Draw it.'],'tools_used':['mal_get_sprint','mal_get_sprint','Bash'],"
       "'sprint_id':'sprint-7','work_item_id':'MAL-42','tags':['UI','ui ','Board'],"
       "'message_count':7,'metadata':{'model':'x'},"
       "'messages':[{'role':'human','content':'Hi'},{'role':'tool','content':'42',"
       "'tool_calls':'[1]','token_count':0}]}");
    HAS(f, "{'interaction':{'id':'talk:1','session_id':'s-1','user_id':'ana','source':'web_chat',"
           "'title':'Board','summary':'What it shows.','decisions':['Use a board.','No swim "
           "lanes.'],'action_items':['Draw it.'],'tools_used':['mal_get_sprint','mal_get_sprint',"
           "'Bash'],'sprint_id':'sprint-7','work_item_id':'MAL-42','tags':['ui','board'],"
           "'message_count':7,'metadata':{'model':'x'},'created_at':'");
    HAS(f, "'messages_saved':2,'linked':{'sprint_ids':['sprint-7'],'work_item_ids':['MAL-42'],"
           "'automatic':false}}");
    OK(f, "GetInteraction", "{'id':'talk:1'}");
    HAS(f, "'messages':[{'role':'human','content':'Hi','created_at':'");
    HAS(f, "{'role':'tool','content':'42','tool_calls':'[1]','token_count':0,'created_at':'");
    HAS(f, "'message_count':7,");
}
END_TEST

START_TEST(session_and_user_make_a_conversation)
{
    OK(f, "LogInteraction", "{'session_id':'s','user_id':'ana'}");
    HAS(f, "'source':'claude_code','decisions':[],'action_items':[],'tools_used':[],'tags':[],"
           "'message_count':0,'metadata':{},");
    HAS(f, "'messages_saved':0,'linked':{'sprint_ids':[],'work_item_ids':[],'automatic':false}");
    ck_assert_str_eq(value("select id::uuid is not null from sprint.interaction"), "t");
    ck_assert_str_eq(value("select substr(id, 15, 1) from sprint.interaction"), "7");
    OK(f, "LogInteraction",
       "{'session_id':'s','user_id':'ana','title':null,'sprint_id':null,'messages':"
       "[{'role':'assistant','content':'x'}]}");
    HAS(f, "'message_count':1,");
}
END_TEST

START_TEST(an_id_is_taken_once)
{
    OK(f, "LogInteraction", "{'id':'one','session_id':'s','user_id':'ana','decisions':['a']}");
    FAILS(f, "LogInteraction",
          "{'id':'one','session_id':'s','user_id':'ben','decisions':['b'],"
          "'messages':[{'role':'human','content':'x'}]}",
          ST_ALREADY_EXISTS);
    MENTIONS(f, "'one'");
    MENTIONS(f, "mal_get_interaction");
    ck_assert_str_eq(value("select count(*) from sprint.decision"), "1");
    ck_assert_str_eq(value("select count(*) from sprint.interaction_message"), "0");
    ck_assert_int_eq(events(f, "sprint.interaction.logged"), 1);
    FAILS(f, "GetInteraction", "{'id':'two'}", ST_NOT_FOUND);
    MENTIONS(f, "mal_list_interactions");
}
END_TEST

START_TEST(three_hundred_messages_come_back_complete_and_in_order)
{
    CLEANUP(strbuf_done) struct strbuf json = STRBUF_INIT;

    strbuf_str(&json, "{\"id\":\"long\",\"session_id\":\"s\",\"user_id\":\"ana\",\"messages\":[");
    for (int i = 0; i < 300; i++) {
        strbuf_printf(&json, "%s{\"role\":\"%s\",\"content\":\"<%d>", i ? "," : "",
                      i % 2 ? "assistant" : "human", i);
        for (int k = 0; k < 200 * (i % 7); k++)
            strbuf_str(&json, "\\\"é\\n\\\\");
        strbuf_str(&json, "\"}");
    }
    strbuf_str(&json, "]}");
    ck_assert_int_eq(run_json(f, "LogInteraction", strbuf_cstr(&json), false), ST_OK);
    HAS(f, "'messages_saved':300");
    OK(f, "GetInteraction", "{'id':'long'}");
    const char *p = f->reply;
    for (int i = 0; i < 300; i++) {
        const char *content =
            arena_printf(&f->arena, "\"content\":\"<%d>%s", i, i % 7 ? "\\\"é\\n\\\\" : "\"");

        p = strstr(p, content);
        ck_assert_msg(p != NULL, "message %d", i);
    }
    ck_assert_str_eq(value("select sum(length(content)) from sprint.interaction_message"),
                     value("select sum(length('<' || n || '>') + 800 * (n % 7))"
                           " from generate_series(0, 299) n"));
}
END_TEST

START_TEST(a_conversation_that_could_not_be_read_back_is_refused)
{
    CLEANUP(strbuf_done) struct strbuf json = STRBUF_INIT;
    char *text = malloc(100001);

    memset(text, 'x', 100000);
    text[100000] = '\0';
    strbuf_str(&json, "{\"id\":\"big\",\"session_id\":\"s\",\"user_id\":\"ana\",\"messages\":[");
    for (int i = 0; i < 52; i++)
        strbuf_printf(&json, "%s{\"role\":\"human\",\"content\":\"%s\"}", i ? "," : "", text);
    strbuf_str(&json, "]}");
    ck_assert_int_eq(run_json(f, "LogInteraction", strbuf_cstr(&json), false), ST_OK);
    json.len -= 2;
    strbuf_printf(&json, ",{\"role\":\"human\",\"content\":\"%s\"}]}", text);
    ck_assert_int_eq(run_json(f, "LogInteraction", strbuf_cstr(&json), false), ST_INVALID_ARGUMENT);
    MENTIONS(f, "messages");
    MENTIONS(f, "session_id");
    OK(f, "GetInteraction", "{'id':'big'}");
    ck_assert_uint_gt(strlen(f->reply), 5200000);
    free(text);
}
END_TEST

START_TEST(a_field_beyond_its_limit_is_named)
{
    static const char *const bad[][2] = {
        {"'user_id':'ana'", "session_id"},
        {"'session_id':'s'", "user_id"},
        {"'session_id':'s','user_id':'Ana'", "user_id"},
        {"'session_id':'s','user_id':'ana','id':'a b'", "id"},
        {"'session_id':'s','user_id':'ana','source':'cli'", "source"},
        {"'session_id':'s','user_id':'ana','message_count':100001", "message_count"},
        {"'session_id':'s','user_id':'ana','decisions':['']", "decisions"},
        {"'session_id':'s','user_id':'ana','messages':[{'role':'system','content':'x'}]}", "role"},
        {"'session_id':'s','user_id':'ana','messages':[{'role':'human','content':''}]", "content"},
        {"'session_id':'s','user_id':'ana','messages':[{'role':'human','content':'x',"
         "'token_count':-1}]",
         "token_count"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        const char *tail = strstr(bad[i][0], "system") ? "" : "}";

        FAILS(f, "LogInteraction", arena_printf(&f->arena, "{%s%s", bad[i][0], tail),
              ST_INVALID_ARGUMENT);
        MENTIONS(f, bad[i][1]);
    }
}
END_TEST

START_TEST(events_are_written_with_the_conversation)
{
    const Sprint__InteractionLogged *logged;
    const Sprint__DecisionRecorded *recorded;

    add_team();
    OK(f, "LogInteraction",
       "{'id':'one','session_id':'s','user_id':'ana','decisions':['Ship it.'],"
       "'tools_used':['a','b','a'],'work_item_id':'API-1'}");
    logged = (const void *)last_event("sprint.interaction.logged",
                                      &sprint__interaction_logged__descriptor);
    ck_assert_str_eq(logged->id, "one");
    ck_assert_str_eq(logged->user_id, "ana");
    ck_assert_int_eq(logged->source, SPRINT__INTERACTION_SOURCE__INTERACTION_SOURCE_CLAUDE_CODE);
    ck_assert_int_eq(logged->tools_count, 2);
    ck_assert_int_eq(logged->decisions_count, 1);
    ck_assert_str_eq(logged->project_id, "hermes");
    ck_assert_str_eq(logged->sprint_id, "launch");
    ck_assert_str_eq(logged->work_item_id, "API-1");
    ck_assert_str_eq(logged->created_at,
                     value("select to_char(created_at at time zone 'UTC',"
                           " 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') from sprint.interaction"));
    recorded = (const void *)last_event("sprint.decision.recorded",
                                        &sprint__decision_recorded__descriptor);
    ck_assert_str_eq(recorded->id, value("select id from sprint.decision"));
    ck_assert_str_eq(recorded->interaction_id, "one");
    ck_assert_str_eq(recorded->user_id, "ana");
    ck_assert_str_eq(recorded->text, "Ship it.");
    ck_assert_str_eq(recorded->sprint_id, "launch");
    ck_assert_str_eq(recorded->work_item_id, "API-1");
}
END_TEST

/* ---- links -------------------------------------------------------------- */

/* Logs a conversation with that summary. */
static void say(const char *summary)
{
    OK(f, "LogInteraction",
       arena_printf(&f->arena, "{'session_id':'s','user_id':'ana','summary':'%s'}", summary));
}

START_TEST(what_a_text_mentions_is_linked)
{
    add_team();
    say("In Sprint 7 we fixed MAL-042, see API-1; UTF-8 and SHA-256 as before, MAL-99 later.");
    HAS(f, "'sprint_id':'sprint-7','work_item_id':'MAL-42',");
    HAS(f, "'linked':{'sprint_ids':['sprint-7'],'work_item_ids':['MAL-42','API-1'],"
           "'automatic':true}");
    say("UTF-8, SHA-256 and sprint 99 link nothing.");
    HAS_NOT(f, "'sprint_id'");
    HAS(f, "'linked':{'sprint_ids':[],'work_item_ids':[],'automatic':false}");
    say("MAL-0007 is not MAL-007, but MAL-007 is.");
    HAS(f, "'work_item_ids':['MAL-007']");
}
END_TEST

START_TEST(every_text_is_scanned_in_order)
{
    add_team();
    OK(f, "LogInteraction",
       "{'session_id':'s','user_id':'ana','title':'x','decisions':['MAL-43 first'],"
       "'action_items':['then API-1'],'messages':[{'role':'human','content':'MAL-42'},"
       "{'role':'tool','content':'sprint-alpha-2'}]}");
    HAS(f, "'sprint_id':'sprint-alpha-2','work_item_id':'MAL-43',");
    HAS(f, "'work_item_ids':['MAL-43','API-1','MAL-42']");
    OK(f, "LogInteraction",
       "{'session_id':'s','user_id':'ana','title':'API-1','summary':'MAL-42',"
       "'decisions':['MAL-43']}");
    HAS(f, "'work_item_ids':['API-1','MAL-42','MAL-43']");
}
END_TEST

START_TEST(an_item_passes_on_its_sprint_and_project)
{
    add_team();
    say("API-1 needs a route.");
    HAS(f, "'sprint_id':'launch','work_item_id':'API-1',");
    HAS(f, "'linked':{'sprint_ids':['launch'],'work_item_ids':['API-1'],'automatic':true}");
    OK(f, "LogInteraction", "{'session_id':'s','user_id':'ana','work_item_id':'MAL-42'}");
    HAS(f, "'sprint_id':'sprint-7','work_item_id':'MAL-42',");
    HAS(f, "'automatic':true}");
    say("MAL-43 is in no sprint.");
    HAS(f, "'linked':{'sprint_ids':[],'work_item_ids':['MAL-43'],'automatic':true}");
    say("API-1 was moved out of sprint 7.");
    HAS(f, "'sprint_id':'sprint-7','work_item_id':'API-1',");
}
END_TEST

START_TEST(given_ids_go_before_those_in_the_text)
{
    add_team();
    OK(f, "LogInteraction",
       "{'session_id':'s','user_id':'ana','sprint_id':'launch','work_item_id':'MAL-43',"
       "'title':'Sprint 7, MAL-42'}");
    HAS(f, "'sprint_id':'launch','work_item_id':'MAL-43',");
    HAS(f, "'linked':{'sprint_ids':['launch'],'work_item_ids':['MAL-43'],'automatic':false}");
    OK(f, "LogInteraction",
       "{'session_id':'s','user_id':'ana','sprint_id':'launch','title':'Sprint 7, MAL-42'}");
    HAS(f, "'sprint_id':'launch','work_item_id':'MAL-42',");
    HAS(f, "'linked':{'sprint_ids':['launch','sprint-7'],'work_item_ids':['MAL-42'],"
           "'automatic':true}");
}
END_TEST

START_TEST(given_ids_must_exist)
{
    add_team();
    FAILS(f, "LogInteraction", "{'session_id':'s','user_id':'ana','sprint_id':'nowhere'}",
          ST_NOT_FOUND);
    MENTIONS(f, "sprint_id");
    MENTIONS(f, "nowhere");
    FAILS(f, "LogInteraction",
          "{'session_id':'s','user_id':'ana','sprint_id':'launch','work_item_id':'MAL-042'}",
          ST_NOT_FOUND);
    MENTIONS(f, "work_item_id");
    ck_assert_str_eq(value("select count(*) from sprint.interaction"), "0");
    ck_assert_str_eq(value("select count(*) from sprint.outbox"), "0");
}
END_TEST

START_TEST(sprints_are_found_by_id_and_by_the_number_in_their_name)
{
    add_team();
    say("Planned for sprint 12.");
    HAS(f, "'sprint_id':'launch',"); /* starts later than old-launch */
    say("Planned for SPRINT-7.");
    HAS(f, "'sprint_id':'sprint-7',");
    say("In sprint 007 all was well.");
    HAS(f, "'sprint_id':'sprint-7',");
    say("See sprint-alpha-2.");
    HAS(f, "'sprint_ids':['sprint-alpha-2']");
    say("The sprint 7-day rule.");
    HAS(f, "'sprint_ids':['sprint-7']");
    say("Sprint 1 and sprint 2 were before.");
    HAS(f, "'sprint_ids':[]");
    pg_server_sql(f->url, "insert into sprint.sprint (id, name, start_date, end_date) values"
                          " ('zero', 'Sprint 0', '2026-01-01', '2026-01-14');");
    say("Since sprint 0.");
    HAS(f, "'sprint_ids':['zero']");
    pg_server_sql(f->url,
                  "update sprint.sprint set name = 'Rest of Sprint 30 and sprint-31' where id ="
                  " 'zero'");
    say("See sprint 31, not sprint 0.");
    HAS(f, "'sprint_ids':['zero']");
}
END_TEST

START_TEST(at_most_fifty_are_linked)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;

    add_team();
    pg_server_sql(f->url, "insert into sprint.work_item (id, title)"
                          " select 'AB-' || n, 't' from generate_series(1, 80) n");
    for (int i = 1; i <= 80; i++)
        strbuf_printf(&text, "AB-%d ", i);
    strbuf_str(&text, "sprint 7");
    say(strbuf_cstr(&text));
    HAS(f, "'sprint_ids':['sprint-7']");
    HAS(f, "'AB-49']");
    ck_assert_str_eq(value("select count(*) from sprint.interaction_link"), "50");
}
END_TEST

START_TEST(links_go_with_what_is_deleted_and_the_conversation_stays)
{
    add_team();
    say("MAL-42 in sprint 7");
    pg_server_sql(f->url, "delete from sprint.work_item where id = 'MAL-42';"
                          "delete from sprint.sprint where id = 'sprint-7'");
    ck_assert_str_eq(value("select count(*) from sprint.interaction_link"), "0");
    OK(f, "ListInteractions", "{}");
    HAS(f, "'total':1,");
    HAS_NOT(f, "'sprint_id'");
}
END_TEST

static const struct query delete_item = {.name = "delete_item",
                                         .sql = "delete from work_item where id = 'MAL-42'"};

static void *log_mention(void *arg)
{
    *(enum status *)arg =
        run(f, "LogInteraction", "{'session_id':'s','user_id':'ana','title':'MAL-42'}");
    return NULL;
}

START_TEST(what_is_deleted_meanwhile_stops_the_log_and_says_try_again)
{
    CLEANUP(tx_done) struct tx tx = {0};
    CLEANUP(arena_done) struct arena arena;
    struct call other = {
        .arena = &arena, .pg = open_conn(f->url), .deadline_ms = clock_mono_ms() + 30000};
    enum status status = ST_OK;
    pthread_t thread;
    int64_t until = clock_mono_ms() + 20000;

    add_team();
    arena_init(&arena);
    ck_assert_int_eq(tx_begin(&tx, &other), ST_OK);
    ck_assert_int_eq(pg_exec(&other, &delete_item, NULL, ""), ST_OK);
    ck_assert_int_eq(pthread_create(&thread, NULL, log_mention, &status), 0);
    while (*value("select 1 from pg_stat_activity where wait_event_type = 'Lock'") == '\0')
        ck_assert_int_lt(clock_mono_ms(), until);
    ck_assert_int_eq(tx_commit(&tx), ST_OK);
    pthread_join(thread, NULL);
    ck_assert_int_eq(status, ST_UNAVAILABLE);
    MENTIONS(f, "just deleted");
    MENTIONS(f, "again");
    ck_assert_str_eq(value("select count(*) from sprint.interaction"), "0");
    pg_conn_free(other.pg);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sprint_interactions");
    TCase *tcase = case_new(suite, "interactions", 60);

    tcase_add_test(tcase, everything_given_comes_back);
    tcase_add_test(tcase, session_and_user_make_a_conversation);
    tcase_add_test(tcase, an_id_is_taken_once);
    tcase_add_test(tcase, three_hundred_messages_come_back_complete_and_in_order);
    tcase_add_test(tcase, a_conversation_that_could_not_be_read_back_is_refused);
    tcase_add_test(tcase, a_field_beyond_its_limit_is_named);
    tcase_add_test(tcase, events_are_written_with_the_conversation);
    tcase_add_test(tcase, what_a_text_mentions_is_linked);
    tcase_add_test(tcase, every_text_is_scanned_in_order);
    tcase_add_test(tcase, an_item_passes_on_its_sprint_and_project);
    tcase_add_test(tcase, given_ids_go_before_those_in_the_text);
    tcase_add_test(tcase, given_ids_must_exist);
    tcase_add_test(tcase, sprints_are_found_by_id_and_by_the_number_in_their_name);
    tcase_add_test(tcase, at_most_fifty_are_linked);
    tcase_add_test(tcase, links_go_with_what_is_deleted_and_the_conversation_stays);
    tcase_add_test(tcase, what_is_deleted_meanwhile_stops_the_log_and_says_try_again);
    return run_suite(suite);
}
