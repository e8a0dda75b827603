/* SPDX-License-Identifier: Apache-2.0 */
/* The table of faults, and errors made from it. */
#include "downstream/fault.h"

#include <stdarg.h>
#include <string.h>

static const struct {
    const char *text;
    enum status status;
    bool blames;
} faults[] = {
#define X(name, status, blames, text) {text, status, blames},
    DOWNSTREAM_FAULTS(X)
#undef X
};

const char *downstream_fault_text(enum downstream_fault fault)
{
    return faults[fault].text;
}

bool downstream_fault_blames(enum downstream_fault fault)
{
    return faults[fault].blames;
}

bool downstream_fault_doubtful(enum downstream_fault fault)
{
    return fault == DOWNSTREAM_FAULT_TIMEOUT || fault == DOWNSTREAM_FAULT_LOST;
}

enum downstream_fault downstream_fault_of(const struct error *err)
{
    for (unsigned i = 1; i < ARRAY_SIZE(faults); i++)
        if (err->reason != NULL && strcmp(err->reason, faults[i].text) == 0)
            return (enum downstream_fault)i;
    return err->status == ST_OK ? DOWNSTREAM_FAULT_NONE : DOWNSTREAM_FAULT_CLOSED;
}

enum status fault_set(struct error *err, const char *id, enum downstream_fault fault,
                      const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)error_set(err, faults[fault].status, "Server '%s' %s.", id, text);
    if (err != NULL)
        err->reason = faults[fault].text;
    return faults[fault].status;
}
