/* SPDX-License-Identifier: Apache-2.0 */
/* How calls went, told to mcp-health once a second. */
#include "runner.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "mal/mcp_health/v1/mcp_health.pb-c.h"
#include "wire/codec.h"

void tally_count(struct runner *runner, const char *server, const struct error *err)
{
    enum downstream_fault fault = err ? downstream_fault_of(err) : DOWNSTREAM_FAULT_NONE;
    bool doubt = downstream_fault_doubtful(fault);
    bool failed = !doubt && downstream_fault_blames(fault);

    if (err && !doubt && !failed)
        return;
    pthread_mutex_lock(&runner->lock);
    struct entry *entry = registry_entry(runner, server);
    if (entry) {
        entry->tally.ok += !err;
        entry->tally.doubts += doubt;
        entry->tally.failed += failed;
        if (!err)
            entry->tally.ok_ms = clock_mono_ms();
        if (failed)
            entry->tally.failed_ms = clock_mono_ms();
        if (err) {
            (void)snprintf(entry->tally.words, sizeof(entry->tally.words), "%.399s", err->message);
            utf8_mend(entry->tally.words);
        }
    }
    pthread_mutex_unlock(&runner->lock);
}

/* NULL when there is nothing to tell. With the lock held. */
static McpHealth__ServerReport *take(struct arena *arena, struct entry *entry)
{
    struct tally *tally = &entry->tally;
    McpHealth__ServerReport *one;

    if (tally->ok + tally->doubts + tally->failed == 0 && !tally->changed)
        return NULL;
    one = arena_alloc(arena, sizeof(*one));
    mcp_health__server_report__init(one);
    one->id = arena_strdup(arena, entry->id);
    one->ok = tally->ok;
    one->slow = tally->doubts;
    one->failed = tally->failed;
    one->changed = tally->changed;
    one->ok_ms_ago = tally->ok ? (int32_t)(clock_mono_ms() - tally->ok_ms) : 0;
    one->failed_ms_ago = tally->failed ? (int32_t)(clock_mono_ms() - tally->failed_ms) : 0;
    one->revision = entry->config->server->revision;
    one->error = arena_strdup(arena, tally->words);
    *tally = (struct tally){0};
    return one;
}

void tally_send(struct runner *runner)
{
    CLEANUP(arena_done) struct arena arena;
    McpHealth__ReportRequest report = MCP_HEALTH__REPORT_REQUEST__INIT;
    size_t len, n = 0;

    arena_init(&arena);
    pthread_mutex_lock(&runner->lock);
    for (const struct entry *entry = runner->entries; entry; entry = entry->next)
        n++;
    report.servers = arena_alloc(&arena, (n + 1) * sizeof(void *));
    for (struct entry *entry = runner->entries; entry; entry = entry->next) {
        McpHealth__ServerReport *one = take(&arena, entry);

        if (one)
            report.servers[report.n_servers++] = one;
    }
    pthread_mutex_unlock(&runner->lock);
    if (report.n_servers == 0)
        return;
    const void *packed = wire_pack(&arena, &report.base, &len);
    if (bus_publish(runner->bus, "mal.mcp_health.v1.report", NULL, packed, len) != ST_OK)
        log_debug("how calls went could not be told");
}
