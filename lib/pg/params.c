/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of a query by the letters of its types. */
#include "pg/internal.h"

static void param_text(struct params *params, const char *text)
{
    params->values[params->n++] = text;
}

static void param_bytes(struct params *params, const void *bytes, size_t len)
{
    params->formats[params->n] = bytes ? 1 : 0;
    params->lengths[params->n] = (int)len;
    params->values[params->n++] = bytes;
}

enum status params_read(struct params *params, struct arena *arena, const char *types, va_list ap)
{
    const char *text;
    size_t n;

    memset(params, 0, sizeof(*params));
    for (; *types; types++) {
        if (params->n == PG_PARAMS_MAX)
            return ST_INTERNAL;
        switch (*types) {
        case 's':
            param_text(params, va_arg(ap, const char *));
            break;
        case 'S':
            text = va_arg(ap, const char *);
            param_text(params, text && *text ? text : NULL);
            break;
        case 'i':
            param_text(params, arena_printf(arena, "%d", va_arg(ap, int)));
            break;
        case 'l':
            param_text(params, arena_printf(arena, "%lld", va_arg(ap, long long)));
            break;
        case 'b':
            param_text(params, va_arg(ap, int) ? "t" : "f");
            break;
        case 'd':
            param_text(params, arena_printf(arena, "%.17g", va_arg(ap, double)));
            break;
        case 'a':
            n = va_arg(ap, size_t);
            param_text(params, array_format(arena, n, va_arg(ap, char *const *)));
            break;
        case 'y':
            n = va_arg(ap, size_t);
            if (n > INT32_MAX)
                return ST_INTERNAL;
            param_bytes(params, va_arg(ap, const void *), n);
            break;
        case 'n':
            param_text(params, NULL);
            break;
        default:
            return ST_INTERNAL;
        }
    }
    return ST_OK;
}
