// Tool mal_health_check on a running hub: services that are stopped, and a real MCP server that is
// stopped and started again.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { request } from "./http.mjs";
import { Modern } from "./mcp.mjs";
import { streamMessages } from "./nats.mjs";
import { server } from "./samples.mjs";
import { learn } from "./schema.mjs";
import { useStack } from "./stack.mjs";
import { until } from "./wait.mjs";

const FOLLOWS_MS = 2000; // registry row and event, after a check

let hub;
const stack = useStack({ before, after }, { args: ["--no-starter"] }, async () => {
  hub = new Modern(stack);
  learn(await hub.all("tools/list", "tools"));
});

/** A server of the official SDK without sessions; port 0 takes a free one. */
async function listen(port = 0) {
  const facts = { requests: 0 };
  const http = createServer(async (req, res) => {
    facts.requests++;
    const mcp = new McpServer({ name: "e2e", version: "1.0.0" });
    mcp.registerTool("echo", { description: "Says it again." }, () => ({ content: [{ type: "text", text: "again" }] }));
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
    res.on("close", () => transport.close());
    await mcp.connect(transport);
    await transport.handleRequest(req, res);
  });
  await new Promise((done, fail) => http.once("error", fail).listen(port, "127.0.0.1", done));
  http.unref();
  facts.port = http.address().port;
  facts.url = `http://127.0.0.1:${facts.port}/mcp?token=not-to-be-shown`;
  facts.stop = () => new Promise((done) => {
    http.close(done);
    http.closeAllConnections();
  });
  return facts;
}

const check = (args = {}) => hub.ok("mal_health_check", args);
/** One in which every service answered in the second that it has: machines may stand still for longer. */
const calm = (args) => until("all services answer", async () => {
  const health = await check(args);
  return health.services.every((one) => one.status === "up") && health;
});
const registered = async (id) => (await hub.ok("mal_list_mcps", { limit: 100 })).items.find((one) => one.id === id);
const transitions = async () => (await streamMessages(stack.now().nats_url, "MAL_EVT", "mal.evt.mcp_health.mcp.status_changed")).length;

describe("services", () => {
  test("that are up are named with their databases, and the bus", async () => {
    const health = await calm();
    assert.equal(health.status, "ok", JSON.stringify(health));
    for (const name of ["catalog", "sprint", "gamify", "mcp-health"]) {
      const { status, database } = health.services.find((one) => one.name === name);
      assert.deepEqual([status, database], ["up", "up"], name);
    }
    assert.equal(health.bus.status, "up");
    const { content } = await hub.tool("mal_health_check");
    assert.match(content[0].text, /^## Health: ok\n\n\*\*services\*\*: catalog up \(\d+ ms\), .* · \*\*database\*\*: up · \*\*bus\*\*: up \(\d+ ms\)$/);
  });

  for (const name of ["sprint", "catalog"]) {
    test(`${name} stopped: health says which is down, its tools are UNAVAILABLE and others go on`, async () => {
      await stack.without(name, async () => {
        const health = await until("it alone is down", async () => {
          const now = await check();
          return now.services.filter((one) => one.status === "down").map((one) => one.name).join() === name && now;
        });
        assert.equal(health.status, "down");
        await hub.fails(name === "sprint" ? "mal_list_sprints" : "mal_list_skills", {}, "UNAVAILABLE");
        await hub.ok("mal_get_leaderboard", {});
      });
      await until("all is well again", async () => (await check()).status === "ok");
    });
  }
});

describe("a downstream server", () => {
  test("that is stopped becomes error, and active when it is started again; row and event follow", async () => {
    const first = await listen();
    await hub.ok("mal_register_mcp", server("flips", { endpoint_url: first.url, tools_exposed: [] }));
    const well = (await check({ mcp_id: "flips" })).mcps[0];
    assert.deepEqual([well.checked, well.ok, well.status, well.endpoint], [true, true, "active", first.url.split("?")[0]]);
    await until("its tools are read", async () => (await check({ mcp_id: "flips" })).mcps[0].tools_count === 1);
    const before_stop = await transitions();

    await first.stop();
    const gone = await calm();
    assert.equal(gone.status, "degraded");
    const [failed] = gone.mcps;
    assert.deepEqual([failed.checked, failed.ok, failed.status], [true, false, "error"]);
    assert.ok(failed.error);
    await until("the registry row is error", async () => (await registered("flips")).status === "error", { deadline: FOLLOWS_MS });
    await until("the event", async () => (await transitions()) === before_stop + 1, { deadline: FOLLOWS_MS });
    assert.match((await hub.tool("mal_health_check")).content[0].text, /\n### Downstream servers\n\n- ❌ Server flips \(`flips`\) · streamable-http · http\S+ · error · \S/);

    const second = await listen(first.port);
    const back = await check({ mcp_id: "flips" });
    assert.deepEqual([back.status, back.mcps[0].status, back.mcps[0].ok], ["ok", "active", true]);
    await until("the registry row is active", async () => (await registered("flips")).status === "active", { deadline: FOLLOWS_MS });
    await until("the event", async () => (await transitions()) === before_stop + 2, { deadline: FOLLOWS_MS });

    const headers = { "x-api-key": stack.key, "Content-Type": "application/json" };
    await request(`${stack.base}/api/v1/mcps/flips`, { method: "PATCH", headers, body: JSON.stringify({ status: "inactive" }) });
    await until("it is switched off", async () => (await check()).mcps[0].status === "inactive", { deadline: FOLLOWS_MS });
    const off = await calm();
    assert.deepEqual([off.status, off.mcps[0].checked, "ok" in off.mcps[0]], ["ok", false, false]);
    await until("an inactive server is not contacted, once a probe that was on its way has come", async () => {
      const { requests } = second;
      await check();
      return second.requests === requests;
    });
    await second.stop();
  });

  test("is told from the last known state while the catalog is down", async () => {
    await stack.without("catalog", async () => {
      const health = await check();
      assert.deepEqual([health.status, health.mcps.map(({ id }) => id)], ["down", ["flips"]]);
    });
  });

  test("that nobody registered is NOT_FOUND", () => hub.fails("mal_health_check", { mcp_id: "nobody" }, "NOT_FOUND"));
});
