/* SPDX-License-Identifier: Apache-2.0 */
/* Servers over HTTP: eras, sessions, calls, and what is sent. */
#include "downstream_fixture.h"
#include "suite.h"

static const char *const discover =
    "{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{"
    "\"tools\":{}},\"ttlMs\":1000,\"cacheScope\":\"private\",\"_meta\":{"
    "\"io.modelcontextprotocol/serverInfo\":{\"name\":\"peer\",\"version\":\"1\"}}}";

/* A modern server whose tool says what it got. */
static void modern(struct peer_request *req, void *arg)
{
    note(arg, req);
    if (peer_asks(req, "server/discover"))
        peer_result(req, "", discover);
    else if (peer_asks(req, "tools/call"))
        peer_result(req, "", "{\"resultType\":\"complete\",\"content\":[]}");
    else
        peer_reply(req, 404, "Content-Type: application/json\r\n",
                   "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32601,\"message\":\"no\"}}");
}

START_TEST(a_modern_server_is_met_and_called)
{
    struct fixture f;
    struct downstream_message msg;
    struct downstream_facts facts;

    fixture_start(&f, modern);
    fixture_open(&f, NULL);
    ck_assert(downstream_modern(f.session));
    downstream_describe(f.session, &f.arena, &facts);
    ck_assert_int_eq(facts.version, MCP_2026_07_28);
    ck_assert_str_eq(facts.capabilities, "{\"tools\":{}}");
    ck_assert_str_eq(facts.server_info, "{\"name\":\"peer\",\"version\":\"1\"}");
    fixture_call(&f, "{\"name\":\"z\xc3\xbc\",\"arguments\":{\"a\":[1, 2]}}", &msg);
    ck_assert_int_eq(msg.kind, DOWNSTREAM_RESULT);
    ck_assert_int_eq(msg.http_status, 200);
    ck_assert_str_eq(note_header(&f.notes, 2, "MCP-Protocol-Version"), "2026-07-28");
    ck_assert_str_eq(note_header(&f.notes, 2, "Mcp-Method"), "tools/call");
    ck_assert_str_eq(note_header(&f.notes, 2, "Mcp-Name"), "=?base64?esO8?=");
    ck_assert_str_eq(note_header(&f.notes, 2, "Accept"), "application/json, text/event-stream");
    ck_assert_ptr_nonnull(strstr(note_body(&f.notes, 2),
                                 "\"params\":{\"name\":\"z\xc3\xbc\",\"arguments\":{\"a\":[1, 2]},"
                                 "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":"
                                 "\"2026-07-28\",\"io.modelcontextprotocol/clientInfo\":{"));
    ck_assert_int_eq(peer_connections(f.peer), 1);
    fixture_stop(&f);
}
END_TEST

START_TEST(what_belongs_to_the_callers_hop_is_not_passed_on)
{
    struct fixture f;
    struct downstream_message msg;

    fixture_start(&f, modern);
    fixture_open(&f, NULL);
    fixture_call(&f,
                 "{\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"1999-01-01\","
                 "\"io.modelcontextprotocol\\/clientInfo\":{\"name\":\"evil\"},\"progressToken\":7,"
                 "\"traceparent\":\"00-x\",\"com.example/x\":[1]},\"name\":\"t\"}",
                 &msg);
    ck_assert_ptr_null(strstr(note_body(&f.notes, 2), "1999"));
    ck_assert_ptr_null(strstr(note_body(&f.notes, 2), "evil"));
    ck_assert_ptr_null(strstr(note_body(&f.notes, 2), "progressToken"));
    ck_assert_ptr_nonnull(strstr(note_body(&f.notes, 2), "\"traceparent\":\"00-x\""));
    ck_assert_ptr_nonnull(strstr(note_body(&f.notes, 2), "\"com.example/x\":[1]"));
    fixture_stop(&f);
}
END_TEST

/* A legacy server with sessions. */
static void legacy(struct peer_request *req, void *arg)
{
    if (strcmp(req->method, "GET") == 0) {
        peer_reply(req, 405, "", "");
        return;
    }
    note(arg, req);
    if (peer_asks(req, "initialize"))
        peer_result(
            req, "Mcp-Session-Id: s-1\r\n",
            "{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"tools\":{}},"
            "\"serverInfo\":{\"name\":\"old\",\"version\":\"2\"},\"instructions\":\"a\\\"b\"}");
    else if (peer_header(req, "Mcp-Session-Id")[0] == '\0')
        peer_reply(req, 400, "Content-Type: application/json\r\n",
                   "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32000,\"message\":\"no session\"},"
                   "\"id\":null}");
    else if (strstr(req->body, "\"id\":") == NULL)
        peer_reply(req, 202, "", "");
    else
        peer_result(req, "", "{\"content\":[]}");
}

START_TEST(a_legacy_server_is_initialized)
{
    struct fixture f;
    struct downstream_message msg;
    struct downstream_facts facts;

    fixture_start(&f, legacy);
    fixture_open(&f, "{\"roots\":{}}");
    ck_assert(!downstream_modern(f.session));
    downstream_describe(f.session, &f.arena, &facts);
    ck_assert_int_eq(facts.version, MCP_2025_06_18);
    ck_assert_str_eq(facts.instructions, "a\"b");
    ck_assert(facts.has_session);
    fixture_call(&f, "{\"name\":\"t\"}", &msg);
    ck_assert_int_eq(msg.kind, DOWNSTREAM_RESULT);
    ck_assert_int_eq(msg.version, MCP_2025_06_18);
    /* 1 probe, 2 initialize, 3 initialized, 4 call */
    ck_assert_ptr_nonnull(strstr(note_body(&f.notes, 2), "\"protocolVersion\":\"2025-11-25\""));
    ck_assert_ptr_nonnull(strstr(note_body(&f.notes, 2), "\"capabilities\":{\"roots\":{}}"));
    ck_assert_str_eq(note_header(&f.notes, 2, "Mcp-Session-Id"), "");
    ck_assert_str_eq(note_header(&f.notes, 2, "MCP-Protocol-Version"), "");
    ck_assert_ptr_nonnull(strstr(note_body(&f.notes, 3), "notifications/initialized"));
    ck_assert_str_eq(note_header(&f.notes, 4, "Mcp-Session-Id"), "s-1");
    ck_assert_str_eq(note_header(&f.notes, 4, "MCP-Protocol-Version"), "2025-06-18");
    ck_assert_str_eq(note_header(&f.notes, 4, "Mcp-Method"), "");
    ck_assert_ptr_null(strstr(note_body(&f.notes, 4), "_meta"));
    fixture_close(&f);
    ck_assert_str_eq(note_method(&f.notes, 5), "DELETE");
    ck_assert_str_eq(note_header(&f.notes, 5, "Mcp-Session-Id"), "s-1");
    fixture_stop(&f);
}
END_TEST

START_TEST(the_verdict_is_kept_and_forgotten_on_request)
{
    struct fixture f;
    struct downstream_session *second;

    fixture_start(&f, legacy);
    fixture_open(&f, NULL);
    ck_assert_int_eq(
        downstream_open(f.server, &(struct downstream_session_options){0}, &second, &f.err), ST_OK);
    ck_assert_int_eq(peer_requests(f.peer), 5); /* no second probe */
    downstream_close(second, 0);
    downstream_forget(f.server);
    ck_assert_int_eq(
        downstream_open(f.server, &(struct downstream_session_options){0}, &second, &f.err), ST_OK);
    ck_assert_int_eq(peer_requests(f.peer), 8);
    downstream_close(second, 0);
    fixture_stop(&f);
}
END_TEST

START_TEST(a_server_held_to_a_revision_is_not_probed)
{
    struct fixture f;

    fixture_start(&f, legacy);
    f.options.newest = "2025-03-26";
    fixture_open(&f, NULL);
    ck_assert_ptr_nonnull(strstr(note_body(&f.notes, 1), "\"protocolVersion\":\"2025-03-26\""));
    fixture_stop(&f);
}
END_TEST

/* ---- what a probe may bring -------------------------------------------------------- */

static const struct {
    int status;
    const char *type, *body;
    enum downstream_fault fault; /* 0: none */
    bool modern;
} probes[] = {
    {200, "application/json", "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{}}", 0, false},
    {200, "application/json",
     "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"supportedVersions\":\"2026-07-28\"}}", 0, false},
    {200, "application/json",
     "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"supportedVersions\":[\"2025-11-25\"]}}", 0,
     false},
    {200, "application/json",
     "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"supportedVersions\":[\"2099-01-01\"]}}",
     DOWNSTREAM_FAULT_REVISION, false},
    {200, "application/json",
     "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"supportedVersions\":[\"2025-06-18\",\"2026-07-"
     "28\"],"
     "\"capabilities\":{}}}",
     0, true},
    {200, "application/json",
     "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32601,\"message\":\"no\"}}", 0, false},
    {400, "application/json",
     "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,\"message\":\"no\"}}", 0, false},
    {400, "application/json",
     "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32022,\"message\":\"no\",\"data\":{"
     "\"supported\":[\"2025-11-25\"]}}}",
     0, false},
    {400, "application/json",
     "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32022,\"message\":\"no\",\"data\":{"
     "\"supported\":[\"2031-01-01\"]}}}",
     DOWNSTREAM_FAULT_REVISION, false},
    {400, "application/json",
     "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32020,\"message\":\"no\"}}",
     DOWNSTREAM_FAULT_PROTOCOL, false},
    {404, "text/html", "<html>", 0, false},
    {405, "text/plain", "", 0, false},
    {415, "text/plain", "no", 0, false},
    {200, "text/html", "<html>", 0, false},
    {202, "text/plain", "", 0, false},
    {401, "application/json", "{}", DOWNSTREAM_FAULT_AUTH, false},
    {403, "application/json", "{}", DOWNSTREAM_FAULT_AUTH, false},
    {429, "text/plain", "", DOWNSTREAM_FAULT_THROTTLED, false},
    {500, "text/plain", "", DOWNSTREAM_FAULT_REFUSED, false},
    {503, "text/html", "<html>", DOWNSTREAM_FAULT_REFUSED, false},
    {307, "text/plain", "", DOWNSTREAM_FAULT_PROTOCOL, false},
};

static int probe_case;

static void answer_probe(struct peer_request *req)
{
    const char *body = probes[probe_case].body, *hole = strstr(body, "%s");
    char head[128], text[512];

    (void)snprintf(head, sizeof(head), "Content-Type: %s\r\nLocation: http://127.0.0.1:1/\r\n",
                   probes[probe_case].type);
    (void)snprintf(text, sizeof(text), "%.*s%s%s",
                   hole != NULL ? (int)(hole - body) : (int)strlen(body), body,
                   hole != NULL ? peer_id(req) : "", hole != NULL ? hole + 2 : "");
    peer_reply(req, probes[probe_case].status, head, text);
}

static void probed(struct peer_request *req, void *arg)
{
    (void)arg;
    if (peer_asks(req, "server/discover"))
        answer_probe(req);
    else if (peer_asks(req, "initialize"))
        peer_result(req, "", "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{}}");
    else
        peer_reply(req, 202, "", "");
}

START_TEST(the_probe_is_read_as_the_specification_says)
{
    struct fixture f;
    enum status status;

    probe_case = _i;
    fixture_start(&f, probed);
    status = fixture_try_open(&f, NULL);
    if (probes[_i].fault != DOWNSTREAM_FAULT_NONE) {
        ck_assert_int_ne(status, ST_OK);
        ck_assert_str_eq(f.err.reason, downstream_fault_text(probes[_i].fault));
        ck_assert_ptr_nonnull(strstr(f.err.message, "'peer'"));
    } else {
        ck_assert_msg(status == ST_OK, "%s", f.err.message);
        ck_assert_int_eq(downstream_modern(f.session), probes[_i].modern);
    }
    fixture_stop(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("downstream_http");
    TCase *tcase = tcase_create("http");

    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, a_modern_server_is_met_and_called);
    tcase_add_test(tcase, what_belongs_to_the_callers_hop_is_not_passed_on);
    tcase_add_test(tcase, a_legacy_server_is_initialized);
    tcase_add_test(tcase, the_verdict_is_kept_and_forgotten_on_request);
    tcase_add_test(tcase, a_server_held_to_a_revision_is_not_probed);
    tcase_add_loop_test(tcase, the_probe_is_read_as_the_specification_says, 0,
                        (int)ARRAY_SIZE(probes));
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
