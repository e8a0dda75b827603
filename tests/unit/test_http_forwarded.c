/* SPDX-License-Identifier: Apache-2.0 */
/* Whose X-Forwarded-For is believed, and how far. */
#include "http/internal.h"
#include "suite.h"

#include <check.h>
#include <string.h>

static struct arena arena;
static struct trusted *trusted;

static void start(void)
{
    arena_init(&arena);
}

static void done(void)
{
    trusted_free(trusted);
    trusted = NULL;
    arena_done(&arena);
}

static void trust(const char *list)
{
    struct error err = {0};

    trusted_free(trusted);
    ck_assert_msg(trusted_parse(list, &trusted, &err) == ST_OK, "%s", err.message);
}

static void not_a_list(const char *list)
{
    struct error err = {0};
    struct trusted *parsed;

    ck_assert_msg(trusted_parse(list, &parsed, &err) == ST_INVALID_ARGUMENT, "took '%s'", list);
    ck_assert_ptr_nonnull(strstr(err.message, "MAL_TRUSTED_PROXIES"));
    ck_assert_ptr_null(parsed);
}

/* The client for requests of peer with up to two X-Forwarded-For lines. */
static void client_is(const char *peer, const char *first, const char *second, const char *want)
{
    struct mg_request_info info = {0};

    if (first)
        info.http_headers[info.num_headers++] = (struct mg_header){"X-Forwarded-For", first};
    info.http_headers[info.num_headers++] = (struct mg_header){"X-Other", "9.9.9.9"};
    if (second)
        info.http_headers[info.num_headers++] = (struct mg_header){"x-forwarded-for", second};
    ck_assert_str_eq(trusted_client(trusted, peer, &info, &arena), want);
}

START_TEST(without_trusted_proxies_the_peer_is_the_client)
{
    trust("");
    client_is("10.0.0.1", "1.2.3.4", NULL, "10.0.0.1");
}
END_TEST

START_TEST(a_peer_that_is_no_proxy_is_the_client)
{
    trust("10.0.0.1");
    client_is("10.0.0.2", "1.2.3.4", NULL, "10.0.0.2");
}
END_TEST

START_TEST(the_rightmost_untrusted_address_is_the_client)
{
    trust("10.0.0.0/8,192.168.7.1");
    client_is("10.0.0.1", "6.6.6.6, 1.2.3.4", NULL, "1.2.3.4");
    client_is("10.0.0.1", "6.6.6.6, 1.2.3.4,10.255.0.9 , 192.168.7.1", NULL, "1.2.3.4");
    client_is("10.0.0.1", "6.6.6.6, 1.2.3.4", "10.2.3.4", "1.2.3.4");
    client_is("10.0.0.1", "6.6.6.6", "1.2.3.4, 10.2.3.4", "1.2.3.4");
    client_is("10.0.0.1", "10.3.3.3, 10.2.2.2", NULL, "10.3.3.3");
    client_is("10.0.0.1", NULL, NULL, "10.0.0.1");
}
END_TEST

START_TEST(what_is_no_address_ends_the_search)
{
    trust("10.0.0.0/8");
    client_is("10.0.0.1", "unknown", NULL, "10.0.0.1");
    client_is("10.0.0.1", "1.2.3.4, garbage, 10.0.0.7", NULL, "10.0.0.7");
    client_is("10.0.0.1", "1.2.3.4, , 10.0.0.7", NULL, "10.0.0.7");
    client_is("10.0.0.1", "", NULL, "10.0.0.1");
    client_is("10.0.0.1", ",", NULL, "10.0.0.1");
}
END_TEST

START_TEST(ports_and_brackets_of_forwarded_addresses_are_dropped)
{
    trust("10.0.0.1,2001:db8::/32");
    client_is("10.0.0.1", "1.2.3.4:5678", NULL, "1.2.3.4");
    client_is("10.0.0.1", "[2001:dead::1]:443, [2001:db8::9]", NULL, "2001:dead::1");
    client_is("10.0.0.1", "2001:dead::2", NULL, "2001:dead::2");
}
END_TEST

START_TEST(blocks_match_to_the_bit)
{
    trust("10.1.2.64/26");
    client_is("10.1.2.64", "1.1.1.1", NULL, "1.1.1.1");
    client_is("10.1.2.127", "1.1.1.1", NULL, "1.1.1.1");
    client_is("10.1.2.63", "1.1.1.1", NULL, "10.1.2.63");
    client_is("10.1.2.128", "1.1.1.1", NULL, "10.1.2.128");
    trust("0.0.0.0/0");
    client_is("203.0.113.9", "1.1.1.1", NULL, "1.1.1.1");
}
END_TEST

START_TEST(malformed_lists_are_named)
{
    not_a_list("10.0.0.1,");
    not_a_list("10.0.0.256");
    not_a_list("10.0.0.1/33");
    not_a_list("10.0.0.1/-1");
    not_a_list("10.0.0.1/");
    not_a_list("10.0.0.1/8x");
    not_a_list("localhost");
    not_a_list("::1/129");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http forwarded");
    TCase *tcase = tcase_create("forwarded");

    tcase_add_checked_fixture(tcase, start, done);
    tcase_add_test(tcase, without_trusted_proxies_the_peer_is_the_client);
    tcase_add_test(tcase, a_peer_that_is_no_proxy_is_the_client);
    tcase_add_test(tcase, the_rightmost_untrusted_address_is_the_client);
    tcase_add_test(tcase, what_is_no_address_ends_the_search);
    tcase_add_test(tcase, ports_and_brackets_of_forwarded_addresses_are_dropped);
    tcase_add_test(tcase, blocks_match_to_the_bit);
    tcase_add_test(tcase, malformed_lists_are_named);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
