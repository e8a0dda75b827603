/* SPDX-License-Identifier: Apache-2.0 */
/* Messages, eras and envelopes. */
#include "mcp/era.h"
#include "mcp/message.h"
#include "suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct arena arena;
static struct json json;

static void setup(void)
{
    arena_init(&arena);
}

static void teardown(void)
{
    arena_done(&arena);
}

static enum status parse(const char *text, struct mcp_message *msg)
{
    struct error err = {0};

    ck_assert_int_eq(json_parse(&arena, text, strlen(text), NULL, &json, &err), ST_OK);
    return mcp_message_parse(&arena, &json, json.nodes, msg, &err);
}

#define META(version)                                                                              \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"" version "\","                      \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"

static const char *const malformed[] = {
    "[]",
    "5",
    "{}",
    "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"x\"}",
    "{\"jsonrpc\":2.0,\"id\":1,\"method\":\"x\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"x\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"x\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"x\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":[]}",
    "{\"jsonrpc\":\"2.0\",\"id\":1}",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"error\":{}}",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":5}",
    "{\"jsonrpc\":\"2.0\",\"result\":{}}",
};

START_TEST(what_is_no_message_is_refused)
{
    struct mcp_message msg;

    ck_assert_int_eq(parse(malformed[_i], &msg), ST_INVALID_ARGUMENT);
}
END_TEST

START_TEST(a_refused_message_still_tells_its_id)
{
    struct mcp_message msg;

    ck_assert_int_eq(parse("{\"id\":\"a\",\"method\":\"x\"}", &msg), ST_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(msg.id);
}
END_TEST

START_TEST(ids_are_echoed_with_their_type)
{
    static const char *const ids[] = {"0", "\"7\"", "-3", "\"a\\n\""};
    struct mcp_message msg;
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

    ck_assert_int_eq(
        parse(arena_printf(&arena, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"x\"}", ids[_i]),
              &msg),
        ST_OK);
    ck_assert_int_eq(msg.kind, MCP_REQUEST);
    mcp_put_result_head(&out, &msg);
    ck_assert_str_eq(out.data,
                     arena_printf(&arena, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":", ids[_i]));
}
END_TEST

START_TEST(an_error_without_id_leaves_the_member_out)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

    mcp_put_error(&out, NULL, MCP_PARSE_ERROR, "no \"JSON\"", "{\"a\":1}");
    ck_assert_str_eq(out.data, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"no "
                               "\\\"JSON\\\"\",\"data\":{\"a\":1}}}");
}
END_TEST

static const struct {
    const char *text, *header;
    enum mcp_era era;
    int code;
} eras[] = {
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{" META("2026-07-28") "}}",
     NULL, MCP_ERA_MODERN, 0},
    /* The body decides, whatever version it claims. */
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{" META("2025-11-25") "}}",
     "2025-11-25", MCP_ERA_MODERN, 0},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{" META("2026-07-28") "}}",
     NULL, MCP_ERA_MODERN, 0},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{}}", NULL, MCP_ERA_LEGACY,
     0},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{}}", "2026-07-28",
     MCP_ERA_REFUSED, MCP_HEADER_MISMATCH},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}", "2026-07-28", MCP_ERA_REFUSED,
     MCP_INVALID_PARAMS},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}", "2025-06-18", MCP_ERA_LEGACY, 0},
    /* Other keys of _meta are no claim. */
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{"
     "\"progressToken\":0}}}",
     NULL, MCP_ERA_LEGACY, 0},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}", "2026-07-28", MCP_ERA_MODERN,
     0},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", NULL, MCP_ERA_LEGACY, 0},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", NULL, MCP_ERA_LEGACY, 0},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", "2027-01-01", MCP_ERA_REFUSED,
     MCP_INVALID_REQUEST},
};

START_TEST(the_body_decides_the_era)
{
    struct mcp_message msg;
    struct mcp_verdict verdict;

    ck_assert_int_eq(parse(eras[_i].text, &msg), ST_OK);
    verdict = mcp_classify(&msg, eras[_i].header);
    ck_assert_int_eq(verdict.era, eras[_i].era);
    ck_assert_int_eq(verdict.code, eras[_i].code);
}
END_TEST

static const char *const envelopes[] = {
    "{\"io.modelcontextprotocol/protocolVersion\":5,"
    "\"io.modelcontextprotocol/clientCapabilities\":{}}",
    "{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"}",
    "{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
    "\"io.modelcontextprotocol/clientCapabilities\":[]}",
    "{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
    "\"io.modelcontextprotocol/clientCapabilities\":{},"
    "\"io.modelcontextprotocol/clientInfo\":{\"name\":\"a\"}}",
    "{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
    "\"io.modelcontextprotocol/clientCapabilities\":{},"
    "\"io.modelcontextprotocol/logLevel\":\"loud\"}",
    "{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
    "\"io.modelcontextprotocol/clientCapabilities\":{},\"progressToken\":true}",
};

START_TEST(a_broken_envelope_is_refused)
{
    struct mcp_message msg;
    struct mcp_client client;
    struct error err = {0};

    ck_assert_int_eq(
        parse(arena_printf(&arena,
                           "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"_meta\":"
                           "%s}}",
                           envelopes[_i]),
              &msg),
        ST_OK);
    ck_assert_int_eq(mcp_envelope_parse(&arena, &msg, &client, &err), ST_INVALID_ARGUMENT);
    ck_assert_int_gt((int)strlen(err.message), 0);
}
END_TEST

static const struct {
    const char *capabilities;
    bool form;
} asked[] = {
    {"{}", false},
    {"{\"elicitation\":{}}", true},
    {"{\"elicitation\":{\"form\":{}}}", true},
    {"{\"elicitation\":{\"url\":{}}}", false},
    {"{\"elicitation\":true}", false},
};

START_TEST(only_declared_form_elicitation_counts)
{
    ck_assert_int_eq(json_parse(&arena, asked[_i].capabilities, strlen(asked[_i].capabilities),
                                NULL, &json, NULL),
                     ST_OK);
    ck_assert_int_eq(mcp_form_elicitation(&json, json.nodes), asked[_i].form);
}
END_TEST

START_TEST(versions_are_ordered_and_named)
{
    ck_assert_int_eq(mcp_version_parse("2025-03-26"), MCP_2025_03_26);
    ck_assert_int_eq(mcp_version_parse("1.0"), MCP_UNKNOWN);
    ck_assert_int_eq(mcp_version_parse(NULL), MCP_UNKNOWN);
    ck_assert(mcp_version_modern("2026-07-28"));
    ck_assert(mcp_version_modern("2030-01-01"));
    ck_assert(!mcp_version_modern("2025-11-25"));
    ck_assert(!mcp_version_modern("9"));
    ck_assert(!mcp_version_modern(NULL));
    ck_assert_str_eq(mcp_version_text(MCP_2024_11_05), "2024-11-05");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mcp_message");
    TCase *tcase = tcase_create("message");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, what_is_no_message_is_refused, 0, (int)ARRAY_SIZE(malformed));
    tcase_add_test(tcase, a_refused_message_still_tells_its_id);
    tcase_add_loop_test(tcase, ids_are_echoed_with_their_type, 0, 4);
    tcase_add_test(tcase, an_error_without_id_leaves_the_member_out);
    tcase_add_loop_test(tcase, the_body_decides_the_era, 0, (int)ARRAY_SIZE(eras));
    tcase_add_loop_test(tcase, a_broken_envelope_is_refused, 0, (int)ARRAY_SIZE(envelopes));
    tcase_add_loop_test(tcase, only_declared_form_elicitation_counts, 0, (int)ARRAY_SIZE(asked));
    tcase_add_test(tcase, versions_are_ordered_and_named);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
