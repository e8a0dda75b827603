/* SPDX-License-Identifier: Apache-2.0 */
/* Revisions of the Model Context Protocol and the error codes they define. */
#pragma once

#include <stdbool.h>

/* In the order of their dates, so that < and >= mean older and newer. */
enum mcp_version {
    MCP_2024_11_05,
    MCP_2025_03_26,
    MCP_2025_06_18,
    MCP_2025_11_25,
    MCP_2026_07_28,
    MCP_UNKNOWN,
};

#define MCP_MODERN_TEXT "2026-07-28"

enum mcp_code {
    MCP_PARSE_ERROR = -32700,
    MCP_INVALID_REQUEST = -32600,
    MCP_METHOD_NOT_FOUND = -32601,
    MCP_INVALID_PARAMS = -32602,
    MCP_INTERNAL_ERROR = -32603,
    MCP_HEADER_MISMATCH = -32020,
    MCP_MISSING_CAPABILITY = -32021,
    MCP_UNSUPPORTED_VERSION = -32022,
    MCP_RESOURCE_NOT_FOUND = -32002, /* to legacy clients only */
};

/* MCP_UNKNOWN for NULL and for texts that name no revision we serve. */
enum mcp_version mcp_version_parse(const char *text);
const char *mcp_version_text(enum mcp_version version);
/* The text has the form of a revision of 2026-07-28 or later, served or not. */
bool mcp_version_modern(const char *text);
