/* SPDX-License-Identifier: Apache-2.0 */
/* A process loads some 30 libraries, whose start touches most of their code once:
 * two thirds of what is resident when it is ready. The kernel drops such pages
 * when memory is short; here it is told that it may. */
#include "base/memory.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct mapping {
    uintptr_t start, end;
    bool from_file, read_only;
};

/* The first line of a mapping in smaps: 55d0-55d4 r-xp 000 08:01 42 /usr/lib/… */
static bool read_head(const char *line, struct mapping *ret)
{
    char *end;
    struct mapping m = {.start = strtoul(line, &end, 16)};

    if (end == line || *end != '-')
        return false;
    m.end = strtoul(end + 1, &end, 16);
    if (*end != ' ')
        return false;
    m.read_only = strncmp(end + 1, "r-xp", 4) == 0 || strncmp(end + 1, "r--p", 4) == 0;
    m.from_file = strchr(end, '/') != NULL;
    *ret = m;
    return true;
}

void memory_give_back(void)
{
    static const char changed[] = "Anonymous:"; /* such as what was relocated: only we have it */
    struct mapping m = {0};
    char line[4096];
    FILE *file;

    (void)malloc_trim(0);
    file = fopen("/proc/self/smaps", "re");
    while (file && fgets(line, sizeof(line), file)) {
        if (read_head(line, &m) || strncmp(line, changed, sizeof(changed) - 1) != 0)
            continue;
        if (m.from_file && m.read_only && strtoul(line + sizeof(changed) - 1, NULL, 10) == 0)
            (void)madvise((void *)m.start, m.end - m.start, MADV_DONTNEED);
    }
    if (file)
        (void)fclose(file);
}
