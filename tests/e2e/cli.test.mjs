// The tool `mal` and the binaries, as people and scripts use them.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { KINDS, connect } from "./clients.mjs";
import { Modern, envelope } from "./mcp.mjs";
import { document, skill } from "./samples.mjs";
import { learn } from "./schema.mjs";
import { bin, cleanEnv, mal, run, startStack, useStack } from "./stack.mjs";
import { until, within } from "./wait.mjs";

let hub;
const stack = useStack({ before, after }, {}, async () => {
  hub = new Modern(stack);
  learn(await hub.all("tools/list", "tools"));
});

// The yardstick of `mal bench` and the client of the tests are no processes of the hub.
const binaries = readdirSync(bin).filter((name) => /^mal(-|$)/.test(name) && !["mal-bench-server", "mal-test-client"].includes(name));

describe("every binary", () => {
  test("is there: mal, mal-gateway and the services", () => {
    for (const name of ["mal", "mal-gateway", "mal-catalog", "mal-sprint", "mal-gamify", "mal-mcp-health", "mal-mcp-runner"]) assert.ok(binaries.includes(name), name);
  });

  for (const name of binaries) {
    test(`${name} --help and --version`, async () => {
      const help = await run(join(bin, name), ["--help"]);
      assert.equal(help.code, 0, help.stderr);
      assert.match(help.stdout, /Usage|usage|MAL_/);
      const version = await run(join(bin, name), ["--version"]);
      assert.equal(version.code, 0);
      assert.match(version.stdout, /\d+\.\d+\.\d+/);
    });
    if (name === "mal") continue;
    test(`${name} --print-config shows every setting, its secrets masked, and takes no other word`, async () => {
      const secret = "not-to-be-shown";
      const config = await run(join(bin, name), ["--print-config"], { env: { MAL_NATS_PASSWORD: secret, MAL_LOG_LEVEL: "warn" } });
      assert.equal(config.code, 0, config.stderr);
      assert.match(config.stdout, /^MAL_LOG_LEVEL=warn/m);
      assert.match(config.stdout, /^MAL_NATS_URL=/m);
      assert.equal(config.stdout.includes(secret), false);
      assert.notEqual((await run(join(bin, name), ["--surely-not"])).code, 0);
    });
    test(`${name} refuses settings that it does not know and values that do not fit`, async () => {
      const unknown = await run(join(bin, name), [], { env: { MAL_SURELY_NOT: "1" }, timeout: 10_000 });
      assert.notEqual(unknown.code, 0);
      assert.match(unknown.stderr, /MAL_SURELY_NOT/);
      const wrong = await run(join(bin, name), [], { env: { MAL_LOG_LEVEL: "loud" }, timeout: 10_000 });
      assert.notEqual(wrong.code, 0);
      assert.match(wrong.stderr, /MAL_LOG_LEVEL/);
    });
  }
});

describe("mal", () => {
  test("without or with an unknown command tells what there is, exit code 2", async () => {
    assert.equal((await run(mal, [])).code, 2);
    const unknown = await run(mal, ["dance"]);
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /dance/);
  });

  test("every command has --help", async () => {
    const { stdout } = await run(mal, ["--help"]);
    const commands = [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name);
    assert.ok(commands.length >= 6, stdout);
    for (const command of commands) {
      const { code, stdout: help } = await run(mal, [command, "--help"]);
      assert.equal(code, 0, command);
      assert.match(help, /Usage: mal/);
    }
  });

  test("doctor --json lists its findings, each failure with its mend", async () => {
    const { code, stdout } = await run(mal, ["doctor", "--json"]);
    const findings = JSON.parse(stdout);
    assert.ok(findings.length > 5);
    for (const { check, verdict, mend } of findings) {
      assert.ok(["ok", "warning", "failure"].includes(verdict), check);
      if (verdict !== "ok") assert.ok(mend, check);
    }
    assert.equal(code, findings.some(({ verdict }) => verdict === "failure") ? 1 : 0);
  });

  test("call prints the text, --json the structured content", async () => {
    const id = "git-workflow-mal";
    const text = (await hub.tool("mal_get_skill", { id })).content[0].text;
    assert.equal((await stack.mal("call", "mal_get_skill", `id=${id}`)).stdout.trimEnd(), text);
    const json = await stack.mal("call", "mal_list_skills", "limit=2", "--json");
    assert.deepEqual(JSON.parse(json.stdout), await hub.ok("mal_list_skills", { limit: 2 }));
  });

  test("call reads values by the schema, := as JSON, =@ from a file", async () => {
    const folder = mkdtempSync(join(tmpdir(), "e2e-call-"));
    writeFileSync(join(folder, "doc.md"), document("called"));
    const made = await stack.mal("call", "mal_register_skill", "id=called", "name=123", "description=x", "version=1.0.0", "category=custom",
      "author=cli", 'tags:=["a","b"]', `asset_content=@${join(folder, "doc.md")}`, "--json");
    assert.equal(made.code, 0, made.stderr);
    const got = await hub.ok("mal_get_skill", { id: "called" });
    assert.deepEqual([got.skill.name, got.skill.tags, got.content], ["123", ["a", "b"], document("called")]);
    rmSync(folder, { recursive: true });
  });

  test("call ends with 1 and the error on stderr when the tool fails", async () => {
    const { code, stdout, stderr } = await stack.mal("call", "mal_get_skill", "id=nobody");
    assert.equal(code, 1);
    assert.match(stdout + stderr, /not found/);
    assert.match(stdout + stderr, /Try: /);
    assert.notEqual((await stack.mal("call", "mal_no_tool")).code, 0);
  });

  describe("mcp", () => {
    const folder = mkdtempSync(join(tmpdir(), "e2e-mcp-"));
    const file = join(folder, "mcp.json");
    after(() => rmSync(folder, { recursive: true }));
    const works = async (...words) => {
      const answer = await stack.mal("mcp", ...words);
      assert.equal(answer.code, 0, answer.stderr);
      return answer.stdout;
    };

    test("import registers what is not there, literal secrets sealed", async () => {
      writeFileSync(file, JSON.stringify({ mcpServers: {
        "My Files_2": { command: "npx", args: ["-y", "files", "/tmp"], env: { TOKEN: "tell-nobody" } },
        Far: { type: "http", url: "http://127.0.0.1:9/mcp", headers: { Authorization: "Bearer ${secret:FAR}" } },
      } }));
      assert.deepEqual(JSON.parse(await works("import", file, "--json")).sort((a, b) => a.id.localeCompare(b.id)),
        [{ id: "far", outcome: "added" }, { id: "my-files-2", outcome: "added" }]);
      const { items } = await hub.ok("mal_list_mcps", { limit: 100 });
      const { transport, command, args, name } = items.find(({ id }) => id === "my-files-2");
      assert.deepEqual([transport, command, args, name], ["stdio", "npx", ["-y", "files", "/tmp"], "My Files_2"]);
      const [[kept]] = await stack.sql("select env_vars::text from catalog.mcp where id = 'my-files-2'");
      assert.doesNotMatch(kept, /tell-nobody/);
      assert.match(kept, /sealed:/);
      assert.match(await works("import", file), /^far: skipped$/m);
      assert.match(await works("list"), /^far +(active|error) +streamable-http +http:\/\/127\.0\.0\.1:9\/mcp$/m);
    });

    test("import goes on after an entry that is wrong, and ends with 1", async () => {
      writeFileSync(file, JSON.stringify({ mcpServers: { neither: {}, "!": { command: "x" }, near: { url: "http://127.0.0.1:9/mcp" } } }));
      const { code, stdout, stderr } = await stack.mal("mcp", "import", file);
      assert.equal(code, 1);
      assert.match(stdout, /^near: added$/m);
      assert.match(stderr, /neither: failed: .*command and url/);
      assert.match(stderr, /2 of 3 servers/);
      writeFileSync(file, "{");
      assert.match((await stack.mal("mcp", "import", file)).stderr, /line 1/);
    });

    test("policy shows and changes what is decided", async () => {
      await until("mcp-health knows it", async () => (await stack.mal("mcp", "policy", "far")).code === 0);
      const policy = JSON.parse(await works("policy", "far", "expose=true", "newest_version=2025-11-25", "idempotent_tools=[\"echo\"]"));
      assert.deepEqual([policy.expose, policy.newest_version, policy.idempotent_tools], [true, "2025-11-25", ["echo"]]);
      assert.equal(JSON.parse(await works("policy", "far", "newest_version=null")).newest_version, undefined);
      const { code, stderr } = await stack.mal("mcp", "policy", "far", "expose=perhaps");
      assert.equal(code, 1);
      assert.match(stderr, /expose/);
    });

    test("secret takes its value from standard input and never shows it", async () => {
      const set = await run(mal, ["mcp", "secret", "set", "FAR"], { env: { MAL_DIR: stack.dir }, input: "tell-nobody\n" });
      assert.deepEqual([set.code, set.stdout], [0, ""], set.stderr);
      assert.match(await works("secret", "list"), /^FAR /m);
      assert.doesNotMatch(await works("secret", "list", "--json"), /tell-nobody/);
      await works("secret", "rm", "FAR");
      assert.deepEqual(JSON.parse(await works("secret", "list", "--json")), []);
      assert.equal((await stack.mal("mcp", "secret", "rm", "FAR")).code, 1);
    });

    test("drift shows a held definition as a diff until it is approved", async () => {
      await stack.sql(`insert into mcp_health.tool (mcp_id, name, position, approved, offered, description) values ('near', 'echo', 0,
        '{"name":"echo","description":"Before.","inputSchema":{"type":"object"}}',
        '{"name":"echo","description":"After.","inputSchema":{"type":"object"}}', 'Before.')`);
      assert.equal(await works("drift", "near"), 'echo (changed)\n- description: "Before."\n+ description: "After."\n');
      assert.equal(await works("approve", "near"), "echo: approved\n");
      assert.equal(await works("approve", "near", "echo"), "echo: nothing was held\n");
      assert.equal(await works("drift", "near"), "Nothing differs from what was approved.\n");
      assert.equal((await stack.mal("mcp", "approve", "near", "nobody")).code, 1);
    });

    test("tells how it is used for words it does not know", async () => {
      assert.equal((await stack.mal("mcp")).code, 2);
      assert.equal((await stack.mal("mcp", "dance")).code, 2);
    });
  });

  test("starter load inserts what is absent, then nothing", async () => {
    const first = await stack.mal("starter", "load");
    assert.equal(first.code, 0, first.stderr);
    const [, all] = /: 0 inserted, (\d+) already there/.exec(first.stdout) ?? assert.fail(first.stdout);
    assert.equal(first.stdout, "mcps 6, skills 14, commands 14, subagents 5, achievements 14: 0 inserted, 53 already there\n");
    const empty = await startStack({ args: ["--no-starter"] });
    try {
      assert.match((await empty.mal("starter", "load")).stdout, new RegExp(`: ${all} inserted, 0 already there`));
      assert.match((await empty.mal("starter", "load")).stdout, new RegExp(`: 0 inserted, ${all} already there`));
      const { inserted, present, failed } = JSON.parse((await empty.mal("starter", "load", "--json")).stdout);
      assert.deepEqual([inserted.total, present.total, failed], [0, Number(all), 0]);
      const client = new Modern(empty);
      const lead = { id: "sample-ana", name: "Ana Sample", role: "developer" };
      assert.match((await empty.mal("starter", "load", "--sample")).stdout, /\nsample project 1, members 4: 5 inserted, 0 already there\n$/);
      assert.deepEqual((await client.ok("mal_list_team_members")).items.map(({ role, metadata }) => [role, metadata]), Array(4).fill(["lead", { sample: true }]));
      await client.ok("mal_register_team_member", lead);
      assert.match((await empty.mal("starter", "load", "--sample")).stdout, /: 0 inserted, 53 already there\nsample project 1, members 4: 0 inserted, 5 already there\n$/);
      assert.equal((await client.ok("mal_get_team_member", { id: lead.id })).member.role, "developer", "what is there is left as it is");
      assert.deepEqual((await client.ok("mal_get_project", { id: "sample-project" })).project.metadata, { sample: true });
      assert.equal((await client.ok("mal_list_skills")).total, 14);
      assert.equal((await client.ok("mal_list_mcps", { status: "inactive" })).total, 6);
      assert.equal((await client.ok("mal_search_skills", { query: "deploying" })).total > 0, true);
    } finally {
      await empty.stop();
    }
  });

  test("events replay tells what it did, and what there is to replay", async () => {
    for (const [service, table] of [["catalog", "usage_log"], ["gamify", "contribution"]]) {
      const words = await stack.mal("events", "replay", service, "--dry-run");
      assert.equal(words.code, 0, words.stderr);
      assert.match(words.stdout, new RegExp(`^\\d+ events; the stream is complete since 2.*Z\n(.*\n)*${table}: \\d+ rows, 0 added, 0 changed, 0 removed`));
      assert.match(words.stdout, /Nothing was written \(--dry-run\)\.\n$/);
      const json = await stack.mal("events", "replay", service, "--json");
      assert.equal(JSON.parse(json.stdout).tables[0].name, table);
    }
    for (const wrong of [[], ["replay"], ["replay", "sprint"], ["replay", "catalog", "now"], ["undo"]]) {
      const { code, stderr } = await stack.mal("events", ...wrong);
      assert.equal(code, 2, stderr);
    }
  });

  test("a second up in the same folder is refused, and harms nothing", async () => {
    const second = await run(mal, ["up", "--dir", stack.dir, "--json"], { timeout: 20_000 });
    assert.equal(second.code, 1);
    assert.match(second.stderr, /already running/);
    assert.equal((await hub.post("tools/list")).status, 200);
  });

  test("up refuses settings that no process knows", async () => {
    const { code, stderr } = await run(mal, ["up", "--ephemeral"], { env: { MAL_SURELY_NOT: "1" }, timeout: 20_000 });
    assert.equal(code, 1);
    assert.match(stderr, /MAL_SURELY_NOT/);
  });

  test("what up wrote stays from one run to the next in its folder", async () => {
    const dir = join(mkdtempSync(join(tmpdir(), "e2e-dir-")), "hub");
    const start = async () => {
      const proc = spawn(mal, ["up", "--dir", dir, "--port", String(20_000 + (process.pid % 20_000)), "--json"], { env: cleanEnv(), stdio: ["ignore", "pipe", "inherit"] });
      const line = await within(60_000, "the line", new Promise((done) => createInterface({ input: proc.stdout }).once("line", done)));
      const stop = async () => {
        const ended = new Promise((done) => proc.once("exit", done));
        proc.kill("SIGINT");
        assert.equal(await within(30_000, "the end", ended), 0);
      };
      return { facts: JSON.parse(line), stop };
    };
    const first = await start();
    try {
      await new Modern(first.facts).ok("mal_register_skill", skill("kept"));
    } finally {
      await first.stop();
    }
    const second = await start();
    try {
      await new Modern(second.facts).ok("mal_get_skill", { id: "kept" });
      assert.equal(second.facts.key, first.facts.key);
    } finally {
      await second.stop();
    }
    rmSync(join(dir, ".."), { recursive: true });
  });

  test("SIGTERM stops it as SIGINT does", async () => {
    const other = await startStack({ args: ["--no-starter"] });
    other.proc.kill("SIGTERM");
    await until("mal up ends", () => other.proc.exitCode !== null, { deadline: 30_000 });
    await other.stop();
  });
});

describe("mal stdio", () => {
  for (const kind of KINDS) {
    test(`${kind} works over it`, async () => {
      const session = await connect(kind, stack, { stdio: true, elicit: () => ({ action: "accept", content: { confirm: true } }) });
      try {
        assert.equal((await session.tools()).length, (await hub.all("tools/list", "tools")).length);
        const id = `stdio-${kind.replaceAll(" ", "-")}`;
        assert.equal((await session.call("mal_register_skill", skill(id, { asset_content: document(id) }))).isError ?? false, false);
        if (kind === "sdk v2 modern") await session.client.listen({ resourcesListChanged: true, promptsListChanged: true });
        const { contents } = await session.client.readResource({ uri: `skill://${id}/SKILL.md` });
        assert.match(contents[0].text, /Something to read/);
        await until("list_changed over stdio", async () => {
          if (session.notes.some((note) => note.method.endsWith("list_changed"))) return true;
          await hub.ok("mal_register_skill", skill(`${id}-${Date.now()}`, { asset_content: "# x\n" }));
          return false;
        }, { deadline: 5000, every: 300 });
        const deleted = await session.call("mal_delete_skill", { id });
        assert.equal(deleted.structuredContent?.deleted, true, deleted.content[0].text);
      } finally {
        await session.close();
      }
    });
  }

  test("both eras on one pipe, one line per message, and it ends with its input", async () => {
    const proc = spawn(mal, ["stdio", "--url", stack.url, "--key", stack.key], { env: cleanEnv(), stdio: ["pipe", "pipe", "inherit"] });
    const lines = [];
    createInterface({ input: proc.stdout }).on("line", (line) => lines.push(JSON.parse(line)));
    const ended = new Promise((done) => proc.once("exit", done));
    const send = (message) => proc.stdin.write(`${JSON.stringify(message)}\n`);
    const answered = (id) => until(`an answer to ${id}`, () => lines.find((line) => line.id === id));
    try {
      send({ jsonrpc: "2.0", id: "d", method: "server/discover", params: { _meta: envelope() } });
      assert.deepEqual((await answered("d")).result.supportedVersions, ["2026-07-28"]);
      send({ jsonrpc: "2.0", id: "i", method: "initialize", params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "x", version: "1" } } });
      assert.equal((await answered("i")).result.protocolVersion, "2025-06-18");
      send({ jsonrpc: "2.0", method: "notifications/initialized" });
      send({ jsonrpc: "2.0", id: "p", method: "ping" });
      assert.deepEqual((await answered("p")).result, {});
      send({ jsonrpc: "2.0", id: "m", method: "tools/list", params: { _meta: envelope() } });
      assert.equal((await answered("m")).result.resultType, "complete");
      proc.stdin.write("no json\n");
      await until("an error about it", () => lines.find((line) => line.error?.code === -32700));
    } finally {
      proc.stdin.end();
    }
    assert.equal(await within(10_000, "the end", ended), 0);
  });

  test("a hub that is not there is an error, not silence", async () => {
    const input = `${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" })}\n`;
    const { stdout } = await run(mal, ["stdio", "--url", "http://127.0.0.1:9/mcp", "--key", "x"], { input, timeout: 20_000 });
    const answer = JSON.parse(stdout.trim().split("\n")[0]);
    assert.equal(answer.id, 1);
    assert.ok(answer.error.message);
  });
});
