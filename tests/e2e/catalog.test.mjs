// What the catalog's tools promise, seen from outside.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Modern } from "./mcp.mjs";
import { command, document, server, skill, subagent } from "./samples.mjs";
import { learn } from "./schema.mjs";
import { startStack, useStack } from "./stack.mjs";
import { until } from "./wait.mjs";

let hub;
const stack = useStack({ before, after }, { args: ["--no-starter"] }, async () => {
  hub = new Modern(stack);
  learn(await hub.all("tools/list", "tools"));
});

const ids = (list) => list.items.map((item) => item.id);

describe("null", () => {
  test("for an optional field of a create tool is absent", async () => {
    const { skill: made } = await hub.ok("mal_register_skill", skill("null-create", { asset_path: null, tags: null }));
    assert.equal(made.asset_path, "skills/null-create/SKILL.md");
    assert.deepEqual(made.tags, []);
  });

  test("clears a field that may be cleared", async () => {
    await hub.ok("mal_register_skill", skill("null-clear", { asset_content: document("null-clear") }));
    const { skill: changed, changed: names } = await hub.ok("mal_update_skill", { id: "null-clear", asset_content: null });
    assert.equal(changed.has_content, false);
    assert.deepEqual(names, ["asset_content"]);
    assert.equal((await hub.ok("mal_get_skill_content", { id: "null-clear" })).has_content, false);
  });

  test("is refused for any other field of an update", async () => {
    const error = await hub.fails("mal_update_skill", { id: "null-clear", name: null }, "INVALID_ARGUMENT");
    assert.ok(error.fields.some(({ field }) => field === "name"), error.text);
  });

  test("an update that names no field is refused, and an empty array sets the empty list", async () => {
    await hub.fails("mal_update_skill", { id: "null-clear" }, "INVALID_ARGUMENT");
    await hub.ok("mal_update_skill", { id: "null-clear", tags: ["one"] });
    assert.deepEqual((await hub.ok("mal_update_skill", { id: "null-clear", tags: [] })).skill.tags, []);
  });
});

describe("a skill's life", () => {
  const id = "life-skill";

  test("register, get, search, update, delete, and then it is gone", async () => {
    await hub.ok("mal_register_skill", skill(id, { asset_content: document(id, "The word quokka stands here.") }));
    const got = await hub.ok("mal_get_skill", { id });
    assert.match(got.content, /quokka/);
    assert.deepEqual(ids(await hub.ok("mal_search_skills", { query: "quokka" })), [id]);
    const taken = await hub.fails("mal_register_skill", skill(id), "ALREADY_EXISTS");
    assert.match(taken.text, /mal_update_skill/);
    const update = await hub.ok("mal_update_skill", { id, asset_content: document(id, "The word numbat stands here.") });
    assert.deepEqual(update.changed, ["asset_content"]);
    assert.equal((await hub.ok("mal_search_skills", { query: "quokka" })).total, 0);
    assert.deepEqual(ids(await hub.ok("mal_search_skills", { query: "numbat" })), [id]);
    assert.deepEqual(await hub.ok("mal_delete_skill", { id, confirm: true }), { id, deleted: true, dependents: [] });
    await hub.fails("mal_get_skill", { id }, "NOT_FOUND");
    await hub.fails("mal_get_skill_content", { id }, "NOT_FOUND");
    assert.equal((await hub.ok("mal_search_skills", { query: "numbat" })).total, 0);
  });

  test("the author stays, and a taken asset_path is refused", async () => {
    await hub.ok("mal_register_skill", skill("path-one", { asset_path: "shared/doc.md" }));
    await hub.fails("mal_register_skill", skill("path-two", { asset_path: "shared/doc.md" }), "ALREADY_EXISTS");
    await hub.fails("mal_update_skill", { id: "path-one", author: "someone" }, "INVALID_ARGUMENT");
    await hub.fails("mal_register_skill", skill("path-three", { asset_path: "a/../b" }), "INVALID_ARGUMENT");
  });

  test("a missing front matter and unknown dependencies are warnings; dependents are told", async () => {
    const { warnings } = await hub.ok("mal_register_skill",
      skill("dep-child", { dependencies: ["dep-parent"], asset_content: "# No front matter\n" }));
    assert.ok(warnings.some((text) => /front matter/i.test(text)), warnings.join());
    assert.ok(warnings.some((text) => /dep-parent/.test(text)), warnings.join());
    await hub.ok("mal_register_skill", skill("dep-parent"));
    const { dependents } = await hub.ok("mal_delete_skill", { id: "dep-parent", confirm: true });
    assert.deepEqual(dependents, ["dep-child"]);
  });

  test("updated_at moves on a change, and not on an update that changes nothing", async () => {
    const { skill: first } = await hub.ok("mal_register_skill", skill("moves"));
    const { skill: same, changed } = await hub.ok("mal_update_skill", { id: "moves", version: first.version });
    assert.deepEqual(changed, []);
    assert.equal(same.updated_at, first.updated_at);
    const { skill: next } = await hub.ok("mal_update_skill", { id: "moves", version: "2.0.0" });
    assert.ok(next.updated_at > first.updated_at);
    assert.equal(ids(await hub.ok("mal_list_skills", { limit: 1 }))[0], "moves");
  });
});

describe("150 skills", () => {
  before(async () => {
    for (let i = 0; i < 150; i++)
      await hub.ok("mal_register_skill", skill(`many-${i}`, { tags: ["many"], asset_content: document(`many-${i}`) }));
  });

  test("come on pages of 100 and 50, each once", async () => {
    const first = await hub.ok("mal_list_skills", { tags: "many", limit: 100 });
    const second = await hub.ok("mal_list_skills", { tags: "many", limit: 100, offset: first.next_offset });
    assert.deepEqual([first.total, first.count, first.has_more, first.next_offset], [150, 100, true, 100]);
    assert.deepEqual([second.total, second.count, second.has_more, second.next_offset], [150, 50, false, undefined]);
    assert.equal(new Set([...ids(first), ...ids(second)]).size, 150);
  });

  test("limit 0 and 101 are refused", async () => {
    for (const limit of [0, 101]) await hub.fails("mal_list_skills", { limit }, "INVALID_ARGUMENT");
  });

  test("search totals count beyond the page", async () => {
    const hits = await hub.ok("mal_search_skills", { query: "many", limit: 3 });
    assert.deepEqual([hits.total, hits.count, hits.has_more, hits.next_offset], [150, 3, true, 3]);
  });

  test("are resources, all of them, over several pages of the MCP list", async () => {
    const uris = (await hub.all("resources/list", "resources")).map((resource) => resource.uri);
    for (let i = 0; i < 150; i++) assert.ok(uris.includes(`skill://many-${i}/SKILL.md`), `many-${i}`);
    assert.equal(new Set(uris).size, uris.length);
  });
});

describe("search", () => {
  before(async () => {
    const texts = {
      "find-deploy": "How to deploy a service.",
      "find-cafe": "The café on the corner.",
      "find-cloud": "A guide to Cloud Run services.",
      "find-cloudy": "Run under a cloud of dust.",
      "find-zebra": "Only the zebra is here.",
      "find-okapi": "Only the okapi is here.",
    };
    for (const [id, description] of Object.entries(texts)) await hub.ok("mal_register_skill", skill(id, { description }));
  });

  const cases = [
    ["deploying finds deploy", "deploying", ["find-deploy"]],
    ["cafe finds café", "cafe", ["find-cafe"]],
    ["CAFÉ finds café", "CAFÉ corner", ["find-cafe"]],
    ["a prefix", "zebr*", ["find-zebra"]],
    ["a phrase", '"cloud run"', ["find-cloud"]],
    ["OR", "zebra OR okapi", ["find-okapi", "find-zebra"]],
    ["without", "only -zebra here", ["find-okapi"]],
    ["terms are joined by AND", "zebra okapi", []],
    ["signs only", "!!! ---", []],
  ];
  for (const [name, query, wanted] of cases) {
    test(name, async () => {
      const hits = await hub.ok("mal_search_skills", { query });
      assert.deepEqual(ids(hits).sort(), wanted);
      assert.equal(hits.total, wanted.length);
    });
  }

  test("marks the words in the snippet", async () => {
    const { items: [hit] } = await hub.ok("mal_search_skills", { query: "okapi" });
    assert.match(hit.snippet, /\*\*okapi\*\*/);
  });

  test("the catalog is searched as one, with totals per collection", async () => {
    await hub.ok("mal_register_command", command("quagga-command", { description: "About the quagga." }));
    await hub.ok("mal_register_subagent", subagent("quagga-agent", { description: "About the quagga." }));
    await hub.ok("mal_register_mcp", server("quagga-server", { description: "About the quagga." }));
    const hits = await hub.ok("mal_search_catalog", { query: "quagga" });
    assert.deepEqual(hits.totals, { skills: 0, commands: 1, subagents: 1, mcps: 1 });
    assert.equal(hits.total, 3);
    assert.deepEqual(hits.items.map((hit) => hit.collection).sort(), ["commands", "mcps", "subagents"]);
    assert.equal((await hub.ok("mal_search_catalog", { query: "quagga", collection: "mcps" })).total, 1);
  });

  test("tags match any, in any case, whatever their order", async () => {
    await hub.ok("mal_register_skill", skill("tag-one", { tags: ["Docker", "docker", "  Blue  "] }));
    assert.deepEqual((await hub.ok("mal_get_skill", { id: "tag-one" })).skill.tags, ["docker", "blue"]);
    await hub.ok("mal_register_skill", skill("tag-two", { tags: ["docker"] }));
    for (const tags of ["docker,none", "none, DOCKER", "docker,docker,none"])
      assert.deepEqual(ids(await hub.ok("mal_list_skills", { tags })).sort(), ["tag-one", "tag-two"]);
  });
});

describe("downstream servers", () => {
  const secret = "s3cret-value-of-the-tests";

  test("fields that do not go with the transport are refused", async () => {
    await hub.fails("mal_register_mcp", server("m1", { endpoint_url: undefined }), "INVALID_ARGUMENT");
    await hub.fails("mal_register_mcp", server("m2", { transport: "stdio", endpoint_url: undefined }), "INVALID_ARGUMENT");
    await hub.fails("mal_register_mcp", server("m3", { command: "cat" }), "INVALID_ARGUMENT");
    await hub.fails("mal_register_mcp", server("m4", { env_vars: { A: "b" } }), "INVALID_ARGUMENT");
  });

  test("no reply, export, event or log line holds a secret", async () => {
    const { mcp } = await hub.ok("mal_register_mcp", server("masked", { headers: { Authorization: secret, "X-Ref": "${env:TOKEN}" } }));
    assert.deepEqual(mcp.headers, { Authorization: "***", "X-Ref": "${env:TOKEN}" });
    const stdio = server("masked-stdio", { transport: "stdio", endpoint_url: undefined, command: "cat", env_vars: { API_KEY: secret } });
    await hub.ok("mal_register_mcp", stdio);
    const texts = [
      await hub.ok("mal_list_mcps", { limit: 100 }),
      await hub.ok("mal_export_catalog", { collections: ["mcps"] }),
      await hub.ok("mal_search_catalog", { query: "masked" }),
    ];
    assert.equal(JSON.stringify(texts).includes(secret), false);
    assert.equal(texts[1].mcps.find(({ id }) => id === "masked").headers.Authorization, "${env:AUTHORIZATION}");
    await until("the outbox is sent", async () =>
      (await stack.sql("select count(*) from catalog.outbox where published_at is null"))[0][0] === "0");
    const rows = await stack.sql("select encode(payload, 'escape') from catalog.outbox");
    assert.equal(JSON.stringify(rows).includes(secret), false);
    assert.equal(stack.logs().includes(secret), false);
  });
});

describe("commands", () => {
  const hostile = (mark) => `x'; touch ${mark}; echo "$(id)\` \${HOME} \\ %s`;

  test("an undeclared placeholder is refused, an unused parameter is a warning", async () => {
    const error = await hub.fails("mal_register_command", command("c1", { parameters: [] }), "INVALID_ARGUMENT");
    assert.match(error.text, /word/);
    const { warnings } = await hub.ok("mal_register_command", command("c2", { script_template: "true" }));
    assert.ok(warnings.some((text) => /word/.test(text)), warnings.join());
  });

  test("rendering lists every missing parameter", async () => {
    const parameters = ["one", "two"].map((name) => ({ name, type: "string", description: "x", required: true }));
    await hub.ok("mal_register_command", command("c3", { parameters, script_template: 'echo "{{one}}" "{{two}}"' }));
    const error = await hub.fails("mal_execute_command", { id: "c3" }, "INVALID_ARGUMENT");
    assert.match(error.text, /one/);
    assert.match(error.text, /two/);
  });

  test("values must fit the type of their parameter", async () => {
    const parameters = [
      { name: "n", type: "number", description: "x" },
      { name: "b", type: "boolean", description: "x" },
      { name: "e", type: "enum", description: "x", enum_values: ["red", "blue"] },
    ];
    await hub.ok("mal_register_command", command("c4", { parameters, script_template: 'echo "{{n}} {{b}} {{e}}"' }));
    await hub.ok("mal_get_command", { id: "c4", params: { n: 1.5, b: true, e: "red" } });
    await hub.ok("mal_get_command", { id: "c4", params: { n: "1.5", b: "true" } });
    for (const params of [{ n: "many" }, { b: "maybe" }, { e: "green" }])
      await hub.fails("mal_get_command", { id: "c4", params }, "INVALID_ARGUMENT");
  });

  const shells = [
    ["bash", 'printf "%s" "{{word}}"', ["bash", "sh"]],
    ["python", "import sys\nsys.stdout.write({{word}})", ["python3", "py"]],
    ["node", "process.stdout.write({{word}})", [process.execPath, "mjs"]],
  ];
  for (const [shell, script_template, [program, extension]] of shells) {
    test(`a hostile value comes out of ${shell} as it went in, and does nothing`, async () => {
      const folder = mkdtempSync(join(tmpdir(), "e2e-render-"));
      const mark = join(folder, "touched");
      const word = hostile(mark);
      await hub.ok("mal_register_command", command(`hostile-${shell}`, { shell, script_template }));
      const { rendered_script } = await hub.ok("mal_execute_command", { id: `hostile-${shell}`, params: { word } });
      const file = join(folder, `script.${extension}`);
      writeFileSync(file, rendered_script);
      const { stdout, status, stderr } = spawnSync(program, [file], { encoding: "utf8" });
      assert.equal(status, 0, stderr);
      assert.equal(stdout, word);
      assert.equal(existsSync(mark), false);
      rmSync(folder, { recursive: true });
    });
  }

  test("with execution off, run is refused and render needs no agreement", async () => {
    await hub.ok("mal_register_command", command("off", { script_template: "touch /tmp/e2e-never-{{word}}" }));
    const never = `/tmp/e2e-never-${process.pid}`;
    const params = { word: String(process.pid) };
    await hub.fails("mal_execute_command", { id: "off", params, mode: "run", confirm: true }, "PERMISSION_DENIED");
    assert.equal(existsSync(never), false);
    assert.equal((await hub.ok("mal_execute_command", { id: "off", params })).executed, false);
  });
});

describe("stats and audit", () => {
  test("usage stats match the rows", async () => {
    const stats = await hub.ok("mal_get_usage_stats");
    for (const [name, count] of Object.entries(stats.catalog))
      assert.equal(String(count), (await stack.sql(`select count(*) from catalog.${name.replace(/s$/, "")}`))[0][0], name);
    // Services that do not answer: sprint.test.mjs and gamify.test.mjs, "away".
    assert.deepEqual([stats.warnings, stats.collaboration], [[], { projects: 0, sprints: 0, work_items: 0, members: 0 }]);
  });

  async function entries(filter, count) {
    let log;
    await until(`${count} entries in the audit log`, async () => {
      log = await hub.ok("mal_get_audit_log", { ...filter, limit: 100 });
      return log.total >= count;
    }, { deadline: 1000 }).catch(() => assert.equal(log.total, count, JSON.stringify(log.items.map((entry) => [entry.tool_name, entry.status, entry.channel]))));
    return log;
  }

  test("every call is in the log once within a second: success, tool error, violation, refused confirmation", async () => {
    const id = "audited";
    await hub.ok("mal_register_skill", skill(id));
    await hub.fails("mal_register_skill", skill(id), "ALREADY_EXISTS");
    await hub.fails("mal_delete_skill", { id, confirm: 7 }, "INVALID_ARGUMENT");
    await hub.fails("mal_delete_skill", { id }, "FAILED_PRECONDITION", "CONFIRMATION_REQUIRED");
    const rest = await fetch(`${stack.base}/api/v1/skills/${id}`, { headers: { "x-api-key": stack.key } });
    assert.equal(rest.status, 200);
    const log = await entries({ resource_id: id }, 5);
    assert.deepEqual(log.items.map((entry) => [entry.tool_name, entry.status, entry.success, entry.channel]).reverse(), [
      ["mal_register_skill", "ok", true, "mcp"],
      ["mal_register_skill", "already_exists", false, "mcp"],
      ["mal_delete_skill", "invalid_argument", false, "mcp"],
      ["mal_delete_skill", "failed_precondition", false, "mcp"],
      ["mal_get_skill", "ok", true, "rest"],
    ]);
    for (const entry of log.items) {
      assert.ok(entry.user_key.length > 0);
      assert.ok(entry.duration_ms >= 0);
    }
  });

  test("filters and totals match, and a known mix gives exact stats", async () => {
    const key = JSON.parse((await stack.mal("keys", "add", "mixer", "--scopes", "read,write", "--json")).stdout).secret;
    const mixer = new Modern(stack, { key });
    await until("the new key works", async () => (await mixer.post("tools/list")).status === 200);
    for (let i = 0; i < 6; i++) await mixer.ok("mal_list_commands");
    for (let i = 0; i < 2; i++) await mixer.fails("mal_get_command", { id: "nobody" }, "NOT_FOUND");
    await mixer.ok("mal_get_command", { id: "off" });
    await entries({ user_key: "mixer" }, 9);
    const total = async (filter) => (await hub.ok("mal_get_audit_log", { user_key: "mixer", ...filter })).total;
    assert.equal(await total({ tool_name: "mal_list_commands" }), 6);
    assert.equal(await total({ success: false }), 2);
    assert.equal(await total({ success: true }), 7);
    assert.equal(await total({ resource_id: "off" }), 1);
    const today = new Date().toISOString().slice(0, 10);
    assert.equal(await total({ from: today, to: today }), 9);
    assert.equal(await total({ to: "2020-01-01" }), 0);
    const stats = await hub.ok("mal_get_tool_usage_stats", { days: 1 });
    const rows = await stack.sql("select tool_name, count(*), count(*) filter (where not success) from catalog.usage_log group by 1");
    const counted = Object.fromEntries(rows.map(([tool, calls, errors]) => [tool, [Number(calls), Number(errors)]]));
    for (const tool of stats.tools) {
      if (["mal_get_tool_usage_stats", "mal_get_audit_log"].includes(tool.tool_name)) continue;
      assert.deepEqual([tool.calls, tool.errors], counted[tool.tool_name], tool.tool_name);
      assert.equal(tool.error_percent, Math.round((1000 * tool.errors) / tool.calls) / 10, tool.tool_name);
    }
    const order = stats.tools.map((tool) => [-tool.calls, tool.tool_name]);
    assert.deepEqual(order, [...order].sort(([a, b], [c, d]) => a - c || (b < d ? -1 : 1)));
    assert.equal(stats.calls, stats.tools.reduce((sum, tool) => sum + tool.calls, 0));
  });
});

describe("export and import", () => {
  let other;
  before(async () => {
    other = await startStack({ args: ["--no-starter"] });
  });
  after(() => other?.stop());

  const without = ({ exported_at, ...rest }) => rest;

  test("an export of everything, imported into an empty hub, gives the same export", async () => {
    const first = await hub.ok("mal_export_catalog");
    assert.ok(first.skills.length >= 150);
    assert.ok(Object.keys(first.assets).length >= 150);
    assert.deepEqual(first.skills.map(({ id }) => id), first.skills.map(({ id }) => id).sort());
    const there = new Modern(other);
    const data = JSON.stringify(first);
    const dry = await there.ok("mal_import_catalog", { data, dry_run: true });
    assert.equal((await there.ok("mal_export_catalog")).skills.length, 0, "a dry run writes nothing");
    const real = await there.ok("mal_import_catalog", { data, confirm: true });
    assert.deepEqual([real.failures, real.failed.total], [[], 0]);
    assert.deepEqual(real.imported, dry.imported);
    assert.deepEqual(without(await there.ok("mal_export_catalog")), without(first));
    const again = await there.ok("mal_import_catalog", { data, confirm: true });
    assert.equal(again.imported.total, 0);
    assert.equal(again.skipped.total, real.imported.total);
    assert.equal(again.skipped.skills, first.skills.length);
  });

  test("3 bad of 10 entries: 7 are written, the 3 are named", async () => {
    const skills = Array.from({ length: 10 }, (_, i) => skill(`mix-${i}`));
    skills[2].version = "no version";
    delete skills[5].name;
    skills[8] = { ...skills[8], surprise: true };
    const there = new Modern(other);
    const reply = await there.ok("mal_import_catalog", { data: JSON.stringify({ version: "1.0.0", skills }), confirm: true });
    assert.deepEqual([reply.imported.skills, reply.failed.skills], [7, 3]);
    assert.deepEqual(reply.failures.map((failure) => failure.index), [2, 5, 8]);
    assert.deepEqual(reply.failures.map((failure) => failure.id), ["mix-2", "mix-5", "mix-8"]);
    await there.ok("mal_get_skill", { id: "mix-9" });
    await there.fails("mal_get_skill", { id: "mix-2" }, "NOT_FOUND");
  });

  test("what is no export is refused", async () => {
    for (const data of ["", "no json", "[]", '{"version":"2.0.0"}', '{"version":"1.0.0","skills":{}}'])
      await hub.fails("mal_import_catalog", { data, confirm: true }, "INVALID_ARGUMENT");
  });

  test("an import that fails in the database writes nothing", async () => {
    await other.sql("create function catalog.refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$; " +
      "create trigger refuse before insert on catalog.command for each row execute function catalog.refuse()");
    const there = new Modern(other);
    const data = JSON.stringify({ version: "1.0.0", skills: [skill("half")], commands: [command("half-command")] });
    const error = await there.fails("mal_import_catalog", { data, confirm: true }, "INTERNAL");
    assert.doesNotMatch(error.text, /refuse|trigger|insert|SQL/i);
    await there.fails("mal_get_skill", { id: "half" }, "NOT_FOUND");
    await other.sql("drop trigger refuse on catalog.command");
    assert.equal((await there.ok("mal_import_catalog", { data, confirm: true })).imported.total, 2);
  });
});

describe("the schema", () => {
  test("no service role can read another schema, and its own is all there", async () => {
    const rows = await stack.sql("select table_name from information_schema.tables where table_schema = 'catalog' order by 1");
    for (const table of ["command", "inbox", "mcp", "outbox", "skill", "subagent", "usage_log"])
      assert.ok(rows.some(([name]) => name === table), table);
    const [[other]] = await stack.sql("select count(*) from pg_roles r where r.rolname = 'catalog' and r.rolsuper");
    assert.equal(other, "0");
  });

  test("the programs of the tests are there", () => {
    for (const program of ["bash", "python3", "psql"]) execFileSync(program, ["--version"]);
  });
});
