// Several copies of everything: three gateways behind a plain round robin, three runners that share
// the children, and what happens when one of them is killed.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { KINDS, connect } from "./clients.mjs";
import { begin } from "./http.mjs";
import { Legacy, Modern } from "./mcp.mjs";
import { robin } from "./robin.mjs";
import { learn } from "./schema.mjs";
import { alive, useStack } from "./stack.mjs";
import { byHand, everythingOverHttp, node, npm, processes, rest, serve, wrappers } from "./stdio.mjs";
import { stopwatch, until } from "./wait.mjs";

const NEXT_MS = 5000; // a call after a takeover

let hub;
let front;
let everything;
const stack = useStack({ before, after }, {
  gateways: 3, replicas: 3, args: ["--no-starter"],
  env: { MAL_STDIO_ALLOW: node, MAL_RATE_LIMIT: "0", MAL_WORKERS: "2" },
}, async () => {
  front = await robin(stack.urls);
  hub = new Modern(stack, { url: front.url });
  learn(await new Modern(stack).all("tools/list", "tools"));
  everything = await everythingOverHttp();
  await Promise.all([
    ...["one", "two", "three", "four", "five", "six"].map((id) => serve(stack, id, byHand(id))),
    serve(stack, "everything", npm("everything")),
    serve(stack, "everything-http", {}, { transport: "streamable-http", endpoint_url: everything.url }),
    serve(stack, "asks", { command: node, args: [join(import.meta.dirname, "fixture-server.mjs"), "stdio", "legacy"] }, { policy: { per_caller: true, newest_version: "2025-11-25" } }),
  ]);
  for (const url of stack.urls)
    for (const id of ["one", "two", "three", "four", "five", "six", "everything", "everything-http", "asks"])
      await until(`${url} serves ${id}`, async () => !(await new Modern(stack, { url }).result("tools/call", call(id, "echo", { message: "x" }))).isError);
});
after(() => (everything?.close(), front?.close()));

const at = (id) => ({ url: `${front.base}/mcp/${id}` });
function call(mcp_id, tool_name, args = {}, more = {}) {
  return { name: "mal_proxy_mcp_call", arguments: { mcp_id, tool_name, arguments: args, ...more } };
}
const proxy = (id, tool, args, more) => hub.result("tools/call", call(id, tool, args, more), { timeout: 60_000 });
const said = (result) => {
  assert.ok(!result.isError, result.content?.[0]?.text);
  return result.content.map(({ text }) => text).join("");
};
const failure = (result) => ({ ...result._meta?.["mal.hub/error"], text: result.content[0].text });
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

const runners = () => Object.entries(stack.now().pids).filter(([name]) => name.startsWith("mcp-runner"));
const parent = (pid) => Number(readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\) /, "").split(" ")[1]);
/** The runner above the child that was started with the word: [name, pid]. */
function owner(word) {
  let [pid] = processes(word);
  assert.ok(pid, `a child ${word}`);
  const known = runners();
  for (; pid > 1; pid = parent(pid)) {
    const found = known.find(([, one]) => one === pid);
    if (found) return found;
  }
  throw new Error(`no runner above ${word}`);
}

describe("three gateways behind a round robin", () => {
  for (const kind of KINDS) {
    test(`lose no session of ${kind}, at any endpoint`, async () => {
      const seen = [...front.counts];
      await Promise.all(Array.from({ length: 24 }, async (_, i) => {
        const id = [undefined, "one", "everything", "everything-http"][i % 4];
        const session = await connect(kind, stack, id ? at(id) : { url: front.url });
        try {
          for (let n = 0; n < 12; n++) {
            const message = `${kind} ${i} ${n}`;
            const result = await session.client.callTool(id ? { name: "echo", arguments: { message } } : call(n % 2 ? "two" : "everything-http", "echo", { message }));
            assert.equal(said(result), `Echo: ${message}`);
          }
          assert.ok((await session.tools()).length > 1);
          if (kind === "sdk v1") await session.transport.terminateSession();
        } finally {
          await session.close();
        }
        assert.deepEqual(session.errors.filter((error) => !/abort|closed|terminated/i.test(String(error))), []);
      }));
      assert.ok(front.counts.every((count, n) => count - seen[n] > 50), "each copy had its share");
    });
  }

  test("bring a question of a child to the session and its answer back, by whichever copies", async () => {
    await Promise.all(["sdk v1", "sdk v2 legacy"].map(async (kind) => {
      const session = await connect(kind, stack, { ...at("asks"), elicit: async () => ({ action: "accept", content: { name: kind, username: kind, email: "a@example.com" } }) });
      try {
        for (let n = 0; n < 4; n++)
          assert.match(said(await session.client.callTool({ name: "test_elicitation", arguments: { message: "Who?" } })), /action=accept/);
      } finally {
        await session.close();
      }
    }));
  });

  test("bring a cancellation to the child, whichever copy hears of it", async () => {
    for (let n = 0; n < 3; n++) {
      const client = await Legacy.open(stack, "2025-11-25", at("three"));
      const heard = JSON.parse(said(await proxy("three", "cancelled"))).length;
      const running = begin(client.url, { headers: client.headers(), body: JSON.stringify({ jsonrpc: "2.0", id: 5, method: "tools/call", params: { name: "slow", arguments: { ms: 60_000 } } }) });
      await until("the call runs", async () => said(await proxy("three", "running")) === "1");
      await client.notify("notifications/cancelled", { requestId: 5 });
      await until("the child hears it", async () => JSON.parse(said(await proxy("three", "cancelled"))).length === heard + 1);
      running.destroy();
      await client.end();
    }
  });

  test("lose no session when one of them is killed", async () => {
    const clients = await Promise.all(Array.from({ length: 6 }, (_, i) => Legacy.open(stack, "2025-11-25", at(i % 2 ? "one" : "everything-http"))));
    await stack.kill("gateway-2");
    for (let n = 0; n < 4; n++)
      for (const client of clients)
        assert.equal(said(await client.result("tools/call", { name: "echo", arguments: { message: "on" } })), "Echo: on");
    await stack.ready("gateway-2");
    await Promise.all(clients.map((client) => client.end()));
  });
});

describe("three runners", () => {
  test("hold one child of each server between them, and each holds some", () => {
    const ids = ["one", "two", "three", "four", "five", "six"];
    for (const id of ids) assert.equal(processes(id).length, 1, id);
    assert.ok(new Set(ids.map((id) => owner(id)[1])).size > 1);
  });

  test("one that is killed takes its children with it; calls in flight fail by name, the next one works", async () => {
    const [name, runner] = owner("four");
    const children = [...processes("four"), ...wrappers("four")];
    const first = said(await proxy("four", "born"));
    const client = await Legacy.open(stack, "2025-11-25", at("four"));
    const waiting = [proxy("four", "silent"), client.result("tools/call", { name: "silent", arguments: {} }, { timeout: 30_000 })];
    await until("both wait", async () => said(await proxy("four", "running")) === "2");

    process.kill(runner, "SIGKILL");
    const took = stopwatch();
    const next = until("the next call works", async () => said(await proxy("four", "born")), { deadline: NEXT_MS });
    for (const result of await Promise.all(waiting)) {
      const error = failure(result);
      assert.deepEqual([error.status, error.reason], ["UNAVAILABLE", "MCP_LOST"]);
      assert.match(error.text, /'four'/);
      assert.ok(took() < NEXT_MS);
    }
    assert.notEqual(await next, first);
    await until("no child of it is left", () => !children.some(alive));
    assert.equal(processes("four").length, 1);
    assert.notEqual(owner("four")[1], runner);
    assert.equal(said(await client.result("tools/call", { name: "echo", arguments: { message: "same session" } })), "Echo: same session");
    await client.end();
    await until("the runner is started again", () => {
      const pid = stack.now().pids[name];
      return pid !== runner && alive(pid);
    }, { deadline: 30_000 });
    await stack.ready(name);
  });

  test("killed in turn under load fail calls in flight only, and no session", async (t) => {
    let going = true;
    const outcomes = { ok: 0, lost: 0 };
    const worker = async (i) => {
      const id = ["one", "two", "five", "six"][i % 4];
      const client = await Legacy.open(stack, "2025-11-25", i % 2 ? at(id) : { url: front.url });
      for (let n = 0; going; n++) {
        const message = `${i} ${n}`;
        const result = await client.result("tools/call", i % 2 ? { name: "echo", arguments: { message } } : call(id, "echo", { message }), { timeout: 30_000 });
        if (!result.isError) {
          assert.equal(said(result), `Echo: ${message}`);
          outcomes.ok++;
        } else {
          const error = failure(result);
          assert.match(error.reason, /^MCP_(LOST|UNREACHABLE|CLOSED)$/, error.text);
          assert.match(error.text, new RegExp(`'${id}'`));
          outcomes.lost++;
        }
        await pause(5);
      }
      await client.end();
    };
    const load = Array.from({ length: 12 }, (_, i) => worker(i));
    try {
      for (const [name] of runners()) {
        await stack.kill(name);
        await stack.ready(name);
        for (const id of ["one", "two", "five", "six"])
          await until(`${id} works`, async () => !(await proxy(id, "echo", { message: "x" })).isError, { deadline: NEXT_MS });
      }
    } finally {
      going = false;
    }
    await Promise.all(load);
    t.diagnostic(JSON.stringify(outcomes));
    assert.ok(outcomes.ok > 100);
    for (const id of ["one", "two", "five", "six"]) await until(`one child of ${id}`, () => processes(id).length === 1);
  });

  test("one that is stopped hands its servers on without a call that fails", async () => {
    await proxy("five", "echo", { message: "x" });
    const [name, pid] = owner("five");
    let going = true;
    const load = Array.from({ length: 4 }, async () => {
      for (let n = 0; going; n++) assert.equal(said(await proxy("five", "echo", { message: `${n}` })), `Echo: ${n}`);
    });
    try {
      await stack.kill(name, "SIGTERM");
      await until("another holds it", () => processes("five").length === 1 && owner("five")[1] !== pid);
    } finally {
      going = false;
    }
    await Promise.all(load);
  });

  test("with one that stands still for a while there is never a second child for long", async () => {
    const first = said(await proxy("six", "born"));
    const [, pid] = owner("six");
    process.kill(pid, "SIGSTOP");
    try {
      // Its program has ended several times in the tests before, so that the hub may take it for one that
      // does not stay up, and leave it alone for half a minute.
      await until("another runner has taken it over", async () => {
        const result = await proxy("six", "born", {}, { timeout_ms: 2500 });
        return !result.isError && said(result) !== first;
      }, { deadline: 90_000, every: 200 });
    } finally {
      process.kill(pid, "SIGCONT");
    }
    await until("the first one lets go", () => processes("six").length === 1 && owner("six")[1] !== pid, { deadline: 20_000 });
  });

  test("need no server to be registered anew after all of this", async () => {
    const { json } = await rest(stack, "GET", "/mcps?limit=100");
    await until("all are active", async () => (await Promise.all(json.items.map(({ id }) => rest(stack, "GET", `/mcps/${id}`)))).every((one) => one.json.status === "active" || one.json.mcp?.status === "active"), { deadline: 40_000, every: 500 });
  });
});
