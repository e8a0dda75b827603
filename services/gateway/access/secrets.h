/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that all copies of the gateway must share: from the environment, or made
 * once and kept in the bucket MAL_SECRETS. */
#pragma once

#include "base/strbuf.h"
#include "bus/bus.h"
#include "mcp/apikey.h"
#include "mcp/seal.h"

struct secrets {
    unsigned char pepper[APIKEY_PEPPER_SIZE]; /* of API key hashes */
    unsigned char state[MCP_SEAL_KEY_SIZE];   /* of requestState */
};

enum status secrets_load(struct secrets *secrets, struct bus *bus, struct error *err) MUST_CHECK;
