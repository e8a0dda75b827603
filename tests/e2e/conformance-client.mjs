// The client that the conformance runner's client suite starts (CMD URL): decides what is called,
// lib/downstream makes the traffic. Exits 0 when every step came to an end.
import { startClient } from "./mcp-client.mjs";
import { resolve } from "node:path";

const url = process.argv[2];
const scenario = process.env.MCP_CONFORMANCE_SCENARIO;
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? "{}");
const newest = process.env.MCP_CONFORMANCE_PROTOCOL_VERSION;
const client = await startClient(resolve(process.env.MAL_TEST_BIN), url, {
  newest: newest === "2026-07-28" ? undefined : newest,
  capabilities: { elicitation: { form: {} } },
});
const call = (name, args = {}) => client.call("tools/call", { name, arguments: args });

async function steps() {
  if (client.opened.event !== "open") throw new Error(JSON.stringify(client.opened));
  const tools = await client.list("tools/list");
  switch (scenario) {
    case "tools_call":
      return call("add_numbers", { a: 5, b: 3 });
    case "http-standard-headers": {
      const resources = await client.list("resources/list");
      const prompts = await client.list("prompts/list");
      if (tools[0]) await call(tools[0].name);
      if (resources[0]) await client.call("resources/read", { uri: resources[0].uri });
      if (prompts[0]) await client.call("prompts/get", { name: prompts[0].name });
      return;
    }
    case "http-custom-headers":
      for (const { name, arguments: args } of context.toolCalls ?? []) await call(name, args);
      return;
    case "json-schema-2020-12-preservation": {
      const { inputSchema } = tools.find(({ name }) => name === "json_schema_2020_12_tool") ?? tools[0];
      return call("json_schema_echo", { schema: inputSchema });
    }
    default:
      for (const { name } of tools) await call(name);
  }
}

try {
  await steps();
  await client.stop();
} catch (error) {
  console.error(error);
  process.exit(1);
}
