/* SPDX-License-Identifier: Apache-2.0 */
/* URIs of skill documents: skill://<id>/SKILL.md. */
#pragma once

#include "base/arena.h"

#define SKILL_TEMPLATE "skill://{id}/SKILL.md"

const char *skill_uri(struct arena *arena, const char *id);
/* The id in such a URI, NULL when it is another one. */
const char *skill_uri_id(struct arena *arena, const char *uri);
