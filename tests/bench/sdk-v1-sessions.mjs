// The peer of `mal bench` that does the hub's job: express and the TypeScript SDK
// v1 with sessions, as its documentation shows them; an API key, arguments and
// result checked by zod, one row of about 700 bytes by id from the same Postgres,
// and an audit row for each call, written in bursts after the answer. Prints its
// port and the sessions it has opened. Arguments: Postgres URL, API key.
import { createHash, randomUUID, timingSafeEqual } from "node:crypto";
import { createRequire } from "node:module";

const require = createRequire(new URL("../e2e/package.json", import.meta.url));
const express = require("express");
const { Pool } = require("pg");
const { z } = require("zod");
const { McpServer } = require("@modelcontextprotocol/sdk/server/mcp.js");
const { StreamableHTTPServerTransport } = require(
  "@modelcontextprotocol/sdk/server/streamableHttp.js",
);
const { isInitializeRequest } = require("@modelcontextprotocol/sdk/types.js");

const [, , url, key] = process.argv;
const SESSIONS = 16;
const BURST_MS = 100;

// libpq's words: host=… dbname=… user=… password=…
function settings(text) {
  const { dbname, ...rest } = Object.fromEntries(text.split(" ").map((part) => part.split("=")));
  return { ...rest, database: dbname };
}
const pool = new Pool({ ...settings(url), max: 8 });

const Skill = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string(),
  version: z.string(),
  category: z.string(),
  trigger_patterns: z.array(z.string()),
  asset_path: z.string(),
  dependencies: z.array(z.string()),
  author: z.string(),
  tags: z.array(z.string()),
  created_at: z.string(),
  updated_at: z.string(),
});

async function skill(id) {
  const { rows } = await pool.query({
    name: "skill",
    text: `select id, name, description, version, category, trigger_patterns, asset_path,
                  dependencies, author, tags, created_at, updated_at
             from catalog.skill where id = $1`,
    values: [id],
  });
  if (rows.length === 0) return undefined;
  const [row] = rows;
  return {
    ...row,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}

// ---- audit --------------------------------------------------------------------

await pool.query(
  `create table if not exists public.peer_audit (id uuid primary key, tool text, resource text,
     caller text, at timestamptz, duration_ms int, ok bool)`,
);
let calls = [];
setInterval(() => {
  if (calls.length === 0) return;
  const burst = calls;
  calls = [];
  const column = (name) => burst.map((call) => call[name]);
  pool
    .query({
      name: "audit",
      text: `insert into public.peer_audit select * from unnest($1::uuid[], $2::text[], $3::text[],
               $4::text[], $5::timestamptz[], $6::int[], $7::bool[])`,
      values: ["id", "tool", "resource", "caller", "at", "duration", "ok"].map(column),
    })
    .catch((error) => console.error(error));
}, BURST_MS);

function audited(tool, handler) {
  return async (args) => {
    const start = Date.now();
    const result = await handler(args);
    calls.push({
      id: randomUUID(),
      tool,
      resource: args.id,
      caller: "bench",
      at: new Date(start),
      duration: Date.now() - start,
      ok: !result.isError,
    });
    return result;
  };
}

// ---- the server ---------------------------------------------------------------

function server() {
  const mcp = new McpServer({ name: "peer", version: "1.0.0" });
  mcp.registerTool(
    "mal_get_skill",
    {
      title: "Get skill",
      description: "Returns one skill with its metadata.",
      inputSchema: {
        id: z
          .string()
          .max(64)
          .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/),
      },
      outputSchema: { skill: Skill },
      annotations: { readOnlyHint: true, idempotentHint: true },
    },
    audited("mal_get_skill", async ({ id }) => {
      const found = await skill(id);
      if (!found)
        return { isError: true, content: [{ type: "text", text: `Skill '${id}' not found` }] };
      return {
        content: [{ type: "text", text: JSON.stringify({ skill: found }) }],
        structuredContent: { skill: found },
      };
    }),
  );
  return mcp;
}

const digest = (text) => createHash("sha256").update(text).digest();
const expected = digest(key);
const transports = new Map();
const app = express();

app.use(express.json());
app.use((req, res, next) => {
  const given = req.headers["x-api-key"];
  if (typeof given === "string" && timingSafeEqual(digest(given), expected)) next();
  else res.status(401).json({ error: "An API key is needed." });
});
app.post("/mcp", async (req, res) => {
  let transport = transports.get(req.headers["mcp-session-id"]);
  if (!transport && isInitializeRequest(req.body)) {
    transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      enableJsonResponse: true,
      onsessioninitialized: (id) => transports.set(id, transport),
    });
    await server().connect(transport);
  }
  if (transport) await transport.handleRequest(req, res, req.body);
  else res.status(404).json({ error: "There is no such session." });
});

const http = app.listen(0, "127.0.0.1", async () => {
  const { port } = http.address();
  const sessions = [];
  const post = (body, headers) =>
    fetch(`http://127.0.0.1:${port}/mcp`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "x-api-key": key,
        ...headers,
      },
      body: JSON.stringify({ jsonrpc: "2.0", ...body }),
    });
  for (let i = 0; i < SESSIONS; i++) {
    const version = { protocolVersion: "2025-11-25" };
    const answer = await post({
      id: 0,
      method: "initialize",
      params: { ...version, capabilities: {}, clientInfo: { name: "bench", version: "1" } },
    });
    const id = answer.headers.get("mcp-session-id");
    await answer.text();
    await post({ method: "notifications/initialized" }, { "mcp-session-id": id });
    sessions.push(id);
  }
  console.log(`${port} ${sessions.join(",")}`);
});
