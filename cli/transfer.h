/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP exchanges of mal stdio with the hub, all on one thread. */
#pragma once

#include "hub.h"

#include <curl/curl.h>

/* The hub as one client has it. */
struct channel {
    struct hub_address address;
    CURLM *multi;
    struct transfer *transfers; /* under way */
    char session[160];          /* legacy session id, "" = none */
    char version[16];           /* negotiated legacy version */
    bool replaying;             /* the answer to the repeated initialize is ours to swallow */
};

enum transfer_kind { KIND_REQUEST, KIND_NOTICE, KIND_LISTEN, KIND_STREAM, KIND_INITIALIZE };

struct transfer {
    struct transfer *next;
    struct channel *channel;
    CURL *curl;
    struct curl_slist *headers;
    struct strbuf sent; /* the message */
    struct strbuf body; /* JSON answer, or the event being read */
    struct strbuf data; /* data lines of that event */
    char *id;           /* raw JSON of the request's id, NULL for notices */
    enum transfer_kind kind;
    bool events;   /* the answer is an event stream */
    bool answered; /* something with our id, or any body, was passed on */
    bool retried;  /* already repeated after a lost session */
};

/* Made for a message; headers of its own may be added until it is started. */
struct transfer *transfer_new(struct channel *channel, enum transfer_kind kind, const char *text,
                              size_t len);
void transfer_add_header(struct transfer *transfer, const char *name, const char *value);
/* Plain when printable, else the sentinel form with Base64 (MCP 2026-07-28). */
void transfer_add_encoded(struct transfer *transfer, const char *name, const char *value);
void transfer_start(struct transfer *transfer);
/* Takes it out of the channel and frees it. */
void transfer_drop(struct transfer *transfer);
/* Passes one message of the answer on to the client. */
void transfer_deliver(struct transfer *transfer, const char *text, size_t len);
/* Answers the request with an error of our own and says so on stderr. */
void transfer_fail(const struct transfer *transfer, const char *what, const char *detail,
                   long status);
