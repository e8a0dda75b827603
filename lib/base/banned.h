/* SPDX-License-Identifier: Apache-2.0 */
/* Force-included everywhere: functions that are always the wrong choice here
 * become errors. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* OpenSSL's headers use one of the names for a parameter; whoever includes them
 * is compiled with this. */
#ifndef MAL_BANNED_IN_HEADERS
#pragma GCC poison strcpy strcat sprintf vsprintf strtok gmtime localtime ctime asctime atoi atol  \
    rand srand
#endif
