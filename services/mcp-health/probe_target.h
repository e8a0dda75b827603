/* SPDX-License-Identifier: Apache-2.0 */
/* One server as the prober holds it: reached once, then kept. */
#pragma once

#include "state.h"
#include "tool.h"

#include <stdatomic.h>

struct downstream;
struct downstream_session;

struct target {
    char id[65];
    int revision;
    struct downstream *server;
    struct downstream_session *session;
    int64_t list_at_ms;  /* clock_mono_ms() when definitions are to be read again */
    atomic_bool changed; /* the server said that they changed */
    int changes;         /* stdio: how often it had said so when they were read */
    bool busy;           /* a thread has it */
    struct target *next;
};

/* What a probe needs, and what it finds. */
struct probe {
    struct target *target;
    const McpHealth__Server *row;
    const char *health_check_url; /* "" = none */
    struct arena *arena;
    struct bus *bus;  /* to the runners; NULL = stdio servers cannot be reached */
    bool ask_only;    /* definitions are not taken, and nothing is heard of later */
    int64_t until_ms; /* clock_mono_ms() when it is to be over; 0 = limits of its own */
    struct evidence evidence;
    struct reading reading; /* when read */
    bool read;              /* definitions were due and are there */
};
bool target_can_be_probed(const McpHealth__Server *row);
/* Whether the server's lists are asked for as well. */
bool probe_reads(const struct probe *probe);
/* The part for stdio servers. */
enum status probe_stdio(struct probe *probe, struct error *err) MUST_CHECK;
/* Reaches the server as its registration says. */
void target_probe(struct probe *probe);
/* Closes what is open; the target can be probed again. */
void target_close(struct target *target);
