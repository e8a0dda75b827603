/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of message rules. Written by constructors before main, read only
 * afterwards, so that it needs no lock. */
#include "wire/rule.h"

#include <stdio.h>
#include <stdlib.h>

enum { SLOTS = 2048 };

static const struct message_rule *registry[SLOTS];

static size_t slot_of(const ProtobufCMessageDescriptor *descriptor)
{
    size_t at = (size_t)(((uintptr_t)descriptor >> 4) * 0x9e3779b97f4a7c15u >> 40) % SLOTS;

    while (registry[at] && registry[at]->descriptor != descriptor)
        at = (at + 1) % SLOTS;
    return at;
}

const struct message_rule *wire_rule(const ProtobufCMessageDescriptor *descriptor)
{
    return registry[slot_of(descriptor)];
}

void wire_register_rules(const struct message_rule *const *rules, size_t n)
{
    static size_t used;

    for (size_t i = 0; i < n; i++) {
        size_t at = slot_of(rules[i]->descriptor);

        if (!registry[at] && ++used > SLOTS / 2) {
            (void)fputs("too many message types\n", stderr);
            abort();
        }
        registry[at] = rules[i];
    }
}
