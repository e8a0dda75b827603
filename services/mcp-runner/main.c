/* SPDX-License-Identifier: Apache-2.0 */
/* mal-mcp-runner: the process that holds the children of stdio servers. */
#include "runner.h"

int main(int argc, char **argv)
{
    return runner_main(argc, argv);
}
