// ?tools=search: two tools that find and call the others, at /mcp and at virtual servers.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { KINDS, connect } from "./clients.mjs";
import { curate, expose, fixture, legacyServer, register } from "./downstream.mjs";
import { LEGACY, Legacy, Modern } from "./mcp.mjs";
import { skill } from "./samples.mjs";
import { useStack } from "./stack.mjs";
import { until as wait } from "./wait.mjs";

const until = (what, check) => wait(what, check, { deadline: 40_000 });

let young;
let third;
const stack = useStack({ before, after }, { env: { MAL_PIN_TOOLS: "off" } }, async () => {
  [young, third] = await Promise.all([fixture("modern"), legacyServer()]);
  await Promise.all([register(stack, "new", young.url), register(stack, "third", third.url)]);
  await expose(stack, "new");
  await expose(stack, "third", { prefix_mode: "always" });
  await curate(stack, "daily", { name: "Daily", tools: [
    { server: "new", tool: "echo", name: "say", description: "Utters a sentence aloud." },
    { server: "third", tool: "slow" },
    { tool: "mal_list_skills" },
  ] });
  await until("both are exposed", async () => {
    const names = (await new Modern(stack).all("tools/list", "tools")).map(({ name }) => name);
    return names.includes("third_echo") && names.includes("test_custom_header");
  });
});
after(() => [young, third].forEach((one) => one?.close()));
const at = (path = "/mcp", more = {}) => ({ url: `${stack.base}${path}?tools=search`, ...more });
const find = async (client, query, more) => (await client.ok("find-tool", { query, ...more })).tools;
// What is found is checked here; the coverage of tools knows the hub's own only.
const raw = (client) => Object.assign(client, { ok: async (name, args) => {
  const result = await client.result("tools/call", { name, arguments: args });
  assert.ok(!result.isError, result.content?.[0]?.text);
  return result.structuredContent ?? JSON.parse(result.content[0].text);
} });

for (const kind of KINDS) {
  describe(`${kind} in search mode`, () => {
    let session;
    before(async () => {
      session = await connect(kind, stack, { ...at(), elicit: async () => ({ action: "accept", content: { name: "Ana" } }) });
    });
    after(() => session?.close());
    const call = (name, args) => session.client.callTool({ name, arguments: args });

    test("sees two tools, finds others by words, calls them", async () => {
      assert.deepEqual((await session.tools()).map(({ name }) => name), ["find-tool", "call-tool"]);
      assert.match(session.client.getInstructions(), /find-tool/);
      const { structuredContent } = await call("find-tool", { query: "says the same again", limit: 3 });
      const [best] = structuredContent.tools;
      assert.deepEqual([best.name, best.description], ["echo", "Says the same again"]);
      assert.deepEqual(best.inputSchema.required, ["message"]);
      const { content } = await call("call-tool", { name: best.name, arguments: { message: "found" } });
      assert.deepEqual(content, [{ type: "text", text: "Echo: found" }]);
    });

    test("reaches the hub's own tools and those of older servers", async () => {
      const { structuredContent } = await call("find-tool", { query: "list skills" });
      assert.ok(structuredContent.tools.some(({ name }) => name === "mal_list_skills"));
      assert.ok((await call("call-tool", { name: "mal_list_skills", arguments: { limit: 1 } })).structuredContent.total > 0);
      assert.deepEqual((await call("call-tool", { name: "third_echo", arguments: { text: "old" } })).content, [{ type: "text", text: "old" }]);
      assert.equal((await call("call-tool", { name: "third_fails" })).isError, true);
    });

    test("is asked by servers of both eras", async () => {
      for (const name of ["third_ask", "test_input_required_result_elicitation"]) {
        const { content } = await call("call-tool", { name });
        assert.match(content[0].text, /Ana/, name);
      }
    });

    test("hears progress of a tool that is called through call-tool", async () => {
      const heard = [];
      await session.client.callTool({ name: "call-tool", arguments: { name: "test_tool_with_progress" } }, ...(kind === "sdk v1" ? [undefined] : []), { onprogress: ({ progress }) => heard.push(progress) });
      assert.deepEqual(heard, [0, 50, 100]);
    });
  });
}

describe("the search mode", () => {
  test("is the same for every revision, each message as its schema says", async () => {
    for (const version of LEGACY) {
      const client = raw(await Legacy.open(stack, version, at()));
      const { tools } = await client.result("tools/list");
      assert.deepEqual(tools.map(({ name }) => name), ["find-tool", "call-tool"]);
      assert.equal((await find(client, "echo OR slow", { limit: 20 })).filter(({ name }) => /echo|slow/.test(name)).length >= 3, true);
      for (const message of ["x", "half a pair: \ud83d"]) {
        const { content } = await client.result("tools/call", { name: "call-tool", arguments: { name: "echo", arguments: { message } } });
        assert.deepEqual(content, [{ type: "text", text: `Echo: ${message}` }]);
      }
    }
  });

  test("understands a sentence of which some words fit", async () => {
    const found = await find(raw(new Modern(stack, at())), "I would like something that takes its time, please");
    assert.ok(found.some(({ name }) => name === "third_slow"), JSON.stringify(found.map(({ name }) => name)));
  });

  test("finds for each key only what that key may call", async () => {
    const keys = await Promise.all([["reader", "read"], ["narrow", "all", "--servers", "third"]].map(async ([name, scopes, ...more]) =>
      JSON.parse((await stack.mal("keys", "add", name, "--scopes", scopes, ...more, "--json")).stdout).secret));
    const [reader, narrow] = keys.map((key) => raw(new Modern(stack, at("/mcp", { key }))));
    await until("the keys work", async () => (await Promise.all([reader, narrow].map((one) => one.post("tools/list")))).every(({ status }) => status === 200));
    const names = async (client) => (await find(client, "echo OR skill", { limit: 20 })).map(({ name }) => name);
    const allowed = (await new Modern(stack, { key: keys[0] }).all("tools/list", "tools")).map(({ name }) => name);
    const read = await names(reader);
    assert.ok(read.length > 3 && read.every((name) => allowed.includes(name)), read.join());
    const seen = await names(narrow);
    assert.ok(seen.includes("third_echo") && seen.includes("mal_register_skill") && !seen.includes("echo"));
    assert.equal((await narrow.error("tools/call", { name: "call-tool", arguments: { name: "echo", arguments: { message: "x" } } })).code, -32602);
    assert.equal((await reader.error("tools/call", { name: "call-tool", arguments: { name: "mal_delete_skill", arguments: { id: "x" } } })).code, -32602);
  });

  test("of a virtual server finds what it offers, by the words that it shows", async () => {
    const client = raw(new Modern(stack, at("/mcp/daily")));
    assert.deepEqual((await find(client, "utters sentence")).map(({ name, description }) => [name, description]), [["say", "Utters a sentence aloud."]]);
    assert.deepEqual(await find(client, "fails"), []);
    assert.deepEqual((await client.result("tools/call", { name: "call-tool", arguments: { name: "say", arguments: { message: "x" } } })).content, [{ type: "text", text: "Echo: x" }]);
    assert.equal((await client.error("tools/call", { name: "call-tool", arguments: { name: "third_echo", arguments: {} } })).code, -32602);
  });

  test("calls a tool whose arguments are mirrored in headers, and asks the user of a guarded one", async () => {
    const client = new Modern(stack, at("/mcp", { capabilities: { elicitation: { form: {} } } }));
    const { content } = await client.result("tools/call", { name: "call-tool", arguments: { name: "test_custom_header", arguments: { region: "eu" } } });
    assert.match(content[0].text, /eu/);
    const made = await client.result("tools/call", { name: "call-tool", arguments: { name: "mal_register_skill", arguments: skill("found-one") } });
    assert.ok(!made.isError, made.content[0].text);
    const params = { name: "call-tool", arguments: { name: "mal_delete_skill", arguments: { id: "found-one" } } };
    const asked = await client.result("tools/call", params);
    assert.equal(asked.resultType, "input_required");
    const done = await client.result("tools/call", { ...params, requestState: asked.requestState, inputResponses: { confirm: { action: "accept", content: { confirm: true } } } });
    assert.equal(done.structuredContent?.deleted, true, done.content?.[0]?.text);
  });

  test("says what is wrong with arguments, and knows no further page", async () => {
    const client = new Modern(stack, at());
    for (const [name, args, field] of [["find-tool", {}, "query"], ["find-tool", { query: "x", limit: 99 }, "limit"], ["find-tool", { query: "x", more: 1 }, "more"], ["call-tool", { arguments: {} }, "name"], ["call-tool", { name: "echo", arguments: [] }, "arguments"]]) {
      const result = await client.result("tools/call", { name, arguments: args });
      assert.equal(result.isError, true);
      assert.deepEqual(result._meta["mal.hub/error"].fields.map((one) => one.field), [field]);
    }
    assert.equal((await client.error("tools/list", { cursor: "dHg" })).code, -32602);
    assert.deepEqual((await raw(client).ok("find-tool", { query: "zyzzyva" })).tools, []);
  });

  test("is in the audit log: searches, and calls under the tool that was called", async () => {
    const client = raw(new Modern(stack, at()));
    await find(client, "echo");
    await client.ok("call-tool", { name: "mal_get_usage_stats" });
    for (const name of ["find-tool", "new/echo", "mal_get_usage_stats"])
      await until(name, async () => (await client.ok("call-tool", { name: "mal_get_audit_log", arguments: { tool_name: name } })).items.some(({ success }) => success));
  });
});
