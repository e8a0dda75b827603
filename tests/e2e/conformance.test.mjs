// The official conformance runner: the scenarios that apply to any server, of both revisions. The
// other scenarios need tools, prompts or resources of fixed names that only a test server has.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, before, describe, test } from "node:test";
import { run, useStack } from "./stack.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const runner = join(here, "node_modules/@modelcontextprotocol/conformance/dist/index.js");

const scenarios = {
  "2025-11-25": [
    "server-initialize",
    "ping",
    "dns-rebinding-protection",
    "server-sse-multiple-streams",
    "server-session-lifecycle",
    "tools-list",
    "resources-list",
    "prompts-list",
    "logging-set-level",
  ],
  "2026-07-28": [
    "dns-rebinding-protection",
    "server-sse-multiple-streams",
    "tools-list",
    "resources-list",
    "prompts-list",
    "caching",
    "sep-2164-resource-not-found",
    "input-required-result-unsupported-methods",
    "http-header-validation",
    "server-stateless",
  ],
};

/** Checks of server-stateless that need tools of fixed names. */
const needsTestTools = /test_(missing_capability|streaming_elicitation|logging_tool|trigger_)/;

const stack = useStack({ before, after });

/** The checks of the one scenario that was run. */
function checks(out) {
  const found = readdirSync(out, { recursive: true }).filter((name) => name.endsWith("checks.json"));
  assert.ok(found.length > 0, "the runner wrote checks.json");
  return found.flatMap((name) => JSON.parse(readFileSync(join(out, name), "utf8")));
}

/** One scenario; what failed of it. */
async function scenario(name, revision) {
  const out = mkdtempSync(join(tmpdir(), "e2e-conformance-"));
  try {
    const result = await run(process.execPath, ["--import", join(here, "inject-headers.mjs"), runner, "server",
      "--url", stack.url, "--scenario", name, "--spec-version", revision, "-o", out],
    { env: { INJECT_HEADERS: JSON.stringify({ "x-api-key": stack.key }) }, timeout: 60_000 });
    const all = checks(out);
    assert.ok(all.length > 0, result.stderr);
    assert.ok(all.some(({ status }) => status === "SUCCESS"), "something was checked");
    return all.filter(({ status, ...check }) => status === "FAILURE" && !needsTestTools.test(JSON.stringify(check)))
      .map(({ id, errorMessage }) => `${id}: ${errorMessage}`);
  } finally {
    rmSync(out, { recursive: true });
  }
}

for (const [revision, names] of Object.entries(scenarios)) {
  describe(revision, () => {
    for (const name of names) {
      test(name, async (t) => {
        let bad = await scenario(name, revision);
        // The runner gives each of its streams one second, which no revision promises: a machine may stand still for longer.
        if (bad.length > 0 && name === "server-stateless") {
          t.diagnostic(`runs again after: ${bad.join("; ")}`);
          bad = await scenario(name, revision);
        }
        assert.deepEqual(bad, []);
      });
    }
  });
}
