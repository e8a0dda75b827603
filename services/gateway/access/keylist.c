/* SPDX-License-Identifier: Apache-2.0 */
/* Reading MAL_API_KEYS. */
#include "keylist.h"

#include "base/clock.h"
#include "config.h"
#include "wire/json.h"

#include <ctype.h>
#include <string.h>

enum { SECRET_MAX = 512 };

struct keylist {
    struct arena *arena;
    struct listed_key *keys;
    size_t n;
    struct error *err;
};

unsigned scope_bit(const char *name)
{
    static const char *const names[] = {"read", "write", "destructive", "execute", "admin"};

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(name, names[i]) == 0)
            return 1u << i;
    return 0;
}

/* ^[A-Za-z0-9._-]{1,64}$ */
static bool name_valid(const char *name)
{
    size_t len = strlen(name);

    for (const char *c = name; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("._-", *c) == NULL)
            return false;
    return len >= 1 && len <= 64;
}

static bool secret_valid(const char *secret)
{
    for (const char *c = secret; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~')
            return false;
    return *secret != '\0' && strlen(secret) <= SECRET_MAX;
}

static enum status add(struct keylist *list, const struct listed_key *key)
{
    if (key->name == NULL || !name_valid(key->name))
        return error_set(list->err, ST_INVALID_ARGUMENT,
                         "MAL_API_KEYS: the name of key %zu must be 1 to 64 letters, digits, dots, "
                         "underscores or hyphens",
                         list->n + 1);
    if (key->secret == NULL || !secret_valid(key->secret))
        return error_set(list->err, ST_INVALID_ARGUMENT,
                         "MAL_API_KEYS: the key of %s must be 1 to %d printable characters without "
                         "blanks",
                         key->name, SECRET_MAX);
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->keys[i].name, key->name) == 0)
            return error_set(list->err, ST_INVALID_ARGUMENT, "MAL_API_KEYS: %s stands there twice",
                             key->name);
    if (list->n == KEYLIST_MAX)
        return error_set(list->err, ST_INVALID_ARGUMENT, "MAL_API_KEYS: more than %d keys",
                         KEYLIST_MAX);
    list->keys[list->n++] = *key;
    return ST_OK;
}

static enum status read_scopes(struct keylist *list, const struct json *json,
                               const struct json_node *node, struct listed_key *key)
{
    if (node == NULL)
        return ST_OK;
    if (node->type != JSON_T_ARRAY)
        return error_set(list->err, ST_INVALID_ARGUMENT, "MAL_API_KEYS: scopes must be an array");
    key->scopes = 0;
    for (const struct json_node *item = json_first(node); item < node + node->span;
         item = json_next(item)) {
        const char *name = json_text(list->arena, json, item);
        unsigned bit = name != NULL ? scope_bit(name) : 0;

        if (bit == 0)
            return error_set(list->err, ST_INVALID_ARGUMENT,
                             "MAL_API_KEYS: a scope is one of read, write, destructive, execute, "
                             "admin");
        key->scopes |= bit;
    }
    return ST_OK;
}

/* {"key":…, "scopes":[…], "expires_at":…} and in arrays also "name". */
static enum status add_object(struct keylist *list, const struct json *json, const char *name,
                              const struct json_node *node)
{
    struct listed_key key = {.name = name, .scopes = SCOPES_ALL};
    const struct json_node *expires = json_get(json, node, "expires_at");
    const char *text;

    if (name == NULL)
        key.name = json_text(list->arena, json, json_get(json, node, "name"));
    key.secret = json_text(list->arena, json, json_get(json, node, "key"));
    TRY(read_scopes(list, json, json_get(json, node, "scopes"), &key));
    if (expires != NULL && expires->type != JSON_T_NULL) {
        text = json_text(list->arena, json, expires);
        if (text == NULL || !clock_parse(text, &key.expires_ms))
            return error_set(list->err, ST_INVALID_ARGUMENT,
                             "MAL_API_KEYS: expires_at must be a time such as "
                             "2027-01-31T00:00:00Z");
    }
    return add(list, &key);
}

static enum status read_json(struct keylist *list, const char *text)
{
    struct json json;
    const struct json_node *root, *item, *end;

    if (json_parse(list->arena, text, strlen(text), NULL, &json, NULL) != ST_OK)
        return error_set(list->err, ST_INVALID_ARGUMENT, "MAL_API_KEYS: not valid JSON");
    root = json.nodes;
    end = root + root->span;
    for (item = json_first(root); item < end; item = json_next(item)) {
        const char *name = NULL;

        if (root->type == JSON_T_OBJECT) {
            name = json_text(list->arena, &json, item);
            item = json_next(item);
        } else if (item->type == JSON_T_STRING) {
            name = list->n == 0 ? "default" : arena_printf(list->arena, "default-%zu", list->n + 1);
        }
        if (item->type == JSON_T_OBJECT) {
            TRY(add_object(list, &json, name, item));
        } else {
            struct listed_key key = {.name = name, .scopes = SCOPES_ALL};

            key.secret = json_text(list->arena, &json, item);
            TRY(add(list, &key));
        }
    }
    return ST_OK;
}

static enum status read_words(struct keylist *list, const char *text)
{
    const char *word;
    size_t len;

    while ((word = config_list_next(&text, &len)) != NULL) {
        const char *colon = memchr(word, ':', len);
        struct listed_key key = {.name = "default", .scopes = SCOPES_ALL};

        if (colon != NULL) {
            key.name = arena_memdup(list->arena, word, (size_t)(colon - word));
            len -= (size_t)(colon - word) + 1;
            word = colon + 1;
        }
        key.secret = arena_memdup(list->arena, word, len);
        TRY(add(list, &key));
    }
    return ST_OK;
}

enum status keylist_parse(struct arena *arena, const char *text, const struct listed_key **ret_keys,
                          size_t *ret_n, struct error *err)
{
    struct keylist list = {.arena = arena, .err = err};

    list.keys = arena_alloc(arena, KEYLIST_MAX * sizeof(*list.keys));
    text += strspn(text, " \t\r\n");
    if (*text == '{' || *text == '[')
        TRY(read_json(&list, text));
    else
        TRY(read_words(&list, text));
    *ret_keys = list.keys;
    *ret_n = list.n;
    return ST_OK;
}
