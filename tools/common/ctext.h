/* SPDX-License-Identifier: Apache-2.0 */
/* C source of texts and bytes, for the host tools that generate C. */
#pragma once

#include "base/strbuf.h"

#include <stddef.h>

/* Appends "text" as a C string literal, NULL as NULL. */
void ctext_literal(struct strbuf *out, const char *text);
/* Appends the declaration of `static const char name[] = …;`. C promises string
 * literals up to 4,095 characters only; longer texts become numbers. */
void ctext_declare(struct strbuf *out, const char *name, const char *text);
/* Appends {18, 52, … 0}, unsigned bytes with a NUL added. */
void ctext_bytes(struct strbuf *out, const void *bytes, size_t len);
