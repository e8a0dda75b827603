/* SPDX-License-Identifier: Apache-2.0 */
/* A small MCP server of both eras with one tool, which says its argument again. */
#pragma once

#include "base/arena.h"
#include "base/strbuf.h"

/* Appends the answer to a message; nothing when it wants none. arena: scratch. */
void echo_answer(struct arena *arena, const char *text, size_t len, struct strbuf *out);
/* Over stdin and stdout, to the end of the input; an exit code. */
int echo_stdio(void);
