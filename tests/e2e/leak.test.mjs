// Ten thousand client sessions come, use an HTTP and a stdio server, and end in every way there is:
// no child, no descriptor and no memory of them stays.
import assert from "node:assert/strict";
import http from "node:http";
import { after, before, test } from "node:test";
import { openStream, request } from "./http.mjs";
import { descriptors, residentKib, useStack } from "./stack.mjs";
import { byHand, everythingOverHttp, node, processes, serve, wrappers } from "./stdio.mjs";
import { until } from "./wait.mjs";

const SESSIONS = 10_000;
const WARM_UP = 3_000;
const AT_ONCE = 24;
const SESSION_MS = 3000; // of an abandoned one
// What allocator and pools may still spread out after the warm-up. 10,000 sessions that each left
// one kilobyte behind would be 10 MiB.
const GROWTH_KIB = { gateway: 4 * 1024, "mcp-runner": 2 * 1024, "mcp-health": 2 * 1024 };
// Against the time after the warm-up, when whatever a process opens once in its life is open; pools
// keep a few connections to servers and bus for a while.
const SPARE_FDS = 8;

let everything;
const stack = useStack({ before, after }, {
  args: ["--no-starter"],
  env: { MAL_STDIO_ALLOW: node, MAL_RATE_LIMIT: "0", MAL_SESSION_TIMEOUT_MS: String(SESSION_MS), MAL_MAX_SESSIONS: "20000", MAL_PROXY_MAX_INFLIGHT: "256" },
}, async () => {
  everything = await everythingOverHttp();
  await serve(stack, "program", byHand("program"));
  await serve(stack, "http", {}, { transport: "streamable-http", endpoint_url: everything.url });
  await serve(stack, "apart", byHand("apart"), { policy: { per_caller: true } });
});
after(() => everything?.close());

const agent = new http.Agent({ keepAlive: true, maxSockets: AT_ONCE });
const both = "application/json, text/event-stream";

/** A session by hand: 10,000 clients of an SDK would measure the SDK. */
class Session {
  constructor(path) {
    this.url = `${stack.base}${path}`;
    this.headers = { "Content-Type": "application/json", Accept: both, "x-api-key": stack.key };
    this.id = 0;
  }

  async post(method, params, id = ++this.id) {
    const answer = await request(this.url, { headers: this.headers, agent, body: JSON.stringify({ jsonrpc: "2.0", ...(id && { id }), method, ...(params && { params }) }) });
    if (answer.status !== (id ? 200 : 202)) throw new Error(`${method}: ${answer.status} ${answer.text}`);
    answer.message = answer.json ?? (answer.events.length ? JSON.parse(answer.events.at(-1).data) : undefined);
    return answer;
  }

  async open() {
    const answer = await this.post("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "leak", version: "1" } });
    this.headers["Mcp-Session-Id"] = answer.headers["mcp-session-id"];
    this.headers["MCP-Protocol-Version"] = "2025-11-25";
    await this.post("notifications/initialized", undefined, null);
  }

  async call(name, args, words) {
    const { message } = await this.post("tools/call", { name, arguments: args });
    const text = message.result?.content?.[0]?.text;
    if (message.result?.isError || !text?.includes(words)) throw new Error(`${name}: ${JSON.stringify(message).slice(0, 500)}`);
  }

  proxy(mcp_id, message) {
    return this.call("mal_proxy_mcp_call", { mcp_id, tool_name: "echo", arguments: { message } }, `Echo: ${message}`);
  }

  /** A call whose answer is not waited for: the connection is dropped. */
  leave() {
    return new Promise((done) => {
      const req = http.request(this.url, { method: "POST", headers: this.headers }, (res) => res.resume()).on("error", () => {});
      req.on("close", done);
      req.end(JSON.stringify({ jsonrpc: "2.0", id: ++this.id, method: "tools/call", params: { name: "mal_proxy_mcp_call", arguments: { mcp_id: "program", tool_name: "slow", arguments: { ms: 20 } } } }), () => setTimeout(() => req.destroy(), 5));
    });
  }

  /** A GET stream that is open for a moment. */
  async listen() {
    const stream = await openStream(this.url, { method: "GET", headers: { ...this.headers, "Content-Type": undefined, Accept: "text/event-stream" } });
    stream.close();
  }

  end() {
    return request(this.url, { method: "DELETE", headers: { ...this.headers, "Content-Type": undefined }, agent });
  }
}

/** One client: most end their session, every fourth abandons it, some leave in the middle of a call. */
async function live(i) {
  const session = new Session(["/mcp", "/mcp/program", "/mcp", "/mcp/http"][i % 4]);
  await session.open();
  if (i % 4 === 0 || i % 4 === 2) {
    await session.proxy("program", `p${i}`);
    await session.proxy("http", `h${i}`);
    if (i % 50 === 0) await session.proxy("apart", `a${i}`);
    if (i % 100 === 2) await session.leave();
  } else {
    await session.call("echo", { message: `m${i}` }, `Echo: m${i}`);
    if (i % 50 === 1) await session.listen();
  }
  if (i % 4 !== 2) await session.end();
}

async function crowd(n) {
  let next = 0;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (next < n) await live(next++);
  }));
}

const names = ["gateway", "mcp-runner", "mcp-health"];
const kids = () => ["program", "apart"].flatMap((name) => [...processes(name), ...wrappers(name)]).length;

/** Waits until nothing of the crowd runs any more. */
async function settle() {
  await until("abandoned sessions have ended", async () => (await stack.metric("gateway", "mal_gateway_sessions")) === 0, { deadline: SESSION_MS + 15_000, every: 100 });
  await until("no call runs", async () => (await stack.metric("mcp-runner", "mal_runner_exchanges")) === 0 && (await stack.metric("gateway", "mal_gateway_calls_in_flight")) === 0);
}

async function count() {
  await settle();
  agent.destroy();
  const fds = Object.fromEntries(names.map((name) => [name, descriptors(stack.pid(name)).length]));
  const rss = Object.fromEntries(names.map((name) => [name, residentKib(stack.pid(name))]));
  return { kids: kids(), fds, rss };
}

test(`${SESSIONS} sessions leave no child, no descriptor and no memory behind`, async (t) => {
  const idle = Object.fromEntries(names.map((name) => [name, descriptors(stack.pid(name)).length]));
  await crowd(WARM_UP);
  const first = await count();
  const started = Date.now();
  await crowd(SESSIONS);
  const took = Date.now() - started;
  let last = await count();
  // Connections end a moment after their clients.
  await until("descriptors are as before", () => names.every((name) => descriptors(stack.pid(name)).length <= first.fds[name] + SPARE_FDS)).catch(() => {});
  last = await count();
  t.diagnostic(JSON.stringify({ took, idle, first, last }));
  assert.equal(last.kids, first.kids, "children");
  for (const name of names) {
    assert.ok(last.fds[name] <= first.fds[name] + SPARE_FDS, `${name}: ${first.fds[name]} descriptors before, ${last.fds[name]} after`);
    assert.ok(last.rss[name] - first.rss[name] < GROWTH_KIB[name], `${name}: ${first.rss[name]} KiB before, ${last.rss[name]} after`);
  }
});
