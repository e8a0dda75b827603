/* SPDX-License-Identifier: Apache-2.0 */
/* What a gateway copy remembers of sessions when it hears of them in any order. */
#include "session_map.h"
#include "suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static char hash[] = "0123456789abcdef0123456789abcdef";

/* As it comes from the bucket: one string, freed with the record. */
static Gateway__Session *record_of(const char *owner, uint32_t changes)
{
    Gateway__Session record = GATEWAY__SESSION__INIT;
    uint8_t packed[256];

    record.stream_owner = owner;
    record.changes = changes;
    return gateway__session__unpack(NULL, gateway__session__pack(&record, packed), packed);
}

START_TEST(an_older_reading_of_a_session_does_not_replace_a_newer_one)
{
    struct sessions *sessions = calloc(1, sizeof(*sessions));
    struct item **at;

    ck_assert_ptr_nonnull(sessions);
    session_store(sessions, hash, record_of("a", 1));
    session_store(sessions, hash, record_of("c", 3));
    session_store(sessions, hash, record_of("b", 2));
    at = session_place(sessions, hash);
    ck_assert_str_eq((*at)->record->stream_owner, "c");
    session_store(sessions, hash, record_of("d", 4));
    ck_assert_str_eq((*at)->record->stream_owner, "d");
    ck_assert_int_eq(sessions->n, 1);
    session_remove(sessions, at);
    free(sessions);
}
END_TEST

START_TEST(an_older_reading_still_says_that_there_is_the_session)
{
    struct sessions *sessions = calloc(1, sizeof(*sessions));
    struct item **at;

    ck_assert_ptr_nonnull(sessions);
    session_store(sessions, hash, record_of("b", 2));
    session_round_over(sessions);
    session_store(sessions, hash, record_of("a", 1));
    session_round_over(sessions);
    at = session_place(sessions, hash);
    ck_assert_ptr_nonnull(*at);
    session_round_over(sessions);
    ck_assert_ptr_null(*at);
    free(sessions);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gateway_sessions");
    TCase *tcase = tcase_create("sessions");

    tcase_add_test(tcase, an_older_reading_of_a_session_does_not_replace_a_newer_one);
    tcase_add_test(tcase, an_older_reading_still_says_that_there_is_the_session);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
