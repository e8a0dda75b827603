/* SPDX-License-Identifier: Apache-2.0 */
/* Errors in the words of the caller's revision: a case for each row of the tables. */
#include "bridge_fixture.h"

static const struct {
    int server, caller;
    const char *method, *given;
    bool takes_urls;
    enum bridge_error_kind kind;
    int code, http_status;
    const char *message, *data; /* message NULL: as given */
} errors[] = {
    {V11, V11, "tools/call", "{\"code\":-32602,\"message\":\"m\",\"data\":{\"x\":1}}", false,
     BRIDGE_ERROR, -32602, 200, NULL, "{\"x\":1}"},
    {NEW, NEW, "tools/call", "{\"code\":-32602,\"message\":\"m\"}", false, BRIDGE_ERROR, -32602,
     200, NULL, NULL},
    {NEW, V11, "tools/call", "{\"code\":123,\"message\":\"m\"}", false, BRIDGE_ERROR, 123, 200,
     NULL, NULL},
    /* Not found, in the words of either era. */
    {V11, NEW, "resources/read", "{\"code\":-32002,\"message\":\"m\",\"data\":{\"uri\":\"a:b\"}}",
     false, BRIDGE_ERROR, -32602, 200, NULL, "{\"uri\":\"a:b\"}"},
    {NEW, V11, "resources/read", "{\"code\":-32602,\"message\":\"m\",\"data\":{\"uri\":\"a:b\"}}",
     false, BRIDGE_ERROR, -32002, 200, NULL, "{\"uri\":\"a:b\"}"},
    {V11, V11, "resources/read", "{\"code\":-32602,\"message\":\"m\",\"data\":{\"uri\":\"a:b\"}}",
     false, BRIDGE_ERROR, -32002, 200, NULL, "{\"uri\":\"a:b\"}"},
    {NEW, V11, "resources/read", "{\"code\":-32602,\"message\":\"m\"}", false, BRIDGE_ERROR, -32602,
     200, NULL, NULL},
    {NEW, V11, "prompts/get", "{\"code\":-32602,\"message\":\"m\",\"data\":{\"uri\":\"a:b\"}}",
     false, BRIDGE_ERROR, -32602, 200, NULL, "{\"uri\":\"a:b\"}"},
    {V06, V11, "resources/read", "{\"code\":-32002,\"message\":\"m\"}", false, BRIDGE_ERROR, -32002,
     200, NULL, NULL},
    /* URLs that have to be opened first. */
    {V11, NEW, "tools/call", "{\"code\":-32042,\"message\":\"m\",\"data\":{}}", true,
     BRIDGE_ASK_URL, -32042, 200, NULL, "{}"},
    {V11, NEW, "tools/call",
     "{\"code\":-32042,\"message\":\"m\",\"data\":{\"elicitations\":[{\"url\":\"https://x\","
     "\"message\":\"Log in\"}]}}",
     false, BRIDGE_EXECUTION, -32603, 200, "m\nLog in: https://x", NULL},
    {V11, NEW, "prompts/list", "{\"code\":-32042,\"message\":\"m\"}", true, BRIDGE_ERROR, -32603,
     200, NULL, NULL},
    {V11, V11, "tools/call", "{\"code\":-32042,\"message\":\"m\",\"data\":{}}", true, BRIDGE_ERROR,
     -32042, 200, NULL, "{}"},
    {V11, V06, "tools/call", "{\"code\":-32042,\"message\":\"m\",\"data\":{}}", false,
     BRIDGE_EXECUTION, -32603, 200, NULL, NULL},
    /* Codes without a common meaning are not emitted in the modern era. */
    {V11, NEW, "tools/call", "{\"code\":-32000,\"message\":\"m\",\"data\":1}", false, BRIDGE_ERROR,
     -32603, 200, NULL, NULL},
    {V11, NEW, "tools/call", "{\"code\":-32019,\"message\":\"m\"}", false, BRIDGE_ERROR, -32603,
     200, NULL, NULL},
    {NEW, NEW, "tools/call", "{\"code\":-32001,\"message\":\"m\"}", false, BRIDGE_ERROR, -32603,
     200, NULL, NULL},
    {V11, NEW, "tools/call", "{\"code\":-32021,\"message\":\"m\"}", false, BRIDGE_ERROR, -32603,
     200, NULL, NULL},
    {V11, V11, "tools/call", "{\"code\":-32000,\"message\":\"m\"}", false, BRIDGE_ERROR, -32000,
     200, NULL, NULL},
    /* What describes our own hop is not passed on. */
    {NEW, NEW, "tools/call", "{\"code\":-32020,\"message\":\"m\",\"data\":1}", false, BRIDGE_ERROR,
     -32603, 200, "the hub and the server did not understand each other", NULL},
    {NEW, V11, "tools/call", "{\"code\":-32022,\"message\":\"m\"}", false, BRIDGE_ERROR, -32603,
     200, "the hub and the server did not understand each other", NULL},
    /* A missing capability. */
    {NEW, NEW, "tools/call",
     "{\"code\":-32021,\"message\":\"m\",\"data\":{\"requiredCapabilities\":{\"sampling\":{}}}}",
     false, BRIDGE_ERROR, -32021, 400, NULL, "{\"requiredCapabilities\":{\"sampling\":{}}}"},
    {NEW, V11, "tools/call",
     "{\"code\":-32021,\"message\":\"m\",\"data\":{\"requiredCapabilities\":{\"sampling\":{},"
     "\"roots\":{}}}}",
     false, BRIDGE_EXECUTION, -32603, 200,
     "This needs a capability that the client does not have: sampling, roots.", NULL},
    {NEW, V11, "prompts/get", "{\"code\":-32021,\"message\":\"m\"}", false, BRIDGE_ERROR, -32603,
     200, "This needs a capability that the client does not have: one that it does not name.",
     NULL},
    /* A feature that is not there. */
    {NEW, NEW, "prompts/list", "{\"code\":-32601,\"message\":\"m\"}", false, BRIDGE_EMPTY_LIST,
     -32601, 200, NULL, NULL},
    {V11, V11, "resources/templates/list", "{\"code\":-32601,\"message\":\"m\"}", false,
     BRIDGE_EMPTY_LIST, -32601, 200, NULL, NULL},
    {NEW, NEW, "completion/complete", "{\"code\":-32601,\"message\":\"m\"}", false, BRIDGE_ERROR,
     -32601, 404, NULL, NULL},
    /* Errors that are none. */
    {V11, V11, "tools/call", "{\"code\":\"x\",\"message\":\"m\"}", false, BRIDGE_ERROR, -32603, 200,
     NULL, NULL},
    {V11, V11, "tools/call", "{\"code\":99999999999,\"message\":5}", false, BRIDGE_ERROR, -32603,
     200, "the server gave no reason", NULL},
};

START_TEST(errors_are_told_in_the_callers_words)
{
    const struct json *json = parse(errors[_i].given);
    struct bridge b = between(errors[_i].server, errors[_i].caller);
    struct bridge_error told =
        bridge_error(&arena, &b, errors[_i].method, json, json->nodes, errors[_i].takes_urls);

    ck_assert_int_eq(told.kind, errors[_i].kind);
    ck_assert_int_eq(told.code, errors[_i].code);
    ck_assert_int_eq(told.http_status, errors[_i].http_status);
    ck_assert_str_eq(told.message, errors[_i].message != NULL ? errors[_i].message : "m");
    ck_assert_str_eq(told.data != NULL ? told.data : "", errors[_i].data ? errors[_i].data : "");
}
END_TEST

static void fill(TCase *tcase)
{
    tcase_add_loop_test(tcase, errors_are_told_in_the_callers_words, 0, (int)ARRAY_SIZE(errors));
}

int main(void)
{
    return run_bridge_tests("mcp_bridge_error", fill);
}
