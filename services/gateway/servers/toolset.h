/* SPDX-License-Identifier: Apache-2.0 */
/* The tools that an endpoint of the hub's own offers, under the names they have
 * there: built-in ones and those of downstream servers. Immutable; made anew with
 * every picture of the servers, which it borrows from. */
#pragma once

#include "definitions.h"
#include "tools.h"

#include "mal/mcp_health/v1/state.pb-c.h"

struct picture;

struct offer {
    const char *name;
    const struct tool *own;      /* one of the hub's, NULL: */
    const struct server *server; /* the downstream server that has it */
    const char *tool;            /* its name there */
    /* What is shown, under this name, in the words of version. A built-in tool
     * that is shown as it is has none. */
    const struct definition *shown;
    enum mcp_version version;
};

struct toolset {
    struct arena arena;
    bool granted;        /* whoever may use the endpoint may use its servers */
    struct offer *items; /* in the order of lists */
    size_t n;
    const struct offer **by_name; /* further names included, sorted */
    size_t n_by_name;
};

/* What /mcp offers: built-in tools, then exposed ones by name. */
struct toolset *toolset_hub(const struct tools *tools, const struct picture *picture);
/* What a virtual server offers, in its order; tools that are not there now are
 * left out. */
struct toolset *toolset_virtual(const struct tools *tools, const struct picture *picture,
                                const McpHealth__Virtual *chosen);
/* Accepts NULL. */
void toolset_free(struct toolset *set);
/* By a name of now or before; NULL when there is none. */
const struct offer *toolset_find(const struct toolset *set, const char *name);
/* To whoever may not call a tool it does not exist. */
bool toolset_visible(const struct toolset *set, const struct offer *offer,
                     const struct principal *who);
/* Its entry in lists. False: it has no form that this revision knows, nothing was
 * written. */
bool toolset_put(struct strbuf *out, const struct offer *offer, enum mcp_version version);
/* Appends "tools":[…] and, when more follow, "nextCursor": one page of
 * MAL_LIST_PAGE. False for a cursor that is none; cursor NULL = from the
 * beginning. */
bool toolset_list(const struct toolset *set, struct strbuf *out, const struct principal *who,
                  enum mcp_version version, const char *cursor);
/* Both are listed the same. */
bool toolset_same(const struct toolset *a, const struct toolset *b);
