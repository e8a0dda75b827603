// Running commands in the sandbox, switched on.
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { begin, request } from "./http.mjs";
import { Modern } from "./mcp.mjs";
import { command } from "./samples.mjs";
import { learn } from "./schema.mjs";
import { run, useStack } from "./stack.mjs";
import { stopwatch, until } from "./wait.mjs";

let hub;
let sandbox;
const stack = useStack({ before, after }, {
  args: ["--no-starter"],
  env: { MAL_EXEC_ENABLED: "true", MAL_EXEC_MAX: "2" },
}, async () => {
  hub = new Modern(stack);
  learn(await hub.all("tools/list", "tools"));
  sandbox = (await run("bwrap", ["--ro-bind", "/", "/", "--unshare-pid", "--unshare-net", "true"])).code === 0;
});

let n = 0;
async function execute(script_template, { shell = "bash", params = {}, parameters = [], ...args } = {}) {
  const id = `run-${++n}`;
  await hub.ok("mal_register_command", command(id, { shell, script_template, parameters }));
  return hub.ok("mal_execute_command", { id, params, mode: "run", confirm: true, ...args });
}

function commandLines() {
  return readdirSync("/proc").filter((pid) => /^\d+$/.test(pid)).map((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "latin1");
    } catch {
      return "";
    }
  });
}

test("a machine without the isolation primitives refuses to run", async (t) => {
  if (sandbox) return t.skip("this machine has them");
  await hub.ok("mal_register_command", command("refused", { script_template: "true", parameters: [] }));
  await hub.fails("mal_execute_command", { id: "refused", mode: "run", confirm: true }, "UNAVAILABLE");
});

describe("a run", () => {
  const when = (name, fn) => test(name, async (t) => (sandbox ? fn(t) : t.skip("this machine allows no user namespaces")));

  when("gives exit code, stdout and stderr", async () => {
    const result = await execute("echo out; echo err >&2; exit 3");
    assert.deepEqual([result.executed, result.exit_code, result.stdout, result.stderr, result.timed_out], [true, 3, "out\n", "err\n", false]);
  });

  for (const [shell, script] of [["python", "import sys; sys.stdout.write({{word}})"], ["node", "process.stdout.write({{word}})"]]) {
    when(`starts ${shell}`, async () => {
      const parameters = [{ name: "word", type: "string", description: "x", required: true }];
      const word = `x'; touch /tmp/e2e-run; echo "$(id)`;
      const result = await execute(script, { shell, parameters, params: { word } });
      assert.equal(result.exit_code, 0, result.stderr);
      assert.equal(result.stdout, word);
    });
  }

  when("ends at its timeout within 4 s and leaves no process", async () => {
    const took = stopwatch();
    const result = await execute("sleep 98765 & sleep 98766; wait", { timeout_s: 1 });
    assert.equal(result.timed_out, true);
    assert.ok(took() < 4500, `${took()} ms`);
    await until("no process is left", () => !commandLines().some((line) => /sleep\0987/.test(line)), { deadline: 2000 });
  });

  when("cuts 1 MB of output at 64 KiB and says so", async () => {
    const result = await execute("head -c 1000000 /dev/zero | tr '\\0' x");
    assert.equal(result.stdout.length, 65536);
    assert.equal(result.stdout_truncated, true);
    assert.equal(result.stderr_truncated, false);
  });

  when("replaces invalid UTF-8", async () => {
    const result = await execute("printf '\\377ok'");
    assert.equal(result.stdout, "\ufffdok");
  });

  when("has no network", async () => {
    const { hostname, port } = new URL(stack.base);
    const result = await execute(`exec 3<>/dev/tcp/${hostname}/${port} && echo reached`);
    assert.notEqual(result.exit_code, 0);
    assert.equal(result.stdout, "");
    assert.equal((await request(`${stack.base}/api/openapi.json`, { method: "GET", headers: { "x-api-key": stack.key } })).status, 200);
  });

  when("sees a clean environment and no descriptors of ours", async () => {
    const { stdout } = await execute("env | cut -d= -f1 | sort; echo --; ls /proc/self/fd | wc -l");
    const [names, count] = stdout.split("--\n");
    const allowed = ["HOME", "LANG", "PATH", "PWD", "SHLVL", "_", "OLDPWD"];
    for (const name of names.trim().split("\n")) assert.ok(allowed.includes(name) || name.startsWith("MAL_P_"), name);
    assert.ok(Number(count) <= 4, `descriptors: ${count}`);
  });

  when("writes nowhere but in its folder", async () => {
    const mark = `/tmp/e2e-outside-${process.pid}`;
    const result = await execute(`echo here > inside && cat inside; echo x > ${mark}; echo x > /etc/e2e-mark; ls ${mark}`);
    assert.match(result.stdout, /^here\n/);
    assert.equal(existsSync(mark), false);
    assert.equal(existsSync("/etc/e2e-mark"), false);
  });

  when("is one of at most MAL_EXEC_MAX", async () => {
    await hub.ok("mal_register_command", command("slow", { script_template: "sleep 3", parameters: [] }));
    const calls = Array.from({ length: 5 }, () => hub.tool("mal_execute_command", { id: "slow", mode: "run", confirm: true }));
    const results = await Promise.all(calls);
    const refused = results.filter((result) => result.isError);
    assert.equal(refused.length, 3);
    for (const result of refused) assert.equal(result._meta["mal.hub/error"].status, "RESOURCE_EXHAUSTED");
  });

  when("stops when its caller goes away (2026-07-28)", async () => {
    await hub.ok("mal_register_command", command("cancelled", { script_template: "sleep 45678", parameters: [] }));
    const running = () => commandLines().some((line) => /sleep\x0045678/.test(line));
    const params = { name: "mal_execute_command", arguments: { id: "cancelled", mode: "run", confirm: true } };
    const pending = begin(stack.url, { headers: hub.headers("tools/call", params),
      body: JSON.stringify(hub.message("tools/call", params)) });
    await until("the script runs", running);
    pending.destroy();
    await until("the script is stopped", () => !running(), { deadline: 5000 });
  });
});
