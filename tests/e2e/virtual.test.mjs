// /mcp/{virtual}: a curated set of tools, renamed and re-described, for callers of both eras.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { KINDS, connect } from "./clients.mjs";
import { curate, fixture, legacyServer, register } from "./downstream.mjs";
import { request } from "./http.mjs";
import { LEGACY, Legacy, MODERN, Modern } from "./mcp.mjs";
import { skill } from "./samples.mjs";
import { checkMessage } from "./schema.mjs";
import { useStack } from "./stack.mjs";
import { until as wait } from "./wait.mjs";

const until = (what, check) => wait(what, check, { deadline: 40_000 });

const SET = {
  name: "Daily work",
  description: "What the team needs every day.",
  tools: [
    { tool: "mal_list_skills", name: "skills", description: "Lists what we know." },
    { server: "new", tool: "echo" },
    { server: "old", tool: "echo", name: "say", title: "Say it", description: "Repeats the message.", annotations: { readOnlyHint: true } },
    { server: "new", tool: "test_structured", name: "sum.up" },
    { server: "third", tool: "slow" },
    { tool: "mal_delete_skill" },
  ],
};
let old;
let young;
let third;
let made;
const stack = useStack({ before, after }, { gateways: 2, env: { MAL_LIST_PAGE: "4", MAL_PIN_TOOLS: "off" } }, async () => {
  [old, young, third] = await Promise.all([fixture("legacy"), fixture("modern"), legacyServer()]);
  await Promise.all([register(stack, "old", old.url), register(stack, "new", young.url), register(stack, "third", third.url)]);
  made = await curate(stack, "daily", SET);
});
after(() => Promise.all([old, young, third].map((one) => one?.close())));
const at = (more = {}) => ({ url: `${stack.base}/mcp/daily`, ...more });
const rest = (method, path, body) => request(`${stack.base}/api/v1${path}`, {
  method, headers: { "x-api-key": stack.key, "Content-Type": "application/json" }, body: body && JSON.stringify(body) });

for (const kind of KINDS) {
  describe(`${kind} at a virtual server`, () => {
    let session;
    before(async () => {
      session = await connect(kind, stack, at());
    });
    after(() => session?.close());

    test("sees the chosen tools in their order, as they are to be shown", async () => {
      const list = await session.tools();
      assert.deepEqual(list.map(({ name }) => name), ["skills", "echo", "say", "sum.up", "slow", "mal_delete_skill"]);
      const [skills, echo, say] = list;
      assert.equal(skills.description, "Lists what we know.");
      assert.ok(skills.inputSchema.properties.limit);
      assert.equal(echo.description, "Says the same again");
      assert.deepEqual([say.title, say.description, say.annotations], ["Say it", "Repeats the message.", { readOnlyHint: true }]);
      assert.deepEqual(say.inputSchema.required, ["message"]);
      const capabilities = session.client.getServerCapabilities();
      assert.ok(capabilities.tools.listChanged && !capabilities.resources && !capabilities.prompts);
      assert.equal(session.client.getInstructions(), SET.description);
    });

    test("calls them by these names, and no other", async () => {
      const { client } = session;
      for (const name of ["echo", "say"])
        assert.deepEqual((await client.callTool({ name, arguments: { message: name } })).content, [{ type: "text", text: `Echo: ${name}` }]);
      assert.deepEqual((await client.callTool({ name: "sum.up", arguments: {} })).structuredContent, { sum: 3 });
      assert.ok((await client.callTool({ name: "skills", arguments: { limit: 1 } })).structuredContent.total > 0);
      for (const name of ["mal_list_skills", "test_structured", "test_simple_text"]) await assert.rejects(client.callTool({ name, arguments: {} }));
    });
  });
}

describe("a virtual server", () => {
  test("lists the same to every revision, over pages, as the schemas say", async () => {
    const modern = (await new Modern(stack, at()).all("tools/list", "tools")).map(({ name }) => name);
    for (const version of LEGACY) {
      const client = await Legacy.open(stack, version, at());
      const first = await client.result("tools/list");
      const second = await client.result("tools/list", { cursor: first.nextCursor });
      assert.deepEqual([...first.tools, ...second.tools].map(({ name }) => name), modern);
      assert.equal(second.nextCursor, undefined);
    }
    assert.equal((await new Modern(stack, at()).error("resources/list")).code, -32601);
  });

  test("has sessions of its own", async () => {
    const client = await Legacy.open(stack, "2025-11-25", at());
    assert.equal(client.opened.serverInfo.name, "daily");
    assert.equal((await client.send({ jsonrpc: "2.0", id: 9, method: "tools/list" }, { url: stack.url })).status, 404);
  });

  test("is there for keys that name it, with its tools and no others", async () => {
    const keys = await Promise.all([["inside", "daily"], ["outside", "new"]].map(async ([name, servers]) =>
      JSON.parse((await stack.mal("keys", "add", name, "--scopes", "read,execute", "--servers", servers, "--json")).stdout).secret));
    const [inside, outside] = keys.map((key) => new Modern(stack, at({ key })));
    await until("the key works", async () => (await inside.post("tools/list")).status === 200);
    assert.equal((await outside.post("tools/list")).status, 404);
    assert.deepEqual((await inside.all("tools/list", "tools")).map(({ name }) => name), ["skills", "echo", "say", "sum.up", "slow"]);
    assert.deepEqual((await inside.result("tools/call", { name: "echo", arguments: { message: "x" } })).content, [{ type: "text", text: "Echo: x" }]);
    assert.equal((await inside.error("tools/call", { name: "mal_delete_skill", arguments: { id: "x" } })).code, -32602);
    assert.equal((await new Modern(stack, { url: `${stack.base}/mcp/new`, key: keys[0] }).post("tools/list")).status, 404);
  });

  test("says how many tokens its list takes, which is a quarter of its bytes", async () => {
    const client = new Modern(stack, at());
    const tools = await client.all("tools/list", "tools");
    const bytes = tools.reduce((sum, tool) => sum + Buffer.byteLength(JSON.stringify(tool)) + 1, 0);
    assert.ok(Math.abs(made.server.token_budget - bytes / 4) < bytes / 400, `${made.server.token_budget} of ${bytes} bytes`);
    const shown = (await rest("GET", "/virtual-servers/daily")).json.server;
    assert.equal(shown.token_budget, made.server.token_budget);
    const { stdout } = await stack.mal("mcp", "virtual", "list");
    assert.match(stdout, new RegExp(`^daily +6 tools +~${shown.token_budget} tokens`, "m"));
  });

  test("refuses tools that the hub does not have and names that are taken", async () => {
    const refused = await rest("PUT", "/virtual-servers/wrong", { name: "x", tools: [{ tool: "mal_nothing" }, { server: "new", tool: "echo" }, { server: "old", tool: "echo" }] });
    assert.equal(refused.status, 400);
    assert.match(refused.text, /mal_nothing/);
    assert.match(refused.text, /is the name of tools\[1\]/);
    assert.equal((await rest("PUT", "/virtual-servers/old", SET)).status, 409);
  });

  test("keeps its address when a server is registered under its id", async () => {
    await curate(stack, "mine", { name: "Mine", tools: [{ server: "new", tool: "echo", name: "say" }] });
    await register(stack, "mine", third.url);
    await until("the server is known", async () => (await rest("POST", "/mcps/mine/call", { tool_name: "echo", arguments: { text: "x" } })).status === 200);
    assert.deepEqual((await new Modern(stack, { url: `${stack.base}/mcp/mine` }).all("tools/list", "tools")).map(({ name }) => name), ["say"]);
    await rest("DELETE", "/mcps/mine?confirm=true");
  });

  test("that changes tells it on open streams of both eras and copies, by the command line as well", async () => {
    const file = join(tmpdir(), `virtual-${process.pid}.json`);
    await curate(stack, "short", { name: "Short", tools: [{ server: "new", tool: "echo" }] });
    const urls = stack.urls.map((url) => `${url}/short`);
    const hub = new Modern(stack, { url: urls[0] });
    await until("every copy serves it", async () => (await Promise.all(urls.map((url) => hub.post("tools/list", {}, { url })))).every(({ status }) => status === 200));
    const modern = await Promise.all(urls.map((url, i) => hub.listen({ toolsListChanged: true, promptsListChanged: true }, { url, id: `w${i}` })));
    assert.deepEqual(modern[0].ack.params.notifications, { toolsListChanged: true });
    const legacy = await (await Legacy.open(stack, "2025-11-25", { url: urls[1] })).stream();
    try {
      const before = JSON.parse((await stack.mal("mcp", "virtual", "show", "short")).stdout);
      writeFileSync(file, JSON.stringify({ ...before, tools: [...before.tools, { server: "old", tool: "echo", name: "again" }] }));
      assert.match((await stack.mal("mcp", "virtual", "set", "short", file)).stdout, /2 tools/);
      const heard = await Promise.all([...modern, legacy].map((stream) => stream.next(30_000)));
      heard.forEach((message, i) => {
        assert.equal(message.method, "notifications/tools/list_changed");
        checkMessage(i < 2 ? MODERN : "2025-11-25", message);
      });
      assert.deepEqual((await hub.all("tools/list", "tools")).map(({ name }) => name), ["echo", "again"]);
      await stack.mal("mcp", "virtual", "rm", "short");
      await until("it is gone", async () => (await hub.post("tools/list")).status === 404);
    } finally {
      [...modern, legacy].forEach((stream) => stream.close());
    }
  });

  test("asks for confirmation of a guarded tool, and is asked again with the same name", async () => {
    const client = new Modern(stack, at({ capabilities: { elicitation: { form: {} } } }));
    const made = await new Modern(stack).result("tools/call", { name: "mal_register_skill", arguments: skill("to-go") });
    assert.ok(!made.isError, made.content[0].text);
    const asked = await client.result("tools/call", { name: "mal_delete_skill", arguments: { id: "to-go" } });
    assert.equal(asked.resultType, "input_required");
    const done = await client.result("tools/call", { name: "mal_delete_skill", arguments: { id: "to-go" }, requestState: asked.requestState, inputResponses: { confirm: { action: "accept", content: { confirm: true } } } });
    assert.equal(done.structuredContent?.deleted, true, done.content?.[0]?.text);
  });

  test("leaves out tools of a server that is switched off, and works on without them", async () => {
    const client = new Modern(stack, at());
    await rest("PATCH", "/mcps/third", { status: "inactive" });
    await until("its tool is gone", async () => !(await client.all("tools/list", "tools")).some(({ name }) => name === "slow"));
    assert.deepEqual((await client.result("tools/call", { name: "echo", arguments: { message: "x" } })).content, [{ type: "text", text: "Echo: x" }]);
  });
});
