// Every tool through the official clients: the lists are what api/tools.json says, and each tool
// works once and fails once with each client.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { KINDS, connect } from "./clients.mjs";
import { serveEcho } from "./downstream.mjs";
import { request } from "./http.mjs";
import { Legacy, LEGACY, Modern } from "./mcp.mjs";
import { smallRepo } from "./repo.mjs";
import { samples, skill } from "./samples.mjs";
import { compile, learn } from "./schema.mjs";
import { root, useStack } from "./stack.mjs";

const { tools: published } = JSON.parse(readFileSync(join(root, "api/tools.json"), "utf8"));
const stack = useStack({ before, after }, { env: { MAL_LIST_PAGE: "7", MAL_GIT_REPO_PATH: smallRepo().path } },
  () => serveEcho(stack));
const byName = (list) => [...list].sort((a, b) => (a.name < b.name ? -1 : 1));

/** What a client shows of a tool and api/tools.json says too. */
function contract({ name, title, description, inputSchema, outputSchema, annotations }) {
  return { name, title, description, inputSchema, outputSchema, annotations };
}

learn(published);

for (const kind of KINDS) {
  describe(kind, () => {
    let session;
    before(async () => {
      session = await connect(kind, stack);
    });
    after(() => session?.close());

    test("lists exactly the tools of api/tools.json, over several pages", async () => {
      const listed = await session.tools();
      assert.deepEqual(byName(listed.map(contract)), byName(published.map(contract)));
      assert.equal(new Set(listed.map((tool) => tool.name)).size, listed.length);
    });

    test("knows all four annotations of each tool", async () => {
      for (const { name, annotations } of await session.tools())
        for (const hint of ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"])
          assert.equal(typeof annotations[hint], "boolean", `${name} ${hint}`);
    });

    for (const [tool, works, fails, status] of samples(kind.replaceAll(" ", "-"))) {
      test(`${tool} works and fails with ${status}`, async () => {
        const good = await session.call(tool, works);
        assert.equal(good.isError ?? false, false, good.content[0].text);
        const bad = await session.call(tool, fails);
        assert.equal(bad.isError, true);
        assert.equal(bad._meta["mal.hub/error"].status, status, bad.content[0].text);
      });
    }

    test("an unknown tool is a protocol error", async () => {
      await assert.rejects(session.client.callTool({ name: "mal_no_such_tool", arguments: {} }), /-32602|no_such_tool/);
    });

    test("saw no error on its transport", () => {
      assert.deepEqual(session.errors.map(String), []);
    });
  });
}

describe("the lists", () => {
  test("there are 51 tools", () => assert.equal(published.length, 51));

  test("every tool of the samples exists and none is left out", () => {
    assert.deepEqual(byName(samples("x").map(([name]) => ({ name }))), byName(published.map(({ name }) => ({ name }))));
  });

  test("every input schema is closed, flat and described, and every output schema compiles", () => {
    for (const { name, inputSchema, outputSchema } of published) {
      assert.equal(inputSchema.type, "object", name);
      assert.equal(inputSchema.additionalProperties, false, name);
      for (const key of ["oneOf", "anyOf", "allOf", "$ref"]) assert.equal(key in inputSchema, false, `${name} ${key}`);
      for (const [field, property] of Object.entries(inputSchema.properties))
        assert.ok(property.description, `${name}.${field} has a description`);
      compile(inputSchema);
      compile(outputSchema);
    }
  });

  for (const version of LEGACY) {
    test(`a client of ${version} gets the same tools in the form of its time`, async () => {
      const client = await Legacy.open(stack, version);
      const listed = [];
      let cursor;
      do {
        const page = await client.result("tools/list", cursor === undefined ? undefined : { cursor });
        listed.push(...page.tools);
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      assert.deepEqual(listed.map((tool) => tool.name).sort(), published.map((tool) => tool.name).sort());
      for (const tool of listed) {
        assert.equal("annotations" in tool, version >= "2025-03-26");
        assert.equal("outputSchema" in tool, version >= "2025-06-18");
      }
      await client.end();
    });
  }

  test("two lists come in the same order", async () => {
    const client = new Modern(stack);
    const names = async () => (await client.all("tools/list", "tools")).map((tool) => tool.name);
    assert.deepEqual(await names(), await names());
  });

  test("the empty cursor is the first page and a made-up one is refused", async () => {
    const client = new Modern(stack);
    const first = await client.result("tools/list", { cursor: "" });
    assert.deepEqual(first.tools, (await client.result("tools/list")).tools);
    assert.equal((await client.error("tools/list", { cursor: "made-up" })).code, -32602);
  });
});

describe("the input schemas hold at the door", () => {
  const hub = () => new Modern(stack);

  /** A value just beyond each limit of a property, with the words that name it. */
  function beyond(property) {
    const types = [property.type].flat();
    const cases = [];
    if (types.includes("string")) cases.push(["a wrong type", 5]);
    if (types.includes("integer")) cases.push(["a wrong type", "5"], ["a fraction", 1.5]);
    if (types.includes("boolean")) cases.push(["a wrong type", "true"]);
    if (types.includes("array")) cases.push(["a wrong type", "x"]);
    if (property.enum) cases.push(["no value of the enum", "no-such-value"]);
    // What does not fit into a body at all is refused by its size (wire.test.mjs).
    if (property.maxLength && property.maxLength < 1_000_000) cases.push(["one letter too many", "x".repeat(property.maxLength + 1)]);
    if (property.minLength) cases.push(["too short", "x".repeat(property.minLength - 1)]);
    if (property.maximum !== undefined) cases.push(["too much", property.maximum + 1]);
    if (property.minimum !== undefined) cases.push(["too little", property.minimum - 1]);
    if (property.maxItems && types.includes("array"))
      cases.push(["one too many", Array.from({ length: property.maxItems + 1 }, (_, i) => `a${i}`)]);
    return cases;
  }

  for (const { name, inputSchema } of published) {
    test(`${name} refuses an unknown key, each wrong type and each limit + 1, naming the field`, async () => {
      const client = hub();
      const valid = samples("door").find(([tool]) => tool === name)[1];
      const unknown = await client.fails(name, { ...valid, surely_unknown: 1 }, "INVALID_ARGUMENT");
      assert.ok(unknown.fields.some(({ field }) => field === "surely_unknown"), unknown.text);
      for (const [field, property] of Object.entries(inputSchema.properties)) {
        for (const [what, value] of beyond(property)) {
          const error = await client.fails(name, { ...valid, [field]: value }, "INVALID_ARGUMENT");
          assert.ok(error.fields?.some((entry) => entry.field.startsWith(field)), `${field}: ${what}: ${error.text}`);
        }
      }
      for (const field of inputSchema.required ?? []) {
        const { [field]: _, ...rest } = valid;
        const error = await client.fails(name, rest, "INVALID_ARGUMENT");
        assert.ok(error.fields.some((entry) => entry.field === field), error.text);
      }
    });
  }

  test("all violations are told at once, one bullet each", async () => {
    const error = await hub().fails("mal_register_skill",
      skill("Bad Id", { version: "1", category: "none", surplus: true }), "INVALID_ARGUMENT");
    assert.deepEqual(error.fields.map(({ field }) => field).sort(), ["category", "id", "surplus", "version"]);
    assert.match(error.text, /^Error: Validation failed in mal_register_skill:\n(- .+\n){4}Try: /);
  });

  test("NUL, control characters and invalid UTF-8 are refused", async () => {
    const client = hub();
    for (const [field, surplus] of [["name", { name: "a\u0000b" }], ["tags[0]", { tags: ["a\u0000"] }], ["description", { description: "\ud83d" }]]) {
      const nul = await client.fails("mal_register_skill", skill("nul", surplus), "INVALID_ARGUMENT");
      assert.deepEqual(nul.fields.map((entry) => entry.field), [field], nul.text);
    }
    await client.fails("mal_register_skill", skill("control", { name: "a\u0007b" }), "INVALID_ARGUMENT");
    const message = JSON.stringify(client.message("tools/call", { name: "mal_get_skill", arguments: { id: "?" } }));
    const [head, tail] = message.split('"?"');
    const body = Buffer.concat([Buffer.from(`${head}"`), Buffer.from([0xc3, 0x28]), Buffer.from(`"${tail}`)]);
    const answer = await request(stack.url, { headers: client.headers("tools/call", { name: "mal_get_skill" }), body });
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.json.error.code, -32700);
  });

  test("arguments that are no object are a protocol error", async () => {
    for (const wrong of ["x", 1, [], true]) {
      const error = await hub().error("tools/call", { name: "mal_list_skills", arguments: wrong });
      assert.equal(error.code, -32602);
      assert.equal(error.status, 200);
    }
  });
});
