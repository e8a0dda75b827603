// The MCP endpoint by hand: one request and one expectation each (statuses, codes, headers, shapes).
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { begin, request } from "./http.mjs";
import { LEGACY, Legacy, MODERN, Modern, envelope, headerValue } from "./mcp.mjs";
import { command, skill } from "./samples.mjs";
import { checkAnswer, learn } from "./schema.mjs";
import { useStack } from "./stack.mjs";

const stack = useStack({ before, after }, { args: ["--no-starter"] }, async () => {
  hub = new Modern(stack);
  learn(await hub.all("tools/list", "tools"));
  await hub.ok("mal_register_skill", skill("wire", { asset_content: "# Wire\n" }));
});
const PROTOCOL = "io.modelcontextprotocol/protocolVersion";
let hub;

/** Posts and expects an HTTP status and a JSON-RPC code. */
async function refused(status, code, method, params, options) {
  const answer = await hub.post(method, params, options);
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.message?.error?.code, code, answer.text);
  return answer;
}

describe("2026-07-28", () => {
  test("server/discover names the version, the capabilities and how long that holds", async () => {
    const result = await hub.result("server/discover");
    assert.deepEqual(result.supportedVersions, [MODERN]);
    assert.deepEqual(result.capabilities.tools, { listChanged: true });
    assert.deepEqual(result.capabilities.prompts, { listChanged: true });
    assert.deepEqual(result.capabilities.resources, { listChanged: true, subscribe: true });
    assert.ok(result.capabilities.completions);
    assert.ok(Number.isInteger(result.ttlMs));
    assert.ok(result._meta["io.modelcontextprotocol/serverInfo"].version);
    assert.equal("serverInfo" in result, false);
  });

  for (const method of ["tools/list", "prompts/list", "resources/list", "resources/templates/list"])
    test(`${method} has resultType, ttlMs and cacheScope`, async () => {
      const result = await hub.result(method);
      assert.equal(result.resultType, "complete");
      assert.ok(Number.isInteger(result.ttlMs) && result.ttlMs >= 0);
      assert.equal(result.cacheScope, "private", "what a caller sees depends on its key");
    });

  test("tools/call has no cache hints", async () => {
    const result = await hub.result("tools/call", { name: "mal_list_skills", arguments: {} });
    assert.equal("ttlMs" in result || "cacheScope" in result, false);
  });

  const broken = [
    ["an envelope without clientCapabilities", { [PROTOCOL]: MODERN }],
    ["clientCapabilities that are no object", { ...envelope(), "io.modelcontextprotocol/clientCapabilities": [] }],
    ["a version that is no string", { ...envelope(), [PROTOCOL]: 20260728 }],
    ["a clientInfo without name", { ...envelope(), "io.modelcontextprotocol/clientInfo": { version: "1" } }],
    ["an unknown logLevel", { ...envelope(), "io.modelcontextprotocol/logLevel": "loud" }],
  ];
  for (const [what, _meta] of broken)
    test(`${what} is 400 -32602`, () => refused(400, -32602, "tools/list", {}, {
      body: { jsonrpc: "2.0", id: 1, method: "tools/list", params: { _meta } } }));

  test("no _meta with a modern header is 400 -32602", async () => {
    for (const params of [undefined, {}, { _meta: { progressToken: 1 } }])
      await refused(400, -32602, "tools/list", {}, { body: { jsonrpc: "2.0", id: 1, method: "tools/list", params } });
  });

  test("header and body that differ are 400 -32020", async () => {
    await refused(400, -32020, "tools/list", {}, { headers: { "MCP-Protocol-Version": "2025-11-25" } });
    await refused(400, -32020, "tools/list", {}, { headers: { "MCP-Protocol-Version": undefined } });
    for (const wrong of [undefined, "TOOLS/LIST", "tools/call"])
      await refused(400, -32020, "tools/list", {}, { headers: { "Mcp-Method": wrong } });
    const params = { name: "mal_list_skills", arguments: {} };
    for (const wrong of [undefined, "mal_get_skill", "MAL_LIST_SKILLS", "=?base64?!!!?=", "=?base64?/w==?="])
      await refused(400, -32020, "tools/call", params, { headers: { "Mcp-Name": wrong } });
  });

  test("headers that say the same in other letters are accepted", async () => {
    const params = { name: "mal_list_skills", arguments: {} };
    const base64 = `=?base64?${Buffer.from("mal_list_skills").toString("base64")}?=`;
    for (const headers of [{ "Mcp-Name": base64 }, { "Mcp-Name": "   mal_list_skills  " },
      { "Mcp-Method": undefined, "mcp-method": "tools/call" }, { "Mcp-Session-Id": "whatever", "Last-Event-ID": "7" }])
      assert.equal((await hub.post("tools/call", params, { headers })).status, 200, JSON.stringify(headers));
  });

  test("a resource's uri travels in Mcp-Name, encoded where it must be", async () => {
    for (const uri of ["skill://wire/SKILL.md", "skill://zürich/SKILL.md", " x "]) {
      const answer = await hub.post("resources/read", { uri });
      assert.equal(answer.status, 200, `${headerValue(uri)} ${answer.text}`);
    }
  });

  test("a version that is not served is 400 -32022 with supported and requested", async () => {
    for (const version of ["1900-01-01", "2025-11-25", "2027-03-01"]) {
      const body = hub.message("tools/list");
      body.params._meta[PROTOCOL] = version;
      const { message } = await refused(400, -32022, "tools/list", {}, { body, headers: { "MCP-Protocol-Version": version } });
      assert.deepEqual(message.error.data, { supported: [MODERN], requested: version });
      assert.equal(message.id, body.id);
    }
  });

  test("unknown and removed methods are 404 -32601", async () => {
    for (const method of ["no/such", "ping", "initialize", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "tasks/get"])
      await refused(404, -32601, method, {});
  });

  test("an unknown tool is 200 -32602", () => refused(200, -32602, "tools/call", { name: "mal_nothing", arguments: {} }));
  test("tools/call without a name is an error about it", async () => {
    const answer = await hub.post("tools/call", { arguments: {} });
    assert.equal(answer.message.error.code, -32602, answer.text);
  });

  test("GET and DELETE are 405", async () => {
    for (const method of ["GET", "DELETE"]) {
      const answer = await request(stack.url, { method, headers: { "x-api-key": stack.key, Accept: "text/event-stream", "MCP-Protocol-Version": MODERN } });
      assert.equal(answer.status, 405);
      assert.match(answer.headers.allow, /POST/);
    }
  });

  test("other methods are 405 with Allow", async () => {
    for (const method of ["PUT", "PATCH", "HEAD"]) {
      const answer = await request(stack.url, { method, headers: { "x-api-key": stack.key } });
      assert.equal(answer.status, 405, method);
      assert.match(answer.headers.allow, /POST/);
    }
  });

  test("a batch is 400 -32600, and so is a posted response", async () => {
    await refused(400, -32600, "tools/list", {}, { body: [hub.message("tools/list")] });
    await refused(400, -32600, "tools/list", {}, { body: { jsonrpc: "2.0", id: 1, result: {} } });
  });

  test("a notification is 202 without a body, even without Mcp-Method", async () => {
    for (const headers of [{}, { "Mcp-Method": undefined }]) {
      const answer = await hub.post("notifications/cancelled", {}, { headers,
        body: { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 5, _meta: envelope() } } });
      assert.deepEqual([answer.status, answer.text], [202, ""]);
    }
  });

  test("ids come back in their own type: 0, text, negative", async () => {
    for (const id of [0, "0", "listen:0", -7, 2 ** 31]) {
      const answer = await hub.post("tools/list", {}, { body: { ...hub.message("tools/list"), id } });
      assert.strictEqual(answer.message.id, id);
    }
  });

  const malformed = [
    ["no JSON", "{", -32700], ["empty", "", -32700], ["a number", "7", -32600], ["null", "null", -32600],
    ["an empty array", "[]", -32600], ["jsonrpc 1.0", '{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600],
    ["no jsonrpc", '{"id":1,"method":"ping"}', -32600], ["id null", '{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600],
    ["a fraction as id", '{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600],
    ["a method that is no text", '{"jsonrpc":"2.0","id":1,"method":7}', -32600],
    ["params that are no object", '{"jsonrpc":"2.0","id":1,"method":"ping","params":7}', -32600],
    ["a doubled key", '{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"ping"}', undefined],
    ["trailing text", '{"jsonrpc":"2.0","id":1,"method":"ping"} x', -32700],
    ["neither method nor result", '{"jsonrpc":"2.0","id":1}', -32600],
    ["result and error", '{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"x"}}', -32600],
  ];
  for (const [what, body, code] of malformed)
    test(`${what}: 400`, async () => {
      const answer = await hub.post("ping", {}, { body });
      assert.equal(answer.status, 400, answer.text);
      if (code) assert.equal(answer.message.error.code, code, answer.text);
      assert.notEqual(answer.message.id, null);
    });

  test("a wrong Content-Type is 415", async () => {
    for (const type of ["text/plain", "application/x-www-form-urlencoded", undefined])
      assert.equal((await hub.post("tools/list", {}, { headers: { "Content-Type": type } })).status, 415, type);
    assert.equal((await hub.post("tools/list", {}, { headers: { "Content-Type": "application/json; charset=utf-8" } })).status, 200);
  });

  test("a body beyond the limit is 413, a head beyond it 431", async () => {
    const long = await hub.post("tools/list", {}, { body: JSON.stringify({ ...hub.message("tools/list"), padding: "x".repeat(1 << 20) }) });
    assert.equal(long.status, 413);
    const head = await request(stack.url, { headers: { "x-api-key": stack.key, "Content-Type": "application/json", "X-Long": "x".repeat(100_000) }, body: "{}" });
    assert.ok([431, 413].includes(head.status), String(head.status));
  });

  test("no session is ever given or echoed", async () => {
    const answer = await hub.post("tools/list", {}, { headers: { "Mcp-Session-Id": "abc" } });
    assert.equal(answer.headers["mcp-session-id"], undefined);
  });

  test("every answer has the security headers and no server banner that tells versions", async () => {
    const { headers } = await hub.post("tools/list");
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.ok(headers["cache-control"]?.includes("no-store"), headers["cache-control"]);
  });

  test("logs come only with logLevel, progress only with a token", async () => {
    const answer = await hub.post("tools/call", { name: "mal_list_skills", arguments: {} }, { meta: { progressToken: 0 } });
    for (const note of answer.notifications) assert.strictEqual(note.params.progressToken, 0);
    assert.equal((await hub.post("tools/call", { name: "mal_list_skills", arguments: {} })).notifications.length, 0);
  });

  test("both eras can be mixed on one connection", async () => {
    const legacy = await Legacy.open(stack, "2025-06-18");
    for (let i = 0; i < 3; i++) {
      assert.equal((await hub.post("tools/list")).status, 200);
      assert.deepEqual(await legacy.result("ping"), {});
    }
    await legacy.end();
  });

  test("a dropped connection harms nobody", async () => {
    for (let i = 0; i < 20; i++) {
      const params = { name: "mal_export_catalog", arguments: {} };
      begin(stack.url, { headers: hub.headers("tools/call", params), body: JSON.stringify(hub.message("tools/call", params)) }).destroy();
    }
    assert.equal((await hub.post("tools/list")).status, 200);
  });
});

for (const version of LEGACY) {
  describe(version, () => {
    const open = (options) => Legacy.open(stack, version, options);

    test("initialize answers with the version asked for and a session", async () => {
      const client = await open();
      assert.equal(client.opened.protocolVersion, version);
      assert.ok(client.opened.serverInfo.name && client.opened.serverInfo.version);
      assert.match(client.session, /^[\x21-\x7e]{22,}$/);
      assert.deepEqual(client.opened.capabilities.tools, { listChanged: true });
      await client.end();
    });

    test("two sessions have different ids", async () => {
      const [a, b] = [await open(), await open()];
      assert.notEqual(a.session, b.session);
      await Promise.all([a.end(), b.end()]);
    });

    test("without the session's id it is 400, with an unknown one 404", async () => {
      const client = await open();
      assert.equal((await client.post("tools/list", undefined, { headers: { "Mcp-Session-Id": undefined } })).status, 400);
      assert.equal((await client.post("tools/list", undefined, { headers: { "Mcp-Session-Id": "0".repeat(32) } })).status, 404);
      await client.end();
    });

    test("DELETE ends the session; then it is 404", async () => {
      const client = await open();
      assert.ok([200, 204].includes((await client.end()).status));
      assert.equal((await client.post("ping")).status, 404);
      assert.equal((await client.end()).status, 404);
    });

    test("ping and setLevel answer {} exactly, an unknown level is -32602", async () => {
      const client = await open();
      assert.deepEqual(await client.result("ping"), {});
      assert.deepEqual(await client.result("logging/setLevel", { level: "warning" }), {});
      assert.equal((await client.error("logging/setLevel", { level: "loud" })).code, -32602);
      await client.end();
    });

    test("a tool call answers, its error is a result, and an unknown tool is -32602 in 200", async () => {
      const client = await open();
      assert.equal((await client.tool("mal_get_skill", { id: "wire" })).isError ?? false, false);
      assert.equal((await client.tool("mal_get_skill", { id: "nobody" })).isError, true);
      const unknown = await client.error("tools/call", { name: "mal_nothing" });
      assert.deepEqual([unknown.status, unknown.code], [200, -32602]);
      await client.end();
    });

    test("an unknown method is -32601 in 200", async () => {
      const client = await open();
      for (const method of ["no/such", "server/discover", "subscriptions/listen"]) {
        const error = await client.error(method, {});
        assert.deepEqual([error.status, error.code], [200, -32601], method);
      }
      await client.end();
    });

    test("lists, resources and prompts answer in the form of the revision", async () => {
      const client = await open();
      await client.result("tools/list");
      await client.result("resources/list");
      await client.result("resources/templates/list");
      await client.result("prompts/list");
      await client.result("resources/read", { uri: "skill://wire/SKILL.md" });
      assert.deepEqual(await client.result("resources/subscribe", { uri: "skill://wire/SKILL.md" }), {});
      assert.deepEqual(await client.result("resources/unsubscribe", { uri: "skill://wire/SKILL.md" }), {});
      await client.end();
    });

    test("a bad version header is 400, none is fine, and so is the session's own", async () => {
      const client = await open();
      assert.equal((await client.post("ping", undefined, { headers: { "MCP-Protocol-Version": "1999-01-01" } })).status, 400);
      assert.equal((await client.post("ping", undefined, { headers: { "MCP-Protocol-Version": undefined } })).status, 200);
      assert.equal((await client.post("ping", undefined, { headers: { "MCP-Protocol-Version": version } })).status, 200);
      await client.end();
    });

    test("GET without a session is 400, with one an event stream", async () => {
      const client = await open();
      const bare = await request(stack.url, { method: "GET", headers: { "x-api-key": stack.key, Accept: "text/event-stream" } });
      assert.equal(bare.status, 400);
      const stream = await client.stream();
      assert.equal(stream.status, 200);
      assert.match(stream.headers["content-type"], /^text\/event-stream/);
      assert.equal(stream.headers["x-accel-buffering"], "no");
      stream.close();
      await client.end();
    });

    test("the GET stream's first event is nothing that an old client would try to read", async () => {
      const client = await open();
      const stream = await client.stream();
      await hub.ok("mal_register_command", command(`first-${version}`));
      const event = await stream.nextEvent(2000);
      assert.equal(JSON.parse(event.data).method, "notifications/prompts/list_changed");
      stream.close();
      await client.end();
    });

    test("batches are taken from 2025-03-26 only", async () => {
      const client = await open();
      const batch = [{ jsonrpc: "2.0", id: 1, method: "ping" }, { jsonrpc: "2.0", method: "notifications/initialized" },
        { jsonrpc: "2.0", id: "two", method: "tools/list" }, { jsonrpc: "2.0", id: 3, method: "no/such" }];
      const answer = await client.send(batch);
      if (version === "2025-03-26") {
        assert.equal(answer.status, 200, answer.text);
        const list = answer.json ?? answer.events.flatMap((event) => JSON.parse(event.data));
        const byId = new Map(list.map((one) => [one.id, one]));
        assert.equal(byId.size, 3);
        checkAnswer(version, "ping", byId.get(1));
        checkAnswer(version, "tools/list", byId.get("two"));
        assert.equal(byId.get(3).error.code, -32601);
        assert.equal((await client.send([{ jsonrpc: "2.0", method: "notifications/initialized" }])).status, 202);
        assert.equal((await client.send([])).status, 400);
        const nested = await client.send([{ jsonrpc: "2.0", id: 1, method: "initialize", params: { protocolVersion: version, capabilities: {}, clientInfo: { name: "x", version: "1" } } }]);
        assert.ok(nested.status === 400 || nested.json[0].error, nested.text);
        const many = await client.send(Array.from({ length: 1001 }, (_, id) => ({ jsonrpc: "2.0", id, method: "ping" })));
        assert.equal(many.status, 400);
      } else {
        assert.equal(answer.status, 400, answer.text);
        assert.equal(answer.json.error.code, -32600);
      }
      await client.end();
    });

    test("notifications and posted responses are 202 without a body", async () => {
      const client = await open();
      for (const message of [{ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 77 } },
        { jsonrpc: "2.0", method: "notifications/roots/list_changed" }, { jsonrpc: "2.0", id: "nobody-asked", result: {} }]) {
        const answer = await client.send(message);
        assert.deepEqual([answer.status, answer.text], [202, ""], JSON.stringify(message));
      }
      await client.end();
    });

    test("an Accept that leaves nothing is 406, a missing one is fine", async () => {
      const client = await open();
      assert.equal((await client.post("ping", undefined, { headers: { Accept: "text/html" } })).status, 406);
      for (const Accept of [undefined, "*/*", "application/json, text/event-stream"])
        assert.equal((await client.post("ping", undefined, { headers: { Accept } })).status, 200, Accept);
      await client.end();
    });

    test("a session is bound to its key", async () => {
      const client = await open();
      const { secret } = JSON.parse((await stack.mal("keys", "add", `thief-${version}`, "--json")).stdout);
      const { until } = await import("./wait.mjs");
      const thief = new Modern(stack, { key: secret });
      await until("the key works", async () => (await thief.post("tools/list")).status === 200);
      assert.equal((await client.post("ping", undefined, { headers: { "x-api-key": secret } })).status, 404);
      assert.equal((await client.post("ping")).status, 200);
      await client.end();
    });
  });
}

describe("initialize", () => {
  const initialize = (protocolVersion, headers = {}) => request(stack.url, {
    headers: { "Content-Type": "application/json", Accept: "application/json, text/event-stream", "x-api-key": stack.key, ...headers },
    body: JSON.stringify({ jsonrpc: "2.0", id: 0, method: "initialize", params: { protocolVersion, capabilities: {}, clientInfo: { name: "x", version: "1" } } }),
  });

  test("an unknown or modern version is answered with 2025-11-25", async () => {
    for (const version of ["1999-01-01", "2024-10-07", MODERN, "2099-01-01"]) {
      const answer = await initialize(version);
      assert.equal(answer.json.result.protocolVersion, "2025-11-25", version);
      assert.strictEqual(answer.json.id, 0);
    }
  });

  test("a modern version header with it is 400 -32020", async () => {
    const answer = await initialize("2025-11-25", { "MCP-Protocol-Version": MODERN });
    assert.deepEqual([answer.status, answer.json.error.code], [400, -32020]);
  });

  test("one with an old session's id is a new session", async () => {
    const first = await initialize("2025-06-18");
    const second = await initialize("2025-06-18", { "Mcp-Session-Id": first.headers["mcp-session-id"] });
    assert.equal(second.status, 200);
    assert.notEqual(second.headers["mcp-session-id"], first.headers["mcp-session-id"]);
  });

  test("without protocolVersion it is -32602", async () => {
    const answer = await initialize(undefined);
    assert.equal(answer.json.error.code, -32602);
  });
});
