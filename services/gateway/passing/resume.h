/* SPDX-License-Identifier: Apache-2.0 */
/* What two gateway copies agree on when a retry comes to the one and the exchange is
 * held by the other; inside of park.c, resume.c and resumed.c. */
#pragma once

#include "park.h"

/* <instance>.resume carries a gateway.v1.Resume, <instance>.alive the handle of one
 * whose caller still waits. */
#define RESUME_SUBJECT "mal.gateway.v1.parked."
/* Of a retry that runs for another copy, in inflight.h; its session is the handle. */
#define RESUME_FLIGHT_ID "0"

enum { RESUME_LOOK_MS = 500 }; /* how often each side looks after the other */

/* The same where the exchange is held. */
enum status park_go_on(struct pass *pass, const char *handle) MUST_CHECK;
/* The server whose exchange that is, in the picture that is given; NULL: not here. */
const struct server *park_server(struct gateway *gw, const char *handle,
                                 struct picture **ret_picture);
/* The state is void: it was used, or it is too late. */
void park_void(struct pass *pass);
/* By the copy that the retry came to: has the one that holds the exchange go on. */
enum status resume_elsewhere(struct pass *pass, const Gateway__BridgeState *state) MUST_CHECK;

/* Takes what other copies hand over, until freed, which waits for what runs. */
struct resumes;
enum status resumes_new(struct resumes **ret_resumes, struct gateway *gw,
                        struct error *err) MUST_CHECK;
void resumes_free(struct resumes *resumes);
