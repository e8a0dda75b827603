/* SPDX-License-Identifier: Apache-2.0 */
/* What the generator writes. */
#pragma once

#include "model.h"

/* A file for protoc to write; name is relative to the output folder. */
struct output {
    const char *name, *content; /* in the model's arena */
};

struct outputs {
    struct output *items;
    size_t n, size;
};

/* Adds a file; empties content. */
void output_add(struct outputs *outputs, struct arena *arena, const char *name,
                struct strbuf *content);

/* <package>.api.{c,h} and <package>.server.{c,h} of every package to generate. */
void emit_packages(const struct model *model, struct outputs *outputs);
/* tools.json, openapi.json and proto.lock of all packages together; old_lock is
 * the lock's path so far, may be NULL. */
void emit_docs(struct model *model, const char *version, const char *old_lock,
               struct outputs *outputs);
