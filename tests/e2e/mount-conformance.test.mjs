// The official conformance runner through /mcp/{server}, in front of a server that passes all of it:
// every scenario that a revision requires of a server, with nothing expected to fail.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import { fixture, register } from "./downstream.mjs";
import { request } from "./http.mjs";
import { run, useStack } from "./stack.mjs";
import { until } from "./wait.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const runner = join(here, "node_modules/@modelcontextprotocol/conformance/dist/index.js");
const fixtures = [];
const stack = useStack({ before, after }, {}, async () => {
  for (const [id, eras] of [["old", "legacy"], ["new", "modern"]]) {
    fixtures.push(await fixture(eras));
    await register(stack, id, fixtures.at(-1).url);
    await until(`${id} is served`, async () => (await request(`${stack.base}/api/v1/mcps/${id}/call`, {
      method: "POST", headers: { "x-api-key": stack.key, "Content-Type": "application/json" },
      body: JSON.stringify({ tool_name: "echo", arguments: { message: "x" } }),
    })).status === 200, { deadline: 30_000 });
  }
});
after(() => fixtures.forEach((one) => one.close()));

/** The scenarios that a revision requires of a server, as the runner says. */
async function names(revision) {
  const { stdout } = await run(process.execPath, [runner, "list", "--requirements", revision]);
  const part = stdout.slice(stdout.indexOf("Server scenarios"), stdout.indexOf("Client scenarios"));
  return [...part.matchAll(/^ {2}- (\S+)$/gm)].map(([, name]) => name);
}

/** The runner gives each of its streams one second, which no revision promises: a machine may stand still for longer. */
const HURRIED = "server-stateless";

/** What the runner counts as required of a server, revision by revision. */
for (const [revision, id, required] of [["2025-11-25", "old", 30], ["2026-07-28", "new", 37]]) {
  test(`${revision}: ${required} of ${required} required scenarios pass through the hub, none is expected to fail`, async (t) => {
    const out = mkdtempSync(join(tmpdir(), "e2e-conformance-"));
    const go = async (place, ...options) => {
      const { code, stdout, stderr } = await run(process.execPath, ["--import", join(here, "inject-headers.mjs"), runner, "server",
        "--url", `${stack.base}/mcp/${id}`, ...options, "-o", join(out, place)],
      { env: { INJECT_HEADERS: JSON.stringify({ "x-api-key": stack.key }) }, timeout: 120_000 });
      const places = readdirSync(join(out, place));
      const passes = (name) => {
        const found = places.find((one) => new RegExp(`^server-${name}-\\d{4}-`).test(one));
        const checks = found ? JSON.parse(readFileSync(join(out, place, found, "checks.json"), "utf8")) : [];
        return checks.length > 0 && checks.every(({ status }) => status !== "FAILURE" && status !== "WARNING");
      };
      return { code, passes, said: `${stdout}${stderr}`.slice(-3000) };
    };
    try {
      const nothing = join(out, "expected-failures.yml");
      writeFileSync(nothing, "server: []\n");
      const scored = await names(revision);
      assert.equal(scored.length, required);
      let result = await go("results", "--requirements", revision, "--expected-failures", nothing);
      let failed = scored.filter((name) => !result.passes(name));
      if (failed.join() === HURRIED) {
        t.diagnostic(`${HURRIED} runs again`);
        result = await go("again", "--scenario", HURRIED, "--spec-version", revision);
        failed = failed.filter((name) => !result.passes(name));
      }
      assert.deepEqual(failed, [], result.said);
      assert.equal(result.code, 0, result.said);
    } finally {
      rmSync(out, { recursive: true });
    }
  });
}
