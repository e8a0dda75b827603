/* SPDX-License-Identifier: Apache-2.0 */
/* Reaching a running hub. */
#include "hub.h"

#include "base/clock.h"
#include "base/ids.h"
#include "wire/json.h"

#include <stdlib.h>

enum status hub_open(struct hub *hub, const char *url, const char *user, const char *password,
                     struct error *err)
{
    struct bus_options options = {.url = url, .user = user, .password = password, .name = "mal"};

    arena_init(&hub->arena);
    return bus_new(&hub->bus, &options, err);
}

/* The description that `mal up` keeps in its folder. */
static enum status stack_read(struct arena *arena, const char *dir, struct json *ret_json,
                              struct error *err)
{
    size_t len;
    char *text =
        cli_read_file(arena, arena_printf(arena, "%s/stack.json", cli_dir(arena, dir)), &len);

    if (!text) {
        error_hint(err, "mal up, or name the folder with --dir.");
        return error_set(err, ST_NOT_FOUND, "no hub is running in %s", cli_dir(arena, dir));
    }
    return json_parse(arena, text, len, NULL, ret_json, err);
}

enum status hub_open_dir(struct hub *hub, const char *dir, struct error *err)
{
    const char *url = getenv("MAL_NATS_URL");
    struct json json = {0};

    arena_init(&hub->arena);
    if (url && !dir)
        return hub_open(hub, url, getenv("MAL_NATS_USER"), getenv("MAL_NATS_PASSWORD"), err);
    TRY(stack_read(&hub->arena, dir, &json, err));
    url = json_text(&hub->arena, &json, json_get(&json, json.nodes, "nats_url"));
    if (!url)
        return error_set(err, ST_INTERNAL, "stack.json names no nats_url");
    return bus_new(&hub->bus, &(struct bus_options){.url = url, .name = "mal"}, err);
}

void hub_close(struct hub *hub)
{
    if (hub->bus)
        bus_drain(hub->bus, 2000);
    bus_free(hub->bus);
    arena_done(&hub->arena);
    hub->bus = NULL;
}

struct call hub_call(struct hub *hub, int timeout_ms)
{
    char *id = arena_alloc(&hub->arena, UUID_SIZE);

    uuid_v4(id);
    return (struct call){
        .arena = &hub->arena,
        .request_id = id,
        .actor = "cli",
        .channel = "cli",
        .trusted = true,
        .scopes = SCOPE_READ | SCOPE_WRITE | SCOPE_DESTRUCTIVE | SCOPE_EXECUTE | SCOPE_ADMIN,
        .deadline_ms = clock_mono_ms() + timeout_ms,
        .now_ms = clock_wall_ms(),
        .bus = hub->bus,
    };
}

enum status hub_failed(const struct call *call, enum status status, struct error *err)
{
    if (status != ST_OK && err)
        *err = call->error;
    return status;
}

enum status hub_address(struct arena *arena, const char *dir, const char *url, const char *key,
                        struct hub_address *ret_address, struct error *err)
{
    struct json json = {0};

    ret_address->url = url ? url : getenv("MAL_URL");
    ret_address->key = key ? key : getenv("MAL_KEY");
    if (ret_address->url)
        return ST_OK;
    TRY(stack_read(arena, dir, &json, err));
    ret_address->url = json_text(arena, &json, json_get(&json, json.nodes, "url"));
    if (!ret_address->key)
        ret_address->key = json_text(arena, &json, json_get(&json, json.nodes, "key"));
    if (!ret_address->url)
        return error_set(err, ST_INTERNAL, "stack.json names no url");
    return ST_OK;
}

enum status hub_pg_url(struct arena *arena, const char *dir, const char **ret_url,
                       struct error *err)
{
    struct json json = {0};

    TRY(stack_read(arena, dir, &json, err));
    *ret_url = json_text(arena, &json, json_get(&json, json.nodes, "pg_url"));
    return *ret_url ? ST_OK : error_set(err, ST_INTERNAL, "stack.json names no pg_url");
}
