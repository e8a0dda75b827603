/* SPDX-License-Identifier: Apache-2.0 */
/* A caller's session at the endpoint of a legacy server has one session with that
 * server, whichever gateway copies its requests come to. What the copies need of it
 * is sealed in the bucket MAL_LINKS; one of them has the session's stream, on which
 * the server says what belongs to no call, and passes it on over the bus; another
 * takes that over when it dies. It ends when the caller's session does. */
#pragma once

#include "link.h"
#include "servers.h"

struct links;
enum status links_new(struct links **ret_links, struct gateway *gw, struct error *err) MUST_CHECK;
/* Finishes what is to be ended, as far as it does in time. Sessions that are still
 * there may go on calling. Both accept NULL. */
void links_stop(struct links *links);
void links_free(struct links *links);

/* This copy's part in such a session; key = hash of the caller's session. */
struct share *share_new(struct links *links, const struct server *server, const char *key);
/* Accepts NULL. */
void share_free(struct share *share);
/* Makes the session that is opened a shared one. */
void share_options(struct share *share, struct downstream_session_options *options);
/* Some copy has to hear what the server says outside calls: takes the stream when
 * no living one has it. Blocks briefly. */
void share_hear(struct share *share, struct downstream_session *session, int64_t deadline_ms);

/* The server asks on the session's stream: the copy that runs a call of the session
 * takes it, else it is refused. Returns at once. */
void links_asked(struct links *links, const char *server, const char *key, const char *json,
                 size_t len);
/* The caller thinks about such a question, which is to be said so often: its other calls
 * at any copy keep their time, since one of them waits for it. */
enum { LINKS_HOLD_EVERY_MS = 5000 };
void links_hold(struct links *links, const char *key);

/* Closes what nobody used for a while; elsewhere, as it may take a while itself. */
void links_sweep(struct links *links);
/* A caller's session is over, which all copies are told. */
void links_end(struct links *links, const char *session);
/* A caller's session came to this copy to listen: the session with its server is
 * heard if it was heard before. */
void links_resume(struct links *links, const char *session);
