/* SPDX-License-Identifier: Apache-2.0 */
/* mal_execute_command: shows a script or, where the operator allows it, runs it
 * in the sandbox. */
#include "catalog.h"

#include "base/ids.h"
#include "base/log.h"
#include "bus/bus.h"
#include "sandbox.h"

#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { VALUE_SHOWN = 60 };

/* Runs in progress, of all workers. */
static atomic_int running;

static void slot_free(const bool *taken)
{
    if (*taken)
        atomic_fetch_sub(&running, 1);
}

static bool slot_take(void)
{
    if (atomic_fetch_add(&running, 1) < catalog_config.exec_max)
        return true;
    atomic_fetch_sub(&running, 1);
    return false;
}

/* Names the values, because they decide what the script does. */
static enum status ask(struct call *call, const Catalog__Command *command,
                       const char *const *values, int timeout_s)
{
    CLEANUP(strbuf_done) struct strbuf buf = STRBUF_INIT;

    for (size_t i = 0; i < command->n_parameters; i++)
        strbuf_printf(&buf, "%s%s = \"%.*s%s\"", i ? ", " : " with ", command->parameters[i]->name,
                      VALUE_SHOWN, values[i], strlen(values[i]) > VALUE_SHOWN ? "…" : "");
    return fail_unconfirmed(call, "mal_execute_command",
                            "Running command '%s' (%s)%s executes its %s script in the hub's "
                            "sandbox %s the network, for at most %d s.",
                            command->id, command->name, strbuf_cstr(&buf),
                            enum_text(&command->base, "shell"),
                            catalog_config.exec_network ? "with" : "without", timeout_s);
}

static void fill(Catalog__ExecuteCommandResponse *rsp, const struct sandbox_result *result)
{
    rsp->executed = true;
    rsp->timed_out = result->timed_out;
    rsp->has_exit_code_case = CATALOG__EXECUTE_COMMAND_RESPONSE__HAS_EXIT_CODE_EXIT_CODE;
    rsp->exit_code = result->exit_code;
    if (result->signal) {
        rsp->has_signal_case = CATALOG__EXECUTE_COMMAND_RESPONSE__HAS_SIGNAL_SIGNAL;
        rsp->signal = result->signal;
    }
    rsp->has_stdout_case = CATALOG__EXECUTE_COMMAND_RESPONSE__HAS_STDOUT_STDOUT;
    rsp->stdout = result->out;
    rsp->stdout_truncated = result->out_truncated;
    rsp->has_stderr_case = CATALOG__EXECUTE_COMMAND_RESPONSE__HAS_STDERR_STDERR;
    rsp->stderr = result->err;
    rsp->stderr_truncated = result->err_truncated;
    rsp->has_duration_ms_case = CATALOG__EXECUTE_COMMAND_RESPONSE__HAS_DURATION_MS_DURATION_MS;
    rsp->duration_ms = result->duration_ms;
}

/* The run has happened whatever becomes of its event, so the caller gets its
 * result in any case. */
static void tell(struct call *call, const Catalog__ExecuteCommandResponse *rsp)
{
    CLEANUP(tx_done) struct tx tx = {0};
    struct error kept = call->error;
    Catalog__CommandExecuted event = CATALOG__COMMAND_EXECUTED__INIT;

    event.id = rsp->command_id;
    event.exit_code = rsp->has_signal_case ? -1 : rsp->exit_code;
    event.timed_out = rsp->timed_out;
    event.duration_ms = rsp->duration_ms;
    if (tx_begin(&tx, call) != ST_OK ||
        event_add(&tx, "mal.evt.catalog.command.executed", &event.base) != ST_OK ||
        tx_commit(&tx) != ST_OK) {
        log_error("the run of command '%s' could not be told to others", rsp->command_id);
    }
    call->error = kept;
}

/* What tells a run that nobody waits for it: the gateway publishes on
 * mal.cancel.<request id>. */
struct cancel {
    struct bus_sub *sub;
    int fd; /* an eventfd; -1 when there is no bus */
};

static void on_cancel(struct bus_message *msg, void *arg)
{
    const struct cancel *cancel = arg;

    (void)msg;
    (void)eventfd_write(cancel->fd, 1);
}

static void cancel_init(struct cancel *cancel, struct call *call)
{
    const char *subject;

    if (!call->bus || !uuid_valid(call->request_id))
        return;
    subject = arena_printf(call->arena, "mal.cancel.%s", call->request_id);
    cancel->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (cancel->fd >= 0 &&
        bus_subscribe(call->bus, subject, on_cancel, cancel, &cancel->sub) != ST_OK)
        log_warn("a run cannot be cancelled: no subscription");
}

static void cancel_done(struct cancel *cancel)
{
    if (cancel->sub)
        bus_sub_free(cancel->sub);
    if (cancel->fd >= 0)
        close(cancel->fd);
}

static enum status run(struct call *call, const Catalog__ExecuteCommandRequest *req,
                       const Catalog__Command *command, const char *const *values,
                       Catalog__ExecuteCommandResponse *rsp)
{
    CLEANUP(slot_free) bool taken = slot_take();
    CLEANUP(cancel_done) struct cancel cancel = {.fd = -1};
    const char **names = arena_alloc(call->arena, command->n_parameters * sizeof(*names));
    struct sandbox_result result = {0};
    enum status status;

    if (!taken) {
        call_hint(call, "again when one of them has ended.");
        return call_fail(call, ST_RESOURCE_EXHAUSTED, "%d scripts are running already.",
                         (int)catalog_config.exec_max);
    }
    for (size_t i = 0; i < command->n_parameters; i++)
        names[i] = variable_name(call, command->parameters[i]->name);
    cancel_init(&cancel, call);
    status = sandbox_run(call,
                         &(struct sandbox_job){.shell = command->shell,
                                               .script = script_body(call, command),
                                               .n_variables = command->n_parameters,
                                               .names = names,
                                               .values = values,
                                               .timeout_s = req->timeout_s,
                                               .cancel_fd = cancel.fd},
                         &result);
    if (status != ST_OK && status != ST_CANCELLED)
        return status;
    fill(rsp, &result);
    tell(call, rsp);
    return status;
}

enum status catalog_execute_command(struct call *call, const Catalog__ExecuteCommandRequest *req,
                                    Catalog__ExecuteCommandResponse *rsp)
{
    Catalog__Command command = CATALOG__COMMAND__INIT;
    const char **values;

    TRY(command_find(call, req->id, &command));
    TRY(values_bind(call, &command, req->n_params, req->params, &values));
    rsp->command_id = command.id;
    rsp->name = command.name;
    rsp->shell = command.shell;
    rsp->mode = req->mode;
    rsp->requires_confirmation = command.requires_confirmation;
    rsp->rendered_script = script_render(call, &command, values);
    if (req->mode != CATALOG__EXECUTE_MODE__EXECUTE_MODE_RUN)
        return ST_OK;
    if (!catalog_config.exec_enabled) {
        call_hint(call, "mode render to see the script; the operator allows runs with "
                        "MAL_EXEC_ENABLED.");
        return call_fail(call, ST_PERMISSION_DENIED, "Running commands is switched off here.");
    }
    if (!req->confirm && (command.requires_confirmation || is_guarded("mal_execute_command")))
        return ask(call, &command, values, req->timeout_s);
    return run(call, req, &command, values, rsp);
}
