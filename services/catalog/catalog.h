/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of the catalog share. */
#pragma once

#include "base/settings.h"
#include "mal/catalog/v1/catalog.server.h"
#include "mal/catalog/v1/events.pb-c.h"
#include "pg/pg.h"
#include "wire/call.h"
#include "wire/codec.h"
#include "wire/handler.h"

/* Written by settings_load before threads start; tests write it themselves. */
struct catalog_settings {
    const char *confirm_tools; /* comma list of guarded tools */
    const char *stdio_allow;   /* programs that may be started; "*" = any */
    const char *env_allow;     /* variables that ${env:NAME} may read */
    const char *subagent_model;
    bool exec_enabled, exec_network;
    int64_t exec_max;
    const char *data_dir;    /* folder of the hub's own data, hidden from commands */
    const char *secret_keys; /* MAL_SECRET_KEYS, see mcp/secret.h */
};
extern struct catalog_settings catalog_config;

/* ---- replies ----------------------------------------------------------- */

/* Columns of type jsonb. */
const char *pairs_json(struct call *call, size_t n, Mal__Pair *const *pairs);
const char *parameters_json(struct call *call, size_t n,
                            Catalog__CommandParameter *const *parameters);

/* ---- failures ---------------------------------------------------------- */

/* Whether the operator wants the user asked before the tool acts. */
bool is_guarded(const char *tool);

/* ---- entities: also used by the import --------------------------------- */

/* Times of an imported entry, NULL where it is new. */
struct birth {
    const char *created_at, *updated_at;
};

enum status skill_add(struct tx *tx, const Catalog__RegisterSkillRequest *req,
                      const struct birth *birth, Catalog__Skill *skill) MUST_CHECK;
enum status command_add(struct tx *tx, const Catalog__RegisterCommandRequest *req,
                        const struct birth *birth, Catalog__Command *command) MUST_CHECK;
enum status subagent_add(struct tx *tx, const Catalog__RegisterSubagentRequest *req,
                         const struct birth *birth, Catalog__Subagent *subagent) MUST_CHECK;
enum status mcp_add(struct tx *tx, const Catalog__Mcp *mcp, const struct birth *birth,
                    Catalog__Mcp *stored) MUST_CHECK;

const char *skill_asset_path(struct call *call, const char *id, const char *given);
/* What a person should know about the document; appended to warnings. */
void frontmatter_warn(struct call *call, const char *id, const char *document,
                      struct names *warnings);
/* The stored command, or NOT_FOUND with words. */
enum status command_find(struct call *call, const char *id, Catalog__Command *command) MUST_CHECK;
/* Rules that no single field shows; violations are added to call->error. */
void command_check(struct call *call, const char *script, size_t n_parameters,
                   Catalog__CommandParameter *const *parameters);
void command_warn(struct call *call, const Catalog__Command *command, struct names *warnings);
void mcp_check(struct call *call, const Catalog__Mcp *mcp);
/* PERMISSION_DENIED unless the caller's key is a trusted one. */
enum status mcp_trusted(struct call *call) MUST_CHECK;
/* Names of tools that the hub does not have; appended to warnings. */
void tools_warn(struct call *call, size_t n, const char *const *tools, struct names *warnings);
struct bus_event;
/* What mcp-health found out about a server becomes its status, unless the
 * operator switched it off. */
enum status mcp_status_apply(struct call *call, const struct bus_event *event) MUST_CHECK;
/* Borrows every field of the request. */
void mcp_from_request(Catalog__Mcp *mcp, const Catalog__RegisterMcpRequest *req);

/* ---- secrets of servers ------------------------------------------------ */

/* Whether the value is only a reference, perhaps after an HTTP auth scheme. */
bool secret_is_reference(const char *value);
/* Whether the value is the *** that stands for a literal one. */
bool secret_is_masked(const char *value);
/* Literal values become ***. */
void mcp_mask(Catalog__Mcp *mcp);
/* Literal values become ${env:NAME} with NAME made from their key. */
void mcp_export(struct call *call, Catalog__Mcp *mcp);
/* The given pairs, sealed, where *** stands for what is stored under the same
 * key; one that stands for nothing is a violation of field, as is a literal
 * value while there is no key to seal it with. */
Mal__Pair **secrets_keep(struct call *call, const char *field, size_t n, Mal__Pair *const *given,
                         size_t n_stored, Mal__Pair *const *stored);

/* Seals literal values in place; violations as in secrets_keep. */
void secrets_seal(struct call *call, const char *field, size_t n, Mal__Pair **pairs);
/* At start: seals with the newest key what an older one sealed or none did. */
enum status secrets_reseal(struct call *call) MUST_CHECK;

/* ---- rendering --------------------------------------------------------- */

/* Finds the next {{name}} at or after text; its name goes to *ret_name. NULL
 * when there is none. *ret_end is what follows it. */
const char *placeholder_next(const char *text, const char **ret_name, size_t *ret_len,
                             const char **ret_end);
/* Whether the text is a value of the parameter's type; else *ret_wanted says
 * what would be. */
bool value_fits(struct call *call, const Catalog__CommandParameter *parameter, const char *value,
                const char **ret_wanted);
/* Values in the order of the command's parameters; violations of params are
 * added to call->error as params.<name>. */
enum status values_bind(struct call *call, const Catalog__Command *command, size_t n_params,
                        Mal__Pair *const *params, const char ***ret_values) MUST_CHECK;
/* "MAL_P_NAME" */
const char *variable_name(struct call *call, const char *parameter);
/* The script with references in place of placeholders. */
const char *script_body(struct call *call, const Catalog__Command *command);
/* The same after the assignments of the values, to be pasted. */
const char *script_render(struct call *call, const Catalog__Command *command,
                          const char *const *values);

/* ---- events of the gateway --------------------------------------------- */

struct bus_event;
/* Writes a batch of mal.evt.gateway.tool.called or downstream.called into the log. */
enum status audit_store(struct call *call, const struct bus_event *events, size_t n) MUST_CHECK;
/* The same into the table that gathers them for a replay. */
enum status audit_take(struct call *call, const struct bus_event *events, size_t n) MUST_CHECK;

struct svc;
struct svc catalog_service(void);
