/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of `mal mcp` share: the hub over REST. */
#pragma once

#include "hub.h"

#include <jansson.h>

struct mcp_hub {
    struct arena *arena;
    const char *base; /* https://hub, without a path */
    const char *key;  /* may be NULL */
    bool json;        /* print JSON */
};

/* ---- mcp_rest.c ---- */
/* One exchange below /api/v1. body (borrowed) may be NULL. *ret_reply is owned by
 * the caller. An answer above 299 is the failure that the hub tells. */
enum status mcp_rest(const struct mcp_hub *hub, const char *method, const char *path,
                     const json_t *body, json_t **ret_reply, struct error *err) MUST_CHECK;
/* Text for a part of a path. */
const char *mcp_escape(const struct mcp_hub *hub, const char *text);
void mcp_print(const json_t *json);
/* Every entry of a paged list; *ret_items is owned by the caller. */
enum status mcp_all_pages(const struct mcp_hub *hub, const char *path, json_t **ret_items,
                          struct error *err) MUST_CHECK;
/* A text member, "" when there is none. */
const char *mcp_text(const json_t *object, const char *name);
/* Words key=value as members of body; values are JSON or texts. */
enum status mcp_pairs(const struct mcp_hub *hub, char **words, int n, json_t *body,
                      struct error *err) MUST_CHECK;

/* ---- mcp_import.c ---- */
/* Registers the servers of a file {"mcpServers": {…}} that are not there. */
enum status mcp_import(const struct mcp_hub *hub, const char *path, struct error *err) MUST_CHECK;

/* ---- mcp_offer.c ---- */
/* mal mcp expose SERVER [off] [key=value…]. */
enum status mcp_expose(const struct mcp_hub *hub, char **words, int n,
                       struct error *err) MUST_CHECK;
/* mal mcp tools SERVER. */
enum status mcp_tools(const struct mcp_hub *hub, const char *server, struct error *err) MUST_CHECK;
/* mal mcp virtual list | show ID | set ID FILE | rm ID. */
enum status mcp_virtual(const struct mcp_hub *hub, char **words, int n,
                        struct error *err) MUST_CHECK;
