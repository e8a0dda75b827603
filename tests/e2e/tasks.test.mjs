// Tasks at /mcp/{server}: the extension passes between a modern caller and its server; an older caller
// gets the result of the task as that of its call.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { register } from "./downstream.mjs";
import { begin, request } from "./http.mjs";
import { Legacy, Modern } from "./mcp.mjs";
import { useStack } from "./stack.mjs";
import { until } from "./wait.mjs";

const TASKS = "io.modelcontextprotocol/tasks";
const server = { tasks: new Map(), heard: [] };
const stack = useStack({ before, after }, {}, async () => {
  server.http = createServer(answer);
  await new Promise((done) => { server.http.listen(0, "127.0.0.1", done); });
  await register(stack, "tasks", `http://127.0.0.1:${server.http.address().port}/mcp`);
  await until("it is served", async () => (await request(`${stack.base}/api/v1/mcps/tasks/call`, {
    method: "POST", headers: { "x-api-key": stack.key, "Content-Type": "application/json" },
    body: JSON.stringify({ tool_name: "now", arguments: {} }),
  })).status === 200, { deadline: 30_000 });
});
after(() => {
  server.http?.closeAllConnections();
  server.http?.close();
});

/** A server of 2026-07-28 by hand: every call of `build` becomes a task. */
async function answer(req, res) {
  const parts = [];
  for await (const part of req) parts.push(part);
  const { id, method, params } = JSON.parse(Buffer.concat(parts).toString() || "{}");
  server.heard.push({ method, params, headers: req.headers });
  const reply = (result) => res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id, result: { resultType: "complete", ...result } }));
  const refuse = (code, message, status = 200) => res.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id, error: { code, message } }));
  const hints = { ttlMs: 0, cacheScope: "private" };
  switch (method) {
    case "server/discover":
      return reply({ supportedVersions: ["2026-07-28"], capabilities: { tools: {}, extensions: { [TASKS]: {} } }, ...hints });
    case "tools/list":
      return reply({ tools: ["now", "build"].map((name) => ({ name, description: name, inputSchema: { type: "object" } })), ...hints });
    case "tools/call": {
      if (params.name === "now") return reply({ content: [{ type: "text", text: "now" }] });
      const task = { taskId: `tk/${server.tasks.size}ä`, status: "working", createdAt: "2026-11-20T08:00:00Z", lastUpdatedAt: "2026-11-20T08:00:00Z", ttlMs: 60000, pollIntervalMs: 60 };
      server.tasks.set(task.taskId, { task, looks: 0, how: params.arguments?.how });
      return reply({ resultType: "task", ...task });
    }
    case "tasks/get": {
      const known = server.tasks.get(params.taskId);
      if (!known) return refuse(-32602, "no such task");
      if (known.how === "never" || ++known.looks < 3) return reply(known.task);
      if (known.how === "fail") return reply({ ...known.task, status: "failed", error: { code: -32603, message: "the compiler died" } });
      if (known.how === "cancelled") return reply({ ...known.task, status: "cancelled" });
      return reply({ ...known.task, status: "completed", result: { content: [{ type: "text", text: "built" }], isError: known.how === "red" } });
    }
    case "tasks/update":
    case "tasks/cancel":
      return server.tasks.has(params.taskId) ? reply({}) : refuse(-32602, "no such task");
    default:
      return refuse(-32601, "no such method", 404);
  }
}

const at = () => ({ url: `${stack.base}/mcp/tasks` });
const last = (method) => server.heard.filter((one) => one.method === method).at(-1);
const named = (taskId) => ({ headers: { "Mcp-Name": `=?base64?${Buffer.from(taskId).toString("base64")}?=` } });

describe("a modern caller", () => {
  test("gets the task, looks at it, answers and cancels it with its own headers", async () => {
    const client = new Modern(stack, { ...at(), capabilities: { extensions: { [TASKS]: {} } } });
    const post = async (method, params, options) => (await request(client.url, { headers: client.headers(method, params, options?.headers), body: JSON.stringify(client.message(method, params)) }));
    const made = (await post("tools/call", { name: "build", arguments: {} })).json.result;
    assert.equal(made.resultType, "task");
    assert.ok(last("tools/call").params._meta["io.modelcontextprotocol/clientCapabilities"].extensions[TASKS]);
    const { taskId } = made;
    const seen = await until("it is done", async () => {
      const { json } = await post("tasks/get", { taskId }, named(taskId));
      return json.result.status === "completed" && json.result;
    });
    assert.equal(seen.resultType, "complete");
    assert.deepEqual(seen.result.content, [{ type: "text", text: "built" }]);
    assert.equal(last("tasks/get").headers["mcp-name"], named(taskId).headers["Mcp-Name"]);
    const answers = { name: { action: "accept", content: { name: "Ana" } } };
    assert.equal((await post("tasks/update", { taskId, inputResponses: answers }, named(taskId))).json.result.resultType, "complete");
    assert.deepEqual(last("tasks/update").params.inputResponses, answers);
    assert.equal((await post("tasks/cancel", { taskId }, named(taskId))).json.result.resultType, "complete");
    assert.equal((await post("tasks/get", { taskId: "nothing" }, named("nothing"))).json.error.code, -32602);
    const wrong = await post("tasks/get", { taskId }, named("another"));
    assert.deepEqual([wrong.status, wrong.json.error.code], [400, -32020]);
  });
});

describe("an older caller", () => {
  for (const [how, check] of [
    ["well", (result) => assert.deepEqual(result, { content: [{ type: "text", text: "built" }], isError: false })],
    ["red", (result) => assert.equal(result.isError, true)],
    ["cancelled", (result) => assert.match(result.content[0].text, /cancelled/) ?? assert.equal(result.isError, true)],
  ]) {
    test(`gets what became of the task as the result of its call: ${how}`, async () => {
      const client = await Legacy.open(stack, "2025-11-25", at());
      check(await client.result("tools/call", { name: "build", arguments: { how } }));
      assert.equal(last("tools/call").params._meta["io.modelcontextprotocol/clientCapabilities"].extensions, undefined);
    });
  }

  test("is told at once when the gateway stops while its task is looked at", async () => {
    const client = await Legacy.open(stack, "2025-11-25", at());
    const waiting = client.result("tools/call", { name: "build", arguments: { how: "never" } });
    const looks = () => server.heard.filter(({ method }) => method === "tasks/get").length;
    const before = looks();
    await until("it is looked at", () => looks() > before);
    const at_stop = looks();
    process.kill(stack.pid("gateway"), "SIGTERM");
    const result = await waiting;
    assert.equal(result.isError, true);
    assert.match(result.content[0].text, /stops/);
    assert.ok(looks() - at_stop < 10, `${looks() - at_stop} looks`);
    await until("it is back", async () => (await new Modern(stack, at()).post("tools/list")).status === 200, { deadline: 15_000 });
  });

  test("that cancels its call cancels the task", async () => {
    const client = await Legacy.open(stack, "2025-11-25", at());
    const calls = () => server.heard.filter((one) => one.method === "tasks/get").length;
    const before = calls();
    const asked = begin(client.url, { headers: client.headers(), body: JSON.stringify({ jsonrpc: "2.0", id: "t-1", method: "tools/call", params: { name: "build", arguments: { how: "never" } } }) });
    await until("it is looked at", () => calls() > before);
    await client.notify("notifications/cancelled", { requestId: "t-1" });
    await until("the server hears", () => server.heard.at(-1).method === "tasks/cancel" && server.tasks.get(server.heard.at(-1).params.taskId)?.how === "never");
    asked.destroy();
  });

  test("hears of a task that failed as an error, and knows no methods of tasks", async () => {
    const client = await Legacy.open(stack, "2025-11-25", at());
    const { code, message } = await client.error("tools/call", { name: "build", arguments: { how: "fail" } });
    assert.deepEqual([code, message], [-32603, "the compiler died"]);
    for (const method of ["tasks/get", "tasks/result", "tasks/list", "tasks/cancel"])
      assert.equal((await request(client.url, { headers: client.headers(), body: JSON.stringify({ jsonrpc: "2.0", id: 9, method, params: { taskId: "x" } }) })).json.error.code, -32601);
  });
});
