/* SPDX-License-Identifier: Apache-2.0 */
/* Putting wishes together, with a share for every caller. */
#include "gathering.h"

#include "child.h"

#include <string.h>

enum { CALLER_MAX = 300 /* URIs of one caller at one server */ };

struct portion {
    struct portion *next;
    const char *principal;
    size_t n;
};

static struct portion *portion_of(struct gathering *all, struct gathered *one,
                                  const char *principal)
{
    struct portion *portion = one->portions;

    while (portion != NULL && strcmp(portion->principal, principal) != 0)
        portion = portion->next;
    if (portion != NULL)
        return portion;
    portion = arena_alloc(&all->arena, sizeof(*portion));
    *portion =
        (struct portion){.next = one->portions, .principal = arena_strdup(&all->arena, principal)};
    one->portions = portion;
    return portion;
}

const char *wish_child(struct arena *arena, const struct picture *picture,
                       const struct stream_wish *wish)
{
    const struct server *server = wish->n_uris > 0 && wish->principal != NULL
                                      ? picture_server(picture, wish->endpoint)
                                      : NULL;
    const char *child =
        server != NULL ? child_at(arena, server, wish->principal, wish->capabilities) : NULL;

    return child != NULL ? child : "";
}

static struct gathered *gathered_of(struct gathering *all, const struct stream_wish *wish)
{
    const char *child = wish_child(&all->arena, all->picture, wish);
    struct gathered *one = all->first;

    while (one != NULL &&
           (strcmp(one->endpoint, wish->endpoint) != 0 || strcmp(one->child, child) != 0))
        one = one->next;
    if (one != NULL)
        return one;
    one = arena_alloc(&all->arena, sizeof(*one));
    *one = (struct gathered){
        .next = all->first,
        .endpoint = arena_strdup(&all->arena, wish->endpoint),
        .child = child,
        .capabilities = arena_strdup(
            &all->arena, *child != '\0' && wish->capabilities != NULL ? wish->capabilities : ""),
    };
    all->first = one;
    return one;
}

void gathering_add(const struct stream_wish *wish, void *arg)
{
    struct gathering *all = arg;
    struct gathered *one = gathered_of(all, wish);
    struct portion *portion;

    one->wish.kinds |= wish->kinds;
    if (wish->n_uris == 0)
        return;
    portion = portion_of(all, one, wish->principal != NULL ? wish->principal : "");
    for (size_t i = 0; i < wish->n_uris && portion->n < CALLER_MAX; i++)
        portion->n += wish_add(&one->wish, wish->uris[i]);
}

void gathering_done(struct gathering *all)
{
    for (struct gathered *one = all->first; one != NULL; one = one->next)
        arena_done(&one->wish.arena);
    arena_done(&all->arena);
}
