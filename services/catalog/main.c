/* SPDX-License-Identifier: Apache-2.0 */
/* mal-catalog: the catalog's process. */
#include "catalog.h"
#include "svc/svc.h"

int main(int argc, char **argv)
{
    const struct svc service = catalog_service();

    return svc_main(argc, argv, &service);
}
