/* SPDX-License-Identifier: Apache-2.0 */
/* Key-value buckets. */
#include "bus_echo.h"

#include "bus/internal.h"

static struct error err;
static struct bus_kv *kv;
static struct arena arena;

static void kv_set_up(void)
{
    set_up();
    arena_init(&arena);
    ck_assert_msg(bus_kv_open(bus, "TEST", 0, &kv, &err) == ST_OK, "%s", err.message);
}

static void kv_tear_down(void)
{
    bus_kv_free(kv);
    arena_done(&arena);
    tear_down();
}

static enum status put(const char *key, const char *value)
{
    return bus_kv_put(kv, key, value, strlen(value));
}

static const char *get(const char *key, uint64_t *ret_revision)
{
    const void *data = NULL;
    size_t len = 0;
    enum status status = bus_kv_get(kv, key, &arena, &data, &len, ret_revision);

    if (status == ST_NOT_FOUND)
        return "-";
    ck_assert_int_eq(status, ST_OK);
    ck_assert_uint_eq(strlen(data), len);
    return data;
}

START_TEST(what_is_put_is_got)
{
    uint64_t first = 0, second = 0;

    ck_assert_str_eq(get("a.b", NULL), "-");
    ck_assert_int_eq(put("a.b", "one"), ST_OK);
    ck_assert_str_eq(get("a.b", &first), "one");
    ck_assert_int_eq(put("a.b", "two"), ST_OK);
    ck_assert_str_eq(get("a.b", &second), "two");
    ck_assert_uint_gt(second, first);
    ck_assert_int_eq(put("empty", ""), ST_OK);
    ck_assert_str_eq(get("empty", NULL), "");
}
END_TEST

START_TEST(bytes_are_kept_as_they_are)
{
    const void *data = NULL;
    size_t len = 0;

    ck_assert_int_eq(bus_kv_put(kv, "k", "\0\xff\r\n\0", 5), ST_OK);
    ck_assert_int_eq(bus_kv_get(kv, "k", &arena, &data, &len, NULL), ST_OK);
    ck_assert_uint_eq(len, 5);
    ck_assert_mem_eq(data, "\0\xff\r\n\0", 5);
}
END_TEST

START_TEST(create_takes_only_a_free_key)
{
    ck_assert_int_eq(bus_kv_create(kv, "k", "one", 3), ST_OK);
    ck_assert_int_eq(bus_kv_create(kv, "k", "two", 3), ST_ALREADY_EXISTS);
    ck_assert_str_eq(get("k", NULL), "one");
    ck_assert_int_eq(bus_kv_delete(kv, "k"), ST_OK);
    ck_assert_str_eq(get("k", NULL), "-");
    ck_assert_int_eq(bus_kv_create(kv, "k", "three", 5), ST_OK);
    ck_assert_str_eq(get("k", NULL), "three");
}
END_TEST

static void *race(void *arg)
{
    enum status status = bus_kv_create(kv, "nonce", arg, 1);

    return status == ST_OK ? arg : NULL;
}

START_TEST(of_many_creators_one_wins)
{
    pthread_t threads[8];
    void *won = NULL;
    char mark[] = "x";
    int winners = 0;

    for (size_t i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, race, mark);
    for (size_t i = 0; i < 8; i++) {
        pthread_join(threads[i], &won);
        winners += won != NULL;
    }
    ck_assert_int_eq(winners, 1);
}
END_TEST

START_TEST(update_needs_the_revision_that_is_there)
{
    uint64_t revision = 0;

    ck_assert_int_eq(put("k", "one"), ST_OK);
    ck_assert_str_eq(get("k", &revision), "one");
    ck_assert_int_eq(bus_kv_update(kv, "k", "two", 3, revision), ST_OK);
    ck_assert_int_eq(bus_kv_update(kv, "k", "three", 5, revision), ST_FAILED_PRECONDITION);
    ck_assert_str_eq(get("k", NULL), "two");
}
END_TEST

static uint64_t messages_of_bucket(void)
{
    jsStreamInfo *info = NULL;
    uint64_t n;

    ck_assert_int_eq(js_GetStreamInfo(&info, bus->js, "KV_TEST", NULL, NULL), NATS_OK);
    n = info->State.Msgs;
    jsStreamInfo_Destroy(info);
    return n;
}

START_TEST(what_is_removed_leaves_nothing_and_only_at_its_revision)
{
    uint64_t first = 0, second = 0;

    ck_assert_int_eq(put("k", "one"), ST_OK);
    ck_assert_int_eq(put("other", "stays"), ST_OK);
    ck_assert_str_eq(get("k", &first), "one");
    ck_assert_int_eq(put("k", "two"), ST_OK);
    ck_assert_int_eq(bus_kv_remove(kv, "k", first), ST_FAILED_PRECONDITION);
    ck_assert_str_eq(get("k", &second), "two");
    ck_assert_int_eq(bus_kv_remove(kv, "k", second), ST_OK);
    ck_assert_int_eq(bus_kv_remove(kv, "k", second), ST_FAILED_PRECONDITION);
    ck_assert_str_eq(get("k", NULL), "-");
    ck_assert_str_eq(get("other", NULL), "stays");
    ck_assert_uint_eq(messages_of_bucket(), 1);
    ck_assert_int_eq(bus_kv_create(kv, "k", "new", 3), ST_OK);
    ck_assert_str_eq(get("k", NULL), "new");
}
END_TEST

START_TEST(bad_keys_are_refused)
{
    static const char *const keys[] = {"", ".a", "a.", "a..b", "a b", "a*", ">", "a\n", "\xc3\xa4"};
    const void *data;
    size_t len;

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        ck_assert_int_eq(put(keys[i], "x"), ST_INVALID_ARGUMENT);
        ck_assert_int_eq(bus_kv_get(kv, keys[i], &arena, &data, &len, NULL), ST_INVALID_ARGUMENT);
    }
}
END_TEST

START_TEST(entries_with_a_lifetime_expire)
{
    struct bus_kv *brief = NULL;
    const void *data;
    size_t len;

    ck_assert_msg(bus_kv_open(bus, "BRIEF", 1, &brief, &err) == ST_OK, "%s", err.message);
    ck_assert_int_eq(bus_kv_create(brief, "k", "v", 1), ST_OK);
    AWAIT(bus_kv_get(brief, "k", &arena, &data, &len, NULL) == ST_NOT_FOUND, 5000);
    ck_assert_int_eq(bus_kv_create(brief, "k", "v", 1), ST_OK);
    bus_kv_free(brief);
}
END_TEST

START_TEST(a_bucket_can_be_opened_again_and_given_another_lifetime)
{
    struct bus_kv *again = NULL;
    jsStreamInfo *info = NULL;

    ck_assert_int_eq(put("k", "v"), ST_OK);
    ck_assert_msg(bus_kv_open(bus, "TEST", 3600, &again, &err) == ST_OK, "%s", err.message);
    bus_kv_free(again);
    ck_assert_msg(bus_kv_open(bus, "TEST", 0, &again, &err) == ST_OK, "%s", err.message);
    bus_kv_free(again);
    ck_assert_int_eq(js_GetStreamInfo(&info, bus->js, "KV_TEST", NULL, NULL), NATS_OK);
    ck_assert_int_eq(info->Config->MaxAge, 3600000000000LL);
    jsStreamInfo_Destroy(info);
    ck_assert_str_eq(get("k", NULL), "v");
}
END_TEST

START_TEST(a_lost_server_is_unavailable_at_once)
{
    const void *data;
    size_t len;

    nats_server_kill(&nats);
    AWAIT(!bus_up(bus), 2000);
    int64_t start = clock_mono_ms();
    ck_assert_int_eq(put("k", "v"), ST_UNAVAILABLE);
    ck_assert_int_eq(bus_kv_get(kv, "k", &arena, &data, &len, NULL), ST_UNAVAILABLE);
    ck_assert_int_lt(clock_mono_ms() - start, 200);
}
END_TEST

/* ---- watching ---- */

static struct {
    pthread_mutex_t lock;
    char log[64][32];
    size_t n;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void on_change(const char *key, const void *data, size_t len, void *arg)
{
    ck_assert_ptr_eq(arg, &seen);
    pthread_mutex_lock(&seen.lock);
    (void)snprintf(seen.log[seen.n++ % 64], sizeof(seen.log[0]), "%s=%.*s", key ? key : "END",
                   data ? (int)len : 1, data ? (const char *)data : "-");
    pthread_mutex_unlock(&seen.lock);
}

static bool saw(size_t i, const char *text)
{
    pthread_mutex_lock(&seen.lock);
    bool yes = i < seen.n && strcmp(seen.log[i], text) == 0;
    pthread_mutex_unlock(&seen.lock);
    return yes;
}

/* Among the last two. */
static bool saw_last(const char *text)
{
    pthread_mutex_lock(&seen.lock);
    size_t n = seen.n;
    pthread_mutex_unlock(&seen.lock);
    return n >= 2 && (saw(n - 1, text) || saw(n - 2, text));
}

START_TEST(a_watch_shows_what_is_there_then_what_changes)
{
    struct bus_kv_watch *watch = NULL;

    ck_assert_int_eq(put("a", "0"), ST_OK);
    ck_assert_int_eq(put("a", "1"), ST_OK);
    ck_assert_int_eq(put("b", "2"), ST_OK);
    ck_assert_int_eq(bus_kv_watch(kv, on_change, &seen, &watch), ST_OK);
    AWAIT(saw(2, "END=-"), 3000);
    ck_assert(saw(0, "a=1"));
    ck_assert(saw(1, "b=2"));
    ck_assert_int_eq(put("c", "3"), ST_OK);
    ck_assert_int_eq(bus_kv_delete(kv, "a"), ST_OK);
    ck_assert_int_eq(put("b", ""), ST_OK);
    AWAIT(saw(5, "b="), 3000);
    ck_assert(saw(3, "c=3"));
    ck_assert(saw(4, "a=-"));
    bus_kv_watch_stop(watch);
}
END_TEST

START_TEST(a_watch_of_an_empty_bucket_ends_its_start_at_once)
{
    struct bus_kv_watch *watch = NULL;

    ck_assert_int_eq(bus_kv_watch(kv, on_change, &seen, &watch), ST_OK);
    AWAIT(saw(0, "END=-"), 1000);
    bus_kv_watch_stop(watch);
}
END_TEST

START_TEST(a_watch_shows_everything_again_after_a_restart)
{
    struct bus_kv_watch *watch = NULL;

    ck_assert_int_eq(put("a", "1"), ST_OK);
    ck_assert_int_eq(bus_kv_watch(kv, on_change, &seen, &watch), ST_OK);
    AWAIT(saw(1, "END=-"), 3000);
    nats_server_restart(&nats);
    AWAIT(saw(2, "a=1"), 5000);
    AWAIT(saw(3, "END=-"), 5000);
    AWAIT(put("b", "2") == ST_OK, 5000);
    AWAIT(saw(4, "b=2"), 5000);
    bus_kv_watch_stop(watch);
}
END_TEST

START_TEST(a_watch_sees_what_changed_while_it_was_cut_off)
{
    struct bus_kv_watch *watch = NULL;
    struct bus *other = NULL;
    struct bus_kv *theirs = NULL;

    ck_assert_int_eq(put("a", "1"), ST_OK);
    ck_assert_int_eq(bus_kv_watch(kv, on_change, &seen, &watch), ST_OK);
    AWAIT(saw(1, "END=-"), 3000);
    nats_server_restart(&nats);
    other = connect_bus("other");
    AWAIT(bus_kv_open(other, "TEST", 0, &theirs, &err) == ST_OK, 5000);
    AWAIT(bus_kv_delete(theirs, "a") == ST_OK, 5000);
    AWAIT(saw_last("a=-"), 5000);
    bus_kv_watch_stop(watch);
    bus_kv_free(theirs);
    bus_free(other);
}
END_TEST

START_TEST(a_watch_stops_at_once_also_without_a_server)
{
    struct bus_kv_watch *watch = NULL;

    ck_assert_int_eq(bus_kv_watch(kv, on_change, &seen, &watch), ST_OK);
    AWAIT(saw(0, "END=-"), 3000);
    nats_server_kill(&nats);
    AWAIT(!bus_up(bus), 2000);
    int64_t start = clock_mono_ms();
    bus_kv_watch_stop(watch);
    ck_assert_int_lt(clock_mono_ms() - start, 1000);
}
END_TEST

static void add(TCase *tests)
{
    ADD_TEST(tests, what_is_put_is_got);
    ADD_TEST(tests, bytes_are_kept_as_they_are);
    ADD_TEST(tests, create_takes_only_a_free_key);
    ADD_TEST(tests, of_many_creators_one_wins);
    ADD_TEST(tests, update_needs_the_revision_that_is_there);
    ADD_TEST(tests, what_is_removed_leaves_nothing_and_only_at_its_revision);
    ADD_TEST(tests, bad_keys_are_refused);
    ADD_TEST(tests, entries_with_a_lifetime_expire);
    ADD_TEST(tests, a_bucket_can_be_opened_again_and_given_another_lifetime);
    ADD_TEST(tests, a_lost_server_is_unavailable_at_once);
    ADD_TEST(tests, a_watch_shows_what_is_there_then_what_changes);
    ADD_TEST(tests, a_watch_of_an_empty_bucket_ends_its_start_at_once);
    ADD_TEST(tests, a_watch_shows_everything_again_after_a_restart);
    ADD_TEST(tests, a_watch_sees_what_changed_while_it_was_cut_off);
    ADD_TEST(tests, a_watch_stops_at_once_also_without_a_server);
}

#define set_up kv_set_up
#define tear_down kv_tear_down
RUN_TESTS("bus kv", add)
