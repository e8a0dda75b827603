/* SPDX-License-Identifier: Apache-2.0 */
/* What mal bench proxy found: medians, goals, the report. */
#include "bench_findings.h"

#include "wire/json.h"

#include <stdio.h>
#include <string.h>

static double over_rounds(const struct findings *found, const struct row *row, int load,
                          double (*value)(const struct bench_load *, const struct bench_load *))
{
    double values[ROUNDS_MAX];

    for (int i = 0; i < found->rounds; i++)
        values[i] = value(&row->loads[load][i], &found->rows[row->base].loads[load][i]);
    return bench_median(values, found->rounds);
}

#define VALUE(name, expression)                                                                    \
    static double name(const struct bench_load *own, const struct bench_load *direct)              \
    {                                                                                              \
        (void)direct;                                                                              \
        return (expression);                                                                       \
    }
VALUE(rps_of, own->rps)
VALUE(ratio_of, own->rps / direct->rps)
VALUE(p50_of, (double)own->p50_us)
VALUE(p99_of, (double)own->p99_us)
VALUE(added_p50_of, (double)(own->p50_us - direct->p50_us))
VALUE(added_p99_of, (double)(own->p99_us - direct->p99_us))

void findings_summarize(struct findings *found)
{
    for (int i = 0; i < found->n_rows; i++)
        for (int load = 0; load < BENCH_LOADS; load++)
            found->rows[i].figures[load] = (struct figures){
                .rps = over_rounds(found, &found->rows[i], load, rps_of),
                .ratio = over_rounds(found, &found->rows[i], load, ratio_of),
                .p50 = over_rounds(found, &found->rows[i], load, p50_of),
                .p99 = over_rounds(found, &found->rows[i], load, p99_of),
                .added_p50 = over_rounds(found, &found->rows[i], load, added_p50_of),
                .added_p99 = over_rounds(found, &found->rows[i], load, added_p99_of)};
}

static const struct figures *figures(const struct findings *found, const char *name, int load)
{
    for (int i = 0; i < found->n_rows; i++)
        if (strcmp(found->rows[i].name, name) == 0)
            return &found->rows[i].figures[load];
    return NULL;
}

struct goal {
    const char *name, *what, *row, *unit;
    int load; /* index of bench_connections */
    double first, bar;
};

static const struct goal goals[] = {
    {"http_ratio_16", "HTTP server through the hub / directly, c=16", "hub_http", "", 1, 0.40,
     0.52},
    {"http_added_p50_1", "p50 added, HTTP server, c=1", "hub_http", "us", 0, 60, 25},
    {"stdio_added_p50_1", "p50 added, stdio server, c=1", "hub_stdio", "us", 0, 250, 150},
};

static double reached(const struct findings *found, const struct goal *goal)
{
    const struct figures *f = figures(found, goal->row, goal->load);

    return goal->first < 1 ? f->ratio : f->added_p50;
}

static const char *verdict(const struct goal *goal, double value)
{
    bool more = goal->first < 1; /* is better */

    if (more ? value >= goal->bar : value <= goal->bar)
        return "bar reached";
    return (more ? value >= goal->first : value <= goal->first) ? "reached" : "missed";
}

void findings_print(const struct findings *found)
{
    (void)puts("\nA tool that echoes half a kilobyte\n"
               "                              c    calls/s  / direct   p50 us   p99 us"
               "   added p50   added p99");
    for (int i = 0; i < found->n_rows; i++)
        for (int load = 0; load < BENCH_LOADS; load++) {
            const struct row *row = &found->rows[i];
            const struct figures *f = &row->figures[load];

            (void)printf("  %-27s %-3d %8.0f", load == 0 ? row->label : "", bench_connections[load],
                         f->rps);
            if (row->base == i)
                (void)printf("  %8s %8.0f %8.0f\n", "", f->p50, f->p99);
            else
                (void)printf("  %8.3f %8.0f %8.0f %11.0f %11.0f\n", f->ratio, f->p50, f->p99,
                             f->added_p50, f->added_p99);
        }
    if (found->missing)
        (void)printf("  supergateway, mcp-proxy: not measured (%s)\n", found->missing);
    (void)puts("\nResident memory (MiB)      idle   after the load");
    for (int i = 0; i < found->n_memory; i++)
        (void)printf("  %-20s %8.1f %16.1f\n", found->memory[i].name,
                     (double)found->memory[i].idle_kib / 1024,
                     (double)found->memory[i].after_kib / 1024);
    (void)puts("\nGoals                                             value      first      bar");
    for (size_t i = 0; i < ARRAY_SIZE(goals); i++) {
        double value = reached(found, &goals[i]);

        (void)printf("  %-44s %8.2f %10.2f %8.2f %-2s  %s\n", goals[i].what, value, goals[i].first,
                     goals[i].bar, goals[i].unit, verdict(&goals[i], value));
    }
}

static void put_row(struct strbuf *out, const struct row *row, int load)
{
    const struct figures *f = &row->figures[load];

    strbuf_printf(out,
                  "{\"name\":\"%s\",\"connections\":%d,\"calls_per_second\":%.1f,"
                  "\"ratio\":%.4f,\"p50_us\":%.0f,\"p99_us\":%.0f,\"added_p50_us\":%.0f,"
                  "\"added_p99_us\":%.0f}",
                  row->name, bench_connections[load], f->rps, f->ratio, f->p50, f->p99,
                  f->added_p50, f->added_p99);
}

void findings_print_json(const struct findings *found)
{
    CLEANUP(strbuf_done) struct strbuf out = STRBUF_INIT;

    strbuf_str(&out, "{\"rows\":[");
    for (int i = 0; i < found->n_rows * BENCH_LOADS; i++) {
        strbuf_str(&out, i > 0 ? "," : "");
        put_row(&out, &found->rows[i / BENCH_LOADS], i % BENCH_LOADS);
    }
    strbuf_str(&out, "],\"memory\":[");
    for (int i = 0; i < found->n_memory; i++)
        strbuf_printf(&out, "%s{\"name\":\"%s\",\"idle_kib\":%ld,\"after_kib\":%ld}",
                      i > 0 ? "," : "", found->memory[i].name, found->memory[i].idle_kib,
                      found->memory[i].after_kib);
    strbuf_str(&out, "],\"goals\":[");
    for (size_t i = 0; i < ARRAY_SIZE(goals); i++) {
        double value = reached(found, &goals[i]);

        strbuf_printf(&out,
                      "%s{\"name\":\"%s\",\"value\":%.4f,\"first\":%.2f,\"bar\":%.2f,"
                      "\"verdict\":\"%s\"}",
                      i > 0 ? "," : "", goals[i].name, value, goals[i].first, goals[i].bar,
                      verdict(&goals[i], value));
    }
    strbuf_str(&out, "],\"missing\":");
    json_put_string(&out, found->missing ? found->missing : "");
    strbuf_char(&out, '}');
    (void)puts(strbuf_cstr(&out));
}
