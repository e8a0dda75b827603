// Who may do what: key formats, scopes, mal keys, the failure limit, Origin and Host.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { request } from "./http.mjs";
import { Modern } from "./mcp.mjs";
import { skill } from "./samples.mjs";
import { learn } from "./schema.mjs";
import { bin, root, run, startStack, useStack } from "./stack.mjs";
import { until } from "./wait.mjs";

const { tools } = JSON.parse(readFileSync(join(root, "api/tools.json"), "utf8"));
learn(tools);

/** Status of GET /api/v1/skills with these headers. */
const probe = (stack, headers = {}, path = "/api/v1/skills") => request(`${stack.base}${path}`, { method: "GET", headers });

const formats = {
  object: JSON.stringify({ ana: "key-of-ana-for-the-tests", robot: { key: "key-of-robot-for-the-tests", scopes: ["read"] } }),
  array: JSON.stringify([{ name: "ana", key: "key-of-ana-for-the-tests" }, { name: "robot", key: "key-of-robot-for-the-tests", scopes: ["read"] }]),
  list: "ana:key-of-ana-for-the-tests,robot:key-of-robot-for-the-tests",
  single: "key-of-ana-for-the-tests",
};

describe("MAL_API_KEYS", () => {
  for (const [format, value] of Object.entries(formats)) {
    test(`is read as ${format}`, async () => {
      const stack = await startStack({ args: ["--no-starter"], env: { MAL_API_KEYS: value } });
      try {
        assert.equal((await probe(stack, { "x-api-key": "key-of-ana-for-the-tests" })).status, 200);
        assert.equal((await probe(stack, { Authorization: "Bearer key-of-ana-for-the-tests" })).status, 200);
        assert.equal((await probe(stack, { "x-api-key": "key-of-nobody-for-the-tests" })).status, 401);
        const ana = new Modern(stack, { key: "key-of-ana-for-the-tests" });
        await ana.ok("mal_register_skill", skill("by-ana"));
        if (format !== "single") {
          const robot = new Modern(stack, { key: "key-of-robot-for-the-tests" });
          await robot.ok("mal_get_skill", { id: "by-ana" });
          if (format !== "list") assert.equal((await robot.error("tools/call", { name: "mal_register_skill", arguments: skill("no") })).code, -32602);
        }
        const name = format === "single" ? "default" : "ana";
        await until("the audit log names the key", async () =>
          (await ana.ok("mal_get_audit_log", { user_key: name, tool_name: "mal_register_skill" })).total === 1, { deadline: 2000 });
      } finally {
        await stack.stop();
      }
    });
  }
});

describe("credentials", () => {
  const stack = useStack({ before, after }, { args: ["--no-starter"], env: { MAL_FAILURE_LIMIT: "1000" } });

  test("none is 401 with a challenge, a wrong one says invalid_token", async () => {
    const none = await probe(stack);
    assert.equal(none.status, 401);
    assert.equal(none.headers["www-authenticate"], 'Bearer realm="hub"');
    const wrong = await probe(stack, { "x-api-key": "mal_wrong" });
    assert.equal(wrong.status, 401);
    assert.match(wrong.headers["www-authenticate"], /error="invalid_token"/);
    assert.doesNotMatch(wrong.headers["www-authenticate"], /resource_metadata|insufficient_scope/);
  });

  test("the MCP endpoint asks for one too, whatever the method", async () => {
    for (const method of ["POST", "GET", "DELETE"])
      assert.equal((await request(stack.url, { method, body: method === "POST" ? "{}" : undefined, headers: { "Content-Type": "application/json" } })).status, 401, method);
  });

  test("malformed ones are 400", async () => {
    for (const headers of [{ Authorization: "Bearer " }, { Authorization: "Bearer" }, { Authorization: "Bearer a b" }, { "x-api-key": "" },
      { "x-api-key": "a b" }, { "x-api-key": "x".repeat(2000) }, { "x-api-key": stack.key, Authorization: "Bearer another" }])
      assert.equal((await probe(stack, headers)).status, 400, JSON.stringify(headers));
  });

  test("a key in the query is none", async () => {
    for (const name of ["key", "api_key", "x-api-key", "access_token"])
      assert.equal((await probe(stack, {}, `/api/v1/skills?${name}=${stack.key}`)).status, 401);
  });

  test("liveness and readiness need none, and are on the admin listener", async () => {
    for (const [name, url] of Object.entries(stack.admin))
      for (const path of ["/healthz", "/readyz", "/metrics"])
        assert.equal((await request(`${url}${path}`, { method: "GET" })).status, 200, `${name} ${path}`);
  });

  test("no key is ever in a log line", async () => {
    await probe(stack, { "x-api-key": "mal_secretly_wrong_key" });
    assert.equal(stack.logs().includes("mal_secretly_wrong_key"), false);
    assert.equal(stack.logs().includes(stack.key), false);
  });

  describe("scopes", () => {
    const needs = (tool) => {
      const { readOnlyHint, destructiveHint, openWorldHint } = tool.annotations;
      if (readOnlyHint) return ["read"];
      if (openWorldHint) return ["execute"];
      return destructiveHint ? ["write", "destructive"] : ["write"];
    };
    for (const scopes of ["read", "write", "read,write", "read,write,destructive", "read,execute"]) {
      test(`${scopes}: the list shows what may be called, and the rest is unknown`, async () => {
        const name = `scope-${scopes.replaceAll(",", "-")}`;
        const { secret } = JSON.parse((await stack.mal("keys", "add", name, "--scopes", scopes, "--json")).stdout);
        const client = new Modern(stack, { key: secret });
        await until("the key works", async () => (await client.post("tools/list")).status === 200);
        const may = (tool) => needs(tool).every((scope) => scopes.split(",").includes(scope));
        const listed = (await client.all("tools/list", "tools")).map(({ name: tool }) => tool).sort();
        assert.deepEqual(listed, tools.filter(may).map(({ name: tool }) => tool).sort());
        const hidden = tools.find((tool) => !may(tool));
        const refused = await client.error("tools/call", { name: hidden.name, arguments: {} });
        const unknown = await client.error("tools/call", { name: "mal_xxxxx", arguments: {} });
        assert.deepEqual({ ...refused, message: refused.message.replace(hidden.name, "X") }, { ...unknown, message: unknown.message.replace("mal_xxxxx", "X") });
      });
    }

    test("resources and prompts need read", async () => {
      const { secret } = JSON.parse((await stack.mal("keys", "add", "writer-only", "--scopes", "write", "--json")).stdout);
      const client = new Modern(stack, { key: secret });
      await until("the key works", async () => (await client.post("tools/list")).status === 200);
      await new Modern(stack).tool("mal_register_skill", skill("shown", { asset_content: "# x\n" }));
      assert.deepEqual((await client.result("resources/list")).resources, []);
      assert.equal((await client.error("resources/read", { uri: "skill://shown/SKILL.md" })).code, -32602);
    });
  });

  describe("mal keys", () => {
    const keys = async (...args) => {
      const { code, stdout, stderr } = await stack.mal("keys", ...args, "--json");
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout);
    };
    const works = async (secret) => (await probe(stack, { "x-api-key": secret })).status === 200;

    test("add shows the secret once, list and show never", async () => {
      const made = await keys("add", "once");
      assert.match(made.secret, /^mal_[\w-]{20,}$/);
      const listed = JSON.stringify([await keys("list"), await keys("show", "once")]);
      assert.equal(listed.includes(made.secret), false);
      assert.ok(listed.includes(made.prefix));
      await until("it works without a restart", () => works(made.secret));
    });

    test("rotate gives a new secret and keeps the old one for a while", async () => {
      const first = await keys("add", "turning");
      await until("the first works", () => works(first.secret));
      const second = await keys("rotate", "turning");
      assert.notEqual(second.secret, first.secret);
      await until("the second works", () => works(second.secret));
      assert.ok(await works(first.secret));
    });

    test("revoke ends both, within a second", async () => {
      const { id, secret } = await keys("add", "leaving");
      await until("it works", () => works(secret));
      const stream = await new Modern(stack, { key: secret }).listen({ toolsListChanged: true });
      await keys("revoke", "leaving");
      await until("it is refused", async () => !(await works(secret)), { deadline: 1000 });
      await until("its stream ends", () => stream.ended, { deadline: 20_000, every: 100 });
      assert.equal((await keys("show", id)).state, "revoked");
    });

    test("an expired key is refused", async () => {
      const at = new Date(Date.now() + 4000).toISOString();
      const { secret } = await keys("add", "short", "--expires", at);
      await until("it works", () => works(secret), { deadline: 3500 });
      await until("it has expired", async () => !(await works(secret)), { every: 100 });
      assert.ok(Date.now() >= Date.parse(at));
    });

    test("wrong words are refused with exit code 2, unknown keys with 1", async () => {
      assert.equal((await stack.mal("keys")).code, 2);
      assert.equal((await stack.mal("keys", "paint", "x")).code, 2);
      assert.equal((await stack.mal("keys", "show", "nobody")).code, 1);
      assert.notEqual((await stack.mal("keys", "add", "scopeless", "--scopes", "everything")).code, 0);
      assert.notEqual((await stack.mal("keys", "add", "past", "--expires", "2020-01-01T00:00:00Z")).code, 0);
    });

    test("secrets are stored as keyed hashes", async () => {
      const { secret } = await keys("add", "hashed");
      await until("it works", () => works(secret));
      const { code } = await run("grep", ["-rqaF", secret, stack.dir]);
      assert.equal(code, 1, "the secret is nowhere in the folder of the stack");
    });
  });
});

describe("wrong keys", () => {
  const stack = useStack({ before, after }, { args: ["--no-starter"], env: { MAL_TRUSTED_PROXIES: "127.0.0.1" } });

  test("more than 10 a minute from one address are 429, other addresses and known keys go on", async () => {
    const from = (address, key) => probe(stack, { "x-api-key": key, "X-Forwarded-For": address });
    assert.equal((await from("192.0.2.1", stack.key)).status, 200);
    for (let i = 0; i < 10; i++) assert.equal((await from("192.0.2.1", `wrong-${i}`)).status, 401, String(i));
    const limited = await from("192.0.2.1", "wrong-again");
    assert.equal(limited.status, 429);
    assert.ok(Number(limited.headers["retry-after"]) > 0);
    assert.equal((await from("192.0.2.2", "wrong")).status, 401);
    assert.equal((await from("192.0.2.1", stack.key)).status, 200);
  });
});

describe("calls beyond MAL_RATE_LIMIT", () => {
  const stack = useStack({ before, after }, { args: ["--no-starter"], env: { MAL_RATE_LIMIT: "5" } });

  test("are RESOURCE_EXHAUSTED", async () => {
    const client = new Modern(stack);
    const results = await Promise.all(Array.from({ length: 30 }, () => client.tool("mal_list_skills")));
    const refused = results.filter((result) => result.isError);
    assert.ok(refused.length >= 10 && refused.length <= 25, String(refused.length));
    for (const result of refused) assert.equal(result._meta["mal.hub/error"].status, "RESOURCE_EXHAUSTED");
  });
});

describe("Origin and Host", () => {
  const stack = useStack({ before, after }, { args: ["--no-starter"], env: { MAL_CORS_ORIGINS: "https://board.example" } });
  const as = (headers, method = "GET") => request(`${stack.base}/api/v1/skills`, { method, headers: { "x-api-key": stack.key, ...headers } });

  test("foreign ones are 403, at the MCP endpoint and at REST, before any key is looked at", async () => {
    for (const headers of [{ Origin: "http://evil.example.com" }, { Host: "evil.example.com" }, { Origin: "null" },
      { Origin: "http://127.0.0.1:1" }, { Host: "evil.example.com", Origin: "http://evil.example.com" }]) {
      assert.equal((await as(headers)).status, 403, JSON.stringify(headers));
      const mcp = await request(stack.url, { headers: { "Content-Type": "application/json", ...headers }, body: "{}" });
      assert.equal(mcp.status, 403);
    }
  });

  test("our own and listed ones pass", async () => {
    const { host, port } = new URL(stack.base);
    for (const headers of [{}, { Host: host, Origin: stack.base }, { Host: `localhost:${port}`, Origin: `http://localhost:${port}` }, { Origin: "https://board.example" }])
      assert.equal((await as(headers)).status, 200, JSON.stringify(headers));
  });

  test("a listed origin gets its CORS headers, no other", async () => {
    const preflight = await as({ Origin: "https://board.example", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key, mcp-session-id", "x-api-key": undefined }, "OPTIONS");
    assert.ok([200, 204].includes(preflight.status));
    assert.equal(preflight.headers["access-control-allow-origin"], "https://board.example");
    assert.match(preflight.headers["access-control-allow-headers"], /mcp-session-id/i);
    const answer = await as({ Origin: "https://board.example" });
    assert.match(answer.headers["access-control-expose-headers"], /mcp-session-id/i);
    assert.match(answer.headers.vary, /origin/i);
    const foreign = await as({ Origin: "https://other.example", "Access-Control-Request-Method": "POST" }, "OPTIONS");
    assert.equal(foreign.headers["access-control-allow-origin"], undefined);
  });
});

describe("keys that cannot be read", () => {
  test("are told at once, without waiting for the bus", async () => {
    const env = { MAL_API_KEYS: '{"ana":"x"', MAL_NATS_URL: "nats://127.0.0.1:1" };
    const { code, stderr } = await run(join(bin, "mal-gateway"), [], { timeout: 15_000, env });
    assert.equal(code, 1, stderr);
    assert.match(stderr, /MAL_API_KEYS/);
  });
});

describe("without any key", () => {
  test("the gateway refuses to listen beyond loopback and names the command that mends it", async () => {
    const dir = mkdtempSync(join(tmpdir(), "e2e-nats-"));
    const nats = spawn("nats-server", ["-js", "-sd", dir, "-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", dir], { stdio: "ignore" });
    try {
      const ports = await until("the bus says its port", () => {
        const file = readdirSync(dir).find((name) => name.endsWith(".ports"));
        return file && JSON.parse(readFileSync(join(dir, file), "utf8"));
      });
      const { code, stderr } = await run(join(bin, "mal-gateway"), [], { timeout: 15_000, env: { MAL_BIND: "0.0.0.0:0", MAL_NATS_URL: ports.nats[0] } });
      assert.equal(code, 1, stderr);
      assert.match(stderr, /mal keys add/);
    } finally {
      nats.kill("SIGKILL");
      await until("the bus has ended", () => nats.signalCode !== null || nats.exitCode !== null);
      rmSync(dir, { recursive: true });
    }
  });
});
