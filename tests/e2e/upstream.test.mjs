// How the hub treats servers over HTTP: what it tells them, how often it asks, and when it stops.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { serve } from "./downstream.mjs";
import { request } from "./http.mjs";
import { Legacy, Modern } from "./mcp.mjs";
import { rawServer } from "./raw-server.mjs";
import { useStack } from "./stack.mjs";
import { until } from "./wait.mjs";

const hang = ({ res }) => res.writeHead(200, { "Content-Type": "text/event-stream" }).write(": wait\n\n");
const drop = ({ req }) => req.socket.destroy();

let hub;
let raw;
const stack = useStack({ before, after }, { env: { MAL_BREAKER_PAUSE_MS: "8000" } }, async () => {
  hub = new Modern(stack);
  raw = await rawServer({ drop: { run: drop }, hang: { run: hang } });
  await serve(stack, "raw", raw.url, { headers: { "X-Fixed": "of-the-server" } });
});
after(() => raw?.close());

const json = { "Content-Type": "application/json" };
const call = (mcp_id, tool_name, args = {}, more = {}) => hub.result("tools/call", {
  name: "mal_proxy_mcp_call",
  arguments: { mcp_id, tool_name, arguments: args, ...more },
});
const failure = (result) => ({ ...result._meta?.["mal.hub/error"], text: result.content[0].text });
const at = (id) => ({ url: `${stack.base}/mcp/${id}` });

let probes = 0;

/** Sets a server's policy and waits until the gateway knows it: with it comes one more header that is passed on. */
async function policy(id, server, { forward_headers = [], ...fields }) {
  const probe = `x-probe-${++probes}`;
  const answer = await request(`${stack.base}/api/v1/mcps/${id}/policy`, {
    method: "PATCH", headers: { "x-api-key": stack.key, ...json }, body: JSON.stringify({ ...fields, forward_headers: [...forward_headers, probe] }),
  });
  assert.equal(answer.status, 200, answer.text);
  await until("the policy is known", async () => {
    await hub.result("tools/call", { name: "mal_proxy_mcp_call", arguments: { mcp_id: id, tool_name: "echo", arguments: { text: "x" } } }, { headers: { [probe]: "1" } });
    return server.calls("echo").at(-1)?.headers[probe] === "1";
  }, { deadline: 30_000 });
}

describe("headers of callers", () => {
  const sent = {
    "X-Tenant": "blue", "X-Other": "red", Cookie: "session=1", traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "X-Fixed": "of-the-caller", "Proxy-Authorization": "Basic eDp5", "X-Hop": "1", Forwarded: "for=1.2.3.4", "User-Agent": "caller/1",
    "Accept-Language": "de",
  };
  const allowed = new Set(["host", "user-agent", "x-fixed", "content-type", "accept", "content-length", "mcp-session-id", "mcp-protocol-version", "mcp-method", "x-tenant"]);

  test("none goes on but those of the server's allow list, on no request of a whole session", async () => {
    await policy("raw", raw, { forward_headers: ["X-Tenant", "X-Hop", "X-Key", "X-Fixed"] });
    raw.seen.length = 0;
    const extra = { ...sent, "X-Hop": "1", "X-Key": `key ${stack.key}`, Connection: "keep-alive, X-Hop" };
    const proxied = { name: "mal_proxy_mcp_call", arguments: { mcp_id: "raw", tool_name: "echo", arguments: { text: "a" } } };
    await hub.result("tools/call", proxied, { headers: extra });
    await request(`${stack.base}/api/v1/mcps/raw/call`, { method: "POST", headers: { Authorization: `Bearer ${stack.key}`, ...json, ...extra }, body: JSON.stringify({ tool_name: "echo", arguments: {} }) });
    const mounted = await Legacy.open(stack, "2025-11-25", at("raw"));
    for (const headers of [extra, { ...extra, "X-Tenant": "green" }, {}])
      await mounted.send({ jsonrpc: "2.0", id: 7, method: "tools/call", params: { name: "echo", arguments: { text: "b" } } }, { headers });
    await new Modern(stack, at("raw")).result("tools/call", { name: "echo", arguments: { text: "c" } }, { headers: extra });
    assert.deepEqual(raw.calls("echo").map(({ headers }) => headers["x-tenant"]), ["blue", "blue", "blue", "green", undefined, "blue"]);
    assert.ok(raw.seen.some(({ message }) => message?.method === "initialize"));
    for (const { headers, method } of raw.seen) {
      for (const [name, value] of Object.entries(headers)) {
        assert.ok(allowed.has(name), `${method} has the header ${name}: ${value}`);
        assert.ok(!value.includes(stack.key), `${name} holds the caller's key`);
      }
      assert.equal(headers["x-fixed"], "of-the-server");
      assert.ok([undefined, "server/discover"].includes(headers["mcp-method"]));
      assert.equal(headers["user-agent"], "mal-hub");
    }
  });

  test("credentials cannot be put on the allow list", async () => {
    for (const name of ["Authorization", "x-api-key", "COOKIE", "Mcp-Session-Id", "Proxy-Authorization", "Transfer-Encoding"]) {
      const answer = await request(`${stack.base}/api/v1/mcps/raw/policy`, { method: "PATCH", headers: { "x-api-key": stack.key, ...json }, body: JSON.stringify({ forward_headers: [name] }) });
      assert.equal(answer.status, 400, `${name}: ${answer.text}`);
    }
  });
});

describe("a call whose answer was lost", () => {
  let server;
  before(async () => {
    const once = () => {
      let dropped = 0;
      return ({ req, reply }) => (dropped++ ? reply({ content: [{ type: "text", text: "second time" }] }) : req.socket.destroy());
    };
    server = await rawServer({
      plain: { run: drop },
      reads: { annotations: { readOnlyHint: true }, run: once() },
      idempotent: { annotations: { idempotentHint: true }, run: once() },
      declared: { run: once() },
      always: { annotations: { idempotentHint: true }, run: drop },
      mounted: { annotations: { idempotentHint: true }, run: once() },
      mountedplain: { run: drop },
    });
    await serve(stack, "lossy", server.url);
    await policy("lossy", server, { idempotent_tools: ["declared"] });
  });
  after(() => server?.close());

  /** One call, and then one that works, so that the server does not count as failing. */
  async function once(tool) {
    await until("it is served", async () => !(await call("lossy", "echo", { text: "x" })).isError, { deadline: 30_000 });
    const result = await call("lossy", tool);
    return { result, times: server.calls(tool).length };
  }

  test("is not repeated where it may have been carried out", async () => {
    const { result, times } = await once("plain");
    assert.deepEqual([failure(result).status, failure(result).reason, times], ["UNAVAILABLE", "MCP_LOST", 1]);
    assert.match(failure(result).text, /'lossy'/);
  });

  for (const [tool, why] of [["reads", "only reads"], ["idempotent", "says it is idempotent"], ["declared", "is declared idempotent by the policy"]])
    test(`is repeated once for a tool that ${why}`, async () => {
      const { result, times } = await once(tool);
      assert.deepEqual([result.content[0].text, times], ["second time", 2]);
    });

  test("is repeated no second time", async () => {
    const { result, times } = await once("always");
    assert.deepEqual([failure(result).reason, times], ["MCP_LOST", 2]);
  });

  test("is treated the same at the server's endpoint", async () => {
    await once("echo");
    const client = await Legacy.open(stack, "2025-11-25", at("lossy"));
    const good = (await client.post("tools/call", { name: "mounted", arguments: {} })).message;
    assert.deepEqual([good.result.content[0].text, server.calls("mounted").length], ["second time", 2]);
    const lost = (await client.post("tools/call", { name: "mountedplain", arguments: {} })).message;
    assert.deepEqual([lost.result._meta["mal.hub/error"].reason, server.calls("mountedplain").length], ["MCP_LOST", 1]);
  });
});

describe("a session that the server forgot", () => {
  for (const [way, run] of [
    ["mal_proxy_mcp_call", async () => (await call("raw", "echo", { text: "again" })).content[0].text],
    ["the endpoint", async () => (await new Modern(stack, at("raw")).result("tools/call", { name: "echo", arguments: { text: "again" } })).content[0].text],
  ])
    test(`is initialized anew once, and the call works, by ${way}`, async () => {
      await until("it is served", async () => !(await call("raw", "echo", { text: "x" })).isError, { deadline: 30_000 });
      await run();
      raw.sessions.clear();
      raw.seen.length = 0;
      assert.equal(await run(), "again");
      const methods = raw.seen.filter(({ message }) => message?.id !== undefined && message.method !== "ping").map(({ message }) => message.method);
      assert.equal(raw.calls("echo").length, 2, "refused once, then carried out");
      assert.equal(methods.filter((method) => method === "initialize").length, 1, methods.join());
    });
});

describe("time", () => {
  test("a tool has the time that its server's policy gives it", async () => {
    await policy("raw", raw, { call_timeout_ms: 20_000, tool_timeouts: { hang: "1000" } });
    const began = Date.now();
    const late = failure(await call("raw", "hang", {}));
    assert.deepEqual([late.status, late.reason], ["DEADLINE_EXCEEDED", "MCP_TIMEOUT"]);
    assert.match(late.text, /'raw'/);
    assert.ok(Date.now() - began < 20_000);
    const mounted = Date.now();
    const result = await new Modern(stack, at("raw")).result("tools/call", { name: "hang", arguments: {} });
    assert.equal(result._meta["mal.hub/error"].reason, "MCP_TIMEOUT");
    assert.ok(Date.now() - mounted < 20_000);
  });
});

describe("calls at once", () => {
  test("beyond what the policy allows are refused with the time to come again", async () => {
    await policy("raw", raw, { max_inflight: 1 });
    const calls = raw.calls("hang").length;
    const waiting = call("raw", "hang");
    await until("it runs", () => raw.calls("hang").length > calls);
    const answer = await request(`${stack.base}/api/v1/mcps/raw/call`, { method: "POST", headers: { "x-api-key": stack.key, ...json }, body: JSON.stringify({ tool_name: "echo", arguments: {} }) });
    assert.equal(answer.status, 429, answer.text);
    assert.equal(answer.json.error.reason, "MCP_BUSY");
    assert.match(answer.json.error.message, /'raw'/);
    assert.ok(Number(answer.headers["retry-after"]) >= 1);
    await waiting;
    assert.ok(await stack.metric("gateway", "mal_gateway_downstream_calls_total", 'server="raw",outcome="busy"') >= 1);
    await policy("raw", raw, { max_inflight: 16 });
  });
});

describe("a server that fails again and again", () => {
  test("is left alone for a while, tried once, and called again when it answers", async () => {
    let healthy = false;
    const server = await rawServer({ moody: { run: (one) => (healthy ? one.reply({ content: [] }) : hang(one)) } });
    await serve(stack, "moody", server.url);
    await policy("moody", server, { tool_timeouts: { moody: "1000" } });
    const open = await until("it is left alone", async () => {
      const error = failure(await call("moody", "moody"));
      return error.reason === "MCP_CIRCUIT_OPEN" && error;
    }, { deadline: 60_000 });
    assert.equal(open.status, "UNAVAILABLE");
    assert.match(open.text, /'moody'[^]*in a row/);
    assert.equal(await stack.metric("gateway", "mal_gateway_circuit_open", 'server="moody"'), 1);
    const before = server.calls("moody").length;
    for (let i = 0; i < 5; i++) assert.equal(failure(await call("moody", "moody")).reason, "MCP_CIRCUIT_OPEN");
    assert.equal(server.calls("moody").length, before, "nothing reaches it");
    assert.ok(!(await call("raw", "echo", { text: "x" })).isError, "others are called");
    healthy = true;
    await until("it is called again", async () => !(await call("moody", "moody")).isError, { deadline: 60_000 });
    assert.equal(await stack.metric("gateway", "mal_gateway_circuit_open", 'server="moody"'), 0);
    await server.close();
  });

  test("a caller that waits only briefly does not keep the others away from it", async () => {
    await policy("raw", raw, { tool_timeouts: { hang: "30000" } });
    for (let i = 0; i < 6; i++) assert.equal(failure(await call("raw", "hang", {}, { timeout_ms: 1000 })).reason, "MCP_TIMEOUT");
    assert.ok(!(await call("raw", "echo", { text: "x" })).isError);
  });
});
