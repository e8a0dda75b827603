/* SPDX-License-Identifier: Apache-2.0 */
/* Running the suite of a test program. */
#pragma once

#include <check.h>
#include <stdlib.h>

/* Of a program that will not run it after all. */
static inline void suite_free(Suite *suite)
{
    srunner_free(srunner_create(suite));
}

/* Frees it; the exit code of main. */
static inline int suite_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
