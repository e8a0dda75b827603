// Hostile and heavy callers: nothing they send ends a process or starves the others.
import assert from "node:assert/strict";
import http from "node:http";
import { after, before, describe, test } from "node:test";
import { raw, request } from "./http.mjs";
import { Legacy, Modern } from "./mcp.mjs";
import { skill } from "./samples.mjs";
import { learn } from "./schema.mjs";
import { descriptors, residentKib, startStack, useStack } from "./stack.mjs";
import { pause, stopwatch, until } from "./wait.mjs";

const IDLE_STREAMS = 2000;
let hub;
let pids;
const stack = useStack({ before, after }, { args: ["--no-starter"],
  env: { MAL_HTTP_WORKERS: "16", MAL_HTTP_REQUEST_TIMEOUT_MS: "2000", MAL_HTTP_BODY_TIMEOUT_MS: "3000" } }, async () => {
  hub = new Modern(stack);
  learn(await hub.all("tools/list", "tools"));
  pids = stack.now().pids;
});

/** The gateway is the same process as before and answers. */
async function unharmed() {
  assert.equal((await hub.post("tools/list")).status, 200);
  assert.deepEqual(stack.now().pids, pids, "no process was started again");
}

const head = (lines) => `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nx-api-key: ${stack.key}\r\nContent-Type: application/json\r\n${lines}\r\n`;
const status = (text) => Number(/^HTTP\/1\.[01] (\d+)/.exec(text)?.[1]);
const PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}';

describe("hostile nesting", () => {
  const nests = {
    "20,000 brackets": "[".repeat(20_000),
    "20,000 brackets, closed": "[".repeat(20_000) + "]".repeat(20_000),
    "20,000 objects": '{"a":'.repeat(20_000) + "1" + "}".repeat(20_000),
    "500,000 brackets": "[".repeat(500_000),
    "nested arguments": `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"mal_list_skills","arguments":${"[".repeat(5000)}${"]".repeat(5000)}}}`,
  };
  for (const [what, body] of Object.entries(nests)) {
    test(`${what} are refused and kill nobody`, async () => {
      for (let i = 0; i < 3; i++) assert.equal((await hub.post("tools/list", {}, { body })).status, 400);
      const legacy = await request(stack.url, { headers: { "x-api-key": stack.key, "Content-Type": "application/json" }, body });
      assert.equal(legacy.status, 400);
      await unharmed();
    });
  }

  test("nested JSON inside the text of an import or a schema kills nobody", async () => {
    await hub.fails("mal_import_catalog", { data: "[".repeat(20_000), confirm: true }, "INVALID_ARGUMENT");
    await hub.fails("mal_import_catalog", { data: `{"version":"1.0.0","skills":[${"[".repeat(20_000)}${"]".repeat(20_000)}]}`, confirm: true }, "INVALID_ARGUMENT");
    await unharmed();
  });
});

describe("framing", () => {
  const cases = [
    ["Content-Length and Transfer-Encoding", `Content-Length: ${PING.length}\r\nTransfer-Encoding: chunked\r\n`, "0\r\n\r\n"],
    ["two different Content-Lengths", "Content-Length: 10\r\nContent-Length: 40\r\n", PING],
    ["a Content-Length that is no number", "Content-Length: ten\r\n", PING],
    ["a negative Content-Length", "Content-Length: -1\r\n", PING],
    ["a Transfer-Encoding nobody knows", "Transfer-Encoding: gzip\r\n", PING],
    ["more than 64 headers", `${Array.from({ length: 80 }, (_, i) => `X-${i}: 1\r\n`).join("")}Content-Length: ${PING.length}\r\n`, PING],
    ["a head that is too long", `X-Long: ${"x".repeat(70_000)}\r\nContent-Length: ${PING.length}\r\n`, PING],
  ];
  for (const [what, lines, body] of cases) {
    test(`${what} is refused and the connection closed`, async () => {
      // A second request behind it must not be taken for one of its own.
      const text = await raw(stack.url, (socket) => socket.write(head(lines) + body + head(`Content-Length: ${PING.length}\r\n`) + PING), { timeout: 15_000 });
      if (text) assert.ok(status(text) >= 400 && status(text) < 500, text.slice(0, 200));
      assert.equal(text.match(/HTTP\/1\.[01] \d+/g)?.length ?? 0, text ? 1 : 0, text.slice(0, 500));
      await unharmed();
    });
  }

  test("no Host is refused", async () => {
    const text = await raw(stack.url, (socket) => socket.write(head(`Content-Length: ${PING.length}\r\nConnection: close\r\n`).replace("Host: 127.0.0.1\r\n", "") + PING));
    assert.equal(status(text), 400, text.slice(0, 200));
  });

  test("a chunked body is read", async () => {
    const message = JSON.stringify(hub.message("tools/list"));
    const answer = await request(stack.url, { headers: { ...hub.headers("tools/list"), "Transfer-Encoding": "chunked" }, body: message });
    assert.equal(answer.status, 200, answer.text);
  });

  test("Expect: 100-continue is answered", async () => {
    const answer = await new Promise((resolve, reject) => {
      const message = JSON.stringify(hub.message("tools/list"));
      const req = http.request(stack.url, { method: "POST", agent: false, timeout: 5000,
        headers: { ...hub.headers("tools/list"), "Content-Length": message.length, Expect: "100-continue" } }, (res) => resolve(res.statusCode));
      req.on("continue", () => req.end(message)).on("error", reject).on("timeout", () => reject(new Error("no 100")));
      req.flushHeaders();
    });
    assert.equal(answer, 200);
  });

  test("three pipelined requests are answered in order, and an aborted mate harms none", async () => {
    const one = (id) => {
      const message = JSON.stringify(hub.message("tools/list", {}, { id }));
      const lines = Object.entries(hub.headers("tools/list")).map(([name, value]) => `${name}: ${value}\r\n`).join("");
      return `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n${lines}Content-Length: ${Buffer.byteLength(message)}\r\n\r\n${message}`;
    };
    const text = await raw(stack.url, (socket) => socket.write(one(11) + one(12) + one(13)), { done: (all) => /"id":13[,}]/.test(all) });
    assert.deepEqual([...text.matchAll(/"id":(1[123])[,}]/g)].map(([, id]) => id), ["11", "12", "13"]);
    await raw(stack.url, (socket) => {
      socket.write(one(14) + one(15));
      socket.destroy();
    });
    await unharmed();
  });
});

describe("slow clients", () => {
  test("a body sent a byte at a time is cut off, and holds no other up", async () => {
    const slow = Array.from({ length: 20 }, () => raw(stack.url, async (socket) => {
      socket.on("error", () => {});
      socket.write(head("Content-Length: 100000\r\n"));
      while (!socket.destroyed && socket.writable) {
        socket.write(" ");
        await pause(200);
      }
    }, { timeout: 25_000 }));
    const times = [];
    for (let i = 0; i < 5; i++) {
      const started = Date.now();
      assert.equal((await hub.post("tools/list", {}, { timeout: 15_000 })).status, 200);
      times.push(Date.now() - started);
    }
    const texts = await Promise.all(slow);
    for (const text of texts) if (text) assert.ok([400, 408, 503].includes(status(text)), text.slice(0, 200));
    await unharmed();
  });

  test("a head that never ends is cut off", async () => {
    const took = stopwatch();
    await raw(stack.url, (socket) => socket.write("POST /mcp HTTP/1.1\r\nHost: x\r\n"), { timeout: 15_000 });
    assert.ok(took() < 12_000, `${took()} ms`);
    await unharmed();
  });

  test("a refused large body is not read to its end", async () => {
    let sent = 0;
    await raw(stack.url, async (socket) => {
      socket.on("error", () => {});
      socket.write(head(`Content-Length: ${1 << 30}\r\n`));
      const block = "x".repeat(1 << 16);
      while (!socket.destroyed && socket.writable && sent < 1 << 28) {
        sent += block.length;
        if (!socket.write(block)) await Promise.race([new Promise((go) => socket.once("drain", go)), new Promise((go) => socket.once("close", go)), pause(3000)]);
      }
    }, { timeout: 30_000 });
    assert.ok(sent < 1 << 28, `${sent} bytes were taken`);
    await unharmed();
  });

  test("a stream whose client reads nothing holds no other up", async () => {
    const streams = await Promise.all(Array.from({ length: 5 }, (_, i) => hub.listen({ resourcesListChanged: true }, { id: `deaf-${i}` })));
    for (let i = 0; i < 50; i++) await hub.ok("mal_register_skill", skill(`deaf-${i}`, { asset_content: "# x\n" }));
    streams.forEach((stream) => stream.close());
    await unharmed();
  });
});

describe("idle streams", () => {
  // A gateway that has served nothing yet: what it takes is the streams'.
  const fresh = useStack({ before, after }, { args: ["--no-starter"], env: { MAL_HTTP_WORKERS: "16" } });

  test(`${IDLE_STREAMS} of them hold no worker and little memory`, async (t) => {
    const client = new Modern(fresh);
    const pid = fresh.pid("gateway");
    const before = { kib: residentKib(pid), fds: descriptors(pid).length };
    const streams = [];
    for (let i = 0; i < IDLE_STREAMS; i += 50)
      streams.push(...await Promise.all(Array.from({ length: 50 }, (_, j) => client.listen({ promptsListChanged: true }, { id: i + j }))));
    const during = residentKib(pid);
    t.diagnostic(`gateway: ${before.kib} KiB, with ${IDLE_STREAMS} streams ${during} KiB: ${((during - before.kib) / IDLE_STREAMS).toFixed(2)} KiB a stream`);
    assert.ok((during - before.kib) / IDLE_STREAMS < 16, "KiB a stream");
    const took = stopwatch();
    for (let i = 0; i < 20; i++) assert.equal((await client.post("tools/list")).status, 200);
    t.diagnostic(`20 calls meanwhile: ${took()} ms`);
    assert.ok(took() < 4000);
    await client.ok("mal_register_subagent", { id: "idle", name: "x", description: "x", author: "x", system_prompt: "x" });
    await until("each hears of a change", () => streams.every((stream) => stream.events.length === 2), { deadline: 5000 });
    streams.forEach((stream) => stream.close());
    await until("their descriptors are given back", () => descriptors(pid).length < before.fds + 50, { deadline: 30_000, every: 100 });
    assert.equal(fresh.pid("gateway"), pid);
  });

  test("beyond MAL_MAX_STREAMS a stream gets 503, calls go on", async () => {
    const small = await startStack({ args: ["--no-starter"], env: { MAL_MAX_STREAMS: "3" } });
    try {
      const client = new Modern(small);
      const open = [];
      for (let i = 0; i < 3; i++) open.push(await client.listen({ toolsListChanged: true }, { id: i }));
      const answer = await client.post("subscriptions/listen", { notifications: { toolsListChanged: true } });
      assert.equal(answer.status, 503, answer.text);
      assert.ok(Number(answer.headers["retry-after"]) > 0);
      assert.equal((await client.post("tools/list")).status, 200);
      open[0].close();
      await until("there is room again", async () => {
        const session = await Legacy.open(small, "2025-11-25");
        const stream = await session.stream();
        await session.end();
        return stream.status === 200;
      }, { every: 200 });
      open.forEach((stream) => stream.close());
    } finally {
      await small.stop();
    }
  });
});

describe("out of descriptors", () => {
  test("streams are refused before calls are, and all is well when they are gone", async () => {
    const low = await startStack({ args: ["--no-starter"], wrap: ["bash", "-c", 'ulimit -n 200; exec "$@"', "low"], env: { MAL_HTTP_WORKERS: "8" } });
    try {
      const client = new Modern(low);
      const pid = low.pid("gateway");
      const agents = [];
      let refused = 0;
      for (let i = 0; i < 400; i++) {
        try {
          const stream = await client.listen({ toolsListChanged: true }, { id: i });
          agents.push(stream);
        } catch {
          if (++refused > 3) break;
        }
      }
      assert.ok(agents.length > 20, `${agents.length} streams`);
      assert.ok(refused > 0, "some were refused");
      for (let i = 0; i < 5; i++) assert.equal((await client.post("tools/list", {}, { timeout: 10_000 })).status, 200);
      assert.equal(low.now().pids.gateway, pid, "the gateway is the same process");
      agents.forEach((stream) => stream.close());
      await until("streams open again", async () => {
        const stream = await client.listen({ toolsListChanged: true }, { id: "again" });
        stream.close();
        return true;
      }, { deadline: 30_000, every: 200 });
    } finally {
      await low.stop();
    }
  });
});
