/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a message is that is too long to be kept: read from its bytes as they pass. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum outline_kind {
    OUTLINE_UNKNOWN,  /* nothing that says it (yet) */
    OUTLINE_ANSWER,   /* the answer to request `number` */
    OUTLINE_PROGRESS, /* the progress of the request with token `number` */
    OUTLINE_OTHER,    /* a notification or a request, which names none of ours */
};

struct outline {
    enum outline_kind kind;
    uint64_t number;
    /* Of the reader. */
    unsigned depth;
    bool in_text, escaped; /* within quotes; after a backslash */
    bool in_params;        /* at depth 2: within "params" */
    bool progress;         /* the method is notifications/progress */
    bool answers;          /* a result or error was seen */
    bool has_id, has_token;
    uint64_t id, token;
    char key[40], word[40]; /* the member at hand, and its value or the next key */
    size_t word_len;        /* what it would need */
};

/* Takes bytes of the message until its kind is known. */
void outline_feed(struct outline *outline, const char *bytes, size_t len);
/* The message is over: what it is if nothing more comes. */
void outline_end(struct outline *outline);
