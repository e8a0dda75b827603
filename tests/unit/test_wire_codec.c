/* SPDX-License-Identifier: Apache-2.0 */
/* JSON and parameters to messages and back: what fits, and how it is stored. */
#include "arena_fixture.h"
#include "suite.h"
#include "wire/codec.h"
#include "wire_test.h"

#include <check.h>

static ProtobufCMessage *decode(const struct message_rule *rule, const char *text)
{
    ProtobufCMessage *message = NULL;
    struct json json;
    enum status status;

    ck_assert_int_eq(json_parse(&arena, text, strlen(text), NULL, &json, &err), ST_OK);
    status = wire_from_json(&arena, rule, &json, json.nodes, &message, &err);
    for (unsigned i = 0; i < err.n_fields; i++)
        (void)fprintf(stderr, "%s: %s\n", err.fields[i].field, err.fields[i].message);
    ck_assert_int_eq(status, ST_OK);
    return message;
}

static const char *encode(const struct message_rule *rule, const ProtobufCMessage *message)
{
    struct strbuf buf = STRBUF_INIT;
    char *text;

    wire_to_json(&buf, rule, message);
    text = strbuf_take(&buf);
    arena_defer(&arena, free, text);
    return text;
}

static Test__Everything *everything(const char *more)
{
    return (Test__Everything *)decode(
        EVERYTHING_RULE,
        arena_printf(&arena, "{\"id\":\"a\",\"name\":\"Name\",\"ids\":[\"a\",\"b\"]%s}", more));
}

START_TEST(every_type_arrives_in_its_field)
{
    Test__Everything *m = everything(
        ",\"note\":\"n\\u00e9\",\"version\":\"1.2.3\",\"day\":\"2024-02-29\","
        "\"at\":\"2026-03-02T09:30:00Z\",\"url\":\"https://a.example/x?y#z\","
        "\"email\":\"a@b.example\",\"item\":\"MAL-1\",\"file\":\"a/b.md\",\"code\":\"ABC\","
        "\"colour\":\"light_green\",\"limit\":5,\"offset\":7,\"points\":0,\"ratio\":0.25,"
        "\"flag\":true,\"deep\":false,\"content\":\"\",\"numbers\":[1,-5],\"colours\":[\"red\"],"
        "\"parts\":[{\"name\":\"p\",\"words\":[\"w\"]},{\"name\":\"q\",\"weight\":2,\"size\":3}],"
        "\"main_part\":{\"name\":\"m\"},\"metadata\":{ \"k\" : [1, 2] },\"anything\": [ 1 ],"
        "\"blocks\":[{\"type\":\"text\"},{}],\"natural\":4294967295");

    ck_assert_str_eq(m->note, "né");
    ck_assert_int_eq(m->colour, TEST__COLOUR__COLOUR_LIGHT_GREEN);
    ck_assert_int_eq(m->limit, 5);
    ck_assert_int_eq(m->offset, 7);
    ck_assert_int_eq(m->has_points_case, TEST__EVERYTHING__HAS_POINTS_POINTS);
    ck_assert_int_eq(m->points, 0);
    ck_assert(m->ratio == 0.25 && m->flag);
    ck_assert_int_eq(m->has_deep_case, TEST__EVERYTHING__HAS_DEEP_DEEP);
    ck_assert(!m->deep);
    ck_assert_int_eq(m->has_content_case, TEST__EVERYTHING__HAS_CONTENT_CONTENT);
    ck_assert_str_eq(m->content, "");
    ck_assert_uint_eq(m->n_numbers, 2);
    ck_assert_int_eq(m->numbers[1], -5);
    ck_assert_int_eq(m->colours[0], TEST__COLOUR__COLOUR_RED);
    ck_assert_uint_eq(m->n_parts, 2);
    ck_assert_str_eq(m->parts[0]->words[0], "w");
    ck_assert(m->parts[0]->weight == 1.5 && m->parts[1]->weight == 2);
    ck_assert_int_eq(m->parts[1]->size, 3);
    ck_assert_str_eq(m->main_part->name, "m");
    ck_assert_str_eq(m->metadata, "{\"k\":[1,2]}");
    ck_assert_str_eq(m->anything, "[1]");
    ck_assert_str_eq(m->blocks[0], "{\"type\":\"text\"}");
    ck_assert_uint_eq(m->natural, 4294967295u);
}
END_TEST

START_TEST(defaults_stand_where_nothing_was_given)
{
    Test__Everything *m = everything("");

    ck_assert_int_eq(m->colour, TEST__COLOUR__COLOUR_DARK_BLUE);
    ck_assert_int_eq(m->limit, 20);
    ck_assert(!m->flag);
    ck_assert_int_eq(m->has_deep_case, TEST__EVERYTHING__HAS_DEEP_DEEP);
    ck_assert(m->deep);
    ck_assert_int_eq(m->has_points_case, 0);
}
END_TEST

START_TEST(null_is_absent_in_a_message_that_is_no_update)
{
    Test__Everything *m = everything(",\"limit\":null,\"points\":null,\"tags\":null,"
                                     "\"main_part\":null,\"metadata\":null,\"params\":null");

    ck_assert_int_eq(m->limit, 20);
    ck_assert_int_eq(m->has_points_case, 0);
    ck_assert_str_eq(m->metadata, "");
    ck_assert_ptr_null(m->main_part);
}
END_TEST

START_TEST(lines_are_trimmed_before_they_are_measured)
{
    Test__Everything *m = (Test__Everything *)decode(
        EVERYTHING_RULE, "{\"id\":\"a\",\"name\":\" \\t  12345678 \\n\",\"ids\":[\"a\",\"b\"]}");

    ck_assert_str_eq(m->name, "12345678");
}
END_TEST

START_TEST(lengths_are_counted_in_code_points)
{
    Test__Everything *m =
        (Test__Everything *)decode(EVERYTHING_RULE, "{\"id\":\"a\",\"name\":\"äöüäöü😀😀\","
                                                    "\"ids\":[\"a\",\"b\"]}");

    ck_assert_str_eq(m->name, "äöüäöü😀😀");
}
END_TEST

START_TEST(tags_are_trimmed_lowered_and_kept_once_in_order)
{
    Test__Everything *m = everything(",\"tags\":[\" B \",\"a\",\"ÄÖ\",\"b\"]");

    ck_assert_uint_eq(m->n_tags, 3);
    ck_assert_str_eq(m->tags[0], "b");
    ck_assert_str_eq(m->tags[1], "a");
    ck_assert_str_eq(m->tags[2], "äö");
    m = everything(",\"tags\":[\"ŠŽŸ\",\"ΑΩ\",\"ЖЁ\",\"ĀĶŊ\"]");
    ck_assert_str_eq(m->tags[0], "šžÿ");
    ck_assert_str_eq(m->tags[1], "αω");
    ck_assert_str_eq(m->tags[2], "жё");
    ck_assert_str_eq(m->tags[3], "āķŋ");
}
END_TEST

START_TEST(scalars_of_a_map_become_text)
{
    Test__Everything *m = everything(",\"params\":{\"a\":\"x\",\"b\":1.50,\"c\":true}");

    ck_assert_uint_eq(m->n_params, 3);
    ck_assert_str_eq(m->params[0]->key, "a");
    ck_assert_str_eq(m->params[0]->value, "x");
    ck_assert_str_eq(m->params[1]->value, "1.50");
    ck_assert_str_eq(m->params[2]->value, "true");
}
END_TEST

START_TEST(integral_numbers_are_integers_however_they_are_written)
{
    Test__Everything *m = everything(",\"limit\":5.0,\"offset\":1e2");

    ck_assert_int_eq(m->limit, 5);
    ck_assert_int_eq(m->offset, 100);
}
END_TEST

START_TEST(an_update_learns_what_was_emptied)
{
    Test__Alter *m =
        (Test__Alter *)decode(ALTER_RULE, "{\"id\":\"a\",\"goal\":null,\"points\":null,\"tags\":[],"
                                          "\"params\":{},\"metadata\":{}}");

    ck_assert_uint_eq(m->n_unset, 5);
    ck_assert(wire_is_unset(&m->base, "goal"));
    ck_assert(wire_is_unset(&m->base, "points"));
    ck_assert(wire_is_unset(&m->base, "tags"));
    ck_assert(wire_is_unset(&m->base, "params"));
    ck_assert(wire_is_unset(&m->base, "metadata"));
    ck_assert(!wire_is_unset(&m->base, "name"));
    ck_assert_str_eq(m->metadata, "{}");
    ck_assert_int_eq(m->has_points_case, 0);
    m = (Test__Alter *)decode(ALTER_RULE, "{\"id\":\"a\",\"tags\":[\"x\"],\"goal\":\"g\"}");
    ck_assert_uint_eq(m->n_unset, 0);
}
END_TEST

START_TEST(replies_leave_out_what_has_no_value)
{
    Test__Everything m = TEST__EVERYTHING__INIT;

    m.text = "never seen";
    m.params = NULL;
    ck_assert_str_eq(encode(EVERYTHING_RULE, &m.base),
                     "{\"id\":\"\",\"name\":\"\",\"limit\":0,\"offset\":0,\"ratio\":0,"
                     "\"flag\":false,\"tags\":[],\"ids\":[],\"numbers\":[],\"colours\":[],"
                     "\"parts\":[],\"params\":{},\"blocks\":[],\"natural\":0,"
                     "\"labels\":{}}");
}
END_TEST

START_TEST(broken_stored_json_does_not_break_the_reply)
{
    Test__Everything m = TEST__EVERYTHING__INIT;
    struct json json;

    m.metadata = "{\"a\":";
    m.anything = " [1, 2] ";
    m.note = "\xff";
    const char *text = encode(EVERYTHING_RULE, &m.base);
    ck_assert_int_eq(json_parse(&arena, text, strlen(text), NULL, &json, &err), ST_OK);
    ck_assert_ptr_nonnull(strstr(text, "\"metadata\":{},\"anything\":[1,2]"));
}
END_TEST

START_TEST(parameters_make_the_same_message)
{
    const struct wire_param params[] = {
        {"id", "a"},         {"name", " Nå "},         {"ids", "x"},      {"limit", "7"},
        {"ids", "y"},        {"params.a", "1"},        {"ratio", "-2e1"}, {"flag", "true"},
        {"params[b]", "?"},  {"colour", "red"},        {"numbers", "-3"}, {"deep", "false"},
        {"metadata", "{ }"}, {"colours", "dark-blue"},
    };
    ProtobufCMessage *message;
    Test__Everything *m;

    ck_assert_int_eq(
        wire_from_params(&arena, EVERYTHING_RULE, params, ARRAY_SIZE(params), &message, &err),
        ST_OK);
    m = (Test__Everything *)message;
    ck_assert_str_eq(m->name, "Nå");
    ck_assert_uint_eq(m->n_ids, 2);
    ck_assert_str_eq(m->ids[1], "y");
    ck_assert_int_eq(m->limit, 7);
    ck_assert_uint_eq(m->n_params, 2);
    ck_assert_str_eq(m->params[1]->key, "b");
    ck_assert_str_eq(m->params[1]->value, "?");
    ck_assert(m->ratio == -20 && m->flag && !m->deep);
    ck_assert_int_eq(m->colour, TEST__COLOUR__COLOUR_RED);
    ck_assert_int_eq(m->numbers[0], -3);
    ck_assert_str_eq(m->metadata, "{}");
    ck_assert_int_eq(m->colours[0], TEST__COLOUR__COLOUR_DARK_BLUE);
}
END_TEST

/* A small generator of pseudo-random numbers; the seed is in the failure. */
static unsigned long long state;

static unsigned next(unsigned below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 33) % below;
}

static const char *word(void)
{
    static const char *const words[] = {"a",    "B c",      "\"q\"\\",   "é€😀",
                                        "\n\t", "\x01\x1f", "</script>", "zz"};

    return words[next(ARRAY_SIZE(words))];
}

static Test__Part *random_part(int number)
{
    Test__Part *part = arena_alloc(&arena, sizeof *part);

    test__part__init(part);
    part->name = arena_printf(&arena, "p%d", number);
    part->weight = 0.5 + next(2000) / 1000.0;
    if (next(2)) {
        part->has_size_case = TEST__PART__HAS_SIZE_SIZE;
        part->size = (int)next(1000) - 500;
    }
    return part;
}

static void random_lists(Test__Everything *m)
{
    m->n_ids = 2 + next(4);
    m->ids = arena_alloc(&arena, m->n_ids * sizeof *m->ids);
    for (size_t i = 0; i < m->n_ids; i++)
        m->ids[i] = arena_printf(&arena, "%s%zu", word(), i);
    m->n_numbers = next(4);
    m->numbers = arena_alloc(&arena, sizeof *m->numbers * 4);
    for (size_t i = 0; i < m->n_numbers; i++)
        m->numbers[i] = (int)next(11) - 5;
    m->n_parts = next(4);
    m->parts = arena_alloc(&arena, 4 * sizeof(Test__Part *));
    for (size_t i = 0; i < m->n_parts; i++)
        m->parts[i] = random_part((int)i);
    m->n_params = next(4);
    m->params = arena_alloc(&arena, 4 * sizeof(Mal__Pair *));
    for (size_t i = 0; i < m->n_params; i++) {
        m->params[i] = arena_alloc(&arena, sizeof **m->params);
        mal__pair__init(m->params[i]);
        m->params[i]->key = arena_printf(&arena, "k%c", (char)('a' + i));
        m->params[i]->value = word();
        if (strlen(m->params[i]->value) > 6)
            m->params[i]->value = "v";
    }
    m->n_blocks = next(3);
    m->blocks = arena_alloc(&arena, sizeof *m->blocks * 3);
    for (size_t i = 0; i < m->n_blocks; i++)
        m->blocks[i] = next(2) ? "{\"a\":[{\"b\":null}]}" : "{}";
}

static Test__Everything *random_message(void)
{
    static const int colours[] = {1, 3, 7};
    Test__Everything *m = arena_alloc(&arena, sizeof *m);

    test__everything__init(m);
    m->id = next(2) ? "a-b" : "0";
    m->name = next(2) ? "na me" : "éé";
    m->note = word();
    m->colour = (Test__Colour)colours[next(3)];
    m->limit = 1 + (int)next(100);
    m->offset = (int)next(1000000);
    m->ratio = next(1000) / 999.0;
    m->flag = (int)next(2);
    m->has_deep_case = TEST__EVERYTHING__HAS_DEEP_DEEP;
    m->deep = (int)next(2);
    if (next(2)) {
        m->has_points_case = TEST__EVERYTHING__HAS_POINTS_POINTS;
        m->points = (int)next(51);
    }
    if (next(2)) {
        m->has_content_case = TEST__EVERYTHING__HAS_CONTENT_CONTENT;
        m->content = next(3) ? word() : "";
    }
    m->main_part = next(2) ? random_part(9) : NULL;
    m->metadata = next(2) ? "{\"k\":\"\\u00e9\"}" : "";
    m->natural = (uint32_t)next(1u << 30) << 2;
    random_lists(m);
    return m;
}

START_TEST(what_is_written_reads_back_as_the_same_message)
{
    for (int i = 0; i < 400; i++) {
        size_t len, len2;
        ProtobufCMessage *back;

        state = 88172645463325252u + (unsigned long long)i * 7919u;
        Test__Everything *m = random_message();
        const char *text = encode(EVERYTHING_RULE, &m->base);
        const char *packed = wire_pack(&arena, &m->base, &len);

        back = decode(EVERYTHING_RULE, text);
        const char *again = wire_pack(&arena, back, &len2);
        ck_assert_msg(len == len2 && memcmp(packed, again, len) == 0, "round %d: %s", i, text);
        ck_assert_int_eq(
            wire_unpack(&arena, &test__everything__descriptor, packed, len, &back, &err), ST_OK);
        ck_assert_int_eq(wire_check(&arena, EVERYTHING_RULE, back, &err), ST_OK);
        ck_assert_str_eq(encode(EVERYTHING_RULE, back), text);
        arena_reset(&arena);
    }
}
END_TEST

START_TEST(fields_are_read_by_name)
{
    Test__Alter *m =
        (Test__Alter *)decode(ALTER_RULE, "{\"id\":\"a\",\"points\":5,\"part\":{\"name\":\"n\"}}");
    Test__Everything *e = everything(",\"deep\":false,\"flag\":true");

    ck_assert_str_eq(wire_get_string(&m->base, "id"), "a");
    ck_assert_str_eq(wire_get_string(&m->base, "points"), "");
    ck_assert_str_eq(wire_get_string(&m->base, "none"), "");
    ck_assert_str_eq(wire_get_string(NULL, "id"), "");
    ck_assert_int_eq(wire_get_int(&m->base, "points"), 5);
    ck_assert_int_eq(wire_get_int(&m->base, "tags"), 0);
    ck_assert_str_eq(wire_get_string(wire_get_message(&m->base, "part"), "name"), "n");
    ck_assert_ptr_null(wire_get_message(&m->base, "id"));
    ck_assert(wire_get_bool(&e->base, "flag") && !wire_get_bool(&e->base, "deep"));
    ck_assert(wire_set_bool(&e->base, "deep", true) && wire_get_bool(&e->base, "deep"));
    ck_assert(!wire_set_bool(&e->base, "id", true) && !wire_set_bool(&e->base, "none", true));
    ck_assert(!wire_is_unset(&e->base, "flag"));
    ck_assert_ptr_eq(ALTER_RULE->descriptor, &test__alter__descriptor);
    ck_assert_ptr_null(wire_rule(&mal__pair__descriptor));
}
END_TEST

START_TEST(bytes_that_are_no_message_are_refused)
{
    static const char *const refused[] = {
        "\xff",                     /* unfinished key */
        "\x0a\x05\x61",             /* shorter than it says */
        "\x0a\x01\xff",             /* id is no UTF-8 */
        "\x0b",                     /* group */
        "\xc2\x01\x03\x0a\x01\xff", /* parts[0].name is no UTF-8 */
        "\x01",                     /* unfinished fixed64 */
    };
    ProtobufCMessage *message;

    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        ck_assert_int_eq(wire_unpack(&arena, &test__everything__descriptor, refused[i],
                                     strlen(refused[i]), &message, &err),
                         ST_INVALID_ARGUMENT);
    ck_assert_str_eq(err.message, "The message is no valid Everything.");
    ck_assert_int_eq(wire_unpack(&arena, &test__everything__descriptor, "\x0a\x03\x61\x00\x62", 5,
                                 &message, &err),
                     ST_INVALID_ARGUMENT);
    ck_assert_int_eq(wire_unpack(&arena, &test__everything__descriptor, "", 0, &message, &err),
                     ST_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire_codec");
    TCase *tcase = tcase_create("codec");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, every_type_arrives_in_its_field);
    tcase_add_test(tcase, defaults_stand_where_nothing_was_given);
    tcase_add_test(tcase, null_is_absent_in_a_message_that_is_no_update);
    tcase_add_test(tcase, lines_are_trimmed_before_they_are_measured);
    tcase_add_test(tcase, lengths_are_counted_in_code_points);
    tcase_add_test(tcase, tags_are_trimmed_lowered_and_kept_once_in_order);
    tcase_add_test(tcase, scalars_of_a_map_become_text);
    tcase_add_test(tcase, integral_numbers_are_integers_however_they_are_written);
    tcase_add_test(tcase, an_update_learns_what_was_emptied);
    tcase_add_test(tcase, replies_leave_out_what_has_no_value);
    tcase_add_test(tcase, broken_stored_json_does_not_break_the_reply);
    tcase_add_test(tcase, parameters_make_the_same_message);
    tcase_add_test(tcase, what_is_written_reads_back_as_the_same_message);
    tcase_add_test(tcase, fields_are_read_by_name);
    tcase_add_test(tcase, bytes_that_are_no_message_are_refused);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
