/* SPDX-License-Identifier: Apache-2.0 */
/* mal-sprint: the process of the team's work. */
#include "sprint.h"
#include "svc/svc.h"

int main(int argc, char **argv)
{
    const struct svc service = sprint_service();

    return svc_main(argc, argv, &service);
}
