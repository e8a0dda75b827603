/* SPDX-License-Identifier: Apache-2.0 */
/* What the generator refuses. Every mistake is noted with model_error, so that
 * one run shows them all. */
#pragma once

#include "model.h"

/* Everything below for the files to generate. */
void lint(struct model *model);

/* The rule of a field fits its type and is one that can be kept. */
void lint_rule(struct model *model, const struct message *message, const struct field *field);
/* Comments, names, tools, routes and paging of an rpc. */
void lint_method(struct model *model, const struct method *method);

/* Compares field numbers and enum numbers with those of proto.lock; a file that
 * does not exist locks nothing. */
void lock_check(struct model *model, const char *lock_path);
/* proto.lock of the model; numbers that old_path (may be NULL or absent) has
 * and the protos have no more stay in it. */
void lock_write(struct model *model, const char *old_path, struct strbuf *out);
