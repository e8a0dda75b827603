/* SPDX-License-Identifier: Apache-2.0 */
/* logfmt on stderr, one line an event, written with one write(2) or together. */
#pragma once

#include "base/cleanup.h"

#include <stddef.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Before threads start. svc is borrowed for ever. */
void log_init(const char *svc, enum log_level level);
/* False for an unknown name. */
_Bool log_level_parse(const char *name, enum log_level *ret_level);
/* ts=… level=… svc=… msg="…"; control characters and quotes in the text are
 * escaped. Never payloads, never secrets. */
void log_write(enum log_level level, const char *fmt, ...) PRINTF(2, 3);
/* The same with fields before the message: fields is ready logfmt such as
 * "req=… tool=…"; values from outside go through log_value first. */
void log_fields(enum log_level level, const char *fields, const char *fmt, ...) PRINTF(3, 4);

/* Between the two the lines of this thread gather in memory that the caller has, to be
 * written at the end in one system call, and before a warning, which is written at
 * once. Nothing may wait in between. */
enum { LOG_LINES_SIZE = 8192 };
struct log_lines {
    size_t used;
    char text[LOG_LINES_SIZE];
};
void log_hold(struct log_lines *lines);
void log_release(void);

#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
