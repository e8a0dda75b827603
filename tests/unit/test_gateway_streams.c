/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of open streams, with connections, sessions and keys of this test. */
#include "keyring.h"
#include "respond.h"
#include "servers.h"
#include "streams.h"
#include "suite.h"
#include "watching.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WHILE_MS = 50, STREAMS = 4 };

/* ---- what stands in ------------------------------------------------------------------- */

struct http_stream {
    void (*on_close)(struct http_stream *stream, void *arg);
    void *arg;
    char text[512]; /* what it was sent */
    bool ended;
};

static struct gateway gw;
static struct http_stream connections[STREAMS];
static size_t opened;
static bool session_known, key_valid, full;
static int released;            /* how often another copy was given the session's messages */
static void (*meanwhile)(void); /* what another thread does while a stream is opened */
static pthread_t other;

static void *run_meanwhile(void *arg)
{
    (void)arg;
    meanwhile();
    return NULL;
}

enum status http_stream_open(struct http_request *req, const char *headers, const char *first,
                             void (*on_close)(struct http_stream *stream, void *arg), void *arg,
                             struct http_stream **ret_stream)
{
    struct http_stream *http = &connections[opened];
    struct timespec until;

    (void)req;
    (void)headers;
    (void)first;
    if (full)
        return ST_RESOURCE_EXHAUSTED;
    opened++;
    *http = (struct http_stream){.on_close = on_close, .arg = arg};
    *ret_stream = http;
    if (meanwhile == NULL)
        return ST_OK;
    /* It is given the time to be done before the stream is open; what has to wait for
     * that is done then. */
    ck_assert_int_eq(pthread_create(&other, NULL, run_meanwhile, NULL), 0);
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += WHILE_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    if (pthread_timedjoin_np(other, NULL, &until) == 0)
        meanwhile = NULL;
    return ST_OK;
}

void http_stream_send(struct http_stream *stream, const char *text, size_t len)
{
    ck_assert(!stream->ended);
    strncat(stream->text, text, len);
}

void http_stream_end(struct http_stream *stream, const char *text, size_t len)
{
    if (text != NULL)
        http_stream_send(stream, text, len);
    stream->ended = true;
}

const char *respond_headers(struct exchange *x, const char *more)
{
    (void)x;
    return more;
}

bool sessions_owner(struct sessions *sessions, const char *hash, char ret_owner[33])
{
    (void)sessions;
    (void)hash;
    *ret_owner = '\0';
    return session_known;
}

bool sessions_listener(struct sessions *sessions, struct arena *arena, const char *hash,
                       enum mcp_version *ret_version, const char **ret_level)
{
    (void)sessions;
    (void)arena;
    (void)hash;
    *ret_version = MCP_2025_11_25;
    *ret_level = NULL;
    return session_known;
}

const char *sessions_capabilities(struct sessions *sessions, struct arena *arena, const char *hash)
{
    (void)sessions;
    (void)arena;
    (void)hash;
    return NULL;
}

/* No server is known. */
struct picture *servers_look(struct servers *servers)
{
    (void)servers;
    return NULL;
}

const struct server *picture_server(const struct picture *picture, const char *id)
{
    (void)picture;
    (void)id;
    return NULL;
}

void picture_unref(struct picture *picture)
{
    (void)picture;
}

bool sessions_known(struct sessions *sessions, const char *hash)
{
    (void)sessions;
    (void)hash;
    return session_known;
}

size_t sessions_uris(struct sessions *sessions, const char *hash, struct arena *arena,
                     const char *const **ret_uris)
{
    static const char *const uris[] = {"skill://a/SKILL.md"};

    (void)sessions;
    (void)hash;
    (void)arena;
    *ret_uris = uris;
    return 1;
}

void sessions_touch(struct sessions *sessions, const char *hash, int64_t now_ms)
{
    (void)sessions;
    (void)hash;
    (void)now_ms;
}

void sessions_claim(struct sessions *sessions, const char *hash, const char *instance)
{
    (void)sessions;
    (void)hash;
    released += *instance == '\0';
}

bool keyring_empty(struct keyring *ring)
{
    (void)ring;
    return false;
}

bool keyring_valid(struct keyring *ring, const char *id, int64_t now_ms)
{
    (void)ring;
    (void)id;
    (void)now_ms;
    return key_valid;
}

unsigned keyring_generation(struct keyring *ring)
{
    (void)ring;
    return 1;
}

void watching_wake(struct watching *watching)
{
    (void)watching;
}

/* ---- tests ---------------------------------------------------------------------------- */

static const struct stream_wish legacy = {.session = "s", .kinds = STREAM_TOOLS},
                                modern = {.subscription = "1", .kinds = STREAM_TOOLS};

static void begin(void)
{
    session_known = key_valid = true;
    full = false;
    released = 0;
    meanwhile = NULL;
    opened = 0;
    gw.stopping = false;
    gw.streams = streams_new(&gw);
}

static void end(void)
{
    for (size_t i = 0; i < opened; i++)
        connections[i].on_close(&connections[i], connections[i].arg);
    session_known = true;
    streams_sweep(gw.streams, 0); /* frees what was released */
    streams_free(gw.streams);
}

static enum status open_while(const struct stream_wish *wish, void (*fn)(void))
{
    struct exchange x = {.gw = &gw, .who = {.id = "key"}};
    enum status status;

    meanwhile = fn;
    status = streams_open(gw.streams, &x, wish, NULL, "");
    if (meanwhile != NULL && status == ST_OK)
        ck_assert_int_eq(pthread_join(other, NULL), 0);
    meanwhile = NULL;
    return status;
}

static void end_session(void)
{
    session_known = false;
    streams_end_session(gw.streams, "s");
}

static void stop_all(void)
{
    gw.stopping = true;
    streams_end_all(gw.streams);
}

static void say(void)
{
    const struct downstream_message msg = {
        .kind = DOWNSTREAM_NOTIFICATION, .version = MCP_2025_11_25, .method = "said"};

    streams_pass_on(gw.streams, "s", &msg);
}

static void tell(void)
{
    static const char *const uris[] = {"skill://a/SKILL.md"};

    streams_notify(gw.streams, STREAM_TOOLS, uris, 1);
}

START_TEST(a_session_that_ends_while_its_stream_is_opened_ends_the_stream)
{
    ck_assert_int_eq(open_while(&legacy, end_session), ST_OK);
    ck_assert(connections[0].ended);
}
END_TEST

START_TEST(a_stop_while_a_stream_is_opened_gives_it_its_final_result)
{
    ck_assert_int_eq(open_while(&modern, stop_all), ST_OK);
    ck_assert(connections[0].ended);
    ck_assert_ptr_nonnull(strstr(connections[0].text, "\"resultType\":\"complete\""));
}
END_TEST

START_TEST(what_is_said_while_a_stream_is_opened_arrives_on_it)
{
    ck_assert_int_eq(open_while(&legacy, say), ST_OK);
    ck_assert_ptr_nonnull(strstr(connections[0].text, "said"));
    ck_assert_int_eq(open_while(&legacy, tell), ST_OK);
    ck_assert_ptr_nonnull(strstr(connections[1].text, "tools/list_changed"));
    ck_assert_ptr_nonnull(strstr(connections[1].text, "resources/updated"));
    ck_assert_ptr_null(strstr(connections[0].text, "tools/list_changed"));
}
END_TEST

START_TEST(no_stream_is_opened_for_an_ended_session_or_a_revoked_key_or_at_a_stop)
{
    session_known = false;
    ck_assert_int_eq(open_while(&legacy, NULL), ST_NOT_FOUND);
    ck_assert_int_eq(open_while(&modern, NULL), ST_OK);
    key_valid = false;
    ck_assert_int_eq(open_while(&modern, NULL), ST_RESOURCE_EXHAUSTED);
    key_valid = session_known = true;
    gw.stopping = true;
    ck_assert_int_eq(open_while(&legacy, NULL), ST_RESOURCE_EXHAUSTED);
    ck_assert_uint_eq(opened, 1);
}
END_TEST

START_TEST(a_stream_for_which_there_is_no_room_leaves_the_messages_to_another)
{
    full = true;
    ck_assert_int_eq(open_while(&legacy, NULL), ST_RESOURCE_EXHAUSTED);
    streams_sweep(gw.streams, 1);
    ck_assert_int_eq(released, 1);
    full = false;
    ck_assert_int_eq(open_while(&legacy, NULL), ST_OK);
    full = true;
    ck_assert_int_eq(open_while(&legacy, NULL), ST_RESOURCE_EXHAUSTED);
    streams_sweep(gw.streams, 2);
    ck_assert_int_eq(released, 1);
    say();
    ck_assert_ptr_nonnull(strstr(connections[0].text, "said"));
}
END_TEST

START_TEST(the_sweep_ends_streams_whose_session_is_gone_and_no_others)
{
    ck_assert_int_eq(open_while(&legacy, NULL), ST_OK);
    ck_assert_int_eq(open_while(&modern, NULL), ST_OK);
    streams_sweep(gw.streams, 1);
    ck_assert(!connections[0].ended);
    session_known = false;
    streams_sweep(gw.streams, 2);
    ck_assert(connections[0].ended && !connections[1].ended);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gateway_streams");
    TCase *tcase = tcase_create("streams");

    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, a_session_that_ends_while_its_stream_is_opened_ends_the_stream);
    tcase_add_test(tcase, a_stop_while_a_stream_is_opened_gives_it_its_final_result);
    tcase_add_test(tcase, what_is_said_while_a_stream_is_opened_arrives_on_it);
    tcase_add_test(tcase, no_stream_is_opened_for_an_ended_session_or_a_revoked_key_or_at_a_stop);
    tcase_add_test(tcase, a_stream_for_which_there_is_no_room_leaves_the_messages_to_another);
    tcase_add_test(tcase, the_sweep_ends_streams_whose_session_is_gone_and_no_others);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
