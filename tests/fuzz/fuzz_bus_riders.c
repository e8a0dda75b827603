/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that carry several events. The first line is the header, the rest the
 * payload. */
#include "bus/internal.h"

#include <stdlib.h>
#include <string.h>

/* NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
    if (!held)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bus_event events[1 + BUS_RIDERS_MAX];
    const uint8_t *line = memchr(data, '\n', size);
    char header[64] = "";
    size_t n, sum = 0;

    if (!line || (size_t)(line - data) >= sizeof(header))
        return 0;
    memcpy(header, data, (size_t)(line - data));
    size -= (size_t)(line + 1 - data);
    events[0] = (struct bus_event){.event_id = "", .data = line + 1, .len = size};
    n = bus_events_split(events, header);
    must(n >= 1 && n <= 1 + BUS_RIDERS_MAX);
    for (size_t i = 0; i < n; i++) {
        must((const uint8_t *)events[i].data >= line + 1);
        must((const uint8_t *)events[i].data + events[i].len <= line + 1 + size);
        sum += events[i].len + strlen(events[i].event_id);
    }
    must(sum <= size);
    return 0;
}
