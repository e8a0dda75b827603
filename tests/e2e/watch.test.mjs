// What downstream servers tell at /mcp/{server}: changes of lists and resources, logs, progress; and
// what callers tell them: levels, roots, cancellations. Over HTTP and stdio, for callers of both eras.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fixture, register } from "./downstream.mjs";
import { begin, request } from "./http.mjs";
import { Legacy, Modern } from "./mcp.mjs";
import { rawServer } from "./raw-server.mjs";
import { server as registration } from "./samples.mjs";
import { useStack } from "./stack.mjs";
import { processes, serve, tag } from "./stdio.mjs";
import { until } from "./wait.mjs";

const WATCHED = "test://watched-resource";
const fixtures = {};
const file = join(import.meta.dirname, "fixture-server.mjs");
const stack = useStack({ before, after }, { gateways: 2, env: { MAL_STDIO_ALLOW: process.execPath, MAL_SSE_KEEPALIVE_MS: "500" } }, async () => {
  for (const [id, eras] of [["old", "legacy"], ["new", "modern"]]) {
    fixtures[id] = await fixture(eras);
    await register(stack, id, fixtures[id].url);
    await registerChild(`${id}-child`, eras);
  }
  for (const url of stack.urls) for (const id of ids)
    await until(`${id} is served`, async () => (await request(`${url.replace(/\/mcp$/, "")}/api/v1/mcps/${id}/call`, {
      method: "POST", headers: { "x-api-key": stack.key, "Content-Type": "application/json" },
      body: JSON.stringify({ tool_name: "echo", arguments: { message: "x" } }),
    })).status === 200, { deadline: 30_000 });
});
after(() => Object.values(fixtures).forEach((one) => one.close()));
const ids = ["old", "new", "old-child", "new-child"];
const at = (id, copy = 0) => ({ url: `${stack.urls[copy]}/${id}` });
const call = (client, name, args = {}, more) => client.result("tools/call", { name, arguments: args }, more);
const seen = async (id) => JSON.parse((await call(new Modern(stack, at(id)), "test_seen")).content[0].text);

async function registerChild(id, eras) {
  const headers = { "x-api-key": stack.key, "Content-Type": "application/json" };
  const made = await request(`${stack.base}/api/v1/mcps`, { method: "POST", headers, body: JSON.stringify(registration(id, {
    transport: "stdio", endpoint_url: undefined, command: process.execPath, args: [file, "stdio", eras],
  })) });
  assert.equal(made.status, 201, made.text);
  await until(`${id} is reached`, async () => (await request(`${stack.base}/api/v1/mcps/${id}/tools`, { method: "GET", headers })).json?.items?.length > 0, { deadline: 30_000 });
}

/** Does something again and again until the stream has heard of it: the wish takes a moment to reach the server. */
async function hears(stream, method, act) {
  const from = stream.events.length;
  return until(method, async () => {
    await act();
    return stream.events.slice(from).filter((event) => event.data).map((event) => JSON.parse(event.data)).find((one) => one.method === method);
  }, { deadline: 8_000, every: 200 });
}

for (const id of ids) {
  describe(`at ${id}`, () => {
    test("a modern caller hears of the resource it listens for, and of nothing else", async () => {
      const client = new Modern(stack, at(id));
      const stream = await client.listen({ resourceSubscriptions: [WATCHED] }, { id: "w-1" });
      assert.deepEqual(stream.ack.params.notifications, { resourceSubscriptions: [WATCHED] });
      const note = await hears(stream, "notifications/resources/updated", () => call(new Modern(stack, at(id, 1)), "test_touch", { uri: WATCHED }));
      assert.equal(note.params.uri, WATCHED);
      assert.equal(note.params._meta["io.modelcontextprotocol/subscriptionId"], "w-1");
      await call(client, "test_touch", { uri: "test://static-text" });
      await call(client, "test_trigger_tool_change");
      await hears(stream, "notifications/resources/updated", () => call(client, "test_touch", { uri: WATCHED }));
      assert.deepEqual([...new Set(stream.events.slice(1).map((event) => JSON.parse(event.data)).map(({ method, params }) => `${method} ${params.uri}`))], [`notifications/resources/updated ${WATCHED}`]);
      stream.close();
    });

    for (const version of ["2025-11-25", "2025-06-18"]) {
      test(`a session of ${version} hears of the resource it subscribed to, on its stream at either copy, until it unsubscribes`, async () => {
        const client = await Legacy.open(stack, version, at(id));
        assert.deepEqual(await client.result("resources/subscribe", { uri: WATCHED }), {});
        const stream = await client.stream({ url: at(id, 1).url });
        const note = await hears(stream, "notifications/resources/updated", () => call(client, "test_touch", { uri: WATCHED }));
        assert.deepEqual(note.params, { uri: WATCHED });
        assert.deepEqual(await client.result("resources/unsubscribe", { uri: WATCHED }), {});
        const other = await new Modern(stack, at(id)).listen({ resourceSubscriptions: [WATCHED] });
        const before = stream.events.length;
        await hears(other, "notifications/resources/updated", () => call(client, "test_touch", { uri: WATCHED }));
        await until("the copy with the stream knows", async () => {
          const n = stream.events.length;
          await hears(other, "notifications/resources/updated", () => call(client, "test_touch", { uri: WATCHED }));
          return stream.events.length === n;
        });
        assert.ok(stream.events.length - before < 5);
        stream.close();
        other.close();
      });
    }

    test("a resource with a URI of more than 2,048 bytes is not subscribed to", async () => {
      const uri = `test://${"x".repeat(2048)}`;
      const client = await Legacy.open(stack, "2025-11-25", at(id));
      const { code, message } = await client.error("resources/subscribe", { uri });
      assert.equal(code, -32602);
      assert.match(message, /2048 bytes/);
      const modern = await new Modern(stack, at(id)).error("subscriptions/listen", { notifications: { resourceSubscriptions: [uri] } });
      assert.equal(modern.code, -32602);
    });

    test("list changes are told at once to those who asked, in both eras", async () => {
      const modern = await new Modern(stack, at(id)).listen({ toolsListChanged: true }, { id: 3 });
      const client = await Legacy.open(stack, "2025-11-25", at(id));
      const legacy = await client.stream();
      for (const stream of [modern, legacy])
        await hears(stream, "notifications/tools/list_changed", () => call(client, "test_trigger_tool_change"));
      assert.ok(!modern.text.includes("prompts/list_changed"));
      modern.close();
      legacy.close();
    });
  });
}

for (const [kind, per_caller] of [["shared", false], ["own", true]]) for (const eras of ["legacy", "modern"]) {
  const id = `${kind}-${eras}`;
  describe(`a ${eras} program that ${per_caller ? "callers have for themselves" : "many share"}`, () => {
    before(async () => {
      await serve(stack, id, { command: process.execPath, args: [file, "stdio", eras, tag(id)] }, { policy: { per_caller, idle_stop_s: 2 } });
      for (const copy of [0, 1]) await until("both copies know what it can do", async () => {
        const stream = await new Modern(stack, at(id, copy)).listen({ resourceSubscriptions: [WATCHED] });
        stream.close();
        return stream.ack.params.notifications.resourceSubscriptions;
      });
    });
    const touched = (stream, client) => hears(stream, "notifications/resources/updated", () => call(client, "test_touch", { uri: WATCHED }));

    for (const who of ["a modern caller", "a session"])
      test(`is asked again by ${who} when it was stopped, and when it died`, async () => {
        const modern = who === "a modern caller";
        const capabilities = modern ? { elicitation: { form: {} } } : { roots: {} };
        const client = modern ? new Modern(stack, { ...at(id), capabilities }) : await Legacy.open(stack, "2025-11-25", { ...at(id), capabilities });
        const stream = modern ? await client.listen({ resourceSubscriptions: [WATCHED] }) : await client.stream({ url: at(id, 1).url });
        if (!modern) await client.result("resources/subscribe", { uri: WATCHED });
        await touched(stream, client);
        await until("nobody needs it", () => processes(id).length === 0);
        await touched(stream, client);
        processes(id).forEach((pid) => process.kill(pid, "SIGKILL"));
        await touched(stream, client);
        stream.close();
      });
  });
}

describe("what a program of one caller says of a resource", () => {
  test("is told to that caller only, and once", async () => {
    const { secret: key } = JSON.parse((await stack.mal("keys", "add", "eve", "--scopes", "all", "--json")).stdout);
    const [ours, eve] = [new Modern(stack, at("own-legacy")), new Modern(stack, { ...at("own-legacy"), key })];
    await until("the key works", async () => (await eve.post("tools/list")).status === 200);
    // What another stream has heard of is listened for: these hear of nothing that was before them.
    const listen = async (who) => {
      const first = await who.listen({ resourceSubscriptions: ["test://first", WATCHED, "test://last"] });
      await hears(first, "notifications/resources/updated", () => call(who, "test_touch", { uri: "test://first" }));
      return [await who.listen({ resourceSubscriptions: [WATCHED, "test://last"] }), first];
    };
    const streams = await Promise.all([listen(ours), listen(eve)]);
    const next = async (i) => (await streams[i][0].next()).params.uri;
    for (const uri of [WATCHED, "test://last"]) await call(ours, "test_touch", { uri });
    assert.deepEqual([await next(0), await next(0)], [WATCHED, "test://last"]);
    await call(eve, "test_touch", { uri: "test://last" });
    assert.equal(await next(1), "test://last");
    assert.deepEqual(streams.map(([{ events }]) => events.filter(({ data }) => /updated/.test(data)).length), [2, 1]);
    streams.flat().forEach((stream) => stream.close());
  });
});

describe("older servers", () => {
  test("refuse a subscription in their own words", async () => {
    const client = await Legacy.open(stack, "2025-11-25", at("old"));
    const { code, data } = await client.error("resources/subscribe", { uri: "bad:one" });
    assert.equal(code, -32602);
    assert.deepEqual(data, { uri: "bad:one" });
  });
});

describe("a server that is slow", () => {
  test("to take a subscription: what changed before that is told when it has", async () => {
    const slow = await rawServer({}, { stream: true, capabilities: { tools: {}, resources: { subscribe: true } } });
    let release;
    slow.held = new Promise((done) => (release = done));
    try {
      await register(stack, "slow", slow.url);
      const stream = await new Modern(stack, at("slow")).listen({ resourceSubscriptions: [WATCHED] }, { id: 9 });
      assert.equal(stream.events.length, 1, "the stream does not wait for it");
      release();
      const { method, params } = await stream.next();
      assert.deepEqual([method, params.uri], ["notifications/resources/updated", WATCHED]);
      stream.close();
    } finally {
      release();
      await slow.close();
    }
  });
});

describe("what a caller tells the server", () => {
  const capabilities = { roots: { listChanged: true }, elicitation: { form: {} } };
  const slow = async (id, act) => {
    const before = (await seen(id)).filter((one) => one === "slow cancelled").length;
    await act();
    await until("the server has stopped", async () => (await seen(id)).filter((one) => one === "slow cancelled").length > before);
  };
  const begun = async (id, n) => until("it has begun", async () => (await seen(id)).filter((one) => one === "slow begun").length > n);
  const count = async (id) => (await seen(id)).filter((one) => one === "slow begun").length;

  test("changed roots reach an older server in the caller's own session, whichever copy is told", async () => {
    const client = await Legacy.open(stack, "2025-11-25", { ...at("old"), capabilities });
    await call(client, "echo", { message: "x" });
    const before = (await seen("old")).filter((one) => one === "roots changed").length;
    assert.equal((await client.notify("notifications/roots/list_changed")).status, 202);
    await client.send({ jsonrpc: "2.0", method: "notifications/roots/list_changed" }, { url: at("old", 1).url });
    await until("both came", async () => (await seen("old")).filter((one) => one === "roots changed").length === before + 2);
  });

  for (const id of ids) {
    test(`a modern caller that leaves stops the work at ${id}`, async () => {
      const n = await count(id);
      await slow(id, async () => {
        const client = new Modern(stack, at(id));
        const message = client.message("tools/call", { name: "test_slow", arguments: {} });
        const asked = begin(client.url, { headers: client.headers("tools/call", { name: "test_slow" }), body: JSON.stringify(message) });
        await begun(id, n);
        asked.destroy();
      });
    });

    test(`notifications/cancelled of an older caller, told to another copy, stops the work at ${id}; a lost connection does not`, async () => {
      const n = await count(id);
      const client = await Legacy.open(stack, "2025-11-25", at(id));
      const cancelled = (await seen(id)).filter((one) => one === "slow cancelled").length;
      const stream = begin(client.url, { headers: client.headers(), body: JSON.stringify({ jsonrpc: "2.0", id: "x-1", method: "tools/call", params: { name: "test_slow", arguments: { ms: 20_000 } } }) });
      await begun(id, n);
      stream.destroy();
      for (let i = 0; i < 3; i++) assert.equal((await seen(id)).filter((one) => one === "slow cancelled").length, cancelled);
      await slow(id, () => client.send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: "x-1", reason: "enough" } }, { url: at(id, 1).url }));
    });

    test(`a call that takes too long is cancelled at ${id}`, async () => {
      const headers = { "x-api-key": stack.key, "Content-Type": "application/json" };
      const answer = await request(`${stack.base}/api/v1/mcps/${id}/call`, { method: "POST", headers, body: JSON.stringify({ tool_name: "test_slow", arguments: {}, timeout_ms: 1000 }) });
      assert.equal(answer.status, 504, answer.text);
      await until("the server has stopped", async () => {
        const all = await seen(id);
        return all.filter((one) => one === "slow cancelled").length === all.filter((one) => one === "slow begun").length;
      });
    });

    test(`progress and logs of a hundred steps come before the result at ${id}, in order, in both eras`, async () => {
      const modern = new Modern(stack, at(id));
      const legacy = await Legacy.open(stack, "2025-11-25", at(id));
      await legacy.result("logging/setLevel", { level: "debug" });
      for (let i = 0; i < 5; i++) {
        const answers = await Promise.all([1, 2, 3].flatMap((token) => [
          modern.post("tools/call", { name: "test_steps", arguments: { n: 100 } }, { meta: { progressToken: token, "io.modelcontextprotocol/logLevel": "info" } }),
          legacy.post("tools/call", { name: "test_steps", arguments: { n: 100 }, _meta: { progressToken: `t${token}` } }),
        ]));
        for (const answer of answers) {
          const all = answer.events.filter(({ data }) => data).map(({ data }) => JSON.parse(data));
          assert.ok(all.at(-1).result, "the result is the last");
          assert.deepEqual(all.filter(({ method }) => method === "notifications/progress").map(({ params }) => params.progress), Array.from({ length: 100 }, (_, k) => k + 1));
        }
      }
    });
  }
});

describe("logs", () => {
  const levels = (answer) => answer.events.filter(({ data }) => data).map(({ data }) => JSON.parse(data)).filter(({ method }) => method === "notifications/message").map(({ params }) => params.level);
  for (const id of ["old", "new"]) {
    test(`a modern caller hears those of ${id} that it asked for with the request, and none without`, async () => {
      const client = new Modern(stack, at(id));
      const level = (text) => ({ meta: { "io.modelcontextprotocol/logLevel": text } });
      assert.deepEqual(levels(await client.post("tools/call", { name: "test_levels", arguments: {} }, level("warning"))), ["warning", "error"]);
      assert.deepEqual(levels(await client.post("tools/call", { name: "test_levels", arguments: {} }, level("debug"))), ["debug", "info", "warning", "error"]);
      assert.deepEqual(levels(await client.post("tools/call", { name: "test_levels", arguments: {} })), []);
    });

    test(`an older caller hears those of ${id} from the level of its session on, at every copy`, async () => {
      const client = await Legacy.open(stack, "2025-11-25", at(id));
      assert.deepEqual(await client.result("logging/setLevel", { level: "warning" }), {});
      for (const copy of [0, 1]) await until("the copy knows", async () =>
        levels(await client.post("tools/call", { name: "test_levels", arguments: {} }, { url: at(id, copy).url })).join() === "warning,error");
      assert.equal((await client.error("logging/setLevel", { level: "loud" })).code, -32602);
    });
  }
});
