/* SPDX-License-Identifier: Apache-2.0 */
/* mal starter load: sends content/ as one import, and its achievements. */
#include "hub.h"

#include "mal/catalog/v1/catalog.api.h"
#include "mal/gamify/v1/gamify.api.h"
#include "wire/codec.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMPORT_TIMEOUT_MS = 60000 };

/* One collection below content/: its folder, the file of its fields, and the
 * file whose text becomes a field. */
static const struct collection {
    const char *name, *file, *text_file, *text_field;
} collections[] = {
    {"mcps", NULL, NULL, NULL},
    {"skills", "skill.json", "SKILL.md", NULL},
    {"commands", "command.json", "script.sh", "script_template"},
    {"subagents", "subagent.json", "prompt.md", "system_prompt"},
};

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static enum status read_json(struct hub *hub, const char *path, json_t **ret_json,
                             struct error *err)
{
    json_error_t why;

    (void)hub;
    *ret_json = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    if (!*ret_json)
        return error_set(err, ST_INVALID_ARGUMENT, "%s: line %d: %s", path, why.line, why.text);
    return ST_OK;
}

/* Value of `key: value` in the front matter, the lines between the first two
 * lines of three hyphens. */
static const char *front_matter(struct arena *arena, const char *document, const char *key)
{
    size_t len = strlen(key);

    if (strncmp(document, "---\n", 4) != 0)
        return NULL;
    for (const char *line = document + 4; *line && strncmp(line, "---", 3) != 0;) {
        size_t n = strcspn(line, "\n");

        if (strncmp(line, key, len) == 0 && line[len] == ':') {
            const char *value = line + len + 1 + strspn(line + len + 1, " ");

            return arena_memdup(arena, value, n - (size_t)(value - line));
        }
        line += n + (line[n] == '\n');
    }
    return NULL;
}

static enum status skill_text(struct hub *hub, json_t *entry, const char *text, json_t *assets,
                              struct error *err)
{
    const char *id = json_string_value(json_object_get(entry, "id"));
    const char *path = json_string_value(json_object_get(entry, "asset_path"));
    const char *description = front_matter(&hub->arena, text, "description");

    if (!id || !description)
        return error_set(err, ST_INVALID_ARGUMENT, "skill '%s': no %s", id ? id : "?",
                         id ? "description in its front matter" : "id");
    if (!path)
        path = arena_printf(&hub->arena, "skills/%s/SKILL.md", id);
    (void)json_object_set_new(entry, "description", json_string(description));
    (void)json_object_set_new(entry, "asset_path", json_string(path));
    (void)json_object_set_new(assets, path, json_string(text));
    return ST_OK;
}

static enum status add_entry(struct hub *hub, const struct collection *collection,
                             const char *place, json_t *list, json_t *assets, struct error *err)
{
    struct arena *arena = &hub->arena;
    const char *file =
        collection->file ? arena_printf(arena, "%s/%s", place, collection->file) : place;
    const char *text = NULL;
    json_t *entry;

    TRY(read_json(hub, file, &entry, err));
    (void)json_array_append_new(list, entry);
    if (!collection->text_file)
        return ST_OK;
    text = cli_read_file(arena, arena_printf(arena, "%s/%s", place, collection->text_file), NULL);
    if (!text)
        return error_set(err, ST_NOT_FOUND, "%s/%s is missing", place, collection->text_file);
    if (!collection->text_field)
        return skill_text(hub, entry, text, assets, err);
    (void)json_object_set_new(entry, collection->text_field, json_string(text));
    return ST_OK;
}

static enum status add_collection(struct hub *hub, const char *content,
                                  const struct collection *collection, json_t *root, json_t *assets,
                                  struct error *err)
{
    const char *dir = arena_printf(&hub->arena, "%s/%s", content, collection->name);
    json_t *list = json_array();
    struct dirent **names = NULL;
    int n = scandir(dir, &names, visible, alphasort);
    enum status st = ST_OK;

    (void)json_object_set_new(root, collection->name, list);
    if (n < 0)
        return error_set(err, ST_NOT_FOUND, "%s is missing", dir);
    for (int i = 0; i < n; i++) {
        if (st == ST_OK)
            st = add_entry(hub, collection,
                           arena_printf(&hub->arena, "%s/%s", dir, names[i]->d_name), list, assets,
                           err);
        free(names[i]);
    }
    free(names);
    return st;
}

static enum status gather(struct hub *hub, const char *content, char **ret_text, struct error *err)
{
    json_auto_t *root = json_object();
    json_t *assets = json_object();

    (void)json_object_set_new(root, "version", json_string("1.0.0"));
    (void)json_object_set_new(root, "assets", assets);
    for (size_t i = 0; i < ARRAY_SIZE(collections); i++)
        TRY(add_collection(hub, content, &collections[i], root, assets, err));
    *ret_text = json_dumps(root, JSON_COMPACT);
    return *ret_text ? ST_OK : error_set(err, ST_INTERNAL, "the starter files are not UTF-8");
}

/* What was sent, and what came of it. */
struct starter {
    const Catalog__ImportCatalogResponse *catalog;
    int inserted, present; /* achievements */
};

static void put_counts(struct strbuf *report, const char *name, const Catalog__Counts *counts,
                       int achievements)
{
    strbuf_printf(report,
                  "\"%s\":{\"mcps\":%d,\"skills\":%d,\"commands\":%d,\"subagents\":%d,"
                  "\"achievements\":%d,\"total\":%d}",
                  name, counts->mcps, counts->skills, counts->commands, counts->subagents,
                  achievements, counts->total + achievements);
}

/* {"inserted":{…},"present":{…},"failed":n} */
static void report_json(struct strbuf *report, const struct starter *starter)
{
    strbuf_char(report, '{');
    put_counts(report, "inserted", starter->catalog->imported, starter->inserted);
    strbuf_char(report, ',');
    put_counts(report, "present", starter->catalog->skipped, starter->present);
    strbuf_printf(report, ",\"failed\":%zu}", starter->catalog->n_failures);
}

static void report_counts(struct strbuf *report, const struct starter *starter)
{
    const Catalog__ImportCatalogResponse *rsp = starter->catalog;
    const Catalog__Counts *in = rsp->imported, *had = rsp->skipped;
    int new = starter->inserted, old = starter->present;

    strbuf_printf(report, "mcps %d, skills %d, commands %d, subagents %d, achievements %d",
                  in->mcps + had->mcps, in->skills + had->skills, in->commands + had->commands,
                  in->subagents + had->subagents, new + old);
    strbuf_printf(report, ": %d inserted, %d already there", in->total + new, had->total + old);
    for (size_t i = 0; i < rsp->n_failures; i++)
        strbuf_printf(
            report, "\nfailed: %s '%s': %s",
            wire_enum_name(wire_rule(rsp->failures[i]->base.descriptor)->fields[0].enumeration,
                           (int)rsp->failures[i]->collection),
            rsp->failures[i]->id, rsp->failures[i]->reason);
}

static enum status import_catalog(struct hub *hub, const char *content_dir, struct starter *starter,
                                  struct error *err)
{
    Catalog__ImportCatalogRequest req = CATALOG__IMPORT_CATALOG_REQUEST__INIT;
    Catalog__ImportCatalogResponse *rsp = NULL;
    struct call call = hub_call(hub, IMPORT_TIMEOUT_MS);
    char *text = NULL;
    enum status st;

    TRY(gather(hub, content_dir, &text, err));
    req.data = text;
    req.confirm = true;
    st = catalog_import_catalog_call(hub->bus, &call, &req, IMPORT_TIMEOUT_MS, &rsp);
    free(text);
    starter->catalog = rsp;
    return hub_failed(&call, st, err);
}

static enum status import_achievements(struct hub *hub, const char *content_dir,
                                       struct starter *starter, struct error *err)
{
    const char *path = arena_printf(&hub->arena, "%s/achievements.json", content_dir);
    const char *items = cli_read_file(&hub->arena, path, NULL), *text;
    struct call call = hub_call(hub, IMPORT_TIMEOUT_MS);
    Gamify__ImportAchievementsResponse *rsp = NULL;
    ProtobufCMessage *req = NULL;
    struct json json = {0};
    enum status st;

    if (!items)
        return error_set(err, ST_NOT_FOUND, "%s is missing", path);
    text = arena_printf(&hub->arena, "{\"items\":%s}", items);
    TRY(json_parse(&hub->arena, text, strlen(text), NULL, &json, err));
    TRY(wire_from_json(&hub->arena, gamify_import_achievements_rpc.request, &json, json.nodes, &req,
                       err));
    st = gamify_import_achievements_call(hub->bus, &call,
                                         (const Gamify__ImportAchievementsRequest *)(void *)req,
                                         IMPORT_TIMEOUT_MS, &rsp);
    if (st == ST_OK && rsp) {
        starter->inserted = rsp->inserted;
        starter->present = rsp->skipped;
    }
    return hub_failed(&call, st, err);
}

enum status hub_starter_load(struct hub *hub, const char *content_dir, bool json,
                             struct strbuf *report, struct error *err)
{
    struct starter starter = {0};

    if (!content_dir)
        content_dir = cli_share(&hub->arena, "content");
    if (!content_dir)
        return error_set(err, ST_NOT_FOUND, "the folder content is missing beside this binary");
    TRY(import_catalog(hub, content_dir, &starter, err));
    TRY(import_achievements(hub, content_dir, &starter, err));
    if (report && json)
        report_json(report, &starter);
    else if (report)
        report_counts(report, &starter);
    if (starter.catalog->n_failures > 0)
        return error_set(err, ST_FAILED_PRECONDITION, "%zu entries were refused: %s",
                         starter.catalog->n_failures, starter.catalog->failures[0]->reason);
    return ST_OK;
}

static const char starter_help[] =
    "Usage: mal starter load [--content DIR] [--dir DIR] [--json]\n\n"
    "Adds what is absent of the starter catalog and its achievements; changes\n"
    "nothing else.\n\n"
    "  --sample        add a sample project and four members as well\n"
    "  --content DIR   the files (default: those that come with mal)\n"
    "  --dir DIR       folder of the private stack (default .mal)\n"
    "  --json          print the counts as JSON\n";

/* The counts of the catalog stay on a line of their own. */
static enum status sample_load(struct hub *hub, bool json, struct error *err)
{
    CLEANUP(strbuf_done) struct strbuf report = STRBUF_INIT;

    TRY(hub_sample_load(hub, &report, err));
    if (!json)
        (void)puts(strbuf_cstr(&report));
    return ST_OK;
}

int cmd_starter(int argc, char **argv)
{
    CLEANUP(strbuf_done) struct strbuf report = STRBUF_INIT;
    const char *dir = NULL, *content = getenv("MAL_CONTENT_DIR");
    struct hub hub = {0};
    struct error err = {0};
    bool load = false, json = false, sample = false;
    enum status st;

    for (int i = 1; i < argc; i++) {
        const char *value;

        if ((value = cli_option(argc, argv, &i, "--dir")))
            dir = value;
        else if ((value = cli_option(argc, argv, &i, "--content")))
            content = value;
        else if (cli_flag(argv[i], "load"))
            load = true;
        else if (cli_flag(argv[i], "--json"))
            json = true;
        else if (cli_flag(argv[i], "--sample"))
            sample = true;
        else if (cli_flag(argv[i], "--help"))
            return fputs(starter_help, stdout) < 0 ? EXIT_FAILED : EXIT_DONE;
        else
            return cli_usage("starter: '%s' is one word too many", argv[i]);
    }
    if (!load)
        return cli_usage("starter needs the word load");
    st = hub_open_dir(&hub, dir, &err);
    if (st == ST_OK)
        st = hub_starter_load(&hub, content, json, &report, &err);
    if (report.len > 0)
        (void)puts(strbuf_cstr(&report));
    if (st == ST_OK && sample)
        st = sample_load(&hub, json, &err);
    hub_close(&hub);
    return st == ST_OK ? EXIT_DONE : cli_fail(&err);
}
