// Guarded tools do nothing before the user agreed: by argument, by asking in both eras, and by no trick.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { KINDS, connect } from "./clients.mjs";
import { Legacy, Modern } from "./mcp.mjs";
import { command, skill } from "./samples.mjs";
import { learn } from "./schema.mjs";
import { useStack } from "./stack.mjs";
import { until } from "./wait.mjs";

let hub;
const stack = useStack({ before, after }, {
  gateways: 2,
  args: ["--no-starter"],
  env: {
    MAL_CONFIRM_TOOLS: "mal_delete_skill,mal_import_catalog,mal_execute_command,mal_update_skill",
    MAL_EXEC_ENABLED: "true",
    MAL_CONFIRM_TIMEOUT_MS: "5000",
  },
}, async () => {
  hub = new Modern(stack);
  learn(await hub.all("tools/list", "tools"));
});

const exists = async (id) => (await hub.tool("mal_get_skill", { id })).isError !== true;
const form = { elicitation: { form: {} } };

describe("without an agreement", () => {
  const data = JSON.stringify({ version: "1.0.0", skills: [skill("c-import")] });

  test("each guarded tool says what it would do and changes nothing", async () => {
    await hub.ok("mal_register_skill", skill("c-1"));
    await hub.ok("mal_register_command", command("c-run", { script_template: 'echo "{{word}}"' }));
    const calls = [
      ["mal_delete_skill", { id: "c-1" }, /c-1/],
      ["mal_import_catalog", { data }, /1/],
      ["mal_execute_command", { id: "c-run", params: { word: "x" }, mode: "run" }, /c-run/],
      ["mal_update_skill", { id: "c-1", version: "3.0.0" }, /mal_update_skill|Update skill/],
    ];
    for (const [tool, args, sentence] of calls) {
      const error = await hub.fails(tool, args, "FAILED_PRECONDITION", "CONFIRMATION_REQUIRED");
      assert.match(error.text, sentence);
      assert.match(error.text, new RegExp(`Try: ask the user, then call ${tool} again with confirm: true\\.`));
    }
    assert.equal(await exists("c-import"), false);
    assert.equal((await hub.ok("mal_get_skill", { id: "c-1" })).skill.version, "1.0.0");
  });

  test("validation and existence come before the question", async () => {
    await hub.fails("mal_delete_skill", { id: "c-nobody" }, "NOT_FOUND");
    await hub.fails("mal_execute_command", { id: "c-run", mode: "run" }, "INVALID_ARGUMENT");
  });

  test("render and dry_run need none", async () => {
    await hub.ok("mal_execute_command", { id: "c-run", params: { word: "x" } });
    await hub.ok("mal_import_catalog", { data, dry_run: true });
  });

  test("with confirm: true each acts", async () => {
    assert.equal((await hub.ok("mal_import_catalog", { data, confirm: true })).imported.skills, 1);
    assert.equal((await hub.ok("mal_update_skill", { id: "c-1", version: "3.0.0", confirm: true })).skill.version, "3.0.0");
    await hub.ok("mal_delete_skill", { id: "c-1", confirm: true });
    assert.equal(await exists("c-1"), false);
  });

  test("the gateway's own guard shows confirm in the schema of the tool", async () => {
    const tools = await hub.all("tools/list", "tools");
    const { inputSchema } = tools.find(({ name }) => name === "mal_update_skill");
    assert.equal(inputSchema.properties.confirm.type, "boolean");
  });
});

for (const kind of KINDS) {
  describe(`${kind} is asked`, () => {
    const id = `ask-${kind.replaceAll(" ", "-")}`;
    const answers = [
      ["accepts", { action: "accept", content: { confirm: true } }, false],
      ["accepts but says no", { action: "accept", content: { confirm: false } }, true],
      ["declines", { action: "decline" }, true],
      ["cancels", { action: "cancel" }, true],
    ];
    for (const [what, answer, refused] of answers) {
      test(`and ${what}`, async () => {
        await hub.tool("mal_register_skill", skill(id));
        const asked = [];
        const session = await connect(kind, stack, {
          elicit: (params) => {
            asked.push(params);
            return answer;
          },
        });
        try {
          const result = await session.call("mal_delete_skill", { id });
          assert.equal(asked.length, 1);
          assert.match(asked[0].message, new RegExp(id));
          assert.equal(asked[0].requestedSchema.properties.confirm.type, "boolean");
          assert.equal(result.isError ?? false, refused, result.content[0].text);
          if (refused) {
            assert.equal(result._meta["mal.hub/error"].reason, "NOT_CONFIRMED");
            assert.match(result.content[0].text, /nothing was changed/);
          }
          assert.equal(await exists(id), refused);
        } finally {
          await session.close();
        }
      });
    }
  });
}

describe("input_required", () => {
  const asking = () => new Modern(stack, { capabilities: form });
  const args = { id: "mrtr" };
  const yes = { confirm: { action: "accept", content: { confirm: true } } };
  let n = 0;

  /** Asks for a deletion; gives the state and the call that answers. */
  async function ask(client = asking()) {
    await hub.tool("mal_register_skill", skill("mrtr"));
    const first = await client.result("tools/call", { name: "mal_delete_skill", arguments: args });
    assert.equal(first.resultType, "input_required");
    return first.requestState;
  }
  const reply = (requestState, { inputResponses = yes, client = asking(), more = args, tool = "mal_delete_skill" } = {}) =>
    client.post("tools/call", { name: tool, arguments: more, inputResponses, requestState });

  test("the answer may go to another copy of the gateway", async () => {
    const state = await ask();
    const answer = await reply(state, { client: new Modern(stack, { url: stack.urls[1], capabilities: form }) });
    assert.equal(answer.message.result.structuredContent.deleted, true, answer.text);
  });

  test("a state works once", async () => {
    const state = await ask();
    assert.ok((await reply(state)).message.result);
    await hub.ok("mal_register_skill", skill("mrtr"));
    const again = await reply(state, { client: new Modern(stack, { url: stack.urls[1], capabilities: form }) });
    assert.equal(again.message.error.code, -32602, again.text);
    assert.equal(await exists("mrtr"), true);
  });

  test("an altered state is refused", async () => {
    const state = await ask();
    const other = state.slice(0, -3) + (state.at(-3) === "A" ? "B" : "A") + state.slice(-2);
    for (const wrong of [other, "", "x", state.slice(1)])
      assert.equal((await reply(wrong)).message.error?.code, -32602, wrong);
    assert.equal(await exists("mrtr"), true);
  });

  test("a state serves no other tool and no other arguments", async () => {
    const state = await ask();
    await hub.tool("mal_register_skill", skill("mrtr-other"));
    assert.equal((await reply(state, { more: { id: "mrtr-other" } })).message.error.code, -32602);
    const update = await reply(state, { tool: "mal_update_skill", more: { id: "mrtr", version: "9.0.0" } });
    assert.equal(update.message.error.code, -32602);
  });

  test("another principal's state is refused", async () => {
    const state = await ask();
    const name = `mrtr-${++n}`;
    const { secret } = JSON.parse((await stack.mal("keys", "add", name, "--scopes", "all", "--json")).stdout);
    const other = new Modern(stack, { key: secret, capabilities: form });
    await until("the key works", async () => (await other.post("tools/list")).status === 200);
    assert.equal((await reply(state, { client: other })).message.error.code, -32602);
  });

  test("an expired state is refused", async () => {
    const state = await ask();
    const expired = Date.now() + 5000;
    await until("the state has expired", () => Date.now() > expired + 100, { every: 100 });
    assert.equal((await reply(state)).message.error.code, -32602);
  });

  test("partial answers are asked for again, surplus ones ignored, malformed ones refused", async () => {
    const state = await ask();
    const partial = await reply(state, { inputResponses: { other: { action: "accept" } } });
    assert.equal(partial.message.result.resultType, "input_required");
    assert.equal((await reply(state, { inputResponses: { confirm: 5 } })).message.error.code, -32602);
    const surplus = await reply(partial.message.result.requestState, { inputResponses: { ...yes, more: { action: "decline" } } });
    assert.equal(surplus.message.result.structuredContent?.deleted, true, surplus.text);
  });

  test("lists never answer input_required, and nobody without the capability is asked", async () => {
    for (const method of ["tools/list", "prompts/list", "resources/list"])
      assert.equal((await asking().result(method)).resultType, "complete");
    await hub.tool("mal_register_skill", skill("mrtr"));
    await hub.fails("mal_delete_skill", args, "FAILED_PRECONDITION", "CONFIRMATION_REQUIRED");
    const url = new Modern(stack, { capabilities: { elicitation: { url: {} } } });
    await url.fails("mal_delete_skill", args, "FAILED_PRECONDITION", "CONFIRMATION_REQUIRED");
  });
});

describe("elicitation/create on a legacy stream", () => {
  test("the answer may be posted to another copy of the gateway", async () => {
    await hub.tool("mal_register_skill", skill("legacy-ask"));
    const client = await Legacy.open(stack, "2025-06-18", { capabilities: { elicitation: {} } });
    const stream = await client.open("tools/call", { name: "mal_delete_skill", arguments: { id: "legacy-ask" } });
    let question = await stream.next();
    assert.equal(question.method, "elicitation/create", JSON.stringify(question));
    const posted = await client.send({ jsonrpc: "2.0", id: question.id, result: { action: "accept", content: { confirm: true } } },
      { url: stack.urls[1] });
    assert.deepEqual([posted.status, posted.text], [202, ""]);
    const answer = await stream.next();
    assert.equal(answer.result.structuredContent.deleted, true, JSON.stringify(answer));
    await client.end();
  });

  test("a question without an answer ends with the time for it, and nothing is changed", async () => {
    await hub.tool("mal_register_skill", skill("legacy-late"));
    const client = await Legacy.open(stack, "2025-11-25", { capabilities: { elicitation: {} } });
    const stream = await client.open("tools/call", { name: "mal_delete_skill", arguments: { id: "legacy-late" } });
    const messages = [];
    for (let message; (message = await stream.next(10_000)); ) messages.push(message);
    assert.equal(messages.at(-1).result.isError, true);
    assert.equal(await exists("legacy-late"), true);
    await client.end();
  });
});

describe("commands whose requires_confirmation is true", () => {
  const loose = useStack({ before, after }, { args: ["--no-starter"],
    env: { MAL_CONFIRM_TOOLS: "mal_delete_skill", MAL_EXEC_ENABLED: "true" } });

  test("ask although the tool is off the list, others run", async () => {
    const client = new Modern(loose);
    await client.ok("mal_register_command", command("asks", { requires_confirmation: true, script_template: 'echo "{{word}}"' }));
    await client.ok("mal_register_command", command("acts", { script_template: 'echo "{{word}}"' }));
    const params = { word: "x" };
    await client.fails("mal_execute_command", { id: "asks", params, mode: "run" }, "FAILED_PRECONDITION", "CONFIRMATION_REQUIRED");
    const result = await client.tool("mal_execute_command", { id: "acts", params, mode: "run" });
    if (result.isError) assert.equal(result._meta["mal.hub/error"].status, "UNAVAILABLE", "only for want of a sandbox");
    else assert.equal(result.structuredContent.stdout, "x\n");
  });
});
