// compose.yaml and deploy/k8s say everything their processes need: started from what is written
// there, the hub works as it does under `mal up`.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { compose, deploy, kubernetes } from "./deployed.mjs";
import { Modern } from "./mcp.mjs";
import { bin, root, run } from "./stack.mjs";
import { byHand, node, registration } from "./stdio.mjs";
import { until } from "./wait.mjs";

const KEY = "correct-horse-battery-staple-0123456789";

const plans = {
  "compose.yaml": () => compose({ MAL_API_KEYS: `ana:${KEY}`, MAL_STDIO_ALLOW: node }),
  "deploy/k8s": () => {
    const plan = kubernetes({ "api-keys": `ana:${KEY}` });
    // What its comments tell the operator to fill in.
    for (const one of plan.processes)
      if ("MAL_STDIO_ALLOW" in one.env) one.env.MAL_STDIO_ALLOW = node;
    return plan;
  },
};

for (const [name, make] of Object.entries(plans)) {
  describe(name, () => {
    let hub, deployed;
    before(async () => {
      deployed = await deploy(make());
      hub = deployed.gateways.map((url) => new Modern({ url, key: KEY }));
    }, { timeout: 120_000 });
    after(() => deployed?.stop(), { timeout: 60_000 });

    const call = async (tool, args = {}, at = 0) => {
      const result = await hub[at % hub.length].result("tools/call", { name: tool, arguments: args }, { timeout: 60_000 });
      assert.ok(!result.isError, `${tool}: ${result.content[0].text}\n${result.isError ? deployed.complaints() : ""}`);
      return result;
    };

    test("catalog, sprint and gamify answer, through every gateway", async () => {
      await call("mal_register_skill", { id: "deployed", name: "Deployed", description: "A skill about lighthouses.", category: "custom", author: "ana", version: "1.0.0", trigger_patterns: ["lighthouse"] });
      for (let at = 0; at < hub.length; at++) {
        const found = await call("mal_search_skills", { query: "lighthouse" }, at);
        assert.equal(found.structuredContent.total, 1);
        await call("mal_list_projects", {}, at);
        await call("mal_get_leaderboard", {}, at);
      }
    });

    test("the calls are in the audit log under the key's name", async () => {
      const { structuredContent } = await until("the log has them", async () => {
        const log = await call("mal_get_audit_log", { tool_name: "mal_register_skill" });
        return log.structuredContent.total > 0 && log;
      });
      assert.equal(structuredContent.items[0].user_key, "ana");
    });

    test("a program on stdio is started by a runner and answers", async () => {
      await call("mal_register_mcp", registration("deployed-stdio", byHand("deployed")));
      const answer = await until("it is served", async () => {
        const result = await hub[0].result("tools/call", { name: "mal_proxy_mcp_call", arguments: { mcp_id: "deployed-stdio", tool_name: "echo", arguments: { message: "ahoy" } } }, { timeout: 60_000 });
        return !result.isError && result;
      }, { deadline: 60_000 });
      assert.match(answer.content[0].text, /ahoy/);
    });

    test("every process ends by itself on SIGTERM", async () => {
      const stopping = deployed;
      deployed = undefined;
      const codes = await stopping.stop();
      assert.ok(codes.length >= 6);
      assert.deepEqual(codes.filter(([, code]) => code !== 0), []);
    });
  });
}

test("the image holds the packages of every library that its programs are linked with", async () => {
  const file = readFileSync(join(root, "deploy/images/Dockerfile"), "utf8");
  const installed = new Set(/apt-get install -qy --no-install-recommends([^&]*)&&/.exec(file)[1].split(/[\s\\]+/).filter(Boolean));
  const programs = [...file.matchAll(/\/src\/build\/release\/bin\/([a-z-]+)/g)].map(([, name]) => name);
  assert.ok(programs.includes("mal") && programs.includes("mal-gateway"));
  const libraries = new Set();
  for (const name of programs) {
    const { code, stdout, stderr } = await run("objdump", ["-p", join(bin, name)]);
    assert.equal(code, 0, stderr);
    for (const [, library] of stdout.matchAll(/NEEDED\s+(\S+)/g)) libraries.add(library);
  }
  assert.ok(libraries.size > 3);
  for (const library of libraries) {
    const { stdout } = await run("dpkg", ["-S", `*/${library}`]);
    const packages = stdout.split("\n").map((line) => line.split(":")[0]).filter(Boolean);
    assert.ok(packages.some((one) => installed.has(one) || one === "libc6"), `${library}: one of ${packages}`);
  }
});
