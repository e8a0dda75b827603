/* SPDX-License-Identifier: Apache-2.0 */
/* lib/downstream as a program: mal-test-client [OPTION…] URL | -- PROGRAM ARG…
 *
 *   --newest REVISION     hold the server to it and older ones
 *   --capabilities JSON   what is declared; questions are then answered with defaults
 *   --header NAME:VALUE   of every request
 *
 * Reads one command a line, {"op":…}, and writes what happens as one JSON object a
 * line, {"event":…}. Ops: call {method, params?, progress?, log_level?, repeatable?,
 * timeout_ms?, cancel_ms?}, list {method}, watch {tools?, prompts?, resources?,
 * uris?}, notify {method}, check, describe. */
#include "downstream/downstream.h"

#include "base/clock.h"
#include "mcp/message.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HEADERS_MAX = 8, URIS_MAX = 16, STOP_MS = 2000, PROBE_MS = 20000 };

extern char **environ;

static struct downstream *server;
static struct downstream_session *session;
static const char *capabilities;
static pid_t pid;

static void write_line(struct strbuf *line)
{
    strbuf_char(line, '\n');
    (void)fwrite(line->data, 1, line->len, stdout);
    (void)fflush(stdout);
    strbuf_done(line);
}

static void put_raw(struct strbuf *out, const char *key, const struct json *json,
                    const struct json_node *node)
{
    const char *raw;
    size_t len;

    if (node == NULL)
        return;
    raw = json_raw(json, node, &len);
    strbuf_printf(out, ",\"%s\":", key);
    json_put_compact(out, raw, len);
}

static void write_fault(const struct error *err)
{
    struct strbuf line = STRBUF_INIT;

    strbuf_str(&line, "{\"event\":\"fault\"");
    mcp_put_member(&line, "status", status_name(err->status));
    mcp_put_member(&line, "reason", err->reason != NULL ? err->reason : "");
    mcp_put_member(&line, "message", err->message);
    strbuf_char(&line, '}');
    write_line(&line);
}

static void write_message(const struct downstream_message *msg, const char *where)
{
    static const char *const kinds[] = {"nothing", "notification", "request",
                                        "result",  "error",        "stale"};
    struct strbuf line = STRBUF_INIT;

    strbuf_str(&line, "{\"event\":\"");
    strbuf_str(&line, kinds[msg->kind]);
    strbuf_printf(&line, "\",\"where\":\"%s\",\"http\":%d,\"own\":%s", where, msg->http_status,
                  msg->own_progress ? "true" : "false");
    if (msg->method != NULL)
        mcp_put_member(&line, "method", msg->method);
    put_raw(&line, "id", &msg->json, msg->id);
    put_raw(&line, "params", &msg->json, msg->params);
    put_raw(&line, "result", &msg->json, msg->result);
    put_raw(&line, "error", &msg->json, msg->error);
    strbuf_char(&line, '}');
    write_line(&line);
}

/* ---- questions ---------------------------------------------------------------------- */

/* A form filled with its defaults, or else with the least that is allowed. */
static void put_form(struct strbuf *out, const struct json *json, const struct json_node *schema)
{
    const struct json_node *properties = json_get(json, schema, "properties"), *key, *type, *one;

    strbuf_str(out, "{\"action\":\"accept\",\"content\":{");
    key = properties != NULL ? json_first(properties) : NULL;
    for (uint32_t i = 0; properties != NULL && i < properties->count;
         i++, key = json_next(json_next(key))) {
        const struct json_node *property = json_next(key),
                               *value = json_get(json, property, "default");
        size_t len;
        const char *raw = json_raw(json, key, &len);

        if (i > 0)
            strbuf_char(out, ',');
        strbuf_add(out, raw, len);
        strbuf_char(out, ':');
        type = json_get(json, property, "type");
        one = json_get(json, property, "enum");
        if (value == NULL && one != NULL && one->count > 0)
            value = json_first(one);
        if (value != NULL) {
            raw = json_raw(json, value, &len);
            strbuf_add(out, raw, len);
        } else {
            strbuf_str(out, json_is(json, type, "boolean") ? "true"
                            : json_is(json, type, "integer") || json_is(json, type, "number") ? "1"
                            : json_is(json, type, "array")                                    ? "[]"
                                                           : "\"x\"");
        }
    }
    strbuf_str(out, "}}");
}

static bool answer(const char *method, const struct json *json, const struct json_node *params,
                   struct strbuf *result, void *arg)
{
    struct downstream_message msg = {
        .kind = DOWNSTREAM_REQUEST, .method = method, .json = *json, .params = params};

    (void)arg;
    write_message(&msg, "ask");
    if (capabilities == NULL)
        return false;
    if (strcmp(method, "elicitation/create") == 0)
        put_form(result, json, json_get(json, params, "requestedSchema"));
    else if (strcmp(method, "sampling/createMessage") == 0)
        strbuf_str(result,
                   "{\"role\":\"assistant\",\"content\":{\"type\":\"text\",\"text\":\"said\"},"
                   "\"model\":\"none\",\"stopReason\":\"endTurn\"}");
    else if (strcmp(method, "roots/list") == 0)
        strbuf_str(result, "{\"roots\":[{\"uri\":\"file:///tmp\",\"name\":\"tmp\"}]}");
    else
        return false;
    return true;
}

static void on_message(const struct downstream_message *msg, void *arg)
{
    (void)arg;
    write_message(msg, "call");
}

static void on_session_message(struct downstream_session *of, const struct downstream_message *msg,
                               void *arg)
{
    (void)of;
    (void)arg;
    write_message(msg, "session");
}

/* ---- ops -------------------------------------------------------------------------------- */

static int64_t number(const struct json *json, const char *key)
{
    int64_t value = 0;

    (void)json_int(json, json_get(json, json->nodes, key), &value);
    return value;
}

static bool flag(const struct json *json, const char *key)
{
    const struct json_node *node = json_get(json, json->nodes, key);

    return node != NULL && node->type == JSON_T_TRUE;
}

/* A call that is cancelled after a while. */
struct cancelled {
    struct downstream_exchange *x;
    int64_t after_ms;
};

static void *cancel(void *arg)
{
    const struct cancelled *c = arg;

    (void)usleep((useconds_t)c->after_ms * 1000);
    downstream_cancel(c->x);
    return NULL;
}

static void call_cancelled(const struct downstream_request *request, int64_t after_ms,
                           struct error *err)
{
    struct cancelled c = {.after_ms = after_ms};
    struct downstream_message msg;
    enum status status = downstream_begin(session, request, &c.x, err);
    pthread_t thread;

    if (status != ST_OK)
        return;
    if (pthread_create(&thread, NULL, cancel, &c) != 0)
        abort();
    do {
        status = downstream_next(c.x, -1, &msg, err);
        if (status == ST_OK)
            write_message(&msg, "call");
    } while (status == ST_OK && msg.kind != DOWNSTREAM_RESULT && msg.kind != DOWNSTREAM_ERROR);
    (void)pthread_join(thread, NULL);
    downstream_end(c.x);
}

static void op_call(struct arena *arena, const struct json *json, struct error *err)
{
    const struct downstream_talk talk = {.on_message = on_message, .ask = answer};
    const struct json_node *root = json->nodes;
    struct downstream_request request = {
        .method = json_text(arena, json, json_get(json, root, "method")),
        .json = json,
        .params = json_get(json, root, "params"),
        .log_level = json_text(arena, json, json_get(json, root, "log_level")),
        .progress = flag(json, "progress"),
        .repeatable = flag(json, "repeatable"),
    };
    struct downstream_message msg;

    if (number(json, "timeout_ms") > 0)
        request.deadline_ms = clock_mono_ms() + number(json, "timeout_ms");
    if (number(json, "cancel_ms") > 0)
        call_cancelled(&request, number(json, "cancel_ms"), err);
    else if (downstream_call(session, &request, &talk, arena, &msg, err) == ST_OK)
        write_message(&msg, "call");
}

static void op_list(struct arena *arena, const struct json *json, struct error *err)
{
    const char *method = json_text(arena, json, json_get(json, json->nodes, "method"));
    struct strbuf line = STRBUF_INIT;
    struct downstream_list list;

    if (downstream_list(session, method, 0, arena, &list, err) != ST_OK)
        return;
    strbuf_printf(&line, "{\"event\":\"list\",\"dropped\":%zu,\"ttl_ms\":%lld,\"items\":[",
                  list.n_dropped, (long long)list.ttl_ms);
    for (size_t i = 0; i < list.n_items; i++)
        strbuf_printf(&line, "%s%s", i > 0 ? "," : "", list.items[i]);
    strbuf_str(&line, "]}");
    write_line(&line);
}

static void op_describe(struct arena *arena)
{
    struct strbuf line = STRBUF_INIT;
    struct downstream_facts facts;

    downstream_describe(session, arena, &facts);
    strbuf_printf(&line, "{\"event\":\"open\",\"modern\":%s,\"session\":%s,\"generation\":%llu",
                  downstream_modern(session) ? "true" : "false",
                  facts.has_session ? "true" : "false", (unsigned long long)facts.generation);
    mcp_put_member(&line, "version", mcp_version_text(facts.version));
    strbuf_printf(&line, ",\"capabilities\":%s,\"server_info\":%s}",
                  facts.capabilities != NULL ? facts.capabilities : "null",
                  facts.server_info != NULL ? facts.server_info : "null");
    write_line(&line);
}

static void op_watch(struct arena *arena, const struct json *json, struct error *err)
{
    const struct json_node *uris = json_get(json, json->nodes, "uris"), *item;
    const char *texts[URIS_MAX];
    struct downstream_wish wish = {.tools = flag(json, "tools"),
                                   .prompts = flag(json, "prompts"),
                                   .resources = flag(json, "resources"),
                                   .uris = texts};

    item = uris != NULL ? json_first(uris) : NULL;
    for (uint32_t i = 0; uris != NULL && i < uris->count && i < URIS_MAX;
         i++, item = json_next(item))
        texts[wish.n_uris++] = json_text(arena, json, item);
    if (downstream_watch(session, &wish, err) == ST_OK)
        op_describe(arena);
}

static void op_check(struct error *err)
{
    struct strbuf line = STRBUF_INIT;
    int64_t us;

    if (downstream_check(session, 0, &us, err) != ST_OK)
        return;
    strbuf_printf(&line, "{\"event\":\"checked\",\"us\":%lld}", (long long)us);
    write_line(&line);
}

static void run_op(const char *text)
{
    struct arena arena = {0};
    struct error err = {0};
    const struct json_node *op;
    struct json json;

    if (json_parse(&arena, text, strlen(text), NULL, &json, &err) == ST_OK) {
        op = json_get(&json, json.nodes, "op");
        if (json_is(&json, op, "call"))
            op_call(&arena, &json, &err);
        else if (json_is(&json, op, "list"))
            op_list(&arena, &json, &err);
        else if (json_is(&json, op, "watch"))
            op_watch(&arena, &json, &err);
        else if (json_is(&json, op, "check"))
            op_check(&err);
        else
            op_describe(&arena);
    }
    if (err.status != ST_OK)
        write_fault(&err);
    arena_done(&arena);
}

/* ---- stdio --------------------------------------------------------------------------------- */

static enum status start(void *arg, int *ret_to_child, int *ret_from_child, struct error *err)
{
    posix_spawn_file_actions_t actions;
    char **argv = arg;
    int in[2], out[2];

    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        abort();
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    (void)posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    if (posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ) != 0)
        return error_set(err, ST_NOT_FOUND, "there is no program %s", argv[0]);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(in[0]);
    (void)close(out[1]);
    *ret_to_child = in[1];
    *ret_from_child = out[0];
    return ST_OK;
}

static void stop(void *arg)
{
    (void)arg;
    for (int i = 0; i < STOP_MS / 10; i++) {
        if (waitpid(pid, NULL, WNOHANG) == pid)
            return;
        (void)usleep(10000);
    }
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
    static struct downstream_header headers[HEADERS_MAX];
    struct downstream_program program = {.start = start, .stop = stop};
    struct downstream_options options = {.id = "test", .headers = headers};
    struct downstream_session_options with = {.on_message = on_session_message};
    struct error err = {0};
    char *line = NULL;
    size_t size = 0;
    int i = 1;

    (void)signal(SIGPIPE, SIG_IGN);
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0 && argv[i][2] != '\0'; i += 2) {
        if (strcmp(argv[i], "--newest") == 0)
            options.newest = argv[i + 1];
        else if (strcmp(argv[i], "--capabilities") == 0)
            capabilities = argv[i + 1];
        else if (strcmp(argv[i], "--header") == 0)
            headers[options.n_headers++] =
                (struct downstream_header){.name = strsep(&argv[i + 1], ":"), .value = argv[i + 1]};
    }
    if (i < argc && strcmp(argv[i], "--") == 0) {
        program.arg = argv + i + 1;
        options.program = &program;
        /* Half of it is server/discover's, while a busy machine starts the program. */
        options.limits.probe_ms = PROBE_MS;
    } else {
        options.url = argv[i];
    }
    with.capabilities = capabilities;
    if (downstream_new(&options, &server, &err) != ST_OK ||
        downstream_open(server, &with, &session, &err) != ST_OK) {
        write_fault(&err);
        downstream_free(server);
        return 1;
    }
    run_op("{\"op\":\"describe\"}");
    while (getline(&line, &size, stdin) > 0)
        run_op(line);
    free(line);
    downstream_close(session, STOP_MS);
    downstream_free(server);
    return 0;
}
