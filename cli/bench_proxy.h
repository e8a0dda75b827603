/* SPDX-License-Identifier: Apache-2.0 */
/* What a call of a downstream server costs through the hub, directly, and through
 * other gateways. */
#pragma once

#include "bench.h"

struct bench_proxy_options {
    int seconds, rounds; /* length of a measurement, how often */
    bool peers;          /* the gateways from npm as well */
    bool json;
};

/* Measures on a stack that runs and prints. */
enum status bench_proxy(struct arena *arena, const struct bench_stack *stack,
                        const struct bench_proxy_options *options, struct error *err) MUST_CHECK;
/* `mal bench proxy …`: a throw-away hub; argv from the word proxy on. */
int cmd_bench_proxy(int argc, char **argv);

/* ---- bench_pipe.c ---- */
/* Starts the stdio server and keeps that many requests under way. */
enum status bench_pipe(struct arena *arena, const struct bench_target *target, int requests,
                       int seconds, struct bench_load *ret_load, struct error *err) MUST_CHECK;

/* ---- bench_peers.c ---- */
/* A gateway from npm in front of a stdio server. */
struct bench_peer {
    pid_t pid, gateway; /* ours and its own */
    const char *url, *sessions;
};

/* Installs them where the build is; NULL and why when that is impossible. */
const char *bench_peers_install(struct arena *arena, const char **ret_why);
enum status bench_peer_start(struct arena *arena, const char *folder, const char *name,
                             const char *const *server, struct bench_peer *ret_peer,
                             struct error *err) MUST_CHECK;
