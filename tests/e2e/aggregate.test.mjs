// Exposed tools of downstream servers in /mcp: beside the hub's own, for callers of both eras.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { KINDS, connect } from "./clients.mjs";
import { expose, fixture, legacyServer, register } from "./downstream.mjs";
import { LEGACY, Legacy, MODERN, Modern } from "./mcp.mjs";
import { checkMessage, learn } from "./schema.mjs";
import { useStack } from "./stack.mjs";
import { node, npm, serve } from "./stdio.mjs";
import { until as wait } from "./wait.mjs";

const until = (what, check) => wait(what, check, { deadline: 40_000 });

let old;
let young;
let third;
let hub;
const stack = useStack({ before, after }, { gateways: 2, env: { MAL_LIST_PAGE: "20", MAL_STDIO_ALLOW: node, MAL_PIN_TOOLS: "off" } }, async () => {
  hub = new Modern(stack);
  learn(await hub.all("tools/list", "tools"));
  [old, young, third] = await Promise.all([fixture("legacy"), fixture("modern"), legacyServer()]);
  await Promise.all([register(stack, "old", old.url), register(stack, "new", young.url), register(stack, "third", third.url)]);
  await expose(stack, "old");
  await expose(stack, "new");
});
after(() => Promise.all([old, young, third].map((one) => one?.close())));

const names = async (client = hub) => (await client.all("tools/list", "tools")).map(({ name }) => name);
const legacyNames = async (client) => {
  const list = [];
  let cursor;
  do {
    const page = await client.result("tools/list", cursor === undefined ? {} : { cursor });
    list.push(...page.tools);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return list.map(({ name }) => name);
};
const progress = (kind, params, heard) => [params, ...(kind === "sdk v1" ? [undefined] : []), { onprogress: (note) => heard.push(note.progress) }];

for (const kind of KINDS) {
  describe(`${kind} at /mcp`, () => {
    let session;
    before(async () => {
      session = await connect(kind, stack, { elicit: async () => ({ action: "accept", content: { name: "Ana", username: "Ana", email: "ana@example.com" } }) });
    });
    after(() => session?.close());

    test("sees exposed tools behind the hub's own, each name once, prefixed where two are equal", async () => {
      const list = (await session.tools()).map(({ name }) => name);
      assert.equal(new Set(list).size, list.length);
      assert.ok(list.slice(0, 51).every((name) => name.startsWith("mal_")));
      assert.ok(list.includes("old_echo") && list.includes("new_echo") && !list.includes("echo"));
      assert.ok(list.includes("test_input_required_result_elicitation"), "a name that only one server has stays");
      assert.ok(!list.some((name) => name.startsWith("third")), "what is not exposed is not there");
      assert.deepEqual(list.slice(51), [...list.slice(51)].sort());
    });

    test("calls tools of servers of both eras, and the hub's own", async () => {
      for (const name of ["old_echo", "new_echo"])
        assert.deepEqual((await session.client.callTool({ name, arguments: { message: name } })).content, [{ type: "text", text: `Echo: ${name}` }]);
      assert.equal((await session.client.callTool({ name: "old_test_error_handling", arguments: {} })).isError, true);
      assert.deepEqual((await session.client.callTool({ name: "new_test_structured", arguments: {} })).structuredContent, { sum: 3 });
      assert.ok((await session.call("mal_list_skills", {})).structuredContent.total > 0);
      await assert.rejects(session.client.callTool({ name: "third_echo", arguments: {} }));
    });

    test("hears progress before the result", async () => {
      for (const name of ["old_test_tool_with_progress", "new_test_tool_with_progress"]) {
        const heard = [];
        await session.client.callTool(...progress(kind, { name, arguments: {} }, heard));
        assert.deepEqual(heard, [0, 50, 100]);
      }
    });

    test("is asked by servers of both eras in the middle of a call", async () => {
      for (const name of ["old_test_elicitation", "test_input_required_result_elicitation"]) {
        const { content } = await session.client.callTool({ name, arguments: { message: "Who?" } });
        assert.match(content[0].text, /Ana|accept/, name);
      }
    });
  });
}

describe("the list", () => {
  test("is the same over pages of every revision, each message as its schema says", async () => {
    const modern = await names();
    for (const version of LEGACY) {
      const list = await legacyNames(await Legacy.open(stack, version));
      // Tools with a schema that a revision does not know are still there, in its words.
      assert.deepEqual(list, modern, version);
    }
    const first = await hub.result("tools/list");
    assert.equal(first.tools.length, 20);
    assert.equal((await hub.error("tools/list", { cursor: "rubbish" })).code, -32602);
  });

  test("is the same on every copy of the gateway", async () => {
    const [a, b] = await Promise.all(stack.urls.map((url) => names(new Modern(stack, { url }))));
    assert.deepEqual(a, b);
  });

  test("shows a key what it may call only", async () => {
    const keys = await Promise.all([["reader", "read"], ["narrow", "all", "--servers", "new"]].map(async ([name, scopes, ...more]) =>
      JSON.parse((await stack.mal("keys", "add", name, "--scopes", scopes, ...more, "--json")).stdout).secret));
    const [reader, narrow] = keys.map((key) => new Modern(stack, { key }));
    await until("the keys work", async () => (await Promise.all([reader, narrow].map((one) => one.post("tools/list")))).every(({ status }) => status === 200));
    assert.ok((await names(reader)).every((name) => name.startsWith("mal_")));
    const seen = await names(narrow);
    assert.ok(seen.includes("new_echo") && !seen.includes("old_echo"));
    assert.equal((await narrow.error("tools/call", { name: "old_echo", arguments: { message: "x" } })).code, -32602);
    assert.equal((await reader.error("tools/call", { name: "new_echo", arguments: { message: "x" } })).code, -32602);
  });
});

describe("programs from npm that are exposed", () => {
  const tools = [
    ["everything", "get-sum", { a: 2, b: 3 }, /5/],
    ["memory", "read_graph", {}, /entities/],
    ["sequential-thinking", "sequentialthinking", { thought: "first", thoughtNumber: 1, totalThoughts: 2, nextThoughtNeeded: true }, /thoughtNumber/],
  ];
  before(async () => {
    await Promise.all(tools.map(([id]) => serve(stack, `npm-${id}`, npm(id), { tool: null, policy: { expose: true } })));
    await until("they are listed", async () => {
      const list = await names();
      return tools.every(([, name]) => list.includes(name));
    });
  });

  for (const kind of KINDS)
    test(`are called by ${kind}`, async () => {
      const session = await connect(kind, stack);
      try {
        for (const [, name, args, answer] of tools) {
          const result = await session.client.callTool({ name, arguments: args });
          assert.ok(!result.isError, result.content[0].text);
          assert.match(result.content[0].text, answer);
        }
      } finally {
        await session.close();
      }
    });
});

describe("a change of what is exposed", () => {
  const changed = async (stream) => {
    for (;;) {
      const message = await stream.next(30_000);
      assert.ok(message, "the stream is open");
      if (message.method === "notifications/tools/list_changed") return message;
    }
  };

  test("is told on open streams of both eras and copies, and old names go on working", async () => {
    const modern = await Promise.all(stack.urls.map((url, i) => hub.listen({ toolsListChanged: true }, { url, id: `w${i}` })));
    const session = await Legacy.open(stack, "2025-11-25", { url: stack.urls[1] });
    const legacy = await session.stream();
    try {
      await expose(stack, "third", { prefix_mode: "never" });
      const heard = await Promise.all([...modern, legacy].map(changed));
      heard.forEach((message, i) => checkMessage(i < 2 ? MODERN : "2025-11-25", message));
      await until("its tools are listed", async () => { const list = await names(); return list.includes("fails") && list.includes("slow"); });
      assert.deepEqual((await hub.result("tools/call", { name: "fails", arguments: {} })).isError, true);

      await stack.mal("mcp", "expose", "third", "prefix_mode=always", "prefix=t3");
      await until("the new names", async () => { const all = await names(); return all.includes("t3_fails") && !all.includes("fails"); });
      for (const name of ["fails", "t3_fails"])
        assert.equal((await hub.result("tools/call", { name, arguments: {} })).content[0].text, "no luck");

      const listed = (await stack.mal("mcp", "tools", "third")).stdout;
      assert.match(listed, /^fails +approved +t3_fails$/m);
      assert.match((await stack.mal("mcp", "expose", "third", "off")).stdout, /not part of/);
      await until("the tools are gone", async () => !(await names()).includes("t3_fails"));
      assert.equal((await hub.error("tools/call", { name: "fails", arguments: {} })).code, -32602);
    } finally {
      [...modern, legacy].forEach((stream) => stream.close());
    }
  });
});

describe("a call", () => {
  test("is in the audit log under server and tool", async () => {
    await hub.result("tools/call", { name: "new_echo", arguments: { message: "x" } });
    await until("the entry", async () => (await hub.ok("mal_get_audit_log", { tool_name: "new/echo" })).items.some(({ success }) => success));
  });

  test("that is cancelled reaches the server", async () => {
    const session = await Legacy.open(stack, "2025-11-25");
    await expose(stack, "third", { prefix_mode: "always", prefix: "t3" });
    await until("the tool", async () => (await names()).includes("t3_slow"));
    const call = await session.open("tools/call", { name: "t3_slow", arguments: { ms: 30_000, steps: 1 }, _meta: { progressToken: 1 } }, { id: "slow-1" });
    assert.equal((await call.next()).method, "notifications/progress");
    await session.notify("notifications/cancelled", { requestId: "slow-1" });
    await until("the server hears of it", () => third.seen.includes("aborted"));
    assert.equal(await call.next(), undefined, "nothing more comes");
  });

  test("of a server that is away fails with an error that names it", async () => {
    young.close();
    const answer = await hub.result("tools/call", { name: "new_echo", arguments: { message: "x" } });
    assert.equal(answer.isError, true);
    assert.match(answer._meta["mal.hub/error"].reason, /^MCP_/);
    assert.match(answer.content[0].text, /'new'/);
    assert.ok((await names()).includes("new_echo"), "the last known definitions are still listed");
  });
});
