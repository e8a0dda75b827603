// Stdio servers behind the hub: the reference servers from npm, reached in every way, and how their
// children live: started, shared, idle, crashed, hostile, alone.
import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { KINDS, connect } from "./clients.mjs";
import { begin } from "./http.mjs";
import { Legacy, Modern } from "./mcp.mjs";
import { learn } from "./schema.mjs";
import { descriptors, residentKib, useStack } from "./stack.mjs";
import { byHand, everythingOverHttp, found, known, node, npm, processes, registration, rest, serve, tag, wrappers } from "./stdio.mjs";
import { until } from "./wait.mjs";

const here = import.meta.dirname;
const dir = mkdtempSync(join(tmpdir(), "e2e-stdio-"));
after(() => rmSync(dir, { recursive: true }));

let hub;
const stack = useStack({ before, after }, { args: ["--no-starter"], env: { MAL_STDIO_ALLOW: `${node},npx,uvx`, MAL_ENV_ALLOW: "E2E_ALLOWED", E2E_ALLOWED: "from the operator", E2E_PRIVATE: "not for children", MAL_LOG_LEVEL: "debug" } }, async () => {
  hub = new Modern(stack);
  learn(await hub.all("tools/list", "tools"));
});

const proxy = (mcp_id, tool_name, args = {}, more = {}) => hub.result("tools/call", {
  name: "mal_proxy_mcp_call", arguments: { mcp_id, tool_name, arguments: args, ...more },
}, { timeout: 60_000 });
const failure = (result) => ({ ...result._meta?.["mal.hub/error"], text: result.content[0].text });
const said = (result) => {
  assert.ok(!result.isError, result.content?.[0]?.text);
  return result.content.map(({ text }) => text).join("");
};
const ask = async (id, tool, args, more) => said(await proxy(id, tool, args, more));
const facts = async (id) => JSON.parse(await ask(id, "facts"));
/** A call that has to fail, with a reason, and name the server. */
const fails = async (id, tool, args, more) => {
  const result = await proxy(id, tool, args, more);
  assert.equal(result.isError, true, `${tool} fails: ${result.content[0].text.slice(0, 200)}`);
  const error = failure(result);
  assert.match(error.text, new RegExp(`'${id}'`), error.text);
  return error;
};

const group = (pid) => Number(readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\) /, "").split(" ")[2]);

describe("the reference servers from npm", () => {
  let everything;
  const calls = [
    ["everything", "echo", { message: "Grüße \u{1f30d}" }, /^Echo: Grüße \u{1f30d}$/u],
    ["everything-http", "echo", { message: "over HTTP" }, /^Echo: over HTTP$/],
    ["memory", "create_entities", { entities: [{ name: "ana", entityType: "person", observations: ["writes C"] }] }, /./],
    ["memory", "search_nodes", { query: "ana" }, /writes C/],
    ["filesystem", "read_text_file", { path: join(dir, "shared", "note.txt") }, /^noted$/],
    ["sequential-thinking", "sequentialthinking", { thought: "first", thoughtNumber: 1, totalThoughts: 2, nextThoughtNeeded: true }, /"thoughtNumber": 1/],
  ];

  before(async () => {
    chmodSync(dir, 0o755);
    mkdirSync(join(dir, "shared"));
    writeFileSync(join(dir, "shared", "note.txt"), "noted");
    everything = await everythingOverHttp();
  });
  after(() => everything?.close());

  test("are registered by the tool, from a file as desktop clients keep it, and over REST", async () => {
    await hub.ok("mal_register_mcp", registration("everything", npm("everything")));
    const file = join(dir, "servers.json");
    writeFileSync(file, JSON.stringify({ mcpServers: {
      Memory: { ...npm("memory"), env: { MEMORY_FILE_PATH: "/tmp/e2e-memory-of-the-test.json" } },
      filesystem: npm("filesystem", join(dir, "shared")),
    } }));
    const imported = await stack.mal("mcp", "import", file);
    assert.equal(imported.code, 0, imported.stderr);
    assert.match(imported.stdout, /memory: added\nfilesystem: added/);
    assert.match((await stack.mal("mcp", "import", file)).stdout, /memory: skipped\nfilesystem: skipped/);
    const made = await rest(stack, "POST", "/mcps", registration("sequential-thinking", npm("sequential-thinking", tag("thinking"))));
    assert.equal(made.status, 201, made.text);
    const http = await rest(stack, "POST", "/mcps", { ...registration("everything-http", {}), transport: "streamable-http", endpoint_url: everything.url });
    assert.equal(http.status, 201, http.text);
    for (const [id, tool, args] of calls) await known(stack, id, tool, args);
  });

  test("answer mal_proxy_mcp_call", async () => {
    for (const [id, tool, args, words] of calls) {
      const result = await proxy(id, tool, args);
      assert.match(said(result), words);
      assert.equal(result.structuredContent.transport, id === "everything-http" ? "streamable-http" : "stdio");
    }
  });

  for (const kind of KINDS) {
    test(`are served at /mcp/{server} to ${kind}`, async () => {
      for (const [id, name, args, words] of calls) {
        const session = await connect(kind, stack, { url: `${stack.base}/mcp/${id}` });
        try {
          assert.ok((await session.tools()).some((one) => one.name === name), `${id} lists ${name}`);
          const result = await session.client.callTool({ name, arguments: args });
          if (name !== "create_entities") assert.match(said(result), words);
        } finally {
          await session.close();
        }
      }
    });

    test(`everything gives ${kind} progress, resources, prompts and completion`, async () => {
      for (const id of ["everything", "everything-http"]) {
        const session = await connect(kind, stack, { url: `${stack.base}/mcp/${id}` });
        try {
          const { client } = session;
          const heard = [];
          const more = [...(kind === "sdk v1" ? [undefined] : []), { onprogress: ({ progress }) => heard.push(progress) }];
          const result = await client.callTool({ name: "trigger-long-running-operation", arguments: { duration: 0.4, steps: 4 } }, ...more);
          assert.match(said(result), /completed/);
          assert.deepEqual(heard, [1, 2, 3, 4], `${id}: all of it before the result`);
          const { resources } = await client.listResources();
          assert.ok((await client.readResource({ uri: resources[0].uri })).contents.length > 0);
          const { prompts } = await client.listPrompts();
          assert.ok((await client.getPrompt({ name: prompts.find((one) => !one.arguments?.length).name })).messages.length > 0);
          const with_city = prompts.find((one) => one.name === "completable-prompt");
          if (with_city) {
            const { completion } = await client.complete({ ref: { type: "ref/prompt", name: with_city.name }, argument: { name: with_city.arguments[0].name, value: "" } });
            assert.ok(completion.values.length > 0);
          }
        } finally {
          await session.close();
        }
      }
    });
  }

  test("share one child among all callers", () => {
    assert.equal(processes("thinking").length, 1);
  });

  test("the folder of filesystem is all it gives", async () => {
    const outside = await proxy("filesystem", "read_text_file", { path: "/etc/hostname" });
    assert.equal(outside.isError, true);
    assert.match(outside.content[0].text, /denied|outside/i);
  });
});

describe("programs that fetch others", () => {
  test("npx starts a server, and nothing of it is left when it is switched off", { skip: !found("npx") && "there is no npx" }, async () => {
    await serve(stack, "by-npx", { command: "npx", args: ["--offline", "--no", "--prefix", here, "mcp-server-everything", "stdio", tag("by-npx")] });
    assert.equal(await ask("by-npx", "echo", { message: "npx" }), "Echo: npx");
    const family = () => [...processes("by-npx"), ...wrappers("by-npx")];
    assert.ok(family().length > 1, "npx and what it started");
    await rest(stack, "PATCH", "/mcps/by-npx", { status: "inactive" });
    await until("its processes are gone", () => family().length === 0);
  });

  test("uvx starts a server", { skip: !found("uvx") && "there is no uvx" }, async () => {
    await serve(stack, "by-uvx", { command: "uvx", args: ["mcp-server-time"] }, { tool: "get_current_time", args: { timezone: "UTC" } });
    assert.match(await ask("by-uvx", "get_current_time", { timezone: "UTC" }), /UTC/);
  });

  test("one that is not allowed is named when it is registered, and never started", async () => {
    const made = await rest(stack, "POST", "/mcps", registration("shell", { command: "/bin/sh", args: ["-c", "echo not-allowed"] }));
    assert.match(made.json.warnings[0], /'\/bin\/sh'.*MAL_STDIO_ALLOW/);
    const refused = await until("it is known", async () => {
      const error = failure(await proxy("shell", "echo"));
      return error.status !== "NOT_FOUND" && error;
    });
    assert.match(refused.text, /'shell'[^]*MAL_STDIO_ALLOW/);
  });
});

describe("a child", () => {
  before(() => serve(stack, "hand", byHand("hand")));

  test("is started with what belongs to it and sees nothing else of the hub", async () => {
    await serve(stack, "alone", byHand("alone"), { env_vars: { OWN: "mine", GIVEN: "${env:E2E_ALLOWED}" } });
    const seen = await facts("alone");
    assert.deepEqual(Object.keys(seen.env).filter((name) => name !== "PWD").sort(), ["GIVEN", "HOME", "LANG", "OWN", "PATH"]);
    assert.deepEqual([seen.env.OWN, seen.env.GIVEN], ["mine", "from the operator"]);
    assert.equal(seen.env.HOME, seen.cwd);
    assert.equal(seen.no_new_privs, "1");
    assert.match(seen.capabilities, /^0+$/);
    assert.notEqual(seen.uid, 0);
    assert.equal(seen.limits["core file size"], "0");
    assert.ok(Number(seen.limits["open files"]) <= 4096);
    assert.ok(Number(seen.limits["file size"]) <= 8 * 2 ** 30);
    const opened = seen.fds.filter(([fd]) => fd > 2).map(([, link]) => link);
    assert.deepEqual(opened.filter((link) => !/^(anon_inode:|pipe:|\/proc\/|\/dev\/null|$)/.test(link)), [], "descriptors of somebody else");
    const runners = descriptors(stack.pid("mcp-runner"));
    assert.deepEqual(opened.filter((link) => link.startsWith("pipe:") && runners.includes(link)), [], "pipes of the runner");
  });

  test("leads a process group of its own", () => {
    const pids = [...processes("alone"), ...wrappers("alone")];
    assert.ok(pids.length > 0);
    const groups = new Set(pids.map(group));
    assert.equal(groups.size, 1);
    assert.ok(pids.includes([...groups][0]), "led by one of them");
  });

  test("has namespaces of its own where the kernel allows", async (t) => {
    const { namespaces, processes: there } = await facts("alone");
    if (!wrappers("alone").length) return t.skip("bubblewrap does not work here");
    for (const [name, link] of Object.entries(namespaces)) assert.notEqual(link, readlinkSync(`/proc/self/ns/${name}`), name);
    assert.ok(there <= 4, `it sees ${there} processes`);
  });

  test("whose first start fails is started again within the call", async () => {
    await serve(stack, "late", byHand("late", "fail-first", "started-once"));
    assert.equal(await ask("late", "echo", { message: "on" }), "Echo: on");
  });

  test("that dies fails the calls it had, by name, and the next call works", async () => {
    const first = await ask("hand", "born");
    const waiting = proxy("hand", "silent");
    await until("it waits", async () => (await ask("hand", "running")) === "1");
    const lost = await fails("hand", "crash");
    assert.deepEqual([lost.status, lost.reason], ["UNAVAILABLE", "MCP_LOST"]);
    assert.equal(failure(await waiting).reason, "MCP_LOST");
    assert.notEqual(await ask("hand", "born"), first);
  });

  test("that dies again and again is started ever more rarely, and others are served", async () => {
    await serve(stack, "crashing", byHand("crashing"));
    const starts = await stack.metric("mcp-runner", "mal_runner_starts");
    const reasons = new Set();
    for (const end = Date.now() + 5000; Date.now() < end;) {
      const error = await fails("crashing", "crash");
      reasons.add(error.reason);
      assert.equal(await ask("hand", "echo", { message: "other" }), "Echo: other");
    }
    const grown = (await stack.metric("mcp-runner", "mal_runner_starts")) - starts;
    assert.ok(grown >= 2 && grown <= 8, `${grown} starts in 5 s`);
    assert.ok(reasons.size > 1, [...reasons].join());
    await until("it works again", async () => !(await proxy("crashing", "echo", { message: "x" })).isError, { deadline: 30_000, every: 200 });
  });

  test("hears that a session cancelled its call, and answers others", async () => {
    const client = await Legacy.open(stack, "2025-11-25", { url: `${stack.base}/mcp/hand` });
    const heard = JSON.parse(await ask("hand", "cancelled")).length;
    const call = begin(client.url, { headers: client.headers(), body: JSON.stringify({ jsonrpc: "2.0", id: 77, method: "tools/call", params: { name: "slow", arguments: { ms: 60_000 } } }) });
    await until("the call runs", async () => (await ask("hand", "running")) === "1");
    await client.notify("notifications/cancelled", { requestId: 77 });
    await until("the child hears it", async () => JSON.parse(await ask("hand", "cancelled")).length === heard + 1);
    assert.equal(await ask("hand", "running"), "0");
    call.destroy();
    await client.end();
  });

  test("has an answer to what it asked in a call that was cancelled", async () => {
    const client = await Legacy.open(stack, "2025-11-25", { url: `${stack.base}/mcp/hand`, capabilities: { roots: {} } });
    const stream = await client.open("tools/call", { name: "asks", arguments: { method: "roots/list" } });
    const question = await stream.next();
    await client.notify("notifications/cancelled", { requestId: client.id });
    assert.deepEqual((await stream.next()).params, { requestId: question.id });
    await until("it has one", async () => /-32603/.test(await ask("hand", "last_answer")));
    stream.close();
  });

  test("hears that a modern caller left", async () => {
    const heard = JSON.parse(await ask("hand", "cancelled")).length;
    const modern = new Modern(stack, { url: `${stack.base}/mcp/hand` });
    const params = { name: "slow", arguments: { ms: 60_000 } };
    const call = begin(modern.url, { headers: modern.headers("tools/call", params), body: JSON.stringify(modern.message("tools/call", params)) });
    await until("the call runs", async () => (await ask("hand", "running")) === "1");
    call.destroy();
    await until("the child hears it", async () => JSON.parse(await ask("hand", "cancelled")).length === heard + 1);
  });

  test("has the time that the policy gives a tool, and then hears that nobody waits", async () => {
    await serve(stack, "timed", byHand("timed"), { policy: { tool_timeouts: { slow: "300" } } });
    const late = await until("the policy has come to the gateway", async () => {
      const result = await proxy("timed", "slow", { ms: 2000 });
      return result.isError && failure(result);
    });
    assert.deepEqual([late.status, late.reason], ["DEADLINE_EXCEEDED", "MCP_TIMEOUT"], late.text);
    assert.match(late.text, /'timed'/);
    await until("the child hears it", async () => JSON.parse(await ask("timed", "cancelled")).length === 1);
    assert.equal(await ask("timed", "echo", { message: "on" }), "Echo: on");
  });

  test("has no more calls at once than the policy says", async () => {
    await serve(stack, "narrow", byHand("narrow"), { policy: { max_inflight: 2 } });
    const refused = await until("the policy has come to the runner", async () => {
      const results = await Promise.all(Array.from({ length: 6 }, () => proxy("narrow", "slow", { ms: 800 })));
      const failed = results.filter(({ isError }) => isError).map(failure);
      return failed.length === 4 && failed;
    });
    for (const one of refused) assert.deepEqual([one.status, one.reason], ["RESOURCE_EXHAUSTED", "MCP_BUSY"]);
  });

  test("that nobody needs is stopped, and started again when somebody does", async () => {
    await serve(stack, "drowsy", byHand("drowsy"), { policy: { idle_stop_s: 1 } });
    const first = await ask("drowsy", "born");
    await until("it is stopped", () => processes("drowsy").length === 0);
    assert.notEqual(await ask("drowsy", "born"), first);
  });

  test("belongs to one caller each when the policy says so", async () => {
    await serve(stack, "apart", byHand("apart"), { policy: { per_caller: true } });
    const { secret: key } = JSON.parse((await stack.mal("keys", "add", "ben", "--scopes", "all", "--json")).stdout);
    const ben = new Modern(stack, { key });
    const born = async (who) => said(await who.result("tools/call", { name: "mal_proxy_mcp_call", arguments: { mcp_id: "apart", tool_name: "born" } }));
    const [his, ours] = await until("key and policy have come to the gateway", async () => {
      const both = [await born(ben), await born(hub)];
      return both[0] !== both[1] && both;
    });
    assert.deepEqual([await born(ben), await born(hub)], [his, ours]);
  });

  for (const version of ["2025-11-25", "2025-06-18"]) test(`hears how far its caller of ${version} is with the answer to a question`, async () => {
    const client = await Legacy.open(stack, version, { url: `${stack.base}/mcp/hand`, capabilities: { roots: {} } });
    const stream = await client.open("tools/call", { name: "asks", arguments: { method: "roots/list" } });
    const { id, params } = await stream.next();
    for (const progress of [1, 2]) await client.notify("notifications/progress", { progressToken: params._meta.progressToken, progress });
    await client.send({ jsonrpc: "2.0", id, result: { roots: [] } });
    assert.equal(said((await stream.next()).result), '[1,2,{"roots":[]}]');
  });

  test("asks the newest of several calls when all are of one session, and else nobody", async () => {
    await serve(stack, "curious", byHand("curious"), { policy: { per_caller: true } });
    const open = () => Legacy.open(stack, "2025-11-25", { url: `${stack.base}/mcp/curious`, capabilities: { elicitation: {} } });
    const [client, other] = await Promise.all([open(), open()]);
    const born = async (who) => said(await who.result("tools/call", { name: "born", arguments: {} }));
    await until("the policy has come to the gateway", async () => await born(client) !== await ask("curious", "born"));
    assert.equal(await born(other), await born(client));
    const slow = await client.open("tools/call", { name: "slow", arguments: { ms: 60_000 } });
    await until("it runs", async () => said(await client.result("tools/call", { name: "running", arguments: {} })) === "1");
    const asks = { name: "asks", arguments: { method: "elicitation/create" } };
    const stream = await client.open("tools/call", asks);
    const { id, method } = await stream.next();
    assert.equal(method, "elicitation/create");
    await client.send({ jsonrpc: "2.0", id, result: { action: "decline" } });
    assert.equal(said((await stream.next()).result), '[{"action":"decline"}]');
    assert.match(said(await other.result("tools/call", asks)), /-32601.*nobody can be asked/);
    slow.close();
    await client.end();
  });

  test("asks about the task that its caller made of a question, as far as that declared tasks", async () => {
    const client = await Legacy.open(stack, "2025-11-25", { url: `${stack.base}/mcp/hand`, capabilities: { elicitation: {}, tasks: { list: {}, requests: { elicitation: { create: {} } } } } });
    for (const method of ["elicitation/create", "tasks/get", "tasks/result", "tasks/list"]) {
      const stream = await client.open("tools/call", { name: "asks", arguments: { method, params: { taskId: "t", task: { ttl: 60_000 } } } });
      const question = await stream.next();
      assert.deepEqual([question.method, question.params.taskId, question.params.task], [method, "t", { ttl: 60_000 }]);
      await client.send({ jsonrpc: "2.0", id: question.id, result: { task: { taskId: "t" } } });
      assert.equal(said((await stream.next()).result), '[{"task":{"taskId":"t"}}]');
    }
    const refused = await client.result("tools/call", { name: "asks", arguments: { method: "tasks/cancel", params: { taskId: "t" } } });
    assert.match(said(refused), /-32601/);
  });

  test("of one caller brings what it says outside of calls to the streams of that caller only", async () => {
    await serve(stack, "teller", byHand("teller"), { policy: { per_caller: true } });
    const { secret: key } = JSON.parse((await stack.mal("keys", "add", "cem", "--scopes", "all", "--json")).stdout);
    const url = `${stack.base}/mcp/teller`;
    await until("the key works", async () => (await new Modern(stack, { key }).post("tools/list")).status === 200);
    const [hers, his] = await Promise.all([Legacy.open(stack, "2025-11-25", { url }), Legacy.open(stack, "2025-11-25", { url, key })]);
    const born = (who) => who.result("tools/call", { name: "born", arguments: {} });
    await until("the policy has come to the gateway", async () => said(await born(hers)) !== said(await born(his)));
    const streams = await Promise.all([hers.stream(), his.stream()]);
    await Promise.all([hers, his].map((who) => who.result("logging/setLevel", { level: "warning" })));
    const log = (level, data) => ({ method: "notifications/message", params: { level, data } });
    const status = { method: "notifications/tasks/status", params: { taskId: "t", status: "working", createdAt: "2025-11-25T10:30:00Z", lastUpdatedAt: "2025-11-25T10:30:00Z", ttl: null } };
    await hers.result("tools/call", { name: "says", arguments: { notes: [log("error", "hers"), log("info", "too low"), status] } });
    await his.result("tools/call", { name: "says", arguments: { notes: [log("error", "his")] } });
    /** The next that is no word of the hub's own: its tools may become known only now. */
    const next = async (stream) => {
      for (;;) {
        const note = await stream.next();
        if (!note.method.endsWith("/list_changed")) return note;
      }
    };
    assert.deepEqual((await next(streams[0])).params, { level: "error", data: "hers" });
    assert.deepEqual(await next(streams[0]), { jsonrpc: "2.0", ...status });
    assert.deepEqual((await next(streams[1])).params, { level: "error", data: "his" });
    streams.forEach((stream) => stream.close());
    // Another child of hers has the level of the one that died.
    assert.equal(said(await hers.result("tools/call", { name: "levels", arguments: {} })), '["warning"]');
    assert.ok((await hers.result("tools/call", { name: "crash", arguments: {} })).isError);
    await until("there is another", async () => {
      const { message } = await hers.post("tools/call", { name: "levels", arguments: {} });
      return message.result && !message.result.isError && said(message.result) === '["warning"]';
    });
  });

  test("that ignores TERM is killed with all that it started", async () => {
    await serve(stack, "stubborn", byHand("stubborn", "stubborn"), { tool: "family", args: {} });
    const family = () => [...processes("stubborn"), ...wrappers("stubborn")];
    await until("a grandchild and its child run", () => processes("stubborn").length >= 3);
    await rest(stack, "DELETE", "/mcps/stubborn");
    await until("nothing of it is left", () => family().length === 0, { deadline: 15_000 });
  });
});

describe("a hostile child", () => {
  let pid;
  before(async () => {
    await Promise.all([serve(stack, "wild", byHand("wild")), serve(stack, "calm", byHand("calm"))]);
    pid = stack.pid("mcp-runner");
  });
  const calm = async () => assert.equal(await ask("calm", "echo", { message: "calm" }), "Echo: calm");

  test("that prints rubbish is heard all the same", async () => {
    assert.equal(await ask("wild", "rubbish"), "after it");
    await calm();
  });

  test("that floods its own call fails no more than that", async () => {
    const flood = proxy("wild", "flood", { n: 50_000 });
    await calm();
    const result = await flood;
    if (result.isError) assert.equal(failure(result).reason, "MCP_TOO_LARGE");
    await until("it answers again", () => ask("wild", "echo", { message: "x" }, { timeout_ms: 1000 })); // an answer may stand in the midst of its noise
  });

  test("that floods stderr is not waited for", async () => {
    assert.equal(await ask("wild", "stderr", { n: 20_000 }), "printed");
  });

  test("that tells of changes without end costs the others nothing", async () => {
    assert.equal(await ask("wild", "changes", { n: 20_000 }), "told");
    await calm();
  });

  test("that writes a line of 100 MB fails that call with a reason", async () => {
    const before_it = residentKib(pid);
    const long = await fails("wild", "line", { mib: 100 });
    assert.deepEqual([long.status, long.reason], ["RESOURCE_EXHAUSTED", "MCP_TOO_LARGE"]);
    await calm();
    assert.ok(residentKib(pid) - before_it < 64 * 1024, "the runner does not keep it");
    await until("it answers again", () => ask("wild", "echo", { message: "x" }, { timeout_ms: 1000 })); // an answer may stand in the midst of its noise
  });

  test("whose answer is too large fails that call with a reason", async () => {
    const big = await fails("wild", "big", { mib: 20 });
    assert.deepEqual([big.status, big.reason], ["RESOURCE_EXHAUSTED", "MCP_TOO_LARGE"]);
    assert.equal(await ask("wild", "echo", { message: "x" }), "Echo: x");
  });

  test("that never answers is waited for no longer than the call says", async () => {
    const silent = await fails("wild", "silent", {}, { timeout_ms: 1000 });
    assert.deepEqual([silent.status, silent.reason], ["DEADLINE_EXCEEDED", "MCP_TIMEOUT"]);
    await calm();
  });

  test("that closes its output is lost, and started anew", async () => {
    const first = await ask("wild", "born");
    const deaf = await fails("wild", "deaf");
    assert.deepEqual([deaf.status, deaf.reason], ["UNAVAILABLE", "MCP_LOST"]);
    await until("a new one answers", async () => (await ask("wild", "born")) !== first);
    await calm();
  });

  test("that answers nothing any more, not even a check, is started anew", async () => {
    const first = await ask("wild", "born");
    assert.equal((await fails("wild", "mute", {}, { timeout_ms: 1000 })).reason, "MCP_TIMEOUT");
    const checks = []; // two in a row end it; the hub's own checks count as well
    await until("a new one answers", async () => {
      checks.push((await hub.ok("mal_health_check", { mcp_id: "wild" })).mcps[0].ok);
      const result = await proxy("wild", "born", {}, { timeout_ms: 1000 });
      return !result.isError && said(result) !== first;
    }, { deadline: 30_000, every: 200 });
    assert.equal(checks[0], false);
    await calm();
  });

  test("took no runner with it", () => assert.equal(stack.pid("mcp-runner"), pid));
});

describe("how calls went", () => {
  test("is told to mcp-health before the next probe finds it out, and a server that starts again recovers", async () => {
    const file = join(dir, "there.mjs");
    copyFileSync(byHand("").args[0], file);
    await serve(stack, "sometimes", { command: node, args: [file, tag("sometimes")] }, { policy: { idle_stop_s: 1 } });
    await until("it is stopped", () => processes("sometimes").length === 0);
    rmSync(file);
    const refused = await until("its status is error", async () => {
      const error = await fails("sometimes", "echo", { message: "x" });
      return error.reason === "MCP_ERROR" && error;
    }, { deadline: 10_000 });
    assert.match(refused.text, /mal_health_check/);
    copyFileSync(byHand("").args[0], file);
    await until("it is active", async () => !(await proxy("sometimes", "echo", { message: "x" })).isError, { deadline: 40_000, every: 200 });
  });
});
