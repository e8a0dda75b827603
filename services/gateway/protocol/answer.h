/* SPDX-License-Identifier: Apache-2.0 */
/* Questions put to legacy clients on a stream, and their answers, which come
 * with another POST that may reach another gateway copy. */
#pragma once

#include "inflight.h"
#include "mcp_call.h"

enum answer { ANSWER_YES, ANSWER_NO, ANSWER_NONE };

/* Asks by elicitation/create on the call's own stream whether to go ahead, and
 * waits. NONE: the client left, cancelled, failed or took too long. */
enum answer answer_ask(struct mcp *m, struct flight *flight, const char *question);
/* The subscription is known to the server of the bus when this returns: an answer
 * may come to another copy before anything else is sent from here. */
bool answer_listen(struct bus *bus, const char *subject, struct bus_sub **ret_sub);
/* Where the copy that put a question on the session's stream hears of its answer. */
const char *answer_subject(struct arena *arena, const char *session, const char *id);
/* Hands a client's response, or its progress, on to the copy that waits for it;
 * id as the client has it, anything at all. */
void answer_deliver(struct gateway *gw, struct arena *arena, const char *session, const char *id,
                    const struct mcp_message *msg);
/* Reads an ElicitResult: {"action":"accept","content":{"confirm":true}}; NONE
 * when the content lacks the answer. False when it is no ElicitResult. */
bool answer_read(const struct json *json, const struct json_node *result, enum answer *ret_answer);
/* The params of the elicitation, the same for both eras. */
void answer_put_params(struct strbuf *out, const char *question, bool with_mode);
