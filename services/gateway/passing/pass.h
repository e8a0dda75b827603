/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that go through to a downstream server for a caller of either era, and
 * everything that the server says until its answer, in its order.
 *
 *   pass.c        the way there, its rounds, notifications
 *   pass_reply.c  results and errors for the caller
 *   pass_ask.c    what an older server asks
 *   pass_round.c  what a modern server asks of older callers
 *   pass_state.c  the same of modern callers: requestState
 *   pass_task.c   tasks of modern servers, for older callers
 *   park.c        exchanges that wait for the retry of a modern caller
 *   resume.c      retries that come to another copy than the one that holds them */
#pragma once

#include "inflight.h"
#include "mcp/bridge.h"
#include "mcp_call.h"
#include "relay.h"

#include "mal/gateway/v1/state.pb-c.h"

/* Passes the request on to the server and writes what comes back. target: what
 * the server itself calls the tool, prompt or resource, NULL = as the caller
 * does. False: the answer is an error, or the tool's failure. */
bool pass_request(struct mcp *m, const struct server *server, const char *target);

/* Tells an older server what an older caller tells, as that its roots changed. */
void pass_notification(struct mcp *m, const struct server *server);

/* ---- inside ------------------------------------------------------------------ */

enum { PASS_ROUNDS = 10, PASS_QUESTIONS = 8, PASS_STATE_MAX = 256 * 1024 };

/* One that an older server asked and the caller has not answered. */
struct pass_question {
    unsigned number; /* for asking.h; 0 = the place is free */
    const char *id;  /* the server's, as written */
    size_t id_len;
    const char *token; /* the server's progressToken as written, NULL none */
    size_t token_len;
    int64_t until_ms;
    /* Of one that came on the session's stream, and may be another call's: itself, and
     * when to say next that it is open. */
    const char *json;
    size_t json_len;
    int64_t hold_ms;
};

struct pass {
    struct mcp *m;
    const struct server *server;
    const char *target, *tool; /* tool: name of tools/call, else NULL */
    struct call call;
    struct flight flight;
    struct relay relay;
    struct json caps_json; /* what the caller can be asked */
    const struct json_node *caps;
    const char *log_level; /* that the caller wants, NULL = not said */
    const char *token;     /* its progressToken as written */
    size_t token_len;
    int64_t timeout_ms, comment_ms;
    bool streams, is_error;
    bool paused; /* the answer is a question: the call goes on with a retry */
    bool again;  /* another round, with relay.request.params_text */
    unsigned round;
    const char *task;      /* its id, NULL once it is known to be done */
    int64_t task_until_ms; /* a task of the server's is looked at; 0 = there is none */
    struct asking *asking;
    struct parked *parked; /* the exchange is to wait for a retry */
    struct pass_question questions[PASS_QUESTIONS];
    /* Takes what is said before the answer, when the caller is at another copy. */
    void (*say)(struct pass *pass, const char *text, size_t len);
    void (*pause)(struct pass *pass);
    void *arg;
};

/* From the server's revision, MCP_UNKNOWN = as last known, to the caller's. */
struct bridge pass_bridge(const struct pass *pass, enum mcp_version server);
/* A message before the answer. */
void pass_say(struct pass *pass, const char *text, size_t len);
/* What is the same for all requests of this caller; target, tool and streams are set. */
void pass_begin(struct pass *pass, struct mcp *m, const struct server *server);
/* Runs the relay, round after round. */
enum status pass_run(struct pass *pass, bool go_on) MUST_CHECK;
/* Whether the method may be answered with questions. */
bool pass_askable(const struct mcp *m);

void pass_answered(struct relay *relay, const struct downstream_message *msg);
/* What the server answered, for the caller. */
void pass_answer(struct pass *pass, const struct downstream_message *msg);
/* The result is a task, or how far one is. */
void pass_task(struct pass *pass, const struct downstream_message *msg);
/* The caller cancelled: so is the task. */
void pass_task_cancel(struct pass *pass);
/* The failure in the form that the method has. */
void pass_fail(struct pass *pass, const struct error *err);
/* "MCP server 'x' <words>." */
void pass_broken(struct pass *pass, enum downstream_fault fault, const char *words);
/* The tool failed, in words for its model. */
void pass_words(struct pass *pass, const char *words);
/* A question to a modern caller: entries is the object of inputRequests. */
void pass_input_required(struct pass *pass, const char *entries, Gateway__BridgeState *state);

/* An older server's request. */
void pass_asked(struct pass *pass, const struct downstream_message *msg);
/* Passes on answers that came meanwhile; false when no question is open. */
bool pass_look(struct pass *pass, int wait_ms);
/* The server has withdrawn its question. */
void pass_withdrawn(struct pass *pass, const struct downstream_message *msg);
/* The call is over, and its server shall not wait for what it asked. */
void pass_ask_over(struct relay *relay);
void pass_ask_end(struct pass *pass);
/* False: too many callers are asked already. */
bool pass_ready_to_ask(struct pass *pass);
/* Adds a member to the object: the key as written, or the name. */
void pass_put_member(struct strbuf *out, const struct json *json, const struct json_node *key,
                     const char *name, const char *value);

/* ---- pass_round.c ---- */

/* A modern server's questions to an older caller: asks all, prepares the next
 * round or fails. */
void pass_ask_all(struct pass *pass, const struct downstream_message *msg);

/* requestState of this caller and this request, in the arena. */
const char *pass_seal(struct pass *pass, Gateway__BridgeState *state);
/* *ret_state NULL: the request has none. False: answered. */
bool pass_unseal(struct pass *pass, const Gateway__BridgeState **ret_state);
/* The params without what belongs to the hop, or with the server's state. */
void pass_put_params(struct pass *pass, const Gateway__BridgeState *state);
