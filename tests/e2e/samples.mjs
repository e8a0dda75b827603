// One call that works and one that fails for every tool, in an order in which they work.

export const skill = (id, more = {}) => ({
  id,
  name: `Skill ${id}`,
  description: "Says what it is for.",
  version: "1.0.0",
  category: "custom",
  author: "e2e",
  ...more,
});

export const command = (id, more = {}) => ({
  id,
  name: `Command ${id}`,
  description: "Prints a word.",
  author: "e2e",
  category: "demo",
  shell: "bash",
  script_template: 'printf "%s\\n" "{{word}}"',
  parameters: [{ name: "word", type: "string", description: "What to print.", required: true }],
  ...more,
});

export const subagent = (id, more = {}) => ({
  id,
  name: `Subagent ${id}`,
  description: "Answers.",
  author: "e2e",
  system_prompt: "You answer.",
  ...more,
});

export const server = (id, more = {}) => ({
  id,
  name: `Server ${id}`,
  description: "A server.",
  author: "e2e",
  transport: "streamable-http",
  endpoint_url: "http://127.0.0.1:9/mcp",
  ...more,
});

export const document = (id, text = "Something to read.") =>
  `---\nname: ${id}\ndescription: A document of the tests.\n---\n\n# ${id}\n\n${text}\n`;

/** Rows [tool, arguments that work, arguments that fail, status of the failure]. */
export function samples(tag) {
  const ids = { skill: `${tag}-skill`, command: `${tag}-command`, agent: `${tag}-agent`, server: `${tag}-server` };
  const nobody = { id: `${tag}-nobody` };
  const transfer = JSON.stringify({ version: "1.0.0", skills: [skill(`${tag}-imported`)] });
  const page = { limit: 2, format: "json" };
  const bad = "INVALID_ARGUMENT";
  const registered = skill(ids.skill, { asset_content: document(ids.skill), tags: [tag, "e2e"] });
  return [
    ["mal_register_skill", registered, registered, "ALREADY_EXISTS"],
    ["mal_list_skills", { ...page, category: "custom" }, { limit: 0 }, bad],
    ["mal_get_skill", { id: ids.skill }, nobody, "NOT_FOUND"],
    ["mal_get_skill_content", { id: ids.skill }, nobody, "NOT_FOUND"],
    ["mal_update_skill", { id: ids.skill, version: "1.1.0", tags: [] }, { ...nobody, version: "1.1.0" }, "NOT_FOUND"],
    ["mal_search_skills", { query: ids.skill }, { query: "" }, bad],
    ["mal_register_mcp", server(ids.server), server(ids.server, { endpoint_url: undefined }), bad],
    ["mal_list_mcps", page, { status: "asleep" }, bad],
    ["mal_register_command", command(ids.command), command(ids.command), "ALREADY_EXISTS"],
    ["mal_list_commands", page, { tags: " , " }, bad],
    ["mal_get_command", { id: ids.command, params: { word: "x" } }, { id: ids.command, params: { other: 1 } }, bad],
    ["mal_execute_command", { id: ids.command, params: { word: "x" } }, { id: ids.command }, bad],
    ["mal_register_subagent", subagent(ids.agent), subagent(ids.agent), "ALREADY_EXISTS"],
    ["mal_list_subagents", page, { offset: -1 }, bad],
    ["mal_get_subagent", { id: ids.agent }, nobody, "NOT_FOUND"],
    ["mal_search_catalog", { query: "git", collection: "skills" }, { query: "git", collection: "cats" }, bad],
    ["mal_export_catalog", { collections: ["skills"], include_assets: false }, { collections: ["cats"] }, bad],
    ["mal_import_catalog", { data: transfer, confirm: true }, { data: "[]", confirm: true }, bad],
    ["mal_get_usage_stats", {}, { format: "xml" }, bad],
    ["mal_get_audit_log", { limit: 5 }, { from: "2026-03-02", to: "2026-03-01" }, bad],
    ["mal_get_tool_usage_stats", { days: 1 }, { days: 366 }, bad],
    ["mal_delete_skill", { id: ids.skill, confirm: true }, { id: ids.skill, confirm: true }, "NOT_FOUND"],
  ];
}
