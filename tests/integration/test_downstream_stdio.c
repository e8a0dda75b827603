/* SPDX-License-Identifier: Apache-2.0 */
/* Servers over stdio. The child is this program itself, told by its argument how
 * to behave. */
#include "downstream/downstream.h"

#include "base/clock.h"
#include "suite.h"

#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* ---- the child -------------------------------------------------------------------- */

static const char *mode;
static char line[4 << 20];

static void say(const char *text)
{
    (void)fputs(text, stdout);
    (void)fputc('\n', stdout);
    (void)fflush(stdout);
}

static const char *id_of(const char *text)
{
    static char id[64];
    const char *found = strstr(text, "\"id\":");

    (void)snprintf(id, sizeof(id), "%.*s", found ? (int)strcspn(found + 5, ",}") : 4,
                   found ? found + 5 : "null");
    return id;
}

static bool asks(const char *method)
{
    char needle[128];

    (void)snprintf(needle, sizeof(needle), "\"method\":\"%s\"", method);
    return strstr(line, needle) != NULL;
}

static void result(const char *id, const char *json)
{
    char text[512];

    /* The id last, as some SDKs write it; \r\n, as others do. */
    (void)snprintf(text, sizeof(text), "{\"result\":%s,\"jsonrpc\":\"2.0\",\"id\":%s}\r", json, id);
    say(text);
}

static bool is(const char *name)
{
    return strstr(mode, name) != NULL;
}

static void flood(void)
{
    for (int i = 0; i < 5000; i++)
        say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":"
            "\"info\",\"data\":1}}");
}

/* 3 MB. */
static void one_long_line(const char *begin, const char *end)
{
    (void)fputs(begin, stdout);
    for (int i = 0; i < 300000; i++)
        (void)fputs("0123456789", stdout);
    say(end);
}

/* Where a line's number is, or that it has none. */
static void long_line(const char *id)
{
    char text[256];

    if (strstr(line, "long-first")) {
        (void)snprintf(text, sizeof(text),
                       "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"content\":\"", id);
        one_long_line(text, "\"}}");
    } else if (strstr(line, "long-last")) {
        (void)snprintf(text, sizeof(text), "\"},\"jsonrpc\":\"2.0\",\"id\":%s}", id);
        one_long_line("{\"result\":{\"content\":\"", text);
    } else if (strstr(line, "long-progress")) {
        (void)snprintf(text, sizeof(text),
                       "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{"
                       "\"progressToken\":%s,\"message\":\"",
                       id);
        one_long_line(text, "\"}}");
    } else if (strstr(line, "long-log")) {
        one_long_line("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{"
                      "\"level\":\"info\",\"data\":\"",
                      "\"}}");
        result(id, "{\"content\":[\"ok\"]}");
    } else {
        one_long_line("noise ", "");
    }
}

/* What a call is to do, by the name of the tool. */
static void call(const char *id)
{
    static char waiting[64];
    char text[256];

    if (strstr(line, "\"die\"")) {
        _exit(3);
    } else if (strstr(line, "\"flood\"")) {
        flood();
        result(id, "{\"content\":[]}");
    } else if (strstr(line, "\"long-")) {
        long_line(id);
    } else if (strstr(line, "\"progress\"")) {
        (void)snprintf(text, sizeof(text),
                       "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{"
                       "\"progressToken\":%s,\"progress\":1}}",
                       id);
        say(text);
        result(id, "{\"content\":[]}");
    } else if (strstr(line, "\"wait\"")) {
        (void)snprintf(waiting, sizeof(waiting), "%s", id);
    } else if (strstr(line, "\"release\"")) {
        result(id, "{\"content\":[\"second\"]}");
        result(waiting, "{\"content\":[\"first\"]}");
    } else if (strstr(line, "\"ask\"")) {
        (void)snprintf(waiting, sizeof(waiting), "%s", id);
        say("{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}");
        say("{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"roots/list\"}");
    } else if (strstr(line, "\"deaf\"")) {
        (void)pause();
    } else if (!strstr(line, "\"ignore\"")) {
        result(id, "{\"content\":[\"ok\"]}");
    }
    if (strstr(line, "\"id\":\"q\"") && strstr(line, "result"))
        result(waiting, "{\"content\":[\"answered\"]}");
}

static void discover(const char *id)
{
    char text[256];

    if (is("exits"))
        _exit(1);
    if (is("silent"))
        return;
    if (is("modern")) {
        result(id, "{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],"
                   "\"capabilities\":{}}");
        return;
    }
    (void)snprintf(text, sizeof(text),
                   "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32601,\"message\":\"no\"}}",
                   id);
    say(text);
}

static int child(void)
{
    int pongs = 0;

    if (is("noisy"))
        say("Listening…\n\n{not json}\n[]\n5");
    while (fgets(line, sizeof(line), stdin)) {
        const char *id = id_of(line);

        if (is("noisy"))
            say("debug: got a line");
        if (strstr(line, "notifications/cancelled"))
            (void)fprintf(stderr, "cancelled %s", line);
        if (strstr(line, "\"id\":\"p\""))
            pongs++;
        else if (asks("server/discover"))
            discover(id);
        else if (asks("initialize"))
            result(id, "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}}}");
        else if (asks("tools/call") || (strstr(line, "\"id\":\"q\"") && pongs))
            call(id);
    }
    return 0;
}

/* ---- the parent ---------------------------------------------------------------------- */

struct program {
    const char *mode;
    pid_t pid;
    int starts, stops;
    int err; /* its stderr */
};

static enum status program_start(void *arg, int *ret_to_child, int *ret_from_child,
                                 struct error *err)
{
    struct program *program = arg;
    char name[] = "child", *argv[] = {name, (char *)(uintptr_t)program->mode, NULL};
    posix_spawn_file_actions_t actions;
    int in[2], out[2], log[2];

    ck_assert_int_eq(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC) | pipe2(log, O_CLOEXEC), 0);
    if (strcmp(program->mode, "missing") == 0)
        return error_set(err, ST_NOT_FOUND, "there is no such program");
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    (void)posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    (void)posix_spawn_file_actions_adddup2(&actions, log[1], 2);
    ck_assert_int_eq(posix_spawn(&program->pid, "/proc/self/exe", &actions, NULL, argv, environ),
                     0);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(in[0]);
    (void)close(out[1]);
    (void)close(log[1]);
    if (program->err > 0)
        (void)close(program->err);
    program->err = log[0];
    *ret_to_child = in[1];
    *ret_from_child = out[0];
    program->starts++;
    return ST_OK;
}

static void program_stop(void *arg)
{
    struct program *program = arg;

    (void)kill(program->pid, SIGKILL);
    (void)waitpid(program->pid, NULL, 0);
    program->stops++;
}

struct fixture {
    struct arena arena;
    struct error err;
    struct program program;
    struct downstream_program callbacks;
    struct downstream_options options;
    struct downstream *server;
    struct downstream_session *session;
};

static void fixture_start(struct fixture *f, const char *how)
{
    memset(f, 0, sizeof(*f));
    (void)signal(SIGPIPE, SIG_IGN);
    f->program.mode = how;
    f->callbacks = (struct downstream_program){
        .start = program_start, .stop = program_stop, .arg = &f->program};
    f->options =
        (struct downstream_options){.id = "child",
                                    .program = &f->callbacks,
                                    .limits = {.probe_ms = 1000, .message_bytes = 1 << 20}};
}

static enum status fixture_try_open(struct fixture *f, const struct downstream_session_options *o)
{
    ck_assert_int_eq(downstream_new(&f->options, &f->server, &f->err), ST_OK);
    return downstream_open(f->server, o, &f->session, &f->err);
}

static void fixture_open(struct fixture *f, const char *how)
{
    fixture_start(f, how);
    ck_assert_msg(fixture_try_open(f, &(struct downstream_session_options){0}) == ST_OK, "%s",
                  f->err.message);
}

static void fixture_stop(struct fixture *f)
{
    downstream_close(f->session, 0);
    downstream_free(f->server);
    ck_assert_int_eq(f->program.starts, f->program.stops);
    if (f->program.err > 0)
        (void)close(f->program.err);
    arena_done(&f->arena);
}

static struct downstream_exchange *begin(struct fixture *f, const char *tool, int ms)
{
    char params[64];
    const struct downstream_request request = {.method = "tools/call",
                                               .params_text = params,
                                               .progress = true,
                                               .deadline_ms = clock_mono_ms() + ms};
    struct downstream_exchange *x;

    (void)snprintf(params, sizeof(params), "{\"name\":\n\"%s\"}", tool);
    ck_assert_msg(downstream_begin(f->session, &request, &x, &f->err) == ST_OK, "%s",
                  f->err.message);
    return x;
}

/* The first item of the result's content. */
static const char *finish(struct fixture *f, struct downstream_exchange *x)
{
    struct downstream_message msg;
    const struct json_node *content;
    const char *text;

    do {
        if (downstream_next(x, -1, &msg, &f->err) != ST_OK) {
            downstream_end(x);
            return NULL;
        }
    } while (msg.kind != DOWNSTREAM_RESULT);
    content = json_get(&msg.json, msg.result, "content");
    text = content->count ? json_text(&f->arena, &msg.json, json_first(content)) : "";
    downstream_end(x);
    return text;
}

static const char *call_tool(struct fixture *f, const char *tool)
{
    return finish(f, begin(f, tool, 5000));
}

static const struct {
    const char *mode;
    bool modern;
    int starts;
} kinds[] = {
    {"modern", true, 1},        {"legacy", false, 1},       {"legacy silent", false, 1},
    {"legacy exits", false, 2}, {"legacy noisy", false, 1}, {"modern noisy", true, 1},
};

START_TEST(every_kind_of_child_is_met_and_called)
{
    struct fixture f;

    fixture_open(&f, kinds[_i].mode);
    ck_assert_int_eq(downstream_modern(f.session), kinds[_i].modern);
    ck_assert_int_eq(f.program.starts, kinds[_i].starts);
    ck_assert_str_eq(call_tool(&f, "any"), "ok");
    ck_assert_str_eq(call_tool(&f, "any"), "ok");
    fixture_stop(&f);
}
END_TEST

START_TEST(a_program_that_cannot_be_started_is_unreachable)
{
    struct fixture f;

    fixture_start(&f, "missing");
    ck_assert_int_eq(fixture_try_open(&f, &(struct downstream_session_options){0}), ST_UNAVAILABLE);
    ck_assert_str_eq(f.err.reason, "MCP_UNREACHABLE");
    ck_assert_str_eq(f.err.message, "Server 'child' cannot be started: there is no such program.");
    fixture_stop(&f);
}
END_TEST

START_TEST(answers_find_their_exchanges_in_any_order)
{
    struct fixture f;
    struct downstream_exchange *first, *second;

    fixture_open(&f, "legacy");
    first = begin(&f, "wait", 5000);
    second = begin(&f, "release", 5000);
    ck_assert_str_eq(finish(&f, first), "first");
    ck_assert_str_eq(finish(&f, second), "second");
    fixture_stop(&f);
}
END_TEST

static void *pull(void *arg)
{
    struct downstream_message msg;
    static struct error err; /* of one thread at a time */
    bool first = downstream_next(arg, -1, &msg, &err) == ST_OK && msg.kind == DOWNSTREAM_RESULT &&
                 strstr(msg.json.text, "first") != NULL;

    return first ? arg : NULL;
}

/* The first reads the pipe itself for a while; the second comes in the middle of it
 * or later. */
START_TEST(who_reads_the_pipe_alone_reads_for_those_that_come_later_too)
{
    struct fixture f;

    fixture_open(&f, kinds[_i].mode);
    for (int ms = 0; ms < 40; ms++) {
        struct downstream_exchange *first = begin(&f, "wait", 5000);
        int64_t start;
        pthread_t thread;
        void *got;

        ck_assert_int_eq(pthread_create(&thread, NULL, pull, first), 0);
        (void)usleep((useconds_t)ms * 1000);
        start = clock_mono_ms();
        ck_assert_str_eq(finish(&f, begin(&f, "release", 5000)), "second");
        (void)pthread_join(thread, &got);
        ck_assert_ptr_eq(got, first);
        downstream_end(first);
        ck_assert_int_lt(clock_mono_ms() - start, 1000);
        ck_assert_str_eq(call_tool(&f, "any"), "ok");
    }
    fixture_stop(&f);
}
END_TEST

START_TEST(progress_comes_before_the_result)
{
    struct fixture f;
    struct downstream_exchange *x;
    struct downstream_message msg;

    fixture_open(&f, "legacy");
    x = begin(&f, "progress", 5000);
    ck_assert_int_eq(downstream_next(x, -1, &msg, &f.err), ST_OK);
    ck_assert(msg.own_progress);
    ck_assert_int_eq(downstream_next(x, -1, &msg, &f.err), ST_OK);
    ck_assert_int_eq(msg.kind, DOWNSTREAM_RESULT);
    downstream_end(x);
    fixture_stop(&f);
}
END_TEST

START_TEST(a_question_reaches_the_only_exchange)
{
    struct fixture f;
    struct downstream_exchange *x;
    struct downstream_message msg;
    const char *id;
    size_t len;

    fixture_open(&f, "legacy");
    x = begin(&f, "ask", 5000);
    ck_assert_int_eq(downstream_next(x, -1, &msg, &f.err), ST_OK);
    ck_assert_int_eq(msg.kind, DOWNSTREAM_REQUEST);
    ck_assert_str_eq(msg.method, "roots/list");
    id = json_raw(&msg.json, msg.id, &len);
    ck_assert_int_eq(downstream_answer(f.session, id, len, "{\"roots\":[]}", NULL, &f.err), ST_OK);
    ck_assert_str_eq(finish(&f, x), "answered");
    fixture_stop(&f);
}
END_TEST

/* ---- harm ----------------------------------------------------------------------------- */

START_TEST(a_child_that_dies_fails_what_it_had_and_is_started_for_the_next)
{
    struct fixture f;
    struct downstream_exchange *other;

    fixture_open(&f, "legacy");
    other = begin(&f, "ignore", 5000);
    ck_assert_ptr_null(call_tool(&f, "die"));
    ck_assert_str_eq(f.err.reason, "MCP_LOST");
    ck_assert_ptr_null(finish(&f, other));
    ck_assert_str_eq(f.err.reason, "MCP_LOST");
    ck_assert_str_eq(call_tool(&f, "any"), "ok");
    ck_assert_int_eq(f.program.starts, 2);
    fixture_stop(&f);
}
END_TEST

START_TEST(a_child_that_floods_fails_the_call_that_nobody_reads)
{
    struct fixture f;
    struct downstream_exchange *x;
    struct downstream_message msg;
    enum status status;
    int n = -1;

    fixture_open(&f, "legacy");
    x = begin(&f, "flood", 5000);
    (void)usleep(300000); /* the reader is slow: what it does not pull piles up */
    do {
        status = downstream_next(x, -1, &msg, &f.err);
        n++;
    } while (status == ST_OK && msg.kind == DOWNSTREAM_NOTIFICATION);
    ck_assert_int_eq(status, ST_RESOURCE_EXHAUSTED);
    ck_assert_int_eq(n, 1000);
    ck_assert_str_eq(f.err.reason, "MCP_TOO_LARGE");
    downstream_end(x);
    ck_assert_str_eq(call_tool(&f, "any"), "ok");
    ck_assert_int_eq(f.program.starts, 1);
    fixture_stop(&f);
}
END_TEST

static const struct {
    const char *tool;
    bool fails_alone, fails_among_others, fails_others;
} long_lines[] = {
    {"long-first", true, true, false},
    {"long-last", true, true, false},
    {"long-progress", true, true, false},
    {"long-log", true, false, false}, /* told to none of several, so none of them misses it */
    {"long-noise", true, true, true}, /* may have been anybody's answer */
};

START_TEST(a_line_that_is_too_long_fails_its_call_only)
{
    struct fixture f;

    fixture_open(&f, "legacy");
    ck_assert_ptr_null(call_tool(&f, long_lines[_i].tool));
    ck_assert_str_eq(f.err.reason, "MCP_TOO_LARGE");
    ck_assert_str_eq(call_tool(&f, "any"), "ok");
    fixture_stop(&f);
}
END_TEST

START_TEST(a_line_that_is_too_long_fails_whose_it_is_while_several_wait)
{
    struct fixture f;
    struct downstream_exchange *other, *x;
    const char *text;

    fixture_open(&f, "legacy");
    other = begin(&f, "wait", 20000);
    x = begin(&f, long_lines[_i].tool, 20000);
    text = finish(&f, x);
    if (long_lines[_i].fails_among_others) {
        ck_assert_ptr_null(text);
        ck_assert_str_eq(f.err.reason, "MCP_TOO_LARGE");
    } else {
        ck_assert_str_eq(text, "ok");
    }
    ck_assert_str_eq(call_tool(&f, "release"), "second");
    text = finish(&f, other);
    if (long_lines[_i].fails_others)
        ck_assert_str_eq(f.err.reason, "MCP_TOO_LARGE");
    else
        ck_assert_str_eq(text, "first");
    fixture_stop(&f);
}
END_TEST

static void *cancel_soon(void *arg)
{
    (void)usleep(50000); /* the other thread waits; sooner would be cancelled as well */
    downstream_cancel(arg);
    return NULL;
}

START_TEST(a_cancellation_reaches_the_child)
{
    struct fixture f;
    struct downstream_exchange *x;
    pthread_t thread;
    char text[256] = "";
    size_t len = 0;

    fixture_open(&f, kinds[_i].mode);
    x = begin(&f, "ignore", 5000);
    ck_assert_int_eq(pthread_create(&thread, NULL, cancel_soon, x), 0);
    (void)pthread_join(thread, NULL);
    ck_assert_ptr_null(finish(&f, x));
    ck_assert_str_eq(f.err.reason, "MCP_CANCELLED");
    while (!strchr(text, '\n') && len < sizeof(text) - 1) {
        ssize_t n = read(f.program.err, text + len, sizeof(text) - 1 - len);

        ck_assert_int_gt(n, 0);
        len += (size_t)n;
    }
    ck_assert_ptr_nonnull(strstr(text, "\"notifications/cancelled\",\"params\":{\"requestId\":"));
    fixture_stop(&f);
}
END_TEST

START_TEST(a_child_that_does_not_read_blocks_nobody_beyond_a_bound)
{
    struct fixture f;
    CLEANUP(strbuf_done) struct strbuf params = STRBUF_INIT;
    struct downstream_request request = {.method = "tools/call"};
    struct downstream_exchange *x;
    int64_t began = clock_mono_ms();
    enum status status = ST_OK;
    int n = 0;

    strbuf_str(&params, "{\"a\":\"");
    while (params.len < 8 << 20)
        strbuf_str(&params, "0123456789abcdef");
    strbuf_str(&params, "\"}");
    request.params_text = params.data;
    fixture_open(&f, "legacy");
    downstream_end(begin(&f, "deaf", 5000));
    while (status == ST_OK && n < 10) {
        request.deadline_ms = clock_mono_ms() + 100;
        status = downstream_begin(f.session, &request, &x, &f.err);
        if (status == ST_OK) {
            struct downstream_message msg;

            ck_assert_int_eq(downstream_next(x, -1, &msg, &f.err), ST_DEADLINE_EXCEEDED);
            downstream_end(x);
        }
        n++;
    }
    ck_assert_int_eq(status, ST_UNAVAILABLE);
    ck_assert_int_lt(clock_mono_ms() - began, 5000);
    fixture_stop(&f);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite;
    TCase *tcase;

    if (argc > 1 && strcmp(argv[0], "child") == 0) {
        mode = argv[1];
        return child();
    }
    suite = suite_create("downstream_stdio");
    tcase = tcase_create("stdio");
    tcase_set_timeout(tcase, 30);
    tcase_add_loop_test(tcase, every_kind_of_child_is_met_and_called, 0, (int)ARRAY_SIZE(kinds));
    tcase_add_test(tcase, a_program_that_cannot_be_started_is_unreachable);
    tcase_add_test(tcase, answers_find_their_exchanges_in_any_order);
    tcase_add_loop_test(tcase, who_reads_the_pipe_alone_reads_for_those_that_come_later_too, 0, 2);
    tcase_add_test(tcase, progress_comes_before_the_result);
    tcase_add_test(tcase, a_question_reaches_the_only_exchange);
    tcase_add_test(tcase, a_child_that_dies_fails_what_it_had_and_is_started_for_the_next);
    tcase_add_test(tcase, a_child_that_floods_fails_the_call_that_nobody_reads);
    tcase_add_loop_test(tcase, a_line_that_is_too_long_fails_its_call_only, 0,
                        (int)ARRAY_SIZE(long_lines));
    tcase_add_loop_test(tcase, a_line_that_is_too_long_fails_whose_it_is_while_several_wait, 0,
                        (int)ARRAY_SIZE(long_lines));
    tcase_add_loop_test(tcase, a_cancellation_reaches_the_child, 0, 2);
    tcase_add_test(tcase, a_child_that_does_not_read_blocks_nobody_beyond_a_bound);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
