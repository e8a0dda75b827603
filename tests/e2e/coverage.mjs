// Which tool was called through which client, once with success and once with an error; the run
// fails when one is missing (run.mjs). Checks the shape of every result on the way.
import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { checkOutput } from "./schema.mjs";

const folder = process.env.MAL_TEST_OUT && join(process.env.MAL_TEST_OUT, "coverage");
const STATUSES = ["INVALID_ARGUMENT", "PERMISSION_DENIED", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION",
  "RESOURCE_EXHAUSTED", "UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL"];

export function record(client, tool, works) {
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  appendFileSync(join(folder, `${process.pid}.jsonl`), `${JSON.stringify({ client, tool, works })}\n`);
}

/** What of `tools` is missing, per client that has to call each. */
export function missing(place, tools, clients) {
  const seen = new Set();
  const dir = join(place, "coverage");
  for (const file of existsSync(dir) ? readdirSync(dir) : [])
    for (const line of readFileSync(join(dir, file), "utf8").split("\n").filter(Boolean)) {
      const { client, tool, works } = JSON.parse(line);
      seen.add(`${client}: ${tool} ${works ? "with success" : "with an error"}`);
    }
  return clients.flatMap((client) => tools.flatMap((tool) => ["with success", "with an error"]
    .map((how) => `${client}: ${tool} ${how}`).filter((entry) => !seen.has(entry))));
}

/** A downstream result keeps its content and isError, whatever they are. */
function checkProxied(client, tool, result, version) {
  if (version >= "2025-06-18") {
    checkOutput(tool, result.structuredContent);
    assert.deepEqual(result.content, result.structuredContent.content);
    assert.equal(result.isError, result.structuredContent.is_error);
  }
  record(client, tool, true);
  return result;
}

/** Checks the result of tools/call and counts the call. */
export function checkResult(client, tool, result, args = {}, version = "2026-07-28") {
  if (result.resultType === "input_required") return result;
  if (tool === "mal_proxy_mcp_call" && !result._meta?.["mal.hub/error"]) return checkProxied(client, tool, result, version);
  const structured = version >= "2025-06-18";
  // Revisions without structured content get it as a second block of text.
  assert.equal(result.content.length, structured || result.isError ? 1 : 2, "blocks");
  assert.equal(result.content[0].type, "text");
  const { text } = result.content[0];
  if (result.isError) {
    const error = result._meta?.["mal.hub/error"];
    assert.ok(STATUSES.includes(error?.status), `a status in _meta: ${JSON.stringify(result._meta)}`);
    assert.match(error.request_id, /^\S+$/);
    assert.match(text, /^Error: .+/);
    assert.match(text, /\nTry: .+$/);
    assert.equal(result.structuredContent, undefined, "no structured content with an error");
  } else {
    if (structured) {
      checkOutput(tool, result.structuredContent);
      assert.equal(hasNull(result.structuredContent), false, "no null in a reply");
      if (args.format === "json" || tool === "mal_export_catalog")
        assert.deepEqual(JSON.parse(text), result.structuredContent, "the text is the structured content");
    }
    assert.ok(text.length > 0 && !/\n$/.test(text), "a text that ends without a blank line");
  }
  record(client, tool, !result.isError);
  return result;
}

function hasNull(value) {
  if (value === null) return true;
  return typeof value === "object" && Object.values(value).some(hasNull);
}
