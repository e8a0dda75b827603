/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers of any service have in common. */
#pragma once

#include "base/strbuf.h"
#include "wire/call.h"
#include "wire/codec.h"
#include "wire/update.h"

/* ---- requests ---------------------------------------------------------- */

/* Splits a TAGS filter; nothing left in a given filter is a violation of field. */
enum status filter_tags(struct call *call, const char *field, const char *text, size_t *ret_n,
                        const char ***ret_tags) MUST_CHECK;
/* A RANGE filter; to before from is a violation. */
enum status filter_range(struct call *call, const char *from, const char *to) MUST_CHECK;
/* Whether the comma list names the word. */
bool list_names(const char *list, const char *word);
/* The value's spelling in JSON and in columns, NULL when it is not set or the
 * field is no enum. */
const char *enum_text(const ProtobufCMessage *message, const char *field);

/* ---- replies ----------------------------------------------------------- */

void *new_message(struct call *call, const ProtobufCMessageDescriptor *descriptor);

/* Completes Page<T> once items and total are there. */
#define PAGE_DONE(rsp, req)                                                                        \
    do {                                                                                           \
        (rsp)->count = (int32_t)(rsp)->n_items;                                                    \
        (rsp)->offset = (req)->offset;                                                             \
        (rsp)->has_more = (rsp)->total - (rsp)->count > (req)->offset && (rsp)->count > 0;         \
        if ((rsp)->has_more) {                                                                     \
            (rsp)->has_next_offset_case =                                                          \
                (__typeof__((rsp)->has_next_offset_case))PAGE_NEXT_OFFSET;                         \
            (rsp)->next_offset = (rsp)->offset + (rsp)->count;                                     \
        }                                                                                          \
    } while (0)
/* The number of next_offset, the same in every page message. */
enum { PAGE_NEXT_OFFSET = 6 };

/* Text in a strbuf moved into the call's arena; the buffer is emptied. */
const char *take_text(struct call *call, struct strbuf *buf);
/* The same without the line breaks at its end. */
const char *take_lines(struct call *call, struct strbuf *buf);

/* ---- failures ---------------------------------------------------------- */

/* Names what was not found; other failures pass. kind is "Skill". */
enum status fail_missing(struct call *call, enum status status, const char *kind, const char *id);
/* Names the taken id; other failures pass. */
enum status fail_taken(struct call *call, enum status status, const char *kind, const char *id);
/* The answer of a guarded tool without confirm. */
enum status fail_unconfirmed(struct call *call, const char *tool, const char *fmt, ...)
    PRINTF(3, 4);
