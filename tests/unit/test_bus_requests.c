/* SPDX-License-Identifier: Apache-2.0 */
/* The requests that wait for a worker: which of them, and when. */
#include "../../lib/bus/server.h"

#include "base/clock.h"
#include "suite.h"

#include <check.h>

enum { ITEMS = 100 };

static const struct rpc read_rpc = {.subject = "mal.demo.v1.look", .read_only = true};
static const struct rpc write_rpc = {.subject = "mal.demo.v1.put"};
static const struct endpoint read_endpoint = {.rpc = &read_rpc},
                             write_endpoint = {.rpc = &write_rpc};
static struct served reads, writes;
static struct bus_server server;
static struct waiting items[ITEMS], *taken[BATCH_MAX];
static size_t n_items;
static bool batch;

static void no_round(void *state)
{
    (void)state;
}

static void setup(void)
{
    reads = (struct served){.endpoint = &read_endpoint, .quick = true};
    writes = (struct served){.endpoint = &write_endpoint};
    server = (struct bus_server){.service = {.round = no_round}};
    bus_requests_init(&server);
    server.most_batches = 1;
    n_items = 0;
}

static struct waiting *add(struct served *served, int64_t age_ms)
{
    struct waiting *item = &items[n_items++];

    *item =
        (struct waiting){.served = served, .received_ms = clock_mono_ms() - age_ms, .bytes = 10};
    ck_assert(bus_requests_add(&server, item));
    return item;
}

START_TEST(reads_leave_together_and_in_order)
{
    for (int i = 0; i < 40; i++)
        add(&reads, 0);
    ck_assert_uint_eq(bus_requests_take(&server, taken, &batch), BATCH_MAX);
    ck_assert(batch);
    for (size_t i = 0; i < BATCH_MAX; i++)
        ck_assert_ptr_eq(taken[i], &items[i]);
    ck_assert_uint_eq(bus_requests_take(&server, taken, &batch), 40 - BATCH_MAX);
    ck_assert_uint_eq(server.n_waiting, 0);
    ck_assert_uint_eq(server.bytes_waiting, 0);
}
END_TEST

START_TEST(reads_gather_while_a_batch_is_under_way)
{
    add(&reads, 0);
    ck_assert(bus_requests_ready(&server));
    server.n_batches = 1;
    ck_assert(!bus_requests_ready(&server));
    ck_assert_int_ge(bus_requests_patience_ms(&server), 0);
    server.n_batches = 0;
    ck_assert(bus_requests_ready(&server));
}
END_TEST

START_TEST(a_batch_that_takes_long_does_not_hold_up_the_reads_behind_it)
{
    server.n_batches = 1;
    add(&reads, 20);
    ck_assert(bus_requests_ready(&server));
    ck_assert_uint_eq(bus_requests_take(&server, taken, &batch), 1);
}
END_TEST

START_TEST(a_write_waits_for_no_batch)
{
    struct waiting *write;

    server.n_batches = 1;
    add(&reads, 1);
    write = add(&writes, 0);
    ck_assert(bus_requests_ready(&server));
    ck_assert_uint_eq(bus_requests_take(&server, taken, &batch), 1);
    ck_assert_ptr_eq(taken[0], write);
    ck_assert(!batch);
    ck_assert(!bus_requests_ready(&server));
}
END_TEST

START_TEST(who_came_first_is_served_first)
{
    struct waiting *write = add(&writes, 3);

    add(&reads, 2);
    ck_assert_uint_eq(bus_requests_take(&server, taken, &batch), 1);
    ck_assert_ptr_eq(taken[0], write);
    add(&writes, 1);
    ck_assert_uint_eq(bus_requests_take(&server, taken, &batch), 1);
    ck_assert_ptr_eq(taken[0]->served, &reads);
}
END_TEST

START_TEST(what_turned_out_to_be_slow_meanwhile_goes_alone)
{
    add(&reads, 0);
    add(&reads, 0);
    reads.quick = false;
    ck_assert_uint_eq(bus_requests_take(&server, taken, &batch), 1);
    ck_assert(!batch);
    ck_assert_ptr_eq(taken[0], &items[0]);
    ck_assert_uint_eq(bus_requests_take(&server, taken, &batch), 1);
    ck_assert_ptr_eq(taken[0], &items[1]);
    ck_assert(!bus_requests_ready(&server));
}
END_TEST

START_TEST(the_queue_has_an_end)
{
    server.n_waiting = BUS_QUEUE_MESSAGES;
    ck_assert(!bus_requests_add(&server, &items[0]));
    server.n_waiting = 0;
    items[0] = (struct waiting){.served = &reads, .bytes = (size_t)BUS_QUEUE_BYTES + 1};
    ck_assert(!bus_requests_add(&server, &items[0]));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bus requests");
    TCase *tests = tcase_create("requests");

    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, reads_leave_together_and_in_order);
    tcase_add_test(tests, reads_gather_while_a_batch_is_under_way);
    tcase_add_test(tests, a_batch_that_takes_long_does_not_hold_up_the_reads_behind_it);
    tcase_add_test(tests, a_write_waits_for_no_batch);
    tcase_add_test(tests, who_came_first_is_served_first);
    tcase_add_test(tests, what_turned_out_to_be_slow_meanwhile_goes_alone);
    tcase_add_test(tests, the_queue_has_an_end);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
