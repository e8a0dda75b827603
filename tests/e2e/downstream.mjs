// Downstream servers of the tests: written on the official SDKs, one for each era, over Streamable
// HTTP on a free port of this machine.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { join } from "node:path";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { z } from "zod";
import { request } from "./http.mjs";
import { server as registration } from "./samples.mjs";
import { until } from "./wait.mjs";

/** Reads the body of a request to the end. */
async function read(req) {
  const parts = [];
  for await (const part of req) parts.push(part);
  return Buffer.concat(parts).toString("utf8");
}

/** The tools, prompts and resources that every server of ours has. */
export function fill(server, seen = []) {
  server.registerTool("echo", { description: "Says it again.", inputSchema: { text: z.string() } },
    async ({ text }) => ({ content: [{ type: "text", text }] }));
  server.registerTool("fails", { description: "Never works." }, async () => ({ content: [{ type: "text", text: "no luck" }], isError: true }));
  server.registerTool("slow", { description: "Takes its time.", inputSchema: { ms: z.number(), steps: z.number().optional() } },
    async ({ ms, steps = 0 }, extra) => {
      extra.signal.addEventListener("abort", () => seen.push("aborted"));
      for (let i = 1; i <= steps; i++)
        await extra.sendNotification({ method: "notifications/progress", params: { progressToken: extra._meta?.progressToken ?? "none", progress: i, total: steps } });
      await new Promise((resolve) => { setTimeout(resolve, ms); });
      return { content: [{ type: "text", text: "done" }] };
    });
  server.registerTool("ask", { description: "Asks for a name." }, async (extra) => {
    const answer = await extra.sendRequest({ method: "elicitation/create", params: { message: "Who?", requestedSchema: { type: "object", properties: { name: { type: "string" } } } } },
      z.object({ action: z.string(), content: z.any() }));
    return { content: [{ type: "text", text: `${answer.action} ${answer.content?.name}` }] };
  });
  server.registerResource("note", "note://one", { description: "A note." }, async (uri) => ({ contents: [{ uri: uri.href, text: "noted" }] }));
  server.registerPrompt("greet", { description: "Greets.", argsSchema: { name: z.string() } },
    ({ name }) => ({ messages: [{ role: "user", content: { type: "text", text: `Hello ${name}` } }] }));
}

/** A server of 2025-11-25 on the first SDK: {url, seen, close}. */
export async function legacyServer() {
  const sessions = new Map();
  const facts = { seen: [], headers: [] };
  const http = createServer(async (req, res) => {
    facts.headers.push(req.headers);
    const body = req.method === "POST" ? JSON.parse(await read(req)) : undefined;
    let transport = sessions.get(req.headers["mcp-session-id"]);
    if (!transport && body?.method === "initialize") {
      transport = new StreamableHTTPServerTransport({ sessionIdGenerator: randomUUID, onsessioninitialized: (id) => sessions.set(id, transport) });
      const server = new McpServer({ name: "legacy-fixture", version: "1.2.3" }, { instructions: "Use echo." });
      fill(server, facts.seen);
      await server.connect(transport);
    }
    if (!transport) return res.writeHead(body?.method === "server/discover" ? 400 : 404).end();
    await transport.handleRequest(req, res, body);
  });
  await new Promise((resolve) => { http.listen(0, "127.0.0.1", resolve); });
  http.unref(); // ends with its test
  facts.url = `http://127.0.0.1:${http.address().port}/mcp`;
  facts.sessions = sessions;
  facts.close = () => {
    http.closeAllConnections();
    return new Promise((resolve) => { http.close(resolve); });
  };
  return facts;
}

/** Registers a server and waits until the hub has reached it and knows its tools. */
export async function register(stack, id, url, more = {}, deadline = 30_000) {
  const headers = { "x-api-key": stack.key, "Content-Type": "application/json" };
  const made = await request(`${stack.base}/api/v1/mcps`, { method: "POST", headers, body: JSON.stringify(registration(id, { endpoint_url: url, ...more })) });
  if (made.status !== 201) throw new Error(made.text);
  await until(`${id} is reached`, async () => {
    const answer = await request(`${stack.base}/api/v1/mcps/${id}/tools`, { method: "GET", headers });
    return answer.json?.items?.length > 0;
  }, { deadline });
}

/** Makes a server's tools part of /mcp; `more` is further policy. */
export async function expose(stack, id, more = {}) {
  const answer = await request(`${stack.base}/api/v1/mcps/${id}/policy`, {
    method: "PATCH",
    headers: { "x-api-key": stack.key, "Content-Type": "application/json" },
    body: JSON.stringify({ expose: true, ...more }),
  });
  if (answer.status !== 200) throw new Error(answer.text);
}

/** The same, and until the gateway serves it. */
export async function serve(stack, id, url, more = {}) {
  await register(stack, id, url, more);
  await until(`${id} is served`, async () => {
    const answer = await request(`${stack.base}/api/v1/mcps/${id}/call`, {
      method: "POST",
      headers: { "x-api-key": stack.key, "Content-Type": "application/json" },
      body: JSON.stringify({ tool_name: "echo", arguments: { text: "there" } }),
    });
    return answer.status === 200;
  }, { deadline: 30_000 });
}

/** The server `echo` that the samples call. */
export async function serveEcho(stack) {
  const fixture = await legacyServer();
  await serve(stack, "echo", fixture.url);
}

/** fixture-server.mjs of the given eras (both, legacy, modern): {url, close}. */
export async function fixture(eras) {
  const child = spawn(process.execPath, [join(import.meta.dirname, "fixture-server.mjs"), "http", eras], { stdio: ["ignore", "pipe", "inherit"] });
  const port = await new Promise((resolve, reject) => {
    child.stdout.once("data", (text) => resolve(Number(/\d+/.exec(String(text))[0])));
    child.once("exit", () => reject(new Error("the fixture server ended")));
  });
  child.unref();
  process.once("exit", () => child.kill());
  return { url: `http://127.0.0.1:${port}/mcp`, close: () => child.kill() };
}

/** Makes a virtual server; waits until it is served. */
export async function curate(stack, id, body) {
  const headers = { "x-api-key": stack.key, "Content-Type": "application/json" };
  const answer = await request(`${stack.base}/api/v1/virtual-servers/${id}`, { method: "PUT", headers, body: JSON.stringify(body) });
  if (answer.status >= 300) throw new Error(answer.text);
  await until(`${id} is served`, async () => (await request(`${stack.base}/mcp/${id}`, { method: "GET", headers: { ...headers, Accept: "text/event-stream" } })).status !== 404);
  return answer.json;
}
