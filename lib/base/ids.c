/* SPDX-License-Identifier: Apache-2.0 */
/* Random identifiers. */
#include "base/ids.h"

#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void random_bytes(void *out, size_t len)
{
    char *p = out;

    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);

        if (n < 0) {
            if (errno == EINTR)
                continue;
            (void)fputs("no randomness\n", stderr);
            abort();
        }
        p += n;
        len -= (size_t)n;
    }
}

/* ---- the stock of a thread ---------------------------------------------------
 * Identifiers are made for every call, a system call for each is too much. What
 * was given out is wiped, and a forked process begins anew. */

enum { STOCK = 256 };

static __thread uint8_t stock[STOCK];
static __thread size_t stock_left;

static void forget_stock(void)
{
    stock_left = 0;
}

static void mind_forks(void)
{
    (void)pthread_atfork(NULL, NULL, forget_stock);
}

static void draw(uint8_t *out, size_t len)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    uint8_t *from;

    if (stock_left < len) {
        (void)pthread_once(&once, mind_forks);
        random_bytes(stock, sizeof stock);
        stock_left = sizeof stock;
    }
    stock_left -= len;
    from = stock + stock_left;
    memcpy(out, from, len);
    explicit_bzero(from, len);
}

/* ---- identifiers --------------------------------------------------------------- */

static char hex_digit(unsigned value)
{
    return "0123456789abcdef"[value & 15];
}

static void uuid_format(const uint8_t bytes[16], char out[UUID_SIZE])
{
    char *p = out;

    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = hex_digit(bytes[i] >> 4);
        *p++ = hex_digit(bytes[i]);
    }
    *p = '\0';
}

void uuid_v4(char out[UUID_SIZE])
{
    uint8_t bytes[16];

    draw(bytes, sizeof bytes);
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    uuid_format(bytes, out);
}

void uuid_v7(char out[UUID_SIZE])
{
    uint64_t ms = (uint64_t)clock_wall_ms();
    uint8_t bytes[16];

    draw(bytes + 6, sizeof bytes - 6);
    for (int i = 0; i < 6; i++)
        bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x70);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    uuid_format(bytes, out);
}

static const bool is_hex[UINT8_MAX + 1] = {
    ['0'] = true, ['1'] = true, ['2'] = true, ['3'] = true, ['4'] = true, ['5'] = true,
    ['6'] = true, ['7'] = true, ['8'] = true, ['9'] = true, ['a'] = true, ['b'] = true,
    ['c'] = true, ['d'] = true, ['e'] = true, ['f'] = true, ['A'] = true, ['B'] = true,
    ['C'] = true, ['D'] = true, ['E'] = true, ['F'] = true};

bool uuid_valid(const char *text)
{
    static const uint8_t groups[] = {8, 4, 4, 4, 12};

    /* By a table: whether a digit or a letter comes is what no processor guesses. */
    for (size_t group = 0; group < sizeof groups; group++) {
        for (int i = 0; i < groups[group]; i++)
            if (!is_hex[(uint8_t)*text++])
                return false;
        if (*text++ != (group + 1 < sizeof groups ? '-' : '\0'))
            return false;
    }
    return true;
}

void token_hex(char out[TOKEN_SIZE])
{
    uint8_t bytes[(TOKEN_SIZE - 1) / 2];

    draw(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        out[2 * i] = hex_digit(bytes[i] >> 4);
        out[2 * i + 1] = hex_digit(bytes[i]);
    }
    out[TOKEN_SIZE - 1] = '\0';
}
