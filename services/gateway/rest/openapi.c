/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenAPI document inside the program. C of this compiler cannot embed a
 * file, its assembler can. */
#include "openapi.h"

__asm__(".section .rodata\n"
        ".global openapi_json\n"
        ".global openapi_json_end\n"
        "openapi_json:\n"
        ".incbin \"" OPENAPI_PATH "\"\n"
        "openapi_json_end:\n"
        ".byte 0\n"
        ".previous\n");
