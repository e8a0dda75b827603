/* SPDX-License-Identifier: Apache-2.0 */
/* Probes of servers that answer, fail, hang and come back. */
#include "mcp_peer.h"
#include "prober_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

/* A legacy server with one tool, as long as it is up. */
static struct {
    atomic_int status; /* HTTP status of everything, 200 = well */
    atomic_int lists;
    atomic_bool streams; /* has a stream for what it says by itself */
    atomic_bool changed; /* says once that its tools changed */
    _Atomic(const char *) tools;
    pthread_mutex_t lock;
    char seen[200]; /* under the lock: header X-Key of the last request */
} world = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char *last_seen(void)
{
    const char *text;

    (void)pthread_mutex_lock(&world.lock);
    text = arena_strdup(&f->arena, world.seen);
    (void)pthread_mutex_unlock(&world.lock);
    return text;
}

/* In result ' stands for ". */
static void result(struct peer_request *req, const char *text)
{
    char *json = quoted(text);

    peer_result(req, "", json);
    free(json);
}

static void stream(struct peer_request *req)
{
    peer_events(req, "");
    while (!peer_left(req, 5))
        if (atomic_exchange(&world.changed, false))
            peer_event(req, "data: {\"jsonrpc\":\"2.0\",\"method\":"
                            "\"notifications/tools/list_changed\"}");
}

static void serve(struct peer_request *req, void *arg)
{
    (void)arg;
    (void)pthread_mutex_lock(&world.lock);
    (void)snprintf(world.seen, sizeof(world.seen), "%s", peer_header(req, "X-Key"));
    (void)pthread_mutex_unlock(&world.lock);
    if (world.status != 200)
        peer_reply(req, world.status, "", "");
    else if (strcmp(req->method, "GET") == 0 && world.streams)
        stream(req);
    else if (strcmp(req->method, "GET") == 0)
        peer_reply(req, 405, "", "");
    else if (peer_asks(req, "initialize"))
        result(req, "{'protocolVersion':'2025-11-25','capabilities':{'tools':{}},"
                    "'serverInfo':{'name':'peer','version':'1.0.0'}}");
    else if (peer_asks(req, "tools/list")) {
        world.lists++;
        result(req, world.tools);
    } else if (peer_asks(req, "ping"))
        result(req, "{}");
    else if (strstr(req->body, "\"id\"") == NULL)
        peer_reply(req, 202, "", "");
    else
        peer_reply(req, 400, "", "");
}

static struct peer *peer;

/* Registers the peer. */
static void store_peer(const char *health_check_url)
{
    Catalog__Mcp mcp = CATALOG__MCP__INIT, *rows[] = {&mcp};
    Mal__Pair header = MAL__PAIR__INIT, *headers[] = {&header};
    struct secret_keys keys = secret_keys_now();

    fresh_call();
    mcp.id = mcp.name = "far";
    mcp.description = "d";
    mcp.transport = CATALOG__TRANSPORT__TRANSPORT_STREAMABLE_HTTP;
    mcp.endpoint_url = peer_url(peer);
    mcp.health_check_url = health_check_url;
    mcp.status = CATALOG__MCP_STATUS__MCP_STATUS_ACTIVE;
    header.key = "X-Key";
    header.value = secret_seal(&f->arena, &keys, "hunter2");
    mcp.n_headers = 1;
    mcp.headers = headers;
    ck_assert_int_eq(registry_store(&f->call, 1, rows, false), ST_OK);
}

START_TEST(a_server_that_is_well_is_read_once_and_then_asked)
{
    store_peer("");
    feed_until("select tools_count from mcp_health.mcp_state", "1");
    ck_assert_str_eq(value(STATUS), "active");
    ck_assert_str_eq(value("select protocol_version from mcp_health.mcp_state"), "2025-11-25");
    ck_assert_str_eq(last_seen(), "hunter2");
    OK(f, "GetMcpTools", "{'id':'far'}");
    HAS(f, "'name':'echo'");
    HAS(f, "'stale':false");
    due_now();
    feed_until("select count(*) from mcp_health.probe where ok", "2");
    ck_assert_int_eq(world.lists, 1);
    ck_assert_int_eq(events(f, "mcp_health.mcp.status_changed"), 0);
}
END_TEST

START_TEST(a_server_that_says_its_tools_changed_is_read_at_once)
{
    world.streams = true;
    store_peer("");
    feed_until("select tools_count from mcp_health.mcp_state", "1");
    world.tools = "{'tools':[{'name':'echo','description':'Says it again.',"
                  "'inputSchema':{'type':'object'}},"
                  "{'name':'more','inputSchema':{'type':'object'}}]}";
    world.changed = true;
    feed_until("select tools_count from mcp_health.mcp_state", "2");
    ck_assert_int_eq(world.lists, 2);
}
END_TEST

START_TEST(a_server_that_is_switched_off_is_not_listened_to_any_more)
{
    int64_t until = clock_mono_ms() + WAIT_MS;

    world.streams = true;
    store_peer("");
    feed_until("select tools_count from mcp_health.mcp_state", "1");
    ck_assert_int_gt(peer_open(peer), 0);
    pg_server_sql(f->url, "update mcp_health.server set inactive = true");
    while (peer_open(peer) > 0) {
        ck_assert_msg(clock_mono_ms() < until, "still %d connections", peer_open(peer));
        fresh_call();
        ck_assert_int_eq(prober_feed(&f->call, prober), ST_OK);
        (void)usleep(10000);
    }
}
END_TEST

START_TEST(a_server_that_fails_is_an_error_until_it_answers_again)
{
    store_peer("");
    feed_until("select tools_count from mcp_health.mcp_state", "1");
    world.status = 503;
    due_now();
    feed_until(STATUS, "error");
    OK(f, "GetMcpTools", "{'id':'far'}");
    HAS(f, "'stale':true");
    HAS(f, "'name':'echo'");
    world.status = 200;
    feed_until(STATUS, "active");
    ck_assert_int_eq(events(f, "mcp_health.mcp.status_changed"), 2);
    OK(f, "GetMcpHealth", "{'id':'far'}");
    HAS(f, "'reason':'it answers again'");
    HAS(f, "'mttr_s':");
}
END_TEST

START_TEST(a_health_page_decides_without_the_secrets_of_the_server)
{
    char page[200];

    (void)snprintf(page, sizeof(page), "%s/health", peer_url(peer));
    world.status = 404;
    store_peer(page);
    feed_until(STATUS, "error");
    ck_assert_str_eq(last_seen(), "");
    ck_assert_ptr_nonnull(strstr(value("select last_error from mcp_health.mcp_state"), "404"));
}
END_TEST

START_TEST(a_secret_that_cannot_be_opened_is_an_error_that_says_so)
{
    store_peer("");
    health_config.secret_keys = OLD_KEY;
    feed_until(STATUS, "error");
    ck_assert_ptr_nonnull(
        strstr(value("select last_error from mcp_health.mcp_state"), "cannot be opened"));
    ck_assert_int_eq(peer_requests(peer), 0);
}
END_TEST

START_TEST(a_server_that_is_switched_off_is_never_contacted)
{
    store("far", true);
    for (int i = 0; i < 10; i++) {
        fresh_call();
        ck_assert_int_eq(prober_feed(&f->call, prober), ST_OK);
    }
    ck_assert_str_eq(value("select count(*) from mcp_health.probe"), "0");
}
END_TEST

static void start(void)
{
    struct error err = {0};

    world.status = 200;
    world.streams = world.changed = false;
    world.tools = "{'tools':[{'name':'echo','description':'Says it again.',"
                  "'inputSchema':{'type':'object'}}]}";
    peer = peer_start(serve, NULL);
    ck_assert_int_eq(prober_new(&prober, open_conn(f->url), NULL, &err), ST_OK);
}

static void stop(void)
{
    prober_free(prober);
    peer_stop(peer);
}

int main(void)
{
    Suite *suite = suite_create("health_probe");
    TCase *tcase = case_new(suite, "probe", 40);

    health_config.secret_keys = NEW_KEY;
    tcase_add_checked_fixture(tcase, start, stop);
    tcase_add_test(tcase, a_server_that_is_well_is_read_once_and_then_asked);
    tcase_add_test(tcase, a_server_that_says_its_tools_changed_is_read_at_once);
    tcase_add_test(tcase, a_server_that_is_switched_off_is_not_listened_to_any_more);
    tcase_add_test(tcase, a_server_that_fails_is_an_error_until_it_answers_again);
    tcase_add_test(tcase, a_health_page_decides_without_the_secrets_of_the_server);
    tcase_add_test(tcase, a_secret_that_cannot_be_opened_is_an_error_that_says_so);
    tcase_add_test(tcase, a_server_that_is_switched_off_is_never_contacted);
    return run_suite(suite);
}
