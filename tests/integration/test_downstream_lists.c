/* SPDX-License-Identifier: Apache-2.0 */
/* Lists and their pages, and the headers that tools want. */
#include "downstream_script.h"
#include "suite.h"

/* ---- lists ------------------------------------------------------------------------------ */

static int list_mode; /* 0 three pages, 1 a circle, 2 for ever, 3 no such method */

static void listing(struct peer_request *req, void *arg)
{
    static atomic_int pages;
    char page[256];
    int n;

    if (handshake(req, arg))
        return;
    n = strstr(req->body, "\"cursor\":\"\"") ? 2 : strstr(req->body, "\"cursor\":\"c\"") ? 3 : 1;
    if (list_mode == 2)
        n = 100 + atomic_fetch_add(&pages, 1);
    if (list_mode == 3) {
        peer_reply(req, 404, JSON,
                   "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32601,\"message\":\"no\"}}");
        return;
    }
    (void)snprintf(page, sizeof(page),
                   "{\"prompts\":[{\"name\":\"p%d\"}],\"ttlMs\":%d,"
                   "\"cacheScope\":\"public\"%s}",
                   n, n * 100,
                   list_mode == 2   ? ""
                   : n == 1         ? ",\"nextCursor\":\"\""
                   : n == 2         ? ",\"nextCursor\":\"c\""
                   : list_mode == 1 ? ",\"nextCursor\":\"\""
                                    : "");
    if (list_mode == 2)
        (void)snprintf(page + strlen(page) - 1, 40, ",\"nextCursor\":\"%d\"}", n);
    peer_result(req, "", page);
}

START_TEST(lists_are_read_to_their_end)
{
    struct fixture f;
    struct downstream_list list;

    list_mode = 0;
    fixture_start(&f, listing);
    fixture_open(&f, NULL);
    ck_assert_msg(downstream_list(f.session, "prompts/list", 0, &f.arena, &list, &f.err) == ST_OK,
                  "%s", f.err.message);
    ck_assert_uint_eq(list.n_items, 3);
    ck_assert_str_eq(list.items[2], "{\"name\":\"p3\"}");
    ck_assert_int_eq(list.ttl_ms, 100);
    ck_assert(list.is_public);
    /* Without the capability nobody is asked. */
    ck_assert_int_eq(downstream_list(f.session, "resources/list", 0, &f.arena, &list, &f.err),
                     ST_OK);
    ck_assert_uint_eq(list.n_items, 0);
    ck_assert_int_eq(count(&f.notes, "resources/list"), 0);
    fixture_stop(&f);
}
END_TEST

START_TEST(lists_without_an_end_are_given_up)
{
    static const char *const reasons[] = {"MCP_PROTOCOL", "MCP_TOO_LARGE"};
    struct fixture f;
    struct downstream_list list;

    list_mode = _i + 1;
    fixture_start(&f, listing);
    fixture_open(&f, NULL);
    ck_assert_int_ne(downstream_list(f.session, "prompts/list", 0, &f.arena, &list, &f.err), ST_OK);
    ck_assert_str_eq(f.err.reason, reasons[_i]);
    ck_assert_int_le(peer_requests(f.peer), 70);
    fixture_stop(&f);
}
END_TEST

START_TEST(a_list_that_the_server_does_not_have_is_empty)
{
    struct fixture f;
    struct downstream_list list;

    list_mode = 3;
    fixture_start(&f, listing);
    fixture_open(&f, NULL);
    ck_assert_int_eq(downstream_list(f.session, "prompts/list", 0, &f.arena, &list, &f.err), ST_OK);
    ck_assert_uint_eq(list.n_items, 0);
    fixture_stop(&f);
}
END_TEST

/* ---- mirrored headers ----------------------------------------------------------------------- */

static void mirroring(struct peer_request *req, void *arg)
{
    if (handshake(req, arg))
        return;
    if (peer_asks(req, "tools/list"))
        peer_result(req, "",
                    "{\"tools\":[{\"name\":\"bad\",\"inputSchema\":{\"x-mcp-header\":\"A\"}},"
                    "{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"a\":{"
                    "\"type\":\"string\",\"x-mcp-header\":\"Region\"}}}}]}");
    else if (strcmp(peer_header(req, "Mcp-Param-Region"), "eu") == 0)
        peer_result(req, "", "{\"resultType\":\"complete\"}");
    else
        peer_reply(req, 400, JSON,
                   "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32020,\"message\":\"header\"}}");
}

START_TEST(mirrored_headers_are_learnt_and_the_call_is_repeated_once)
{
    struct fixture f;
    struct downstream_message msg;
    struct downstream_list list;

    fixture_start(&f, mirroring);
    fixture_open(&f, NULL);
    fixture_call(&f, "{\"name\":\"t\",\"arguments\":{\"a\":\"eu\"}}", &msg);
    ck_assert_int_eq(msg.kind, DOWNSTREAM_RESULT);
    ck_assert_int_eq(count(&f.notes, "tools/list"), 1);
    ck_assert_int_eq(count(&f.notes, "tools/call"), 2);
    fixture_call(&f, "{\"name\":\"t\",\"arguments\":{\"a\":\"eu\"}}", &msg);
    ck_assert_int_eq(count(&f.notes, "tools/call"), 3);
    /* It stays wrong: the second refusal is the answer. */
    fixture_call(&f, "{\"name\":\"t\",\"arguments\":{\"a\":\"us\"}}", &msg);
    ck_assert_int_eq(msg.kind, DOWNSTREAM_ERROR);
    ck_assert_int_eq(msg.code, MCP_HEADER_MISMATCH);
    ck_assert_int_eq(count(&f.notes, "tools/call"), 5);
    ck_assert_int_eq(downstream_list(f.session, "tools/list", 0, &f.arena, &list, &f.err), ST_OK);
    ck_assert_uint_eq(list.n_items, 1);
    ck_assert_uint_eq(list.n_dropped, 1);
    fixture_stop(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("downstream_lists");
    TCase *tcase = tcase_create("lists");

    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, lists_are_read_to_their_end);
    tcase_add_loop_test(tcase, lists_without_an_end_are_given_up, 0, 2);
    tcase_add_test(tcase, a_list_that_the_server_does_not_have_is_empty);
    tcase_add_test(tcase, mirrored_headers_are_learnt_and_the_call_is_repeated_once);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
