// The peer of `mal bench`: a lean MCP server on the TypeScript SDK v1 that
// answers mal_get_skill from memory, without sessions, with JSON replies.
import { createRequire } from "node:module";
import { createServer } from "node:http";

const require = createRequire(new URL("../e2e/package.json", import.meta.url));
const { McpServer } = require("@modelcontextprotocol/sdk/server/mcp.js");
const { StreamableHTTPServerTransport } = require(
  "@modelcontextprotocol/sdk/server/streamableHttp.js",
);
const { z } = require("zod");

const skill = {
  id: "git-workflow-mal",
  name: "MAL Git Workflow",
  description: "How branches, commits and reviews go here.",
  version: "1.0.0",
  category: "custom",
  tags: ["git", "workflow"],
};
const text = "x".repeat(600);

function server() {
  const mcp = new McpServer({ name: "peer", version: "1.0.0" });
  mcp.registerTool(
    "mal_get_skill",
    { description: "Returns one skill.", inputSchema: { id: z.string() } },
    async ({ id }) => ({
      content: [{ type: "text", text }],
      structuredContent: { skill: { ...skill, id } },
    }),
  );
  return mcp;
}

async function answer(req, res) {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  const body = JSON.parse(Buffer.concat(chunks).toString());
  // The SDK knows the legacy era only; the body's envelope does not disturb it.
  req.headers["mcp-protocol-version"] = "2025-11-25";
  req.rawHeaders = req.rawHeaders.map((value) => (value === "2026-07-28" ? "2025-11-25" : value));
  const mcp = server();
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: undefined,
    enableJsonResponse: true,
  });
  res.on("close", () => {
    transport.close();
    mcp.close();
  });
  await mcp.connect(transport);
  await transport.handleRequest(req, res, body);
}

const http = createServer((req, res) => {
  answer(req, res).catch((error) => {
    res.writeHead(500).end(String(error));
  });
});
http.listen(0, "127.0.0.1", () => console.log(http.address().port));
