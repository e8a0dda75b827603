/* SPDX-License-Identifier: Apache-2.0 */
/* Strict JSON (RFC 8259): one validating pass over the text makes a flat tape of
 * nodes that point into it; no recursion, no tree. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"

#include <stdint.h>

enum json_type {
    JSON_T_NULL,
    JSON_T_FALSE,
    JSON_T_TRUE,
    JSON_T_INT,    /* number without fraction and exponent */
    JSON_T_NUMBER, /* any other number */
    JSON_T_STRING,
    JSON_T_ARRAY,
    JSON_T_OBJECT,
};

/* The children of an array are its elements, of an object key, value, key, …;
 * the first child is node + 1, a node's next sibling is node + node->span. */
struct json_node {
    enum json_type type;
    bool escaped;   /* a string with \ in it */
    bool broken;    /* a string with escapes of no character (loose reading only) */
    uint32_t start; /* offset of the first byte (strings: after the quote) */
    uint32_t len;   /* bytes (strings: without quotes, escapes as written) */
    uint32_t span;  /* nodes of this subtree, itself included */
    uint32_t count; /* elements, or members of an object */
};

struct json {
    const char *text;
    struct json_node *nodes; /* nodes[0] is the root */
    uint32_t n_nodes;
};

struct json_limits {
    uint32_t depth; /* default 64 */
    uint32_t nodes; /* default 200,000 */
    /* Takes escaped NUL and lone surrogates, which servers in JavaScript send;
     * json_text and json_is see U+FFFD for them, json_raw what was written; such a
     * string is broken, and wire_from_json refuses it by its field. */
    bool loose;
};

/* Parses the whole text; what follows the value but white space is an error.
 * Strings must be UTF-8 and free of NUL, escaped ones included; lone surrogates
 * are refused; so are doubled keys within one object.
 * limits NULL = defaults. Nodes live in the arena, text is borrowed.
 * Fails with INVALID_ARGUMENT, message "… at byte N". */
enum status json_parse(struct arena *arena, const char *text, size_t len,
                       const struct json_limits *limits, struct json *ret_json,
                       struct error *err) MUST_CHECK;

/* Value of a key, NULL when absent or when object is no object. */
const struct json_node *json_get(const struct json *json, const struct json_node *object,
                                 const char *key);
/* Walks down a path of keys ending in NULL. */
const struct json_node *json_path(const struct json *json, const struct json_node *object, ...)
    __attribute__((sentinel));
/* Text of a string node without escapes, always
 * NUL-terminated in the arena. NULL when node is NULL or no string. */
const char *json_text(struct arena *arena, const struct json *json, const struct json_node *node);
/* The node is that string (compared after unescaping). */
bool json_is(const struct json *json, const struct json_node *node, const char *text);
/* False when node is no JSON_T_INT in range. */
bool json_int(const struct json *json, const struct json_node *node, int64_t *ret_value);
bool json_double(const struct json *json, const struct json_node *node, double *ret_value);
/* The node as written, quotes included; borrowed from the text. */
const char *json_raw(const struct json *json, const struct json_node *node, size_t *ret_len);

#define json_first(node) ((node) + 1)
#define json_next(node) ((node) + (node)->span)

/* Writing. */
void json_put_string(struct strbuf *buf, const char *text);
void json_put_string_n(struct strbuf *buf, const char *text, size_t len);
/* Shortest text that reads back as the same double; integral values without a
 * fraction; not finite = 0. */
void json_put_double(struct strbuf *buf, double value);
/* Copies a node as it was written, but on one line. */
void json_put_node(struct strbuf *buf, const struct json *json, const struct json_node *node);
/* The same of an object's member: its key, the colon, its value. */
void json_put_member(struct strbuf *buf, const struct json *json, const struct json_node *key);
/* Copies JSON without insignificant white space; the text is valid. */
void json_put_compact(struct strbuf *buf, const char *text, size_t len);
