// REST: the same tools under /api/v1, described by /api/openapi.json.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { serveEcho } from "./downstream.mjs";
import { request } from "./http.mjs";
import { Modern } from "./mcp.mjs";
import { smallRepo } from "./repo.mjs";
import { command, document, member, project, samples, server, skill, sprint, subagent, talk } from "./samples.mjs";
import { compile, learn } from "./schema.mjs";
import { root, useStack } from "./stack.mjs";
import { until } from "./wait.mjs";

const openapi = JSON.parse(readFileSync(join(root, "api/openapi.json"), "utf8"));
const { tools } = JSON.parse(readFileSync(join(root, "api/tools.json"), "utf8"));
let hub;
const stack = useStack({ before, after }, { env: { MAL_EXEC_ENABLED: "false", MAL_GIT_REPO_PATH: smallRepo().path } }, async () => {
  hub = new Modern(stack);
  learn(tools);
  await serveEcho(stack);
});

const used = new Set();

/** One exchange; the route of openapi.json that it fits is marked as used. */
async function rest(method, path, { body, headers = {}, key = stack.key } = {}) {
  const [bare] = path.split("?");
  const route = Object.keys(openapi.paths).filter((one) => openapi.paths[one][method.toLowerCase()])
    .find((one) => new RegExp(`^${one.replace(/\{[^}]+\}/g, "[^/]+")}$`).test(bare));
  if (route) used.add(`${method} ${route}`);
  return request(`${stack.base}${path}`, {
    method,
    headers: { "x-api-key": key, ...(body !== undefined && { "Content-Type": "application/json" }), ...headers },
    body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
  });
}

/** The tool's route with its path parameters filled in, and what is left for query or body. */
function routed(tool, args) {
  for (const [path, methods] of Object.entries(openapi.paths))
    for (const [method, operation] of Object.entries(methods)) {
      if (operation.operationId !== tool && operation["x-mcp-tool"] !== tool) continue;
      const rest = { ...args };
      delete rest.format;
      const filled = path.replace(/\{([^}]+)\}/g, (_, name) => {
        const value = rest[name];
        delete rest[name];
        return encodeURIComponent(value);
      });
      return { method: method.toUpperCase(), path: filled, rest };
    }
  return assert.fail(`a route of ${tool}`);
}

function query(rest) {
  const pairs = Object.entries(rest).flatMap(([name, value]) => {
    if (Array.isArray(value)) return value.map((one) => [name, one]);
    if (value && typeof value === "object") return Object.entries(value).map(([key, one]) => [`${name}.${key}`, one]);
    return [[name, value]];
  });
  return pairs.length ? `?${new URLSearchParams(pairs)}` : "";
}

function call(tool, args) {
  const { method, path, rest: left } = routed(tool, args);
  if (method === "GET" || method === "DELETE") return rest(method, path + query(left));
  return rest(method, path, { body: left });
}

const STATUS = { INVALID_ARGUMENT: 400, NOT_FOUND: 404, ALREADY_EXISTS: 409, FAILED_PRECONDITION: 409, PERMISSION_DENIED: 403 };

describe("every tool", () => {
  for (const [tool, works, fails, status] of samples("rest")) {
    test(`${tool} works and fails with ${status} over REST`, async () => {
      const good = await call(tool, works);
      assert.ok([200, 201].includes(good.status), good.text);
      assert.match(good.headers["content-type"], /^application\/json/);
      const { outputSchema } = tools.find(({ name }) => name === tool);
      const validate = compile(outputSchema);
      assert.ok(validate(good.json), JSON.stringify(validate.errors));
      const bad = await call(tool, fails);
      // Over REST format has no effect, so a wrong one cannot fail.
      if (fails.format) return;
      assert.equal(bad.status, STATUS[status], bad.text);
      assert.equal(bad.json.error.status, status);
      assert.ok(bad.json.error.message && bad.json.error.hint && bad.json.error.request_id, bad.text);
    });
  }

  const readers = [
    ["mal_list_skills", { limit: 3, category: "devops" }],
    ["mal_get_skill", { id: "git-workflow-mal" }],
    ["mal_get_skill_content", { id: "git-workflow-mal" }],
    ["mal_search_skills", { query: "deploy" }],
    ["mal_search_catalog", { query: "git review", limit: 5 }],
    ["mal_list_mcps", { status: "inactive" }],
    ["mal_list_commands", { tags: "git" }],
    ["mal_get_command", { id: "create-feature-branch", params: { id: "7", description: "a b&c=d" } }],
    ["mal_list_subagents", {}],
    ["mal_get_subagent", { id: "code-reviewer" }],
    ["mal_get_usage_stats", {}],
    ["mal_list_projects", {}],
    ["mal_list_work_items", { labels: "a,b" }],
    ["mal_get_leaderboard", { period: "week" }],
    ["mal_get_achievements", { category: "code" }],
  ];
  for (const [tool, args] of readers) {
    test(`${tool} answers the JSON of its structured content`, async () => {
      assert.deepEqual((await call(tool, args)).json, await hub.ok(tool, args));
    });
  }

  test("the export is the same but for its time, and its collections are an array in the query", async () => {
    const args = { collections: ["skills", "subagents"], include_assets: false };
    const { exported_at: a, ...over } = (await call("mal_export_catalog", args)).json;
    const { exported_at: b, ...direct } = await hub.ok("mal_export_catalog", args);
    assert.deepEqual(over, direct);
    assert.ok(a && b);
  });
});

describe("created entities", () => {
  const entities = [
    ["/api/v1/projects", project("located"), "project"],
    ["/api/v1/sprints", sprint("located"), "sprint"],
    ["/api/v1/work-items", { id: "located", title: "Located" }, "work_item"],
    ["/api/v1/interactions", talk("located"), "interaction"],
    ["/api/v1/skills", skill("located", { asset_content: document("located") }), "skill"],
    ["/api/v1/commands", command("located"), "command"],
    ["/api/v1/subagents", subagent("located"), "subagent"],
    ["/api/v1/mcps", server("located"), "mcp"],
  ];
  for (const [path, body, name] of entities) {
    test(`POST ${path} answers 201 with a Location that answers`, async () => {
      const made = await rest("POST", path, { body });
      assert.equal(made.status, 201, made.text);
      assert.equal(made.json[name].id, "located");
      const got = await rest("GET", new URL(made.headers.location, stack.base).pathname);
      assert.equal(got.status, 200);
      assert.deepEqual((got.json[name] ?? got.json).id, "located");
    });
  }

  test("POST without an entity of its own, and PUT, answer 200", async () => {
    const answer = await rest("POST", "/api/v1/commands/located/execute", { body: { params: { word: "x" } } });
    assert.deepEqual([answer.status, answer.headers.location], [200, undefined]);
    const { id, ...body } = member("located");
    for (const created of [true, false]) {
      const put = await rest("PUT", `/api/v1/members/${id}`, { body });
      assert.deepEqual([put.status, put.headers.location, put.json.created], [200, undefined, created]);
    }
    const given = await rest("POST", "/api/v1/contributions", { body: { user_id: id, type: "review" } });
    assert.deepEqual([given.status, given.headers.location], [200, undefined]);
  });

  test("decisions, context and digests have routes and no tool", async () => {
    await rest("POST", "/api/v1/interactions", { body: talk("decided", { decisions: ["Keep it."] }) });
    const decisions = await rest("GET", "/api/v1/decisions?user_id=ana&limit=1");
    assert.deepEqual([decisions.json.items[0].text, decisions.json.items[0].interaction_id], ["Keep it.", "decided"]);
    const list = await rest("GET", "/api/v1/decisions?user_id=ana&limit=1", { headers: { Accept: "text/markdown" } });
    assert.match(list.text, /^## Decisions\nShowing 1 of \d+ \(offset 0\)\n\n### \d+\n`\d+` · @ana · \S+\nKeep it\./);
    for (const path of ["context", "digests"]) assert.equal((await rest("GET", `/api/v1/${path}`)).status, 200, path);
  });
});

describe("PATCH", () => {
  test("null clears, absent leaves, an empty list empties", async () => {
    await rest("POST", "/api/v1/skills", { body: skill("patched", { asset_content: document("patched"), tags: ["a"] }) });
    const cleared = await rest("PATCH", "/api/v1/skills/patched", { body: { asset_content: null } });
    assert.equal(cleared.status, 200, cleared.text);
    assert.equal(cleared.json.skill.has_content, false);
    assert.deepEqual(cleared.json.skill.tags, ["a"]);
    assert.deepEqual((await rest("PATCH", "/api/v1/skills/patched", { body: { tags: [] } })).json.skill.tags, []);
    const refused = await rest("PATCH", "/api/v1/skills/patched", { body: { name: null } });
    assert.equal(refused.status, 400);
    assert.equal(refused.json.error.fields[0].field, "name");
    assert.equal((await rest("PATCH", "/api/v1/skills/patched", { body: {} })).status, 400);
  });

  test("changes commands, subagents and servers, which have no tool for it", async () => {
    await rest("POST", "/api/v1/commands", { body: command("p-c") });
    await rest("POST", "/api/v1/subagents", { body: subagent("p-s") });
    await rest("POST", "/api/v1/mcps", { body: server("p-m") });
    assert.equal((await rest("PATCH", "/api/v1/commands/p-c", { body: { name: "New" } })).json.command.name, "New");
    assert.equal((await rest("PATCH", "/api/v1/subagents/p-s", { body: { max_turns: 9 } })).json.subagent.max_turns, 9);
    assert.equal((await rest("PATCH", "/api/v1/mcps/p-m", { body: { status: "inactive" } })).json.mcp.status, "inactive");
    assert.equal((await rest("PATCH", "/api/v1/mcps/p-m", { body: { status: "error" } })).status, 400);
  });

  test("a masked secret sent back stays as it is stored", async () => {
    await rest("POST", "/api/v1/mcps", { body: server("p-secret", { headers: { Token: "tell-nobody" } }) });
    const { json } = await rest("GET", "/api/v1/mcps/p-secret");
    const { headers } = json.mcp ?? json;
    assert.deepEqual(headers, { Token: "***" });
    await rest("PATCH", "/api/v1/mcps/p-secret", { body: { name: "Renamed", headers } });
    const [[stored]] = await stack.sql("select headers::text from catalog.mcp where id = 'p-secret'");
    assert.match(stored, /tell-nobody|Token/);
    assert.doesNotMatch(stored, /"\*\*\*"/);
  });
});

describe("DELETE", () => {
  test("needs the agreement for a skill, and acts with confirm", async () => {
    await rest("POST", "/api/v1/skills", { body: skill("gone") });
    const asked = await rest("DELETE", "/api/v1/skills/gone");
    assert.deepEqual([asked.status, asked.json.error.reason], [409, "CONFIRMATION_REQUIRED"]);
    assert.equal((await rest("GET", "/api/v1/skills/gone")).status, 200);
    assert.equal((await rest("DELETE", "/api/v1/skills/gone?confirm=true")).json.deleted, true);
    assert.equal((await rest("GET", "/api/v1/skills/gone")).status, 404);
  });

  test("commands, subagents and servers can be deleted", async () => {
    for (const path of ["/api/v1/commands/p-c", "/api/v1/subagents/p-s", "/api/v1/mcps/p-m"]) {
      let answer = await rest("DELETE", path);
      if (answer.status === 409) answer = await rest("DELETE", `${path}?confirm=true`);
      assert.equal(answer.status, 200, answer.text);
      assert.equal((await rest("GET", path)).status, 404, path);
    }
  });

  test("virtual servers and secrets are put, listed without values, and removed", async () => {
    const body = { name: "Two tools", tools: [{ server: "echo", tool: "echo" }, { tool: "mal_list_skills", name: "skills" }] };
    assert.equal((await rest("PUT", "/api/v1/virtual-servers/two", { body })).json.created, true);
    assert.equal((await rest("GET", "/api/v1/virtual-servers/two")).json.server.tools.length, 2);
    assert.equal((await rest("GET", "/api/v1/virtual-servers")).json.total, 1);
    assert.equal((await rest("DELETE", "/api/v1/virtual-servers/two")).json.deleted, true);
    assert.equal((await rest("PUT", "/api/v1/secrets/TOKEN", { body: { value: "tell-nobody" } })).json.created, true);
    const list = await rest("GET", "/api/v1/secrets");
    assert.equal(list.json.items[0].name, "TOKEN");
    assert.doesNotMatch(list.text, /tell-nobody/);
    assert.equal((await rest("DELETE", "/api/v1/secrets/TOKEN")).json.deleted, true);
  });

  test("a server's health, tools and policy can be read, its policy changed, a tool approved", async () => {
    assert.equal((await rest("GET", "/api/v1/mcps/echo/health")).json.status, "active");
    const { items } = (await rest("GET", "/api/v1/mcps/echo/tools")).json;
    assert.ok(items.some(({ name, pin }) => name === "echo" && pin === "approved"));
    assert.equal((await rest("POST", "/api/v1/mcps/echo/tools/echo/approve", { body: {} })).json.changed, false);
    assert.deepEqual((await rest("PATCH", "/api/v1/mcps/echo/policy", { body: { call_timeout_ms: 5000 } })).json.changed, ["call_timeout_ms"]);
    assert.equal((await rest("GET", "/api/v1/mcps/echo/policy")).json.policy.call_timeout_ms, 5000);
  });

  test("servers are for trusted keys only", async () => {
    const { secret: key } = JSON.parse((await stack.mal("keys", "add", "untrusted", "--scopes", "all", "--json")).stdout);
    await until("the key works", async () => (await rest("GET", "/api/v1/skills", { key })).status === 200);
    assert.equal((await rest("PATCH", "/api/v1/mcps/located", { key, body: { name: "x" } })).status, 403);
    assert.equal((await rest("DELETE", "/api/v1/mcps/located", { key })).status, 403);
    assert.equal((await rest("GET", "/api/v1/mcps/located", { key })).status, 200);
  });
});

describe("the form of answers", () => {
  test("Accept: text/markdown answers the text of the tool", async () => {
    const text = (await hub.tool("mal_get_skill", { id: "git-workflow-mal" })).content[0].text;
    const answer = await rest("GET", "/api/v1/skills/git-workflow-mal", { headers: { Accept: "text/markdown" } });
    assert.match(answer.headers["content-type"], /^text\/markdown/);
    assert.equal(answer.text, text);
    const list = await rest("GET", "/api/v1/skills?limit=2", { headers: { Accept: "text/markdown" } });
    assert.match(list.text, /^## Skills\nShowing 2 of \d+ \(offset 0\)\n/);
  });

  test("format has no effect", async () => {
    const plain = await rest("GET", "/api/v1/skills?limit=2");
    const wanted = await rest("GET", "/api/v1/skills?limit=2&format=json");
    assert.deepEqual(wanted.json, plain.json);
  });

  test("types in the query are read by the schema, wrong ones are refused by name", async () => {
    assert.equal((await rest("GET", "/api/v1/skills?limit=2")).json.count, 2);
    for (const wrong of ["limit=two", "limit=2.5", "limit=", "limit=1&limit=2", "limit=101", "unknown=1"]) {
      const answer = await rest("GET", `/api/v1/skills?${wrong}`);
      assert.equal(answer.status, 400, wrong);
      assert.ok(answer.json.error.fields?.[0].field, `${wrong}: ${answer.text}`);
    }
  });

  test("a body that is no JSON object, or of another type, is refused", async () => {
    for (const body of ["{", "[]", "7", '"x"']) assert.equal((await rest("POST", "/api/v1/skills", { body })).status, 400, body);
    const form = await rest("POST", "/api/v1/skills", { body: "id=x", headers: { "Content-Type": "application/x-www-form-urlencoded" } });
    assert.equal(form.status, 415);
    assert.equal(form.json.error.status, "INVALID_ARGUMENT", form.text);
  });

  test("a body beyond its limit is 413, and the import takes more", async () => {
    const big = skill("big", { asset_content: "x".repeat(1_100_000) });
    const refused = await rest("POST", "/api/v1/skills", { body: big });
    assert.equal(refused.status, 413);
    assert.equal(refused.json.error.status, "INVALID_ARGUMENT", refused.text);
    const skills = Array.from({ length: 6 }, (_, i) => skill(`bulk-${i}`));
    const assets = Object.fromEntries(skills.map(({ id }) => [`skills/${id}/SKILL.md`, `${document(id)}${"words ".repeat(40_000)}`]));
    const data = JSON.stringify({ version: "1.0.0", skills, assets });
    assert.ok(data.length > 1 << 20);
    const answer = await rest("POST", "/api/v1/catalog/import", { body: { data, confirm: true } });
    assert.equal(answer.status, 200, answer.text.slice(0, 500));
    assert.equal(answer.json.imported.skills, 6, answer.text);
  });

  test("unknown paths are 404 and other methods 405 with Allow", async () => {
    for (const path of ["/api/v1/nothing", "/api/v1", "/api/v2/skills", "/nothing", "/api/v1/skills/a/b/c"])
      assert.equal((await rest("GET", path)).status, 404, path);
    const answer = await rest("PUT", "/api/v1/skills/located", { body: {} });
    assert.equal(answer.status, 405);
    assert.match(answer.headers.allow, /GET/);
    assert.equal(answer.json.error.status, "INVALID_ARGUMENT", answer.text);
  });

  test("paths that climb or hide bytes find nothing", async () => {
    for (const id of ["..%2f..%2fetc%2fpasswd", "%00", "a%00b", "%ff", "%zz", "..", "%2e%2e"]) {
      const { status } = await rest("GET", `/api/v1/skills/${id}`);
      assert.ok([400, 404].includes(status), `${id}: ${status}`);
    }
  });

  test("the directory redirect of the HTTP library is never reached (CVE-2025-55763)", async () => {
    const answer = await rest("GET", `/${"a".repeat(2000)}/../${"b".repeat(4000)}`);
    assert.ok([400, 404, 414, 431].includes(answer.status), String(answer.status));
    assert.equal(answer.headers.location, undefined);
    assert.equal((await rest("GET", "/api/v1/skills?limit=1")).status, 200);
  });

  test("the clients' search for OAuth finds a plain 404", async () => {
    for (const path of ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource",
      "/.well-known/oauth-authorization-server", "/authorize", "/token", "/register"]) {
      const answer = await request(`${stack.base}${path}`, { method: "GET" });
      assert.ok(answer.status === 404 || answer.status === 401, `${path}: ${answer.status}`);
      assert.doesNotMatch(answer.text, /<html/i);
    }
  });

  test("reads and writes over REST are in the audit log", async () => {
    await until("the entry", async () => (await rest("GET", "/api/v1/audit?resource_id=patched&tool_name=mal_update_skill")).json.total >= 2, { deadline: 2000 });
    const series = await rest("GET", "/api/v1/audit/series?days=1&bucket=hour");
    assert.equal(series.status, 200, series.text);
    assert.ok(series.json.points.length > 0);
  });
});

describe("downstream servers", () => {
  const fine = async (method, path, body) => {
    const answer = await rest(method, path, body && { body });
    assert.ok(answer.status === 200 || answer.status === 201, `${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.json;
  };

  before(() => fine("POST", "/api/v1/mcps", server("far")));

  test("have a history and tools", async () => {
    await until("mcp-health knows it", async () => (await rest("GET", "/api/v1/mcps/far/health")).status === 200);
    const health = await fine("GET", "/api/v1/mcps/far/health?hours=1");
    assert.equal(health.id, "far");
    assert.deepEqual((await fine("GET", "/api/v1/mcps/far/tools")).items, []);
    assert.equal((await rest("GET", "/api/v1/mcps/nobody/health")).status, 404);
    assert.equal((await rest("POST", "/api/v1/mcps/far/tools/echo/approve", { body: {} })).status, 404);
  });

  test("have a policy that keeps what is not named", async () => {
    assert.deepEqual((await fine("PATCH", "/api/v1/mcps/far/policy", { expose: true, call_timeout_ms: 5000 })).changed.sort(), ["call_timeout_ms", "expose"]);
    await fine("PATCH", "/api/v1/mcps/far/policy", { call_timeout_ms: null });
    const { policy } = await fine("GET", "/api/v1/mcps/far/policy");
    assert.equal(policy.expose, true);
    assert.ok(!policy.call_timeout_ms);
  });

  test("make virtual servers", async () => {
    await fine("PUT", "/api/v1/virtual-servers/some", { name: "Some", tools: [{ tool: "mal_list_skills" }] });
    assert.equal((await fine("GET", "/api/v1/virtual-servers/some")).server.name, "Some");
    assert.deepEqual((await fine("GET", "/api/v1/virtual-servers")).items.map(({ id }) => id), ["some"]);
    assert.equal((await fine("DELETE", "/api/v1/virtual-servers/some")).deleted, true);
    assert.equal((await rest("GET", "/api/v1/virtual-servers/some")).status, 404);
  });

  test("take secrets that are never shown again", async () => {
    await fine("PUT", "/api/v1/secrets/TOKEN", { value: "tell-nobody" });
    const list = await rest("GET", "/api/v1/secrets");
    assert.deepEqual(list.json.items.map(({ name }) => name), ["TOKEN"]);
    assert.doesNotMatch(list.text, /tell-nobody/);
    assert.equal((await fine("DELETE", "/api/v1/secrets/TOKEN")).deleted, true);
  });
});

describe("/api/openapi.json", () => {
  test("is the committed document", async () => {
    const answer = await request(`${stack.base}/api/openapi.json`, { method: "GET", headers: { "x-api-key": stack.key } });
    assert.equal(answer.status, 200);
    const { servers: _, ...served } = answer.json;
    const { servers: __, ...committed } = openapi;
    assert.deepEqual(served, committed);
    assert.match(answer.json.openapi, /^3\.1\./);
  });

  test("a public validator finds it a valid OpenAPI 3.1 document", async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(structuredClone(openapi));
    assert.ok(valid, JSON.stringify(errors, null, 1));
    assert.equal(validator.version, "3.1");
  });

  test("all its schemas compile and all its references lead somewhere", () => {
    const text = JSON.stringify(openapi);
    for (const [, ref] of text.matchAll(/"\$ref":"#\/([^"]+)"/g))
      assert.ok(ref.split("/").reduce((node, key) => node?.[key.replace(/~1/g, "/")], openapi), ref);
    for (const methods of Object.values(openapi.paths))
      for (const { requestBody } of Object.values(methods))
        for (const media of Object.values(requestBody?.content ?? {})) compile({ ...media.schema, components: openapi.components });
  });

  test("every one of its routes was called by these tests", () => {
    const all = Object.entries(openapi.paths).flatMap(([path, methods]) =>
      Object.keys(methods).filter((method) => /^(get|post|put|patch|delete)$/.test(method)).map((method) => `${method.toUpperCase()} ${path}`));
    assert.deepEqual(all.filter((route) => !used.has(route)), []);
  });
});
