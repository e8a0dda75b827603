/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets in: keys, credentials, hosts, origins, limits. */
#include "auth.h"
#include "keylist.h"
#include "origin.h"
#include "ratelimit.h"
#include "suite.h"

#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static struct arena arena;

static void setup(void)
{
    ck_assert_int_ge(sodium_init(), 0);
    arena_init(&arena);
}

static void teardown(void)
{
    arena_done(&arena);
}

static const struct {
    const char *text, *name, *secret;
    size_t n;
    unsigned scopes;
    int64_t expires_ms;
} lists[] = {
    {"", NULL, NULL, 0, 0, 0},
    {"s3cret", "default", "s3cret", 1, SCOPES_ALL, 0},
    {" ana:one , bob:two", "ana", "one", 2, SCOPES_ALL, 0},
    {"{\"ana\":\"one\",\"bob\":\"two\"}", "ana", "one", 2, SCOPES_ALL, 0},
    {"{\"ana\":{\"key\":\"one\",\"scopes\":[\"read\",\"write\"],"
     "\"expires_at\":\"1970-01-01T00:00:01.000Z\"}}",
     "ana", "one", 1, SCOPE_READ | SCOPE_WRITE, 1000},
    {"[{\"name\":\"ana\",\"key\":\"one\",\"scopes\":[]}]", "ana", "one", 1, 0, 0},
    {"[\"one\",\"two\"]", "default", "one", 2, SCOPES_ALL, 0},
};

START_TEST(each_form_of_the_key_list_is_read)
{
    const struct listed_key *keys;
    struct error err = {0};
    size_t n;

    ck_assert_int_eq(keylist_parse(&arena, lists[_i].text, &keys, &n, &err), ST_OK);
    ck_assert_uint_eq(n, lists[_i].n);
    if (n == 0)
        return;
    ck_assert_str_eq(keys[0].name, lists[_i].name);
    ck_assert_str_eq(keys[0].secret, lists[_i].secret);
    ck_assert_uint_eq(keys[0].scopes, lists[_i].scopes);
    ck_assert_int_eq(keys[0].expires_ms, lists[_i].expires_ms);
}
END_TEST

static const char *const bad_lists[] = {
    "{\"ana\":",
    "{\"ana\":5}",
    "{\"ana\":\"\"}",
    "{\"a b\":\"s3cret\"}",
    "ana:s3cret,ana:two",
    "ana:s3cret two",
    ":s3cret",
    "s3cret,two",
    "[{\"key\":\"s3cret\"}]",
    "{\"ana\":{\"key\":\"s3cret\",\"scopes\":[\"root\"]}}",
    "{\"ana\":{\"key\":\"s3cret\",\"scopes\":\"read\"}}",
    "{\"ana\":{\"key\":\"s3cret\",\"expires_at\":\"soon\"}}",
};

START_TEST(a_broken_key_list_is_refused_without_telling_secrets)
{
    const struct listed_key *keys;
    struct error err = {0};
    size_t n;

    ck_assert_int_eq(keylist_parse(&arena, bad_lists[_i], &keys, &n, &err), ST_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "MAL_API_KEYS"));
    ck_assert_ptr_null(strstr(err.message, "s3cret"));
}
END_TEST

static const struct {
    const char *api_key, *authorization;
    enum auth_credential kind;
    const char *secret;
} credentials[] = {
    {NULL, NULL, AUTH_NONE, NULL},
    {"k", NULL, AUTH_SECRET, "k"},
    {NULL, "Bearer k", AUTH_SECRET, "k"},
    {NULL, "bearer  k", AUTH_SECRET, "k"},
    {"k", "Bearer k", AUTH_SECRET, "k"},
    {"k", "Bearer other", AUTH_MALFORMED, NULL},
    {NULL, "Bearer", AUTH_MALFORMED, NULL},
    {NULL, "Bearer ", AUTH_MALFORMED, NULL},
    {NULL, "Bearer a b", AUTH_MALFORMED, NULL},
    {NULL, "Basic abc", AUTH_NONE, NULL},
    {"k", "Basic abc", AUTH_SECRET, "k"},
    {"", NULL, AUTH_MALFORMED, NULL},
    {"a b", NULL, AUTH_MALFORMED, NULL},
    {NULL, "Bearerk", AUTH_NONE, NULL},
};

START_TEST(credentials_are_taken_from_either_header)
{
    const char *secret;

    ck_assert_int_eq(
        auth_credential(credentials[_i].api_key, credentials[_i].authorization, &secret),
        credentials[_i].kind);
    if (credentials[_i].secret != NULL)
        ck_assert_str_eq(secret, credentials[_i].secret);
}
END_TEST

static const struct {
    const char *host, *allowed, *public_url;
    bool loopback, ok;
} hosts[] = {
    {"127.0.0.1:8420", "", "", true, true},
    {"localhost", "", "", true, true},
    {"[::1]:8420", "", "", true, true},
    {"LOCALHOST:1", "", "", true, true},
    {"evil.example.com", "", "", true, false},
    {"localhost.evil.example.com", "", "", true, false},
    {"127.0.0.1.evil.example.com", "", "", true, false},
    {"", "", "", true, false},
    {"hub.example", "", "https://hub.example/", true, true},
    {"hub.example:443", "", "https://hub.example", true, true},
    {"hub.example", "a, hub.example", "", true, true},
    {"x", "*", "", true, true},
    {"10.0.0.5:8420", "", "", false, true},
    {"10.0.0.5:8420", "hub.example", "", false, false},
};

START_TEST(only_known_hosts_are_served)
{
    ck_assert_int_eq(origin_host_allowed(hosts[_i].host, hosts[_i].loopback, hosts[_i].allowed,
                                         hosts[_i].public_url),
                     hosts[_i].ok);
}
END_TEST

static const struct {
    const char *origin, *host, *cors, *public_url;
    bool known, ok, foreign;
} origins[] = {
    {"http://127.0.0.1:8420", "127.0.0.1:8420", "", "", true, true, false},
    {"http://127.0.0.1:9999", "127.0.0.1:8420", "", "", true, false, true},
    {"null", "127.0.0.1:8420", "", "", true, false, false},
    {"null", "127.0.0.1:8420", "null", "", true, false, false},
    {"https://evil.example.com", "127.0.0.1:8420", "", "", true, false, true},
    {"https://app.example", "127.0.0.1:8420", "https://app.example", "", true, true, true},
    {"https://app.example", "h", "https://x.example, https://app.example/", "", true, true, true},
    {"https://app.example.evil", "h", "https://app.example", "", true, false, true},
    {"https://app", "h", "https://app.example", "", true, false, true},
    {"https://hub.example", "h", "", "https://hub.example/", true, true, false},
    /* A name nobody vouched for may have been made to point here. */
    {"http://evil.example", "evil.example", "", "", false, false, true},
};

START_TEST(only_known_origins_may_call)
{
    bool foreign = false;

    ck_assert_int_eq(origin_allowed(origins[_i].origin, origins[_i].host, origins[_i].known,
                                    origins[_i].cors, origins[_i].public_url, &foreign),
                     origins[_i].ok);
    if (origins[_i].ok)
        ck_assert_int_eq(foreign, origins[_i].foreign);
}
END_TEST

START_TEST(ten_wrong_keys_a_minute_block_an_address_for_that_minute)
{
    struct limits *limits = limits_new(0, 10);
    int wait_s = 0;

    for (int i = 0; i < 10; i++) {
        ck_assert(!limits_blocked(limits, "10.0.0.1", 1000 + i, &wait_s));
        limits_failed(limits, "10.0.0.1", 1000 + i);
    }
    ck_assert(limits_blocked(limits, "10.0.0.1", 2000, &wait_s));
    ck_assert_int_eq(wait_s, 59);
    ck_assert(!limits_blocked(limits, "10.0.0.2", 2000, &wait_s));
    ck_assert(!limits_blocked(limits, "10.0.0.1", 61000, &wait_s));
    limits_free(limits);
}
END_TEST

START_TEST(a_key_that_worked_from_an_address_is_known_there_only)
{
    struct limits *limits = limits_new(0, 10);

    limits_succeeded(limits, "10.0.0.1", "ana", 1000);
    ck_assert(limits_known(limits, "10.0.0.1", "ana", 2000));
    ck_assert(!limits_known(limits, "10.0.0.1", "bob", 2000));
    ck_assert(!limits_known(limits, "10.0.0.2", "ana", 2000));
    ck_assert(!limits_known(limits, "10.0.0.1", "ana", 1000 + 3600000));
    limits_free(limits);
}
END_TEST

START_TEST(a_key_has_a_second_of_calls_and_gets_more_with_time)
{
    struct limits *limits = limits_new(5, 10);
    int wait_s;

    for (int i = 0; i < 5; i++)
        ck_assert(limits_call(limits, "ana", 1000, &wait_s));
    ck_assert(!limits_call(limits, "ana", 1000, &wait_s));
    ck_assert(limits_call(limits, "bob", 1000, &wait_s));
    ck_assert(limits_call(limits, "ana", 1200, &wait_s));
    ck_assert(!limits_call(limits, "ana", 1200, &wait_s));
    limits_free(limits);
}
END_TEST

START_TEST(lists_of_words_are_read_without_blanks)
{
    ck_assert(config_list_has("a, bc ,d", "bc"));
    ck_assert(config_list_has("a", "a"));
    ck_assert(!config_list_has("ab", "a"));
    ck_assert(!config_list_has("", "a"));
    ck_assert(!config_list_has(" , ,", ""));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gateway_door");
    TCase *tcase = tcase_create("door");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, each_form_of_the_key_list_is_read, 0, (int)ARRAY_SIZE(lists));
    tcase_add_loop_test(tcase, a_broken_key_list_is_refused_without_telling_secrets, 0,
                        (int)ARRAY_SIZE(bad_lists));
    tcase_add_loop_test(tcase, credentials_are_taken_from_either_header, 0,
                        (int)ARRAY_SIZE(credentials));
    tcase_add_loop_test(tcase, only_known_hosts_are_served, 0, (int)ARRAY_SIZE(hosts));
    tcase_add_loop_test(tcase, only_known_origins_may_call, 0, (int)ARRAY_SIZE(origins));
    tcase_add_test(tcase, ten_wrong_keys_a_minute_block_an_address_for_that_minute);
    tcase_add_test(tcase, a_key_that_worked_from_an_address_is_known_there_only);
    tcase_add_test(tcase, a_key_has_a_second_of_calls_and_gets_more_with_time);
    tcase_add_test(tcase, lists_of_words_are_read_without_blanks);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
