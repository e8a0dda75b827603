/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing names: the tool's own, with the server's prefix, or cut with a hash of
 * both, whatever comes first that nobody else has. */
#include "naming.h"

#include <ctype.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

enum { HASH_BYTES = 4, HASH_SIZE = 2 * HASH_BYTES + 1, CUT = SHOWN_NAME_MAX - HASH_SIZE };

enum step { STEP_FIRST, STEP_PREFIXED, STEP_HASHED, STEPS, STEP_SETTLED = STEPS };

/* What is known of a name. */
struct slot {
    const char *name;
    const struct given_name *given;
    size_t claims, never, always; /* of this step, and of which kind */
    bool taken;
};

/* Open addressing; never full. */
struct book {
    struct slot *slots;
    size_t size;
};

struct claim {
    struct named_tool *tool;
    const char *wanted;
    enum step step;
};

static struct slot *look(struct book *book, const char *name)
{
    size_t at = 5381;

    for (const char *p = name; *p; p++)
        at = at * 33 + (unsigned char)*p;
    for (at %= book->size; book->slots[at].name; at = (at + 1) % book->size)
        if (strcmp(book->slots[at].name, name) == 0)
            return &book->slots[at];
    book->slots[at].name = name;
    return &book->slots[at];
}

/* ---- forms of a name -------------------------------------------------------- */

static char *clean(struct arena *arena, const char *text)
{
    char *out = arena_alloc(arena, strlen(text) + 1), *to = out;

    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;

        if ((c & 0xc0) == 0x80)
            continue; /* the rest of a character that became _ */
        *to++ = (char)(c < 0x80 && (isalnum(c) || strchr("_.-", c)) ? c : '_');
    }
    return out;
}

static const char *cut(struct arena *arena, const struct named_tool *tool, const char *name)
{
    unsigned char hash[crypto_generichash_BYTES_MIN];
    char hex[HASH_SIZE];
    const char *both = arena_printf(arena, "%s/%s", tool->server, tool->tool);

    (void)crypto_generichash(hash, sizeof(hash), (const unsigned char *)both, strlen(both), NULL,
                             0);
    (void)sodium_bin2hex(hex, sizeof(hex), hash, HASH_BYTES);
    return arena_printf(arena, "%.*s_%s", (int)CUT, name, hex);
}

/* The hub's own tools and those of the search mode. */
static bool is_reserved(const char *name)
{
    return *name == '\0' || strncmp(name, "mal_", 4) == 0 || strcmp(name, "find-tool") == 0 ||
           strcmp(name, "call-tool") == 0;
}

static const char *form(struct arena *arena, const struct named_tool *tool, enum step step)
{
    bool prefixed = step != STEP_FIRST || tool->naming == NAMING_ALWAYS;
    const char *name = clean(arena, tool->tool);

    if (prefixed) {
        name = arena_printf(arena, "%s_%s", clean(arena, tool->prefix), name);
        if (is_reserved(name))
            name = arena_printf(arena, "mcp_%s", name);
    }
    if (step == STEP_HASHED || strlen(name) > SHOWN_NAME_MAX)
        name = cut(arena, tool, name);
    return name;
}

/* ---- who gets it ------------------------------------------------------------- */

static bool is_others(const struct slot *slot, const struct named_tool *tool)
{
    return slot->given && (strcmp(slot->given->server, tool->server) != 0 ||
                           strcmp(slot->given->tool, tool->tool) != 0);
}

static bool wins(const struct slot *slot, const struct claim *claim)
{
    const struct named_tool *tool = claim->tool;

    if (slot->taken || is_reserved(slot->name) || is_others(slot, tool))
        return false;
    if (tool->naming == NAMING_NEVER)
        return true;
    if (claim->step == STEP_FIRST && tool->naming == NAMING_ALWAYS)
        return slot->always == 1 && slot->never == 0;
    return slot->claims == 1;
}

static enum step after(const struct claim *claim)
{
    if (claim->tool->naming == NAMING_NEVER)
        return STEP_SETTLED;
    if (claim->step == STEP_FIRST && claim->tool->naming == NAMING_ON_CONFLICT)
        return STEP_PREFIXED;
    return claim->step == STEP_HASHED ? STEP_SETTLED : STEP_HASHED;
}

static void make_claims(struct arena *arena, struct book *book, struct claim *claims, size_t n,
                        enum step step)
{
    for (size_t i = 0; i < n; i++) {
        struct slot *slot;

        if (claims[i].step != step)
            continue;
        claims[i].wanted = form(arena, claims[i].tool, step);
        slot = look(book, claims[i].wanted);
        slot->claims++;
        slot->never += claims[i].tool->naming == NAMING_NEVER;
        slot->always += claims[i].tool->naming == NAMING_ALWAYS;
    }
}

static void decide(struct book *book, struct claim *claims, size_t n, enum step step)
{
    for (size_t i = 0; i < n; i++) {
        struct claim *claim = &claims[i];
        struct slot *slot;

        if (claim->step != step)
            continue;
        slot = look(book, claim->wanted);
        if (wins(slot, claim)) {
            claim->tool->name = claim->wanted;
            claim->step = STEP_SETTLED;
            slot->taken = true;
        } else {
            claim->step = after(claim);
        }
    }
}

void names_choose(struct arena *arena, struct named_tool *tools, size_t n,
                  const struct given_name *given, size_t n_given)
{
    struct claim *claims = arena_alloc(arena, n * sizeof(*claims));
    struct book book = {.size = 2 * (STEPS * n + n_given) + 1};

    book.slots = arena_alloc(arena, book.size * sizeof(*book.slots));
    for (size_t i = 0; i < n_given; i++)
        look(&book, given[i].name)->given = &given[i];
    for (size_t i = 0; i < n; i++) {
        tools[i].name = NULL;
        claims[i] = (struct claim){.tool = &tools[i]};
    }
    for (enum step step = STEP_FIRST; step < STEPS; step++) {
        make_claims(arena, &book, claims, n, step);
        decide(&book, claims, n, step);
        for (size_t i = 0; i < book.size; i++)
            book.slots[i].claims = book.slots[i].never = book.slots[i].always = 0;
    }
}
