// The official conformance runner through /mcp/{server}, in front of a server that passes all of it:
// every scenario that a revision requires of a server, with nothing expected to fail.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
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

for (const [revision, id] of [["2025-11-25", "old"], ["2026-07-28", "new"]]) {
  test(`${revision}: every scenario passes through the hub`, async () => {
    const out = mkdtempSync(join(tmpdir(), "e2e-conformance-"));
    try {
      const result = await run(process.execPath, ["--import", join(here, "inject-headers.mjs"), runner, "server",
        "--url", `${stack.base}/mcp/${id}`, "--suite", "all", "--spec-version", revision, "-o", out],
      { env: { INJECT_HEADERS: JSON.stringify({ "x-api-key": stack.key }) }, timeout: 120_000 });
      const files = readdirSync(out, { recursive: true }).filter((name) => name.endsWith("checks.json"));
      const bad = files.flatMap((name) => JSON.parse(readFileSync(join(out, name), "utf8"))
        .filter(({ status }) => status === "FAILURE").map(({ id: check, errorMessage }) => `${dirname(name)} ${check}: ${errorMessage}`));
      assert.deepEqual(bad, []);
      assert.equal(result.code, 0, `${result.stdout}${result.stderr}`.slice(-3000));
      assert.ok(files.length >= 30, `${files.length} scenarios`);
    } finally {
      rmSync(out, { recursive: true });
    }
  });
}
