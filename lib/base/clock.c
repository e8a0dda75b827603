/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks, RFC 3339 times and calendar dates. */
#include "base/clock.h"

#include <string.h>

int64_t clock_wall_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_mono_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

struct timespec clock_in_ms(int64_t ms)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_REALTIME, &ts);
    ts.tv_sec += ms / 1000;
    ts.tv_nsec += ms % 1000 * 1000000L;
    if (ts.tv_nsec >= 1000000000L) {
        ts.tv_nsec -= 1000000000L;
        ts.tv_sec++;
    }
    return ts;
}

/* The last n digits of the value. */
static void put_digits(char *out, int n, unsigned value)
{
    for (; n > 0; value /= 10)
        out[--n] = (char)('0' + value % 10);
}

void clock_format(int64_t wall_ms, char out[TIMESTAMP_SIZE])
{
    int64_t ms = wall_ms % 1000;
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;

    if (ms < 0) {
        ms += 1000;
        seconds--;
    }
    if (!gmtime_r(&seconds, &tm) || tm.tm_year < -1900 || tm.tm_year > 8099)
        tm = (struct tm){.tm_year = 70, .tm_mday = 1};
    memcpy(out, "0000-00-00T00:00:00.000Z", TIMESTAMP_SIZE);
    put_digits(out, 4, (unsigned)(tm.tm_year + 1900));
    put_digits(out + 5, 2, (unsigned)(tm.tm_mon + 1));
    put_digits(out + 8, 2, (unsigned)tm.tm_mday);
    put_digits(out + 11, 2, (unsigned)tm.tm_hour);
    put_digits(out + 14, 2, (unsigned)tm.tm_min);
    put_digits(out + 17, 2, (unsigned)tm.tm_sec);
    put_digits(out + 20, 3, (unsigned)ms);
}

/* Reads exactly n digits. */
static bool digits(const char **text, int n, int *ret_value)
{
    int value = 0;

    for (int i = 0; i < n; i++) {
        char c = (*text)[i];

        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    *text += n;
    *ret_value = value;
    return true;
}

static bool literal(const char **text, char c)
{
    if (**text != c)
        return false;
    (*text)++;
    return true;
}

static bool parse_date(const char **text, struct tm *tm)
{
    static const int month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day;
    bool leap;

    if (!digits(text, 4, &year) || !literal(text, '-') || !digits(text, 2, &month) ||
        !literal(text, '-') || !digits(text, 2, &day))
        return false;
    leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > month_days[month - 1] ||
        (month == 2 && day == 29 && !leap))
        return false;
    *tm = (struct tm){.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    return true;
}

bool clock_date_valid(const char *text)
{
    struct tm tm;

    return parse_date(&text, &tm) && *text == '\0';
}

static bool parse_fraction(const char **text, int *ret_ms)
{
    int n = 0, scale = 100;

    *ret_ms = 0;
    if (!literal(text, '.'))
        return true;
    for (; **text >= '0' && **text <= '9'; (*text)++, n++, scale /= 10)
        *ret_ms += (**text - '0') * scale;
    return n >= 1 && n <= 9;
}

static bool parse_offset(const char **text, int *ret_seconds)
{
    int sign = **text == '-' ? -1 : 1;
    int hours, minutes;

    *ret_seconds = 0;
    if (literal(text, 'Z') || literal(text, 'z'))
        return true;
    if (!literal(text, '+') && !literal(text, '-'))
        return false;
    if (!digits(text, 2, &hours) || !literal(text, ':') || !digits(text, 2, &minutes) ||
        hours > 23 || minutes > 59)
        return false;
    *ret_seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool clock_parse(const char *text, int64_t *ret_wall_ms)
{
    struct tm tm;
    int ms, offset;

    if (!parse_date(&text, &tm) || (*text != 'T' && *text != 't'))
        return false;
    text++;
    if (!digits(&text, 2, &tm.tm_hour) || !literal(&text, ':') || !digits(&text, 2, &tm.tm_min) ||
        !literal(&text, ':') || !digits(&text, 2, &tm.tm_sec) || tm.tm_hour > 23 ||
        tm.tm_min > 59 || tm.tm_sec > 60)
        return false;
    if (!parse_fraction(&text, &ms) || !parse_offset(&text, &offset) || *text)
        return false;
    *ret_wall_ms = ((int64_t)timegm(&tm) - offset) * 1000 + ms;
    return true;
}
