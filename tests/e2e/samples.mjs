// One call that works and one that fails for every tool, in an order in which they work. The one
// of mal_proxy_mcp_call needs serveEcho (downstream.mjs).

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

export const member = (id, more = {}) => ({ id, name: `Member ${id}`, ...more });

export const project = (id, more = {}) => ({ id, name: `Project ${id}`, ...more });

export const sprint = (id, more = {}) => ({ id, name: `Sprint ${id}`, start_date: "2026-03-02", end_date: "2026-03-16", ...more });

export const talk = (id, more = {}) => ({ id, session_id: `session-${id}`, user_id: "ana", title: `On ${id}`, ...more });

/** Rows [tool, arguments that work, arguments that fail, status of the failure]. */
export function samples(tag) {
  const ids = { skill: `${tag}-skill`, command: `${tag}-command`, agent: `${tag}-agent`, server: `${tag}-server`,
    member: `${tag}-member`, project: `${tag}-project`, sprint: `${tag}-sprint`, item: `${tag}-item`, talk: `${tag}-talk` };
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
    ["mal_proxy_mcp_call", { mcp_id: "echo", tool_name: "echo", arguments: { text: tag } }, { mcp_id: `${tag}-nobody`, tool_name: "echo" }, "NOT_FOUND"],
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
    ["mal_register_team_member", member(ids.member, { email: `${tag}@example.com` }),
      member(`${tag}-other`, { email: `${tag}@Example.COM` }), "ALREADY_EXISTS"],
    ["mal_get_team_member", { id: ids.member }, nobody, "NOT_FOUND"],
    ["mal_list_team_members", page, { limit: 101 }, bad],
    ["mal_create_project", project(ids.project, { owner_id: ids.member }), project(ids.project), "ALREADY_EXISTS"],
    ["mal_list_projects", { ...page, status: "active" }, { status: "asleep" }, bad],
    ["mal_get_project", { id: ids.project }, nobody, "NOT_FOUND"],
    ["mal_update_project", { id: ids.project, description: "New." }, { ...nobody, name: "x" }, "NOT_FOUND"],
    ["mal_create_sprint", sprint(ids.sprint, { project_id: ids.project, status: "active" }),
      sprint(`${tag}-late`, { end_date: "2026-03-01" }), bad],
    ["mal_list_sprints", { ...page, project_id: ids.project }, { from: "2026-03-02", to: "2026-03-01" }, bad],
    ["mal_get_sprint", { id: ids.sprint }, nobody, "NOT_FOUND"],
    ["mal_create_work_item", { id: ids.item, title: "Ship it", type: "bug", sprint_id: ids.sprint, assignee: ids.member, story_points: 3 },
      { title: "Orphan", parent_id: `${tag}-nobody` }, "NOT_FOUND"],
    ["mal_list_work_items", { ...page, sprint_id: ids.sprint }, { labels: " ," }, bad],
    ["mal_get_work_item", { id: ids.item }, nobody, "NOT_FOUND"],
    ["mal_update_work_item", { id: ids.item, status: "in_progress" }, { id: ids.item, parent_id: ids.item }, "FAILED_PRECONDITION"],
    ["mal_bulk_update_work_items", { ids: [ids.item, `${tag}-nobody`], status: "done" }, { ids: [ids.item] }, bad],
    ["mal_log_interaction", talk(ids.talk, { user_id: ids.member, decisions: ["Use it."], messages: [{ role: "human", content: "Hello" }] }),
      talk(ids.talk), "ALREADY_EXISTS"],
    ["mal_list_interactions", { ...page, user_id: ids.member }, { source: "pigeon" }, bad],
    ["mal_get_interaction", { id: ids.talk }, nobody, "NOT_FOUND"],
    ["mal_search_interactions", { query: "hello" }, { query: "" }, bad],
    ["mal_update_sprint", { id: ids.sprint, goal: "Ship" }, { id: ids.sprint, velocity: 5 }, bad],
    ["mal_get_sprint_report", { sprint_id: ids.sprint }, { sprint_id: `${tag}-nobody` }, "NOT_FOUND"],
    ["mal_run_retrospective", { sprint_id: ids.sprint }, { sprint_id: `${tag}-nobody` }, "NOT_FOUND"],
    ["mal_get_leaderboard", { period: "week" }, { period: "year" }, bad],
    ["mal_get_achievements", { user_id: ids.member }, { user_id: `${tag}-nobody` }, "NOT_FOUND"],
    ["mal_log_contribution", { user_id: ids.member, type: "review", reference_id: "pr-7", metadata: { comments: 3 } },
      { user_id: `${tag}-nobody`, type: "review" }, "NOT_FOUND"],
    ["mal_get_commit_activity", { days: 7, sync: false }, { days: 0 }, bad],
    ["mal_health_check", { mcp_id: ids.server }, { mcp_id: `${tag}-nobody` }, "NOT_FOUND"],
    ["mal_delete_project", { id: ids.project, confirm: true }, { id: ids.project, confirm: true }, "NOT_FOUND"],
  ];
}
