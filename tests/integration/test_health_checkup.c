/* SPDX-License-Identifier: Apache-2.0 */
/* Tool mal_health_check: what it says of servers, and how long it takes. */
#include "health_fixture.h"
#include "mcp_peer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

/* All of them would take 15 s; a busy machine may stand still for a moment. */
enum { HANGING = 40, WHOLE_MS = 13000 };

static atomic_int status_now;   /* HTTP status of the peer's answers, 200 = well */
static atomic_bool hang;        /* no answer at all */
static atomic_bool no_lists;    /* it is there, but its tools cannot be listed */
static atomic_bool is_stopping; /* what hangs is let go */

static void serve(struct peer_request *req, void *arg)
{
    (void)arg;
    while (hang && !is_stopping)
        (void)usleep(5000);
    if (hang)
        peer_hang_up(req);
    else if (status_now != 200)
        peer_reply(req, status_now, "", "");
    else if (peer_asks(req, "initialize"))
        peer_result(req, "",
                    "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}},"
                    "\"serverInfo\":{\"name\":\"peer\",\"version\":\"1.0.0\"}}");
    else if (peer_asks(req, "ping"))
        peer_result(req, "", "{}");
    else if (peer_asks(req, "tools/list") && !no_lists)
        peer_result(req, "", "{\"tools\":[]}");
    else if (strstr(req->body, "\"id\"") == NULL)
        peer_reply(req, 202, "", "");
    else
        peer_reply(req, 400, "", "");
}

static struct peer *peer;

static void register_peer(const char *id, const char *query, bool inactive)
{
    Catalog__Mcp mcp = CATALOG__MCP__INIT, *rows[] = {&mcp};
    char url[200];

    fresh_call();
    (void)snprintf(url, sizeof(url), "%s%s", peer_url(peer), query);
    mcp.id = id;
    mcp.name = "Far | away";
    mcp.description = "d";
    mcp.transport = CATALOG__TRANSPORT__TRANSPORT_STREAMABLE_HTTP;
    mcp.endpoint_url = url;
    mcp.status = inactive ? CATALOG__MCP_STATUS__MCP_STATUS_INACTIVE
                          : CATALOG__MCP_STATUS__MCP_STATUS_ACTIVE;
    ck_assert_int_eq(registry_store(&f->call, 1, rows, false), ST_OK);
}

/* The text has the peer's address between these two. */
static void text_has(const char *before, const char *after)
{
    char line[400];

    (void)snprintf(line, sizeof(line), "%s%s%s", before, peer_url(peer), after);
    ck_assert_msg(strstr(f->text, line) != NULL, "no '%s' in %s", line, f->text);
}

#define STATUS "select status from mcp_health.mcp_state where mcp_id = 'far'"

START_TEST(a_server_that_answers_is_ok_and_its_query_is_not_shown)
{
    register_peer("far", "?token=hidden", false);
    OK(f, "HealthCheck", "{}");
    HAS(f, "'checked':true");
    HAS(f, "'ok':true");
    HAS(f, "'status':'active'");
    HAS_NOT(f, "hidden");
    text_has("\n\n### Downstream servers\n\n- ✅ Far \\| away (`far`) · streamable-http · ",
             " · "
             "active · ");
    ck_assert_str_eq(value("select count(*) from mcp_health.probe where ok"), "1");
}
END_TEST

START_TEST(a_server_that_fails_is_an_error_at_once_and_active_when_it_answers)
{
    register_peer("far", "", false);
    status_now = 503;
    OK(f, "HealthCheck", "{'mcp_id':'far'}");
    HAS(f, "'ok':false");
    HAS(f, "'status':'error'");
    text_has("- ❌ Far \\| away (`far`) · streamable-http · ", " · error · ");
    ck_assert_str_eq(value(STATUS), "error");
    ck_assert_int_eq(events(f, "mcp_health.mcp.status_changed"), 1);
    status_now = 200;
    OK(f, "HealthCheck", "{'mcp_id':'far'}");
    HAS(f, "'status':'active'");
    HAS_NOT(f, "'error'");
    ck_assert_int_eq(events(f, "mcp_health.mcp.status_changed"), 2);
}
END_TEST

START_TEST(an_error_does_not_end_while_the_lists_fail)
{
    register_peer("far", "", false);
    no_lists = true;
    OK(f, "HealthCheck", "{'mcp_id':'far'}");
    HAS(f, "'status':'active'"); /* it answers; the lists that were read before are served */
    pg_server_sql(f->url, "update mcp_health.mcp_state set status = 'error'");
    OK(f, "HealthCheck", "{'mcp_id':'far'}");
    HAS(f, "'ok':false");
    ck_assert_str_eq(value(STATUS), "error");
    no_lists = false;
    OK(f, "HealthCheck", "{'mcp_id':'far'}");
    HAS(f, "'ok':true");
    ck_assert_str_eq(value(STATUS), "active");
}
END_TEST

START_TEST(a_server_that_is_switched_off_is_named_and_not_contacted)
{
    register_peer("far", "", true);
    OK(f, "HealthCheck", "{}");
    HAS(f, "'status':'inactive','checked':false");
    HAS_NOT(f, "'ok'");
    text_has("- ⏸ Far \\| away (`far`) · streamable-http · ", " · inactive, not probed");
    ck_assert_int_eq(peer_requests(peer), 0);
}
END_TEST

START_TEST(only_the_server_asked_for_is_probed)
{
    register_peer("far", "", false);
    register_peer("near", "", false);
    OK(f, "HealthCheck", "{'mcp_id':'near'}");
    HAS(f, "'id':'near'");
    HAS_NOT(f, "'id':'far'");
    FAILS(f, "HealthCheck", "{'mcp_id':'nobody'}", ST_NOT_FOUND);
    MENTIONS(f, "nobody");
}
END_TEST

START_TEST(without_a_bus_the_hub_is_down_and_the_services_are_named)
{
    OK(f, "HealthCheck", "{}");
    HAS(f, "{'status':'down','checked_at':");
    HAS(f, "{'name':'sprint','status':'down'");
    HAS(f, "{'name':'mcp-health','status':'up','database':'up','latency_ms':");
    HAS(f, "'bus':{'status':'down'}");
    ck_assert_ptr_nonnull(strstr(f->text,
                                 "## Health: down\n\n**services**: catalog down, sprint down, "
                                 "gamify down, "));
    ck_assert_ptr_nonnull(strstr(f->text, "mcp-health up ("));
    ck_assert_ptr_nonnull(strstr(f->text, " · **database**: up · **bus**: down"));
    OK(f, "HealthCheck", "{'format':'json'}");
    ck_assert_str_eq(f->text, "");
}
END_TEST

START_TEST(servers_that_hang_do_not_make_it_last_ten_seconds)
{
    int64_t began_ms;

    for (int i = 0; i < HANGING; i++) {
        char id[20];

        (void)snprintf(id, sizeof(id), "far-%d", i);
        register_peer(id, "", false);
    }
    hang = true;
    began_ms = clock_mono_ms();
    OK(f, "HealthCheck", "{}");
    ck_assert_int_lt(clock_mono_ms() - began_ms, WHOLE_MS);
    HAS(f, "'checked':true,'ok':false");
    HAS(f, "'status':'active','checked':false"); /* there was no time for all */
}
END_TEST

static void start(void)
{
    status_now = 200;
    hang = is_stopping = false;
    peer = peer_start(serve, NULL);
}

static void stop(void)
{
    is_stopping = true;
    peer_stop(peer);
}

int main(void)
{
    Suite *suite = suite_create("health_checkup");
    TCase *tcase = case_new(suite, "checkup", 40);

    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, a_server_that_answers_is_ok_and_its_query_is_not_shown);
    tcase_add_test(tcase, a_server_that_fails_is_an_error_at_once_and_active_when_it_answers);
    tcase_add_test(tcase, an_error_does_not_end_while_the_lists_fail);
    tcase_add_test(tcase, a_server_that_is_switched_off_is_named_and_not_contacted);
    tcase_add_test(tcase, only_the_server_asked_for_is_probed);
    tcase_add_test(tcase, without_a_bus_the_hub_is_down_and_the_services_are_named);
    tcase_add_test(tcase, servers_that_hang_do_not_make_it_last_ten_seconds);
    return run_suite(suite);
}
