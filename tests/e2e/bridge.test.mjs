// Questions of downstream servers to callers of the other era at /mcp/{server}: the tables of the
// specification's translation, with raw clients whose every message is checked against its schema.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { connect } from "./clients.mjs";
import { fixture, register } from "./downstream.mjs";
import { request } from "./http.mjs";
import { Legacy, Modern } from "./mcp.mjs";
import { useStack } from "./stack.mjs";
import { until } from "./wait.mjs";

const ALL = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };
const fixtures = {};
const stack = useStack({ before, after }, { gateways: 2 }, async () => {
  for (const [id, eras] of [["old", "legacy"], ["new", "modern"]]) {
    fixtures[id] = await fixture(eras);
    await register(stack, id, fixtures[id].url);
  }
  for (const base of stack.urls.map((url) => url.replace(/\/mcp$/, ""))) for (const id of ["old", "new"])
    await until(`${id} is served`, async () => (await request(`${base}/api/v1/mcps/${id}/call`, {
      method: "POST", headers: { "x-api-key": stack.key, "Content-Type": "application/json" },
      body: JSON.stringify({ tool_name: "echo", arguments: { message: "x" } }),
    })).status === 200, { deadline: 30_000 });
});
after(() => Object.values(fixtures).forEach((one) => one.close()));
const at = (id, more = {}) => ({ url: `${stack.base}/mcp/${id}`, capabilities: ALL, ...more });

const call = (client, name, args = {}, more = {}) => client.result("tools/call", { name, arguments: args, ...more });
/** The retry of a modern client, maybe at another copy. */
const retry = (client, name, asked, answers, args = {}, options = {}) =>
  client.post("tools/call", { name, arguments: args, inputResponses: answers, requestState: asked.requestState }, options);
const words = (result) => result.content.map(({ text }) => text).join("\n");
const parked = async () => {
  let n = 0;
  for (const name of Object.keys(stack.now().pids).filter((one) => one.startsWith("gateway"))) n += await stack.metric(name, "mal_gateway_parked_calls");
  return n;
};

describe("a modern caller at an older server", () => {
  const accept = { question: { action: "accept", content: { username: "Ana", email: "ana@example.com" } } };
  let client;
  let elsewhere;
  before(() => {
    client = new Modern(stack, at("old"));
    elsewhere = new Modern(stack, { ...at("old"), url: `${stack.urls[1]}/old` });
  });

  test("gets elicitation as input_required and goes on with a retry", async () => {
    const asked = await call(client, "test_elicitation", { message: "Who?" });
    assert.equal(asked.resultType, "input_required");
    assert.deepEqual(Object.keys(asked.inputRequests), ["question"]);
    assert.equal(asked.inputRequests.question.method, "elicitation/create");
    assert.equal(asked.inputRequests.question.params.message, "Who?");
    assert.equal(asked.inputRequests.question.params._meta, undefined);
    assert.equal(asked.ttlMs, undefined);
    const { message } = await retry(client, "test_elicitation", asked, accept, { message: "Who?" });
    assert.equal(message.result.resultType, "complete");
    assert.match(words(message.result), /action=accept.*Ana/);
    assert.equal(await parked(), 0);
  });

  test("goes on at another gateway than the one that holds the exchange", async () => {
    const asked = await call(client, "test_elicitation", {});
    const { message, status } = await retry(elsewhere, "test_elicitation", asked, accept);
    assert.equal(status, 200);
    assert.match(words(message.result), /action=accept.*Ana/);
    assert.equal(await parked(), 0);
  });

  for (const [name, kind, answer, said] of [
    ["test_sampling", "sampling/createMessage", { role: "assistant", content: { type: "text", text: "Paris" }, model: "m" }, /LLM response: Paris/],
    ["test_roots", "roots/list", { roots: [{ uri: "file:///home/ana" }] }, /file:\/\/\/home\/ana/],
    ["test_elicitation", "elicitation/create", { action: "decline" }, /action=decline/],
    ["test_elicitation", "elicitation/create", { action: "cancel" }, /action=cancel/],
    ["test_url", "elicitation/create", { action: "accept" }, /accept/],
  ]) {
    test(`answers ${kind} of ${name} with ${Object.values(answer)[0]}`, async () => {
      const asked = await call(client, name);
      assert.equal(asked.inputRequests.question.method, kind);
      assert.equal(asked.inputRequests.question.params.elicitationId, undefined);
      assert.match(words((await retry(elsewhere, name, asked, { question: answer })).message.result), said);
    });
  }

  test("hears progress before the question and before the result, at either gateway", async () => {
    const first = await client.post("tools/call", { name: "test_asks_between", arguments: {} }, { meta: { progressToken: "p-1" } });
    assert.deepEqual(first.notifications.map(({ params }) => [params.progressToken, params.progress]), [["p-1", 1]]);
    const next = await retry(elsewhere, "test_asks_between", first.message.result, { question: { action: "accept", content: { name: "Bo" } } }, {}, { meta: { progressToken: 7 } });
    assert.deepEqual(next.notifications.map(({ params }) => [params.progressToken, params.progress]), [[7, 2]]);
    assert.match(words(next.message.result), /Bo/);
  });

  test("is asked one question after the other, and again what it left out", async () => {
    let asked = await call(client, "test_asks_twice_at_once");
    const key = Object.keys(asked.inputRequests.question.params.requestedSchema.properties)[0];
    const again = (await retry(client, "test_asks_twice_at_once", asked, { other: { action: "accept" } })).message.result;
    assert.deepEqual(again.inputRequests, asked.inputRequests);
    asked = (await retry(client, "test_asks_twice_at_once", again, { question: { action: "accept", content: { [key]: "one" } } })).message.result;
    assert.equal(asked.resultType, "input_required");
    const other = Object.keys(asked.inputRequests.question.params.requestedSchema.properties)[0];
    assert.notEqual(other, key);
    const done = (await retry(elsewhere, "test_asks_twice_at_once", asked, { question: { action: "accept", content: { [other]: "two" } } })).message.result;
    assert.match(words(done), /one two|two one/);
  });

  test("is not asked what it did not declare: the server hears so and the call ends", async () => {
    const bare = new Modern(stack, { ...at("old"), capabilities: {} });
    const answer = await bare.post("tools/call", { name: "test_elicitation", arguments: {} });
    assert.ok(answer.message.error || answer.message.result.isError, answer.text);
    const forms = new Modern(stack, { ...at("old"), capabilities: { elicitation: {} } });
    const url = await forms.post("tools/call", { name: "test_url", arguments: {} });
    assert.ok(url.message.error || url.message.result.isError, url.text);
    assert.equal(await parked(), 0);
  });

  test("its state works once, for this request, this caller and this server only", async () => {
    const asked = await call(client, "test_elicitation", {});
    const { secret: key } = JSON.parse((await stack.mal("keys", "add", "other", "--scopes", "all", "--json")).stdout);
    const other = new Modern(stack, { ...at("old"), key });
    await until("the key works", async () => (await other.post("tools/list")).status === 200);
    const refused = async (who, name, state, args = {}) => {
      const { message } = await retry(who, name, { requestState: state }, accept, args);
      assert.equal(message.error?.code, -32602, JSON.stringify(message));
    };
    await refused(other, "test_elicitation", asked.requestState);
    await refused(client, "test_elicitation", asked.requestState, { message: "another" });
    await refused(client, "test_sampling", asked.requestState);
    await refused(client, "test_elicitation", `${asked.requestState.slice(0, -2)}AA`);
    await refused(client, "test_elicitation", "made up");
    await refused(new Modern(stack, at("new")), "test_elicitation", asked.requestState);
    const { message } = await client.post("tools/call", { name: "test_elicitation", arguments: {}, inputResponses: { question: "no object" }, requestState: asked.requestState });
    assert.equal(message.error.code, -32602);
    assert.match(words((await retry(client, "test_elicitation", asked, accept)).message.result), /accept/);
    await refused(client, "test_elicitation", asked.requestState);
    await refused(elsewhere, "test_elicitation", asked.requestState);
  });

  test("-32042 is a question to open a URL, after which the call is made anew", async () => {
    const asked = await call(client, "test_url_required");
    assert.equal(asked.resultType, "input_required");
    assert.deepEqual(asked.inputRequests, { "url-0": { method: "elicitation/create", params: { mode: "url", url: "https://example.com/sign-in", message: "Sign in" } } });
    const { message } = await retry(elsewhere, "test_url_required", asked, { "url-0": { action: "accept" } });
    assert.equal(words(message.result), "signed in");
    const bare = new Modern(stack, { ...at("old"), capabilities: { elicitation: {} } });
    const told = await call(bare, "test_url_required");
    assert.equal(told.isError, true);
    assert.match(words(told), /https:\/\/example\.com\/sign-in/);
    await call(bare, "test_url_required"); // as it was before
  });

  test("a gateway that died takes what it held with it, and says so in a typed error", async () => {
    const holder = ["gateway", "gateway-1", "gateway-2"].filter((name) => stack.now().pids[name]);
    const asked = await call(elsewhere, "test_elicitation", {});
    let held;
    for (const name of holder) if (await stack.metric(name, "mal_gateway_parked_calls") > 0) held = name;
    assert.ok(held, "one gateway holds it");
    await stack.kill(held);
    const { message } = await retry(client, "test_elicitation", asked, accept);
    assert.equal(message.result.isError, true);
    assert.equal(message.result._meta["mal.hub/error"].reason, "MCP_LOST");
    assert.match(words(message.result), /'old'/);
    await until("the call is in the audit log as lost", async () => {
      const { structuredContent } = await new Modern(stack).result("tools/call", { name: "mal_get_audit_log", arguments: { tool_name: "old/test_elicitation" } });
      return structuredContent.items.some(({ status }) => status === "unavailable");
    });
    await stack.ready(held);
    assert.match(words((await retry(client, "test_elicitation", await call(client, "test_elicitation"), accept)).message.result), /accept/);
  });
});

describe("an older caller at a modern server", () => {
  const accept = (content) => ({ action: "accept", content });
  /** Calls, answers every question by `answers[method]`, gives what came. */
  const talk = async (version, name, answers, { capabilities = ALL, params = {} } = {}) => {
    const client = await Legacy.open(stack, version, { ...at("new"), capabilities });
    const stream = await client.open("tools/call", { name, arguments: {}, ...params });
    const questions = [];
    const notes = [];
    for (;;) {
      const message = stream.headers["content-type"] === "application/json" ? await until("the body", () => stream.ended && JSON.parse(stream.text)) : await stream.next();
      if (!message?.method) return { message, questions, notes, client };
      if (message.id === undefined) {
        notes.push(message);
        continue;
      }
      questions.push(message);
      const answer = answers[message.method];
      if (!answer) continue;
      const given = typeof answer === "function" ? answer(message.params, questions.length) : answer;
      const body = given.code ? { error: given } : { result: given };
      const posted = await client.send({ jsonrpc: "2.0", id: message.id, ...body }, { url: `${stack.urls[1]}/new` });
      assert.equal(posted.status, 202);
    }
  };
  const person = {
    "elicitation/create": ({ requestedSchema }) => accept(Object.fromEntries(Object.entries(requestedSchema.properties).map(([key, { type }]) => [key, type === "boolean" ? true : "Ana"]))),
    "sampling/createMessage": { role: "assistant", content: { type: "text", text: "Paris" }, model: "m" },
    "roots/list": { roots: [{ uri: "file:///home/ana" }] },
  };

  for (const [name, kinds, said] of [
    ["test_input_required_result_elicitation", ["elicitation/create"], /Hello, Ana!/],
    ["test_input_required_result_sampling", ["sampling/createMessage"], /Paris/],
    ["test_input_required_result_list_roots", ["roots/list"], /file:\/\/\/home\/ana/],
    ["test_input_required_result_request_state", ["elicitation/create"], /state-ok/],
    ["test_input_required_result_multiple_inputs", ["elicitation/create", "sampling/createMessage", "roots/list"], /all inputs received/],
    ["test_input_required_result_multi_round", ["elicitation/create", "elicitation/create"], /multi-round done/],
  ]) {
    test(`is asked by requests on the stream of its call: ${name}`, async () => {
      const { message, questions } = await talk("2025-11-25", name, person);
      assert.deepEqual(questions.map(({ method }) => method).sort(), kinds.sort());
      assert.match(words(message.result), said);
      assert.equal(message.result.resultType, undefined);
    });
  }

  test("an elicitation by URL has an id of ours", async () => {
    const { message, questions } = await talk("2025-11-25", "test_url", { "elicitation/create": { action: "accept" } });
    assert.equal(questions[0].params.mode, "url");
    assert.ok(questions[0].params.elicitationId);
    assert.equal(words(message.result), "accept");
  });

  test("of 2025-06-18 is asked in the words of its revision", async () => {
    const { message, questions } = await talk("2025-06-18", "test_input_required_result_elicitation", person, { capabilities: { elicitation: {} } });
    assert.equal(questions[0].params.mode, undefined);
    assert.match(words(message.result), /Hello, Ana!/);
  });

  test("who did not declare it is told so by the tool's result, not asked", async () => {
    for (const [version, capabilities] of [["2025-11-25", {}], ["2025-11-25", { sampling: {} }], ["2025-03-26", {}]]) {
      const { message, questions } = await talk(version, "test_input_required_result_elicitation", person, { capabilities });
      assert.equal(questions.length, 0);
      assert.ok(message.error || message.result.isError, JSON.stringify(message));
    }
  });

  test("hears progress of every round, all of it before the result", async () => {
    const { message, notes } = await talk("2025-11-25", "test_asks_between", person, { params: { _meta: { progressToken: "t" } } });
    assert.deepEqual(notes.filter(({ method }) => method === "notifications/progress").map(({ params }) => params.progressToken), ["t", "t", "t"]);
    assert.match(words(message.result), /accept Ana/);
  });

  test("a server that asks for ever is stopped", async () => {
    const { message, questions } = await talk("2025-11-25", "test_input_required_result_elicitation", { "elicitation/create": { action: "decline" } });
    assert.ok(questions.length > 3 && questions.length < 12, `${questions.length} rounds`);
    assert.equal(message.result.isError, true);
  });

  test("a refusal for which the server has no word ends the call", async () => {
    const { message } = await talk("2025-11-25", "test_input_required_result_sampling", { "sampling/createMessage": { code: -1, message: "User rejected" } });
    assert.equal(message.result.isError, true);
  });

  test("prompts ask as tools do", async () => {
    const client = await Legacy.open(stack, "2025-11-25", at("new"));
    const stream = await client.open("prompts/get", { name: "test_input_required_result_prompt" });
    const question = await stream.next();
    assert.equal(question.method, "elicitation/create");
    await client.send({ jsonrpc: "2.0", id: question.id, result: accept({ context: "here" }) });
    assert.match((await stream.next()).result.messages[0].content.text, /here/);
  });
});

describe("an older caller at an older server", () => {
  let client;
  before(async () => {
    client = await Legacy.open(stack, "2025-11-25", at("old"));
  });

  test("answers two questions of one call, in either order", async () => {
    const stream = await client.open("tools/call", { name: "test_asks_twice_at_once", arguments: {} });
    const questions = [await stream.next(), await stream.next()];
    for (const { id, params } of questions.reverse())
      await client.send({ jsonrpc: "2.0", id, result: { action: "accept", content: { [params.message]: params.message.toUpperCase() } } }, { url: `${stack.urls[1]}/old` });
    assert.equal(words((await stream.next()).result), "FIRST SECOND");
  });

  test("tells the server how far it is with its answer", async () => {
    const stream = await client.open("tools/call", { name: "test_sampling_progress", arguments: {} });
    const { id, params } = await stream.next();
    assert.ok(params._meta.progressToken !== undefined);
    await client.notify("notifications/progress", { progressToken: params._meta.progressToken, progress: 3 });
    await client.send({ jsonrpc: "2.0", id, result: { role: "assistant", content: { type: "text", text: "ok" }, model: "m" } });
    assert.equal(words((await stream.next()).result), "ok [3]");
  });
});
