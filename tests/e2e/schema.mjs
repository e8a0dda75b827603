// Every message of the hub is checked against the published schema of its revision.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import Ajv from "ajv";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { root } from "./stack.mjs";

const REVISIONS = ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];
const options = { strict: false, allErrors: true };
const old = addFormats.default(new Ajv.default(options));
const recent = addFormats.default(new Ajv2020.default(options));
const documents = {};

for (const revision of REVISIONS) {
  const document = JSON.parse(readFileSync(join(root, "tests/data/mcp-schema", `${revision}.json`), "utf8"));
  documents[revision] = document;
  engine(revision).addSchema(document, revision);
}

function engine(revision) {
  return revision >= "2025-11-25" ? recent : old;
}

/** 2024-11-05 has no schema of its own here; its messages are a subset of the next one's. */
const published = (revision) => (REVISIONS.includes(revision) ? revision : "2025-03-26");

const results = {
  initialize: "InitializeResult",
  "server/discover": "DiscoverResult",
  ping: "EmptyResult",
  "logging/setLevel": "EmptyResult",
  "resources/subscribe": "EmptyResult",
  "resources/unsubscribe": "EmptyResult",
  "tools/list": "ListToolsResult",
  "tools/call": "CallToolResult",
  "resources/list": "ListResourcesResult",
  "resources/templates/list": "ListResourceTemplatesResult",
  "resources/read": "ReadResourceResult",
  "prompts/list": "ListPromptsResult",
  "prompts/get": "GetPromptResult",
  "completion/complete": "CompleteResult",
  "subscriptions/listen": "SubscriptionsListenResult",
};
const notifications = {
  "notifications/progress": "ProgressNotification",
  "notifications/message": "LoggingMessageNotification",
  "notifications/cancelled": "CancelledNotification",
  "notifications/tools/list_changed": "ToolListChangedNotification",
  "notifications/prompts/list_changed": "PromptListChangedNotification",
  "notifications/resources/list_changed": "ResourceListChangedNotification",
  "notifications/resources/updated": "ResourceUpdatedNotification",
  "notifications/subscriptions/acknowledged": "SubscriptionsAcknowledgedNotification",
};
const errors = {
  [-32020]: "HeaderMismatchError",
  [-32021]: "MissingRequiredClientCapabilityError",
  [-32022]: "UnsupportedProtocolVersionError",
};

function conform(revision, name, value) {
  const definitions = documents[revision].$defs ? "$defs" : "definitions";
  const validate = engine(revision).getSchema(`${revision}#/${definitions}/${name}`);
  assert.ok(validate, `${revision} has a schema ${name}`);
  if (!validate(value))
    assert.fail(`${revision}: no ${name}: ${recent.errorsText(validate.errors)}\n${JSON.stringify(value).slice(0, 2000)}`);
}

/** An answer to `method`, as it came. */
export function checkAnswer(version, method, message) {
  const revision = published(version);
  const modern = revision >= "2026-07-28";
  const extra = Object.keys(message).filter((key) => !["jsonrpc", "id", "result", "error"].includes(key));
  assert.deepEqual(extra, [], "members beside jsonrpc, id, result and error");
  assert.notEqual(message.id, null, "an id is never null");
  if (message.error) {
    const name = revision >= "2025-11-25" ? "JSONRPCErrorResponse" : "JSONRPCError";
    if (message.id !== undefined || revision >= "2025-11-25") conform(revision, name, message);
    if (modern && errors[message.error.code]) conform(revision, errors[message.error.code], message);
    return;
  }
  conform(revision, revision >= "2025-11-25" ? "JSONRPCResultResponse" : "JSONRPCResponse", message);
  if (!modern) {
    for (const key of ["resultType", "ttlMs", "cacheScope"])
      assert.equal(key in message.result, false, `${key} does not leak into ${revision}`);
  } else {
    assert.equal(typeof message.result.resultType, "string", "resultType");
  }
  if (message.result.resultType === "input_required") return conform(revision, "InputRequiredResult", message.result);
  if (results[method]) conform(revision, results[method], message.result);
}

/** A notification or a request of the hub. */
export function checkMessage(version, message) {
  const revision = published(version);
  if (message.id === undefined) {
    conform(revision, "JSONRPCNotification", message);
    assert.ok(notifications[message.method], `a notification the specification knows: ${message.method}`);
    conform(revision, notifications[message.method], message);
  } else {
    assert.ok(revision < "2026-07-28", "2026-07-28 knows no requests of the server");
    conform(revision, "JSONRPCRequest", message);
    if (message.method === "elicitation/create") conform(revision, "ElicitRequest", message);
  }
}

const tools = new Map();

/** Remembers the schemas that tools/list gave. */
export function learn(list) {
  for (const tool of list) tools.set(tool.name, recent.compile({ ...tool.outputSchema, $id: undefined }));
}

/** Checks the structured content of a tool against the schema that it published. */
export function checkOutput(tool, value) {
  const validate = tools.get(tool);
  assert.ok(validate, `an output schema of ${tool}`);
  if (!validate(value))
    assert.fail(`${tool}: ${recent.errorsText(validate.errors)}\n${JSON.stringify(value).slice(0, 2000)}`);
}

/** Compiles any JSON Schema 2020-12. */
export const compile = (schema) => recent.compile(schema);
