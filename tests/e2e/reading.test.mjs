// Resources, prompts and completion over the starter catalog.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { KINDS, connect } from "./clients.mjs";
import { Legacy, LEGACY, Modern } from "./mcp.mjs";
import { command, skill, subagent } from "./samples.mjs";
import { learn } from "./schema.mjs";
import { root, useStack } from "./stack.mjs";

let hub;
const stack = useStack({ before, after }, { env: { MAL_LIST_PAGE: "5" } }, async () => {
  hub = new Modern(stack);
  learn(await hub.all("tools/list", "tools"));
});
const content = (...path) => readFileSync(join(root, "content", ...path), "utf8");
const skills = readdirSync(join(root, "content/skills"));

describe("resources", () => {
  test("every starter skill is one, in a stable order over several pages", async () => {
    const list = await hub.all("resources/list", "resources");
    assert.deepEqual(list.map(({ uri }) => uri), list.map(({ uri }) => uri).sort());
    for (const id of skills) assert.ok(list.some(({ uri, mimeType }) => uri === `skill://${id}/SKILL.md` && mimeType === "text/markdown"), id);
    assert.deepEqual(await hub.all("resources/list", "resources"), list);
  });

  test("a skill without a document is none", async () => {
    await hub.ok("mal_register_skill", skill("empty"));
    assert.equal((await hub.all("resources/list", "resources")).some(({ uri }) => uri.includes("//empty/")), false);
    assert.equal((await hub.error("resources/read", { uri: "skill://empty/SKILL.md" })).code, -32602);
  });

  test("reading gives the document as it was stored", async () => {
    const { contents, ttlMs, cacheScope } = await hub.result("resources/read", { uri: `skill://${skills[0]}/SKILL.md` });
    assert.deepEqual(contents, [{ uri: `skill://${skills[0]}/SKILL.md`, mimeType: "text/markdown", text: content("skills", skills[0], "SKILL.md") }]);
    assert.ok(Number.isInteger(ttlMs) && ttlMs >= 0);
    assert.ok(["public", "private"].includes(cacheScope));
  });

  test("one that is not there is -32602 with its uri, and -32002 in the older era", async () => {
    for (const uri of ["skill://nobody/SKILL.md", "skill://../SKILL.md", "file:///etc/passwd", "nonsense"]) {
      const error = await hub.error("resources/read", { uri });
      assert.deepEqual([error.status, error.code, error.data?.uri], [200, -32602, uri]);
    }
    for (const version of LEGACY) {
      const client = await Legacy.open(stack, version);
      assert.equal((await client.error("resources/read", { uri: "skill://nobody/SKILL.md" })).code, -32002, version);
      await client.end();
    }
  });

  test("the template leads to the documents", async () => {
    const { resourceTemplates } = await hub.result("resources/templates/list");
    assert.deepEqual(resourceTemplates.map(({ uriTemplate }) => uriTemplate), ["skill://{id}/SKILL.md"]);
  });

  test("a bad cursor is -32602, and so is one of another list", async () => {
    const { nextCursor } = await hub.result("tools/list");
    for (const cursor of ["x", "AAAA", nextCursor])
      assert.equal((await hub.error("resources/list", { cursor })).code, -32602);
  });
});

describe("prompts", () => {
  const agents = readdirSync(join(root, "content/subagents"));
  const commands = readdirSync(join(root, "content/commands"));
  let list;
  before(async () => {
    list = await hub.all("prompts/list", "prompts");
  });

  test("every command and every subagent is one, described", () => {
    for (const id of [...agents, ...commands]) assert.ok(list.some(({ name }) => name.endsWith(id)), id);
    for (const prompt of list) assert.ok(prompt.description, prompt.name);
    assert.equal(new Set(list.map(({ name }) => name)).size, list.length);
  });

  test("a page goes on where the last one ended, whatever was added or removed meanwhile", async () => {
    const first = await hub.result("prompts/list");
    assert.equal(first.prompts.length, 5);
    const last = first.prompts.at(-1).name;
    await hub.ok("mal_register_command", command("a-first"));
    const second = await hub.result("prompts/list", { cursor: first.nextCursor });
    assert.deepEqual(second.prompts.map(({ name }) => name), list.slice(5, 10).map(({ name }) => name), last);
  });

  test("a subagent's prompt is its system prompt", async () => {
    const { name } = list.find((prompt) => prompt.name.endsWith("code-reviewer"));
    const { messages } = await hub.result("prompts/get", { name });
    assert.ok(messages.some(({ content: block }) => block.text.includes(content("subagents", "code-reviewer", "prompt.md").trim())));
  });

  test("a command's prompt holds the script rendered for its arguments", async () => {
    const { name, arguments: args } = list.find((prompt) => prompt.name.endsWith("create-feature-branch"));
    assert.deepEqual(args.filter(({ required }) => required).map((arg) => arg.name), ["id", "description"]);
    const { messages } = await hub.result("prompts/get", { name, arguments: { id: "42", description: "it's new" } });
    assert.match(messages[0].content.text, /MAL_P_DESCRIPTION='it'\\''s new'/);
  });

  test("unknown prompts and missing arguments are -32602", async () => {
    const { name } = list.find((prompt) => prompt.name.endsWith("create-feature-branch"));
    assert.equal((await hub.error("prompts/get", { name: "nobody" })).code, -32602);
    const missing = await hub.error("prompts/get", { name, arguments: { id: "1" } });
    assert.equal(missing.code, -32602);
    assert.match(missing.message, /description/);
    assert.equal((await hub.error("prompts/get", { name, arguments: { id: 1 } })).code, -32602);
  });

  test("a command and a subagent of one id are two prompts", async () => {
    await hub.ok("mal_register_command", command("twin"));
    await hub.ok("mal_register_subagent", subagent("twin"));
    const names = (await hub.all("prompts/list", "prompts")).map(({ name }) => name).filter((name) => name.endsWith("twin"));
    assert.equal(new Set(names).size, 2);
  });
});

describe("completion", () => {
  const complete = async (ref, name, value, more = {}) => (await hub.result("completion/complete", { ref, argument: { name, value }, ...more })).completion;

  test("completes the ids of the resource template", async () => {
    const ref = { type: "ref/resource", uri: "skill://{id}/SKILL.md" };
    const { values, total } = await complete(ref, "id", "docker");
    assert.deepEqual(values, skills.filter((id) => id.startsWith("docker")));
    assert.equal(total ?? values.length, values.length);
    assert.deepEqual((await complete(ref, "id", "no-such")).values, []);
  });

  test("completes the values of an enum parameter", async () => {
    const { name } = (await hub.all("prompts/list", "prompts")).find((prompt) => prompt.name.endsWith("seed-catalog"));
    assert.deepEqual((await complete({ type: "ref/prompt", name }, "env", "d")).values, ["dev"]);
  });

  test("unknown references and arguments are -32602", async () => {
    for (const params of [
      { ref: { type: "ref/prompt", name: "nobody" }, argument: { name: "x", value: "" } },
      { ref: { type: "ref/tool", name: "x" }, argument: { name: "x", value: "" } },
      { ref: { type: "ref/resource", uri: "skill://{id}/SKILL.md" } },
      {},
    ])
      assert.equal((await hub.error("completion/complete", params)).code, -32602, JSON.stringify(params));
  });

  test("never gives more than 100 values", async () => {
    for (let i = 0; i < 105; i++) await hub.ok("mal_register_skill", skill(`hundred-${i}`, { asset_content: "# x\n" }));
    const { values, total, hasMore } = await complete({ type: "ref/resource", uri: "skill://{id}/SKILL.md" }, "id", "hundred");
    assert.equal(values.length, 100);
    assert.ok(total === 105 || hasMore === true);
  });
});

for (const kind of KINDS) {
  test(`${kind} lists, reads, gets and completes`, async () => {
    const session = await connect(kind, stack);
    const { client } = session;
    assert.ok((await client.listResources()).resources.length > 0);
    assert.ok((await client.listResourceTemplates()).resourceTemplates.length > 0);
    const { contents } = await client.readResource({ uri: `skill://${skills[0]}/SKILL.md` });
    assert.equal(contents[0].text, content("skills", skills[0], "SKILL.md"));
    const { prompts } = await client.listPrompts();
    assert.ok(prompts.length > 0);
    const plain = prompts.find((prompt) => !prompt.arguments?.some((argument) => argument.required));
    assert.ok((await client.getPrompt({ name: plain.name })).messages.length > 0);
    const { completion } = await client.complete({ ref: { type: "ref/resource", uri: "skill://{id}/SKILL.md" }, argument: { name: "id", value: "git" } });
    assert.deepEqual(completion.values, skills.filter((id) => id.startsWith("git")));
    await session.close();
  });
}
