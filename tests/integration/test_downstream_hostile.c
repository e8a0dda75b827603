/* SPDX-License-Identifier: Apache-2.0 */
/* Servers that are slow, flood, lie or talk rubbish: each harms its own call,
 * in bounded time and memory, with an error that says what it did. */
#include "downstream_fixture.h"
#include "suite.h"

#include <stdio.h>

#define JSON "Content-Type: application/json\r\n"
#define SSE "Content-Type: text/event-stream\r\n"

enum { CALL_MS = 1500, MEMORY_MAX = 24 << 20 };

/* ---- ways to misbehave ------------------------------------------------------------ */

/* Until the client leaves. */
static void for_ever(struct peer_request *req, const char *text)
{
    CLEANUP(strbuf_done) struct strbuf block = STRBUF_INIT;

    while (block.len < 16384)
        strbuf_str(&block, text);
    while (peer_send(req, block.data, block.len))
        ;
    peer_hang_up(req);
}

static void huge_length(struct peer_request *req)
{
    (void)peer_text(req, "HTTP/1.1 200 OK\r\n" JSON "Content-Length: 104857600\r\n\r\n\"");
    for_ever(req, "x");
}

static void endless_chunks(struct peer_request *req)
{
    (void)peer_text(req, "HTTP/1.1 200 OK\r\n" JSON "Transfer-Encoding: chunked\r\n\r\n");
    for_ever(req, "8\r\n[1,2,3,4\r\n");
}

static void endless_event(struct peer_request *req)
{
    (void)peer_text(req, "HTTP/1.1 200 OK\r\n" SSE "\r\ndata: ");
    for_ever(req, "x");
}

static void endless_events(struct peer_request *req)
{
    (void)peer_text(req, "HTTP/1.1 200 OK\r\n" SSE "\r\n");
    for_ever(req,
             "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{}}\n\n");
}

static void endless_comments(struct peer_request *req)
{
    (void)peer_text(req, "HTTP/1.1 200 OK\r\n" SSE "\r\n");
    for_ever(req, ": x\n\n");
}

static void endless_head(struct peer_request *req)
{
    (void)peer_text(req, "HTTP/1.1 200 OK\r\n");
    for_ever(req, "X-Y: z\r\n");
}

static void endless_interim(struct peer_request *req)
{
    for_ever(req, "HTTP/1.1 102 Processing\r\n\r\n");
}

static void endless_error(struct peer_request *req)
{
    (void)peer_text(req, "HTTP/1.1 500 Oops\r\nContent-Type: text/html\r\n\r\n");
    for_ever(req, "<p>");
}

static void drip(struct peer_request *req)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX: ";

    for (size_t i = 0; peer_send(req, text + i % (sizeof(text) - 1), 1); i++)
        (void)usleep(10000);
    peer_hang_up(req);
}

static void drip_comments(struct peer_request *req)
{
    (void)peer_text(req, "HTTP/1.1 200 OK\r\n" SSE "\r\n");
    while (peer_text(req, ": alive\n\n"))
        (void)usleep(10000);
    peer_hang_up(req);
}

static void silent(struct peer_request *req)
{
    (void)peer_left(req, 10000);
    peer_hang_up(req);
}

static void rubbish(struct peer_request *req)
{
    (void)peer_text(req, "\x01\x02\x03 not HTTP at all\r\n\r\n");
    peer_hang_up(req);
}

static void rubbish_json(struct peer_request *req)
{
    peer_reply(req, 200, JSON, "{\"jsonrpc\":\"2.0\",\"result\":");
}

static void rubbish_event(struct peer_request *req)
{
    peer_events(req, "");
    peer_event(req, "data: <html>");
}

static void deep(struct peer_request *req)
{
    CLEANUP(strbuf_done) struct strbuf body = STRBUF_INIT;

    for (int i = 0; i < 100000; i++)
        strbuf_char(&body, '[');
    peer_reply(req, 200, JSON, body.data);
}

static void many_values(struct peer_request *req)
{
    CLEANUP(strbuf_done) struct strbuf body = STRBUF_INIT;

    strbuf_char(&body, '[');
    for (int i = 0; i < 400000; i++)
        strbuf_str(&body, "0,");
    strbuf_str(&body, "0]");
    peer_reply(req, 200, JSON, body.data);
}

static void no_message(struct peer_request *req)
{
    peer_reply(req, 200, JSON, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":5}");
}

static void bad_result(struct peer_request *req)
{
    CLEANUP(strbuf_done) struct strbuf body = STRBUF_INIT;

    strbuf_printf(&body, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":[]}", peer_id(req));
    peer_reply(req, 200, JSON, body.data);
}

static void compressed(struct peer_request *req)
{
    peer_reply(req, 200, JSON "Content-Encoding: gzip\r\n", "\x1f\x8b");
}

static void wrong_type(struct peer_request *req)
{
    peer_reply(req, 200, "Content-Type: text/html\r\n", "<html>");
}

static void accepted(struct peer_request *req)
{
    peer_reply(req, 202, "", "");
}

static void redirect(struct peer_request *req)
{
    peer_reply(req, 307, "Location: http://169.254.169.254/latest/meta-data\r\n", "");
}

static void forbidden(struct peer_request *req)
{
    peer_reply(req, 401, "WWW-Authenticate: Bearer\r\n", "");
}

static void throttled(struct peer_request *req)
{
    peer_reply(req, 429, "Retry-After: 9\r\n", "");
}

static void failing(struct peer_request *req)
{
    peer_reply(req, 502, "Content-Type: text/html\r\n", "<html>Bad Gateway</html>");
}

static void half(struct peer_request *req)
{
    (void)peer_text(req, "HTTP/1.1 200 OK\r\n" JSON "Content-Length: 500\r\n\r\n{\"jsonrpc\"");
    peer_hang_up(req);
}

static void gone(struct peer_request *req)
{
    peer_hang_up(req);
}

static const struct {
    const char *name;
    void (*fn)(struct peer_request *req);
    enum downstream_fault fault;
} cases[] = {
    {"100 MB announced", huge_length, DOWNSTREAM_FAULT_TOO_LARGE},
    {"endless chunks", endless_chunks, DOWNSTREAM_FAULT_TOO_LARGE},
    {"one endless event", endless_event, DOWNSTREAM_FAULT_TOO_LARGE},
    {"events without end", endless_events, DOWNSTREAM_FAULT_TOO_LARGE},
    {"comments without end", endless_comments, DOWNSTREAM_FAULT_TOO_LARGE},
    {"headers without end", endless_head, DOWNSTREAM_FAULT_PROTOCOL},
    {"interim answers without end", endless_interim, DOWNSTREAM_FAULT_PROTOCOL},
    {"an error without end", endless_error, DOWNSTREAM_FAULT_TOO_LARGE},
    {"a byte at a time", drip, DOWNSTREAM_FAULT_TIMEOUT},
    {"signs of life only", drip_comments, DOWNSTREAM_FAULT_TIMEOUT},
    {"silence", silent, DOWNSTREAM_FAULT_TIMEOUT},
    {"rubbish", rubbish, DOWNSTREAM_FAULT_PROTOCOL},
    {"cut JSON", rubbish_json, DOWNSTREAM_FAULT_PROTOCOL},
    {"an event that is no JSON", rubbish_event, DOWNSTREAM_FAULT_PROTOCOL},
    {"deep JSON", deep, DOWNSTREAM_FAULT_PROTOCOL},
    {"too many values", many_values, DOWNSTREAM_FAULT_PROTOCOL},
    {"JSON that is no message", no_message, DOWNSTREAM_FAULT_PROTOCOL},
    {"a result that is no object", bad_result, DOWNSTREAM_FAULT_PROTOCOL},
    {"compression", compressed, DOWNSTREAM_FAULT_PROTOCOL},
    {"another type", wrong_type, DOWNSTREAM_FAULT_PROTOCOL},
    {"202", accepted, DOWNSTREAM_FAULT_PROTOCOL},
    {"a redirect", redirect, DOWNSTREAM_FAULT_PROTOCOL},
    {"401", forbidden, DOWNSTREAM_FAULT_AUTH},
    {"429", throttled, DOWNSTREAM_FAULT_THROTTLED},
    {"502", failing, DOWNSTREAM_FAULT_REFUSED},
    {"a body that ends early", half, DOWNSTREAM_FAULT_LOST},
    {"no answer at all", gone, DOWNSTREAM_FAULT_LOST},
};

/* ---- the test ---------------------------------------------------------------------- */

static int current;

static void misbehave(struct peer_request *req, void *arg)
{
    (void)arg;
    if (peer_asks(req, "server/discover"))
        peer_result(req, "", "{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{}}");
    else if (strstr(req->body, "\"good\"") != NULL)
        peer_result(req, "", "{\"resultType\":\"complete\"}");
    else
        cases[current].fn(req);
}

static long resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    char line[128];
    char *end;

    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(line, sizeof(line), file));
    (void)fclose(file);
    (void)strtol(line, &end, 10);
    return strtol(end, NULL, 10) * 4096;
}

static struct downstream_exchange *start(struct fixture *f, const char *name)
{
    char params[64];
    const struct downstream_request request = {
        .method = "tools/call", .params_text = params, .deadline_ms = clock_mono_ms() + CALL_MS};
    struct downstream_exchange *x;

    (void)snprintf(params, sizeof(params), "{\"name\":\"%s\"}", name);
    ck_assert_msg(downstream_begin(f->session, &request, &x, &f->err) == ST_OK, "%s",
                  f->err.message);
    return x;
}

static enum status finish(struct fixture *f, struct downstream_exchange *x)
{
    struct downstream_message msg;
    enum status status;

    error_clear(&f->err);
    do {
        status = downstream_next(x, -1, &msg, &f->err);
    } while (status == ST_OK && msg.kind != DOWNSTREAM_RESULT && msg.kind != DOWNSTREAM_ERROR);
    downstream_end(x);
    return status;
}

START_TEST(a_bad_server_harms_its_own_call_only)
{
    struct fixture f;
    struct downstream_exchange *bad;
    int64_t began = clock_mono_ms();
    long before;

    current = _i;
    fixture_start(&f, misbehave);
    f.options.limits.message_bytes = 1 << 20;
    f.options.limits.reply_bytes = 2 << 20;
    f.options.limits.values = 100000;
    fixture_open(&f, NULL);
    before = resident();
    bad = start(&f, "bad");
    ck_assert_msg(finish(&f, start(&f, "good")) == ST_OK, "%s: %s", cases[_i].name, f.err.message);
    ck_assert_int_ne(finish(&f, bad), ST_OK);
    ck_assert_msg(f.err.reason == downstream_fault_text(cases[_i].fault), "%s: %s %s",
                  cases[_i].name, f.err.reason, f.err.message);
    ck_assert_msg(strncmp(f.err.message, "Server 'peer' ", 14) == 0, "%s", f.err.message);
    ck_assert_int_lt(clock_mono_ms() - began, CALL_MS + 3000);
    ck_assert_int_lt(resident() - before, MEMORY_MAX);
    ck_assert_int_eq(finish(&f, start(&f, "good")), ST_OK);
    fixture_stop(&f);
}
END_TEST

START_TEST(what_cannot_be_reached_fails_in_time)
{
    /* Nobody listens; nobody answers (TEST-NET-1); no such name. */
    static const char *const urls[] = {"http://127.0.0.1:1/mcp", "http://192.0.2.1/mcp",
                                       "http://nobody.invalid/mcp"};
    struct downstream_options options = {
        .id = "far", .url = urls[_i], .limits = {.connect_ms = 300}};
    struct downstream *server;
    struct downstream_session *session;
    struct error err = {0};
    int64_t began = clock_mono_ms();

    ck_assert_int_eq(downstream_new(&options, &server, &err), ST_OK);
    ck_assert_int_eq(
        downstream_open(server, &(struct downstream_session_options){0}, &session, &err),
        ST_UNAVAILABLE);
    ck_assert_str_eq(err.reason, "MCP_UNREACHABLE");
    ck_assert_ptr_null(strstr(err.message, "192.0.2"));
    ck_assert_int_lt(clock_mono_ms() - began, 3000);
    downstream_free(server);
}
END_TEST

START_TEST(headers_of_the_protocol_cannot_be_set_by_configuration)
{
    static const struct downstream_header bad[] = {
        {"Host", "x"},
        {"mcp-session-id", "x"},
        {"Content-Length", "5"},
        {"X Y", "z"},
        {"", "z"},
        {"X", "a\r\nHost: evil"},
        {"X:", "y"},
        {"Mcp-Param-Q", "1"},
        {"Transfer-Encoding", "chunked"},
        {"Accept", "text/html"},
    };
    struct downstream_options options = {
        .id = "x", .url = "http://127.0.0.1:1/", .headers = &bad[_i], .n_headers = 1};
    struct downstream *server;
    struct error err = {0};

    ck_assert_int_eq(downstream_new(&options, &server, &err), ST_INVALID_ARGUMENT);
    ck_assert_str_ne(err.message, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("downstream_hostile");
    TCase *tcase = tcase_create("hostile");

    tcase_set_timeout(tcase, 30);
    tcase_add_loop_test(tcase, a_bad_server_harms_its_own_call_only, 0, (int)ARRAY_SIZE(cases));
    tcase_add_loop_test(tcase, what_cannot_be_reached_fails_in_time, 0, 3);
    tcase_add_loop_test(tcase, headers_of_the_protocol_cannot_be_set_by_configuration, 0, 10);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
