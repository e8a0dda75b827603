/* SPDX-License-Identifier: Apache-2.0 */
/* mal-mcp-health: the process that decides about downstream servers. */
#include "health.h"
#include "svc/svc.h"

int main(int argc, char **argv)
{
    const struct svc service = health_service();

    return svc_main(argc, argv, &service);
}
