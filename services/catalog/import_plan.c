/* SPDX-License-Identifier: Apache-2.0 */
/* Finds out what an import would do: which entries are valid, which exist. */
#include "import.h"

#include "exchange.sql.h"

enum { JSON_DEPTH = 40, JSON_NODES = 1000000 };

static const struct import_kind kinds[] = {
    {CATALOG__COLLECTION__COLLECTION_MCPS,
     "mcps",
     &catalog__register_mcp_request__descriptor,
     {"created_at", "updated_at", "status", NULL}},
    {CATALOG__COLLECTION__COLLECTION_SKILLS,
     "skills",
     &catalog__register_skill_request__descriptor,
     {"created_at", "updated_at", "has_content", "content_sha256", NULL}},
    {CATALOG__COLLECTION__COLLECTION_COMMANDS,
     "commands",
     &catalog__register_command_request__descriptor,
     {"created_at", "updated_at", NULL}},
    {CATALOG__COLLECTION__COLLECTION_SUBAGENTS,
     "subagents",
     &catalog__register_subagent_request__descriptor,
     {"created_at", "updated_at", NULL}},
};
/* Strings seen, each with the entry it stands for; open addressing. */
struct seen {
    size_t size; /* a power of two, more than twice what is put in */
    struct {
        const char *key;
        struct import_entry *entry;
    } * slots;
};

static void seen_init(struct seen *seen, struct arena *arena, size_t n)
{
    seen->size = 16;
    while (seen->size < 4 * n)
        seen->size *= 2;
    seen->slots = arena_alloc(arena, seen->size * sizeof(*seen->slots));
}

static size_t seen_slot(const struct seen *seen, const char *key)
{
    uint64_t hash = 1469598103934665603u;

    for (const char *p = key; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    while (seen->slots[hash & (seen->size - 1)].key &&
           strcmp(seen->slots[hash & (seen->size - 1)].key, key) != 0)
        hash++;
    return hash & (seen->size - 1);
}

static struct import_entry *seen_get(const struct seen *seen, const char *key)
{
    return seen->slots[seen_slot(seen, key)].entry;
}

static void seen_put(struct seen *seen, const char *key, struct import_entry *entry)
{
    size_t slot = seen_slot(seen, key);

    seen->slots[slot].key = key;
    seen->slots[slot].entry = entry;
}

static enum status refuse(struct call *call, const char *what)
{
    call_field(call, "data", "%s", what);
    return call_invalid(call);
}

static enum status parse(struct import *import, const char *data)
{
    static const struct json_limits limits = {.depth = JSON_DEPTH, .nodes = JSON_NODES};
    struct error err = {0};
    struct call *call = import->call;
    const char *version;

    if (json_parse(call->arena, data, strlen(data), &limits, &import->json, &err) != ST_OK)
        return refuse(call, arena_printf(call->arena, "is no JSON: %s", err.message));
    if (import->json.nodes->type != JSON_T_OBJECT)
        return refuse(call, "must hold a JSON object");
    version = json_text(call->arena, &import->json,
                        json_get(&import->json, import->json.nodes, "version"));
    if (!version || strncmp(version, "1.", 2) != 0)
        return refuse(call, "must have a version 1.x.y as mal_export_catalog writes it");
    return ST_OK;
}

static bool is_known_key(const char *key)
{
    static const char *const others[] = {"version", "exported_at", "assets"};

    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (strcmp(others[i], key) == 0)
            return true;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (strcmp(kinds[i].key, key) == 0)
            return true;
    return false;
}

static void warn_keys(struct import *import)
{
    const struct json_node *key = json_first(import->json.nodes);

    for (uint32_t i = 0; i < import->json.nodes->count; i++) {
        const char *name = json_text(import->call->arena, &import->json, key);

        if (!is_known_key(name))
            names_add(
                import->call, &import->warnings,
                arena_printf(import->call->arena, "The key '%.100s' is unknown; ignored.", name));
        key = json_next(json_next(key));
    }
}

/* The arrays of the file, NULL where it has none. */
static enum status find_collections(struct import *import, const struct json_node **ret_arrays)
{
    struct call *call = import->call;

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        ret_arrays[i] = json_get(&import->json, import->json.nodes, kinds[i].key);
        if (ret_arrays[i] && ret_arrays[i]->type != JSON_T_ARRAY)
            call_field(call, arena_printf(call->arena, "data.%s", kinds[i].key),
                       "must be an array");
        else if (ret_arrays[i])
            import->n_entries += ret_arrays[i]->count;
    }
    import->assets = json_get(&import->json, import->json.nodes, "assets");
    if (import->assets && import->assets->type != JSON_T_OBJECT)
        call_field(call, "data.assets", "must be an object");
    return call_invalid(call);
}

static const char *asset_path(const struct import_entry *entry)
{
    const Catalog__RegisterSkillRequest *skill = (const void *)entry->request;

    return entry->kind->collection == CATALOG__COLLECTION__COLLECTION_SKILLS && entry->request
               ? skill->asset_path
               : "";
}

/* Ids are unique in a collection, paths among the skills; neither has a space. */
static const char *id_key(struct import *import, const struct import_kind *kind, const char *id)
{
    return arena_printf(import->call->arena, "%s %s", kind->key, id);
}

static void refuse_double(struct import *import, struct seen *seen, struct import_entry *entry)
{
    const char *path = asset_path(entry), *key = id_key(import, entry->kind, entry->id);
    const struct import_entry *other;

    if (entry->reason)
        return;
    if (seen_get(seen, key)) {
        entry->reason = "id: is in the file twice";
        return;
    }
    other = *path ? seen_get(seen, path) : NULL;
    if (other) {
        entry->reason = arena_printf(import->call->arena,
                                     "asset_path: is also that of '%s' in the file", other->id);
        return;
    }
    seen_put(seen, key, entry);
    if (*path)
        seen_put(seen, path, entry);
}

static void read_entries(struct import *import, const struct json_node *const *arrays,
                         struct seen *seen)
{
    struct import_entry *entry;

    seen_init(seen, import->call->arena, 2 * import->n_entries);

    import->entries = entry =
        arena_alloc(import->call->arena, import->n_entries * sizeof(*import->entries));
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        const struct json_node *node;

        if (!arrays[i])
            continue;
        node = json_first(arrays[i]);
        for (uint32_t k = 0; k < arrays[i]->count; k++, node = json_next(node), entry++) {
            entry->kind = &kinds[i];
            entry->index = (int)k;
            import_read_entry(import, node, entry);
            refuse_double(import, seen, entry);
        }
    }
}

/* Ids of the valid entries of each collection, in the order of Collection. */
static void gather_ids(struct import *import, struct names ids[5], struct names *paths)
{
    for (size_t i = 0; i < import->n_entries; i++) {
        const struct import_entry *entry = &import->entries[i];

        if (entry->reason)
            continue;
        names_add(import->call, &ids[entry->kind->collection], entry->id);
        if (*asset_path(entry))
            names_add(import->call, paths, asset_path(entry));
    }
}

static void mark_existing(struct import *import, const struct seen *seen,
                          const struct pg_rows *rows)
{
    for (int i = 0; i < rows->n; i++) {
        struct import_entry *entry =
            seen_get(seen, arena_printf(import->call->arena, "%s %s",
                                        pg_cell(rows, i, "collection"), pg_cell(rows, i, "id")));

        if (entry)
            entry->exists = true;
    }
}

static void refuse_taken_paths(struct import *import, const struct seen *seen,
                               const struct pg_rows *rows)
{
    for (int i = 0; i < rows->n; i++) {
        struct import_entry *entry = seen_get(seen, pg_cell(rows, i, "path"));

        if (entry && !entry->exists)
            entry->reason = arena_printf(import->call->arena, "asset_path: belongs to skill '%s'",
                                         pg_cell(rows, i, "id"));
    }
}

static enum status compare_with_catalog(struct import *import, const struct seen *seen)
{
    struct call *call = import->call;
    struct names ids[5] = {{0}}, paths = {0};
    const struct names *skills = &ids[CATALOG__COLLECTION__COLLECTION_SKILLS];
    const struct names *commands = &ids[CATALOG__COLLECTION__COLLECTION_COMMANDS];
    const struct names *subagents = &ids[CATALOG__COLLECTION__COLLECTION_SUBAGENTS];
    const struct names *mcps = &ids[CATALOG__COLLECTION__COLLECTION_MCPS];
    struct pg_rows rows;

    gather_ids(import, ids, &paths);
    TRY(pg_rows(call, &rows, sql_exchange_known, "aaaa", skills->n, skills->items, commands->n,
                commands->items, subagents->n, subagents->items, mcps->n, mcps->items));
    mark_existing(import, seen, &rows);
    TRY(pg_rows(call, &rows, sql_exchange_taken_paths, "a", paths.n, paths.items));
    refuse_taken_paths(import, seen, &rows);
    return ST_OK;
}

enum status import_plan(struct import *import, const char *data)
{
    const struct json_node *arrays[ARRAY_SIZE(kinds)];
    struct seen seen;

    TRY(parse(import, data));
    TRY(find_collections(import, arrays));
    warn_keys(import);
    read_entries(import, arrays, &seen);
    return compare_with_catalog(import, &seen);
}
