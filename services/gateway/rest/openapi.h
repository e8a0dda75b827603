/* SPDX-License-Identifier: Apache-2.0 */
/* api/openapi.json, as committed. */
#pragma once

extern const char openapi_json[], openapi_json_end[];
