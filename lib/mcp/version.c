/* SPDX-License-Identifier: Apache-2.0 */
/* The revisions that this hub speaks, by name. */
#include "mcp/version.h"

#include <ctype.h>
#include <string.h>

static const char *const names[] = {
    [MCP_2024_11_05] = "2024-11-05",    [MCP_2025_03_26] = "2025-03-26",
    [MCP_2025_06_18] = "2025-06-18",    [MCP_2025_11_25] = "2025-11-25",
    [MCP_2026_07_28] = MCP_MODERN_TEXT,
};

enum mcp_version mcp_version_parse(const char *text)
{
    if (text == NULL)
        return MCP_UNKNOWN;
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(text, names[i]) == 0)
            return (enum mcp_version)i;
    return MCP_UNKNOWN;
}

const char *mcp_version_text(enum mcp_version version)
{
    return version < MCP_UNKNOWN ? names[version] : "unknown";
}

bool mcp_version_modern(const char *text)
{
    static const char shape[] = "dddd-dd-dd";

    if (text == NULL || strlen(text) != sizeof(shape) - 1)
        return false;
    for (unsigned i = 0; i < sizeof(shape) - 1; i++)
        if (shape[i] == 'd' ? !isdigit((unsigned char)text[i]) : text[i] != '-')
            return false;
    return strcmp(text, MCP_MODERN_TEXT) >= 0;
}
