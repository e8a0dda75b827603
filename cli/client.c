/* SPDX-License-Identifier: Apache-2.0 */
/* The client of mal stdio: messages on stdout, words on stderr. */
#include "client.h"

#include "wire/json.h"

#include <stdarg.h>
#include <stdio.h>

void client_emit(const char *json, size_t len)
{
    CLEANUP(strbuf_done) struct strbuf line = STRBUF_INIT;

    json_put_compact(&line, json, len);
    strbuf_char(&line, '\n');
    (void)fwrite(line.data, 1, line.len, stdout);
    (void)fflush(stdout);
}

void client_complain(const char *fmt, ...)
{
    va_list ap;

    (void)fputs("mal stdio: ", stderr);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
}
