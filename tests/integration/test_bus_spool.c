/* SPDX-License-Identifier: Apache-2.0 */
/* What outlives a killed process: the spool's records, and with it the events of
 * a queue that the bus had not acknowledged. */
#include "base/clock.h"
#include "bus/bus.h"
#include "bus/spool.h"
#include "nats_server.h"
#include "suite.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RECORDS = 20000, WAIT_MS = 20000 };

static char dir[64];
static struct error err;

/* Shared with the children: what became of each record. */
static struct shared {
    _Atomic unsigned char put[RECORDS], dropping[RECORDS], dropped[RECORDS];
} * shared;
static unsigned char found[RECORDS];

static void set_up(void)
{
    (void)snprintf(dir, sizeof(dir), "/tmp/mal-spool-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void tear_down(void)
{
    (void)nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* Without those that were only being made. */
static int files(void)
{
    DIR *folder = opendir(dir);
    struct dirent *entry;
    int n = 0;

    while ((entry = readdir(folder)) != NULL)
        n += entry->d_name[0] != '.' && !strstr(entry->d_name, ".new");
    (void)closedir(folder);
    return n;
}

/* A record tells its number, and by its length and bytes whether it is whole. */
static size_t body_of(int number, char body[4096])
{
    size_t len = (size_t)(number * 7919 % 900);

    memset(body, 'a' + number % 26, len);
    return len;
}

static uint64_t put(struct spool *spool, int number)
{
    char body[4096];
    size_t len = body_of(number, body);
    uint64_t place = spool_put(spool, &number, sizeof(number), body, len);

    if (place != SPOOL_NOWHERE)
        atomic_store(&shared->put[number], 1);
    return place;
}

static void drop(struct spool *spool, int number, uint64_t place)
{
    atomic_store(&shared->dropping[number], 1);
    spool_drop(spool, &place, 1);
    atomic_store(&shared->dropped[number], 1);
}

static int number_of(const struct spool_record *record)
{
    char body[4096];
    int number;

    ck_assert_uint_ge(record->len, sizeof(number));
    memcpy(&number, record->data, sizeof(number));
    ck_assert_int_ge(number, 0);
    ck_assert_int_lt(number, RECORDS);
    ck_assert_uint_eq(record->len - sizeof(number), body_of(number, body));
    ck_assert_mem_eq((const char *)record->data + sizeof(number), body,
                     record->len - sizeof(number));
    return number;
}

static int leaders[RECORDS]; /* of those that were found; -1 = none */

static void look_at_records(const struct spool_record *records, size_t n, void *arg)
{
    for (size_t i = 0; i < n; i++) {
        int number = number_of(&records[i]);

        ck_assert_int_eq(found[number]++, 0);
        leaders[number] = records[i].leader ? number_of(records[i].leader) : -1;
        ck_assert(!records[i].leader || !records[i].leader->leader);
    }
    *(size_t *)arg += n;
}

static void take_records(const struct spool_record *records, size_t n, void *arg)
{
    look_at_records(records, n, arg);
    for (size_t i = 0; i < n; i++)
        spool_drop(records[i].spool, &records[i].place, 1);
}

static struct spool *open_spool(void)
{
    struct spool *spool = NULL;

    ck_assert_msg(spool_open(&spool, dir, &err) == ST_OK, "%s", err.message);
    return spool;
}

/* Forks; the child runs fn on a spool of its own and is killed by the end of it
 * or by the parent. */
static pid_t child_of(void (*fn)(struct spool *spool))
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        fn(open_spool());
        (void)kill(getpid(), SIGKILL);
    }
    return pid;
}

static void wait_killed(pid_t pid)
{
    int status = 0;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%d", status);
}

static size_t adopt_by(void (*fn)(const struct spool_record *records, size_t n, void *arg))
{
    struct spool *spool = open_spool();
    size_t n = 0;

    memset(found, 0, sizeof(found));
    spool_adopt(spool, dir, fn, &n);
    spool_close(spool);
    return n;
}

static size_t adopt(void)
{
    return adopt_by(take_records);
}

static void put_and_drop_some(struct spool *spool)
{
    for (int i = 0; i < 1000; i++) {
        uint64_t place = put(spool, i);

        if (i % 3 == 0)
            drop(spool, i, place);
    }
}

START_TEST(what_a_killed_process_left_is_taken_over_once)
{
    wait_killed(child_of(put_and_drop_some));
    ck_assert_int_eq(files(), 1);
    ck_assert_uint_eq(adopt(), 666);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(found[i], i % 3 != 0);
    ck_assert_int_eq(files(), 0);
    ck_assert_uint_eq(adopt(), 0);
}
END_TEST

START_TEST(what_a_living_process_has_stays_its_own)
{
    struct spool *first = open_spool();

    ck_assert_uint_ne(put(first, 1), SPOOL_NOWHERE);
    ck_assert_uint_eq(adopt(), 0);
    ck_assert_int_eq(files(), 1);
    spool_close(first); /* with something in it: for the next one */
    ck_assert_int_eq(files(), 1);
    ck_assert_uint_eq(adopt(), 1);
    ck_assert_int_eq(files(), 0);
    first = open_spool();
    drop(first, 2, put(first, 2));
    spool_close(first);
    ck_assert_int_eq(files(), 0);
}
END_TEST

START_TEST(a_full_spool_takes_no_more_until_something_goes)
{
    static uint64_t places[RECORDS];
    struct spool *spool = open_spool();
    static char large[4096];
    int n = 0;

    while (n < RECORDS && (places[n] = spool_put(spool, large, 2000, large, 2000)) != SPOOL_NOWHERE)
        n++;
    ck_assert_int_gt(n, 2000);
    ck_assert_int_lt(n, RECORDS);
    for (int round = 0; round < 3 * n; round++) { /* around the ring, in order */
        int oldest = round % n;

        ck_assert_uint_eq(spool_put(spool, large, 2000, large, 2000), SPOOL_NOWHERE);
        spool_drop(spool, &places[oldest], 1);
        places[oldest] = spool_put(spool, large, 2000, large, 2000);
        ck_assert_uint_ne(places[oldest], SPOOL_NOWHERE);
    }
    for (int i = 0; i < n; i++)
        spool_drop(spool, &places[i], 1);
    ck_assert_uint_eq(spool_put(spool, large, 4096, large, 4096), 1); /* at the front again */
    spool_close(spool);
}
END_TEST

START_TEST(what_was_taken_over_stays_until_it_is_dropped)
{
    struct spool *spool;
    size_t n = 0;

    wait_killed(child_of(put_and_drop_some));
    ck_assert_uint_eq(adopt_by(look_at_records), 666); /* ends before it is done */
    ck_assert_int_eq(files(), 1);
    spool = open_spool();
    memset(found, 0, sizeof(found));
    spool_adopt(spool, dir, look_at_records, &n);
    ck_assert_uint_eq(n, 666);
    ck_assert_uint_eq(adopt(), 0); /* a living process has it */
    spool_close(spool);
    ck_assert_uint_eq(adopt(), 666);
    ck_assert_int_eq(files(), 0);
}
END_TEST

/* Groups of ten whose leader is the fourth. Of some the leader was dropped, of some
 * all were, the others are untouched. */
enum { GROUPS = 30, GROUP = 10, LEADER = 3 };

static bool leader_dropped(int group)
{
    return group % 7 == 1 || group % 7 == 2 || group % 7 == 4;
}

static bool all_dropped(int group)
{
    return group % 7 == 2 || group % 7 == 6;
}

static void put_groups(struct spool *spool)
{
    uint64_t places[GROUPS * GROUP];

    for (int i = 0; i < GROUPS * GROUP; i++)
        places[i] = put(spool, i);
    for (int i = 0; i < GROUPS * GROUP; i++)
        if (i % GROUP != LEADER)
            spool_join(spool, places[i], places[i / GROUP * GROUP + LEADER]);
    for (int i = LEADER; i < GROUPS * GROUP; i += GROUP)
        if (leader_dropped(i / GROUP) || all_dropped(i / GROUP))
            spool_drop(spool, &places[i], 1);
    for (int i = 0; i < GROUPS * GROUP; i++)
        if (i % GROUP != LEADER && all_dropped(i / GROUP))
            spool_drop(spool, &places[i], 1);
}

START_TEST(followers_come_with_their_leader_or_not_at_all)
{
    size_t whole = 0;

    for (int group = 0; group < GROUPS; group++)
        whole += !leader_dropped(group) && !all_dropped(group);
    wait_killed(child_of(put_groups));
    for (int round = 0; round < 2; round++) { /* the first one ends before it is done */
        ck_assert_uint_eq(adopt_by(round ? take_records : look_at_records), whole * GROUP);
        for (int i = 0; i < GROUPS * GROUP; i++) {
            int group = i / GROUP;
            bool there = !leader_dropped(group) && !all_dropped(group);

            ck_assert_int_eq(found[i], there);
            if (there)
                ck_assert_int_eq(leaders[i], i % GROUP == LEADER ? -1 : group * GROUP + LEADER);
        }
    }
    ck_assert_int_eq(files(), 0);
}
END_TEST

/* Keeps some hundred records, drops others out of order, around the ring. */
static void churn(struct spool *spool)
{
    static uint64_t places[RECORDS];

    for (int i = 0; i < RECORDS; i++) {
        places[i] = put(spool, i);
        int old = i - 300 - i % 7 * 10;
        if (old >= 0 && places[old] != SPOOL_NOWHERE && !shared->dropping[old])
            drop(spool, old, places[old]);
    }
}

START_TEST(killed_at_any_point_a_process_leaves_whole_records)
{
    size_t adopted = 0;

    for (int round = 0; round < 40; round++) {
        memset(shared, 0, sizeof(*shared));
        pid_t pid = child_of(churn);
        usleep((useconds_t)(500 + round * 311 % 12000));
        (void)kill(pid, SIGKILL);
        wait_killed(pid);
        adopted += adopt();
        for (int i = 0; i < RECORDS; i++) {
            if (shared->put[i] && !shared->dropping[i])
                ck_assert_msg(found[i], "round %d: record %d is lost", round, i);
            if (shared->dropped[i])
                ck_assert_msg(!found[i], "round %d: record %d came back", round, i);
        }
        ck_assert_int_eq(files(), 0);
    }
    ck_assert_uint_gt(adopted, 1000);
}
END_TEST

static void ignore_records(const struct spool_record *records, size_t n, void *arg)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < records[i].len; k++)
            *(unsigned char *)arg ^= ((const unsigned char *)records[i].data)[k];
        ck_assert(!records[i].leader ||
                  (records[i].leader >= records && records[i].leader < records + n));
    }
    for (size_t i = 0; i < n; i++)
        spool_drop(records[i].spool, &records[i].place, 1);
}

START_TEST(rubbish_in_a_file_does_no_harm)
{
    unsigned x = 12345;
    unsigned char sum = 0;

    for (int round = 0; round < 50; round++) {
        wait_killed(child_of(put_and_drop_some));
        DIR *folder = opendir(dir);
        struct dirent *entry;
        char path[400] = "";

        while ((entry = readdir(folder)) != NULL)
            if (entry->d_name[0] != '.')
                (void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
        (void)closedir(folder);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        for (int i = 0; i < 40; i++) {
            x = x * 1664525 + 1013904223;
            unsigned char byte = (unsigned char)(x >> 24);
            /* Often in the head of the file, which says where things are. */
            off_t at = i < 4 ? 8 + (off_t)(x >> 8 & 15) : (off_t)(x >> 8) % 600000;
            ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
        }
        (void)close(fd);
        struct spool *spool = open_spool();
        spool_adopt(spool, dir, ignore_records, &sum);
        spool_close(spool);
        ck_assert_int_eq(files(), 0);
    }
}
END_TEST

START_TEST(a_folder_that_cannot_be_written_is_named)
{
    struct spool *spool = NULL;

    ck_assert_int_eq(spool_open(&spool, "/proc/no/such/folder", &err), ST_FAILED_PRECONDITION);
    ck_assert_ptr_nonnull(strstr(err.message, "/proc/no/such/folder"));
}
END_TEST

/* ---- a queue in a process of its own --------------------------------------- */

static struct nats_server nats;

static struct bus *connect_bus(const char *url)
{
    struct bus *bus = NULL;

    if (bus_new(&bus, &(struct bus_options){.url = url, .name = "test"}, &err) != ST_OK ||
        bus_setup(bus, &err) != ST_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        abort();
    }
    return bus;
}

static struct bus_event_queue *queue_of(struct bus *bus, const char *folder, bool share)
{
    struct bus_event_queue *queue = NULL;

    if (bus_event_queue_new(bus, RECORDS, &queue) != ST_OK)
        abort();
    if (share)
        bus_event_queue_share(queue, false);
    if (bus_event_queue_keep(queue, folder, &err) != ST_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        abort();
    }
    return queue;
}

/* The child: adds events from a number on and says on stdout which are added. */
static int add_events(char **argv)
{
    bool share = strcmp(argv[5], "share") == 0;
    struct bus_event_queue *queue = queue_of(connect_bus(argv[2]), argv[3], share);
    int first = (int)strtol(argv[4], NULL, 10);

    for (int i = first; i < first + 1000; i++) {
        char id[16];

        (void)snprintf(id, sizeof(id), "id-%d", i);
        bus_event_queue_add(queue, "mal.evt.test.a", id,
                            (const struct bus_header[]){{"Mal-Actor", "ana"}, {NULL, NULL}}, id,
                            strlen(id));
        if (write(STDOUT_FILENO, &i, sizeof(i)) != sizeof(i))
            break;
    }
    (void)pause();
    return 0;
}

static enum status count_followers(const struct bus_event *events, size_t n, void *arg)
{
    for (size_t i = 1; i < n; i++)
        *(int *)arg += events[i].sequence == events[i - 1].sequence;
    return ST_OK;
}

/* Whether the stream holds a message of several events by then. */
static bool some_shared(struct bus *bus, int64_t deadline_ms)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    int followers = 0;

    while (followers == 0 && clock_mono_ms() < deadline_ms) {
        struct bus_stream stream;

        (void)nanosleep(&pause, NULL); /* between two looks only */
        ck_assert_int_eq(bus_read(bus,
                                  &(struct bus_read_options){.reader = "w",
                                                             .filter = "mal.evt.>",
                                                             .fn = count_followers,
                                                             .arg = &followers},
                                  &stream),
                         ST_OK);
    }
    return followers > 0;
}

/* Runs it until it has added n events, and with a bus until the stream holds some that
 * share a message, and kills it; a number that it did not use. The one before may be
 * there or not: it was added, perhaps, and not told. */
static int run_adder(int first, int n, bool share, struct bus *bus)
{
    char number[16];
    int out[2], last = first - 1, status = 0;

    (void)snprintf(number, sizeof(number), "%d", first);
    ck_assert_int_eq(pipe(out), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        (void)dup2(out[1], STDOUT_FILENO);
        (void)close(out[0]);
        (void)close(out[1]);
        (void)execl("/proc/self/exe", "adder", "add", nats.url, dir, number,
                    share ? "share" : "alone", (char *)NULL);
        _exit(127);
    }
    (void)close(out[1]);
    while (last < first + n - 1)
        ck_assert_int_eq(read(out[0], &last, sizeof(last)), sizeof(last));
    ck_assert(!bus || some_shared(bus, clock_mono_ms() + WAIT_MS));
    (void)kill(pid, SIGKILL);
    while (read(out[0], &last, sizeof(last)) == sizeof(last))
        ;
    (void)close(out[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
    return last + 2;
}

static atomic_int times[RECORDS];

static enum status count_event(const struct bus_event *events, size_t n, void *arg)
{
    (void)arg;
    for (size_t i = 0; i < n; i++) {
        ck_assert_str_eq(events[i].actor, "ana");
        ck_assert_uint_eq(events[i].len, strlen(events[i].event_id));
        atomic_fetch_add(&times[strtol(events[i].event_id + 3, NULL, 10)], 1);
    }
    return ST_OK;
}

static uint64_t last_message;

static enum status count_shared(const struct bus_event *events, size_t n, void *arg)
{
    for (size_t i = 0; i < n; i++) {
        *(int *)arg += events[i].sequence == last_message;
        last_message = events[i].sequence;
    }
    return count_event(events, n, NULL);
}

/* Also by those who were killed in their turn; sharing messages or not. */
START_TEST(events_of_a_killed_process_are_sent_by_the_next_one)
{
    enum { ROUNDS = 12 };
    int first[ROUNDS + 1] = {0}, shared_ones = 0;
    uint64_t sent, dropped, waiting = 1;
    struct bus_stream stream;

    nats_server_start(&nats);
    struct bus *bus = connect_bus(nats.url);
    for (int i = 0; i < ROUNDS; i++)
        first[i + 1] = run_adder(first[i], 1 + i * 83 % 700, _i, _i && i == 0 ? bus : NULL);
    struct bus_event_queue *queue = queue_of(bus, dir, _i);
    for (int64_t until = clock_mono_ms() + WAIT_MS; waiting > 0 && clock_mono_ms() < until;) {
        usleep(5000);
        bus_event_queue_stats(queue, &sent, &dropped, &waiting);
    }
    ck_assert_uint_eq(waiting, 0);
    bus_event_queue_free(queue, 1000);
    ck_assert_int_eq(files(), 0);
    ck_assert_int_eq(
        bus_read(bus,
                 &(struct bus_read_options){
                     .reader = "r", .filter = "mal.evt.>", .fn = count_shared, .arg = &shared_ones},
                 &stream),
        ST_OK);
    for (int i = 0; i < ROUNDS; i++)
        for (int k = first[i]; k < first[i + 1]; k++) {
            int n = atomic_load(&times[k]);

            ck_assert_msg(n == 1 || (n == 0 && k == first[i + 1] - 1),
                          "event %d of round %d is there %d times", k, i, n);
        }
    ck_assert(_i ? shared_ones > 0 : shared_ones == 0);
    bus_free(bus);
    nats_server_done(&nats);
}
END_TEST

START_TEST(events_that_could_not_be_sent_before_the_end_wait)
{
    nats_server_start(&nats);
    struct bus *bus = connect_bus(nats.url);
    struct bus_event_queue *queue = queue_of(bus, dir, false);
    struct bus_stream stream;

    nats_server_freeze(&nats, 1);
    for (int i = 0; i < 10; i++) {
        char id[16];

        (void)snprintf(id, sizeof(id), "id-%d", i);
        bus_event_queue_add(queue, "mal.evt.test.a", id,
                            (const struct bus_header[]){{"Mal-Actor", "ana"}, {NULL, NULL}}, id,
                            strlen(id));
    }
    bus_event_queue_free(queue, 200);
    ck_assert_int_eq(files(), 1);
    nats_server_freeze(&nats, 0);
    bus_event_queue_free(queue_of(bus, dir, false), 10000);
    ck_assert_int_eq(files(), 0);
    ck_assert_int_eq(bus_read(bus,
                              &(struct bus_read_options){
                                  .reader = "r", .filter = "mal.evt.>", .fn = count_event},
                              &stream),
                     ST_OK);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(atomic_load(&times[i]), 1);
    bus_free(bus);
    nats_server_done(&nats);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("bus spool");
    TCase *tests = tcase_create("spool");

    if (argc == 6 && strcmp(argv[1], "add") == 0)
        return add_events(argv);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, what_a_killed_process_left_is_taken_over_once);
    tcase_add_test(tests, what_a_living_process_has_stays_its_own);
    tcase_add_test(tests, a_full_spool_takes_no_more_until_something_goes);
    tcase_add_test(tests, killed_at_any_point_a_process_leaves_whole_records);
    tcase_add_test(tests, rubbish_in_a_file_does_no_harm);
    tcase_add_test(tests, a_folder_that_cannot_be_written_is_named);
    tcase_add_test(tests, what_was_taken_over_stays_until_it_is_dropped);
    tcase_add_test(tests, followers_come_with_their_leader_or_not_at_all);
    tcase_add_loop_test(tests, events_of_a_killed_process_are_sent_by_the_next_one, 0, 2);
    tcase_add_test(tests, events_that_could_not_be_sent_before_the_end_wait);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
