/* SPDX-License-Identifier: Apache-2.0 */
/* mal-gamify: the game's process. */
#include "gamify.h"
#include "svc/svc.h"

int main(int argc, char **argv)
{
    const struct svc service = gamify_service();

    return svc_main(argc, argv, &service);
}
