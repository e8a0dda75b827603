/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the head of a response: strict where bytes could be taken for
 * something else, and blind to headers that mean nothing here. */
#include "downstream/http1_internal.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Header lines while they are read. */
struct fields {
    struct http1 *http;
    bool chunked, close, keep_alive, http10;
};

static bool token_char(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-')
        return true;
    return isdigit((unsigned char)c) || (c != '\0' && strchr("!#$%&'*+.^_`|~", c) != NULL);
}

/* Without blanks at its ends. */
static void trim(const char **value, size_t *len)
{
    while (*len > 0 && (**value == ' ' || **value == '\t')) {
        (*value)++;
        (*len)--;
    }
    while (*len > 0 && ((*value)[*len - 1] == ' ' || (*value)[*len - 1] == '\t'))
        (*len)--;
}

static bool equals(const char *value, size_t len, const char *word)
{
    return len == strlen(word) && strncasecmp(value, word, len) == 0;
}

/* Decimal digits only; false when there are others or too many. */
static bool number(const char *value, size_t len, uint64_t *ret_number)
{
    uint64_t n = 0;

    if (len == 0 || len > 15)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!isdigit((unsigned char)value[i]))
            return false;
        n = n * 10 + (uint64_t)(value[i] - '0');
    }
    *ret_number = n;
    return true;
}

static void content_length(struct fields *f, const char *value, size_t len)
{
    uint64_t n;

    if (!number(value, len, &n))
        http1_refuse(f->http, "a bad Content-Length");
    else if (f->http->has_length && f->http->left != n)
        http1_refuse(f->http, "two different Content-Lengths");
    else
        f->http->left = n;
    f->http->has_length = true;
}

static void transfer_encoding(struct fields *f, const char *value, size_t len)
{
    if (f->chunked || !equals(value, len, "chunked"))
        http1_refuse(f->http, "an unknown Transfer-Encoding");
    f->chunked = true;
}

static void connection(struct fields *f, const char *value, size_t len)
{
    while (len > 0) {
        const char *comma = memchr(value, ',', len);
        size_t part = comma != NULL ? (size_t)(comma - value) : len, word_len = part;
        const char *word = value;

        trim(&word, &word_len);
        f->close = f->close || equals(word, word_len, "close");
        f->keep_alive = f->keep_alive || equals(word, word_len, "keep-alive");
        if (comma == NULL)
            break;
        value += part + 1;
        len -= part + 1;
    }
}

/* Keep-Alive: timeout=5, max=100 */
static void keep_alive(struct fields *f, const char *value, size_t len)
{
    static const char word[] = "timeout=";
    const char *found = memmem(value, len, word, sizeof(word) - 1);
    size_t digits = 0, rest;
    uint64_t n;

    if (found == NULL)
        return;
    found += sizeof(word) - 1;
    rest = len - (size_t)(found - value);
    while (digits < rest && digits < 6 && isdigit((unsigned char)found[digits]))
        digits++;
    if (number(found, digits, &n))
        f->http->head.idle_s = (int)n;
}

static void content_type(struct fields *f, const char *value, size_t len)
{
    const char *semicolon = memchr(value, ';', len);
    char *out = f->http->head.content_type;

    if (semicolon != NULL)
        len = (size_t)(semicolon - value);
    trim(&value, &len);
    if (len >= HTTP1_VALUE_MAX)
        len = 0;
    for (size_t i = 0; i < len; i++)
        out[i] = (char)tolower((unsigned char)value[i]);
    out[len] = '\0';
}

/* Visible ASCII, and short enough to be sent back. */
static void session_id(struct fields *f, const char *value, size_t len)
{
    struct http1_head *head = &f->http->head;

    head->session_id_bad = len == 0 || len >= HTTP1_VALUE_MAX || head->session_id[0] != '\0';
    for (size_t i = 0; i < len; i++)
        if (value[i] < 0x21 || value[i] > 0x7e)
            head->session_id_bad = true;
    if (head->session_id_bad)
        return;
    memcpy(head->session_id, value, len);
    head->session_id[len] = '\0';
}

static void content_encoding(struct fields *f, const char *value, size_t len)
{
    f->http->head.encoded = !equals(value, len, "identity");
}

static void retry_after(struct fields *f, const char *value, size_t len)
{
    uint64_t n;

    if (number(value, len, &n) && n < 1000000)
        f->http->head.retry_after_s = (int)n;
}

#define KNOWN(name, fn)                                                                            \
    {                                                                                              \
        name, sizeof(name) - 1, fn                                                                 \
    }

static const struct {
    const char *name;
    size_t len;
    void (*read)(struct fields *f, const char *value, size_t len);
} known[] = {
    KNOWN("content-length", content_length),
    KNOWN("content-type", content_type),
    KNOWN("transfer-encoding", transfer_encoding),
    KNOWN("connection", connection),
    KNOWN("keep-alive", keep_alive),
    KNOWN("mcp-session-id", session_id),
    KNOWN("content-encoding", content_encoding),
    KNOWN("retry-after", retry_after),
};

static bool has_control(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 0x7f)
            return true;
    return false;
}

static void header_line(struct fields *f, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len), *value;
    size_t name_len, value_len;

    if (colon == NULL || colon == line) {
        http1_refuse(f->http, "a header line without a name");
        return;
    }
    name_len = (size_t)(colon - line);
    for (size_t i = 0; i < name_len; i++)
        if (!token_char(line[i])) {
            http1_refuse(f->http, "a bad header name");
            return;
        }
    value = colon + 1;
    value_len = len - name_len - 1;
    if (has_control(value, value_len)) {
        http1_refuse(f->http, "a control character in a header");
        return;
    }
    trim(&value, &value_len);
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (name_len == known[i].len && strncasecmp(line, known[i].name, name_len) == 0)
            known[i].read(f, value, value_len);
}

/* HTTP/1.1 200 Whatever */
static bool status_line(struct fields *f, const char *line, size_t len)
{
    static const char protocol[] = "HTTP/1.";
    size_t start = sizeof(protocol) - 1;

    if (len < start + 5 || memcmp(line, protocol, start) != 0 ||
        (line[start] != '0' && line[start] != '1') || line[start + 1] != ' ' ||
        (len > start + 5 && line[start + 5] != ' ') || has_control(line, len))
        return false;
    f->http10 = line[start] == '0';
    f->http->head.status = 0;
    for (size_t i = start + 2; i < start + 5; i++) {
        if (!isdigit((unsigned char)line[i]))
            return false;
        f->http->head.status = f->http->head.status * 10 + (line[i] - '0');
    }
    return f->http->head.status >= 100 && f->http->head.status <= 599;
}

static void begin_body(struct fields *f)
{
    struct http1 *http = f->http;
    int status = http->head.status;

    http->head.keep = f->http10 ? f->keep_alive && !f->close : !f->close;
    http->state = HTTP1_BODY;
    if (f->chunked && (http->has_length || f->http10)) {
        http1_refuse(http, "chunks together with a length");
    } else if (status == 204 || status == 304) {
        http->framing = FRAMING_NONE;
        http->state = HTTP1_DONE;
    } else if (f->chunked) {
        http->framing = FRAMING_CHUNKED;
        http->left = 0;
    } else if (http->has_length) {
        http->framing = FRAMING_LENGTH;
        if (http->left == 0)
            http->state = HTTP1_DONE;
    } else {
        http->framing = FRAMING_EOF;
        http->head.keep = false;
    }
}

/* The next line break, which there is. */
static const char *line_end(const char *line, const char *end)
{
    const char *cr = line;

    while ((cr = memchr(cr, '\r', (size_t)(end - cr))) != NULL && cr[1] != '\n')
        cr++;
    return cr;
}

/* A whole head, its empty line included. */
static void read_head(struct http1 *http, const char *text, size_t len)
{
    struct fields f = {.http = http};
    const char *end = text + len - 2;
    unsigned lines = 0;

    for (const char *line = text, *next; line < end && http->state == HTTP1_HEAD; line = next) {
        const char *eol = line_end(line, end + 1);

        next = eol + 2;
        if (lines++ > HTTP1_HEADERS_MAX)
            http1_refuse(http, "too many headers");
        else if (lines > 1)
            header_line(&f, line, (size_t)(eol - line));
        else if (!status_line(&f, line, (size_t)(eol - line)))
            http1_refuse(http, "something that is not HTTP/1.1");
    }
    if (http->state != HTTP1_HEAD)
        return;
    if (http->head.status == 101) {
        http1_refuse(http, "a switch to another protocol");
    } else if (http->head.status < 200) {
        /* An interim answer: the real one follows. */
        unsigned bytes = http->head_bytes;

        http1_reset(http);
        http->head_bytes = bytes;
    } else {
        begin_body(&f);
    }
}

/* Bytes up to the end of the empty line; 0 when it is not there. before: bytes
 * that were searched already. */
static size_t head_end(const char *text, size_t len, size_t before)
{
    size_t from = before > 3 ? before - 3 : 0;
    const char *end = text + len, *cr = text + from;

    while (end - cr >= 4 && (cr = memchr(cr, '\r', (size_t)(end - cr) - 3)) != NULL) {
        if (memcmp(cr, "\r\n\r\n", 4) == 0)
            return (size_t)(cr - text) + 4;
        cr++;
    }
    return 0;
}

size_t http1_feed_head(struct http1 *http, const char *bytes, size_t len)
{
    size_t before = http->text.len, room = HTTP1_HEAD_MAX - http->head_bytes, end;
    size_t take = len < room - before ? len : room - before;

    /* What is no HTTP is refused before a head's worth of it has come. */
    if (before == 0 && len > 0 && *bytes != 'H') {
        http1_refuse(http, "something that is not HTTP/1.1");
        return 0;
    }
    if (before == 0 && (end = head_end(bytes, take, 0)) > 0) {
        http->head_bytes += (unsigned)end;
        read_head(http, bytes, end);
        return end;
    }
    strbuf_add(&http->text, bytes, take);
    end = head_end(http->text.data, http->text.len, before);
    if (end == 0) {
        if (http->text.len >= room)
            http1_refuse(http, "a head that is too long");
        return take;
    }
    http->head_bytes += (unsigned)end;
    read_head(http, http->text.data, end);
    return end - before;
}
