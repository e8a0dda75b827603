// A caller's session at the endpoint of a legacy server, whose requests come to several gateways, has one
// session with that server: from its first request to its end, and through the death of a gateway.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { register } from "./downstream.mjs";
import { openStream } from "./http.mjs";
import { Legacy, Modern } from "./mcp.mjs";
import { Nats, natsRequest } from "./nats.mjs";
import { rawServer } from "./raw-server.mjs";
import { descriptors, residentKib, useStack } from "./stack.mjs";
import { setPolicy } from "./stdio.mjs";
import { pause, until } from "./wait.mjs";

const SESSIONS = 2000;
const SHORT_MS = 2000;
const ELICIT = { elicitation: {} };
const waiting = new Map();
let server;
let urls;
const stack = useStack({ before, after }, { gateways: 3, args: ["--no-starter"], env: { MAL_SESSION_TIMEOUT_MS: "15000" } }, async () => {
  const ask = (session, id) => server.streams.get(session)?.write(`data: ${JSON.stringify({ jsonrpc: "2.0", id, method: "elicitation/create", params: { message: "Who?", requestedSchema: { type: "object", properties: {} } } })}\n\n`);
  const expect = (id, reply) => waiting.set(id, (answer) => reply({ content: [{ type: "text", text: JSON.stringify(answer.result ?? answer.error) }] }));
  server = await rawServer({
    // Until somebody's question is answered.
    waits: { run: ({ reply }) => (server.release = () => reply({ content: [] })) },
    // Asks on the session's own stream, as a server does that does not relate its question to the call.
    asks: {
      run: ({ reply, session, message }) => {
        expect(`q-${message.id}`, reply);
        ask(session, `q-${message.id}`);
      },
    },
    // On the call's own stream, which it leaves open.
    here: {
      run: ({ res, message }) => {
        const question = { jsonrpc: "2.0", id: `h-${message.id}`, method: "elicitation/create", params: { message: "Who?", requestedSchema: { type: "object", properties: {} } } };
        res.writeHead(200, { "Content-Type": "text/event-stream" }).write(`data: ${JSON.stringify(question)}\n\n`);
        server.finish = () => res.end(`data: ${JSON.stringify({ jsonrpc: "2.0", id: message.id, result: { content: [] } })}\n\n`);
      },
    },
    // The same, but not before it is told to.
    later: {
      run: ({ reply, session, message }) => {
        expect(`q-${message.id}`, reply);
        server.ask = () => ask(session, `q-${message.id}`);
      },
    },
  }, { stream: true, capabilities: { tools: {}, resources: { subscribe: true }, logging: {} } });
  server.answered = (message) => {
    if (!waiting.has(message.id)) return;
    waiting.get(message.id)(message);
    server.release?.();
    server.release = undefined;
  };
  await register(stack, "one", server.url);
  await register(stack, "short", server.url);
  await setPolicy(stack, "short", { tool_timeouts: { later: String(SHORT_MS) } });
  urls = stack.urls.map((url) => `${url}/one`);
});
after(() => server?.close());

const echo = { name: "echo", arguments: { text: "x" } };
const open = (options = {}) => Legacy.open(stack, "2025-11-25", { url: urls[0], ...options });
const used = (calls) => new Set(calls.map(({ headers }) => headers["mcp-session-id"]));

/** A call of the session at a gateway; its text. */
async function callAt(client, url, params = echo) {
  const { message } = await client.post("tools/call", params, { url });
  assert.ok(message.result, JSON.stringify(message));
  assert.ok(!message.result.isError, message.result.content?.[0]?.text);
  return message.result.content[0].text;
}

/** What the server saw of calls while work ran. */
async function seen(work) {
  const from = server.seen.length;
  await work();
  return server.seen.slice(from).filter(({ message }) => message?.method === "tools/call");
}

describe("a caller's session", () => {
  test("has one session with the server, whichever gateway its requests come to", async () => {
    const [client, other] = await Promise.all([open(), open()]);
    const calls = await seen(async () => {
      for (const url of [...urls, ...urls]) assert.equal(await callAt(client, url), "x");
    });
    assert.equal(calls.length, 6);
    assert.equal(new Set(calls.map(({ message }) => message.id)).size, 6, "each request has an id of its own");
    assert.equal(used(calls).size, 1);
    const foreign = await seen(() => callAt(other, urls[1]));
    assert.ok(!used(calls).has([...used(foreign)][0]), "another caller's session has another");
  });

  test("has one even when its first calls come to all gateways at once", async () => {
    const client = await open();
    const ended = server.ended.length;
    const first = await seen(() => Promise.all(urls.map((url) => callAt(client, url))));
    const later = await seen(() => Promise.all(urls.map((url) => callAt(client, url))));
    assert.equal(used(later).size, 1);
    assert.ok([...used(first)].every((id) => used(later).has(id)), "no call went to a session that was not kept");
    await until("what was opened in vain is ended", () => [...server.ended.slice(ended)].every((id) => !used(later).has(id)));
  });

  test("is initialized anew once when the server forgot it, however many gateways notice", async () => {
    const client = await open();
    for (const url of urls) await callAt(client, url);
    const [before] = used(await seen(() => callAt(client, urls[0])));
    server.sessions.delete(before);
    await Promise.all([...urls, ...urls].map((url) => callAt(client, url)));
    const after = used(await seen(async () => {
      for (const url of urls) await callAt(client, url);
    }));
    assert.equal(after.size, 1);
    assert.ok(!after.has(before));
    // And again, where the copies know different sessions.
    server.sessions.delete([...after][0]);
    await callAt(client, urls[0]);
    server.sessions.delete([...used(await seen(() => callAt(client, urls[0])))][0]);
    assert.equal(await callAt(client, urls[1]), "x");
  });

  test("ends the server's session when it ends", async () => {
    const client = await open();
    await callAt(client, urls[2]);
    const [id] = used(await seen(() => callAt(client, urls[0])));
    await client.send(undefined, { method: "DELETE", headers: { "Content-Type": undefined }, url: urls[1] });
    await until("the server is told", () => server.ended.includes(id));
  });

  test("ends it, too, when nobody used it for long", async () => {
    const client = await open();
    const [id] = used(await seen(() => callAt(client, urls[0])));
    await until("the server is told", () => server.ended.includes(id), { deadline: 60_000 });
  });

  test("is kept by the others when a gateway dies", async () => {
    const client = await open();
    const [id] = used(await seen(() => callAt(client, urls[2])));
    await stack.kill("gateway-3");
    const calls = await seen(async () => {
      for (const url of urls.slice(0, 2)) await callAt(client, url);
    });
    assert.deepEqual([...used(calls)], [id]);
    assert.ok(!server.ended.includes(id));
    await stack.ready("gateway-3");
    assert.deepEqual([...used(await seen(() => callAt(client, urls[2])))], [id]);
  });
});

describe("callers without a session", () => {
  test("share one with the server only under the same key and with the same capabilities", async () => {
    const { secret } = JSON.parse((await stack.mal("keys", "add", "other", "--scopes", "all", "--json")).stdout);
    const sessionOf = async (options) => {
      const client = new Modern(stack, { url: urls[0], ...options });
      const [id] = used(await seen(() => client.result("tools/call", echo)));
      return id;
    };
    const mine = await sessionOf({});
    assert.equal(await sessionOf({}), mine);
    assert.notEqual(await sessionOf({ key: secret }), mine);
    assert.notEqual(await sessionOf({ capabilities: ELICIT }), mine);
  });
});

describe("the stream of the server's session", () => {
  test("is one gateway's, and a question on it reaches the call that another runs", async () => {
    const client = await open({ capabilities: ELICIT });
    const [id] = used(await seen(() => callAt(client, urls[0])));
    await until("it is heard", () => server.streams.has(id));
    for (const url of [urls[1], urls[2]]) {
      const stream = await openStream(url, { headers: client.headers(), body: JSON.stringify({ jsonrpc: "2.0", id: `call ${url}`, method: "tools/call", params: { name: "asks", arguments: {} } }) });
      const question = await stream.next();
      assert.equal(question.method, "elicitation/create");
      const answered = await client.send({ jsonrpc: "2.0", id: question.id, result: { action: "accept", content: { name: "Ana" } } }, { url: urls[0] });
      assert.equal(answered.status, 202);
      const { result } = await stream.next();
      assert.deepEqual(JSON.parse(result.content[0].text), { action: "accept", content: { name: "Ana" } });
      stream.close();
    }
    assert.equal(server.conflicts, 0, "no second stream was asked for");
  });

  test("has a question asked once, though several gateways run a call", async () => {
    const client = await open({ capabilities: ELICIT });
    const [id] = used(await seen(() => callAt(client, urls[0])));
    await until("it is heard", () => server.streams.has(id));
    let asked = 0;
    const run = async (url, name) => {
      const stream = await openStream(url, { headers: client.headers(), timeout: 60_000, body: JSON.stringify({ jsonrpc: "2.0", id: `${name} of two`, method: "tools/call", params: { name, arguments: {} } }) });
      for (let message = await stream.next(60_000); message && !message.result; message = await stream.next(60_000)) {
        asked++;
        await client.send({ jsonrpc: "2.0", id: message.id, result: { action: "decline" } }, { url: urls[0] });
      }
    };
    const waits = run(urls[2], "waits");
    await until("the other call runs", () => server.release);
    await Promise.all([waits, run(urls[1], "asks")]);
    assert.equal(asked, 1);
  });

  /** The messages of a response that may be a stream or, when nothing comes before it, the answer alone. */
  const messages = (response) => ({
    next: async () => {
      const stream = await response;
      if (!/json/.test(stream.headers["content-type"])) return stream.next(60_000);
      await until("the answer is whole", () => stream.ended);
      return JSON.parse(stream.text);
    },
    close: async () => (await response).close(),
  });
  /** A session with two calls that run at the gateways: `waits`, begun last, and `later`, which asks now. */
  const twoCalls = async (later, waits) => {
    server.ask = server.release = undefined;
    const client = await open({ capabilities: ELICIT, url: later });
    const [id] = used(await seen(() => callAt(client, later)));
    await until("it is heard", () => server.streams.has(id));
    const call = (url, name) => messages(openStream(url, { headers: client.headers(), timeout: 60_000, body: JSON.stringify({ jsonrpc: "2.0", id: `${name} of both`, method: "tools/call", params: { name, arguments: {} } }) }));
    const streams = { later: call(later, "later") };
    await until("it runs", () => server.ask);
    streams.waits = call(waits, "waits");
    await until("both run", () => server.release);
    const answer = (question) => client.send({ jsonrpc: "2.0", id: question.id, result: { action: "accept", content: { name: "Ana" } } }, { url: later });
    server.ask();
    return { ...streams, answer };
  };
  const given = (message) => assert.deepEqual(JSON.parse(message.result.content[0].text), { action: "accept", content: { name: "Ana" } }, JSON.stringify(message));

  for (const [where, at] of [["one gateway", 0], ["two gateways", 1]]) {
    test(`may be answered slowly, whichever call of ${where} it was told to`, async () => {
      const short = stack.urls.map((url) => `${url}/short`);
      const calls = await twoCalls(short[0], short[at]);
      const first = { later: calls.later.next(), waits: calls.waits.next() };
      const question = await Promise.race(Object.values(first));
      assert.equal(question.method, "elicitation/create");
      await pause(2 * SHORT_MS); // longer than the call that waits for the answer may take
      await calls.answer(question);
      const ends = await Promise.all(Object.entries(first).map(async ([name, promise]) => {
        const message = await promise;
        return [name, message.id === question.id ? await calls[name].next() : message];
      }));
      given(Object.fromEntries(ends).later);
    });
  }

  const withdraw = (session, id) => server.streams.get(session).write(`data: ${JSON.stringify({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id, reason: "never mind" } })}\n\n`);

  for (const [where, at] of [["the gateway that hears it", 0], ["another gateway", 1]])
    test(`takes back a question that a call at ${where} asks`, async () => {
      const client = await open({ capabilities: ELICIT });
      const [id] = used(await seen(() => callAt(client, urls[0])));
      await until("it is heard", () => server.streams.has(id));
      const stream = await openStream(urls[at], { headers: client.headers(), timeout: 60_000, body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "asks", arguments: {} } }) });
      const question = await stream.next();
      const [call] = server.calls("asks").slice(-1);
      withdraw(id, `q-${call.message.id}`);
      const note = await stream.next();
      assert.deepEqual([note.method, note.params?.requestId], ["notifications/cancelled", question.id]);
      waiting.get(`q-${call.message.id}`)({ result: "withdrawn" });
      assert.equal((await stream.next()).result.content[0].text, '"withdrawn"');
    });

  for (const how of ["cancelled at another gateway", "answered"])
    test(`answers the question of a call that is ${how}, and takes it back from the caller`, async () => {
      const client = await open({ capabilities: ELICIT });
      const stream = await openStream(urls[0], { headers: client.headers(), timeout: 60_000, body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "here", arguments: {} } }) });
      const question = await stream.next();
      assert.equal(question.method, "elicitation/create");
      const [call] = server.calls("here").slice(-1);
      const from = server.seen.length;
      const heard = (fn) => server.seen.slice(from).some(({ message }) => message && fn(message));
      if (how === "answered") server.finish();
      else await client.send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } }, { url: urls[1] });
      const note = await stream.next();
      assert.deepEqual([note.method, note.params?.requestId], ["notifications/cancelled", question.id]);
      await until("the server has its answer", () => heard(({ id, error }) => id === `h-${call.message.id}` && error));
      if (how === "answered") assert.deepEqual((await stream.next()).result, { content: [] });
      else await until("and hears of the call", () => heard(({ method, params }) => method === "notifications/cancelled" && params.requestId === call.message.id));
      stream.close();
    });

  test("takes back a question that nobody was asked yet, and one that waits is asked when a call begins", async () => {
    const client = await open({ capabilities: ELICIT });
    const [id] = used(await seen(() => callAt(client, urls[0])));
    await until("it is heard", () => server.streams.has(id));
    const question = (name) => server.streams.get(id).write(`data: ${JSON.stringify({ jsonrpc: "2.0", id: name, method: "elicitation/create", params: { message: name, requestedSchema: { type: "object", properties: {} } } })}\n\n`);
    server.release = undefined;
    question("withdrawn");
    withdraw(id, "withdrawn");
    question("waits");
    const stream = await openStream(urls[2], { headers: client.headers(), timeout: 60_000, body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "waits", arguments: {} } }) });
    const first = await stream.next();
    assert.equal(first.params?.message, "waits", JSON.stringify(first));
    await client.send({ jsonrpc: "2.0", id: first.id, result: { action: "decline" } });
    server.release();
    server.release = undefined;
    assert.ok((await stream.next()).result, "the one that was withdrawn is not asked");
    const refused = new Promise((resolve) => { waiting.set("refused", resolve); });
    question("refused");
    assert.equal((await refused).error.code, -32601, "in the end somebody has to answer");
  });

  test("is asked though the bus stood still when its caller left", async () => {
    const calls = await twoCalls(urls[0], urls[0]);
    assert.equal((await calls.waits.next()).method, "elicitation/create");
    process.kill(stack.pid("nats"), "SIGSTOP");
    try {
      await calls.waits.close();
      await pause(1500); // longer than one look for who can be asked takes
    } finally {
      process.kill(stack.pid("nats"), "SIGCONT");
    }
    const second = await calls.later.next();
    assert.equal(second.method, "elicitation/create", JSON.stringify(second));
    await calls.answer(second);
    given(await calls.later.next());
  });

  test("is given once to a gateway that takes it, but stands still before it can say so", async () => {
    const client = await open({ capabilities: ELICIT });
    const [id] = used(await seen(() => callAt(client, urls[0])));
    await until("it is heard", () => server.streams.has(id));
    // The test is that gateway: no other runs a call of the session.
    const nats = await Nats.open(stack.now().nats_url);
    const instance = "f".repeat(32);
    const given = [];
    let taken;
    const said = new Promise((done) => (taken = done));
    await nats.subscribe(`mal.gateway.v1.alive.${instance}`, async ({ reply, data }) => {
      given.push(data.toString());
      await pause(1500); // longer than whoever gave it waited before it was given again
      taken(nats.publish(reply, "+"));
    });
    await nats.subscribe("mal.gateway.v1.heard.*", ({ reply, data }) => reply && data.length === 0 && nats.publish(reply, instance));
    server.streams.get(id).write(`data: ${JSON.stringify({ jsonrpc: "2.0", id: "once", method: "elicitation/create", params: { message: "Who?", requestedSchema: { type: "object", properties: {} } } })}\n\n`);
    await said;
    nats.close();
    assert.equal(given.length, 1, given.join("\n"));
  });

  test("is asked on another call when the one that it was told to ends", async () => {
    const calls = await twoCalls(urls[0], urls[0]);
    const first = await calls.waits.next();
    assert.equal(first.method, "elicitation/create", "the newest call is asked");
    server.release();
    server.release = undefined;
    const withdrawn = await calls.waits.next();
    assert.deepEqual([withdrawn.method, withdrawn.params.requestId], ["notifications/cancelled", first.id]);
    assert.ok((await calls.waits.next()).result);
    const second = await calls.later.next();
    assert.equal(second.method, "elicitation/create");
    assert.notEqual(second.id, first.id);
    await calls.answer(second);
    given(await calls.later.next());
  });

  test("is asked on another call when the caller left the one that it was told to", async () => {
    const calls = await twoCalls(urls[0], urls[0]);
    assert.equal((await calls.waits.next()).method, "elicitation/create");
    await calls.waits.close();
    const second = await calls.later.next();
    assert.equal(second.method, "elicitation/create", JSON.stringify(second));
    await calls.answer(second);
    given(await calls.later.next());
  });

  const isTakenBack = async (calls, question) => {
    assert.equal(question.method, "elicitation/create");
    const note = await calls.later.next();
    assert.deepEqual([note.method, note.params?.requestId], ["notifications/cancelled", question.id]);
  };

  test("is not asked on another call when it is withdrawn as its call ends", async () => {
    for (let i = 0; i < 20; i++) {
      const calls = await twoCalls(urls[0], urls[0]);
      assert.equal((await calls.waits.next()).method, "elicitation/create");
      const [{ message, headers }] = server.calls("later").slice(-1);
      server.release();
      server.release = undefined;
      withdraw(headers["mcp-session-id"], `q-${message.id}`);
      const withdrawn = await calls.waits.next();
      assert.equal(withdrawn.method, "notifications/cancelled");
      assert.ok((await calls.waits.next()).result);
      // Asked and taken back, or not asked at all, as the two streams of the server are ordered.
      let next = calls.later.next();
      // It may be asked later, too: that is looked at after the answer.
      if (await Promise.race([next, pause(100)])) await isTakenBack(calls, await next), next = calls.later.next();
      waiting.get(`q-${message.id}`)({ result: "withdrawn" });
      if ((await next).method) await isTakenBack(calls, await next), next = calls.later.next();
      assert.equal((await next).result?.content[0].text, '"withdrawn"', JSON.stringify(await next));
    }
  });

  test("is taken over when its gateway dies", async () => {
    const client = await open({ capabilities: ELICIT, url: urls[1] });
    const [id] = used(await seen(() => callAt(client, urls[1])));
    await until("it is heard", () => server.streams.has(id));
    await callAt(client, urls[0]);
    await stack.kill("gateway-2");
    await until("another hears it", async () => {
      await callAt(client, urls[0]);
      return server.streams.has(id);
    }, { deadline: 30_000 });
    assert.deepEqual([...used(await seen(() => callAt(client, urls[2])))], [id]);
    await stack.ready("gateway-2");
  });

  test("brings the logs that the caller wants to its own stream, at whichever gateway that is", async () => {
    const client = await open();
    const stream = await client.stream({ url: urls[2] });
    await client.post("logging/setLevel", { level: "info" }, { url: urls[0] });
    const [id] = used(await seen(() => callAt(client, urls[1])));
    await until("it is heard", () => server.streams.has(id));
    const params = { level: "info", data: "hello" };
    for (const method of ["notifications/tools/list_changed", "notifications/message"])
      server.streams.get(id).write(`data: ${JSON.stringify({ jsonrpc: "2.0", method, params })}\n\n`);
    assert.deepEqual(await stream.next(), { jsonrpc: "2.0", method: "notifications/message", params });
    stream.close();
  });

  test("has the level that its caller asked for, whichever gateway begins it anew", async () => {
    const client = await open();
    await client.post("logging/setLevel", { level: "warning" }, { url: urls[0] });
    for (const url of [urls[1], urls[0]]) {
      await until("the level is known there", async () => {
        server.sessions.clear();
        const from = server.seen.length;
        await callAt(client, url);
        const told = server.seen.slice(from).filter(({ message, headers }) => server.sessions.has(headers["mcp-session-id"]) && message?.id !== undefined && message.method);
        return told.map(({ message: { method, params } }) => [method, params.level].join(" ")).join() === "logging/setLevel warning,tools/call ";
      });
    }
  });

  test("brings a modern caller the logs that it asked for with its call", async () => {
    const client = new Modern(stack, { url: urls[0], capabilities: ELICIT });
    server.release = undefined;
    const params = { name: "waits", arguments: {} };
    const message = client.message("tools/call", params, { meta: { "io.modelcontextprotocol/logLevel": "warning" } });
    const stream = messages(openStream(urls[0], { headers: client.headers("tools/call", params), timeout: 60_000, body: JSON.stringify(message) }));
    await until("it runs", () => server.release);
    const [{ headers: { "mcp-session-id": id } }] = server.calls("waits").slice(-1);
    for (const level of ["info", "error"]) server.streams.get(id).write(`data: ${JSON.stringify({ jsonrpc: "2.0", method: "notifications/message", params: { level, data: level } })}\n\n`);
    assert.deepEqual((await stream.next()).params, { level: "error", data: "error" });
    server.release();
    assert.deepEqual((await stream.next()).result.content, []);
  });

  test("is heard for a caller that declared nothing but has tasks, and what that tells reaches the server", async () => {
    const client = await open();
    const stream = await client.stream({ url: urls[2] });
    const from = server.seen.length;
    await client.post("tasks/list", {}, { url: urls[1] });
    const { headers: { "mcp-session-id": id } } = server.seen.slice(from).find(({ message }) => message?.method === "tasks/list");
    await until("it is heard", () => server.streams.has(id));
    const status = { jsonrpc: "2.0", method: "notifications/tasks/status", params: { taskId: "t", status: "working", createdAt: "2025-11-25T10:30:00Z", lastUpdatedAt: "2025-11-25T10:30:00Z", ttl: null } };
    server.streams.get(id).write(`data: ${JSON.stringify(status)}\n\n`);
    assert.deepEqual(await stream.next(), status);
    await client.notify(status.method, status.params);
    await until("the server hears it", () => server.seen.some(({ message, headers }) => headers["mcp-session-id"] === id && message?.method === status.method));
    stream.close();
  });

  for (const [version, told] of [
    ["2025-11-25", ["notifications/elicitation/complete", "notifications/tasks/status", "notifications/message", "notifications/vendor"]],
    ["2025-06-18", ["notifications/message", "notifications/vendor"]],
  ])
    test(`brings a caller of ${version} what its revision knows and its level wants, one by one or in a batch`, async () => {
      const client = await Legacy.open(stack, version, { url: urls[0], capabilities: ELICIT });
      const stream = await client.stream({ url: urls[2] });
      await client.post("logging/setLevel", { level: "error" }, { url: urls[2] });
      const [id] = used(await seen(() => callAt(client, urls[1])));
      await until("it is heard", () => server.streams.has(id));
      const notes = [
        ["notifications/elicitation/complete", { elicitationId: "e" }],
        ["notifications/tasks/status", { taskId: "t", status: "working", createdAt: "2025-11-25T10:30:00Z", lastUpdatedAt: "2025-11-25T10:30:00Z", ttl: null }],
        ["notifications/message", { level: "info", data: "too low" }],
        ["notifications/message", { level: "error", data: "heard" }],
        ["notifications/vendor", {}],
      ].map(([method, params]) => ({ jsonrpc: "2.0", method, params }));
      const nothing = { jsonrpc: "2.0", id: null, error: { code: -32700, message: "of nothing that was asked" } };
      for (const said of [nothing, ...notes, notes]) server.streams.get(id).write(`data: ${JSON.stringify(said)}\n\n`);
      for (const method of [...told, ...told]) {
        const note = await stream.next();
        assert.deepEqual([note.method, note.params.data], [method, method === "notifications/message" ? "heard" : undefined]);
      }
      stream.close();
    });
});

/** The keys of a bucket; none may be left of what ended. */
const entries = async (bucket) => Object.keys(JSON.parse(await natsRequest(stack.now().nats_url, `$JS.API.STREAM.INFO.KV_${bucket}`, JSON.stringify({ subjects_filter: "$KV.>" }))).state.subjects ?? {});

describe("what a gateway that was killed left behind", () => {
  test("is ended by the next one that starts", async () => {
    const known = new Set(await entries("MAL_LINKS"));
    const client = await open();
    const [id] = used(await seen(() => callAt(client, urls[0])));
    const [link] = (await entries("MAL_LINKS")).filter((one) => !known.has(one));
    // The session is deleted as by a gateway that died right after, and no other saw it.
    const names = ["gateway", "gateway-2", "gateway-3"];
    for (const name of names) process.kill(stack.pid(name), "SIGSTOP");
    await natsRequest(stack.now().nats_url, link.replace("MAL_LINKS", "MAL_SESSIONS"), "", { headers: { "KV-Operation": "DEL" } });
    assert.ok(!server.ended.includes(id));
    await Promise.all(names.map((name) => stack.kill(name)));
    await until("the server is told", () => server.ended.includes(id), { deadline: 30_000 });
    for (const name of names) await stack.ready(name);
  });
});

test("the marks of sessions that ended stay for a while only", async () => {
  const { config } = JSON.parse(await natsRequest(stack.now().nats_url, "$JS.API.STREAM.INFO.KV_MAL_SESSIONS"));
  assert.equal(config.max_age, (2 * 15 + 3600) * 1e9, "twice the longest that a session is not written, and an hour");
});

describe("a session that ends during its first call", () => {
  for (const [where, at] of [["its gateway", 0], ["another gateway", 1]])
    test(`at ${where} leaves nothing behind`, async () => {
      const before = server.sessions.size;
      const known = new Set(await entries("MAL_LINKS"));
      for (let i = 0; i < 20; i++)
        await Promise.all(Array.from({ length: 6 }, async (_, j) => {
          const client = await open();
          const call = client.post("tools/call", echo, { url: urls[0] });
          await pause((i + j) % 10); // the end is to meet each point of the call
          await client.end({ url: urls[at] });
          await call;
        }));
      await until("the server's sessions are ended", () => server.sessions.size <= before, { deadline: 30_000 });
      await until("nothing is kept of them", async () => (await entries("MAL_LINKS")).every((one) => known.has(one)), { deadline: 30_000 });
    });
});

describe("many sessions", () => {
  test("leave no session with the server, no descriptor and no memory behind", { timeout: 120_000 }, async () => {
    const names = ["gateway", "gateway-2", "gateway-3"];
    const measure = () => names.map((name) => ({ fds: descriptors(stack.pid(name)).length, kib: residentKib(stack.pid(name)) }));
    const lives = () => server.sessions.size;
    /** So many sessions one after the other on a few workers, each used at two gateways and ended at a third. */
    const run = async (count) => {
      let left = count;
      await Promise.all(Array.from({ length: 12 }, async (_, worker) => {
        while (left-- > 0) {
          const at = (n) => urls[(worker + n) % urls.length];
          const client = await open({ url: at(0) });
          for (const url of [at(0), at(1)]) await callAt(client, url);
          await client.send(undefined, { method: "DELETE", headers: { "Content-Type": undefined }, url: at(2) });
        }
      }));
      await until("the server's sessions are ended", () => lives() <= before.lives, { deadline: 30_000 });
    };
    const before = { lives: lives() };
    await run(300);
    const warm = measure();
    await run(SESSIONS);
    const after = await until("what they held is given back", () => {
      const now = measure();
      return now.every(({ fds }, i) => fds <= warm[i].fds + 8) && now;
    }, { deadline: 30_000 });
    for (const [i, { kib }] of after.entries())
      assert.ok(kib - warm[i].kib < SESSIONS * 4, `${names[i]} grew by ${kib - warm[i].kib} KiB over ${SESSIONS} sessions`);
  });
});
