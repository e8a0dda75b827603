/* SPDX-License-Identifier: Apache-2.0 */
/* A small HTTP client over a raw socket: tests decide every byte that is sent. */
#pragma once

#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>

enum { CLIENT_WAIT_MS = 10000 };

struct client {
    int fd;           /* -1 when closed */
    struct strbuf in; /* received, not yet taken */
};

struct answer {
    int status; /* 0: the connection ended before a whole head */
    char head[4096];
    char *body; /* owned */
    size_t len;
};

/* Connects to 127.0.0.1:port; false when refused. */
bool client_open(struct client *client, int port);
void client_done(struct client *client);
/* Sends all or aborts the test's patience: false when the peer is gone. */
bool client_send(struct client *client, const char *text);
bool client_send_bytes(struct client *client, const void *bytes, size_t len);
/* Reads one response: its head, and a body by Content-Length (or to the end of
 * the connection when there is none). Frees an earlier body. 1xx answers are
 * answers of their own. */
bool client_read(struct client *client, struct answer *answer);
/* Like client_read, but of a stream: just the head. */
bool client_read_head(struct client *client, struct answer *answer);
/* Waits until the text was received and drops everything up to its end. */
bool client_expect(struct client *client, const char *text, int wait_ms);
/* Whether the peer ends the connection within the time; what it sends till then
 * is dropped. */
bool client_ended(struct client *client, int wait_ms);
/* Value of a response header, copied to out; false when absent. */
bool answer_header(const struct answer *answer, const char *name, char *out, size_t size);
void answer_done(struct answer *answer);
/* One request on a connection of its own. */
int request_status(int port, const char *text);
