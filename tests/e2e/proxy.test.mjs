// Downstream servers behind the hub: mal_proxy_mcp_call and /mcp/{server}.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { legacyServer, serve } from "./downstream.mjs";
import { request } from "./http.mjs";
import { Modern } from "./mcp.mjs";
import { useStack } from "./stack.mjs";
import { until } from "./wait.mjs";

let hub;
let legacy;
const stack = useStack({ before, after }, { env: { MAL_PROXY_MAX_INFLIGHT: "2", MAL_ENV_ALLOW: "HOME", MAL_SSE_KEEPALIVE_MS: "200" } }, async () => {
  hub = new Modern(stack);
  legacy = await legacyServer();
  await serve(stack, "old", legacy.url, { headers: { "X-Token": "of-the-server" } });
});
after(() => legacy?.close());

const call = (tool_name, args = {}, more = {}) => hub.result("tools/call", {
  name: "mal_proxy_mcp_call",
  arguments: { mcp_id: "old", tool_name, arguments: args, ...more },
});
const failure = (result) => ({ ...result._meta?.["mal.hub/error"], text: result.content[0].text });

describe("mal_proxy_mcp_call", () => {
  test("gives the tool's content as it is and says where it comes from", async () => {
    const result = await call("echo", { text: "Grüße \u{1f30d}" });
    assert.deepEqual(result.content, [{ type: "text", text: "Grüße \u{1f30d}" }]);
    assert.equal(result.isError, false);
    const { duration_ms, ...rest } = result.structuredContent;
    assert.deepEqual(rest, {
      mcp_id: "old", mcp_name: "Server old", tool_name: "echo", transport: "streamable-http", is_error: false,
      content: [{ type: "text", text: "Grüße \u{1f30d}" }],
    });
    assert.ok(duration_ms >= 0);
  });

  test("keeps isError of the tool, which the audit log counts as no success", async () => {
    const result = await call("fails");
    assert.deepEqual([result.isError, result.content[0].text], [true, "no luck"]);
    assert.equal(result._meta["mal.hub/error"], undefined);
    const audit = await until("the entry", async () => {
      const { structuredContent } = await hub.result("tools/call", { name: "mal_get_audit_log", arguments: { tool_name: "mal_proxy_mcp_call", limit: 5 } });
      return structuredContent.items.find((one) => one.success === false);
    });
    assert.equal(audit.resource_id, "old");
  });

  test("sends the server's headers and nothing of the caller's", async () => {
    legacy.headers.length = 0;
    await call("echo", { text: "x" });
    const last = legacy.headers.at(-1);
    assert.equal(last["x-token"], "of-the-server");
    assert.equal(last["x-api-key"], undefined);
    assert.equal(last.authorization, undefined);
  });

  test("names what it does not find", async () => {
    const server = failure(await hub.result("tools/call", { name: "mal_proxy_mcp_call", arguments: { mcp_id: "none", tool_name: "x" } }));
    assert.equal(server.status, "NOT_FOUND");
    assert.match(server.text, /'none'[^]*mal_list_mcps/);
    const tool = failure(await call("nothing"));
    assert.equal(tool.status, "NOT_FOUND");
    assert.match(tool.text, /'nothing'/);
  });

  test("stops waiting at timeout_ms and cancels that call only", async () => {
    const [slow, quick] = await Promise.all([call("slow", { ms: 20_000 }, { timeout_ms: 1000 }), call("echo", { text: "quick" })]);
    assert.equal(failure(slow).status, "DEADLINE_EXCEEDED", slow.content[0].text);
    assert.equal(failure(slow).reason, "MCP_TIMEOUT");
    assert.equal(quick.content[0].text, "quick");
    await until("the server hears of it", () => legacy.seen.includes("aborted"));
  });

  test("sends comments while it waits, to every caller, and to none that has its answer", async () => {
    const slow = (ms) => hub.post("tools/call", { name: "mal_proxy_mcp_call", arguments: { mcp_id: "old", tool_name: "slow", arguments: { ms } } });
    const comments = ({ text }) => text.split("\n").filter((line) => line.startsWith(":")).length;
    for (const answers of [await Promise.all([slow(900), slow(500)]), await Promise.all([slow(450), slow(1)])]) {
      const counts = answers.map(comments);
      for (const answer of answers) assert.equal(answer.message.result.content[0].text, "done");
      // Every 200 ms, which a busy machine may stretch but never shortens.
      assert.ok(counts[0] >= 1 && counts[0] <= 5, counts.join());
      assert.ok(counts[1] <= 3, counts.join());
    }
    assert.match((await slow(1)).headers["content-type"], /json/);
  });

  test("refuses more calls at once than the server may have", async () => {
    const results = await Promise.all(Array.from({ length: 5 }, () => call("slow", { ms: 500 })));
    const refused = results.filter(({ isError }) => isError).map(failure);
    assert.ok(refused.length >= 1 && refused.length <= 3, JSON.stringify(refused));
    for (const one of refused) assert.deepEqual([one.status, one.reason], ["RESOURCE_EXHAUSTED", "MCP_BUSY"]);
  });

  test("works over REST", async () => {
    const answer = await request(`${stack.base}/api/v1/mcps/old/call`, {
      method: "POST",
      headers: { "x-api-key": stack.key, "Content-Type": "application/json" },
      body: JSON.stringify({ tool_name: "echo", arguments: { text: "rest" } }),
    });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.json.content[0].text, "rest");
  });

  test("a server that is switched off is not called", async () => {
    const headers = { "x-api-key": stack.key, "Content-Type": "application/json" };
    const set = (status) => request(`${stack.base}/api/v1/mcps/old`, { method: "PATCH", headers, body: JSON.stringify({ status }) });
    await set("inactive");
    const refused = await until("it is off", async () => {
      const result = await call("echo", { text: "x" });
      return result.isError && failure(result);
    });
    assert.deepEqual([refused.status, refused.reason], ["FAILED_PRECONDITION", "MCP_INACTIVE"]);
    await set("active");
    await until("it is on", async () => !(await call("echo", { text: "x" })).isError, { deadline: 20_000 });
  });

  test("tools that were not exposed are refused, and the exposed ones named", async () => {
    await serve(stack, "part", legacy.url, { tools_exposed: ["echo"] });
    const refused = failure(await hub.result("tools/call", { name: "mal_proxy_mcp_call", arguments: { mcp_id: "part", tool_name: "slow" } }));
    assert.equal(refused.status, "PERMISSION_DENIED");
    assert.match(refused.text, /exposed tools: echo/);
  });

  test("a key that may not use the server does not see it", async () => {
    const { secret: key } = JSON.parse((await stack.mal("keys", "add", "elsewhere", "--scopes", "all", "--servers", "part", "--json")).stdout);
    const other = new Modern(stack, { key });
    const of = (mcp_id) => other.result("tools/call", { name: "mal_proxy_mcp_call", arguments: { mcp_id, tool_name: "echo", arguments: { text: "x" } } });
    await until("the key works", async () => (await request(`${stack.base}/api/v1/skills`, { method: "GET", headers: { "x-api-key": key } })).status === 200);
    assert.equal(failure(await of("old")).status, "NOT_FOUND");
    assert.equal((await of("part")).content[0].text, "x");
  });

  test("calls that fail tell of the server's health before the next probe does", async () => {
    await legacy.close();
    const refused = await until("its status is error", async () => {
      const result = failure(await call("echo", { text: "x" }));
      return result.reason === "MCP_ERROR" && result;
    }, { deadline: 10_000 });
    assert.match(refused.text, /mal_health_check/);
  });
});
