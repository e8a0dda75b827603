// What fails while people work: each process is killed under a steady load of writes. No acknowledged
// write is lost, no event is lost or doubled, and meanwhile every error is a clear one.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { request } from "./http.mjs";
import { Load, random, seed } from "./load.mjs";
import { Legacy, Modern } from "./mcp.mjs";
import { skill } from "./samples.mjs";
import { learn } from "./schema.mjs";
import { useStack } from "./stack.mjs";
import { stopwatch, until } from "./wait.mjs";

let hub;
const stack = useStack({ before, after }, { gateways: 2, args: ["--no-starter"], env: { MAL_RATE_LIMIT: "0", MAL_CALL_TIMEOUT_MS: "5000" } }, async () => {
  hub = new Modern(stack);
  learn(await hub.all("tools/list", "tools"));
});
const pick = random(seed);

/** Until a call works again on every copy. */
async function recovered(deadline = 30_000) {
  for (const url of stack.urls)
    await until("calls work again", async () => {
      const answer = await new Modern(stack, { url }).post("tools/call", { name: "mal_list_skills", arguments: { limit: 1 } });
      return answer.status === 200 && !answer.message.result.isError;
    }, { deadline, every: 50 });
}

async function killUnderLoad(t, tag, process_name, times = 3) {
  const load = new Load(stack, tag);
  try {
    for (let i = 0; i < times; i++) {
      await load.progress(5 + pick(20));
      await stack.kill(process_name);
      await recovered();
    }
    await load.progress(20);
  } finally {
    await load.stop();
  }
  t.diagnostic(JSON.stringify({ ...await load.settle(), ...await load.audited() }));
}

describe("kill -9", () => {
  test("of the catalog, three times, loses no write and no event", (t) => killUnderLoad(t, "f-catalog", "catalog"));

  test("of the bus, three times, loses no write and no event", (t) => killUnderLoad(t, "f-nats", "nats"));

  test("of Postgres, three times, loses no write and no event", (t) => killUnderLoad(t, "f-postgres", "postgres"));

  test("of one gateway, three times, loses no write, no event and no session", async (t) => {
    const session = await Legacy.open(stack, "2025-11-25");
    await killUnderLoad(t, "f-gateway", "gateway");
    assert.deepEqual(await session.result("ping"), {});
    session.url = stack.urls[1];
    assert.deepEqual(await session.result("ping"), {});
    await session.end();
  });
});

describe("while something is away", () => {
  /** Stops a process without the supervisor noticing, and waits until it stands still. */
  async function freeze(name, pid = stack.pid(name)) {
    process.kill(pid, "SIGSTOP");
    await until(`${name} stands still`, () => /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, "latin1")));
  }
  const thaw = (name) => process.kill(stack.pid(name), "SIGCONT");

  test("a call whose service dies gets UNAVAILABLE or DEADLINE_EXCEEDED, the next one works", async () => {
    await freeze("catalog");
    const pending = hub.tool("mal_register_skill", skill("mid-call"));
    await until("the call is on its way", async () => (await stack.metric("gateway", "mal_gateway_calls_in_flight")) >= 1);
    await stack.kill("catalog");
    const result = await pending;
    if (result.isError) assert.match(result._meta["mal.hub/error"].status, /^(UNAVAILABLE|DEADLINE_EXCEEDED)$/);
    await recovered();
    await hub.ok("mal_list_skills");
  });

  test("a frozen service is DEADLINE_EXCEEDED in time, others' answers do not mix in later", async () => {
    await freeze("catalog");
    const took = stopwatch();
    try {
      const calls = await Promise.all(Array.from({ length: 4 }, () => hub.tool("mal_list_skills", { limit: 1 })));
      for (const result of calls) {
        assert.equal(result.isError, true);
        assert.match(result._meta["mal.hub/error"].status, /^(UNAVAILABLE|DEADLINE_EXCEEDED)$/);
      }
      assert.ok(took() < 12_000, `${took()} ms`);
    } finally {
      thaw("catalog");
    }
    await recovered();
    await hub.ok("mal_register_skill", skill("after-thaw", { version: "7.7.7" }));
    for (let i = 0; i < 20; i++)
      assert.equal((await hub.ok("mal_get_skill", { id: "after-thaw" })).skill.version, "7.7.7");
    assert.equal((await hub.ok("mal_search_skills", { query: "after-thaw" })).items[0].id, "after-thaw");
  });

  test("a frozen database is an error in time, and works again after", async () => {
    const pid = stack.pid("postgres");
    const family = [pid, ...readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((child) => {
      try {
        return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${child}/status`, "latin1"))[1]) === pid;
      } catch {
        return false;
      }
    })];
    for (const one of family) await freeze("postgres", one).catch(() => {}); // a backend may end meanwhile
    try {
      const result = await hub.tool("mal_list_skills", { limit: 1 });
      assert.equal(result.isError, true);
      assert.match(result._meta["mal.hub/error"].status, /^(UNAVAILABLE|DEADLINE_EXCEEDED)$/);
      assert.doesNotMatch(result.content[0].text, /postgres|127\.0\.0\.1|select|SQL/i);
    } finally {
      for (const one of family) process.kill(one, "SIGCONT");
    }
    await recovered();
  });

  test("without the bus the gateway answers quickly and clearly, and stays alive", async () => {
    await freeze("nats");
    try {
      const answer = await hub.post("tools/call", { name: "mal_list_skills", arguments: {} }, { timeout: 12_000 });
      const status = answer.message?.result?._meta?.["mal.hub/error"]?.status ?? answer.status;
      assert.ok(["UNAVAILABLE", "DEADLINE_EXCEEDED", 503].includes(status), answer.text.slice(0, 300));
      assert.equal((await request(`${stack.now().admin.gateway}/healthz`, { method: "GET" })).status, 200);
    } finally {
      thaw("nats");
    }
    await recovered();
  });

  test("a stopped service makes only its own tools unavailable, and readiness says so", async () => {
    const pid = stack.pid("postgres");
    process.kill(pid, "SIGKILL");
    await recovered();
    await stack.ready("catalog");
  });

  test("the bus away delays no answer that needs no service", async () => {
    await freeze("nats");
    try {
      const took = stopwatch();
      assert.equal((await hub.post("tools/list")).status, 200);
      assert.equal((await hub.post("server/discover")).status, 200);
      assert.ok(took() < 1000, `${took()} ms`);
    } finally {
      thaw("nats");
    }
    await recovered();
  });

  test("calls made while the audit log's service is away are in it afterwards, once each", async () => {
    const marked = `late-${seed}`;
    await freeze("catalog");
    let results;
    try {
      results = await Promise.all(Array.from({ length: 5 }, () => hub.tool("mal_get_skill", { id: marked })));
    } finally {
      thaw("catalog");
    }
    await recovered();
    const log = await until("the entries", async () => {
      const page = await hub.ok("mal_get_audit_log", { resource_id: marked });
      return page.total >= results.length && page;
    }, { deadline: 15_000, every: 100 });
    assert.equal(log.total, results.length);
  });
});
