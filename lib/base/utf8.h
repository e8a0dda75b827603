/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 (RFC 3629). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Valid UTF-8 without NUL. */
bool utf8_valid(const char *text, size_t len);
/* Code points of valid UTF-8. */
size_t utf8_length(const char *text, size_t len);
/* Replaces every invalid byte by U+FFFD; returns bytes written to out, which
 * has room for 3 * len. */
size_t utf8_repair(const char *text, size_t len, char *out);
/* Replaces every invalid byte by '?', in place: of text that was cut, for instance. */
void utf8_mend(char *text);
