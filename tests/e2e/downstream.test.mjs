// The client side for downstream servers (lib/downstream, as mal-test-client) against real ones: the
// fixture on the official SDK in every era and transport, the reference servers from npm, and the
// conformance runner's client suite.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createServer } from "node:https";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, describe, test } from "node:test";
import { bin, run } from "./stack.mjs";
import { startClient } from "./mcp-client.mjs";
import { until } from "./wait.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const fixture = join(here, "fixture-server.mjs");
const npm = (name) => join(here, "node_modules/.bin", `mcp-server-${name}`);
const capabilities = { elicitation: { form: {} }, sampling: {}, roots: {} };
const stops = [];
after(() => Promise.all(stops.map((stop) => stop())));

/** A server over HTTP; the program prints its port on the first line, or is told it. */
async function serve(args, { port, ready = /^\d+$/m, env = {} } = {}) {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...(port && { PORT: String(port) }), ...env } });
  const server = { child, log: "" };
  let out = "";
  child.stdout.on("data", (data) => void (out += data));
  child.stderr.on("data", (data) => void (server.log += data));
  server.stop = () => new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.on("exit", resolve);
    child.kill("SIGKILL");
  });
  stops.push(server.stop);
  await until(`${args.join(" ")} listens`, () => ready.test(out + server.log));
  server.port = port ?? Number(out.match(ready)[0]);
  server.url = `http://127.0.0.1:${server.port}/mcp`;
  return server;
}

async function connect(target, options) {
  const client = await startClient(bin, target, { capabilities, ...options });
  stops.push(client.stop);
  assert.equal(client.opened.event, "open", JSON.stringify(client.opened));
  return client;
}
const tool = (client, name, args = {}, more = {}) => client.call("tools/call", { name, arguments: args }, more);
const said = (events) => {
  assert.equal(events.at(-1).event, "result", JSON.stringify(events.at(-1)));
  return events.at(-1).result.content.map(({ text }) => text).join("");
};
const kinds = (events) => events.map(({ event, method }) => method ?? event);

for (const transport of ["http", "stdio"]) {
  for (const eras of ["both", "legacy", "modern"]) {
    describe(`the SDK's server over ${transport}, ${eras}`, () => {
      const modern = eras !== "legacy";
      let client;
      let server;

      test("is met in its newest revision and lists all it has", async () => {
        if (transport === "http") server = await serve([fixture, "http", eras]);
        client = await connect(server?.url ?? [process.execPath, fixture, "stdio", eras], transport === "stdio" && eras === "legacy" ? { newest: "2025-11-25" } : {});
        assert.equal(client.opened.modern, modern);
        assert.equal(client.opened.version, modern ? "2026-07-28" : "2025-11-25");
        assert.equal(client.opened.server_info.name, "mal-fixture");
        assert.ok((await client.list("tools/list")).some(({ name }) => name === "echo"));
        assert.equal((await client.list("resources/list")).length, 3);
        assert.equal((await client.list("resources/templates/list")).length, 1);
        assert.ok((await client.list("prompts/list")).length >= 4);
        assert.equal((await client.run({ op: "check" })).at(-1).event, "checked");
      });

      test("answers calls, with errors as they are", async () => {
        assert.equal(said(await tool(client, "echo", { message: "zwölf \u{1f600}\n" })), "Echo: zwölf \u{1f600}\n");
        assert.deepEqual((await tool(client, "test_structured")).at(-1).result.structuredContent, { sum: 3 });
        const error = (await tool(client, "no_such_tool")).at(-1);
        assert.equal(error.event, "error");
        assert.equal(error.error.code, -32602);
        const missing = (await client.call("resources/read", { uri: "test://missing" })).at(-1);
        assert.deepEqual(missing.error.data, { uri: "test://missing" });
        assert.match((await client.call("prompts/get", { name: "test_prompt_with_arguments", arguments: { arg1: "a", arg2: "b" } })).at(-1).result.messages[0].content.text, /arg1='a'/);
        assert.deepEqual((await client.call("completion/complete", { ref: { type: "ref/prompt", name: "test_prompt_with_arguments" }, argument: { name: "arg1", value: "par" } })).at(-1).result.completion.values, ["paris", "park", "party"]);
      });

      test("progress and logs come before the result, in order", async () => {
        const events = await tool(client, "test_tool_with_progress", {}, { progress: true });
        assert.deepEqual(events.slice(0, -1).map(({ own, params }) => [own, params.progress]), [[true, 0], [true, 50], [true, 100]]);
        const logs = await tool(client, "test_tool_with_logging", {}, { log_level: "debug" });
        assert.deepEqual(kinds(logs), ["notifications/message", "notifications/message", "notifications/message", "result"]);
      });

      test("its questions are asked and answered", async () => {
        assert.match(said(await tool(client, "test_elicitation")), /accept/);
        assert.match(said(await tool(client, "test_sampling", { prompt: "x" })), modern ? /sampled/ : /said/);
        assert.match(said(await tool(client, "test_roots")), /file:\/\/\/tmp/);
      });

      test("a cancelled call is cancelled there", async () => {
        const events = await tool(client, "test_slow", {}, { cancel_ms: 300 });
        assert.equal(events.at(-1).reason, "MCP_CANCELLED");
        await until("the server hears of it", async () => said(await tool(client, "test_seen")).includes("slow cancelled"));
        assert.equal(said(await tool(client, "echo", { message: "on" })), "Echo: on");
      });

      test("its changes are heard", async () => {
        await client.run({ op: "watch", tools: true, prompts: true });
        const heard = () => client.session.some(({ method }) => method === "notifications/tools/list_changed");
        await until("notifications/tools/list_changed", async () => {
          await tool(client, "test_trigger_tool_change");
          return heard();
        });
      });
    });
  }
}

describe("a server that is started anew", () => {
  for (const eras of ["legacy", "modern"]) {
    test(`costs no call (${eras})`, async () => {
      const first = await serve([fixture, "http", eras]);
      const client = await connect(first.url, { capabilities: undefined });
      assert.equal(said(await tool(client, "echo", { message: "1" })), "Echo: 1");
      await first.stop();
      const gone = (await tool(client, "echo", { message: "2" })).at(-1);
      assert.match(gone.reason, /MCP_(UNREACHABLE|LOST)/);
      await serve([fixture, "http", eras], { port: first.port });
      assert.equal(said(await tool(client, "echo", { message: "3" })), "Echo: 3");
      assert.equal((await client.run({ op: "describe" })).at(-1).generation, eras === "legacy" ? 2 : 0);
    });
  }
});

describe("a server over https", () => {
  const dir = mkdtempSync(join(tmpdir(), "e2e-tls-"));
  const [key, cert] = [join(dir, "key.pem"), join(dir, "cert.pem")];
  after(() => rmSync(dir, { recursive: true }));
  const serveTls = (name) => {
    execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test", "-addext", `subjectAltName=${name}`, "-keyout", key, "-out", cert], { stdio: "ignore" });
    const https = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, async (req, res) => {
      const chunks = [];
      for await (const chunk of req) chunks.push(chunk);
      const { id, method } = JSON.parse(Buffer.concat(chunks));
      const result = method === "server/discover" ? { supportedVersions: ["2026-07-28"], capabilities: {} } : { resultType: "complete", content: [{ type: "text", text: "x".repeat(300_000) }] };
      res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id, result }));
    });
    stops.push(() => new Promise((resolve) => https.close(resolve).closeAllConnections()));
    return new Promise((resolve) => https.listen(0, "127.0.0.1", () => resolve(`https://127.0.0.1:${https.address().port}/mcp`)));
  };

  test("is called when its certificate is trusted, on one connection", async () => {
    const client = await connect(await serveTls("IP:127.0.0.1"), { env: { ...process.env, SSL_CERT_FILE: cert } });
    for (let i = 0; i < 3; i++) assert.equal(said(await tool(client, "any")).length, 300_000);
  });

  for (const [what, name, env] of [["nobody trusts", "IP:127.0.0.1", {}], ["is another host's", "DNS:example.org", { SSL_CERT_FILE: cert }]]) {
    test(`is not called when its certificate ${what}`, async () => {
      const url = await serveTls(name);
      const client = await startClient(bin, url, { env: { ...process.env, ...env } });
      assert.equal(client.opened.reason, "MCP_UNREACHABLE", JSON.stringify(client.opened));
    });
  }
});

describe("the reference servers", () => {
  test("everything over stdio and HTTP", async () => {
    const port = 20000 + Math.floor(Math.random() * 20000);
    const http = await serve([npm("everything"), "streamableHttp"], { port, ready: /listening on port/i });
    for (const target of [[process.execPath, npm("everything")], http.url]) {
      const client = await connect(target);
      assert.equal(client.opened.version, "2025-11-25");
      assert.ok((await client.list("tools/list")).length > 8);
      assert.ok((await client.list("resources/list")).length > 5);
      assert.equal(said(await tool(client, "echo", { message: "hi" })), "Echo: hi");
      const slow = await tool(client, "trigger-long-running-operation", { duration: 0.4, steps: 4 }, { progress: true });
      assert.equal(slow.filter(({ own }) => own).length, 4);
      assert.match(said(await tool(client, "trigger-sampling-request", { prompt: "x", maxTokens: 10 })), /said/);
      assert.match(said(await tool(client, "trigger-elicitation-request")), /provided the requested information/);
    }
  });

  test("memory, filesystem and sequential-thinking over stdio", async () => {
    const dir = mkdtempSync(join(tmpdir(), "e2e-downstream-"));
    try {
      writeFileSync(join(dir, "a.txt"), "NUL \u0000 and more");
      const memory = await connect([process.execPath, npm("memory")]);
      assert.match(said(await tool(memory, "read_graph")), /entities/);
      const files = await connect([process.execPath, npm("filesystem"), dir], { capabilities: undefined });
      assert.match(said(await tool(files, "read_text_file", { path: join(dir, "a.txt") })), /NUL \u0000 and more/);
      const thinking = await connect([process.execPath, npm("sequential-thinking")]);
      assert.match(said(await tool(thinking, "sequentialthinking", { thought: "x", thoughtNumber: 1, totalThoughts: 1, nextThoughtNeeded: false })), /thoughtNumber/);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

describe("the conformance runner's client suite", () => {
  const runner = join(here, "node_modules/@modelcontextprotocol/conformance/dist/index.js");
  const scenarios = {
    "2025-11-25": ["initialize", "tools_call", "elicitation-sep1034-client-defaults", "sse-retry", "json-schema-2020-12-preservation"],
    "2026-07-28": ["tools_call", "request-metadata", "http-standard-headers", "http-custom-headers", "http-invalid-tool-headers",
      "sep-2322-client-request-state", "json-schema-ref-no-deref", "json-schema-2020-12-preservation"],
  };
  for (const [revision, names] of Object.entries(scenarios)) {
    for (const name of names) {
      test(`${revision} ${name}`, async () => {
        const out = mkdtempSync(join(tmpdir(), "e2e-conformance-"));
        try {
          const result = await run(process.execPath, [runner, "client", "--command", `${process.execPath} ${join(here, "conformance-client.mjs")}`,
            "--scenario", name, "--spec-version", revision, "-o", out], { env: { MAL_TEST_BIN: bin }, timeout: 60_000 });
          const found = readdirSync(out, { recursive: true }).filter((file) => file.endsWith("checks.json"));
          const checks = found.flatMap((file) => JSON.parse(readFileSync(join(out, file), "utf8")));
          assert.deepEqual(checks.filter(({ status }) => status === "FAILURE" || status === "WARNING").map(({ id, errorMessage }) => `${id}: ${errorMessage}`), []);
          assert.ok(checks.some(({ status }) => status === "SUCCESS"), result.stderr);
        } finally {
          rmSync(out, { recursive: true });
        }
      });
    }
  }
});
