// Starts a gateway from npm in front of a stdio server, opens sessions with it and prints its port,
// its process id and the sessions. Arguments: the gateway's name, the server's command line. It lies
// beside the node_modules with the gateways.
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const SESSIONS = 16;
const START_MS = 30_000;
const STOP_MS = 2000;
const [name, ...command] = process.argv.slice(2);

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => { server.listen(0, "127.0.0.1", resolve); });
  const { port } = server.address();
  await new Promise((resolve) => { server.close(resolve); });
  return port;
}

const port = await freePort();
const url = `http://127.0.0.1:${port}/mcp`;
const words = {
  supergateway: ["supergateway/dist/index.js", "--stdio", command.join(" "), "--outputTransport", "streamableHttp",
    "--stateful", "--port", port, "--streamableHttpPath", "/mcp", "--logLevel", "none"],
  "mcp-proxy": ["mcp-proxy/dist/bin/mcp-proxy.mjs", "--host", "127.0.0.1", "--port", port, "--server", "stream",
    "--streamEndpoint", "/mcp", "--", ...command],
}[name];
const [script, ...rest] = words;
const child = spawn(process.execPath, [join(import.meta.dirname, "node_modules", script), ...rest.map(String)], { stdio: "ignore" });
child.once("exit", (code) => process.exit(code ?? 1));
process.once("exit", () => child.kill("SIGKILL"));
process.once("SIGTERM", () => {
  child.kill("SIGTERM");
  setTimeout(() => process.exit(0), STOP_MS);
});

async function post(body, headers = {}) {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers },
    body: JSON.stringify({ jsonrpc: "2.0", ...body }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${name}: HTTP ${answer.status} ${text}`);
  return answer.headers.get("mcp-session-id");
}

const version = "2025-11-25";
const initialize = () => post({ id: 0, method: "initialize", params: { protocolVersion: version, capabilities: {}, clientInfo: { name: "bench", version: "1" } } });

const began = Date.now();
let first;
while (!first) {
  try {
    first = await initialize();
  } catch (error) {
    if (Date.now() - began > START_MS) throw error;
    await sleep(50);
  }
}
const sessions = [first];
while (sessions.length < SESSIONS) sessions.push(await initialize());
for (const id of sessions) await post({ method: "notifications/initialized" }, { "mcp-session-id": id, "mcp-protocol-version": version });
console.log(`${port} ${child.pid} ${sessions.join(",")}`);
