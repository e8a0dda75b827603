/* SPDX-License-Identifier: Apache-2.0 */
/* Mirrored headers, the client's side. */
#include "mcp/header.h"
#include "mcp/mirror.h"
#include "suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct arena arena;

static void setup(void)
{
    arena_init(&arena);
}

static void teardown(void)
{
    arena_done(&arena);
}

static const struct {
    const char *value, *header;
} values[] = {
    {"eu-north-1", "eu-north-1"},
    {"", ""},
    {"a b", "a b"},
    {"Z\xc3\xbcrich", "=?base64?WsO8cmljaA==?="},
    {" 7 ", "=?base64?IDcg?="},
    {"a\tb", "=?base64?YQli?="},
    {"a\r\nX: y", "=?base64?YQ0KWDogeQ==?="},
    {"=?base64?raw?=", "=?base64?PT9iYXNlNjQ/cmF3Pz0=?="},
    {"=?BASE64?raw?=", "=?BASE64?raw?="},
    {"\xd0\xbe\xd1\x82\xd1\x87\xd1\x91\xd1\x82.csv", "=?base64?0L7RgtGH0ZHRgi5jc3Y=?="},
};

START_TEST(values_take_their_header_form_and_come_back)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

    mirror_put_value(&out, values[_i].value, strlen(values[_i].value));
    ck_assert_str_eq(strbuf_cstr(&out), values[_i].header);
    ck_assert_str_eq(mcp_header_decode(&arena, strbuf_cstr(&out)), values[_i].value);
}
END_TEST

static void parse(struct json *json, const char *text)
{
    struct error err = {0};

    ck_assert_msg(json_parse(&arena, text, strlen(text), NULL, json, &err) == ST_OK, "%s: %s", text,
                  err.message);
}

static const struct {
    const char *schema, *arguments, *headers;
} calls[] = {
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"Region\"},"
     "\"b\":{\"type\":\"string\"}}}",
     "{\"a\":\"eu\",\"b\":\"x\"}", "Mcp-Param-Region: eu\r\n"},
    {"{\"properties\":{\"a\":{\"type\":\"integer\",\"x-mcp-header\":\"A\"},\"b\":{\"type\":"
     "\"boolean\",\"x-mcp-header\":\"B\"}}}",
     "{\"b\":false,\"a\":42.0}", "Mcp-Param-A: 42\r\nMcp-Param-B: false\r\n"},
    {"{\"properties\":{\"a\":{\"type\":\"integer\",\"x-mcp-header\":\"A\"}}}", "{\"a\":-1e3}",
     "Mcp-Param-A: -1000\r\n"},
    {"{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\"}}}", "{\"a\":null}", ""},
    {"{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\"}}}", "{}", ""},
    {"{\"properties\":{\"o\":{\"type\":\"object\",\"properties\":{\"p\":{\"type\":\"string\","
     "\"x-mcp-header\":\"P\"}}}}}",
     "{\"o\":{\"p\":\" \"}}", "Mcp-Param-P: =?base64?IA==?=\r\n"},
    {"{\"properties\":{\"o\":{\"properties\":{\"p\":{\"type\":\"string\",\"x-mcp-header\":\"P\"}}}}"
     "}",
     "{\"o\":5}", ""},
    /* Neither an argument of that name nor data are annotations. */
    {"{\"properties\":{\"x-mcp-header\":{\"type\":\"string\",\"enum\":[{\"x-mcp-header\":1}]}}}",
     "{\"x-mcp-header\":\"x\"}", ""},
    {"{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"Method\"}}}", "{\"a\":\"m\"}",
     "Mcp-Param-Method: m\r\n"},
};

START_TEST(annotated_arguments_become_headers)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;
    struct json schema, arguments;
    struct mirrors mirrors;
    const char *why = NULL;

    parse(&schema, calls[_i].schema);
    parse(&arguments, calls[_i].arguments);
    ck_assert_msg(mirror_read(&arena, &schema, schema.nodes, &mirrors, &why), "%s", why);
    mirror_put_headers(&out, &mirrors, &arguments, arguments.nodes);
    ck_assert_str_eq(strbuf_cstr(&out), calls[_i].headers);
}
END_TEST

static const char *const invalid[] = {
    "{\"x-mcp-header\":\"A\",\"type\":\"object\"}",
    "{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"\"}}}",
    "{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"a b\"}}}",
    "{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"a:b\"}}}",
    "{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":5}}}",
    "{\"properties\":{\"a\":{\"type\":\"number\",\"x-mcp-header\":\"A\"}}}",
    "{\"properties\":{\"a\":{\"x-mcp-header\":\"A\"}}}",
    "{\"properties\":{\"a\":{\"type\":[\"string\",\"null\"],\"x-mcp-header\":\"A\"}}}",
    ("{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\"},\"b\":{\"type\":"
     "\"string\",\"x-mcp-header\":\"a\"}}}"),
    ("{\"properties\":{\"a\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"x-mcp-header\":"
     "\"A\"}}}}"),
    "{\"$defs\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\"}}}",
    "{\"anyOf\":[{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\"}}}]}",
    "{\"additionalProperties\":{\"type\":\"string\",\"x-mcp-header\":\"A\"}}",
    "{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"\xc3\xa9\"}}}",
};

START_TEST(an_invalid_annotation_spoils_the_tool)
{
    struct json schema;
    struct mirrors mirrors;
    const char *why = NULL;

    parse(&schema, invalid[_i]);
    ck_assert_msg(!mirror_read(&arena, &schema, schema.nodes, &mirrors, &why), "accepted: %s",
                  invalid[_i]);
    ck_assert_ptr_nonnull(why);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mcp_mirror");
    TCase *tcase = tcase_create("mirror");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, values_take_their_header_form_and_come_back, 0,
                        (int)ARRAY_SIZE(values));
    tcase_add_loop_test(tcase, annotated_arguments_become_headers, 0, (int)ARRAY_SIZE(calls));
    tcase_add_loop_test(tcase, an_invalid_annotation_spoils_the_tool, 0, (int)ARRAY_SIZE(invalid));
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
