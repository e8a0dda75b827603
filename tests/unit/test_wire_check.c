/* SPDX-License-Identifier: Apache-2.0 */
/* What the rules refuse, and in which words; over JSON, parameters and the bus. */
#include "arena_fixture.h"
#include "suite.h"
#include "wire/codec.h"
#include "wire_test.h"

#include <check.h>
#include <pthread.h>

/* The violations as "field: message" lines. */
static const char *violations(void)
{
    const char *text = "";

    for (unsigned i = 0; i < err.n_fields; i++)
        text = arena_printf(&arena, "%s%s%s: %s", text, i ? "\n" : "", err.fields[i].field,
                            err.fields[i].message);
    return text;
}

static const char *refused(const struct message_rule *rule, const char *text)
{
    ProtobufCMessage *message = NULL;
    struct json json;

    ck_assert_int_eq(
        json_parse(&arena, text, strlen(text), &(struct json_limits){.loose = true}, &json, &err),
        ST_OK);
    if (wire_from_json(&arena, rule, &json, json.nodes, &message, &err) == ST_OK)
        return "accepted";
    ck_assert_int_eq(err.status, ST_INVALID_ARGUMENT);
    ck_assert_ptr_null(message);
    return violations();
}

/* A whole request with one more member. */
static const char *with(const char *more)
{
    return refused(
        EVERYTHING_RULE,
        arena_printf(&arena, "{\"id\":\"a\",\"name\":\"Name\",\"ids\":[\"a\",\"b\"],%s}", more));
}

static const struct {
    const char *member, *violation;
} rules[] = {
    /* Types are not coerced. */
    {"\"note\":5", "note: must be a string"},
    {"\"note\":[]", "note: must be a string"},
    {"\"limit\":\"5\"", "limit: must be an integer"},
    {"\"limit\":1.5", "limit: must be an integer"},
    {"\"limit\":true", "limit: must be an integer"},
    {"\"limit\":{}", "limit: must be an integer"},
    {"\"ratio\":\"0\"", "ratio: must be a number"},
    {"\"ratio\":1e999", "ratio: must be a number"},
    {"\"flag\":0", "flag: must be true or false"},
    {"\"flag\":\"true\"", "flag: must be true or false"},
    {"\"tags\":\"a,b\"", "tags: must be an array"},
    {"\"tags\":{}", "tags: must be an array"},
    {"\"tags\":[1]", "tags[0]: must be a string"},
    {"\"tags\":[null]", "tags[0]: must be a string"},
    {"\"main_part\":[]", "main_part: must be an object"},
    {"\"parts\":[1]", "parts[0]: must be an object"},
    {"\"parts\":[null]", "parts[0]: must be an object"},
    {"\"params\":[]", "params: must be an object"},
    {"\"params\":{\"a\":[]}", "params.a: must be a string, a number or a boolean"},
    {"\"params\":{\"a\":null}", "params.a: must be a string, a number or a boolean"},
    {"\"labels\":{\"a\":1}", "labels.a: must be a string"},
    {"\"numbers\":[1,\"2\"]", "numbers[1]: must be an integer"},
    /* Strings are text. */
    {"\"note\":\"a\\u0000b\"", "note: must not hold the character NUL or half a surrogate pair"},
    {"\"note\":\"\\ud83d\"", "note: must not hold the character NUL or half a surrogate pair"},
    {"\"tags\":[\"a\",\"\\u0000\"]",
     "tags[1]: must not hold the character NUL or half a surrogate pair"},
    {"\"params\":{\"a\":\"\\u0000\"}",
     "params.a: must not hold the character NUL or half a surrogate pair"},
    {"\"labels\":{\"a\\u0000\":\"c\"}", "labels: has a key with characters that are not allowed"},
    {"\"metadata\":{\"a\":[\"\\u0000\"]}",
     "metadata: must not hold the character NUL or half a surrogate pair"},
    {"\"metadata\":{\"\\u0000\":1}",
     "metadata: must not hold the character NUL or half a surrogate pair"},
    /* Limits. */
    {"\"limit\":0", "limit: must be between 1 and 100"},
    {"\"limit\":101", "limit: must be between 1 and 100"},
    {"\"limit\":99999999999", "limit: must be between 1 and 100"},
    {"\"limit\":1e30", "limit: must be between 1 and 100"},
    {"\"offset\":-1", "offset: must be at least 0"},
    {"\"offset\":2147483648", "offset: is out of range"},
    {"\"ratio\":1.01", "ratio: must be at most 1"},
    {"\"natural\":-1", "natural: is out of range"},
    {"\"numbers\":[6]", "numbers[0]: must be between -5 and 5"},
    {"\"points\":51", "points: must be between 0 and 50"},
    {"\"note\":\"12345678901\"", "note: must have at most 10 bytes"},
    {"\"note\":\"ääääää\"", "note: must have at most 10 bytes"},
    {"\"tags\":[\"\"]", "tags[0]: must not be empty"},
    {"\"tags\":[\"  \"]", "tags[0]: must not be empty"},
    {"\"tags\":[\"1234567\"]", "tags[0]: must have at most 6 characters"},
    {"\"tags\":[\"a\",\"b\",\"c\",\"d\",\"e\"]", "tags: must have at most 4 entries"},
    {"\"tags\":[\"a\\nb\"]", "tags[0]: must be a single line without control characters"},
    {"\"tags\":[\"a\\u0085b\"]", "tags[0]: must be a single line without control characters"},
    {"\"tags\":[\"a\\u2028b\"]", "tags[0]: must be a single line without control characters"},
    {"\"tags\":[\"a\\u007f\"]", "tags[0]: must be a single line without control characters"},
    {"\"params\":{\"a\":\"1234567\"}", "params.a: must have at most 6 characters"},
    {"\"params\":{\"a\":1,\"b\":1,\"c\":1,\"d\":1}", "params: must have at most 3 entries"},
    {"\"params\":{\"A1\":1}", "params: has the key 'A1'; keys must match ^[a-z]+$"},
    {"\"labels\":{\"a\":\" \"}", "labels.a: must not be empty"},
    {"\"labels\":{\"a\\nb\":\"c\"}", "labels: has a key with characters that are not allowed"},
    {"\"colours\":[\"red\",\"dark-blue\",\"red\"]",
     "colours[2]: must differ from the entries before it"},
    {"\"parts\":[{\"name\":\"a\"},{},{\"name\":\"B\"}]",
     "parts[1].name: is required\nparts[2].name: must match ^[a-z][a-z0-9_]{0,9}$"},
    {"\"main_part\":{\"name\":\"a\",\"weight\":3,\"words\":[\"x\",\"123456\"]}",
     "main_part.weight: must be between 0.5 and 2.5\n"
     "main_part.words[1]: must have at most 5 characters"},
    {"\"main_part\":{\"name\":null}", "main_part.name: is required"},
    {"\"main_part\":{\"name\":\"a\",\"nane\":1}",
     "main_part.nane: is not a field; did you mean name?"},
    /* Enums. */
    {"\"colour\":\"blue\"", "colour: must be one of red, dark-blue, light_green"},
    {"\"colour\":\"RED\"", "colour: must be one of red, dark-blue, light_green"},
    {"\"colour\":\"\"", "colour: must be one of red, dark-blue, light_green"},
    {"\"colour\":1", "colour: must be one of red, dark-blue, light_green"},
    {"\"colours\":[\"red\",\"x\"]", "colours[1]: must be one of red, dark-blue, light_green"},
    /* Patterns. */
    {"\"code\":\"A\"", "code: must match ^[A-Z]{2,3}$"},
    {"\"code\":\"ABCD\"", "code: must match ^[A-Z]{2,3}$"},
    {"\"code\":\"AB\\n\"", "code: must match ^[A-Z]{2,3}$"},
    {"\"code\":\"\"", "code: must match ^[A-Z]{2,3}$"},
    /* JSON inside. */
    {"\"metadata\":\"{}\"", "metadata: must be an object"},
    {"\"metadata\":[]", "metadata: must be an object"},
    {"\"metadata\":1", "metadata: must be an object"},
    {"\"blocks\":[{},1]", "blocks[1]: must be an object"},
    {"\"metadata\":{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}",
     "metadata: must not be nested deeper than 16 levels"},
    /* Keys. */
    {"\"nmae\":1", "nmae: is not a field; did you mean name?"},
    {"\"Limit\":1", "Limit: is not a field; did you mean limit?"},
    {"\"mainPart\":1", "mainPart: is not a field; did you mean main_part?"},
    {"\"text\":\"x\"", "text: is not a field"},
    {"\"xyzzy\":1", "xyzzy: is not a field"},
    {"\"a\\nb\\u007f\":1", "a?b?: is not a field"},
    {"\"\":1", ": is not a field"},
};

START_TEST(each_rule_is_said_in_its_words)
{
    ck_assert_str_eq(with(rules[_i].member), rules[_i].violation);
    ck_assert_str_eq(err.message, "Validation failed.");
}
END_TEST

static const char *const formats[][2] = {
    {"version", "1"},
    {"version", "1.2"},
    {"version", "1.2.3.4"},
    {"version", "v1.2.3"},
    {"version", "1.2.3-rc"},
    {"version", "1..3"},
    {"version", ""},
    {"day", "2023-02-29"},
    {"day", "2023-2-1"},
    {"day", "20230201"},
    {"at", "2026-03-02"},
    {"at", "2026-03-02 09:30:00Z"},
    {"at", "2026-03-02T09:30:00"},
    {"at", "2026-03-02T24:30:00Z"},
    {"url", "a.example"},
    {"url", "/x"},
    {"url", "HTTP://a.example"},
    {"url", "ftp://a.example"},
    {"url", "https://"},
    {"url", "https:///x"},
    {"url", "http://a b"},
    {"url", "http://a.example:99999/"},
    {"url", "http://a.example:x/"},
    {"url", "http://[::1"},
    {"url", "http://\\u00e4.example"},
    {"url", "javascript:alert(1)"},
    {"email", "a"},
    {"email", "@b"},
    {"email", "a@"},
    {"email", "a@b@c"},
    {"email", "a b@c"},
    {"email", "a@b..c"},
    {"email", "a@-b"},
    {"email", ".a@b"},
    {"item", "-A"},
    {"item", "A_1"},
    {"item", "A 1"},
    {"item", "0123456789012345678901234567890123456789012345678901234567890123x"},
    {"file", "/etc/passwd"},
    {"file", "a/../b"},
    {"file", "a b"},
    {"file", ".hidden"},
    {"file", ""},
};

START_TEST(values_of_the_wrong_format_are_refused)
{
    const char *got = with(arena_printf(&arena, "\"%s\":\"%s\"", formats[_i][0], formats[_i][1]));

    ck_assert_msg(strncmp(got, formats[_i][0], strlen(formats[_i][0])) == 0, "%s '%s': %s",
                  formats[_i][0], formats[_i][1], got);
    ck_assert_uint_eq(err.n_fields, 1);
}
END_TEST

static const char *const good_formats[][2] = {
    {"version", "0.10.999"},
    {"day", "2024-02-29"},
    {"at", "2026-03-02T09:30:00.120Z"},
    {"at", "2026-03-02T09:30:00+02:00"},
    {"url", "http://localhost"},
    {"url", "http://127.0.0.1:8420/mcp?a=b#c"},
    {"url", "https://[::1]:8080/"},
    {"url", "https://mcp.context7.com/mcp"},
    {"email", "ana@example.org"},
    {"email", "1+ana.b@users.noreply.example.org"},
    {"email", "root@localhost"},
    {"item", "MAL-7"},
    {"item", "7"},
    {"file", "skills/a-b/SKILL.md"},
    {"code", "AB"},
};

START_TEST(values_of_the_right_format_pass)
{
    ck_assert_str_eq(
        with(arena_printf(&arena, "\"%s\":\"%s\"", good_formats[_i][0], good_formats[_i][1])),
        "accepted");
}
END_TEST

START_TEST(slugs_are_words_joined_by_hyphens)
{
    static const char too_long[] =
        "0123456789abcdefghijklmnopqrstuvwxyz-0123456789abcdefghijklmnopq"
        "r";
    static const char *const bad[] = {"",     "A",   "a_b",     "-a",    "a-",
                                      "a--b", "a b", "\\u00e4", too_long};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        ck_assert_str_ne(refused(ALTER_RULE, arena_printf(&arena, "{\"id\":\"%s\"}", bad[i])),
                         "accepted");
    ck_assert_str_eq(refused(ALTER_RULE, "{\"id\":\"a-1-b\"}"), "accepted");
}
END_TEST

START_TEST(all_violations_are_reported_together)
{
    ck_assert_str_eq(
        refused(EVERYTHING_RULE, "{\"name\":\"x\",\"limit\":0,\"nope\":1,\"ids\":[\"a\"]}"),
        "name: must have at least 2 characters\n"
        "limit: must be between 1 and 100\n"
        "nope: is not a field; did you mean note?\n"
        "ids: must have at least 2 entries\n"
        "id: is required");
    ck_assert_str_eq(refused(EVERYTHING_RULE, "{\"name\":null}"),
                     "id: is required\nname: is required");
}
END_TEST

START_TEST(equal_entries_are_refused_in_short_and_long_lists)
{
    struct strbuf buf = STRBUF_INIT;

    ck_assert_str_eq(refused(EVERYTHING_RULE,
                             "{\"id\":\"a\",\"name\":\"nn\",\"ids\":[\"x\",\"y\",\"x\",\"x\"]}"),
                     "ids[2]: must differ from the entries before it\n"
                     "ids[3]: must differ from the entries before it");
    strbuf_str(&buf, "{\"id\":\"a\",\"name\":\"nn\",\"ids\":[\"7\"");
    for (int i = 0; i < 49; i++)
        strbuf_printf(&buf, ",\"%d\"", i);
    strbuf_str(&buf, "]}");
    ck_assert_str_eq(refused(EVERYTHING_RULE, buf.data),
                     "ids[8]: must differ from the entries before it");
    strbuf_done(&buf);
}
END_TEST

START_TEST(an_update_refuses_null_where_nothing_can_be_cleared)
{
    ck_assert_str_eq(refused(ALTER_RULE, "{\"id\":null,\"name\":null,\"goal\":null,\"tags\":null,"
                                         "\"params\":null,\"metadata\":null,\"part\":null}"),
                     "name: cannot be cleared with null; leave it out to keep it\n"
                     "tags: cannot be cleared with null; leave it out to keep it\n"
                     "params: cannot be cleared with null; leave it out to keep it\n"
                     "metadata: cannot be cleared with null; leave it out to keep it\n"
                     "part: cannot be cleared with null; leave it out to keep it\n"
                     "id: is required");
    ck_assert_str_eq(refused(ALTER_RULE, "{\"id\":\"a\",\"unset\":[\"goal\"]}"),
                     "unset: is not a field");
    ck_assert_str_eq(refused(ALTER_RULE, "{\"id\":\"a\",\"name\":\" \"}"),
                     "name: must not be empty");
}
END_TEST

START_TEST(what_is_no_object_is_refused)
{
    ProtobufCMessage *message;
    struct json json;

    ck_assert_str_eq(refused(ALTER_RULE, "[]"), "");
    ck_assert_str_eq(err.message, "The arguments must be an object.");
    ck_assert_int_eq(json_parse(&arena, "{}", 2, NULL, &json, &err), ST_OK);
    ck_assert_int_eq(wire_from_json(&arena, ALTER_RULE, &json, NULL, &message, &err),
                     ST_INVALID_ARGUMENT);
    ck_assert_str_eq(violations(), "id: is required");
}
END_TEST

START_TEST(json_fields_are_bounded_in_size)
{
    struct strbuf buf = STRBUF_INIT;

    strbuf_str(&buf, "\"metadata\":{\"a\":\"");
    for (int i = 0; i < 16 * 1024 - 8; i++)
        strbuf_char(&buf, 'x');
    strbuf_str(&buf, "\"   }");
    ck_assert_str_eq(with(buf.data), "accepted");
    buf.len -= 5;
    strbuf_str(&buf, "x\"}");
    ck_assert_str_eq(with(buf.data), "metadata: must have at most 16384 bytes");
    strbuf_done(&buf);
    ck_assert_str_eq(with(arena_printf(&arena, "\"anything\":\"%0101d\"", 0)),
                     "anything: must have at most 100 bytes");
}
END_TEST

START_TEST(many_violations_stay_bounded)
{
    struct strbuf buf = STRBUF_INIT;

    strbuf_str(&buf, "\"x\":1");
    for (int i = 0; i < 50000; i++)
        strbuf_printf(&buf, ",\"limi%d\":1", i);
    (void)with(buf.data);
    ck_assert_uint_eq(err.n_fields, ERROR_FIELDS_MAX);
    strbuf_clear(&buf);
    strbuf_str(&buf, "\"numbers\":[9");
    for (int i = 0; i < 50000; i++)
        strbuf_str(&buf, ",9");
    strbuf_str(&buf, "]");
    (void)with(buf.data);
    ck_assert_uint_eq(err.n_fields, ERROR_FIELDS_MAX);
    strbuf_done(&buf);
}
END_TEST

static const char *refused_params(const struct wire_param *params, size_t n)
{
    ProtobufCMessage *message = NULL;

    if (wire_from_params(&arena, EVERYTHING_RULE, params, n, &message, &err) == ST_OK)
        return "accepted";
    ck_assert_ptr_null(message);
    return violations();
}

static const struct {
    struct wire_param param;
    const char *violation;
} param_rules[] = {
    {{"limit", ""}, "limit: must be an integer"},
    {{"limit", " 5"}, "limit: must be an integer"},
    {{"limit", "+5"}, "limit: must be an integer"},
    {{"limit", "5x"}, "limit: must be an integer"},
    {{"limit", "99999999999999999999"}, "limit: must be an integer"},
    {{"limit", "101"}, "limit: must be between 1 and 100"},
    {{"flag", "1"}, "flag: must be true or false"},
    {{"ratio", "1,5"}, "ratio: must be a number"},
    {{"ratio", "nan"}, "ratio: must be a number"},
    {{"ratio", "0x1"}, "ratio: must be a number"},
    {{"colour", "x"}, "colour: must be one of red, dark-blue, light_green"},
    {{"metadata", "{"}, "metadata: must be JSON text"},
    {{"metadata", "[]"}, "metadata: must be an object"},
    {{"main_part", "{}"}, "main_part: cannot be given as a parameter"},
    {{"parts", "{}"}, "parts[0]: cannot be given as a parameter"},
    {{"params", "x"}, "params: is given as params.<name>=<value>"},
    {{"params.", "x"}, "params: has the key ''; keys must match ^[a-z]+$"},
    {{"params.A", "x"}, "params: has the key 'A'; keys must match ^[a-z]+$"},
    {{"params.a", "1234567"}, "params.a: must have at most 6 characters"},
    {{"note.a", "x"}, "note.a: is not a field; did you mean note?"},
    {{"note", "\xff"}, "note: must be valid UTF-8"},
    {{"labels.\xff", "x"}, "labels: has a key with characters that are not allowed"},
    {{"id", "b"}, "id: is given twice"},
    {{"ids", "y"}, "ids[2]: must differ from the entries before it"},
    {{"text", "y"}, "text: is not a field"},
};

START_TEST(parameters_follow_the_same_rules)
{
    struct wire_param params[] = {
        {"id", "a"}, {"name", "nn"}, {"ids", "x"}, {"ids", "y"}, param_rules[_i].param,
    };

    ck_assert_str_eq(refused_params(params, 5), param_rules[_i].violation);
}
END_TEST

START_TEST(doubled_map_parameters_are_refused)
{
    struct wire_param params[] = {{"id", "a"},      {"name", "nn"},    {"ids", "x"},
                                  {"ids", "y"},     {"params.a", "1"}, {"params.b", "1"},
                                  {"params.a", "2"}};

    ck_assert_str_eq(refused_params(params, 7), "params.a: is given twice");
    ck_assert_str_eq(refused_params(params, 6), "accepted");
    ck_assert_str_eq(refused_params(NULL, 0), "id: is required\nname: is required");
}
END_TEST

static Test__Everything *plain(void)
{
    static const char *ids[] = {"a", "b"};
    Test__Everything *m = arena_alloc(&arena, sizeof *m);

    test__everything__init(m);
    m->id = "a";
    m->name = "Name";
    m->n_ids = 2;
    m->ids = ids;
    return m;
}

static const char *checked(Test__Everything *m)
{
    return wire_check(&arena, EVERYTHING_RULE, &m->base, &err) == ST_OK ? "accepted" : violations();
}

START_TEST(the_service_checks_again_what_the_bus_brings)
{
    Test__Everything *m = plain();
    Test__Part part = TEST__PART__INIT, *parts[] = {&part, &part};
    Mal__Pair pair = MAL__PAIR__INIT, *pairs[] = {&pair, &pair};

    ck_assert_str_eq(checked(m), "accepted");
    ck_assert_int_eq(m->limit, 20);
    ck_assert_int_eq(m->colour, TEST__COLOUR__COLOUR_DARK_BLUE);
    ck_assert(m->deep && m->has_deep_case == TEST__EVERYTHING__HAS_DEEP_DEEP);

    m->id = "";
    m->name = " n \n";
    m->note = "\xc3";
    m->limit = 101;
    m->colour = (Test__Colour)2;
    m->metadata = "{";
    m->anything = "\"x\"";
    m->has_points_case = TEST__EVERYTHING__HAS_POINTS_POINTS;
    m->points = -1;
    m->main_part = &part;
    m->n_parts = 2;
    m->parts = parts;
    m->n_params = 2;
    m->params = pairs;
    pair.key = "k";
    part.weight = 9;
    ck_assert_str_eq(checked(m), "name: must have at least 2 characters\n"
                                 "note: must be valid UTF-8\n"
                                 "colour: must be one of red, dark-blue, light_green\n"
                                 "limit: must be between 1 and 100\n"
                                 "points: must be between 0 and 50\n"
                                 "parts[0].weight: must be between 0.5 and 2.5\n"
                                 "parts[0].name: is required\n"
                                 "parts[1].weight: must be between 0.5 and 2.5\n"
                                 "parts[1].name: is required\n"
                                 "main_part.weight: must be between 0.5 and 2.5\n"
                                 "main_part.name: is required\n"
                                 "params.k: is given twice\n"
                                 "metadata: must be JSON text\n"
                                 "id: is required");
}
END_TEST

START_TEST(a_false_that_was_meant_stays_false)
{
    Test__Everything *m = plain();

    m->has_deep_case = TEST__EVERYTHING__HAS_DEEP_DEEP;
    m->deep = false;
    ck_assert_str_eq(checked(m), "accepted");
    ck_assert(!m->deep);
}
END_TEST

START_TEST(the_unset_list_may_only_name_what_can_be_emptied)
{
    static const char *good[] = {"goal", "points", "tags", "params", "metadata"};
    static const char *bad[] = {"id", "name", "part", "unset", "nothing"};
    Test__Alter m = TEST__ALTER__INIT;

    m.id = "a";
    m.unset = good;
    m.n_unset = 5;
    ck_assert_int_eq(wire_check(&arena, ALTER_RULE, &m.base, &err), ST_OK);
    for (size_t i = 0; i < 5; i++) {
        m.unset = &bad[i];
        m.n_unset = 1;
        ck_assert_int_eq(wire_check(&arena, ALTER_RULE, &m.base, &err), ST_INVALID_ARGUMENT);
    }
}
END_TEST

static void *decode_on_a_small_stack(void *arg)
{
    struct strbuf *text = arg;
    struct arena own;
    struct error why = {0};
    struct json json;
    ProtobufCMessage *message;

    arena_init(&own);
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(json_parse(&own, text->data, text->len, NULL, &json, &why), ST_OK);
        ck_assert_int_eq(wire_from_json(&own, EVERYTHING_RULE, &json, json.nodes, &message, &why),
                         ST_INVALID_ARGUMENT);
        ck_assert_uint_eq(why.n_fields, 4);
        arena_reset(&own);
    }
    arena_done(&own);
    return NULL;
}

START_TEST(workers_with_small_stacks_validate_side_by_side)
{
    struct strbuf text = STRBUF_INIT;
    pthread_attr_t attr;
    pthread_t threads[4];

    strbuf_str(&text, "{\"id\":\"a\",\"ids\":[\"a\",\"b\"],\"code\":\"");
    for (int i = 0; i < 20000; i++)
        strbuf_char(&text, 'A');
    strbuf_str(&text, "\",\"nmae\":1,\"parts\":[{\"name\":\"A\"}]}");
    pthread_attr_init(&attr);
    ck_assert_int_eq(pthread_attr_setstacksize(&attr, (size_t)96 * 1024), 0);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], &attr, decode_on_a_small_stack, &text), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    pthread_attr_destroy(&attr);
    strbuf_done(&text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire_check");
    TCase *tcase = tcase_create("check");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, each_rule_is_said_in_its_words, 0, (int)ARRAY_SIZE(rules));
    tcase_add_loop_test(tcase, values_of_the_wrong_format_are_refused, 0, (int)ARRAY_SIZE(formats));
    tcase_add_loop_test(tcase, values_of_the_right_format_pass, 0, (int)ARRAY_SIZE(good_formats));
    tcase_add_test(tcase, slugs_are_words_joined_by_hyphens);
    tcase_add_test(tcase, all_violations_are_reported_together);
    tcase_add_test(tcase, equal_entries_are_refused_in_short_and_long_lists);
    tcase_add_test(tcase, an_update_refuses_null_where_nothing_can_be_cleared);
    tcase_add_test(tcase, what_is_no_object_is_refused);
    tcase_add_test(tcase, json_fields_are_bounded_in_size);
    tcase_add_test(tcase, many_violations_stay_bounded);
    tcase_add_loop_test(tcase, parameters_follow_the_same_rules, 0, (int)ARRAY_SIZE(param_rules));
    tcase_add_test(tcase, doubled_map_parameters_are_refused);
    tcase_add_test(tcase, the_service_checks_again_what_the_bus_brings);
    tcase_add_test(tcase, a_false_that_was_meant_stays_false);
    tcase_add_test(tcase, the_unset_list_may_only_name_what_can_be_emptied);
    tcase_add_test(tcase, workers_with_small_stacks_validate_side_by_side);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
