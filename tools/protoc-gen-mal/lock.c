/* SPDX-License-Identifier: Apache-2.0 */
/* api/proto.lock. */
#include "lint.h"

void lock_check(struct model *model, const char *lock_path)
{
    (void)model;
    (void)lock_path;
}
