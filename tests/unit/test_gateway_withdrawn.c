/* SPDX-License-Identifier: Apache-2.0 */
/* What is remembered of questions that their servers withdrew. */
#include "suite.h"
#include "withdrawn.h"

#include <check.h>
#include <string.h>

static struct withdrawn withdrawn;

static void setup(void)
{
    withdrawn_init(&withdrawn);
}

static void teardown(void)
{
    withdrawn_done(&withdrawn);
}

static void add(const char *key, const char *id)
{
    withdrawn_add(&withdrawn, key, id, strlen(id));
}

static bool has(const char *key, const char *id)
{
    return withdrawn_has(&withdrawn, key, id, strlen(id));
}

START_TEST(a_question_is_known_by_its_session_and_its_id_as_it_was_written)
{
    add("one", "7");
    ck_assert(has("one", "7"));
    ck_assert(!has("one", "\"7\""));
    ck_assert(!has("one", "77"));
    ck_assert(!has("two", "7"));
}
END_TEST

START_TEST(a_new_session_with_the_server_may_use_the_ids_again)
{
    add("one", "0");
    add("two", "0");
    withdrawn_forget(&withdrawn, "one");
    ck_assert(!has("one", "0"));
    ck_assert(has("two", "0"));
}
END_TEST

START_TEST(the_oldest_is_forgotten_for_the_newest)
{
    char id[16];

    for (int i = 0; i <= WITHDRAWN_MAX; i++) {
        (void)snprintf(id, sizeof(id), "%d", i);
        add("one", id);
    }
    ck_assert(!has("one", "0"));
    ck_assert(has("one", "1"));
    ck_assert(has("one", id));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gateway_withdrawn");
    TCase *tcase = tcase_create("withdrawn");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_question_is_known_by_its_session_and_its_id_as_it_was_written);
    tcase_add_test(tcase, a_new_session_with_the_server_may_use_the_ids_again);
    tcase_add_test(tcase, the_oldest_is_forgotten_for_the_newest);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
