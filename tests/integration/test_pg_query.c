/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters and rows of lib/pg on a real server. */
#include "pg_fixture.h"
#include "pg_sample.h"

static struct fixture f;

static void setup(void)
{
    fixture_init(&f);
}

static void teardown(void)
{
    fixture_done(&f);
}

static struct sample new_sample(void)
{
    struct sample sample;

    sample_init(&sample.base);
    return sample;
}

START_TEST(every_letter_reaches_the_server)
{
    const char *text = NULL;
    const char *items[] = {"a", "b,\"c\\", "", NULL, "ümlaut {x}"};
    const struct query *query = QUERY(
        "letters",
        "select concat_ws('|', $1::text, coalesce($2::text, 'null'), $3::int, $4::bigint,"
        " $5::bool, $6::float8, array_to_string($7::text[], ';', 'N'), encode($8::bytea, 'hex'),"
        " coalesce($9::text, 'null'))",
        9);

    ck_assert_int_eq(pg_text(&f.call, query, &text, "sSilbdayn", "it's", "", -7, 1LL << 40, 1, 0.1,
                             (size_t)5, (char *const *)items, (size_t)3, "\0\xff\\"),
                     ST_OK);
    ck_assert_str_eq(text, "it's|null|-7|1099511627776|t|0.1|a;b,\"c\\;;N;ümlaut {x}|00ff5c|null");
}
END_TEST

START_TEST(null_parameters_are_sql_null)
{
    const char *text = NULL;

    ck_assert_int_eq(pg_text(&f.call,
                             QUERY("nulls", "select num_nulls($1::text, $2::text, $3::bytea)", 3),
                             &text, "sSy", NULL, NULL, (size_t)0, NULL),
                     ST_OK);
    ck_assert_str_eq(text, "3");
}
END_TEST

START_TEST(empty_bytes_and_arrays_are_not_null)
{
    const char *text = NULL;

    ck_assert_int_eq(pg_text(&f.call,
                             QUERY("empties", "select num_nulls($1::bytea, $2::text[])", 2), &text,
                             "ya", (size_t)0, "", (size_t)0, NULL),
                     ST_OK);
    ck_assert_str_eq(text, "0");
}
END_TEST

START_TEST(scalars_are_read_by_the_fields_type)
{
    struct sample sample = new_sample();

    ck_assert_int_eq(
        pg_one(&f.call, &sample.base,
               QUERY("scalars",
                     "select -9223372036854775808 as big, '\\x00ff'::bytea as blob, -5 as count,"
                     " true as flag, 'x'::text as id, 'very_small'::text as kind, 0.25 as ratio,"
                     " 4294967295 as wide",
                     0),
               ""),
        ST_OK);
    ck_assert_int_eq(sample.big, INT64_MIN);
    ck_assert_uint_eq(sample.blob.len, 2);
    ck_assert_mem_eq(sample.blob.data, "\0\xff", 2);
    ck_assert_int_eq(sample.count, -5);
    ck_assert_int_eq(sample.flag, 1);
    ck_assert_str_eq(sample.id, "x");
    ck_assert_int_eq(sample.kind, 7);
    ck_assert_double_eq(sample.ratio, 0.25);
    ck_assert_uint_eq(sample.wide, UINT32_MAX);
}
END_TEST

START_TEST(sql_null_leaves_the_field_unset)
{
    struct sample sample = new_sample();

    ck_assert_int_eq(pg_one(&f.call, &sample.base,
                            QUERY("unset",
                                  "select null::text as id, null::int as points,"
                                  " null::text[] as tags, null::jsonb as one",
                                  0),
                            ""),
                     ST_OK);
    ck_assert_str_eq(sample.id, "");
    ck_assert_uint_eq(sample.has_points_case, 0);
    ck_assert_uint_eq(sample.n_tags, 0);
    ck_assert_ptr_null(sample.one);
}
END_TEST

START_TEST(a_value_sets_the_case_of_its_oneof)
{
    struct sample sample = new_sample();

    ck_assert_int_eq(pg_one(&f.call, &sample.base,
                            QUERY("cases", "select 0 as points, ''::text as note", 0), ""),
                     ST_OK);
    ck_assert_uint_eq(sample.has_points_case, 15);
    ck_assert_int_eq(sample.points, 0);
    ck_assert_uint_eq(sample.has_note_case, 11);
    ck_assert_str_eq(sample.note, "");
}
END_TEST

START_TEST(arrays_fill_repeated_fields)
{
    struct sample sample = new_sample();

    ck_assert_int_eq(
        pg_one(&f.call, &sample.base,
               QUERY("arrays",
                     "select array['a', 'b c', '', 'NULL', 'q\"\\,{}'] as tags,"
                     " array[1, -2, 3] as numbers, '[\"big\", \"very_small\"]'::jsonb as kinds",
                     0),
               ""),
        ST_OK);
    ck_assert_uint_eq(sample.n_tags, 5);
    ck_assert_str_eq(sample.tags[1], "b c");
    ck_assert_str_eq(sample.tags[2], "");
    ck_assert_str_eq(sample.tags[3], "NULL");
    ck_assert_str_eq(sample.tags[4], "q\"\\,{}");
    ck_assert_uint_eq(sample.n_numbers, 3);
    ck_assert_int_eq(sample.numbers[1], -2);
    ck_assert_uint_eq(sample.n_kinds, 2);
    ck_assert_int_eq(sample.kinds[0], 1);
    ck_assert_int_eq(sample.kinds[1], 7);
}
END_TEST

START_TEST(empty_arrays_are_empty_lists)
{
    struct sample sample = new_sample();

    ck_assert_int_eq(pg_one(&f.call, &sample.base,
                            QUERY("empty_arrays",
                                  "select '{}'::text[] as tags, '[]'::jsonb as numbers,"
                                  " '{}'::jsonb as labels, '[]'::jsonb as parts",
                                  0),
                            ""),
                     ST_OK);
    ck_assert_uint_eq(sample.n_tags + sample.n_numbers + sample.n_labels + sample.n_parts, 0);
}
END_TEST

START_TEST(jsonb_fills_maps_messages_and_json_fields)
{
    struct sample sample = new_sample();

    ck_assert_int_eq(
        pg_one(&f.call, &sample.base,
               QUERY("jsonb",
                     "select '{\"a\": \"x\\n\", \"b\": 5}'::jsonb as labels,"
                     " '{\"name\": \"p\", \"size\": 3}'::jsonb as one,"
                     " '[{\"name\": \"q\"}, {\"name\": \"r\", \"size\": 9}]'::jsonb as parts,"
                     " '{\"free\": [1, null]}'::jsonb as extra",
                     0),
               ""),
        ST_OK);
    ck_assert_uint_eq(sample.n_labels, 2);
    ck_assert_str_eq(sample.labels[0]->key, "a");
    ck_assert_str_eq(sample.labels[0]->value, "x\n");
    ck_assert_str_eq(sample.labels[1]->value, "5");
    ck_assert_str_eq(sample.one->name, "p");
    ck_assert_int_eq(sample.one->size, 3);
    ck_assert_uint_eq(sample.n_parts, 2);
    ck_assert_int_eq(sample.parts[1]->size, 9);
    ck_assert_str_eq(sample.extra, "{\"free\": [1, null]}");
}
END_TEST

START_TEST(timestamps_become_rfc_3339_in_utc)
{
    struct sample sample = new_sample();
    static const char *const cases[][2] = {
        {"2026-03-02 09:30:00.12+00", "2026-03-02T09:30:00.120Z"},
        {"2026-03-02 09:30:00+02", "2026-03-02T07:30:00.000Z"},
        {"2026-03-02 09:30:00.123987+00", "2026-03-02T09:30:00.123Z"},
    };
    const struct query *query = QUERY("time", "select $1::timestamptz as created_at", 1);

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        ck_assert_int_eq(pg_one(&f.call, &sample.base, query, "s", cases[i][0]), ST_OK);
        ck_assert_str_eq(sample.created_at, cases[i][1]);
    }
    ck_assert_int_eq(pg_one(&f.call, &sample.base, query, "s", "2026-03-02T09:30:00.120Z"), ST_OK);
    ck_assert_str_eq(sample.created_at, "2026-03-02T09:30:00.120Z");
}
END_TEST

START_TEST(no_row_is_not_found_without_words)
{
    struct sample sample = new_sample();

    ck_assert_int_eq(pg_one(&f.call, &sample.base,
                            QUERY("none", "select id from item where id = $1", 1), "s", "x"),
                     ST_NOT_FOUND);
    ck_assert_str_eq(f.call.error.message, "");
}
END_TEST

START_TEST(mistakes_of_the_program_are_internal_errors)
{
    struct sample sample = new_sample();
    const char *text;

    ck_assert_int_eq(pg_one(&f.call, &sample.base, QUERY("two", "values ('a'), ('b')", 0), ""),
                     ST_INTERNAL);
    ck_assert_int_eq(pg_one(&f.call, &sample.base, QUERY("nofield", "select 1 as nowhere", 0), ""),
                     ST_INTERNAL);
    ck_assert_int_eq(
        pg_one(&f.call, &sample.base, QUERY("badkind", "select 'odd'::text as kind", 0), ""),
        ST_INTERNAL);
    ck_assert_int_eq(
        pg_one(&f.call, &sample.base, QUERY("range", "select 5000000000 as count", 0), ""),
        ST_INTERNAL);
    ck_assert_int_eq(
        pg_text(&f.call, QUERY("few", "select $1::text || $2::text", 2), &text, "s", "a"),
        ST_INTERNAL);
    ck_assert_int_eq(pg_text(&f.call, QUERY("letter", "select $1::text", 1), &text, "?", "a"),
                     ST_INTERNAL);
    ck_assert_int_eq(pg_text(&f.call, QUERY("syntax", "selct 1", 0), &text, ""), ST_INTERNAL);
    ck_assert_ptr_null(strstr(f.call.error.message, "selct"));
}
END_TEST

START_TEST(all_rows_are_appended)
{
    struct samples list;
    const struct query *query =
        QUERY("series", "select n as count, n::text as id from generate_series(1, $1) n", 1);

    samples_init(&list.base);
    ck_assert_int_eq(pg_all(&f.call, &list.base, "items", query, "i", 3), ST_OK);
    ck_assert_int_eq(pg_all(&f.call, &list.base, "items", query, "i", 0), ST_OK);
    ck_assert_int_eq(pg_all(&f.call, &list.base, "items", query, "i", 2), ST_OK);
    ck_assert_uint_eq(list.n_items, 5);
    ck_assert_int_eq(list.items[2]->count, 3);
    ck_assert_str_eq(list.items[4]->id, "2");
    ck_assert_int_eq(pg_all(&f.call, &list.base, "nothing", query, "i", 1), ST_INTERNAL);
}
END_TEST

START_TEST(rows_affected_are_counted)
{
    int rows = 0;

    ck_assert_int_eq(pg_exec(&f.call,
                             QUERY("ins",
                                   "insert into item select n::text from"
                                   " generate_series(1, 4) n",
                                   0),
                             &rows, ""),
                     ST_OK);
    ck_assert_int_eq(rows, 4);
    ck_assert_int_eq(pg_exec(&f.call,
                             QUERY("del", "delete from item where id < $1 returning id", 1), &rows,
                             "s", "3"),
                     ST_OK);
    ck_assert_int_eq(rows, 2);
    ck_assert_int_eq(pg_exec(&f.call, QUERY("del2", "delete from item where id = $1", 1), NULL, ""),
                     ST_INTERNAL);
}
END_TEST

static const struct query copy_words = {.name = "copy_words",
                                        .sql = "copy copied (id, word) from stdin"};

static void make_copied(void)
{
    ck_assert_int_eq(
        pg_exec(&f.call, QUERY("copied", "create table copied (id int primary key, word text)", 0),
                NULL, ""),
        ST_OK);
}

static const char *all_copied(void)
{
    const char *text = NULL;

    ck_assert_int_eq(pg_text(&f.call,
                             QUERY("all_copied",
                                   "select string_agg(coalesce(word, 'NULL'), ';' order by id)"
                                   " from copied",
                                   0),
                             &text, ""),
                     ST_OK);
    return text ? text : "";
}

START_TEST(copied_rows_arrive_as_they_are)
{
    static const char *const words[] = {"plain", "", NULL, "\\N", "a\tb\nc\rd\\e", "\\.", "ümlaut"};
    CLEANUP(strbuf_done) struct strbuf rows = STRBUF_INIT;

    make_copied();
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        pg_copy_row(&rows, (const char *[]){arena_printf(&f.arena, "%zu", i), words[i]}, 2);
    ck_assert_int_eq(pg_copy(&f.call, &copy_words, &rows), ST_OK);
    ck_assert_str_eq(all_copied(), "plain;;NULL;\\N;a\tb\nc\rd\\e;\\.;ümlaut");
}
END_TEST

START_TEST(a_copy_with_a_conflict_stores_nothing_and_leaves_the_session_usable)
{
    CLEANUP(strbuf_done) struct strbuf rows = STRBUF_INIT;

    make_copied();
    strbuf_str(&rows, "1\tone\n");
    ck_assert_int_eq(pg_copy(&f.call, &copy_words, &rows), ST_OK);
    strbuf_clear(&rows);
    strbuf_str(&rows, "2\ttwo\n1\tagain\n3\tthree\n");
    ck_assert_int_eq(pg_copy(&f.call, &copy_words, &rows), ST_ALREADY_EXISTS);
    ck_assert_str_eq(pg_constraint(&f.call), "copied_pkey");
    error_clear(&f.call.error);
    ck_assert_str_eq(all_copied(), "one");
}
END_TEST

START_TEST(more_rows_than_the_socket_takes_at_once_are_copied)
{
    CLEANUP(strbuf_done) struct strbuf rows = STRBUF_INIT;
    const char *text = NULL;

    make_copied();
    for (int i = 0; i < 100000; i++)
        strbuf_printf(&rows, "%d\tthe same words in every row, so that there are many bytes\n", i);
    ck_assert_int_eq(pg_copy(&f.call, &copy_words, &rows), ST_OK);
    ck_assert_int_eq(
        pg_text(&f.call, QUERY("count_copied", "select count(*) from copied", 0), &text, ""),
        ST_OK);
    ck_assert_str_eq(text, "100000");
}
END_TEST

START_TEST(what_is_no_copy_is_an_internal_error)
{
    CLEANUP(strbuf_done) struct strbuf rows = STRBUF_INIT;
    static const struct query nowhere = {.name = "nowhere", .sql = "copy nowhere from stdin"};

    ck_assert_int_eq(pg_copy(&f.call, &nowhere, &rows), ST_INTERNAL);
    error_clear(&f.call.error);
    make_copied();
    ck_assert_str_eq(all_copied(), "");
}
END_TEST

START_TEST(cells_of_bare_rows_are_read_by_name)
{
    struct pg_rows rows;
    const void *bytes;
    size_t len;

    ck_assert_int_eq(pg_rows(&f.call, &rows,
                             QUERY("bare", "select 'v' as a, null as b, '\\x0102'::bytea as c", 0),
                             ""),
                     ST_OK);
    ck_assert_int_eq(rows.n, 1);
    ck_assert_str_eq(pg_cell(&rows, 0, "a"), "v");
    ck_assert_ptr_null(pg_cell(&rows, 0, "b"));
    ck_assert_ptr_null(pg_cell(&rows, 0, "nowhere"));
    ck_assert_ptr_null(pg_cell(&rows, 1, "a"));
    bytes = pg_cell_bytes(&rows, 0, "c", &f.arena, &len);
    ck_assert_uint_eq(len, 2);
    ck_assert_mem_eq(bytes, "\1\2", 2);
}
END_TEST

START_TEST(a_query_is_prepared_once_a_session)
{
    const struct query *query = QUERY("once", "select 1", 0);
    const char *text;

    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pg_text(&f.call, query, &text, ""), ST_OK);
    ck_assert_int_eq(pg_text(&f.call,
                             QUERY("count",
                                   "select count(*) from pg_prepared_statements"
                                   " where name = 'once'",
                                   0),
                             &text, ""),
                     ST_OK);
    ck_assert_str_eq(text, "1");
}
END_TEST

START_TEST(a_query_with_optional_filters_is_never_prepared)
{
    static const struct query filtered = {
        .name = "test_filtered",
        .sql = "select n as count from generate_series(1, 5) n where $1::int is null or n = $1",
        .params = 1,
        .replan = true,
    };
    const char *text;

    for (int i = 1; i <= 5; i++) {
        struct sample sample = new_sample();

        ck_assert_int_eq(pg_one(&f.call, &sample.base, &filtered, "i", i), ST_OK);
        ck_assert_int_eq(sample.count, i);
    }
    ck_assert_int_eq(pg_text(&f.call,
                             QUERY("prepared",
                                   "select count(*) from pg_prepared_statements"
                                   " where name <> 'prepared'",
                                   0),
                             &text, ""),
                     ST_OK);
    ck_assert_str_eq(text, "0");
}
END_TEST

START_TEST(one_query_serves_two_messages)
{
    const struct query *query = QUERY("shared", "select 'n'::text as name", 0);
    struct part part;
    struct sample sample = new_sample();

    part_init(&part.base);
    ck_assert_int_eq(pg_one(&f.call, &part.base, query, ""), ST_OK);
    ck_assert_str_eq(part.name, "n");
    ck_assert_int_eq(pg_one(&f.call, &sample.base, query, ""), ST_INTERNAL);
    ck_assert_int_eq(pg_one(&f.call, &part.base, query, ""), ST_OK);
}
END_TEST

START_TEST(hundreds_of_statements_fit)
{
    struct query *queries = arena_alloc(&f.arena, 300 * sizeof(*queries));
    const char *text;

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 300; i++) {
            queries[i] = (struct query){.name = arena_printf(&f.arena, "q%d", i),
                                        .sql = arena_printf(&f.arena, "select %d", i)};
            ck_assert_int_eq(pg_text(&f.call, &queries[i], &text, ""), ST_OK);
            ck_assert_int_eq(strtol(text, NULL, 10), i);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pg_query");
    TCase *tcase = tcase_create("query");

    wire_register_rules(sample_rules, ARRAY_SIZE(sample_rules));
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, every_letter_reaches_the_server);
    tcase_add_test(tcase, null_parameters_are_sql_null);
    tcase_add_test(tcase, empty_bytes_and_arrays_are_not_null);
    tcase_add_test(tcase, scalars_are_read_by_the_fields_type);
    tcase_add_test(tcase, sql_null_leaves_the_field_unset);
    tcase_add_test(tcase, a_value_sets_the_case_of_its_oneof);
    tcase_add_test(tcase, arrays_fill_repeated_fields);
    tcase_add_test(tcase, empty_arrays_are_empty_lists);
    tcase_add_test(tcase, jsonb_fills_maps_messages_and_json_fields);
    tcase_add_test(tcase, timestamps_become_rfc_3339_in_utc);
    tcase_add_test(tcase, no_row_is_not_found_without_words);
    tcase_add_test(tcase, mistakes_of_the_program_are_internal_errors);
    tcase_add_test(tcase, all_rows_are_appended);
    tcase_add_test(tcase, rows_affected_are_counted);
    tcase_add_test(tcase, copied_rows_arrive_as_they_are);
    tcase_add_test(tcase, a_copy_with_a_conflict_stores_nothing_and_leaves_the_session_usable);
    tcase_add_test(tcase, more_rows_than_the_socket_takes_at_once_are_copied);
    tcase_add_test(tcase, what_is_no_copy_is_an_internal_error);
    tcase_add_test(tcase, cells_of_bare_rows_are_read_by_name);
    tcase_add_test(tcase, a_query_is_prepared_once_a_session);
    tcase_add_test(tcase, a_query_with_optional_filters_is_never_prepared);
    tcase_add_test(tcase, one_query_serves_two_messages);
    tcase_add_test(tcase, hundreds_of_statements_fit);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
