/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to Postgres is cut at every exchange of every write, before
 * and after it was sent: the caller gets one clean error, and the rows and their
 * events are there together or not at all. */
#include "catalog_fixture.h"

#include <unistd.h>

enum { EXCHANGES_MAX = 60, WAIT_MS = 10000 };

/* A write, what has to be there before it, and a query that gives t while rows
 * and events agree. # is the number of the attempt. */
struct write {
    const char *rpc, *request;
    const char *before_rpc, *before;
    const char *agree;
};

#define SKILL "'name':'N','description':'d','version':'1.0.0','category':'data','author':'a'"
#define EVENTS(verb)                                                                               \
    "(select count(*) from catalog.outbox where subject = 'mal.evt.catalog." verb "')"

static const struct write writes[] = {
    {"RegisterSkill", "{'id':'s-#'," SKILL ",'dependencies':['x'],'asset_content':'doc'}", NULL,
     NULL, "select (select count(*) from catalog.skill) = " EVENTS("skill.registered")},
    {"UpdateSkill", "{'id':'s-#','version':'1.0.1','dependencies':['x']}", "RegisterSkill",
     "{'id':'s-#'," SKILL "}",
     "select (select count(*) from catalog.skill where version = '1.0.1') = " EVENTS(
         "skill.updated")},
    {"DeleteSkill", "{'id':'s-#','confirm':true}", "RegisterSkill", "{'id':'s-#'," SKILL "}",
     "select (select count(*) from catalog.skill) = " EVENTS("skill.registered") " - " EVENTS(
         "skill.deleted")},
    {"RegisterCommand",
     "{'id':'c-#','name':'N','description':'d','author':'a','category':'c','shell':'bash',"
     "'script_template':'true'}",
     NULL, NULL, "select (select count(*) from catalog.command) = " EVENTS("command.registered")},
    {"RegisterSubagent",
     "{'id':'a-#','name':'N','description':'d','author':'a','system_prompt':'p'}", NULL, NULL,
     "select (select count(*) from catalog.subagent) = " EVENTS("subagent.registered")},
    {"UpdateSubagent", "{'id':'a-#','input_schema':{'a':1},'max_turns':7}", "RegisterSubagent",
     "{'id':'a-#','name':'N','description':'d','author':'a','system_prompt':'p'}",
     "select (select count(*) from catalog.subagent where max_turns = 7) = " EVENTS(
         "subagent.updated")},
    {"UpdateMcp", "{'id':'m-#','status':'inactive'}", "RegisterMcp",
     "{'id':'m-#','name':'N','description':'d','author':'a','transport':'stdio','command':'x'}",
     "select (select count(*) from catalog.mcp where status = 'inactive') = " EVENTS(
         "mcp.updated")},
    {"ImportCatalog",
     "{'confirm':true,'data':'{\\\"version\\\":\\\"1.0.0\\\",\\\"skills\\\":["
     "{\\\"id\\\":\\\"i-#\\\",\\\"name\\\":\\\"N\\\",\\\"description\\\":\\\"d\\\","
     "\\\"version\\\":\\\"1.0.0\\\",\\\"category\\\":\\\"data\\\",\\\"author\\\":\\\"a\\\"},"
     "{\\\"id\\\":\\\"k-#\\\",\\\"name\\\":\\\"N\\\",\\\"description\\\":\\\"d\\\","
     "\\\"version\\\":\\\"1.0.0\\\",\\\"category\\\":\\\"data\\\",\\\"author\\\":\\\"a\\\"}]}'}",
     NULL, NULL,
     "select (select count(*) from catalog.skill) = " EVENTS("skill.registered") " and " EVENTS(
         "skill.registered") " = 2 * " EVENTS("catalog.imported")},
};

static enum status attempt(const char *rpc, const char *request, int n)
{
    struct strbuf buf = STRBUF_INIT;
    enum status status;

    for (const char *p = request; *p; p++) {
        if (*p == '#')
            strbuf_printf(&buf, "%d", n);
        else
            strbuf_char(&buf, *p);
    }
    status = run(f, rpc, strbuf_cstr(&buf));
    strbuf_done(&buf);
    return status;
}

/* A fresh connection, so that preparing is cut, too. */
static void reconnect(void)
{
    int64_t until = clock_mono_ms() + WAIT_MS;

    pg_conn_free(f->conn);
    /* What the lost session was doing has ended when it is gone. */
    while (strcmp(pg_server_value(f->url, "select count(*) from pg_stat_activity where"
                                          " application_name = 'test'"),
                  "0") != 0 &&
           clock_mono_ms() < until)
        usleep(1000);
    f->conn = open_conn(f->url);
}

static void check_agreement(const struct write *write, int n, bool reply)
{
    ck_assert_msg(strcmp(pg_server_value(f->url, write->agree), "t") == 0,
                  "%s: rows and events differ after exchange %d (%s)", write->rpc, n,
                  reply ? "answer lost" : "not sent");
}

static void break_everywhere(const struct write *write, bool reply)
{
    enum status status = ST_UNAVAILABLE;

    for (int n = 1; status != ST_OK; n++) {
        int id = reply ? 1000 + n : n;

        ck_assert_int_lt(n, EXCHANGES_MAX);
        if (write->before)
            ck_assert_int_eq(attempt(write->before_rpc, write->before, id), ST_OK);
        reconnect();
        pg_conn_break(f->conn, n, reply);
        status = attempt(write->rpc, write->request, id);
        ck_assert_msg(status == ST_OK || status == ST_UNAVAILABLE, "%s", status_name(status));
        reconnect();
        check_agreement(write, n, reply);
    }
}

START_TEST(a_cut_connection_leaves_rows_and_events_together)
{
    break_everywhere(&writes[_i], false);
    break_everywhere(&writes[_i], true);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog_chaos");
    TCase *tcase = case_new(suite, "chaos", 100);

    tcase_add_loop_test(tcase, a_cut_connection_leaves_rows_and_events_together, 0,
                        ARRAY_SIZE(writes));
    return run_suite(suite);
}
