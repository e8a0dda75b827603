/* SPDX-License-Identifier: Apache-2.0 */
/* Legacy MCP sessions. They live in the bucket MAL_SESSIONS and in the memory of
 * every gateway copy, which watches it; any copy serves any session. */
#pragma once

#include "gateway.h"
#include "mcp/era.h"

enum {
    SESSION_HASH_SIZE = 33,
    SESSION_ID_SIZE = 33,
    SESSION_URIS_MAX = 200,
    SESSION_URI_MAX = 2048
};

/* What one exchange needs to know of its session. */
struct session {
    char hash[SESSION_HASH_SIZE]; /* what the session is called inside the hub */
    enum mcp_version version;
    bool elicitation;
    const char *capabilities; /* of the client as JSON, "" when they are not known */
    const char *log_level;    /* of logging/setLevel, "" when not set */
};

struct sessions;
enum status sessions_new(struct sessions **ret_sessions, struct gateway *gw,
                         struct error *err) MUST_CHECK;
void sessions_free(struct sessions *sessions);
/* RESOURCE_EXHAUSTED at MAL_MAX_SESSIONS, UNAVAILABLE without the bus. */
enum status sessions_create(struct sessions *sessions, struct exchange *x,
                            const struct mcp_client *client,
                            char ret_id[SESSION_ID_SIZE]) MUST_CHECK;
/* NOT_FOUND for unknown, ended, expired and other principals' sessions alike.
 * Counts as use. */
enum status sessions_find(struct sessions *sessions, struct exchange *x, const char *id,
                          struct session *ret_session) MUST_CHECK;
void sessions_end(struct sessions *sessions, const char *hash);
enum status sessions_subscribe(struct sessions *sessions, struct exchange *x, const char *hash,
                               const char *uri, bool on) MUST_CHECK;
enum status sessions_log_level(struct sessions *sessions, struct exchange *x, const char *hash,
                               const char *level) MUST_CHECK;
/* What it subscribed to, in the arena; how many. */
size_t sessions_uris(struct sessions *sessions, const char *hash, struct arena *arena,
                     const char *const **ret_uris);
int64_t sessions_count(struct sessions *sessions);
/* This copy knows the session, which has not ended as far as it has heard. */
bool sessions_known(struct sessions *sessions, const char *hash);
/* The bucket has no such session. */
bool sessions_gone(struct sessions *sessions, const char *hash);
/* Of whoever listens: its revision and level, in the arena, NULL when not set. False: there
 * is no such session here. */
bool sessions_listener(struct sessions *sessions, struct arena *arena, const char *hash,
                       enum mcp_version *ret_version, const char **ret_level);
/* The client's capabilities; NULL = none, or no such session here. */
const char *sessions_capabilities(struct sessions *sessions, struct arena *arena, const char *hash);

/* Which copy's GET stream carries the session's messages: the one opened last,
 * so that each message goes out on one stream only. */
void sessions_claim(struct sessions *sessions, const char *hash, const char *instance);
/* Instance that owns the stream, "" when none; false when there is no session. */
bool sessions_owner(struct sessions *sessions, const char *hash, char ret_owner[33]);
/* An open stream is use. */
void sessions_touch(struct sessions *sessions, const char *hash, int64_t now_ms);
/* Ends what was idle for too long. */
void sessions_sweep(struct sessions *sessions, int64_t now_ms);
