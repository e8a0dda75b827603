/* SPDX-License-Identifier: Apache-2.0 */
/* When a request that is still arriving is worth a worker. */
#include "http/internal.h"
#include "suite.h"

#include <check.h>
#include <string.h>

#define HEAD "POST / HTTP/1.1\r\nHost: h\r\n"
#define CHUNKED HEAD "Transfer-Encoding: chunked\r\n\r\n"

static void whole(const char *text)
{
    ck_assert_msg(peek_is_whole(text, strlen(text), &(size_t){0}), "waits: %s", text);
}

static void waits(const char *text)
{
    ck_assert_msg(!peek_is_whole(text, strlen(text), &(size_t){0}), "is whole: %s", text);
}

START_TEST(every_beginning_of_a_request_waits)
{
    static const char *const requests[] = {
        "GET / HTTP/1.1\r\nHost: h\r\n\r\n", HEAD "Content-Length: 3\r\n\r\nabc",
        CHUNKED "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", HEAD "content-length:  1\r\n\r\na"};

    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        char part[256];
        size_t len = strlen(requests[i]);

        for (size_t n = 1; n < len; n++) {
            memcpy(part, requests[i], n);
            part[n] = '\0';
            waits(part);
        }
        whole(requests[i]);
    }
}
END_TEST

static void ends(const char *request, const char *behind)
{
    char text[256];
    size_t len = 0;

    (void)snprintf(text, sizeof text, "%s%s", request, behind);
    ck_assert(peek_is_whole(text, strlen(text), &len));
    ck_assert_msg(len == strlen(request), "%s ends after %zu", text, len);
}

START_TEST(what_is_behind_a_request_is_told_from_it)
{
    ends("GET / HTTP/1.1\r\nHost: h\r\n\r\n", "GET /");
    ends("GET / HTTP/1.1\r\nHost: h\r\n\r\n", "");
    ends(HEAD "Content-Length: 1\r\n\r\na", "bc");
    ends(CHUNKED "0\r\n\r\n", "GET");
    ends(CHUNKED "3\r\nabc\r\n0\r\n\r\n", "3\r\n");
}
END_TEST

static void no_end(const char *text)
{
    size_t len = 0;

    ck_assert(peek_is_whole(text, strlen(text), &len));
    ck_assert_msg(len == SIZE_MAX, "%s ends after %zu", text, len);
}

START_TEST(where_one_ends_that_is_read_as_it_comes_is_not_told)
{
    no_end(HEAD "Content-Length: 1000000\r\n\r\nabc");
    no_end(HEAD "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    no_end(CHUNKED "0\r\nX: y\r\n\r\nGET /");
    no_end(CHUNKED "3\r\nabcde");
    no_end("GET / HTTP/1.1\nHost: h\n\n");
}
END_TEST

START_TEST(what_will_be_refused_is_whole)
{
    whole(HEAD "Transfer-Encoding: gzip\r\n\r\n");
    whole(CHUNKED "zz");
    whole(CHUNKED "3\r\nabcde");
    whole(CHUNKED "000000001");
    whole(HEAD "Content-Length: -1\r\n\r\n");
    whole("GET / HTTP/1.1\nHost: h\n\n");
    whole("\x16\x03\x01\x02");
}
END_TEST

START_TEST(large_bodies_and_expectations_do_not_wait)
{
    whole(HEAD "Content-Length: 16384\r\n\r\n");
    whole(HEAD "Content-Length: 99999999999999999999\r\n\r\n");
    whole(CHUNKED "4001\r\n");
    whole(HEAD "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    waits(HEAD "Content-Length: 16000\r\n\r\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http peek");
    TCase *tcase = tcase_create("peek");

    tcase_add_test(tcase, every_beginning_of_a_request_waits);
    tcase_add_test(tcase, what_is_behind_a_request_is_told_from_it);
    tcase_add_test(tcase, where_one_ends_that_is_read_as_it_comes_is_not_told);
    tcase_add_test(tcase, what_will_be_refused_is_whole);
    tcase_add_test(tcase, large_bodies_and_expectations_do_not_wait);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
