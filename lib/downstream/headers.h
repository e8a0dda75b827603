/* SPDX-License-Identifier: Apache-2.0 */
/* Header lines of requests: those of the configuration, and our own. */
#pragma once

#include "downstream/downstream.h"
#include "downstream/url.h"

#define HUB_CLIENT_INFO "{\"name\":\"mal-hub\",\"version\":\"0.1.0\"}"

/* Names and values that can be sent and belong to nobody else. */
enum status headers_check(const struct downstream_header *headers, size_t n,
                          struct error *err) MUST_CHECK;
/* Host, User-Agent and the configured ones, each line with its end. */
/* Header lines of one more set, checked. */
enum status headers_more(struct strbuf *out, const struct downstream_header *headers, size_t n,
                         struct error *err) MUST_CHECK;
void headers_put(struct strbuf *out, const struct url *url, const struct downstream_header *headers,
                 size_t n);
