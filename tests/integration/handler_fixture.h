/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of a service called with JSON on a fresh database. The file that
 * includes this defines FIXTURE_SERVICE (catalog) and includes the service's
 * header, its api.h and its migrations before. In requests and expectations '
 * stands for ". */
#pragma once

#include "base/clock.h"
#include "base/ids.h"
#include "pg_server.h"
#include "suite.h"
#include "wire/handler.h"

#include <check.h>

#define FIXTURE_PASTE_(a, b) a##b
#define FIXTURE_PASTE(a, b) FIXTURE_PASTE_(a, b)
#define FIXTURE_TEXT_(a) #a
#define FIXTURE_TEXT(a) FIXTURE_TEXT_(a)
#define FIXTURE_SCHEMA FIXTURE_TEXT(FIXTURE_SERVICE)
#define FIXTURE_OF(what) FIXTURE_PASTE(FIXTURE_SERVICE, what)

static struct pg_server server;

struct fixture {
    char url[PG_URL_SIZE];
    struct pg_conn *conn;
    struct arena arena;
    struct call call; /* of the last request */
    char *reply;      /* its JSON, "" when it failed */
    const char *text; /* its internal text */
    int64_t now_ms;   /* time of the calls; 0 is the clock's */
    struct bus *bus;  /* for handlers that ask other services; may be NULL */
};

static inline struct pg_conn *open_conn(const char *url)
{
    struct error err = {0};
    struct pg_conn *conn = NULL;

    if (pg_conn_new(
            &conn,
            &(struct pg_options){
                .url = url, .schema = FIXTURE_SCHEMA, .app = "test", .statement_timeout_ms = 30000},
            &err) != ST_OK)
        abort();
    return conn;
}

static inline void fixture_init(struct fixture *f)
{
    *f = (struct fixture){0};
    arena_init(&f->arena);
    pg_server_clone(&server, f->url);
    f->conn = open_conn(f->url);
}

static inline void fixture_done(struct fixture *f)
{
    free(f->reply);
    arena_done(&f->arena);
    pg_conn_free(f->conn);
}

static inline char *quoted(const char *text)
{
    char *copy = strdup(text);

    for (char *p = copy; *p; p++)
        if (*p == '\'')
            *p = '"';
    return copy;
}

static inline const struct endpoint *endpoint_of(const char *rpc)
{
    for (size_t i = 0; i < FIXTURE_OF(_n_endpoints); i++)
        if (strcmp(FIXTURE_OF(_endpoints)[i].rpc->name, rpc) == 0)
            return &FIXTURE_OF(_endpoints)[i];
    ck_abort_msg("there is no rpc %s", rpc);
    return NULL;
}

/* What the dispatcher does with a request: a fresh call, checked arguments. */
static inline enum status run_json(struct fixture *f, const char *rpc, const char *json_text_,
                                   bool trusted)
{
    char *request_id;
    const struct endpoint *endpoint = endpoint_of(rpc);
    struct strbuf buf = STRBUF_INIT;
    ProtobufCMessage *request = NULL, *reply;
    struct json json;
    enum status status;

    arena_reset(&f->arena);
    free(f->reply);
    request_id = arena_alloc(&f->arena, UUID_SIZE);
    uuid_v4(request_id);
    f->call = (struct call){.arena = &f->arena,
                            .rpc = endpoint->rpc,
                            .request_id = request_id,
                            .actor = "ana",
                            .channel = "mcp",
                            .trusted = trusted,
                            .deadline_ms = clock_mono_ms() + 30000,
                            .now_ms = f->now_ms ? f->now_ms : clock_wall_ms(),
                            .bus = f->bus,
                            .pg = f->conn};
    f->text = "";
    f->reply = strdup("");
    status = json_parse(&f->arena, json_text_, strlen(json_text_), NULL, &json, &f->call.error);
    ck_assert_msg(status == ST_OK, "%s: %s", json_text_, f->call.error.message);
    TRY(wire_from_json(&f->arena, endpoint->rpc->request, &json, json.nodes, &request,
                       &f->call.error));
    reply = new_message(&f->call, endpoint->rpc->response->descriptor);
    TRY(endpoint->run(&f->call, request, reply));
    wire_to_json(&buf, endpoint->rpc->response, reply);
    free(f->reply);
    f->reply = strbuf_take(&buf);
    f->text = wire_get_string(reply, "text");
    return ST_OK;
}

static inline enum status run(struct fixture *f, const char *rpc, const char *request)
{
    char *json = quoted(request);
    enum status status = run_json(f, rpc, json, true);

    free(json);
    return status;
}

/* Calls and must succeed. */
#define OK(f, rpc, request)                                                                        \
    do {                                                                                           \
        enum status ok_ = run(f, rpc, request);                                                    \
        ck_assert_msg(ok_ == ST_OK, "%s: %s: %s%s%s", rpc, status_name(ok_),                       \
                      (f)->call.error.message,                                                     \
                      (f)->call.error.n_fields ? (f)->call.error.fields[0].field : "",             \
                      (f)->call.error.n_fields ? (f)->call.error.fields[0].message : "");          \
    } while (0)

/* Calls and must fail so. */
#define FAILS(f, rpc, request, status_)                                                            \
    do {                                                                                           \
        enum status fails_ = run(f, rpc, request);                                                 \
        ck_assert_msg(fails_ == (status_), "%s: %s instead of %s: %s", rpc, status_name(fails_),   \
                      status_name(status_), (f)->call.error.message);                              \
    } while (0)

static inline bool has(const struct fixture *f, const char *part)
{
    char *wanted = quoted(part);
    bool found = strstr(f->reply, wanted) != NULL;

    free(wanted);
    return found;
}

#define HAS(f, part) ck_assert_msg(has(f, part), "no %s in %s", part, (f)->reply)
#define HAS_NOT(f, part) ck_assert_msg(!has(f, part), "%s in %s", part, (f)->reply)

static inline bool mentions(const struct fixture *f, const char *word)
{
    const struct error *err = &f->call.error;

    if (strstr(err->message, word) || strstr(err->hint, word))
        return true;
    for (unsigned i = 0; i < err->n_fields; i++)
        if (strstr(err->fields[i].field, word) || strstr(err->fields[i].message, word))
            return true;
    return false;
}

#define MENTIONS(f, word)                                                                          \
    ck_assert_msg(mentions(f, word), "no '%s' in: %s / %s", word, (f)->call.error.message,         \
                  (f)->call.error.hint)

/* Number of events of a kind that wait in the outbox. */
static inline int events(const struct fixture *f, const char *subject)
{
    char sql[200];

    (void)snprintf(sql, sizeof(sql),
                   "select count(*) from " FIXTURE_SCHEMA ".outbox where subject = 'mal.evt.%s'",
                   subject);
    return (int)strtol(pg_server_value(f->url, sql), NULL, 10);
}

static inline void fill_schema(const char *url)
{
    struct error err = {0};
    struct pg_conn *conn;

    pg_server_sql(url, "create extension if not exists unaccent schema public");
    conn = open_conn(url);
    if (pg_migrate(conn, FIXTURE_SCHEMA, FIXTURE_OF(_migrations), FIXTURE_OF(_n_migrations),
                   &err) != ST_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        exit(EXIT_FAILURE);
    }
    pg_conn_free(conn);
}

/* Runs the suite on a cluster of its own; the exit code of main. */
static inline int run_suite(Suite *suite)
{
    int failed;

    pg_server_start(&server);
    pg_server_template(&server, fill_schema);
    failed = suite_run(suite);
    pg_server_stop(&server);
    return failed;
}

/* Each test has its own fixture f. */
static struct fixture fixture_;
static struct fixture *const f = &fixture_;

static inline void set_up(void)
{
    fixture_init(f);
}

static inline void tear_down(void)
{
    fixture_done(f);
}

static inline TCase *case_new(Suite *suite, const char *name, double timeout_s)
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, timeout_s);
    suite_add_tcase(suite, tcase);
    return tcase;
}
