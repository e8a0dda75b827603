/* SPDX-License-Identifier: Apache-2.0 */
/* Reading HTTP responses, in pieces of every size. */
#include "downstream/http1.h"
#include "suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct read {
    struct http1 http;
    struct strbuf body;
    size_t used;
};

/* Feeds the text in pieces; ends the connection behind it when eof. */
static void feed(struct read *r, const char *text, size_t len, size_t piece, bool eof)
{
    *r = (struct read){0};
    http1_reset(&r->http);
    while (r->used < len && r->http.state != HTTP1_DONE && r->http.state != HTTP1_REFUSED) {
        size_t n = len - r->used < piece ? len - r->used : piece, left = n;

        while (left > 0 && r->http.state != HTTP1_DONE && r->http.state != HTTP1_REFUSED) {
            const char *body;
            size_t body_len;
            size_t used = http1_feed(&r->http, text + r->used, left, &body, &body_len);

            ck_assert_uint_le(used, left);
            strbuf_add(&r->body, body ? body : "", body_len);
            r->used += used;
            left -= used;
        }
    }
    if (eof)
        http1_eof(&r->http);
}

static void done(struct read *r)
{
    http1_done(&r->http);
    strbuf_done(&r->body);
}

static const struct {
    const char *text;
    int status;
    bool keep;
    bool eof; /* complete only when the connection ends */
    const char *type, *body;
} good[] = {
    {"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: "
     "2\r\n\r\n{}",
     200, true, false, "application/json", "{}"},
    {"HTTP/1.1 200 OK\r\ncontent-type:Text/Event-Stream\r\nTRANSFER-ENCODING: Chunked\r\n\r\n"
     "3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n0\r\nX: y\r\n\r\n",
     200, true, false, "text/event-stream", "abc0123456789"},
    {"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 202, false, false,
     "", ""},
    {"HTTP/1.1 204\r\n\r\n", 204, true, false, "", ""},
    {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 200, true, false, "",
     "x"},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"
     "HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx",
     404, true, false, "", "x"},
    {"HTTP/1.1 200 OK\r\n\r\nto the end", 200, false, true, "", "to the end"},
    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, false, false, "", "x"},
    {"HTTP/1.0 200 OK\r\nConnection: x , Keep-Alive\r\nContent-Length: 1\r\n\r\nx", 200, true,
     false, "", "x"},
};

START_TEST(responses_are_read_whatever_their_pieces)
{
    size_t len = strlen(good[_i].text);

    for (size_t piece = 1; piece <= len; piece++) {
        struct read r;

        feed(&r, good[_i].text, len, piece, good[_i].eof);
        ck_assert_msg(r.http.state == HTTP1_DONE, "%s: %s", good[_i].text, r.http.why);
        ck_assert_uint_eq(r.used, len);
        ck_assert_int_eq(r.http.head.status, good[_i].status);
        ck_assert_str_eq(r.http.head.content_type, good[_i].type);
        ck_assert_str_eq(strbuf_cstr(&r.body), good[_i].body);
        ck_assert_int_eq(r.http.head.keep, good[_i].keep);
        done(&r);
    }
}
END_TEST

static const char *const bad[] = {
    "SSH-2.0-OpenSSH\r\n\r\n",
    "HTTP/2 200 OK\r\n\r\n",
    "HTTP/1.1 20 OK\r\n\r\n",
    "HTTP/1.1 2000 OK\r\n\r\n",
    "HTTP/1.1 600 OK\r\n\r\n",
    "HTTP/1.1 200 O\nK\r\n\r\n",
    "HTTP/1.1 101 Switching\r\n\r\n",
    "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    "HTTP/1.1 200 OK\r\n: none\r\n\r\n",
    "HTTP/1.1 200 OK\r\nName : x\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA: x\r\n folded\r\n\r\n",
    "HTTP/1.1 200 OK\r\nA: x\ny: z\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000000000000000\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\nx",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\rz",
};

START_TEST(what_could_be_taken_for_something_else_is_refused)
{
    size_t len = strlen(bad[_i]);

    for (size_t piece = 1; piece <= len; piece++) {
        struct read r;

        feed(&r, bad[_i], len, piece, false);
        ck_assert_msg(r.http.state == HTTP1_REFUSED, "accepted: %s", bad[_i]);
        ck_assert_ptr_nonnull(r.http.why);
        done(&r);
    }
}
END_TEST

START_TEST(a_head_is_bounded_in_bytes_and_lines)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
    struct read r;

    strbuf_str(&text, "HTTP/1.1 200 OK\r\nA: ");
    while (text.len < HTTP1_HEAD_MAX + 10L)
        strbuf_char(&text, 'x');
    feed(&r, text.data, text.len, 1000, false);
    ck_assert_int_eq(r.http.state, HTTP1_REFUSED);
    ck_assert_uint_le(r.used, HTTP1_HEAD_MAX);
    done(&r);
    strbuf_clear(&text);
    strbuf_str(&text, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i <= HTTP1_HEADERS_MAX; i++)
        strbuf_str(&text, "A: b\r\n");
    strbuf_str(&text, "\r\n");
    feed(&r, text.data, text.len, text.len, false);
    ck_assert_int_eq(r.http.state, HTTP1_REFUSED);
    done(&r);
}
END_TEST

START_TEST(interim_answers_and_trailers_have_an_end)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
    struct read r;

    while (text.len < 2L * HTTP1_HEAD_MAX)
        strbuf_str(&text, "HTTP/1.1 100 Continue\r\n\r\n");
    feed(&r, text.data, text.len, 4096, false);
    ck_assert_int_eq(r.http.state, HTTP1_REFUSED);
    done(&r);
    strbuf_clear(&text);
    strbuf_str(&text, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
    while (text.len < 2L * HTTP1_HEAD_MAX)
        strbuf_str(&text, "A: b\r\n");
    feed(&r, text.data, text.len, 4096, false);
    ck_assert_int_eq(r.http.state, HTTP1_REFUSED);
    done(&r);
}
END_TEST

START_TEST(what_follows_a_response_is_left_alone)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 500";
    struct read r;

    feed(&r, text, sizeof(text) - 1, sizeof(text) - 1, false);
    ck_assert_int_eq(r.http.state, HTTP1_DONE);
    ck_assert_str_eq(text + r.used, "HTTP/1.1 500");
    done(&r);
}
END_TEST

START_TEST(a_connection_that_ends_within_a_response_refuses_it)
{
    static const char *const cut[] = {
        "",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
    };
    struct read r;

    feed(&r, cut[_i], strlen(cut[_i]), 100, true);
    ck_assert_int_eq(r.http.state, HTTP1_REFUSED);
    done(&r);
}
END_TEST

START_TEST(headers_of_the_protocol_are_noted)
{
    static const char text[] = "HTTP/1.1 429 Slow down\r\nMcp-Session-Id: \t7Qm2 \r\nKeep-Alive: "
                               "max=9, timeout=5\r\nRetry-After: 12\r\nContent-Encoding: gzip\r\n"
                               "Content-Length: 0\r\n\r\n";
    struct read r;

    feed(&r, text, sizeof(text) - 1, sizeof(text), false);
    ck_assert_str_eq(r.http.head.session_id, "7Qm2");
    ck_assert(!r.http.head.session_id_bad);
    ck_assert_int_eq(r.http.head.idle_s, 5);
    ck_assert_int_eq(r.http.head.retry_after_s, 12);
    ck_assert(r.http.head.encoded);
    done(&r);
}
END_TEST

START_TEST(session_ids_that_cannot_be_sent_back_are_bad)
{
    static const char *const ids[] = {"", "a b", "a, b", "\xc3\xa9", "a\r\nMcp-Session-Id: b"};
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
    struct read r;

    strbuf_printf(&text, "HTTP/1.1 200 OK\r\nMcp-Session-Id: %s\r\nContent-Length: 0\r\n\r\n",
                  ids[_i]);
    feed(&r, text.data, text.len, text.len, false);
    ck_assert_int_eq(r.http.state, HTTP1_DONE);
    ck_assert(r.http.head.session_id_bad);
    done(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("downstream_http1");
    TCase *tcase = tcase_create("http1");

    tcase_add_loop_test(tcase, responses_are_read_whatever_their_pieces, 0, (int)ARRAY_SIZE(good));
    tcase_add_loop_test(tcase, what_could_be_taken_for_something_else_is_refused, 0,
                        (int)ARRAY_SIZE(bad));
    tcase_add_test(tcase, a_head_is_bounded_in_bytes_and_lines);
    tcase_add_test(tcase, interim_answers_and_trailers_have_an_end);
    tcase_add_test(tcase, what_follows_a_response_is_left_alone);
    tcase_add_loop_test(tcase, a_connection_that_ends_within_a_response_refuses_it, 0, 5);
    tcase_add_test(tcase, headers_of_the_protocol_are_noted);
    tcase_add_loop_test(tcase, session_ids_that_cannot_be_sent_back_are_bad, 0, 5);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
