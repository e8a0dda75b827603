/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of a host, looked up by a thread of their own: the system's resolver
 * knows no deadline and wants more stack than a worker of the gateway has. */
#pragma once

#include "downstream/waiter.h"

#include <stdint.h>
#include <sys/socket.h>

enum { RESOLVE_MAX = 8 };

struct address {
    struct sockaddr_storage addr;
    socklen_t len;
};

struct resolver;
struct resolver *resolver_new(const char *host, const char *port, bool numeric);
/* A lookup that runs goes on by itself. Accepts NULL. */
void resolver_free(struct resolver *resolver);
/* How many addresses, at most RESOLVE_MAX; 0 with *ret_why (static) set. What was
 * found is kept for some seconds. */
int resolver_get(struct resolver *resolver, struct waiter *waiter, int64_t deadline_ms,
                 struct address out[RESOLVE_MAX], const char **ret_why);
/* The addresses did not work: look again next time. */
void resolver_forget(struct resolver *resolver);
