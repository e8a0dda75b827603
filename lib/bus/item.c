/* SPDX-License-Identifier: Apache-2.0 */
/* An event that waits in the queue: its memory, and its record in the spool, from
 * which the next process makes it again when this one is killed. */
#include "queue.h"

#include "internal.h"

/* How an item is told in the spool: this, and behind it what stands behind the
 * item. */
struct spooled {
    uint32_t data_len, n_strings;
};

struct item *item_new(const char *subject, const char *event_id, const struct bus_header *headers,
                      const void *data, size_t len)
{
    const char *strings[2 * ITEM_HEADERS] = {subject, event_id};
    size_t sizes[2 * ITEM_HEADERS], n = 2, bytes = sizeof(struct item) + len;

    for (const struct bus_header *h = headers; h && h->name; h++) {
        if (n == ARRAY_SIZE(strings))
            return NULL;
        if (h->value) {
            strings[n++] = h->name;
            strings[n++] = h->value;
        }
    }
    for (size_t i = 0; i < n; i++)
        bytes += sizes[i] = strlen(strings[i]) + 1;
    struct item *item = malloc(bytes);
    if (!item)
        return NULL;
    char *p = (char *)(item + 1), *text = p + len;
    *item = (struct item){.data = p, .len = len, .bytes = bytes, .n_strings = n};
    if (len)
        memcpy(p, data, len);
    item->subject = text;
    item->event_id = text + sizes[0];
    for (size_t i = 0; i < n; text += sizes[i++])
        memcpy(text, strings[i], sizes[i]);
    return item;
}

void item_headers(const struct item *item, struct bus_header out[ITEM_HEADERS + 1])
{
    const char *text = item->event_id;
    size_t n = 0;

    out[n++] = (struct bus_header){"Nats-Msg-Id", text};
    for (size_t i = 2; i < item->n_strings; i += 2) {
        const char *name = text + strlen(text) + 1;

        text = name + strlen(name) + 1;
        out[n++] = (struct bus_header){name, text};
    }
    out[n] = (struct bus_header){NULL, NULL};
}

void item_keep(struct item *item, struct spool *spool)
{
    const struct spooled head = {.data_len = (uint32_t)item->len,
                                 .n_strings = (uint32_t)item->n_strings};

    item->place =
        spool_put(spool, &head, sizeof(head), item + 1, item->bytes - sizeof(struct item));
    if (item->place != SPOOL_NOWHERE)
        item->spool = spool;
}

void item_take_rider(struct item *item, struct item *rider)
{
    struct item **last = &item->riders;

    if (item->last_rider)
        last = &item->last_rider->next;
    *last = item->last_rider = rider;
    rider->next = NULL;
    item->n_riders++;
    item->riders_bytes += rider->bytes;
    if (item->spool && rider->spool == item->spool)
        spool_join(item->spool, rider->place, item->place);
}

/* ---- what was left behind --------------------------------------------------- */

static struct item *item_of(const struct spool_record *record)
{
    struct bus_header headers[ITEM_HEADERS] = {{NULL, NULL}};
    const char *strings[2 * ITEM_HEADERS];
    struct spooled head;
    const char *p = record->data, *end = p + record->len;

    if (record->len < sizeof(head))
        return NULL;
    memcpy(&head, p, sizeof(head));
    p += sizeof(head);
    if (head.data_len > (size_t)(end - p) || head.n_strings < 2 || head.n_strings % 2 != 0 ||
        head.n_strings > 2 * ITEM_HEADERS)
        return NULL;
    const char *data = p;
    p += head.data_len;
    for (uint32_t i = 0; i < head.n_strings; i++) {
        const char *zero = memchr(p, '\0', (size_t)(end - p));

        if (!zero)
            return NULL;
        strings[i] = p;
        p = zero + 1;
    }
    for (uint32_t i = 2; i < head.n_strings; i += 2)
        headers[i / 2 - 1] = (struct bus_header){strings[i], strings[i + 1]};
    return item_new(strings[0], strings[1], headers, data, head.data_len);
}

struct adoption {
    void (*fn)(struct item *item, void *arg);
    void *arg;
    size_t n;
};

/* NULL for what is no event; its record is done with. */
static struct item *adopt_record(const struct spool_record *record)
{
    struct item *item = item_of(record);

    if (!item) {
        spool_drop(record->spool, &record->place, 1);
        return NULL;
    }
    item->spool = record->spool;
    item->place = record->place;
    item->settled = true;
    return item;
}

static void adopt_file(const struct spool_record *records, size_t n, void *arg)
{
    struct item **items = calloc(n, sizeof(void *));
    struct adoption *adoption = arg;

    if (!items)
        abort();
    for (size_t i = 0; i < n; i++)
        items[i] = adopt_record(&records[i]);
    for (size_t i = 0; i < n; i++) {
        struct item *item = items[i], *leader = NULL;

        adoption->n += item != NULL;
        if (item && records[i].leader)
            leader = items[records[i].leader - records];
        if (!leader || leader->n_riders == BUS_RIDERS_MAX)
            continue;
        item_take_rider(leader, item);
        items[i] = NULL;
    }
    for (size_t i = 0; i < n; i++)
        if (items[i])
            adoption->fn(items[i], adoption->arg);
    free(items);
}

size_t items_adopt(struct spool *spool, const char *dir, void (*fn)(struct item *item, void *arg),
                   void *arg)
{
    struct adoption adoption = {.fn = fn, .arg = arg};

    spool_adopt(spool, dir, adopt_file, &adoption);
    return adoption.n;
}
