/* SPDX-License-Identifier: Apache-2.0 */
/* Event streams, lines of a pipe, URLs. */
#include "downstream/lines.h"
#include "downstream/sse.h"
#include "downstream/url.h"
#include "suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* Everything a stream says: [data] of each event, then id and retry. */
static void read_stream(struct strbuf *out, const char *text, size_t len, size_t piece, size_t max)
{
    struct sse sse;

    sse_init(&sse, max);
    for (size_t at = 0; at < len; at += piece) {
        size_t n = len - at < piece ? len - at : piece, done = 0;

        while (done < n) {
            size_t used;
            enum sse_state state = sse_feed(&sse, text + at + done, n - done, &used);

            done += used;
            if (state == SSE_EVENT)
                strbuf_printf(out, "[%s]", strbuf_cstr(&sse.data));
            if (state == SSE_TOO_LARGE) {
                strbuf_str(out, "too large");
                sse_done(&sse);
                return;
            }
        }
    }
    strbuf_printf(out, " id=%s retry=%ld", sse.id, sse.retry_ms);
    sse_done(&sse);
}

static const struct {
    const char *text, *said;
} streams[] = {
    {"data: {}\n\n", "[{}] id= retry=-1"},
    {"data: a\r\n\r\ndata: b\r\rdata: c\n\n", "[a][b][c] id= retry=-1"},
    {"data: a\ndata:b\ndata\n\n", "[a\nb\n] id= retry=-1"},
    {": ping\n\ndata: a\n: between\n\n:\n", "[a] id= retry=-1"},
    {"event: message\ndata: a\n\nevent: endpoint\ndata: /x\n\ndata: b\n\n", "[a][b] id= retry=-1"},
    {"id: s3-1\ndata:\n\nretry: 500\nid: s3-2\ndata: a\n\nid: s3-3\n\n", "[a] id=s3-3 retry=500"},
    {"retry: 5x\nretry: -1\nretry:\n\n", " id= retry=-1"},
    {"id: a\nid\n\n", " id= retry=-1"},
    {"\xef\xbb\xbf"
     "data: a\n\n",
     "[a] id= retry=-1"},
    {"data: \xef\xbb\xbf\n\n", "[\xef\xbb\xbf] id= retry=-1"},
    {"data: unfinished\n", " id= retry=-1"},
    {"data:  two blanks\nunknown: x\n\n", "[ two blanks] id= retry=-1"},
    {"id: a\tb\ndata: x\n\n", "[x] id= retry=-1"},
};

START_TEST(streams_are_read_whatever_their_pieces)
{
    size_t len = strlen(streams[_i].text);

    for (size_t piece = 1; piece <= len; piece++) {
        CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

        read_stream(&out, streams[_i].text, len, piece, 100);
        ck_assert_str_eq(out.data, streams[_i].said);
    }
}
END_TEST

START_TEST(an_event_beyond_the_limit_ends_the_stream)
{
    static const char *const texts[] = {
        "data: 12345678901\n\n",
        "data: 123456\ndata: 123456\n\n",
        "data: 12345678901234567890123456789012345678901234567890",
    };

    for (size_t piece = 1; piece <= strlen(texts[_i]); piece++) {
        CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

        read_stream(&out, texts[_i], strlen(texts[_i]), piece, 10);
        ck_assert_str_eq(out.data, "too large");
    }
}
END_TEST

START_TEST(a_long_comment_is_no_event_and_not_kept)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
    struct sse sse;
    size_t used;

    sse_init(&sse, 10);
    ck_assert_int_eq(sse_feed(&sse, "\n", 1, &used), SSE_MORE);
    strbuf_str(&text, ": ");
    for (int i = 0; i < 1000; i++)
        strbuf_str(&text, "0123456789");
    for (size_t i = 0; i < text.len; i += 100)
        ck_assert_int_eq(
            sse_feed(&sse, text.data + i, 100 < text.len - i ? 100 : text.len - i, &used),
            SSE_MORE);
    ck_assert_uint_eq(sse.line.len, 0);
    ck_assert_int_eq(sse_feed(&sse, "\ndata: a\n\n", 10, &used), SSE_EVENT);
    ck_assert_str_eq(sse.data.data, "a");
    sse_done(&sse);
}
END_TEST

static void read_lines(struct strbuf *out, const char *text, size_t piece, size_t max)
{
    struct lines lines;
    size_t len = strlen(text);

    lines_init(&lines, max);
    for (size_t at = 0; at < len; at += piece) {
        size_t n = len - at < piece ? len - at : piece, done = 0;

        while (done < n) {
            size_t used;
            enum lines_state state = lines_feed(&lines, text + at + done, n - done, &used);

            done += used;
            if (state == LINES_LINE)
                strbuf_printf(out, "[%s]", lines.line.data);
            else if (state == LINES_TOO_LONG)
                strbuf_char(out, '!');
        }
    }
    lines_done(&lines);
}

START_TEST(lines_are_read_whatever_their_pieces)
{
    static const char text[] = "{}\n\n\r\n{\"a\":1}\r\n1234567890\n12345678901\nx\n"
                               "12345678901234567890\r\nlast\nunfinished";

    for (size_t piece = 1; piece < sizeof(text); piece++) {
        CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

        read_lines(&out, text, piece, 10);
        ck_assert_str_eq(out.data, "[{}][{\"a\":1}][1234567890]![x]![last]");
    }
}
END_TEST

static const struct {
    const char *text;
    enum outline_kind kind;
    uint64_t number;
} outlines[] = {
    {"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"id\":8}}", OUTLINE_ANSWER, 7},
    {"{ \"result\" : {\"a\":[{\"id\":8},\"\\\"}\"]} , \"id\" : 7 }\r", OUTLINE_ANSWER, 7},
    {"{\"error\":{\"code\":1,\"message\":\"\\\\\"},\"id\":12}", OUTLINE_ANSWER, 12},
    {"{\"error\":{\"code\":1},\"id\":null}", OUTLINE_UNKNOWN, 0},
    {"{\"result\":{},\"id\":\"a\"}", OUTLINE_UNKNOWN, 0},
    {"{\"result\":{},\"id\":1234567890123456789012}", OUTLINE_UNKNOWN, 0},
    {"{\"result\":{},\"id\":-7}", OUTLINE_UNKNOWN, 0},
    {"{\"method\":\"notifications/message\",\"params\":{\"id\":7,\"result\":1}}", OUTLINE_OTHER, 0},
    {"{\"id\":7,\"method\":\"sampling/createMessage\",\"params\":{}}", OUTLINE_OTHER, 0},
    {"{\"method\":\"notifications/progress\",\"params\":{\"x\":{\"progressToken\":9},"
     "\"progressToken\":5}}",
     OUTLINE_PROGRESS, 5},
    {"{\"params\":{\"progressToken\":5},\"method\":\"notifications/progress\"}", OUTLINE_PROGRESS,
     5},
    {"{\"method\":\"notifications/progress\",\"params\":{\"progress\":1}}", OUTLINE_OTHER, 0},
    {"{\"method\":\"notifications/progress\",\"result\":{\"progressToken\":5}}", OUTLINE_OTHER, 0},
    {"[{\"id\":7,\"result\":{}}]", OUTLINE_UNKNOWN, 0},
    {"just noise, no message \"id\":7}}}}", OUTLINE_UNKNOWN, 0},
    {"{\"result\":\"it never ends", OUTLINE_UNKNOWN, 0},
};

START_TEST(a_line_that_is_too_long_says_whose_it_is)
{
    const char *text = outlines[_i].text;

    for (size_t piece = 1; piece <= strlen(text); piece++) {
        struct outline outline = {0};

        for (size_t at = 0; at < strlen(text); at += piece)
            outline_feed(&outline, text + at,
                         strlen(text) - at < piece ? strlen(text) - at : piece);
        outline_end(&outline);
        ck_assert_int_eq(outline.kind, outlines[_i].kind);
        ck_assert_uint_eq(outline.number, outlines[_i].number);
    }
}
END_TEST

/* It is told when it is known, or when it is too much; and once. */
START_TEST(a_line_that_is_too_long_is_told_before_it_ends)
{
    static const char early[] = "{\"id\":3,\"result\":\"aaaaaaaa", late[] = "{\"result\":\"aaaaaaa";
    struct lines lines;
    size_t used;

    lines_init(&lines, 20);
    ck_assert_int_eq(lines_feed(&lines, early, sizeof(early) - 1, &used), LINES_TOO_LONG);
    ck_assert_int_eq(lines.outline.kind, OUTLINE_ANSWER);
    ck_assert_uint_eq(lines.outline.number, 3);
    ck_assert_int_eq(lines_feed(&lines, "b\"}\n", 4, &used), LINES_MORE);
    ck_assert_int_eq(lines_feed(&lines, late, sizeof(late) - 1, &used), LINES_MORE);
    for (size_t n = sizeof(late) - 1; n < (size_t)20 * 16 - 1; n++)
        ck_assert_int_eq(lines_feed(&lines, "a", 1, &used), LINES_MORE);
    ck_assert_int_eq(lines_feed(&lines, "a", 1, &used), LINES_TOO_LONG);
    ck_assert_int_eq(lines.outline.kind, OUTLINE_UNKNOWN);
    ck_assert_int_eq(lines_feed(&lines, "\",\"id\":3}\n", 10, &used), LINES_MORE);
    ck_assert_int_eq(lines_feed(&lines, "x\n", 2, &used), LINES_LINE);
    lines_done(&lines);
}
END_TEST

static const struct {
    const char *text;
    bool tls;
    const char *host, *port, *target, *authority;
} urls[] = {
    {"http://127.0.0.1:3001/mcp", false, "127.0.0.1", "3001", "/mcp", "127.0.0.1:3001"},
    {"HTTPS://Mcp.Example.com", true, "Mcp.Example.com", "443", "/", "Mcp.Example.com"},
    {"https://a_b-c.example/x?y=z%20", true, "a_b-c.example", "443", "/x?y=z%20", "a_b-c.example"},
    {"http://[::1]:80/", false, "::1", "80", "/", "[::1]:80"},
    {"http://[fe80::1]", false, "fe80::1", "80", "/", "[fe80::1]"},
    {"http://host?q", false, "host", "80", "?q", "host"},
};

START_TEST(urls_are_split)
{
    struct url url;
    struct error err = {0};

    ck_assert_int_eq(url_parse(urls[_i].text, &url, &err), ST_OK);
    ck_assert_int_eq(url.tls, urls[_i].tls);
    ck_assert_str_eq(url.host, urls[_i].host);
    ck_assert_str_eq(url.port, urls[_i].port);
    ck_assert_str_eq(url.target, urls[_i].target);
    ck_assert_str_eq(url.authority, urls[_i].authority);
}
END_TEST

static const char *const no_urls[] = {
    "",
    "ftp://host/",
    "//host/",
    "http://",
    "http:///x",
    "http://user:secret@host/",
    "http://host/#x",
    "http://host:0/",
    "http://host:65536/",
    "http://host:8a/",
    "http://host:/",
    "http://ho st/",
    "http://host/a\r\nX: y",
    "http://host/\xc3\xa9",
    "http://[::1/",
    "http://[zz]/",
    "http://[::1]x/",
    "http://a%41/",
    "http://host\\@other/",
};

START_TEST(other_urls_are_refused_with_words)
{
    struct url url;
    struct error err = {0};

    ck_assert_int_eq(url_parse(no_urls[_i], &url, &err), ST_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "URL"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("downstream_framing");
    TCase *tcase = tcase_create("framing");

    tcase_add_loop_test(tcase, streams_are_read_whatever_their_pieces, 0, (int)ARRAY_SIZE(streams));
    tcase_add_loop_test(tcase, an_event_beyond_the_limit_ends_the_stream, 0, 3);
    tcase_add_test(tcase, a_long_comment_is_no_event_and_not_kept);
    tcase_add_loop_test(tcase, a_line_that_is_too_long_says_whose_it_is, 0,
                        (int)ARRAY_SIZE(outlines));
    tcase_add_test(tcase, a_line_that_is_too_long_is_told_before_it_ends);
    tcase_add_test(tcase, lines_are_read_whatever_their_pieces);
    tcase_add_loop_test(tcase, urls_are_split, 0, (int)ARRAY_SIZE(urls));
    tcase_add_loop_test(tcase, other_urls_are_refused_with_words, 0, (int)ARRAY_SIZE(no_urls));
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
