// What changes is told: list_changed and resources/updated on the open streams of both eras, on
// every copy of the gateway, within a second; and sessions outlive the copy that made them.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { KINDS, connect } from "./clients.mjs";
import { request } from "./http.mjs";
import { LEGACY, Legacy, MODERN, Modern } from "./mcp.mjs";
import { natsRequest } from "./nats.mjs";
import { command, document, server, skill, subagent } from "./samples.mjs";
import { checkMessage, learn } from "./schema.mjs";
import { startStack, useStack } from "./stack.mjs";
import { pause, until, within } from "./wait.mjs";

const SOON_MS = 1000;
const ALL = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true };
let hub;
let n = 0;
const stack = useStack({ before, after }, { gateways: 2, args: ["--no-starter"], env: { MAL_SSE_KEEPALIVE_MS: "200" } }, async () => {
  hub = new Modern(stack);
  learn(await hub.all("tools/list", "tools"));
});

/** Changes of each kind, and the one notification that follows. */
const changes = [
  ["a skill with a document", "notifications/resources/list_changed",
    (id) => hub.ok("mal_register_skill", skill(id, { asset_content: document(id) }))],
  ["a command", "notifications/prompts/list_changed", (id) => hub.ok("mal_register_command", command(id))],
  ["a subagent", "notifications/prompts/list_changed", (id) => hub.ok("mal_register_subagent", subagent(id))],
  ["a server", "notifications/tools/list_changed", (id) => hub.ok("mal_register_mcp", server(id))],
];

/** The notifications of a stream up to a marker that is sent after the change. */
async function hears(stream, method) {
  const started = Date.now();
  for (;;) {
    const message = await stream.next(SOON_MS);
    assert.ok(message, "the stream is open");
    if (message.method === method) return { message, ms: Date.now() - started };
  }
}

describe("registering", () => {
  for (const [what, method, change] of changes) {
    test(`${what} sends ${method} once to open streams of both eras on both copies`, async () => {
      const modern = await Promise.all(stack.urls.map((url) => hub.listen(ALL, { url, id: `w-${++n}` })));
      const sessions = await Promise.all(stack.urls.map((url) => Legacy.open(stack, "2025-11-25", { url })));
      const legacy = await Promise.all(sessions.map((session) => session.stream()));
      try {
        await change(`changes-${++n}`);
        const heard = await Promise.all([...modern, ...legacy].map((stream) => hears(stream, method)));
        heard.slice(0, 2).forEach(({ message }, i) => {
          checkMessage(MODERN, message);
          assert.equal(message.params._meta["io.modelcontextprotocol/subscriptionId"], modern[i].ack.params._meta["io.modelcontextprotocol/subscriptionId"]);
        });
        heard.slice(2).forEach(({ message }) => {
          checkMessage("2025-11-25", message);
          assert.equal(message.params?._meta?.["io.modelcontextprotocol/subscriptionId"], undefined);
        });
        // A second change is the fence: what came until then is all there was of the first.
        await hub.ok("mal_register_command", command(`fence-${++n}`));
        const fence = "notifications/prompts/list_changed";
        await Promise.all([...modern, ...legacy].map((stream) => hears(stream, fence)));
        for (const stream of [...modern, ...legacy]) {
          const count = stream.events.filter((event) => event.data && JSON.parse(event.data).method === method).length;
          assert.equal(count, method === fence ? 2 : 1);
        }
      } finally {
        [...modern, ...legacy].forEach((stream) => stream.close());
        await Promise.all(sessions.map((session) => session.end()));
      }
    });
  }

  for (const kind of KINDS) {
    test(`${kind} hears of a new skill, command and server`, async () => {
      const session = await connect(kind, stack, { url: stack.urls[1] });
      const subscription = kind === "sdk v2 modern" ? await session.client.listen(ALL) : undefined;
      if (!subscription) await until("the client's stream is open", async () => (await stack.metric("gateway-2", "mal_gateway_streams")) > 0);
      const id = `sdk-${++n}`;
      await hub.ok("mal_register_skill", skill(id, { asset_content: document(id) }));
      await hub.ok("mal_register_command", command(id));
      await hub.ok("mal_register_mcp", server(id));
      for (const method of ["resources", "prompts", "tools"])
        await until(`${method}/list_changed`, () => session.notes.some((note) => note.method === `notifications/${method}/list_changed`), { deadline: 2 * SOON_MS });
      await subscription?.close();
      await session.close();
    });
  }
});

describe("subscriptions/listen", () => {
  test("acknowledges first, with the subset that is honoured and the id in its own type", async () => {
    for (const id of ["text", 7]) {
      const stream = await hub.listen({ toolsListChanged: true }, { id });
      assert.deepEqual(stream.ack.params.notifications, { toolsListChanged: true });
      assert.strictEqual(stream.ack.params._meta["io.modelcontextprotocol/subscriptionId"], id);
      stream.close();
    }
  });

  test("sends nothing that was not asked for", async () => {
    const stream = await hub.listen({ promptsListChanged: true }, { id: "only" });
    await hub.ok("mal_register_skill", skill(`unasked-${++n}`, { asset_content: document("x") }));
    await hub.ok("mal_register_mcp", server(`unasked-${++n}`));
    await hub.ok("mal_register_command", command(`asked-${++n}`));
    const message = await stream.next(SOON_MS);
    assert.equal(message.method, "notifications/prompts/list_changed");
    assert.equal(stream.events.length, 2, "the acknowledgement and the one message");
    stream.close();
  });

  test("a changed document is told to those who asked for its uri", async () => {
    const id = `watched-${++n}`;
    await hub.ok("mal_register_skill", skill(id, { asset_content: document(id) }));
    const uri = `skill://${id}/SKILL.md`;
    const stream = await hub.listen({ resourceSubscriptions: [uri] }, { url: stack.urls[1] });
    assert.deepEqual(stream.ack.params.notifications, { resourceSubscriptions: [uri] });
    const session = await Legacy.open(stack, "2025-06-18");
    await session.result("resources/subscribe", { uri });
    const legacy = await session.stream({ url: stack.urls[1] });
    await hub.ok("mal_update_skill", { id, asset_content: document(id, "New words.") });
    for (const open of [stream, legacy]) {
      const { message } = await hears(open, "notifications/resources/updated");
      assert.equal(message.params.uri, uri);
    }
    await session.result("resources/unsubscribe", { uri });
    await hub.ok("mal_update_skill", { id, asset_content: document(id, "Newer words.") });
    await hears(stream, "notifications/resources/updated");
    assert.equal(legacy.events.filter((event) => /resources\/updated/.test(event.data)).length, 1);
    stream.close();
    legacy.close();
    await session.end();
  });

  test("without params.notifications is -32602", async () => {
    assert.equal((await hub.error("subscriptions/listen", {})).code, -32602);
  });

  test("keep-alive comments come between messages", async () => {
    const stream = await hub.listen(ALL);
    await until("two comments", () => stream.comments >= 2);
    assert.equal(stream.headers["x-accel-buffering"], "no");
    stream.close();
  });
});

describe("legacy GET streams", () => {
  test("each message goes to one stream of a session only", async () => {
    const session = await Legacy.open(stack, "2025-11-25");
    const streams = [await session.stream(), await session.stream({ url: stack.urls[1] })];
    const live = streams.filter((stream) => stream.status === 200);
    assert.ok(live.length >= 1);
    await hub.ok("mal_register_command", command(`once-${++n}`));
    const count = () => live.reduce((sum, stream) => sum + stream.events.filter((event) => /prompts\/list_changed/.test(event.data)).length, 0);
    await until("the message", () => count() > 0, { deadline: SOON_MS });
    await hub.ok("mal_register_command", command(`once-${++n}`));
    await until("the second message", () => count() > 1, { deadline: SOON_MS });
    assert.equal(count(), 2);
    live.forEach((stream) => stream.close());
    await session.end();
  });

  test("a session's stream ends when the session does", async () => {
    const session = await Legacy.open(stack, "2025-11-25");
    const stream = await session.stream();
    await session.end();
    await until("the stream ends", () => stream.ended);
  });

  test("a stream that is opened while its session ends is refused or ends as well", async () => {
    const round = async (i) => {
      const session = await Legacy.open(stack, "2025-11-25");
      // Some milliseconds apart, another number each time: the end is to meet each point of the opening.
      const ended = (i % 8 ? pause(i % 8) : Promise.resolve()).then(() => session.end());
      const stream = await session.stream();
      await ended;
      assert.ok([200, 404].includes(stream.status), `${stream.status} ${stream.text}`);
      return stream;
    };
    for (let i = 0; i < 40; i++) {
      const streams = await Promise.all(Array.from({ length: 8 }, (_, at) => round(i + at)));
      await until("the streams end", () => streams.every((stream) => stream.ended));
    }
  });
});

describe("sessions", () => {
  for (const version of LEGACY) {
    test(`of ${version} are served by any copy, and survive kill -9 of the one that made them`, async () => {
      const session = await Legacy.open(stack, version);
      session.url = stack.urls[1];
      assert.ok((await session.result("tools/list")).tools.length > 0);
      await stack.kill("gateway");
      assert.ok((await session.result("tools/list")).tools.length > 0);
      session.url = stack.urls[0];
      await until("the killed copy is back", async () => (await session.post("ping")).status === 200, { deadline: 15_000 });
      assert.deepEqual(await session.result("ping"), {});
      assert.ok([200, 204].includes((await session.end()).status));
      session.url = stack.urls[1];
      await until("the end is known everywhere", async () => (await session.post("ping")).status === 404);
    });
  }

  test("a client with a stream on a killed copy hears everything again after it reconnects", async () => {
    const session = await Legacy.open(stack, "2025-11-25");
    const lost = await session.stream();
    await stack.kill("gateway");
    await until("the stream is lost", () => lost.ended);
    const stream = await session.stream({ url: stack.urls[1] });
    assert.equal(stream.status, 200);
    await hub.post("ping").catch(() => {});
    const client = new Modern(stack, { url: stack.urls[1] });
    await client.ok("mal_register_command", command(`again-${++n}`));
    await hears(stream, "notifications/prompts/list_changed");
    stream.close();
    await stack.ready("gateway");
    await session.end();
  });
});

describe("limits of sessions", () => {
  test("beyond MAL_MAX_SESSIONS initialize gets 503, idle ones end after MAL_SESSION_TIMEOUT_MS, and lost ones are found out", async () => {
    const small = await startStack({ args: ["--no-starter"], env: { MAL_MAX_SESSIONS: "3", MAL_SESSION_TIMEOUT_MS: "1500" } });
    try {
      const open = () => request(small.url, {
        headers: { "Content-Type": "application/json", Accept: "application/json, text/event-stream", "x-api-key": small.key },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "x", version: "1" } } }),
      });
      const first = await Legacy.open(small, "2025-11-25");
      for (let i = 0; i < 2; i++) assert.equal((await open()).status, 200);
      const refused = await open();
      assert.equal(refused.status, 503);
      assert.ok(Number(refused.headers["retry-after"]) > 0);
      await until("the idle sessions end", async () => (await open()).status === 200, { deadline: 10_000, every: 200 });
      assert.equal((await first.post("ping")).status, 404);
      // One that is gone from the bucket without a word of it.
      const lost = await until("there is room", () => Legacy.open(small, "2025-11-25"));
      const stream = await lost.stream();
      assert.match(await natsRequest(small.now().nats_url, "$JS.API.STREAM.PURGE.KV_MAL_SESSIONS"), /"success":\s*true/);
      await until("its stream ends", () => stream.ended);
      assert.equal((await lost.post("ping")).status, 404);
    } finally {
      await small.stop();
    }
  });

  test("an orderly stop gives open listens their final result", async () => {
    const one = await startStack({ args: ["--no-starter"] });
    const stream = await new Modern(one).listen(ALL, { id: "last" });
    const stopped = one.stop();
    const final = await within(10_000, "the final result", stream.next(10_000));
    assert.equal(final?.id, "last", JSON.stringify(final));
    assert.equal(final.result.resultType, "complete");
    await stopped;
  });
});
