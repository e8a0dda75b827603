/* SPDX-License-Identifier: Apache-2.0 */
/* tools.json, openapi.json, proto.lock. */
#include "emit.h"

void emit_docs(const struct model *model, const char *version, struct outputs *outputs)
{
    (void)model;
    (void)version;
    (void)outputs;
}
