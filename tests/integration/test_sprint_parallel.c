/* SPDX-License-Identifier: Apache-2.0 */
/* Many writers at once: nothing is lost, nothing is given twice, no circle
 * closes, and nobody waits for ever. */
#include "sprint_fixture.h"

#include <pthread.h>

enum { WRITERS = 50 };

/* One writer on its own connection; each call may be answered with UNAVAILABLE
 * only where the test says so. */
struct writer {
    pthread_t thread;
    void (*work)(struct writer *writer, struct fixture *own);
    int number, calls, failed;
    char words[1100]; /* of the last failure */
};

static pthread_barrier_t barrier;

static void *write_all(void *arg)
{
    struct writer *writer = arg;
    struct fixture own = {0};

    arena_init(&own.arena);
    (void)snprintf(own.url, sizeof(own.url), "%s", f->url);
    own.conn = open_conn(own.url);
    pthread_barrier_wait(&barrier);
    writer->work(writer, &own);
    fixture_done(&own);
    return NULL;
}

static void call(struct writer *writer, struct fixture *own, const char *rpc, const char *request)
{
    enum status status = run(own, rpc, request);

    writer->calls++;
    if (status == ST_OK)
        return;
    writer->failed++;
    (void)snprintf(writer->words, sizeof(writer->words), "%s: %s: %s", rpc, status_name(status),
                   own->call.error.message);
}

/* Starts n writers together; the number of failed calls, their words in *ret. */
static int run_writers(int n, void (*work)(struct writer *writer, struct fixture *own),
                       const char **ret_words)
{
    static struct writer writers[WRITERS];
    int failed = 0;

    memset(writers, 0, sizeof(writers));
    pthread_barrier_init(&barrier, NULL, (unsigned)n);
    *ret_words = "";
    for (int i = 0; i < n; i++) {
        writers[i].number = i;
        writers[i].work = work;
        ck_assert_int_eq(pthread_create(&writers[i].thread, NULL, write_all, &writers[i]), 0);
    }
    for (int i = 0; i < n; i++) {
        pthread_join(writers[i].thread, NULL);
        failed += writers[i].failed;
        if (writers[i].failed)
            *ret_words = writers[i].words;
    }
    pthread_barrier_destroy(&barrier);
    return failed;
}

static void all_succeed(void (*work)(struct writer *writer, struct fixture *own))
{
    const char *words;
    int failed = run_writers(WRITERS, work, &words);

    ck_assert_msg(failed == 0, "%d failed, such as %s", failed, words);
}

/* Each writer changes a field that only it and nine others touch. */
static void change_one_item(struct writer *writer, struct fixture *own)
{
    static const char *const fields[] = {
        "'title':'t%d'",    "'description':'d%d'", "'assignee':'a%d'",
        "'reporter':'r%d'", "'metadata':{'n':%d}",
    };

    for (int i = 0; i < 4; i++) {
        CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;
        const char *field = fields[writer->number % 5];
        const char *place = strchr(field, '%');

        strbuf_str(&buf, "{'id':'MAL-1',");
        strbuf_add(&buf, field, (size_t)(place - field));
        strbuf_printf(&buf, "%d%s}", writer->number * 10 + i, place + 2);
        call(writer, own, "UpdateWorkItem", strbuf_cstr(&buf));
    }
}

START_TEST(fifty_writers_of_one_item_lose_nothing)
{
    OK(f, "CreateWorkItem", "{'title':'T'}");
    all_succeed(change_one_item);
    /* Every acknowledged change is in the journal and begins where the one
     * before it ended; the item is as the last ones left it. */
    ck_assert_str_eq(value("select count(*) from sprint.work_item_change"), "200");
    ck_assert_int_eq(events(f, "sprint.work_item.updated"), 200);
    ck_assert_str_eq(value("select count(*) from (select field, old_value, lag(new_value) over w as"
                           " before, row_number() over w as n from sprint.work_item_change window w"
                           " as (partition by field order by id)) c where n > 1 and old_value is"
                           " distinct from before"),
                     "0");
    ck_assert_str_eq(value("select (select new_value from sprint.work_item_change where field ="
                           " 'title' order by id desc limit 1) = title and (select new_value from"
                           " sprint.work_item_change where field = 'assignee' order by id desc"
                           " limit 1) = assignee from sprint.work_item"),
                     "t");
}
END_TEST

/* Each writer has a field of a sprint or of a project to itself. */
static void change_own_field(struct writer *writer, struct fixture *own)
{
    static const char *const own_fields[][2] = {
        {"UpdateSprint", "'id':'s','goal'"},         {"UpdateSprint", "'id':'s','summary'"},
        {"UpdateSprint", "'id':'s','name'"},         {"UpdateProject", "'id':'p','name'"},
        {"UpdateProject", "'id':'p','description'"}, {"UpdateProject", "'id':'p','owner_id'"},
    };
    char request[80];

    for (int i = 0; i < 20; i++) {
        (void)snprintf(request, sizeof(request), "{%s:'v%d'}", own_fields[writer->number][1], i);
        call(writer, own, own_fields[writer->number][0], request);
    }
}

START_TEST(writers_of_different_fields_do_not_undo_each_other)
{
    const char *words;

    OK(f, "CreateProject", "{'name':'P'}");
    OK(f, "CreateSprint", "{'name':'S','start_date':'2026-03-02','end_date':'2026-03-16'}");
    ck_assert_msg(run_writers(6, change_own_field, &words) == 0, "%s", words);
    ck_assert_str_eq(value("select goal || summary || name from sprint.sprint"), "v19v19v19");
    ck_assert_str_eq(value("select name || description || owner_id from sprint.project"),
                     "v19v19v19");
    ck_assert_int_eq(events(f, "sprint.sprint.updated"), 60);
    ck_assert_int_eq(events(f, "sprint.project.updated"), 60);
}
END_TEST

static void create_item(struct writer *writer, struct fixture *own)
{
    call(writer, own, "CreateWorkItem", "{'title':'T'}");
    call(writer, own, "CreateWorkItem", "{'title':'T','status':'done'}");
}

START_TEST(fifty_creations_at_once_give_a_hundred_ids_without_gaps)
{
    all_succeed(create_item);
    ck_assert_str_eq(value("select count(*) || ' ' || max(substr(id, 5)::int) from"
                           " sprint.work_item"),
                     "100 100");
    OK(f, "ListWorkItems", "{'status':'done'}");
    HAS(f, "'total':50");
    OK(f, "CountEntities", "{}");
    HAS(f, "'work_items':100");
}
END_TEST

/* Half of them take by hand the numbers that the others are about to get. */
static void create_by_hand(struct writer *writer, struct fixture *own)
{
    char request[80];

    (void)snprintf(request, sizeof(request), "{'id':'MAL-%d','title':'T'}", writer->number + 1);
    call(writer, own, "CreateWorkItem", writer->number % 2 ? request : "{'title':'T'}");
}

START_TEST(numbers_taken_by_hand_meanwhile_are_skipped)
{
    const char *words;
    int failed = run_writers(WRITERS, create_by_hand, &words);

    /* A made number may come first; then the hand-given one is refused, and says so. */
    ck_assert_msg(failed == 0 || strstr(words, "ALREADY_EXISTS"), "%s", words);
    ck_assert_int_eq((int)strtol(value("select count(*) from sprint.work_item"), NULL, 10),
                     WRITERS - failed);
    ck_assert_str_eq(value("select count(*) >= 25 from sprint.work_item"), "t");
}
END_TEST

static void create_named(struct writer *writer, struct fixture *own)
{
    call(writer, own, "CreateProject", "{'name':'Apollo'}");
    call(writer, own, "CreateSprint",
         "{'name':'Sprint','start_date':'2026-03-02','end_date':'2026-03-16'}");
}

START_TEST(fifty_of_one_name_get_fifty_ids)
{
    all_succeed(create_named);
    ck_assert_str_eq(value("select count(*) || ' ' || max(length(id)) from sprint.project"),
                     "50 9");
    ck_assert_str_eq(value("select count(*) from sprint.sprint where id = 'sprint' or id in (select"
                           " 'sprint-' || n from generate_series(2, 50) n)"),
                     "50");
}
END_TEST

/* Moves the items of a ring one below the other; only all but one can succeed. */
static void close_circle(struct writer *writer, struct fixture *own)
{
    char request[80];

    (void)snprintf(request, sizeof(request), "{'id':'I-%d','parent_id':'I-%d'}", writer->number,
                   (writer->number + 1) % 20);
    call(writer, own, "UpdateWorkItem", request);
}

START_TEST(moves_at_once_close_no_circle)
{
    const char *words;

    pg_server_sql(f->url, "insert into sprint.work_item (id, title) select 'I-' || n, 'T' from"
                          " generate_series(0, 19) n");
    ck_assert_int_eq(run_writers(20, close_circle, &words), 1);
    ck_assert_msg(strstr(words, "FAILED_PRECONDITION"), "%s", words);
    ck_assert_str_eq(value("select count(parent_id) from sprint.work_item"), "19");
}
END_TEST

/* Opposite orders of the same ids would deadlock if they were locked as given. */
static void bulk(struct writer *writer, struct fixture *own)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;

    strbuf_str(&buf, "{'ids':[");
    for (int i = 0; i < 20; i++)
        strbuf_printf(&buf, "%s'I-%d'", i ? "," : "", writer->number % 2 ? i : 19 - i);
    strbuf_printf(&buf, "],'assignee':'a%d'}", writer->number);
    call(writer, own, "BulkUpdateWorkItems", strbuf_cstr(&buf));
}

START_TEST(bulk_updates_in_opposite_orders_all_succeed)
{
    const char *words;

    pg_server_sql(f->url, "insert into sprint.work_item (id, title) select 'I-' || n, 'T' from"
                          " generate_series(0, 19) n");
    ck_assert_msg(run_writers(20, bulk, &words) == 0, "%s", words);
    ck_assert_str_eq(value("select count(distinct assignee) from sprint.work_item"), "1");
    ck_assert_str_eq(value("select count(*) from sprint.work_item_change"), "400");
}
END_TEST

/* Items move in and out of done while the sprint is completed and reopened. */
static void play(struct writer *writer, struct fixture *own)
{
    char request[80];

    for (int i = 0; i < 10; i++) {
        if (writer->number) {
            (void)snprintf(request, sizeof(request), "{'id':'I-%d','status':'%s'}", writer->number,
                           i % 2 ? "todo" : "done");
            call(writer, own, "UpdateWorkItem", request);
        } else {
            call(writer, own, "UpdateSprint",
                 i % 2 ? "{'id':'s','status':'active'}" : "{'id':'s','status':'completed'}");
        }
    }
}

START_TEST(completions_agree_with_what_they_tell)
{
    const char *words;

    OK(f, "CreateSprint", "{'name':'S','start_date':'2026-03-02','end_date':'2026-03-16'}");
    pg_server_sql(f->url, "insert into sprint.work_item (id, title, sprint_id, story_points,"
                          " assignee) select 'I-' || n, 'T', 's', n, 'ana' from"
                          " generate_series(1, 19) n");
    ck_assert_msg(run_writers(20, play, &words) == 0, "%s", words);
    ck_assert_int_eq(events(f, "sprint.sprint.completed"), 5);
    ck_assert_int_eq(events(f, "sprint.sprint.reopened"), 5);
    ck_assert_int_eq(events(f, "sprint.work_item.completed"), 95);
    ck_assert_int_eq(events(f, "sprint.work_item.reopened"), 95);
    for (int i = 0; i < 5; i++) {
        const Sprint__SprintCompleted *event = (const void *)last_event(
            "sprint.sprint.completed", &sprint__sprint_completed__descriptor);

        ck_assert_int_eq(event->velocity, event->n_members ? event->members[0]->done_points : 0);
        pg_server_sql(f->url, "delete from sprint.outbox where id = (select max(id) from"
                              " sprint.outbox where subject like '%sprint.completed')");
    }
}
END_TEST

/* A project is deleted while items are created in it: none is left dangling. */
static void create_or_delete(struct writer *writer, struct fixture *own)
{
    if (writer->number == 7) {
        call(writer, own, "DeleteProject", "{'id':'p','cascade':true,'confirm':true}");
        return;
    }
    call(writer, own, "CreateWorkItem", "{'title':'T','project_id':'p'}");
    call(writer, own, "CreateWorkItem", "{'title':'T','project_id':'p'}");
}

START_TEST(deleting_a_project_waits_for_those_who_write_into_it)
{
    const char *words;
    int failed;

    OK(f, "CreateProject", "{'name':'P'}");
    failed = run_writers(20, create_or_delete, &words);
    ck_assert_msg(failed == 0 || strstr(words, "NOT_FOUND"), "%s", words);
    ck_assert_str_eq(value("select count(*) from sprint.work_item"), "0");
    ck_assert_int_eq(events(f, "sprint.project.deleted"), 1);
    ck_assert_int_eq(events(f, "sprint.work_item.deleted"), 38 - failed);
    ck_assert_int_eq(events(f, "sprint.work_item.created"), 38 - failed);
    OK(f, "CountEntities", "{}");
    HAS(f, "{'projects':0,'sprints':0,'work_items':0}");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sprint_parallel");
    TCase *tcase = case_new(suite, "parallel", 60);

    tcase_add_test(tcase, fifty_writers_of_one_item_lose_nothing);
    tcase_add_test(tcase, writers_of_different_fields_do_not_undo_each_other);
    tcase_add_test(tcase, fifty_creations_at_once_give_a_hundred_ids_without_gaps);
    tcase_add_test(tcase, numbers_taken_by_hand_meanwhile_are_skipped);
    tcase_add_test(tcase, fifty_of_one_name_get_fifty_ids);
    tcase_add_test(tcase, moves_at_once_close_no_circle);
    tcase_add_test(tcase, bulk_updates_in_opposite_orders_all_succeed);
    tcase_add_test(tcase, completions_agree_with_what_they_tell);
    tcase_add_test(tcase, deleting_a_project_waits_for_those_who_write_into_it);
    return run_suite(suite);
}
