// The official clients behind one face: SDK v1, SDK v2 in the older era, SDK v2 in the newer one.
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as StdioV1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  ElicitRequestSchema,
  PromptListChangedNotificationSchema,
  ResourceListChangedNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client";
import { StdioClientTransport as StdioV2 } from "@modelcontextprotocol/client/stdio";
import { checkResult } from "./coverage.mjs";
import { mal } from "./stack.mjs";

export const KINDS = ["sdk v1", "sdk v2 legacy", "sdk v2 modern"];

const schemasV1 = {
  "notifications/tools/list_changed": ToolListChangedNotificationSchema,
  "notifications/prompts/list_changed": PromptListChangedNotificationSchema,
  "notifications/resources/list_changed": ResourceListChangedNotificationSchema,
  "notifications/resources/updated": ResourceUpdatedNotificationSchema,
};

/**
 * Connects an official client. `elicit(params)` answers forms; without it the client declares no
 * elicitation. client.notes collects the notifications that come.
 */
export async function connect(kind, stack, { url = stack.url, key = stack.key, elicit, stdio = false } = {}) {
  const v1 = kind === "sdk v1";
  const info = { name: "e2e", version: "1.0.0" };
  const options = { capabilities: elicit ? { elicitation: v1 ? {} : { form: {} } } : {} };
  if (kind === "sdk v2 modern") options.versionNegotiation = { mode: { pin: "2026-07-28" } };
  const client = new (v1 ? ClientV1 : ClientV2)(info, options);
  const errors = [];
  client.onerror = (error) => errors.push(error);
  if (elicit) client.setRequestHandler(v1 ? ElicitRequestSchema : "elicitation/create", async ({ params }) => elicit(params));
  const notes = [];
  for (const [method, schema] of Object.entries(schemasV1))
    client.setNotificationHandler(v1 ? schema : method, (note) => void notes.push({ at: Date.now(), ...note }));
  const headers = { "x-api-key": key };
  const transport = stdio
    ? new (v1 ? StdioV1 : StdioV2)({ command: mal, args: ["stdio", "--url", url, "--key", key], stderr: "pipe" })
    : new (v1 ? HttpV1 : HttpV2)(new URL(url), { requestInit: { headers } });
  await client.connect(transport).catch(async (error) => {
    await transport.close();
    throw error;
  });
  const call = async (name, args, more) => checkResult(
    kind, name, await client.callTool({ name, arguments: args }, ...(v1 ? [undefined, more] : [more])), args, "2025-11-25");
  const tools = async () => {
    if (!v1) return (await client.listTools()).tools;
    const list = [];
    let cursor;
    do {
      const page = await client.listTools(cursor === undefined ? {} : { cursor });
      list.push(...page.tools);
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return list;
  };
  return { client, transport, notes, errors, call, tools, close: () => client.close() };
}
