/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON scanner and writer. */
#include "arena_fixture.h"
#include "suite.h"
#include "wire/json.h"

#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

static enum status parse(const char *text, struct json *json)
{
    /* A copy of exactly that size, so that a sanitizer sees a byte too far. */
    size_t len = strlen(text);
    char *copy = malloc(len ? len : 1);
    enum status status;

    memcpy(copy, text, len); /* NOLINT(bugprone-not-null-terminated-result): on purpose */
    arena_defer(&arena, free, copy);
    err = (struct error){0};
    status = json_parse(&arena, copy, len, NULL, json, &err);
    return status;
}

START_TEST(every_kind_of_value_is_read)
{
    struct json json;
    int64_t i;
    double d;

    ck_assert_int_eq(
        parse(" {\"a\": [1, -2.5e3, \"x\", true, false, null, {}, []], \"b\": \"\"} ", &json),
        ST_OK);
    const struct json_node *a = json_get(&json, json.nodes, "a");
    ck_assert_int_eq(a->type, JSON_T_ARRAY);
    ck_assert_uint_eq(a->count, 8);
    const struct json_node *n = json_first(a);
    ck_assert(json_int(&json, n, &i) && i == 1);
    n = json_next(n);
    ck_assert(!json_int(&json, n, &i));
    ck_assert(json_double(&json, n, &d) && d == -2500);
    n = json_next(n);
    ck_assert(json_is(&json, n, "x") && !json_is(&json, n, "xy") && !json_is(&json, n, ""));
    n = json_next(n);
    ck_assert_int_eq(n->type, JSON_T_TRUE);
    n = json_next(n);
    ck_assert_int_eq(n->type, JSON_T_FALSE);
    n = json_next(n);
    ck_assert_int_eq(n->type, JSON_T_NULL);
    n = json_next(n);
    ck_assert_int_eq(n->type, JSON_T_OBJECT);
    n = json_next(n);
    ck_assert_int_eq(n->type, JSON_T_ARRAY);
    ck_assert_ptr_eq(json_next(n), json_next(a));
    ck_assert_str_eq(json_text(&arena, &json, json_get(&json, json.nodes, "b")), "");
    ck_assert_ptr_null(json_get(&json, json.nodes, "c"));
}
END_TEST

START_TEST(a_path_of_keys_leads_to_the_value)
{
    struct json json;

    ck_assert_int_eq(parse("{\"params\":{\"name\":\"x\",\"n\":1}}", &json), ST_OK);
    ck_assert(json_is(&json, json_path(&json, json.nodes, "params", "name", NULL), "x"));
    ck_assert_ptr_null(json_path(&json, json.nodes, "params", "none", "more", NULL));
    ck_assert_ptr_null(json_path(&json, json.nodes, "params", "n", "more", NULL));
    ck_assert_ptr_eq(json_path(&json, json.nodes, NULL), json.nodes);
}
END_TEST

START_TEST(escapes_are_resolved)
{
    struct json json;
    size_t len;

    ck_assert_int_eq(
        parse("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC\\ud83d\\ude00\\uDBFF\\uDFFF\"", &json),
        ST_OK);
    ck_assert_str_eq(json_text(&arena, &json, json.nodes),
                     "\"\\/\b\f\n\r\té€\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf");
    ck_assert(json_is(&json, json.nodes, "\"\\/\b\f\n\r\té€\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf"));
    ck_assert(!json_is(&json, json.nodes, "\"\\/\b\f\n\r\té€\xf0\x9f\x98\x80"));
    const char *raw = json_raw(&json, json.nodes, &len);
    ck_assert(raw[0] == '"' && raw[len - 1] == '"');
}
END_TEST

static const char *const refused[] = {
    "",
    " ",
    "{",
    "[",
    "[1,]",
    "[,1]",
    "[1 2]",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{a:1}",
    "{'a':1}",
    "{1:1}",
    "{\"a\" 1}",
    "[1}",
    "{\"a\":1]",
    "]",
    "}",
    ",",
    ":",
    "1 1",
    "{} x",
    "nul",
    "nulll",
    "True",
    "tru",
    "01",
    "-",
    "-01",
    "+1",
    ".5",
    "1.",
    "1.e1",
    "1e",
    "1e+",
    "0x1",
    "NaN",
    "Infinity",
    "-Infinity",
    "\"",
    "\"a",
    "\"\\\"",
    "\"\\",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\ud800x\"",
    "\"\\ud800\\n\"",
    "\"\\ud800\\ud800\"",
    "\"\\ud800\\u12\"",
    "\"\\udc00\"",
    "\"\\ude00\\ud83d\"",
    "\"a\nb\"",
    "\"a\tb\"",
    "\"\x01\"",
    "\"\x1f\"",
    "\"\xff\"",
    "\"\xc0\x80\"",
    "\"\xe0\x80\x80\"",
    "\"\xed\xa0\x80\"",
    "\"\xf5\x80\x80\x80\"",
    "\"\xe2\x82\"",
    "{\"\xff\":1}",
    "\xef\xbb\xbf{}",
    "{\"a\":1,\"a\":2}",
    "{\"a\":1,\"\\u0061\":2}",
    "[{\"x\":{\"k\":1,\"l\":2,\"k\":3}}]",
    "// c\n1",
    "[1/**/]",
    "\f1",
    "\v1",
    "\xc2\xa0 1",
};

START_TEST(what_is_no_strict_json_is_refused_with_its_place)
{
    struct json json;

    ck_assert_msg(parse(refused[_i], &json) == ST_INVALID_ARGUMENT, "accepted: %s", refused[_i]);
    ck_assert_ptr_nonnull(strstr(err.message, " at byte "));
}
END_TEST

START_TEST(a_nul_byte_is_no_white_space)
{
    struct json json;

    ck_assert_int_eq(json_parse(&arena, "1\0", 2, NULL, &json, &err), ST_INVALID_ARGUMENT);
    ck_assert_int_eq(json_parse(&arena, "\"a\0b\"", 5, NULL, &json, &err), ST_INVALID_ARGUMENT);
    ck_assert_str_eq(err.message, "Invalid JSON: control character in a string at byte 2");
}
END_TEST

START_TEST(strings_of_every_length_are_read_to_the_last_byte)
{
    char text[64];

    for (size_t len = 0; len < 40; len++) {
        struct json json;

        memset(text, 'x', sizeof text);
        text[0] = text[len + 1] = '"';
        text[len + 2] = '\0';
        ck_assert_int_eq(parse(text, &json), ST_OK);
        ck_assert_uint_eq(json.nodes[0].len, len);
        text[len + 1] = '\0';
        ck_assert_int_eq(parse(text, &json), ST_INVALID_ARGUMENT);
        if (len > 0) {
            text[len] = '\x05';
            text[len + 1] = '"';
            ck_assert_int_eq(parse(text, &json), ST_INVALID_ARGUMENT);
        }
    }
}
END_TEST

START_TEST(what_ends_a_run_is_found_at_every_place)
{
    for (size_t at = 0; at < 40; at++) {
        char text[96];
        struct json json;

        (void)snprintf(text, sizeof text, "[\"%060d\", \"zzzzzzzzzzzzzzzzzzzz\"]", 0);
        text[2 + at] = '"';
        ck_assert_int_eq(parse(text, &json), ST_INVALID_ARGUMENT);
        text[2 + at] = '\x1f';
        ck_assert_int_eq(parse(text, &json), ST_INVALID_ARGUMENT);
        text[2 + at] = '\x80';
        ck_assert_int_eq(parse(text, &json), ST_INVALID_ARGUMENT);
        text[2 + at] = '\x7f';
        ck_assert_int_eq(parse(text, &json), ST_OK);
        text[2 + at] = '\\';
        text[3 + at] = 'n';
        ck_assert_int_eq(parse(text, &json), ST_OK);
        ck_assert(json.nodes[1].escaped && json.nodes[1].len == 60);
        text[2 + at] = '\xc3';
        text[3 + at] = '\xa4';
        ck_assert_int_eq(parse(text, &json), ST_OK);
        ck_assert(!json.nodes[1].escaped && json.nodes[1].len == 60);
    }
}
END_TEST

static void *parse_deep(void *arg)
{
    struct strbuf *text = arg;
    struct json json;

    for (int kind = 0; kind < 2; kind++) {
        strbuf_clear(text);
        for (int i = 0; i < 20000; i++)
            strbuf_str(text, kind ? "[" : "{\"a\":");
        ck_assert_int_eq(json_parse(&arena, text->data, text->len, NULL, &json, &err),
                         ST_INVALID_ARGUMENT);
        ck_assert_ptr_nonnull(strstr(err.message, "nested too deeply"));
    }
    /* Where depth is allowed it still takes no stack. */
    for (int i = 0; i < 20000; i++)
        strbuf_str(text, "]");
    ck_assert_int_eq(json_parse(&arena, text->data, text->len,
                                &(struct json_limits){.depth = 20000}, &json, &err),
                     ST_OK);
    ck_assert_uint_eq(json.n_nodes, 20000);
    return NULL;
}

START_TEST(depth_is_bounded_and_takes_no_stack)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
    pthread_attr_t attr;
    pthread_t thread;

    pthread_attr_init(&attr);
    ck_assert_int_eq(pthread_attr_setstacksize(&attr, (size_t)96 * 1024), 0);
    ck_assert_int_eq(pthread_create(&thread, &attr, parse_deep, &text), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attr);
}
END_TEST

START_TEST(sixty_four_levels_pass_and_sixty_five_do_not)
{
    char text[131] = "";
    struct json json;

    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    ck_assert_int_eq(parse(text, &json), ST_OK);
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    ck_assert_int_eq(parse(text, &json), ST_INVALID_ARGUMENT);
}
END_TEST

START_TEST(the_number_of_values_is_bounded)
{
    struct json_limits limits = {.nodes = 4};
    struct json json;

    ck_assert_int_eq(json_parse(&arena, "[1,2,3]", 7, &limits, &json, &err), ST_OK);
    ck_assert_int_eq(json_parse(&arena, "[1,2,3,4]", 9, &limits, &json, &err), ST_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "too many values"));
}
END_TEST

START_TEST(big_objects_are_checked_for_doubled_keys_in_time)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
    struct json json;

    strbuf_char(&text, '{');
    for (int i = 0; i < 90000; i++)
        strbuf_printf(&text, "%s\"%d\":0", i ? "," : "", i);
    strbuf_str(&text, "}");
    ck_assert_int_eq(json_parse(&arena, text.data, text.len, NULL, &json, &err), ST_OK);
    ck_assert_uint_eq(json.nodes[0].count, 90000);
    text.data[text.len - 1] = ',';
    strbuf_str(&text, "\"4711\":1}");
    ck_assert_int_eq(json_parse(&arena, text.data, text.len, NULL, &json, &err),
                     ST_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "given twice"));
    text.data[text.len - 8] = 'x';
    ck_assert_int_eq(json_parse(&arena, text.data, text.len, NULL, &json, &err), ST_OK);
    /* The same with an escape: \u0034711 is 4711. */
    text.len -= strlen("\"x711\":1}");
    strbuf_str(&text, "\"\\u0034711\":1}");
    ck_assert_int_eq(json_parse(&arena, text.data, text.len, NULL, &json, &err),
                     ST_INVALID_ARGUMENT);
}
END_TEST

START_TEST(integers_keep_their_whole_range)
{
    struct json json;
    int64_t i;
    double d;

    ck_assert_int_eq(parse("-9223372036854775808", &json), ST_OK);
    ck_assert(json_int(&json, json.nodes, &i) && i == INT64_MIN);
    ck_assert_int_eq(parse("9223372036854775807", &json), ST_OK);
    ck_assert(json_int(&json, json.nodes, &i) && i == INT64_MAX);
    ck_assert_int_eq(parse("9223372036854775808", &json), ST_OK);
    ck_assert(!json_int(&json, json.nodes, &i));
    ck_assert_int_eq(parse("-9223372036854775809", &json), ST_OK);
    ck_assert(!json_int(&json, json.nodes, &i));
    ck_assert_int_eq(parse("-0", &json), ST_OK);
    ck_assert(json_int(&json, json.nodes, &i) && i == 0);
    ck_assert_int_eq(parse("1e999", &json), ST_OK);
    ck_assert(!json_double(&json, json.nodes, &d));
    ck_assert_int_eq(parse("\"1\"", &json), ST_OK);
    ck_assert(!json_double(&json, json.nodes, &d) && !json_int(&json, json.nodes, &i));
}
END_TEST

static const char *written_double(struct strbuf *buf, double value)
{
    strbuf_clear(buf);
    json_put_double(buf, value);
    return strbuf_cstr(buf);
}

START_TEST(doubles_are_written_short_and_read_back)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;
    unsigned long long state = 88172645463325252u;

    ck_assert_str_eq(written_double(&buf, 0.1), "0.1");
    ck_assert_str_eq(written_double(&buf, 42), "42");
    ck_assert_str_eq(written_double(&buf, -0.0), "0");
    ck_assert_str_eq(written_double(&buf, 1e300), "1e+300");
    ck_assert_str_eq(written_double(&buf, 5e-324), "5e-324");
    ck_assert_str_eq(written_double(&buf, 1.0 / 3), "0.3333333333333333");
    ck_assert_str_eq(written_double(&buf, NAN), "0");
    ck_assert_str_eq(written_double(&buf, -INFINITY), "0");
    for (int i = 0; i < 20000; i++) {
        struct json json;
        double value, back;

        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        memcpy(&value, &state, sizeof value);
        if (!isfinite(value))
            continue;
        (void)written_double(&buf, value);
        ck_assert_int_eq(json_parse(&arena, buf.data, buf.len, NULL, &json, &err), ST_OK);
        ck_assert(json_double(&json, json.nodes, &back) && back == value);
        arena_reset(&arena);
    }
}
END_TEST

START_TEST(strings_of_any_bytes_are_written_as_json_that_reads_back)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;
    struct json json;

    json_put_string(&buf, "a\"b\\c\n\x01é\x7f");
    ck_assert_str_eq(buf.data, "\"a\\\"b\\\\c\\n\\u0001é\x7f\"");
    ck_assert_int_eq(parse(buf.data, &json), ST_OK);
    ck_assert_str_eq(json_text(&arena, &json, json.nodes), "a\"b\\c\n\x01é\x7f");

    strbuf_clear(&buf);
    json_put_string(&buf, "x\xff\"y");
    ck_assert_str_eq(buf.data, "\"x\xef\xbf\xbd\\\"y\"");
    strbuf_clear(&buf);
    json_put_string_n(&buf, "a\0b", 3);
    ck_assert_str_eq(buf.data, "\"a\xef\xbf\xbd\x62\"");
    for (int c = 1; c < 256; c++) {
        for (size_t at = 0; at < 9; at++) {
            char text[] = "aaaaaaaaa";

            text[at] = (char)c;
            strbuf_clear(&buf);
            json_put_string(&buf, text);
            ck_assert_int_eq(parse(buf.data, &json), ST_OK);
            if (c < 0x80)
                ck_assert_str_eq(json_text(&arena, &json, json.nodes), text);
        }
    }
}
END_TEST

START_TEST(compacting_keeps_strings)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;
    const char *text = " { \"a b\" : [ 1 ,\t\"\\\" x\" ] ,\r\n\"c\":{ } } ";

    json_put_compact(&buf, text, strlen(text));
    ck_assert_str_eq(buf.data, "{\"a b\":[1,\"\\\" x\"],\"c\":{}}");
}
END_TEST

static const struct {
    const char *text, *seen;
} loose[] = {
    {"\"a\\u0000b\"", "a\xef\xbf\xbd"
                      "b"},
    {"\"\\ud83d\"", "\xef\xbf\xbd"},
    {"\"\\ud83dx\"", "\xef\xbf\xbdx"},
    {"\"\\udc00\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
    {"\"\\ud83d\\ud83d\\n\"", "\xef\xbf\xbd\xef\xbf\xbd\n"},
};

START_TEST(members_are_copied_as_written_but_on_one_line)
{
    static const char text[] = "{\"a\" : \"x\\\\ y\" ,\"b\"\n:[1,\n 2],\"c\":{} }";
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;
    struct json json;
    const struct json_node *key;

    ck_assert_int_eq(parse(text, &json), ST_OK);
    key = json_first(json.nodes);
    for (uint32_t i = 0; i < json.nodes->count; i++, key = json_next(json_next(key))) {
        json_put_member(&buf, &json, key);
        strbuf_char(&buf, ';');
    }
    ck_assert_str_eq(buf.data, "\"a\" : \"x\\\\ y\";\"b\":[1,2];\"c\":{};");
}
END_TEST

START_TEST(loose_reading_takes_characters_that_are_none)
{
    const struct json_limits limits = {.loose = true};
    size_t len = strlen(loose[_i].text), raw_len;
    struct json json;
    const char *raw;

    ck_assert_int_eq(json_parse(&arena, loose[_i].text, len, NULL, &json, NULL),
                     ST_INVALID_ARGUMENT);
    ck_assert_int_eq(json_parse(&arena, loose[_i].text, len, &limits, &json, NULL), ST_OK);
    ck_assert_str_eq(json_text(&arena, &json, json.nodes), loose[_i].seen);
    ck_assert(json_is(&json, json.nodes, loose[_i].seen));
    raw = json_raw(&json, json.nodes, &raw_len);
    ck_assert_uint_eq(raw_len, len);
    ck_assert_mem_eq(raw, loose[_i].text, len);
    ck_assert(json.nodes->broken);
    ck_assert_int_eq(json_parse(&arena, "\"\\ud83d\\ude00\\n\"", 16, &limits, &json, NULL), ST_OK);
    ck_assert(!json.nodes->broken);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire_json");
    TCase *tcase = tcase_create("json");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, every_kind_of_value_is_read);
    tcase_add_test(tcase, a_path_of_keys_leads_to_the_value);
    tcase_add_test(tcase, escapes_are_resolved);
    tcase_add_loop_test(tcase, what_is_no_strict_json_is_refused_with_its_place, 0,
                        (int)ARRAY_SIZE(refused));
    tcase_add_test(tcase, a_nul_byte_is_no_white_space);
    tcase_add_test(tcase, strings_of_every_length_are_read_to_the_last_byte);
    tcase_add_test(tcase, what_ends_a_run_is_found_at_every_place);
    tcase_add_test(tcase, depth_is_bounded_and_takes_no_stack);
    tcase_add_test(tcase, sixty_four_levels_pass_and_sixty_five_do_not);
    tcase_add_test(tcase, the_number_of_values_is_bounded);
    tcase_add_test(tcase, big_objects_are_checked_for_doubled_keys_in_time);
    tcase_add_test(tcase, integers_keep_their_whole_range);
    tcase_add_test(tcase, doubles_are_written_short_and_read_back);
    tcase_add_test(tcase, strings_of_any_bytes_are_written_as_json_that_reads_back);
    tcase_add_test(tcase, compacting_keeps_strings);
    tcase_add_test(tcase, members_are_copied_as_written_but_on_one_line);
    tcase_add_loop_test(tcase, loose_reading_takes_characters_that_are_none, 0,
                        (int)ARRAY_SIZE(loose));
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
