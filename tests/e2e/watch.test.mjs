// What downstream servers tell at /mcp/{server}: changes of lists and resources, logs, progress; and
// what callers tell them: levels, roots, cancellations. Over HTTP and stdio, for callers of both eras.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fixture, register } from "./downstream.mjs";
import { request } from "./http.mjs";
import { Legacy, Modern } from "./mcp.mjs";
import { server as registration } from "./samples.mjs";
import { useStack } from "./stack.mjs";
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

describe("older servers", () => {
  test("refuse a subscription in their own words", async () => {
    const client = await Legacy.open(stack, "2025-11-25", at("old"));
    const { code, data } = await client.error("resources/subscribe", { uri: "bad:one" });
    assert.equal(code, -32602);
    assert.deepEqual(data, { uri: "bad:one" });
  });
});
