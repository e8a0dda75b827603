// Questions that nobody answers, too many of them, and those of programs: what waits is bounded, ends,
// and leaves nothing behind.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fixture, register } from "./downstream.mjs";
import { begin, request } from "./http.mjs";
import { Legacy, Modern } from "./mcp.mjs";
import { server as registration } from "./samples.mjs";
import { descriptors, useStack } from "./stack.mjs";
import { setPolicy } from "./stdio.mjs";
import { until } from "./wait.mjs";

const ALL = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };
const TIMEOUT_MS = 6000; // also of the tests that answer, on a machine that stands still for a while
const env = { MAL_CONFIRM_TIMEOUT_MS: String(TIMEOUT_MS), MAL_MAX_PARKED: "32", MAL_MAX_QUESTIONS: "2", MAL_STDIO_ALLOW: process.execPath };
const ids = ["old", "shared", "own", "own-new"];
let server;
const stack = useStack({ before, after }, { env }, async () => {
  server = await fixture("legacy");
  await register(stack, "old", server.url);
  await child("shared", "legacy");
  await child("own", "legacy", { per_caller: true });
  await child("own-new", "modern", { per_caller: true });
  for (const id of ids)
    await until(`${id} is served`, async () => (await request(`${stack.base}/api/v1/mcps/${id}/call`, {
      method: "POST", headers: { "x-api-key": stack.key, "Content-Type": "application/json" },
      body: JSON.stringify({ tool_name: "echo", arguments: { message: "x" } }),
    })).status === 200, { deadline: 30_000 });
});
after(() => server?.close());

async function child(id, eras, policy) {
  const headers = { "x-api-key": stack.key, "Content-Type": "application/json" };
  const made = await request(`${stack.base}/api/v1/mcps`, { method: "POST", headers, body: JSON.stringify(registration(id, {
    transport: "stdio", endpoint_url: undefined, command: process.execPath, args: [join(import.meta.dirname, "fixture-server.mjs"), "stdio", eras],
  })) });
  assert.equal(made.status, 201, made.text);
  if (policy) await setPolicy(stack, id, policy);
  await until(`${id} is reached`, async () => (await request(`${stack.base}/api/v1/mcps/${id}/tools`, { method: "GET", headers })).json?.items?.length > 0, { deadline: 30_000 });
}

const at = (id) => ({ url: `${stack.base}/mcp/${id}`, capabilities: ALL });
const call = (client, name, args = {}) => client.result("tools/call", { name, arguments: args });
const retry = async (client, name, asked, answer, args = {}) =>
  (await client.post("tools/call", { name, arguments: args, inputResponses: { question: answer }, requestState: asked.requestState })).message;
const accept = { action: "accept", content: { username: "Ana", email: "ana@example.com" } };
const parked = () => stack.metric("gateway", "mal_gateway_parked_calls");
const words = (result) => result.content.map(({ text }) => text).join("\n");

for (const id of ["old", "shared", "own"]) {
  describe(`a question of ${id}`, () => {
    test("waits for its answer", async () => {
      const client = new Modern(stack, at(id));
      const asked = await call(client, "test_elicitation");
      assert.equal(asked.resultType, "input_required");
      assert.match(words((await retry(client, "test_elicitation", asked, accept)).result), /action=accept.*Ana/);
    });

    test("is taken back from an older caller when the server withdraws it", async () => {
      const client = await Legacy.open(stack, "2025-11-25", at(id));
      const stream = await client.open("tools/call", { name: "test_withdraws", arguments: {}, _meta: { progressToken: "t" } });
      const question = await stream.next();
      const note = await stream.next();
      assert.deepEqual([note.method, note.params.requestId], ["notifications/cancelled", question.id]);
      assert.equal((await stream.next()).method, "notifications/progress", "while the call goes on");
      assert.equal(words((await stream.next()).result), "withdrawn");
    });

    test("reaches an older caller on its stream", async () => {
      const client = await Legacy.open(stack, "2025-11-25", at(id));
      const stream = await client.open("tools/call", { name: "test_elicitation", arguments: {} });
      const question = await stream.next();
      assert.equal(question.method, "elicitation/create");
      await client.send({ jsonrpc: "2.0", id: question.id, result: accept });
      assert.match(words((await stream.next()).result), /action=accept/);
    });
  });
}

describe("a question that nobody answers", () => {
  const asked = new Map();
  before(async () => {
    for (const id of ["old", "shared", "own"]) asked.set(id, await call(new Modern(stack, at(id)), "test_elicitation"));
    await until("nothing waits any more", async () => await parked() === 0, { deadline: 5 * TIMEOUT_MS });
  });

  for (const id of ["old", "shared", "own"])
    test(`ends in time: the server ${id} is told, the state is void`, async () => {
      const client = new Modern(stack, at(id));
      assert.equal(asked.get(id).resultType, "input_required");
      assert.equal((await retry(client, "test_elicitation", asked.get(id), accept)).error.code, -32602);
      assert.match(words(await call(client, "echo", { message: "still there" })), /still there/);
    });
});

describe("a call that nobody comes back for", () => {
  /** A caller of its own at a server, and what the audit log has of it. */
  const caller = async (name) => {
    const { secret: key } = JSON.parse((await stack.mal("keys", "add", name, "--scopes", "all", "--json")).stdout);
    const client = new Modern(stack, { ...at("old"), key });
    await until("the key works", async () => (await client.post("tools/list")).status === 200);
    const log = async () => (await request(`${stack.base}/api/v1/audit?user_key=${name}&tool_name=old%2Ftest_elicitation`, { method: "GET", headers: { "x-api-key": stack.key } })).json.items;
    return { client, log };
  };
  const entry = ({ resource_id, status, success, channel }) => ({ resource_id, status, success, channel });

  test("is in the audit log once, as one that was not answered in time", async () => {
    const { client, log } = await caller("forgetful");
    assert.equal((await call(client, "test_elicitation")).resultType, "input_required");
    assert.deepEqual(await log(), []);
    const [one] = await until("the entry", async () => (await log()).length > 0 && log(), { deadline: 5 * TIMEOUT_MS });
    assert.deepEqual(entry(one), { resource_id: "old", status: "deadline_exceeded", success: false, channel: "mcp" });
    assert.ok(one.duration_ms >= TIMEOUT_MS / 2, `${one.duration_ms} ms`);
    // One that is answered is there once as well, and comes after it.
    const asked = await call(client, "test_elicitation");
    assert.ok((await retry(client, "test_elicitation", asked, accept)).result);
    const all = await until("the next entry", async () => (await log()).length > 1 && log());
    assert.deepEqual(all.map(({ status }) => status).sort(), ["deadline_exceeded", "ok"]);
  });

  test("is there, too, when the gateway stops before", async () => {
    const { client, log } = await caller("unlucky");
    assert.equal((await call(client, "test_elicitation")).resultType, "input_required");
    await stack.kill("gateway", "SIGTERM");
    await stack.ready("gateway");
    const entries = await until("the entry", async () => (await log()).length > 0 && log());
    assert.deepEqual(entries.map(entry), [{ resource_id: "old", status: "unavailable", success: false, channel: "mcp" }]);
  });
});

test("an answer that holds half a surrogate pair reaches the server all the same", async () => {
  const client = await Legacy.open(stack, "2025-11-25", at("old"));
  const stream = await client.open("tools/call", { name: "test_elicitation", arguments: {} });
  const question = await stream.next();
  await client.send({ jsonrpc: "2.0", id: question.id, result: { action: "accept", content: { username: "Ana \ud83d", email: "ana@example.com" } } });
  assert.match(words((await stream.next()).result), /action=accept.*Ana/);
});

test("a program of the newer era asks older callers on their stream", async () => {
  const client = await Legacy.open(stack, "2025-11-25", at("own-new"));
  const stream = await client.open("tools/call", { name: "test_input_required_result_elicitation", arguments: {} });
  const question = await stream.next();
  await client.send({ jsonrpc: "2.0", id: question.id, result: { action: "accept", content: { name: "Bo" } } });
  assert.equal(words((await stream.next()).result), "Hello, Bo!");
});

test("several calls of one modern caller are asked each on its own", async () => {
  for (const id of ["old"]) {
    const client = new Modern(stack, at(id));
    const asked = await Promise.all(["a", "b", "c"].map((message) => call(client, "test_elicitation", { message })));
    assert.deepEqual(asked.map(({ inputRequests }) => inputRequests?.question.params.message), ["a", "b", "c"]);
    const done = await Promise.all(asked.map((one, i) => retry(client, "test_elicitation", one, { action: "accept", content: { username: `u${i}`, email: "x@example.com" } }, { message: "abc"[i] })));
    done.forEach(({ result }, i) => assert.match(words(result), new RegExp(`u${i}`)));
  }
});

test("a child that many share cannot ask while several calls run: the tool hears so", async () => {
  const client = new Modern(stack, at("shared"));
  const slow = begin(client.url, { headers: client.headers("tools/call", { name: "test_slow" }), body: JSON.stringify(client.message("tools/call", { name: "test_slow", arguments: { ms: 20_000 } })) });
  await until("it runs", async () => JSON.parse(words(await call(client, "test_seen"))).includes("slow begun"));
  const { message } = await client.post("tools/call", { name: "test_elicitation", arguments: {} });
  assert.ok(message.error || message.result.isError, JSON.stringify(message));
  assert.match(JSON.stringify(message), /asked/);
  slow.destroy();
});

test("one caller may leave an eighth of what may wait, others have room", async () => {
  const client = new Modern(stack, at("old"));
  const asked = await Promise.all(Array.from({ length: 8 }, () => client.post("tools/call", { name: "test_asks_between", arguments: {} })));
  const waiting = asked.filter(({ message }) => message.result?.resultType === "input_required");
  assert.equal(waiting.length, 4);
  for (const { message } of asked.filter((one) => !waiting.includes(one))) assert.ok(message.error || message.result.isError);
  const { secret: key } = JSON.parse((await stack.mal("keys", "add", "second", "--scopes", "all", "--json")).stdout);
  const other = new Modern(stack, { ...at("old"), key });
  await until("the key works", async () => (await other.post("tools/list")).status === 200);
  const more = await call(other, "test_elicitation");
  assert.equal(more.resultType, "input_required");
  for (const { message } of waiting) assert.ok((await retry(client, "test_asks_between", message.result, { action: "decline" })).result);
  assert.ok((await retry(other, "test_elicitation", more, { action: "decline" })).result);
  assert.equal(await parked(), 0);
});

test("an older caller that leaves with a question open gives its place back", async () => {
  for (let i = 0; i < 4; i++) {
    const client = await Legacy.open(stack, "2025-11-25", at("old"));
    const stream = await client.open("tools/call", { name: "test_asks_between", arguments: {} });
    await stream.next();
    stream.close();
  }
  await until("one is asked again", async () => {
    const client = await Legacy.open(stack, "2025-11-25", at("old"));
    const stream = await client.open("tools/call", { name: "test_asks_between", arguments: {} });
    const question = await stream.next();
    if (question?.method !== "elicitation/create") return false;
    await client.send({ jsonrpc: "2.0", id: question.id, result: { action: "accept", content: { name: "Bo" } } });
    return words((await stream.next()).result) === "accept Bo";
  });
});

describe("two hundred calls that are asked and never answered", () => {
  // Each forty wait until their time is over, which is why it is short here.
  const hasty = useStack({ before, after }, { env: { ...env, MAL_CONFIRM_TIMEOUT_MS: "1000" } }, () => register(hasty, "old", server.url));

  test("leave no descriptor behind", async () => {
    const pid = hasty.pid("gateway");
    const client = new Modern(hasty, { ...at("old"), url: `${hasty.url}/old` });
    const wave = async () => {
      const answers = await Promise.all(Array.from({ length: 40 }, () => client.post("tools/call", { name: "test_asks_between", arguments: {} })));
      assert.ok(answers.some(({ message }) => message.result?.resultType === "input_required"));
      await until("nothing waits any more", async () => await hasty.metric("gateway", "mal_gateway_parked_calls") === 0);
    };
    await wave();
    const before = descriptors(pid).length;
    for (let i = 0; i < 4; i++) await wave();
    await until("as many descriptors as before", () => descriptors(pid).length <= before + 8);
  });
});

test("a server that dies while a call waits is named in a typed error", async () => {
  const client = new Modern(stack, at("old"));
  const asked = await call(client, "test_asks_between");
  assert.equal(asked.resultType, "input_required");
  server.close();
  const message = await retry(client, "test_asks_between", asked, { action: "accept", content: { name: "Bo" } });
  assert.equal(message.result.isError, true);
  assert.match(message.result._meta["mal.hub/error"].reason, /^MCP_/);
  assert.match(words(message.result), /'old'/);
});
