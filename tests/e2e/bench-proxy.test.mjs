// mal bench proxy, cut short: that it measures what it says on servers that really answer.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { mal, run } from "./stack.mjs";

const CONNECTIONS = [1, 16, 64];

let report;
before(async () => {
  const { code, stdout, stderr } = await run(mal, ["bench", "proxy", "--seconds", "1", "--rounds", "1", "--no-peers", "--json"], { timeout: 120_000 });
  assert.equal(code, 0, stderr);
  report = JSON.parse(stdout);
}, { timeout: 130_000 });

const row = (name, connections) => report.rows.find((one) => one.name === name && one.connections === connections);

describe("mal bench proxy", () => {
  test("calls over HTTP and over pipes, directly and through the hub", () => {
    const names = [...new Set(report.rows.map(({ name }) => name))];
    assert.deepEqual(names, ["http_direct", "hub_http", "hub_tool", "hub_http_unaudited", "stdio_direct", "hub_stdio"]);
    for (const one of report.rows) {
      assert.ok(one.calls_per_second > 50, JSON.stringify(one));
      assert.ok(one.p50_us > 0 && one.p50_us <= one.p99_us, JSON.stringify(one));
    }
  });

  test("holds every way against the direct one of the same round", () => {
    for (const [way, direct] of [["hub_http", "http_direct"], ["hub_tool", "http_direct"], ["hub_stdio", "stdio_direct"]])
      for (const connections of CONNECTIONS) {
        const [one, base] = [row(way, connections), row(direct, connections)];
        assert.ok(Math.abs(one.ratio - one.calls_per_second / base.calls_per_second) < 0.001, JSON.stringify([one, base]));
        assert.equal(one.added_p50_us, one.p50_us - base.p50_us);
        assert.ok(one.ratio < 1.5, JSON.stringify([one, base]));
      }
  });

  test("tells the memory of gateway and runner, and its goals", () => {
    assert.deepEqual(report.memory.map(({ name }) => name), ["gateway", "mcp-runner"]);
    for (const { idle_kib, after_kib } of report.memory) assert.ok(idle_kib > 500 && after_kib > 500);
    assert.deepEqual(report.goals.map(({ name }) => name), ["http_ratio_16", "http_added_p50_1", "stdio_added_p50_1"]);
  });

  test("refuses what is no length", async () => {
    for (const words of [["--seconds", "0"], ["--rounds", "x"], ["--rounds", "10"], ["--surely-not"]])
      assert.equal((await run(mal, ["bench", "proxy", ...words])).code, 2, words.join(" "));
  });
});
