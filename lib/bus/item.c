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

static char *append(char **p, const char *text)
{
    size_t size = strlen(text) + 1;
    char *start = memcpy(*p, text, size);

    *p += size;
    return start;
}

struct item *item_new(const char *subject, const char *event_id, const struct bus_header *headers,
                      const void *data, size_t len)
{
    size_t bytes = sizeof(struct item) + strlen(subject) + strlen(event_id) + 2 + len, n = 1;

    for (const struct bus_header *h = headers; h && h->name; h++, n++)
        bytes += strlen(h->name) + (h->value ? strlen(h->value) : 0) + 2;
    struct item *item = n < ITEM_HEADERS ? calloc(1, bytes) : NULL;
    if (!item)
        return NULL;
    char *p = (char *)(item + 1);
    if (len)
        memcpy(p, data, len);
    item->data = p;
    p += len;
    item->len = len;
    item->bytes = bytes;
    item->subject = append(&p, subject);
    item->headers[0] = (struct bus_header){"Nats-Msg-Id", append(&p, event_id)};
    n = 1;
    for (const struct bus_header *h = headers; h && h->name; h++) {
        if (h->value) {
            item->headers[n].name = append(&p, h->name);
            item->headers[n++].value = append(&p, h->value);
        }
    }
    return item;
}

void item_keep(struct item *item, struct spool *spool)
{
    struct spooled head = {.data_len = (uint32_t)item->len, .n_strings = 2};

    for (const struct bus_header *h = item->headers + 1; h->name; h++)
        head.n_strings += 2;
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
        head.n_strings > 2 * (ITEM_HEADERS - 1))
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
        spool_drop(record->spool, record->place);
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
