/* SPDX-License-Identifier: Apache-2.0 */
/* Whether this machine lets bubblewrap make namespaces; inside some containers
 * it does not, and the hub then refuses to run commands. */
#pragma once

#include <stdbool.h>
#include <stdlib.h>

#define NO_ISOLATION "the kernel allows no user namespaces here"

enum { TEST_SKIPPED = 77 }; /* SKIP_RETURN_CODE in tests/CMakeLists.txt */

static inline bool can_isolate(void)
{
    return system("bwrap --ro-bind / / --unshare-pid --unshare-net true 2>/dev/null") ==
           0; /* NOLINT */
}
