/* SPDX-License-Identifier: Apache-2.0 */
/* api/proto.lock: every field and enum number ever given out. Packed messages
 * wait in streams and outboxes while processes are replaced, so a number never
 * gets another meaning. */
#include "../common/grow.h"
#include "lint.h"

/* One line: "mal.catalog.v1.Skill.name = 2". */
struct entry {
    const char *name;  /* mal.catalog.v1.Skill.name */
    const char *owner; /* mal.catalog.v1.Skill */
    int number;
};

struct lock {
    struct entry *items;
    size_t n, size;
};

static void lock_add(struct lock *lock, struct arena *arena, const char *name, int number)
{
    lock->items = grow(arena, lock->items, lock->n, &lock->size, sizeof lock->items[0]);
    const char *dot = strrchr(name, '.');
    lock->items[lock->n++] = (struct entry){
        .name = name,
        .owner = arena_memdup(arena, name, dot ? (size_t)(dot - name) : 0),
        .number = number,
    };
}

/* A file that is not there is empty; a line that makes no sense is a mistake. */
static void lock_read(struct lock *lock, struct model *model, const char *path)
{
    FILE *file = path ? fopen(path, "re") : NULL;
    char *line = NULL;
    size_t size = 0;
    struct file source = {.name = path};
    struct place place = {.file = &source};
    while (file && getline(&line, &size, file) > 0) {
        char *equals = strstr(line, " = "), *end = NULL;
        place.line++;
        if (*line == '#' || *line == '\n')
            continue;
        long number = equals ? strtol(equals + 3, &end, 10) : 0;
        if (!equals || end == equals + 3 || *end != '\n') {
            model_error(model, &place, "is no 'package.Type.name = number'; run `make api`");
            continue;
        }
        lock_add(lock, model->arena, arena_memdup(model->arena, line, (size_t)(equals - line)),
                 (int)number);
    }
    free(line);
    if (file)
        (void)fclose(file);
}

static const struct entry *find_name(const struct lock *lock, const char *name)
{
    for (size_t i = 0; i < lock->n; i++)
        if (strcmp(lock->items[i].name, name) == 0)
            return &lock->items[i];
    return NULL;
}

static const struct entry *find_number(const struct lock *lock, const char *owner, int number)
{
    for (size_t i = 0; i < lock->n; i++)
        if (lock->items[i].number == number && strcmp(lock->items[i].owner, owner) == 0)
            return &lock->items[i];
    return NULL;
}

static void check_entry(struct model *model, const struct lock *lock, const struct place *place,
                        const char *owner, const char *name, int number)
{
    const char *full = arena_printf(model->arena, "%s.%s", owner, name);
    const struct entry *known = find_name(lock, full);
    const struct entry *holder = find_number(lock, owner, number);
    if (known && known->number != number)
        model_error(model, place, "%s had number %d in proto.lock and now has %d; give it back %d",
                    full, known->number, number, known->number);
    else if (!known && holder)
        model_error(model, place,
                    "%s takes number %d, which belongs to %s in proto.lock; use a number never "
                    "used before",
                    full, number, holder->name);
}

void lock_check(struct model *model, const char *lock_path)
{
    struct lock lock = {0};
    lock_read(&lock, model, lock_path);
    for (size_t i = 0; i < model->n_messages; i++) {
        const struct message *message = &model->messages[i];
        for (size_t j = 0; message->place.file->generate && j < message->n_fields; j++)
            check_entry(model, &lock, &message->fields[j].place, message->full_name,
                        message->fields[j].name, message->fields[j].number);
    }
    for (size_t i = 0; i < model->n_enums; i++) {
        const struct enumeration *e = &model->enums[i];
        for (size_t j = 0; e->place.file->generate && j < e->n_values; j++)
            check_entry(model, &lock, &e->values[j].place, e->full_name, e->values[j].name,
                        e->values[j].number);
    }
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = strcmp(x->owner, y->owner);
    return order ? order : (x->number > y->number) - (x->number < y->number);
}

void lock_write(struct model *model, const char *old_path, struct strbuf *out)
{
    struct lock lock = {0}, old = {0};
    struct arena *arena = model->arena;
    lock_read(&old, model, old_path);
    for (size_t i = 0; i < model->n_messages; i++) {
        const struct message *message = &model->messages[i];
        for (size_t j = 0; message->place.file->generate && j < message->n_fields; j++)
            lock_add(&lock, arena,
                     arena_printf(arena, "%s.%s", message->full_name, message->fields[j].name),
                     message->fields[j].number);
    }
    for (size_t i = 0; i < model->n_enums; i++) {
        const struct enumeration *e = &model->enums[i];
        for (size_t j = 0; e->place.file->generate && j < e->n_values; j++)
            lock_add(&lock, arena, arena_printf(arena, "%s.%s", e->full_name, e->values[j].name),
                     e->values[j].number);
    }
    for (size_t i = 0; i < old.n; i++)
        if (!find_name(&lock, old.items[i].name))
            lock_add(&lock, arena, old.items[i].name, old.items[i].number);
    if (lock.n)
        qsort(lock.items, lock.n, sizeof lock.items[0], compare_entries);
    strbuf_str(out, "# Every number ever given to a field or enum value; written by `make api`.\n"
                    "# A number whose field is gone stays here, so that it is never used again.\n");
    for (size_t i = 0; i < lock.n; i++)
        strbuf_printf(out, "%s = %d\n", lock.items[i].name, lock.items[i].number);
}
