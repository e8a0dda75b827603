/* SPDX-License-Identifier: Apache-2.0 */
/* logfmt lines on stderr. */
#include "base/log.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_SIZE = 2048 };
_Static_assert((int)LINE_SIZE <= (int)LOG_LINES_SIZE, "a line has room");

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *log_svc = "mal";
static enum log_level log_least = LOG_INFO;
static __thread struct log_lines *log_held; /* where this thread's lines gather */

void log_init(const char *svc, enum log_level level)
{
    log_svc = svc;
    log_least = level;
}

bool log_level_parse(const char *name, enum log_level *ret_level)
{
    for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

/* Appends text in quotes, what would break the line escaped. */
static size_t log_quote(char *out, size_t size, const char *text)
{
    size_t n = 0;

    out[n++] = '"';
    for (; *text && n + 4 < size; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\') {
            out[n++] = '\\';
            out[n++] = (char)c;
        } else if (c == '\n') {
            out[n++] = '\\';
            out[n++] = 'n';
        } else {
            out[n++] = (char)(c < 0x20 || c == 0x7f ? ' ' : c);
        }
    }
    out[n++] = '"';
    return n;
}

static void log_flush(struct log_lines *lines)
{
    if (lines->used > 0)
        (void)!write(STDERR_FILENO, lines->text, lines->used);
    lines->used = 0;
}

void log_hold(struct log_lines *lines)
{
    lines->used = 0;
    log_held = lines;
}

void log_release(void)
{
    log_flush(log_held);
    log_held = NULL;
}

static void log_put(enum log_level level, const char *line, size_t n)
{
    struct log_lines *lines = log_held;

    if (lines && (level >= LOG_WARN || n > sizeof lines->text - lines->used))
        log_flush(lines);
    if (lines && level < LOG_WARN) {
        memcpy(lines->text + lines->used, line, n);
        lines->used += n;
        return;
    }
    (void)!write(STDERR_FILENO, line, n);
}

PRINTF(3, 0)
static void log_line(enum log_level level, const char *fields, const char *fmt, va_list ap)
{
    char message[LINE_SIZE / 2], line[LINE_SIZE], ts[TIMESTAMP_SIZE];
    size_t n;
    int head;

    if (level < log_least)
        return;
    clock_format(clock_wall_ms(), ts);
    (void)vsnprintf(message, sizeof message, fmt, ap);
    head = snprintf(line, sizeof line / 2, "ts=%s level=%s svc=%s%s%.700s msg=", ts,
                    level_names[level], log_svc, fields ? " " : "", fields ? fields : "");
    n = head < 0 ? 0 : (size_t)head;
    if (n >= sizeof line / 2)
        n = sizeof line / 2 - 1;
    n += log_quote(line + n, sizeof line - n - 2, message);
    line[n++] = '\n';
    log_put(level, line, n);
}

void log_write(enum log_level level, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_line(level, NULL, fmt, ap);
    va_end(ap);
}

void log_fields(enum log_level level, const char *fields, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_line(level, fields, fmt, ap);
    va_end(ap);
}
