// Traps of the two eras that no other file falls into (docs/pitfalls.md), and the rights on the bus.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import http from "node:http";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { begin, openStream, request } from "./http.mjs";
import { LEGACY, Legacy, MODERN, Modern } from "./mcp.mjs";
import { natsRequest } from "./nats.mjs";
import { command, document, skill } from "./samples.mjs";
import { learn } from "./schema.mjs";
import { run, useStack } from "./stack.mjs";
import { until } from "./wait.mjs";

const form = { elicitation: { form: {} } };
let hub;
let sandbox;
const stack = useStack({ before, after }, { args: ["--no-starter"], env: { MAL_EXEC_ENABLED: "true" } }, async () => {
  hub = new Modern(stack);
  learn(await hub.all("tools/list", "tools"));
  await hub.ok("mal_register_skill", skill("lines", { asset_content: document("lines", "one\ntwo\r\nthree\n\n: no comment\ndata: no field") }));
  sandbox = (await run("bwrap", ["--ro-bind", "/", "/", "--unshare-pid", "--unshare-net", "true"])).code === 0;
});
const when = (name, fn) => test(name, async (t) => (sandbox ? fn(t) : t.skip("this machine allows no user namespaces")));
const members = (message) => Object.keys(message).sort();

/** Registers a command that sleeps that long; gives a look whether it runs. */
async function sleeper(id, seconds) {
  await hub.ok("mal_register_command", command(id, { script_template: `sleep ${seconds}`, parameters: [] }));
  return () => readdirSync("/proc").some((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "latin1") === `sleep\0${seconds}\0`;
    } catch {
      return false;
    }
  });
}
const runOf = (id) => ({ name: "mal_execute_command", arguments: { id, mode: "run", confirm: true } });

describe("2026-07-28", () => {
  test("an answer has no member beside jsonrpc, id and its result or error", async () => {
    for (const [method, params] of [["server/discover"], ["tools/list"], ["resources/read", { uri: "skill://lines/SKILL.md" }],
      ["tools/call", { name: "mal_get_skill", arguments: { id: "nobody" } }]])
      assert.deepEqual(members((await hub.post(method, params)).message), ["id", "jsonrpc", "result"], method);
    assert.deepEqual(members((await hub.post("tools/call", { name: "nothing" })).message), ["error", "id", "jsonrpc"]);
    assert.deepEqual(members((await hub.post("ping", {}, { body: "{" })).message), ["error", "jsonrpc"], "no id was read");
  });

  test("a read and the templates say how long they hold, input_required does not", async () => {
    for (const [method, params] of [["resources/read", { uri: "skill://lines/SKILL.md" }], ["resources/templates/list"]]) {
      const result = await hub.result(method, params);
      assert.ok(Number.isInteger(result.ttlMs) && result.cacheScope === "private", method);
    }
    const asked = await hub.result("tools/call", { name: "mal_delete_skill", arguments: { id: "lines" } }, { capabilities: form });
    assert.equal(asked.resultType, "input_required");
    assert.equal("ttlMs" in asked || "cacheScope" in asked, false);
    for (const one of Object.values(asked.inputRequests)) assert.deepEqual(members(one), ["method", "params"]);
  });

  test("capabilities count for the request that declares them, not for its connection", async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const params = { name: "mal_delete_skill", arguments: { id: "lines" } };
    const types = [];
    for (const capabilities of [form, {}, form]) {
      const body = JSON.stringify(hub.message("tools/call", params, { capabilities }));
      const answer = await request(stack.url, { headers: hub.headers("tools/call", params), body, agent });
      types.push(answer.json.result.resultType);
    }
    agent.destroy();
    assert.deepEqual(types, ["input_required", "complete", "input_required"]);
  });

  test("a session's id does not stand in for the envelope", async () => {
    const session = await Legacy.open(stack, "2025-11-25");
    const answer = await session.post("tools/list", {}, { headers: { "MCP-Protocol-Version": MODERN } });
    assert.deepEqual([answer.status, answer.message.error.code], [400, -32602]);
    await session.end();
  });

  test("headers that mirror parameters of no tool of ours are ignored", async () => {
    const params = { name: "mal_list_skills", arguments: { limit: 1 } };
    for (const value of ["7", "=?base64?!!?=", ""])
      assert.equal((await hub.post("tools/call", params, { headers: { "Mcp-Param-Limit": value } })).status, 200);
  });

  test("what has line breaks is one event of one line where only a stream is accepted", async () => {
    const params = { name: "mal_get_skill_content", arguments: { id: "lines" } };
    const answer = await hub.post("tools/call", params, { headers: { Accept: "text/event-stream" } });
    assert.match(answer.headers["content-type"], /^text\/event-stream/);
    assert.equal(answer.headers["x-accel-buffering"], "no");
    assert.equal(answer.events.length, 1);
    assert.equal(answer.events[0].id, undefined, "there is no replay");
    assert.match(answer.message.result.structuredContent.content, /three\n\n: no comment\ndata: no field/);
  });

  when("progress carries the token as it was sent, 0 included, and only grows", async () => {
    const running = await sleeper("progress", 4.3217);
    for (const progressToken of [0, "0"]) {
      const id = randomUUID();
      const stream = openStream(stack.url, { headers: hub.headers("tools/call", runOf("progress"), { "X-Request-Id": id }),
        body: JSON.stringify(hub.message("tools/call", runOf("progress"), { meta: { progressToken } })) });
      await until("the script runs", running);
      // double progress = 1: 2, again 2, then 8
      for (const bytes of ["\0\0\0\0\0\0\0@", "\0\0\0\0\0\0\0@", "\0\0\0\0\0\0 @"])
        natsRequest(stack.nats_url, `mal.progress.${id}`, `\t${bytes}`).catch(() => {});
      const open = await stream;
      const notes = [];
      for (let message; (message = await open.next()); notes.push(message)) if (message.result) break;
      assert.deepEqual(notes.map(({ params }) => params.progressToken), notes.map(() => progressToken));
      const steps = notes.map(({ params }) => params.progress);
      assert.ok(steps.length >= 1 && steps.length <= 2, String(steps));
      assert.deepEqual(steps, [...new Set(steps)].sort((a, b) => a - b));
    }
  });
});

describe("older sessions", () => {
  test("empty results are empty, and no member stands beside them", async () => {
    for (const version of LEGACY) {
      const session = await Legacy.open(stack, version);
      for (const [method, params] of [["ping"], ["logging/setLevel", { level: "info" }], ["resources/subscribe", { uri: "skill://lines/SKILL.md" }]]) {
        const { message } = await session.post(method, params);
        assert.deepEqual([members(message), message.result], [["id", "jsonrpc", "result"], {}], `${version} ${method}`);
      }
      await session.end();
    }
  });

  test("a session keeps its version whatever version the header names", async () => {
    const session = await Legacy.open(stack, "2025-03-26");
    const answer = await session.post("tools/list", {}, { headers: { "MCP-Protocol-Version": "2025-11-25" } });
    assert.equal(answer.status, 200);
    assert.equal("outputSchema" in answer.message.result.tools[0], false);
    await session.end();
  });

  test("a stream's events have no ids, and Last-Event-ID changes nothing", async () => {
    const session = await Legacy.open(stack, "2025-11-25");
    const stream = await session.stream({ headers: { "Last-Event-ID": "7" } });
    assert.equal(stream.status, 200);
    await hub.ok("mal_register_command", command("no-ids"));
    const event = await stream.nextEvent(2000);
    assert.deepEqual([event.id, event.retry], [undefined, undefined]);
    stream.close();
    await session.end();
  });

  when("a lost connection cancels nothing", async () => {
    const running = await sleeper("kept", 2.4681);
    const session = await Legacy.open(stack, "2025-11-25");
    const call = begin(stack.url, { headers: session.headers(), body: JSON.stringify({ jsonrpc: "2.0", id: 9, method: "tools/call", params: runOf("kept") }) });
    await until("the script runs", running);
    call.destroy();
    await until("the call ends well and is in the log", async () => {
      const log = await hub.ok("mal_get_audit_log", { tool_name: "mal_execute_command", limit: 50 });
      return log.items.some((row) => row.resource_id === "kept" && row.success);
    });
    await session.end();
  });

  when("notifications/cancelled stops the call of that id and type only", async () => {
    const running = await sleeper("cancelled", 45679);
    const session = await Legacy.open(stack, "2025-11-25");
    const call = begin(stack.url, { headers: session.headers(), body: JSON.stringify({ jsonrpc: "2.0", id: 9, method: "tools/call", params: runOf("cancelled") }) });
    await until("the script runs", running);
    await session.notify("notifications/cancelled", { requestId: "9" });
    await session.notify("notifications/cancelled", { requestId: 8 });
    assert.deepEqual(await session.result("ping"), {});
    assert.ok(running(), "other ids are other calls");
    await session.notify("notifications/cancelled", { requestId: 9 });
    await until("the script is stopped", () => !running(), { deadline: 5000 });
    call.destroy();
    await session.end();
  });
});

test("nested JSON in a body of REST is refused and kills nobody", async () => {
  const pid = stack.pid("gateway");
  for (const body of ["[".repeat(20_000), `{"id":"x","tags":${"[".repeat(5000)}${"]".repeat(5000)}}`]) {
    const answer = await request(`${stack.base}/api/v1/skills`, { headers: { "x-api-key": stack.key, "Content-Type": "application/json" }, body });
    assert.equal(answer.status, 400);
  }
  assert.equal(stack.pid("gateway"), pid);
});

describe("the rights on the bus", () => {
  /** The bus as that process sees it. */
  function busOf(user) {
    const secrets = readFileSync(join(stack.dir, "secrets"), "utf8");
    const url = new URL(stack.nats_url);
    url.username = user;
    url.password = new RegExp(`^MAL_NATS_PASSWORD_${user.toUpperCase().replace("-", "_")}=(.*)$`, "m").exec(secrets)[1];
    return url.href;
  }
  const forbidden = {
    catalog: ["$JS.API.DIRECT.GET.KV_MAL_SECRETS.$KV.MAL_SECRETS.key_pepper", "$JS.API.STREAM.INFO.KV_MAL_KEYS",
      "$JS.API.STREAM.MSG.GET.KV_MAL_KEYS", "$KV.MAL_KEYS.x", "$KV.MAL_SESSIONS.x", "$JS.API.STREAM.DELETE.MAL_EVT",
      "$JS.API.STREAM.PURGE.MAL_EVT", "mal.evt.gateway.tool.called", "mal.evt.gateway.downstream.called", "mal.gateway.v1.cancelled"],
    sprint: ["$JS.API.STREAM.INFO.KV_MAL_KEYS", "$KV.MAL_KEYS.x", "$JS.API.STREAM.DELETE.MAL_EVT", "mal.evt.gamify.xp.awarded",
      "mal.evt.gateway.tool.called", "mal.catalog.v1.delete_skill", "mal.gamify.v1.log_contribution", "$JS.API.CONSUMER.DURABLE.CREATE.MAL_EVT.x"],
    gamify: ["$JS.API.STREAM.INFO.KV_MAL_KEYS", "$KV.MAL_SESSIONS.x", "$JS.API.STREAM.PURGE.MAL_EVT", "mal.evt.sprint.work_item.completed",
      "mal.sprint.v1.delete_project", "mal.catalog.v1.list_skills", "$JS.API.CONSUMER.DELETE.MAL_EVT.catalog_audit"],
    "mcp-health": ["$JS.API.STREAM.INFO.KV_MAL_KEYS", "$KV.MAL_KEYS.x", "$KV.MAL_SESSIONS.x", "$JS.API.STREAM.DELETE.KV_MAL_MCPS",
      "mal.evt.catalog.mcp.updated", "mal.catalog.v1.delete_mcp", "mal.sprint.v1.delete_project"],
    gateway: ["$KV.MAL_MCPS.s.x", "$KV.MAL_KEYS.x", "$JS.API.STREAM.DELETE.KV_MAL_KEYS", "$JS.API.STREAM.PURGE.MAL_EVT", "mal.evt.catalog.skill.deleted",
      "mal.catalog.v1.replay", "mal.gamify.v1.replay"],
  };
  for (const [user, subjects] of Object.entries(forbidden))
    test(`${user} may use its own subjects only`, async () => {
      for (const subject of subjects)
        await assert.rejects(natsRequest(busOf(user), subject), /Permissions Violation/, subject);
      const log = readFileSync(join(stack.dir, "log/nats.log"), "utf8");
      assert.match(log, /Violation/, "the operator can see it");
    });

  test("nothing that the processes do is refused", async () => {
    const log = readFileSync(join(stack.dir, "log/nats.log"), "utf8");
    const refused = log.split("\n").filter((line) => /Violation/.test(line)).map((line) => /Subject "([^"]*)"/.exec(line)?.[1] ?? line);
    const ours = new Set(Object.values(forbidden).flat());
    assert.deepEqual(refused.filter((subject) => !ours.has(subject)), []);
  });
});

describe("the rights in the database", () => {
  const services = ["catalog", "sprint", "gamify", "mcp_health"];
  for (const service of services)
    test(`${service} sees its own schema only`, async () => {
      const password = new RegExp(`^MAL_PG_PASSWORD_${service.toUpperCase()}=(.*)$`, "m").exec(readFileSync(join(stack.dir, "secrets"), "utf8"))[1];
      const url = stack.pg_url.replace(/user=\S+ password=\S+/, `user=${service} password=${password}`);
      const query = (schema) => run("psql", ["-XAtq", "-c", `select count(*) from ${schema}.outbox`, url]);
      assert.equal((await query(service)).code, 0, (await query(service)).stderr);
      for (const other of services.filter((name) => name !== service))
        assert.match((await query(other)).stderr, /permission denied for schema/);
      assert.match((await run("psql", ["-XAtq", "-c", "create table public.mine (id int)", url])).stderr, /permission denied/);
    });
});
