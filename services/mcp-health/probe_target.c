/* SPDX-License-Identifier: Apache-2.0 */
/* One probe: connect or go on with the session, ask whether it is there, read
 * its definitions when they are due. */
#include "probe_target.h"

#include "base/clock.h"
#include "downstream/downstream.h"
#include "mcp/reference.h"

enum { PROBE_MS = 5000, LIST_MS = 20000, LIST_AGAIN_MS = 300000, CLOSE_MS = 500 };

void target_close(struct target *target)
{
    downstream_close(target->session, CLOSE_MS);
    downstream_free(target->server);
    target->session = NULL;
    target->server = NULL;
}

/* Any thread: only notes that lists may have changed. */
static void heard(struct downstream_session *session, const struct downstream_message *msg,
                  void *arg)
{
    struct target *target = arg;

    (void)session;
    if (msg->kind == DOWNSTREAM_STALE ||
        (msg->kind == DOWNSTREAM_NOTIFICATION && strstr(msg->method, "list_changed")))
        target->changed = true;
}

/* When something that may take PROBE_MS is to be over. */
static int64_t deadline(const struct probe *probe)
{
    int64_t own_ms = clock_mono_ms() + PROBE_MS;

    return probe->until_ms && probe->until_ms < own_ms ? probe->until_ms : own_ms;
}

static enum status resolve_headers(const struct probe *probe, struct downstream_header *headers,
                                   struct error *err)
{
    const McpHealth__Server *row = probe->row;
    struct reference_pair *secrets =
        arena_alloc(probe->arena, (row->n_secrets + 1) * sizeof(*secrets));
    struct secret_keys keys = secret_keys_now();
    struct reference_source source = {.keys = &keys,
                                      .env_allow = health_config.env_allow,
                                      .secrets = secrets,
                                      .n_secrets = row->n_secrets};

    for (size_t i = 0; i < row->n_secrets; i++)
        secrets[i] = (struct reference_pair){row->secrets[i]->key, row->secrets[i]->value};
    for (size_t i = 0; i < row->n_headers; i++) {
        headers[i].name = row->headers[i]->key;
        TRY(reference_resolve(probe->arena, &source, row->headers[i]->value, &headers[i].value,
                              err));
    }
    return ST_OK;
}

static enum status make_server(const struct probe *probe, struct error *err)
{
    const McpHealth__Server *row = probe->row;
    struct downstream_header *headers =
        arena_alloc(probe->arena, (row->n_headers + 1) * sizeof(*headers));

    TRY(resolve_headers(probe, headers, err));
    return downstream_new(&(struct downstream_options){.id = row->id,
                                                       .url = row->endpoint_url,
                                                       .headers = headers,
                                                       .n_headers = row->n_headers,
                                                       .limits.probe_ms = PROBE_MS,
                                                       .limits.connect_ms = PROBE_MS},
                          &probe->target->server, err);
}

static enum status open_session(const struct probe *probe, struct error *err)
{
    static const struct downstream_wish wish = {.tools = true, .prompts = true, .resources = true};
    struct target *target = probe->target;
    struct downstream_session_options options = {.deadline_ms = deadline(probe)};

    if (target->session && target->revision == probe->row->revision)
        return ST_OK;
    target_close(target);
    TRY(make_server(probe, err));
    if (!probe->ask_only) {
        options.on_message = heard;
        options.arg = target;
    }
    TRY(downstream_open(target->server, &options, &target->session, err));
    target->revision = probe->row->revision;
    target->list_at_ms = 0;
    return probe->ask_only ? ST_OK : downstream_watch(target->session, &wish, err);
}

/* ---- definitions -------------------------------------------------------- */

static int64_t list_deadline(const struct probe *probe)
{
    int64_t own_ms = clock_mono_ms() + LIST_MS;

    return probe->until_ms && probe->until_ms < own_ms ? probe->until_ms : own_ms;
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static enum status read_definitions(struct probe *probe, struct error *err)
{
    struct target *target = probe->target;
    struct arena *arena = probe->arena;
    struct reading *reading = &probe->reading;
    struct downstream_list tools = {0};
    struct downstream_facts facts = {0};

    downstream_describe(target->session, arena, &facts);
    reading->protocol_version = mcp_version_text(facts.version);
    reading->server_info = or_empty(facts.server_info);
    reading->capabilities = or_empty(facts.capabilities);
    reading->instructions = or_empty(facts.instructions);
    TRY(downstream_list(target->session, "tools/list", list_deadline(probe), arena, &tools, err));
    reading->tools = tools.items;
    reading->n_tools = tools.n_items;
    TRY(downstream_list_array(target->session, "resources/list", list_deadline(probe), arena,
                              &reading->resources, err));
    TRY(downstream_list_array(target->session, "resources/templates/list", list_deadline(probe),
                              arena, &reading->resource_templates, err));
    return downstream_list_array(target->session, "prompts/list", list_deadline(probe), arena,
                                 &reading->prompts, err);
}

/* ---- the probe ------------------------------------------------------------- */

/* The page may be somebody else's: it gets none of the server's headers. */
static enum status ask_health_page(const struct probe *probe, struct error *err)
{
    struct downstream *page = NULL;
    int http_status = 0;
    enum status status;

    TRY(downstream_new(&(struct downstream_options){.id = probe->row->id,
                                                    .url = probe->health_check_url,
                                                    .limits.connect_ms = PROBE_MS},
                       &page, err));
    status = downstream_get(page, deadline(probe), &http_status, err);
    downstream_free(page);
    if (status == ST_OK && (http_status < 200 || http_status > 299))
        return error_set(err, ST_UNAVAILABLE, "its health page answered HTTP %d", http_status);
    return status;
}

/* A limit of ours, or a child that we took away, does not speak against the server. */
static bool is_ours(const struct error *err)
{
    enum downstream_fault fault = downstream_fault_of(err);

    return err->reason && strcmp(err->reason, downstream_fault_text(fault)) == 0 &&
           !downstream_fault_blames(fault);
}

static enum outcome outcome_of(enum status status, const struct error *err)
{
    if (status == ST_OK)
        return OUTCOME_OK;
    return status == ST_DEADLINE_EXCEEDED || is_ours(err) ? OUTCOME_SLOW : OUTCOME_FAILED;
}

/* What ends an error is a whole probe: it may have been the lists that failed, and a
 * server that only says it is there would be an error again at the next probe. */
bool probe_reads(const struct probe *probe)
{
    return !probe->ask_only || probe->row->status == MCP_HEALTH__SERVER_STATUS__SERVER_STATUS_ERROR;
}

static enum status probe_server(struct probe *probe, struct error *err)
{
    struct target *target = probe->target;
    int64_t took_us;

    if (*probe->health_check_url)
        TRY(ask_health_page(probe, err));
    if (*probe->health_check_url && !probe_reads(probe))
        return ST_OK;
    if (probe->row->transport == MCP_HEALTH__SERVER_TRANSPORT__SERVER_TRANSPORT_STDIO)
        return probe_stdio(probe, err);
    TRY(open_session(probe, err));
    if (!*probe->health_check_url)
        TRY(downstream_check(target->session, deadline(probe), &took_us, err));
    if (!probe_reads(probe))
        return ST_OK;
    if (!atomic_exchange(&target->changed, false) && clock_mono_ms() < target->list_at_ms)
        return ST_OK;
    TRY(read_definitions(probe, err));
    target->list_at_ms = clock_mono_ms() + LIST_AGAIN_MS;
    probe->read = !probe->ask_only;
    return ST_OK;
}

bool target_can_be_probed(const McpHealth__Server *row)
{
    return row->transport == MCP_HEALTH__SERVER_TRANSPORT__SERVER_TRANSPORT_STREAMABLE_HTTP ||
           row->transport == MCP_HEALTH__SERVER_TRANSPORT__SERVER_TRANSPORT_STDIO;
}

void target_probe(struct probe *probe)
{
    int64_t started_us = clock_mono_us();
    struct error err = {0};
    enum status status = probe_server(probe, &err);

    probe->evidence =
        (struct evidence){.outcome = outcome_of(status, &err),
                          .is_probe = true,
                          .is_due = !probe->ask_only,
                          .error = arena_strdup(probe->arena, err.message),
                          .revision = probe->row->revision,
                          .tools_count = probe->read ? (int)probe->reading.n_tools : -1};
    if (status == ST_OK) {
        probe->evidence.latency_ms = (int)((clock_mono_us() - started_us) / 1000) + 1;
        probe->evidence.protocol_version = probe->read ? probe->reading.protocol_version : NULL;
    } else {
        target_close(probe->target);
    }
}
