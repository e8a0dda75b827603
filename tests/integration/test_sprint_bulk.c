/* SPDX-License-Identifier: Apache-2.0 */
/* Bulk updates: a result for each id, and a journal from which every item can be
 * told as it was. */
#include "sprint_fixture.h"

static void add_items(int n)
{
    pg_server_sql(f->url, arena_printf(&f->arena,
                                       "insert into sprint.work_item (id, title) select 'I-' || n,"
                                       " 'T' from generate_series(1, %d) n",
                                       n));
}

/* {"ids":["I-1",…,"I-n"],<rest>} */
static const char *bulk(int n, const char *rest)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;

    strbuf_str(&buf, "{'ids':[");
    for (int i = 1; i <= n; i++)
        strbuf_printf(&buf, "%s'I-%d'", i > 1 ? "," : "", i);
    strbuf_printf(&buf, "],%s}", rest);
    return arena_strdup(&f->arena, strbuf_cstr(&buf));
}

START_TEST(fifty_ids_pass_and_no_other_number)
{
    add_items(51);
    OK(f, "BulkUpdateWorkItems", bulk(50, "'status':'todo'"));
    HAS(f, "{'updated':50,'failed':0,'total':50,'changed_fields':['status'],'results':["
           "{'id':'I-1','ok':true},{'id':'I-2','ok':true},");
    ck_assert_str_eq(value("select count(*) from sprint.work_item where status = 'todo'"), "50");
    ck_assert_int_eq(events(f, "sprint.work_item.updated"), 50);
    FAILS(f, "BulkUpdateWorkItems", bulk(51, "'status':'todo'"), ST_INVALID_ARGUMENT);
    MENTIONS(f, "ids");
    FAILS(f, "BulkUpdateWorkItems", "{'ids':[],'status':'todo'}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "ids");
    FAILS(f, "BulkUpdateWorkItems", "{'status':'todo'}", ST_INVALID_ARGUMENT);
    FAILS(f, "BulkUpdateWorkItems", "{'ids':['I-1','I-1'],'status':'todo'}", ST_INVALID_ARGUMENT);
    FAILS(f, "BulkUpdateWorkItems", "{'ids':['I-1']}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "no field to change");
    FAILS(f, "BulkUpdateWorkItems", "{'ids':['I-1'],'title':'x'}", ST_INVALID_ARGUMENT);
    FAILS(f, "BulkUpdateWorkItems", "{'ids':['I-1'],'status':null}", ST_INVALID_ARGUMENT);
}
END_TEST

START_TEST(unknown_ids_are_reported_one_by_one)
{
    add_items(2);
    OK(f, "BulkUpdateWorkItems",
       "{'ids':['no-1','I-2','no-2','I-1'],'priority':'high','assignee':'ana'}");
    HAS(f, "{'updated':2,'failed':2,'total':4,'changed_fields':['priority','assignee'],'results':["
           "{'id':'no-1','ok':false,'status':'not_found','message':");
    ck_assert(strstr(f->reply, "\"message\":\"Work item 'no-1' was not found.\""));
    HAS(f, "{'id':'I-2','ok':true}");
    HAS(f, "{'id':'I-1','ok':true}]}");
    OK(f, "BulkUpdateWorkItems", "{'ids':['no-1','no-2'],'priority':'low'}");
    HAS(f, "{'updated':0,'failed':2,'total':2,");
    ck_assert_str_eq(value("select count(*) from sprint.work_item where priority = 'high' and"
                           " assignee = 'ana'"),
                     "2");
}
END_TEST

START_TEST(a_sprint_is_given_cleared_or_unknown)
{
    OK(f, "CreateSprint", "{'name':'S','start_date':'2026-03-02','end_date':'2026-03-16'}");
    add_items(3);
    OK(f, "BulkUpdateWorkItems", bulk(3, "'sprint_id':'s'"));
    ck_assert_str_eq(value("select count(sprint_id) from sprint.work_item"), "3");
    FAILS(f, "BulkUpdateWorkItems", bulk(3, "'sprint_id':'no','status':'todo'"), ST_NOT_FOUND);
    MENTIONS(f, "sprint_id");
    ck_assert_str_eq(value("select count(*) from sprint.work_item where status = 'todo'"), "0");
    FAILS(f, "BulkUpdateWorkItems", "{'ids':['none'],'sprint_id':'no'}", ST_NOT_FOUND);
    OK(f, "BulkUpdateWorkItems", bulk(2, "'sprint_id':null,'assignee':null,'labels':[]"));
    HAS(f, "'changed_fields':['sprint_id','assignee','labels']");
    ck_assert_str_eq(value("select string_agg(id, ' ') from sprint.work_item where sprint_id = "
                           "'s'"),
                     "I-3");
}
END_TEST

START_TEST(done_and_back_behave_as_in_single_updates)
{
    add_items(3);
    OK(f, "UpdateWorkItem", "{'id':'I-2','status':'done'}");
    OK(f, "BulkUpdateWorkItems", bulk(3, "'status':'done','labels':['Blocked']"));
    ck_assert_int_eq(events(f, "sprint.work_item.completed"), 3);
    ck_assert_str_eq(value("select count(completed_at) + count(blocked_since)"
                           " from sprint.work_item"),
                     "6");
    OK(f, "BulkUpdateWorkItems", bulk(3, "'status':'review'"));
    ck_assert_int_eq(events(f, "sprint.work_item.reopened"), 3);
    ck_assert_str_eq(value("select count(completed_at) from sprint.work_item"), "0");
    OK(f, "BulkUpdateWorkItems", bulk(3, "'status':'review'"));
    HAS(f, "'updated':3");
    ck_assert_int_eq(events(f, "sprint.work_item.updated"), 9 - 2);
}
END_TEST

/* Deterministic, so that a failure can be repeated. */
static unsigned next(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

static const char *pick(unsigned *seed, const char *const *words, unsigned n)
{
    return words[next(seed) % n];
}

/* A bulk update of some of the items, an unknown one now and then. */
static const char *random_bulk(unsigned *seed)
{
    static const char *const changes[] = {
        "'status':'todo'",       "'status':'done'",         "'status':'cancelled'",
        "'priority':'critical'", "'priority':'low'",        "'sprint_id':'s'",
        "'sprint_id':null",      "'assignee':'ana'",        "'assignee':null",
        "'labels':['blocked']",  "'labels':['ui','other']", "'labels':[]",
    };
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;
    unsigned any = 0, kind = next(seed) % 5;
    static const unsigned from[] = {0, 3, 5, 7, 9, 12};

    strbuf_str(&buf, "{'ids':[");
    for (unsigned i = 1; i <= 22; i++)
        if (next(seed) % 3 == 0)
            strbuf_printf(&buf, "%s'I-%u'", any++ ? "," : "", i);
    if (!any)
        strbuf_str(&buf, "'I-1'");
    strbuf_printf(&buf, "],%s", pick(seed, changes + from[kind], from[kind + 1] - from[kind]));
    if (kind)
        strbuf_printf(&buf, ",%s", pick(seed, changes, 3));
    strbuf_char(&buf, '}');
    return arena_strdup(&f->arena, strbuf_cstr(&buf));
}

/* Fields of every item as their last change left them; where none did, as they
 * were made. Labels as JSON text. */
static const char replayed[] =
    "with last as (select distinct on (work_item_id, field) work_item_id, field, new_value"
    "  from sprint.work_item_change order by work_item_id, field, at desc, id desc)"
    "select count(*) from sprint.work_item w"
    " cross join lateral (values ('status', w.status, 'backlog'), ('priority', w.priority, "
    "'medium'),"
    "  ('sprint_id', w.sprint_id, null), ('assignee', w.assignee, null),"
    "  ('labels', to_json(w.labels)::text, '[]')) as state (field, held, made)"
    " left join last on last.work_item_id = w.id and last.field = state.field"
    " where state.held is distinct from case when last.field is null then state.made"
    "  else last.new_value end";

/* A change begins where the one before ended. */
static const char broken[] =
    "select count(*) from (select old_value, field, lag(new_value) over w as before,"
    "  row_number() over w as n from sprint.work_item_change"
    "  window w as (partition by work_item_id, field order by at, id)) c"
    " where n > 1 and old_value is distinct from before";

START_TEST(the_journal_tells_every_item_as_it_is)
{
    unsigned seed = (unsigned)_i + 1;

    OK(f, "CreateSprint", "{'name':'S','start_date':'2026-03-02','end_date':'2026-03-16'}");
    add_items(20);
    for (int i = 0; i < 40; i++)
        OK(f, "BulkUpdateWorkItems", random_bulk(&seed));
    ck_assert_str_eq(value(replayed), "0");
    ck_assert_str_eq(value(broken), "0");
    ck_assert_str_ne(value("select count(*) from sprint.work_item_change"), "0");
    ck_assert_str_eq(value("select count(*) from sprint.work_item_change where old_value is not"
                           " distinct from new_value"),
                     "0");
    /* One event per changed item and call, completions and reopenings in turn. */
    ck_assert_str_eq(value("select count(*) filter (where subject like '%completed')"
                           " - count(*) filter (where subject like '%reopened')"
                           " - (select count(*) from sprint.work_item where status = 'done')"
                           " from sprint.outbox"),
                     "0");
    ck_assert_str_eq(value("select (select sum(n) from sprint.tally where noun = 'work_item' and"
                           " status = 'done') = (select count(*) from sprint.work_item where status"
                           " = 'done')"),
                     "t");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sprint_bulk");
    TCase *tcase = case_new(suite, "bulk", 30);

    tcase_add_test(tcase, fifty_ids_pass_and_no_other_number);
    tcase_add_test(tcase, unknown_ids_are_reported_one_by_one);
    tcase_add_test(tcase, a_sprint_is_given_cleared_or_unknown);
    tcase_add_test(tcase, done_and_back_behave_as_in_single_updates);
    tcase_add_loop_test(tcase, the_journal_tells_every_item_as_it_is, 0, 4);
    return run_suite(suite);
}
