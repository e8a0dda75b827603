/* SPDX-License-Identifier: Apache-2.0 */
/* A bucket, shared by kv.c and kv_watch.c. */
#pragma once

#include "internal.h"

enum { KV_KEY_MAX = 256, KV_SUBJECT_SIZE = 384 };

struct bus_kv {
    struct bus *bus;
    char stream[80]; /* "KV_<bucket>" */
    char prefix[80]; /* "$KV.<bucket>." */
};

/* The message marks a deletion. */
bool bus_kv_deleted(natsMsg *msg);
