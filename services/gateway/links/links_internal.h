/* SPDX-License-Identifier: Apache-2.0 */
/* What links.c and share.c have in common. */
#pragma once

#include "link_jobs.h"
#include "links.h"
#include "mcp/seal.h"
#include "withdrawn.h"

#include "mal/gateway/v1/state.pb-c.h"

#define LINKS_ALIVE "mal.gateway.v1.alive"
#define LINKS_HEARD "mal.gateway.v1.heard"

struct links {
    struct gateway *gw;
    struct bus_kv *kv;
    struct bus_kv_watch *watch; /* of what is there at the start */
    struct bus_sub *alive, *heard;
    unsigned char seal_key[MCP_SEAL_KEY_SIZE];
    struct withdrawn withdrawn;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t cond;
    struct link_jobs jobs;
    bool sweeping;   /* such a job waits or runs */
    bool told, stop; /* told: everything that was there at the start */
    int64_t stop_ms; /* until then jobs are done */
    pthread_t threads[LINK_THREADS];
    int n_threads;
};

enum status links_get(struct links *links, struct arena *arena, const char *key,
                      Gateway__Link **ret_link, uint64_t *ret_revision) MUST_CHECK;
/* NULL when it was not sealed by the hub for that entry. */
Gateway__LinkState *links_unseal(struct links *links, struct arena *arena, const char *key,
                                 const char *sealed);
/* Passes a message of the session's stream on to the copies. */
void links_publish(struct links *links, const char *key, const char *json, size_t len);

/* ---- heard.c ------------------------------------------------------------------------ */

/* Finds who answers a question, or refuses it when its time to be found is over. False:
 * there is nobody yet, or the bus stands still. */
bool links_ask(struct links *links, const struct link_job *job);
/* Of LINKS_ALIVE; arg = links. Answers; what is in it is a question for a call here. */
void links_alive(struct bus_message *msg, void *arg);
/* Of LINKS_HEARD; arg = links. Empty: who runs a call that could be asked? Else what
 * the server said. */
void links_told(struct bus_message *msg, void *arg);
