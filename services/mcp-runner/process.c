/* SPDX-License-Identifier: Apache-2.0 */
/* The process around it. */
#include "svc/process.h"
#include "base/log.h"
#include "runner.h"
#include "svc/metrics.h"

#include <sodium.h>

enum { RETRY_MS = 500, SHOW_MS = 20 };

/* The bus may be there before its streams are: tries again then. */
static bool started(struct process *process, struct runner *runner)
{
    struct error err = {0};
    enum status status;

    while ((status = runner_start(runner, process->bus, &err)) != ST_OK) {
        runner_stop(runner);
        if (status != ST_UNAVAILABLE && status != ST_DEADLINE_EXCEEDED) {
            process_fail(process, &err);
            return false;
        }
        log_warn("not ready to start: %s", err.message);
        error_clear(&err);
        if (process_stopped(process, RETRY_MS))
            return false;
    }
    return true;
}

/* Until every server is known; false when told to stop. */
static bool shown(struct process *process, struct runner *runner)
{
    for (;;) {
        pthread_mutex_lock(&runner->lock);
        bool known = runner->shown;
        pthread_mutex_unlock(&runner->lock);
        if (known)
            return true;
        if (process_stopped(process, SHOW_MS))
            return false;
    }
}

int runner_main(int argc, char **argv)
{
    const struct setting *const tables[] = {runner_setting_table, NULL};
    const struct process_options options = {
        .name = "mcp-runner",
        .description = "Holds the children of downstream stdio servers.",
        .tables = tables,
    };
    static struct runner runner;
    struct process process;
    int code;

    if (sodium_init() < 0)
        return 1;
    if (!process_init(&process, &options, argc, argv, &code))
        return code;
    runner_metrics(&runner);
    if (process_start(&process) && process_connect(&process) && started(&process, &runner)) {
        if (shown(&process, &runner)) {
            metric_callbacks_live(&runner, true);
            process_ready(&process, NULL);
            process_wait(&process);
            metric_callbacks_live(&runner, false);
        }
        runner_stop(&runner);
    }
    return process_done(&process);
}
