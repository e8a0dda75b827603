/* SPDX-License-Identifier: Apache-2.0 */
/* Writing objects member by member, for bridge_*.c. */
#pragma once

#include "base/strbuf.h"
#include "wire/json.h"

#include <stdbool.h>

/* A comma unless an object or array was just begun. */
void put_comma(struct strbuf *out);
/* "key": with its comma; a plain name. */
void put_key(struct strbuf *out, const char *key);
/* The member at key as it is. */
void put_member(struct strbuf *out, const struct json *json, const struct json_node *key);
/* A block of text. */
void put_text_block(struct strbuf *out, const char *text);

/* Whether the key is one of the words, which end with NULL. */
bool key_in(const struct json *json, const struct json_node *key, const char *const *words);
/* The object without those members. */
void put_without(struct strbuf *out, const struct json *json, const struct json_node *object,
                 const char *const *words);

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* for each member of the object: key is its key. NULL and other types have none. */
#define FOR_MEMBERS(key, object)                                                                   \
    for (const struct json_node *key = is_object(object) ? json_first(object) : NULL,              \
                                *key##_end = is_object(object) ? (object) + (object)->span : NULL; \
         key < key##_end; key = json_next(json_next(key)))
/* for each element of the array. */
#define FOR_ITEMS(item, array)                                                                     \
    for (const struct json_node *item = is_array(array) ? json_first(array) : NULL,                \
                                *item##_end = is_array(array) ? (array) + (array)->span : NULL;    \
         item < item##_end; item = json_next(item))

static inline bool is_object(const struct json_node *node)
{
    return node != NULL && node->type == JSON_T_OBJECT;
}
static inline bool is_array(const struct json_node *node)
{
    return node != NULL && node->type == JSON_T_ARRAY;
}
