/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of a contribution in its metadata: what the award and the counts
 * are made from. */
#include "metadata.h"

#include "rules.h"
#include "wire/json.h"

enum { LINES_MAX = 1000000000, COUNT_MAX = 1000, FILES_MAX = 1000000, STORY_POINTS_MAX = 100 };

struct reader {
    struct call *call;
    struct json json;
    const struct json_node *object;
    const char *path; /* of the object, in words for the caller */
};

static void refuse(const struct reader *r, const char *key, const char *wanted)
{
    call_field(r->call, arena_printf(r->call->arena, "%s.%s", r->path, key), "%s", wanted);
}

/* NULL when absent or null. */
static const struct json_node *find(const struct reader *r, const char *key)
{
    const struct json_node *node = json_get(&r->json, r->object, key);

    return node && node->type != JSON_T_NULL ? node : NULL;
}

static int read_int(const struct reader *r, const char *key, int max)
{
    const struct json_node *node = find(r, key);
    int64_t value = 0;

    if (!node)
        return 0;
    if (json_int(&r->json, node, &value) && value >= 0 && value <= max)
        return (int)value;
    refuse(r, key, arena_printf(r->call->arena, "must be a whole number from 0 to %d", max));
    return 0;
}

static bool read_bool(const struct reader *r, const char *key)
{
    const struct json_node *node = find(r, key);

    if (node && node->type != JSON_T_TRUE && node->type != JSON_T_FALSE)
        refuse(r, key, "must be true or false");
    return node && node->type == JSON_T_TRUE;
}

/* Whether an element before it says the same. */
static bool said_before(const struct reader *r, const struct json_node *list,
                        const struct json_node *element, const char *text)
{
    for (const struct json_node *e = json_first(list); e != element; e = json_next(e))
        if (json_is(&r->json, e, text))
            return true;
    return false;
}

/* A number, or a list of texts that is counted. */
static int read_count(const struct reader *r, const char *key, bool distinct)
{
    const struct json_node *node = find(r, key), *element;
    int n = 0;

    if (!node || node->type != JSON_T_ARRAY)
        return read_int(r, key, COUNT_MAX);
    if (node->count > COUNT_MAX) {
        refuse(r, key, arena_printf(r->call->arena, "must have at most %d entries", COUNT_MAX));
        return 0;
    }
    element = json_first(node);
    for (uint32_t i = 0; i < node->count; i++, element = json_next(element)) {
        const char *text = json_text(r->call->arena, &r->json, element);

        if (!text) {
            refuse(r, key, "must be a number or a list of texts");
            return 0;
        }
        n += !distinct || !said_before(r, node, element, text);
    }
    return n;
}

static void read_areas(const struct reader *r, struct figures *figures)
{
    struct reader areas = *r;

    areas.object = find(r, "areas");
    areas.path = "metadata.areas";
    if (!areas.object)
        return;
    if (areas.object->type != JSON_T_OBJECT) {
        refuse(r, "areas", "must be an object of numbers");
        return;
    }
    figures->frontend = read_int(&areas, "frontend", FILES_MAX);
    figures->backend = read_int(&areas, "backend", FILES_MAX);
    figures->devops = read_int(&areas, "devops", FILES_MAX);
    figures->data = read_int(&areas, "data", FILES_MAX);
    figures->documentation = read_int(&areas, "documentation", FILES_MAX);
}

static bool read_bug(const struct reader *r)
{
    const struct json_node *node = find(r, "item_type");

    if (node && node->type != JSON_T_STRING)
        refuse(r, "item_type", "must be a text, such as bug");
    return json_is(&r->json, node, "bug");
}

static void read_figures(const struct reader *r, struct award *award)
{
    struct figures *figures = &award->figures;

    switch (award->type) {
    case GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_COMMIT:
        award->base = base_commit((int64_t)read_int(r, "insertions", LINES_MAX) +
                                      read_int(r, "deletions", LINES_MAX),
                                  gamify_config.lines_per_point);
        read_areas(r, figures);
        break;
    case GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_INTERACTION:
        figures->decisions = read_count(r, "decisions", false);
        award->base = base_interaction(read_count(r, "tools_used", true), figures->decisions > 0);
        break;
    case GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_WORK_ITEM:
        award->base = base_work_item(read_int(r, "story_points", STORY_POINTS_MAX));
        figures->bug = read_bug(r);
        break;
    case GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_SPRINT:
        award->base = base_sprint(read_bool(r, "on_time"));
        figures->top_velocity = read_bool(r, "top_velocity");
        break;
    case GAMIFY__CONTRIBUTION_TYPE__CONTRIBUTION_TYPE_REVIEW:
        award->base = base_review(read_int(r, "comments", LINES_MAX));
        break;
    default:
        break;
    }
}

enum status award_from_metadata(struct call *call, struct award *award)
{
    const char *text = award->metadata && *award->metadata ? award->metadata : "{}";
    struct reader reader = {.call = call, .path = "metadata"};

    TRY(json_parse(call->arena, text, strlen(text), NULL, &reader.json, &call->error));
    reader.object = reader.json.nodes;
    award->metadata = text;
    award->figures = (struct figures){0};
    award->base = 0;
    read_figures(&reader, award);
    return call_invalid(call);
}
