// Downstream servers that speak MCP by hand over node:http and misbehave in ways no SDK would: every
// request they see is kept. They are of 2025-11-25 with sessions.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";

const TOOL = { inputSchema: { type: "object" } };

/** Reads the body of a request to the end. */
async function read(req) {
  const parts = [];
  for await (const part of req) parts.push(part);
  return Buffer.concat(parts).toString("utf8");
}

/**
 * A server with the tool `echo` and those given, name to {annotations?, run(one)}, where one is
 * {req, res, message, body, reply(result)}: {url, seen, sessions, ended, streams, calls, close}. `list` answers tools/list by its params. `seen` has every
 * request: {method, headers, message}. `sessions` are the ids it knows, `ended` those that were deleted,
 * `held` is what subscriptions wait for, `streams` the GET streams that are open, by session; `conflicts` counts second ones.
 */
export async function rawServer(tools = {}, { capabilities = { tools: {} }, serverInfo = { name: "raw", version: "1" }, stream = false, list } = {}) {
  const facts = { seen: [], sessions: new Set(), ended: [], streams: new Map(), conflicts: 0 };
  const all = { echo: { run: ({ reply, message }) => reply({ content: [{ type: "text", text: String(message.params.arguments?.text) }] }) }, ...tools };
  const http = createServer(async (req, res) => {
    const text = req.method === "POST" ? await read(req) : "";
    const message = text ? JSON.parse(text) : undefined;
    const id = req.headers["mcp-session-id"];
    facts.seen.push({ method: req.method, path: req.url, headers: req.headers, message });
    const json = (body, status = 200, headers = {}) => res.writeHead(status, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(body));
    const reply = (result, headers) => json({ jsonrpc: "2.0", id: message.id, result }, 200, headers);
    if (message?.method === "server/discover") return json({ jsonrpc: "2.0", id: message.id, error: { code: -32601, message: "unknown" } }, 400);
    if (message?.method === "initialize") {
      const session = randomUUID();
      facts.sessions.add(session);
      return reply({ protocolVersion: "2025-11-25", capabilities, serverInfo }, { "Mcp-Session-Id": session });
    }
    if (!facts.sessions.has(id)) return json({ jsonrpc: "2.0", id: null, error: { code: -32000, message: "no such session" } }, 404);
    if (req.method === "DELETE") {
      facts.sessions.delete(id);
      facts.ended.push(id);
      return res.writeHead(200).end();
    }
    if (req.method === "GET") {
      if (!stream) return res.writeHead(405).end();
      if (facts.streams.has(id)) {
        facts.conflicts++;
        return res.writeHead(409).end();
      }
      facts.streams.set(id, res);
      req.socket.once("close", () => facts.streams.delete(id));
      return res.writeHead(200, { "Content-Type": "text/event-stream" }).write(": open\n\n");
    }
    if (message.id === undefined || message.method === undefined) {
      facts.answered?.(message);
      return res.writeHead(202).end();
    }
    if (message.method === "tools/list" && list) return reply(list(message.params ?? {}));
    if (message.method === "tools/list") return reply({ tools: Object.entries(all).map(([name, { annotations }]) => ({ ...TOOL, name, ...(annotations && { annotations }) })) });
    if (message.method === "tools/call" && all[message.params.name]) return all[message.params.name].run({ req, res, message, reply, session: id });
    if (message.method === "resources/subscribe") await facts.held;
    if (["ping", "resources/subscribe", "logging/setLevel"].includes(message.method)) return reply({});
    json({ jsonrpc: "2.0", id: message.id, error: { code: -32601, message: "unknown" } });
  });
  await new Promise((resolve) => { http.listen(0, "127.0.0.1", resolve); });
  http.unref(); // ends with its test
  facts.url = `http://127.0.0.1:${http.address().port}/mcp`;
  facts.calls = (name) => facts.seen.filter(({ message }) => message?.method === "tools/call" && message.params.name === name);
  facts.close = () => {
    http.closeAllConnections();
    return new Promise((resolve) => { http.close(resolve); });
  };
  return facts;
}
