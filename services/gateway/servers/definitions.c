/* SPDX-License-Identifier: Apache-2.0 */
/* Reading definitions of downstream servers. */
#include "definitions.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 128, NODES_MAX = 4000000 };

static const char *const keys[DEFINITION_KINDS] = {"name", "uri", "uriTemplate", "name"};

static bool parse(struct definitions *d, const char *text, enum json_type type,
                  struct json *ret_json)
{
    const struct json_limits limits = {.depth = DEPTH_MAX, .nodes = NODES_MAX, .loose = true};

    if (*text == '\0')
        return false;
    if (json_parse(&d->arena, text, strlen(text), &limits, ret_json, NULL) == ST_OK &&
        ret_json->nodes->type == type)
        return true;
    *ret_json = (struct json){0};
    log_warn("the definitions of server %s cannot be read", d->record->id);
    return false;
}

static int compare(const void *a, const void *b)
{
    const struct definition *const *left = a, *const *right = b;

    return strcmp((*left)->key, (*right)->key);
}

static void read_list(struct definitions *d, enum definition_kind kind, const char *text)
{
    struct definition_list *list = &d->lists[kind];
    const struct json_node *root, *node;

    if (!parse(d, text, JSON_T_ARRAY, &list->json))
        return;
    root = list->json.nodes;
    list->items = arena_alloc(&d->arena, root->count * sizeof(*list->items));
    list->by_key = arena_alloc(&d->arena, root->count * sizeof(void *));
    for (node = json_first(root); node < root + root->span; node = json_next(node)) {
        struct definition *item = &list->items[list->n];

        item->key = json_text(&d->arena, &list->json, json_get(&list->json, node, keys[kind]));
        if (item->key == NULL)
            continue;
        item->json = &list->json;
        item->node = node;
        item->text = json_raw(&list->json, node, &item->len);
        item->mirrored = memmem(item->text, item->len, "x-mcp-header", 12) != NULL;
        list->by_key[list->n++] = item;
    }
    qsort(list->by_key, list->n, sizeof(void *), compare);
}

struct definitions *definitions_new(McpHealth__Definitions *record)
{
    struct definitions *d = calloc(1, sizeof(*d));

    if (d == NULL)
        abort();
    d->refs = 1;
    arena_init(&d->arena);
    d->record = record;
    d->version = mcp_version_parse(record->protocol_version);
    read_list(d, DEFINITION_TOOL, record->tools);
    read_list(d, DEFINITION_RESOURCE, record->resources);
    read_list(d, DEFINITION_TEMPLATE, record->resource_templates);
    read_list(d, DEFINITION_PROMPT, record->prompts);
    (void)parse(d, record->capabilities, JSON_T_OBJECT, &d->capabilities);
    return d;
}

struct definitions *definitions_ref(struct definitions *definitions)
{
    (void)atomic_fetch_add(&definitions->refs, 1);
    return definitions;
}

void definitions_unref(struct definitions *definitions)
{
    if (definitions == NULL || atomic_fetch_sub(&definitions->refs, 1) > 1)
        return;
    arena_done(&definitions->arena);
    mcp_health__definitions__free_unpacked(definitions->record, NULL);
    free(definitions);
}

const struct definition *definitions_find(const struct definitions *definitions,
                                          enum definition_kind kind, const char *key)
{
    const struct definition_list *list = &definitions->lists[kind];
    const struct definition wanted = {.key = key}, *pointer = &wanted, **found = NULL;

    if (list->n > 0)
        found = bsearch(&pointer, list->by_key, list->n, sizeof(void *), compare);
    return found != NULL ? *found : NULL;
}
