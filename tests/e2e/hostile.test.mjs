// Servers that are slow, dead, flood or talk rubbish harm their own calls only: each fails with a reason
// that names its server, while calls of others go on as before, in bounded memory.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { register, serve } from "./downstream.mjs";
import { Legacy, Modern } from "./mcp.mjs";
import { rawServer } from "./raw-server.mjs";
import { useStack } from "./stack.mjs";
import { stopwatch, until } from "./wait.mjs";

const WAIT_MS = 2000;
/** What the server does, and what its caller is told. */
const KINDS = {
  slow_head: "MCP_TIMEOUT", slow_body: "MCP_TIMEOUT", black_hole: "MCP_TIMEOUT", comments: "MCP_TIMEOUT",
  reset: "MCP_LOST", flood: "MCP_TOO_LARGE", huge: "MCP_TOO_LARGE", huge_length: "MCP_TOO_LARGE", huge_head: "MCP_PROTOCOL",
  values: "MCP_TOO_LARGE", deep: "MCP_PROTOCOL", rubbish: "MCP_PROTOCOL", no_http: "MCP_PROTOCOL", wrong_id: "MCP_PROTOCOL", html: "MCP_PROTOCOL",
  gzip: "MCP_PROTOCOL", redirect: "MCP_PROTOCOL", failing: "MCP_REFUSED",
};
const id = (kind) => `bad-${kind.replaceAll("_", "-")}`;

let hub;
let good;
let trap;
let bad;
const stack = useStack({ before, after }, { args: ["--no-starter"], env: { MAL_HTTP_WORKERS: "32" } }, async () => {
  hub = new Modern(stack);
  [good, trap] = await Promise.all([rawServer(), rawServer()]);
  bad = spawn(process.execPath, [join(import.meta.dirname, "hostile-server.mjs"), trap.url], { stdio: ["ignore", "pipe", "inherit"] });
  bad.unref();
  process.once("exit", () => bad.kill());
  bad.url = await new Promise((resolve) => { bad.stdout.once("data", (text) => resolve(String(text).trim())); });
  await Promise.all([serve(stack, "good", good.url), ...Object.keys(KINDS).map((kind) => register(stack, id(kind), bad.url))]);
});
after(() => {
  bad?.kill();
  return Promise.all([good?.close(), trap?.close()]);
});

const call = (mcp_id, tool_name, more = {}) => hub.result("tools/call", { name: "mal_proxy_mcp_call", arguments: { mcp_id, tool_name, arguments: { text: "x" }, ...more } });
const failure = (result) => ({ ...result._meta?.["mal.hub/error"], text: result.content[0].text });
const peakKib = () => Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${stack.pid("gateway")}/status`, "latin1"))[1]);

/** Calls the good server one after the other while work runs: how long each took, in order of length. */
async function beside(work) {
  const times = [];
  let running = true;
  const loop = (async () => {
    while (running) {
      const took = stopwatch();
      const result = await call("good", "echo");
      assert.ok(!result.isError, result.content[0].text);
      times.push(took());
    }
  })();
  await work().finally(() => (running = false));
  await loop;
  return times.sort((a, b) => a - b);
}

describe("servers that misbehave", () => {
  const told = {};
  let times;
  let grown;
  before(async () => {
    const before = peakKib();
    times = await beside(() => Promise.all(Object.keys(KINDS).map(async (kind) => {
      const began = Date.now();
      const error = failure(await call(id(kind), kind, { timeout_ms: KINDS[kind] === "MCP_TIMEOUT" ? WAIT_MS : 30_000 }));
      told[kind] = { ...error, ms: Date.now() - began };
    })));
    grown = peakKib() - before;
  }, { timeout: 60_000 });

  for (const [kind, reason] of Object.entries(KINDS))
    test(`${kind}: fails its own call with ${reason}, naming its server`, () => {
      assert.equal(told[kind].reason, reason, told[kind].text);
      assert.match(told[kind].text, new RegExp(`'${id(kind)}'`));
    });

  test("leave the calls of others as they are", () => {
    const p99 = times[Math.floor(times.length * 0.99)];
    assert.ok(times.length > 10, `${times.length} calls meanwhile`);
    assert.ok(p99 < WAIT_MS, `p99 of the others: ${p99} ms, so they waited for those that time out`);
  });

  test("take bounded memory", () => assert.ok(grown < 96 * 1024, `${grown} KiB more at the most`));

  test("cannot send the hub elsewhere", () => assert.deepEqual(trap.seen, []));
});

describe("servers that hang", () => {
  test("leave room for those that answer, however many they are", async () => {
    const names = ["hang-a", "hang-b", "hang-c", "hang-d", "hang-e"];
    await Promise.all(names.map((name) => register(stack, name, bad.url)));
    const hanging = names.flatMap((name) => Array.from({ length: 14 }, () => call(name, "hang", { timeout_ms: 12_000 })));
    let over = false;
    const all = Promise.all(hanging).then((results) => {
      over = true;
      return results;
    });
    await until("what finds no place is refused", async () => {
      const busy = await stack.metric("gateway", "mal_gateway_downstream_calls_total", 'outcome="busy"');
      return busy + (await stack.metric("gateway", "mal_gateway_downstream_running")) >= hanging.length;
    });
    for (let i = 0; i < 8; i++) {
      assert.ok(!(await call("good", "echo")).isError);
      assert.ok(!(await hub.result("tools/call", { name: "mal_list_skills", arguments: {} })).isError);
    }
    assert.ok(!over, "they still hang");
    const reasons = (await all).map((result) => failure(result).reason);
    assert.ok(reasons.every((reason) => ["MCP_TIMEOUT", "MCP_BUSY", "MCP_CIRCUIT_OPEN", "MCP_ERROR"].includes(reason)), [...new Set(reasons)].join());
    assert.ok(reasons.includes("MCP_BUSY"));
  });
});

describe("lists of servers", () => {
  const item = (n) => ({ name: `tool-${n}`, inputSchema: { type: "object" } });

  test("are drained page by page, and served in pages of the hub's own", async () => {
    const server = await rawServer({}, { list: ({ cursor = "0" }) => ({ tools: [item(2 * cursor), item(2 * cursor + 1)], ...(cursor < 9 && { nextCursor: String(Number(cursor) + 1) }) }) });
    await register(stack, "paged", server.url);
    const client = await until("it is served", () => Legacy.open(stack, "2025-11-25", { url: `${stack.url}/paged` }));
    const names = await until("all are there", async () => {
      const { tools } = await client.result("tools/list", {});
      return tools.length === 20 && tools.map(({ name }) => name);
    });
    assert.deepEqual(names, Array.from({ length: 20 }, (_, n) => `tool-${n}`));
    await server.close();
  });

  for (const [kind, words, list] of [
    ["go in circles", /circle/, ({ cursor }) => ({ tools: [item(cursor ?? "a")], nextCursor: cursor === "b" ? "c" : "b" })],
    ["never end", /pages/, ({ cursor = "0" }) => ({ tools: [item(cursor)], nextCursor: String(Number(cursor) + 1) })],
    ["hold 100 MB", /bytes/, () => ({ tools: Array.from({ length: 100 }, (_, n) => ({ ...item(n), description: "x".repeat(1 << 20) })) })],
  ])
    test(`that ${kind} are given up, with words for the operator`, async () => {
      const server = await rawServer({}, { list });
      const name = `list-${kind.replaceAll(" ", "-").toLowerCase()}`;
      await assert.rejects(register(stack, name, server.url, {}, 3000));
      const pages = server.seen.filter(({ message }) => message?.method === "tools/list").length;
      assert.ok(pages > 0 && pages < 1000, `${pages} pages`);
      const error = await until("it is told", async () => {
        const result = failure(await call(name, "a"));
        return result.reason === "MCP_ERROR" && result;
      });
      assert.match(error.text, words);
      assert.ok(!(await call("good", "echo")).isError);
      await server.close();
    });
});
