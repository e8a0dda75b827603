/* SPDX-License-Identifier: Apache-2.0 */
/* A private nats-server with JetStream for one test: its own folder, its own
 * port, gone with the test. */
#pragma once

#include <sys/types.h>

struct nats_server {
    pid_t pid; /* 0 while it is stopped */
    int port;
    char dir[64];
    char url[64];
};

/* All abort with words on stderr when they cannot. */
void nats_server_start(struct nats_server *server);
/* SIGKILL, as if the machine had died; waits until it is gone. */
void nats_server_kill(struct nats_server *server);
/* SIGTERM, as an operator does; waits. */
void nats_server_stop(struct nats_server *server);
/* Again on the same port with the same store. */
void nats_server_restart(struct nats_server *server);
/* Freezes and thaws it: connections stay open, nothing moves. */
void nats_server_freeze(struct nats_server *server, int frozen);
/* Ends it and removes its folder. */
void nats_server_done(struct nats_server *server);
