// /mcp/{server}: a downstream server exactly as it is, for callers of its own era.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { connect } from "./clients.mjs";
import { fixture, register } from "./downstream.mjs";
import { request } from "./http.mjs";
import { LEGACY, Legacy, Modern } from "./mcp.mjs";
import { natsRequest, streamMessages } from "./nats.mjs";
import { rawServer } from "./raw-server.mjs";
import { useStack } from "./stack.mjs";
import { until } from "./wait.mjs";

let legacy;
let modern;
const stack = useStack({ before, after }, { env: { MAL_LIST_PAGE: "5" } }, async () => {
  [legacy, modern] = await Promise.all([fixture("legacy"), fixture("modern")]);
  await Promise.all([register(stack, "old", legacy.url), register(stack, "new", modern.url)]);
  await until("both are served", async () => (await Promise.all(["old", "new"].map(async (id) =>
    (await request(`${stack.base}/api/v1/mcps/${id}/call`, {
      method: "POST", headers: { "x-api-key": stack.key, "Content-Type": "application/json" },
      body: JSON.stringify({ tool_name: "echo", arguments: { message: "x" } }),
    })).status))).every((status) => status === 200), { deadline: 30_000 });
});
after(() => [legacy, modern].forEach((one) => one?.close()));
const at = (id) => ({ url: `${stack.base}/mcp/${id}` });

for (const [kind, id] of [["sdk v1", "old"], ["sdk v2 legacy", "old"], ["sdk v2 modern", "new"]]) {
  describe(`${kind} at a server of its era`, () => {
    let session;
    before(async () => {
      session = await connect(kind, stack, { ...at(id), elicit: async () => ({ action: "accept", content: { name: "Ana", username: "Ana", email: "ana@example.com" } }) });
    });
    after(() => session?.close());

    test("sees the server's name, capabilities and tools over several pages", async () => {
      const tools = await session.tools();
      assert.ok(tools.length > 5 && tools.some(({ name }) => name === "echo"));
      assert.ok(!tools.some(({ name }) => name.startsWith("mal_")));
      if (id === "old") assert.notEqual(session.client.getServerVersion().name, "mal-hub");
      assert.ok(session.client.getServerCapabilities().tools);
    });

    test("calls tools, reads resources, gets prompts, completes", async () => {
      const { client } = session;
      const result = await client.callTool({ name: "echo", arguments: { message: "Grüße" } });
      assert.deepEqual(result.content, [{ type: "text", text: "Echo: Grüße" }]);
      const failed = await client.callTool({ name: "test_error_handling", arguments: {} });
      assert.equal(failed.isError, true);
      const { resources } = await client.listResources();
      assert.ok((await client.readResource({ uri: resources[0].uri })).contents.length > 0);
      const { prompts } = await client.listPrompts();
      assert.ok((await client.getPrompt({ name: prompts.find((one) => !one.arguments?.length).name })).messages.length > 0);
    });

    test("hears progress before the result", async () => {
      const heard = [];
      const args = [{ name: "test_tool_with_progress", arguments: {} }, ...(kind === "sdk v1" ? [undefined] : []), { onprogress: (note) => heard.push(note.progress) }];
      const result = await session.client.callTool(...args);
      assert.deepEqual(heard, [0, 50, 100]);
      assert.equal(result.content.length, 1);
    });

    test("is asked by the server in the middle of a call", async () => {
      const { content } = await session.client.callTool({ name: id === "old" ? "test_elicitation" : "test_input_required_result_elicitation", arguments: { message: "Who?" } });
      assert.match(content[0].text, /Ana|accept/);
    });
  });
}

for (const [kind, id] of [["sdk v1", "new"], ["sdk v2 legacy", "new"], ["sdk v2 modern", "old"]]) {
  describe(`${kind} at a server of the other era`, () => {
    let session;
    before(async () => {
      session = await connect(kind, stack, at(id));
    });
    after(() => session?.close());

    test("lists, calls, reads and gets what the server has", async () => {
      const { client } = session;
      assert.ok((await session.tools()).some(({ name }) => name === "echo"));
      const result = await client.callTool({ name: "echo", arguments: { message: "across" } });
      assert.deepEqual(result.content, [{ type: "text", text: "Echo: across" }]);
      assert.equal((await client.callTool({ name: "test_error_handling", arguments: {} })).isError, true);
      const { resources } = await client.listResources();
      assert.ok((await client.readResource({ uri: resources[0].uri })).contents.length > 0);
      await assert.rejects(client.readResource({ uri: "test://not-there" }));
      const { prompts } = await client.listPrompts();
      assert.ok((await client.getPrompt({ name: prompts.find((one) => !one.arguments?.length).name })).messages.length > 0);
    });

    test("hears progress before the result", async () => {
      const heard = [];
      const args = [{ name: "test_tool_with_progress", arguments: {} }, ...(kind === "sdk v1" ? [undefined] : []), { onprogress: (note) => heard.push(note.progress) }];
      await session.client.callTool(...args);
      assert.deepEqual(heard, [0, 50, 100]);
    });
  });
}

describe("the endpoint", () => {
  test("of no server is not there, nor for a key that may not use the server", async () => {
    assert.equal((await new Modern(stack, at("none")).post("tools/list")).status, 404);
    const { secret: key } = JSON.parse((await stack.mal("keys", "add", "narrow", "--scopes", "all", "--servers", "new", "--json")).stdout);
    await until("the key works", async () => (await new Modern(stack, { ...at("new"), key }).post("tools/list")).status === 200);
    assert.equal((await new Modern(stack, { ...at("old"), key }).post("tools/list")).status, 404);
  });

  test("has sessions of its own", async () => {
    const client = await Legacy.open(stack, "2025-11-25", at("old"));
    const elsewhere = await client.send({ jsonrpc: "2.0", id: 9, method: "tools/list" }, { url: stack.url });
    assert.equal(elsewhere.status, 404);
  });

  test("says who its server is with the members that the caller's revision has", async () => {
    const oldest = { name: "raw", version: "1" };
    const titled = { ...oldest, title: "Raw" };
    const serverInfo = { ...titled, description: "By hand.", websiteUrl: "https://raw.example", icons: [{ src: "https://raw.example/i.png" }] };
    const server = await rawServer({}, { serverInfo });
    await register(stack, "raw", server.url);
    const told = { "2025-11-25": serverInfo, "2025-06-18": titled, "2025-03-26": oldest, "2024-11-05": oldest };
    for (const version of LEGACY) {
      const info = await until("it is known", async () => {
        const { opened } = await Legacy.open(stack, version, at("raw"));
        return opened.serverInfo.version === "1" && opened.serverInfo;
      });
      assert.deepEqual(info, told[version], version);
    }
    server.close();
  });

  test("names an unknown tool and the server", async () => {
    const result = await new Modern(stack, at("new")).result("tools/call", { name: "nothing", arguments: {} });
    assert.equal(result._meta["mal.hub/error"].status, "NOT_FOUND");
    assert.match(result.content[0].text, /'new' has no tool 'nothing'/);
  });

  test("answers with a typed error while the server is away, and again when it is back", async () => {
    legacy.close();
    const client = await Legacy.open(stack, "2025-11-25", at("old"));
    const { result } = (await client.post("tools/call", { name: "echo", arguments: { message: "x" } })).message;
    assert.equal(result.isError, true);
    assert.match(result._meta["mal.hub/error"].reason, /^MCP_/);
    assert.match(result.content[0].text, /'old'/);
  });

  test("calls are in the audit log under the server", async () => {
    await new Modern(stack, at("new")).result("tools/call", { name: "echo", arguments: { message: "x" } });
    await until("the entry", async () => {
      const { structuredContent } = await new Modern(stack).result("tools/call", { name: "mal_get_audit_log", arguments: { tool_name: "new/echo" } });
      return structuredContent?.items?.some(({ success }) => success);
    });
  });

  test("calls are not sent to the game, which counts the hub's own tools only", async () => {
    const url = stack.now().nats_url;
    const count = async (subject, tool) =>
      (await streamMessages(url, "MAL_EVT", subject)).filter(({ data }) => !tool || data.includes(tool)).length;
    const before = await count("mal.evt.gateway.downstream.called");
    for (let i = 0; i < 10; i++) await new Modern(stack, at("new")).result("tools/call", { name: "echo", arguments: { message: "x" } });
    await until("the calls are in the stream", async () => (await count("mal.evt.gateway.downstream.called")) >= before + 10);
    await new Modern(stack).result("tools/call", { name: "mal_list_skills", arguments: {} });
    await until("the game has read all that is for it", async () => {
      const info = JSON.parse(await natsRequest(url, "$JS.API.CONSUMER.INFO.MAL_EVT.gamify_tools"));
      return info.num_pending === 0 && info.num_ack_pending === 0 &&
        info.delivered.consumer_seq === await count("mal.evt.gateway.tool.called") && await count("mal.evt.gateway.tool.called", "mal_list_skills");
    });
    assert.equal(await count("mal.evt.gateway.tool.called", "new/echo"), 0);
  });
});
