// The MCP server that tests put behind the hub, on the official SDK: everything that the conformance
// runner asks a server for, in both eras.
//   node fixture-server.mjs [http|stdio] [both|legacy|modern]
// http prints its port on the first line.
import { createServer } from "node:http";
import { randomUUID } from "node:crypto";
import {
  ProtocolError, Server, createMcpHandler, createRequestStateCodec, inputRequired, inputResponse,
  hostHeaderValidationResponse, isLegacyRequest, localhostAllowedHostnames, localhostAllowedOrigins, originValidationResponse,
} from "@modelcontextprotocol/server";
import { StdioServerTransport, serveStdio } from "@modelcontextprotocol/server/stdio";
import { NodeStreamableHTTPServerTransport, toNodeHandler, toWebRequest } from "@modelcontextprotocol/node";

const [kind = "http", eras = "both"] = process.argv.slice(2);
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=";
const state = createRequestStateCodec({ key: new Uint8Array(32).fill(7) });

const text = (value) => ({ content: [{ type: "text", text: value }] });
const none = { type: "object", properties: {} };
const pause = (ms, signal) => new Promise((resolve, reject) => {
  const timer = setTimeout(resolve, ms);
  signal?.addEventListener("abort", () => (clearTimeout(timer), reject(new Error("cancelled"))));
});
const form = (properties, required = Object.keys(properties)) => ({ type: "object", properties, required });
const nameForm = (message = "What is your name?") => inputRequired.elicit({ mode: "form", message, requestedSchema: form({ name: { type: "string" } }) });
const sampling = (prompt = "What is the capital of France?") => inputRequired.createMessage({
  messages: [{ role: "user", content: { type: "text", text: prompt } }], maxTokens: 100 });
const invalid = (message, data) => new ProtocolError(-32602, message, data);
const declared = (ctx) => ctx.mcpReq.envelope?.["io.modelcontextprotocol/clientCapabilities"];

async function legacyElicit(ctx, schema, message = "Please answer") {
  const { action, content } = await ctx.mcpReq.elicitInput({ mode: "form", message, requestedSchema: schema });
  return text(`Elicitation completed: action=${action}, content=${JSON.stringify(content ?? {})}`);
}

/** One tool of the modern era that asks with `requests` until `done(responses)` says something. */
const asks = (requests, done) => (args, ctx) => {
  const answer = done(ctx.mcpReq.inputResponses, ctx);
  return answer === undefined ? inputRequired({ inputRequests: requests }) : text(answer);
};
const given = (responses, key, kind) => {
  const view = inputResponse(responses, key);
  return view.kind === kind ? view : undefined;
};

/** What came to this process, for tests that ask with test_seen. */
const seen = [];
let opened = false;

const tools = {
  echo: [{ description: "Says the same again", inputSchema: form({ message: { type: "string" } }) }, ({ message }) => text(`Echo: ${message}`)],
  test_simple_text: [{}, () => text("This is a simple text response for testing.")],
  test_image_content: [{}, () => ({ content: [{ type: "image", data: PNG, mimeType: "image/png" }] })],
  test_audio_content: [{}, () => ({ content: [{ type: "audio", data: WAV, mimeType: "audio/wav" }] })],
  test_embedded_resource: [{}, () => ({ content: [{ type: "resource", resource: { uri: "test://embedded-resource", mimeType: "text/plain", text: "This is an embedded resource content." } }] })],
  test_multiple_content_types: [{}, () => ({ content: [
    { type: "text", text: "Multiple content types test:" },
    { type: "image", data: PNG, mimeType: "image/png" },
    { type: "resource", resource: { uri: "test://mixed-content-resource", mimeType: "application/json", text: "{\"test\":\"data\"}" } },
  ] })],
  test_resource_link: [{}, () => ({ content: [{ type: "resource_link", uri: "test://static-text", name: "static-text" }] })],
  test_structured: [{ outputSchema: form({ sum: { type: "number" } }) }, () => ({ content: [{ type: "text", text: "{\"sum\":3}" }], structuredContent: { sum: 3 } })],
  test_structured_array: [{ outputSchema: { type: "array", items: { type: "number" } }, modern: true }, () => ({ content: [], structuredContent: [1, 2] })],
  test_error_handling: [{}, () => ({ isError: true, ...text("This tool intentionally returns an error for testing") })],
  test_tool_with_progress: [{}, async (args, ctx) => {
    const progressToken = ctx.mcpReq._meta?.progressToken;
    for (const progress of [0, 50, 100]) {
      if (progressToken !== undefined) await ctx.mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress, total: 100, message: `Completed step ${progress} of 100` } });
      await pause(20, ctx.mcpReq.signal);
    }
    return text(String(progressToken));
  }],
  test_tool_with_logging: [{}, async (args, ctx) => {
    for (const line of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
      await ctx.mcpReq.log("info", line);
      await pause(20, ctx.mcpReq.signal);
    }
    return text("Tool with logging executed");
  }],
  test_logging_tool: [{}, async (args, ctx) => {
    await ctx.mcpReq.log("info", "logged");
    return text("logged");
  }],
  test_sampling: [{ inputSchema: form({ prompt: { type: "string" } }, []) }, async ({ prompt = "hello" }, ctx) => {
    if (declared(ctx)) return asks({ s: sampling(prompt) }, (r) => given(r, "s", "sampling") && "sampled")({}, ctx);
    const { content } = await ctx.mcpReq.requestSampling({ messages: [{ role: "user", content: { type: "text", text: prompt } }], maxTokens: 100 });
    return text(`LLM response: ${content.text}`);
  }],
  test_elicitation: [{ inputSchema: form({ message: { type: "string" } }, []) }, async ({ message = "Please answer" }, ctx) => {
    const schema = form({ username: { type: "string", description: "User's response" }, email: { type: "string", description: "User's email address" } });
    if (!declared(ctx)) return legacyElicit(ctx, schema, message);
    return asks({ e: inputRequired.elicit({ mode: "form", message, requestedSchema: schema }) }, (r) => given(r, "e", "elicit") && `action=${given(r, "e", "elicit").action}`)({}, ctx);
  }],
  test_roots: [{}, async (args, ctx) => {
    if (declared(ctx)) return asks({ r: inputRequired.listRoots() }, (r) => given(r, "r", "roots") && JSON.stringify(given(r, "r", "roots").roots))({}, ctx);
    return text(JSON.stringify((await ctx.mcpReq.send({ method: "roots/list" })).roots));
  }],
  test_elicitation_sep1034_defaults: [{}, (args, ctx) => legacyElicit(ctx, form({
    name: { type: "string", default: "John Doe" }, age: { type: "integer", default: 30 }, score: { type: "number", default: 95.5 },
    status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" }, verified: { type: "boolean", default: true },
  }, []))],
  test_elicitation_sep1330_enums: [{}, (args, ctx) => legacyElicit(ctx, form({
    untitledSingle: { type: "string", enum: ["option1", "option2", "option3"] },
    titledSingle: { type: "string", oneOf: [{ const: "value1", title: "First Option" }, { const: "value2", title: "Second Option" }] },
    legacyEnum: { type: "string", enum: ["opt1", "opt2"], enumNames: ["Option One", "Option Two"] },
    untitledMulti: { type: "array", items: { type: "string", enum: ["option1", "option2"] } },
    titledMulti: { type: "array", items: { anyOf: [{ const: "value1", title: "First Choice" }, { const: "value2", title: "Second Choice" }] } },
  }, []))],
  test_missing_capability: [{}, () => asks({ s: sampling() }, (r) => given(r, "s", "sampling") && "sampled")],
  test_streaming_elicitation: [{}, async (args, ctx) => {
    if (given(ctx.mcpReq.inputResponses, "e", "elicit")) return text("done");
    await ctx.mcpReq.notify({ method: "notifications/progress", params: { progressToken: ctx.mcpReq._meta?.progressToken ?? 0, progress: 1 } });
    return inputRequired({ inputRequests: { e: nameForm() } });
  }],
  test_trigger_tool_change: [{}, () => (changed("tools"), text("tools changed"))],
  test_trigger_prompt_change: [{}, () => (changed("prompts"), text("prompts changed"))],
  json_schema_2020_12_tool: [{ inputSchema: {
    $schema: "https://json-schema.org/draft/2020-12/schema", type: "object",
    $defs: { address: { $anchor: "addressDef", type: "object", properties: { street: { type: "string" }, city: { type: "string" } } } },
    properties: { name: { type: "string" }, address: { $ref: "#/$defs/address" }, contactMethod: { type: "string", enum: ["phone", "email"] }, phone: { type: "string" }, email: { type: "string" } },
    allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
    if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] }, then: { required: ["phone"] }, else: { required: ["email"] },
    additionalProperties: false,
  } }, (args) => text(JSON.stringify(args))],
  test_custom_header: [{ inputSchema: form({ region: { type: "string", "x-mcp-header": "Region" } }, []) }, (args) => text(JSON.stringify(args))],
  test_slow: [{ inputSchema: form({ ms: { type: "integer" } }, []) }, async ({ ms = 60_000 }, ctx) => {
    seen.push("slow begun");
    ctx.mcpReq.signal.addEventListener("abort", () => seen.push("slow cancelled"));
    await pause(ms, ctx.mcpReq.signal);
    return text("slow");
  }],
  test_touch: [{ inputSchema: form({ uri: { type: "string" } }) }, ({ uri }) => (touched(uri), text("touched"))],
  test_levels: [{}, async (args, ctx) => {
    for (const level of ["debug", "info", "warning", "error"]) await ctx.mcpReq.log(level, `a ${level}`);
    return text("logged");
  }],
  test_steps: [{ inputSchema: form({ n: { type: "integer" } }) }, async ({ n }, ctx) => {
    const progressToken = ctx.mcpReq._meta?.progressToken;
    for (let progress = 1; progress <= n; progress++) {
      if (progressToken !== undefined) ctx.mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress } });
      ctx.mcpReq.log("info", `step ${progress}`);
    }
    return text("done");
  }],
  test_seen: [{}, () => text(JSON.stringify(seen))],
  test_asks_between: [{}, async (args, ctx) => {
    const progressToken = ctx.mcpReq._meta?.progressToken;
    const step = (progress) => progressToken !== undefined && ctx.mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress } });
    await step(1);
    if (declared(ctx)) {
      const answer = given(ctx.mcpReq.inputResponses, "e", "elicit");
      if (!answer) return inputRequired({ inputRequests: { e: nameForm() } });
      await step(2);
      return text(`${answer.action} ${answer.content?.name}`);
    }
    const { action, content } = await ctx.mcpReq.send({ method: "elicitation/create", params: { mode: "form", message: "Who?", requestedSchema: form({ name: { type: "string" } }) } });
    await step(2);
    return text(`${action} ${content?.name}`);
  }],
  test_asks_twice_at_once: [{}, async (args, ctx) => {
    const ask = (key) => ctx.mcpReq.send({ method: "elicitation/create", params: { mode: "form", message: key, requestedSchema: form({ [key]: { type: "string" } }) } });
    const [a, b] = await Promise.all([ask("first"), ask("second")]);
    return text(`${a.content.first} ${b.content.second}`);
  }],
  test_withdraws: [{}, async (args, ctx) => {
    const control = new AbortController();
    const asked = ctx.mcpReq.elicitInput({ mode: "form", message: "Never mind", requestedSchema: form({ name: { type: "string" } }) }, { signal: control.signal });
    setTimeout(() => control.abort("never mind"), 300);
    await asked.catch(() => {});
    await pause(300, ctx.mcpReq.signal);
    const progressToken = ctx.mcpReq._meta?.progressToken;
    if (progressToken !== undefined) await ctx.mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress: 1 } });
    return text("withdrawn");
  }],
  test_url: [{}, async (args, ctx) => {
    const params = { mode: "url", message: "Open it", url: "https://example.com/sign-in" };
    if (!declared(ctx)) return text((await ctx.mcpReq.elicitInput({ ...params, elicitationId: randomUUID() })).action);
    const answer = given(ctx.mcpReq.inputResponses, "u", "elicit");
    return answer ? text(answer.action) : inputRequired({ inputRequests: { u: inputRequired.elicitUrl(params) } });
  }],
  test_url_required: [{}, () => {
    if ((opened = !opened)) throw new ProtocolError(-32042, "Sign in first", { elicitations: [{ mode: "url", elicitationId: "x-1", url: "https://example.com/sign-in", message: "Sign in" }] });
    return text("signed in");
  }],
  test_sampling_progress: [{}, async (args, ctx) => {
    const heard = [];
    const { content } = await ctx.mcpReq.requestSampling({ messages: [{ role: "user", content: { type: "text", text: "Slowly" } }], maxTokens: 100 }, { onprogress: ({ progress }) => heard.push(progress) });
    return text(`${content.text} ${JSON.stringify(heard)}`);
  }],
  test_input_required_result_elicitation: [{ modern: true }, (args, ctx) => {
    const answer = given(ctx.mcpReq.inputResponses, "user_name", "elicit");
    if (typeof answer?.content?.name !== "string") return inputRequired({ inputRequests: { user_name: nameForm() } });
    return text(`Hello, ${answer.content.name}!`);
  }],
  test_input_required_result_sampling: [{ modern: true }, asks({ capital_question: sampling() }, (r) => given(r, "capital_question", "sampling")?.result.content.text)],
  test_input_required_result_list_roots: [{ modern: true }, asks({ client_roots: inputRequired.listRoots() }, (r) => given(r, "client_roots", "roots") && `roots: ${given(r, "client_roots", "roots").roots.map(({ uri }) => uri)}`)],
  test_input_required_result_request_state: [{ modern: true }, async (args, ctx) => {
    const kept = ctx.mcpReq.requestState();
    if (kept?.step === 1 && given(ctx.mcpReq.inputResponses, "confirm", "elicit")) return text("state-ok");
    return inputRequired({ inputRequests: { confirm: inputRequired.elicit({ mode: "form", message: "Please confirm", requestedSchema: form({ ok: { type: "boolean" } }) }) }, requestState: await state.mint({ step: 1 }) });
  }],
  test_input_required_result_multiple_inputs: [{ modern: true }, async (args, ctx) => {
    const r = ctx.mcpReq.inputResponses;
    if (given(r, "user_name", "elicit") && given(r, "greeting", "sampling") && given(r, "client_roots", "roots")) return text("all inputs received");
    return inputRequired({ inputRequests: { user_name: nameForm(), greeting: sampling("Generate a greeting"), client_roots: inputRequired.listRoots() }, requestState: await state.mint({ step: 1 }) });
  }],
  test_input_required_result_multi_round: [{ modern: true }, async (args, ctx) => {
    const step = ctx.mcpReq.requestState()?.step ?? 0;
    const r = ctx.mcpReq.inputResponses;
    if (step === 2 && given(r, "step2", "elicit")) return text("multi-round done");
    if (step === 1 && given(r, "step1", "elicit")) return inputRequired({ inputRequests: { step2: inputRequired.elicit({ mode: "form", message: "Step 2: What is your favorite color?", requestedSchema: form({ color: { type: "string" } }) }) }, requestState: await state.mint({ step: 2 }) });
    return inputRequired({ inputRequests: { step1: nameForm("Step 1: What is your name?") }, requestState: await state.mint({ step: 1 }) });
  }],
  test_input_required_result_tampered_state: [{ modern: true }, async (args, ctx) => {
    if (ctx.mcpReq.requestState() && given(ctx.mcpReq.inputResponses, "confirm", "elicit")) return text("state-ok");
    return inputRequired({ inputRequests: { confirm: inputRequired.elicit({ mode: "form", message: "Please confirm", requestedSchema: form({ ok: { type: "boolean" } }) }) }, requestState: await state.mint({ step: 1 }) });
  }],
  test_input_required_result_capabilities: [{ modern: true }, (args, ctx) => {
    const caps = declared(ctx) ?? {};
    const requests = { ...(caps.elicitation && { user_name: nameForm() }), ...(caps.sampling && { greeting: sampling() }) };
    const answered = Object.keys(requests).every((key) => inputResponse(ctx.mcpReq.inputResponses, key).kind !== "missing");
    return answered ? text("done") : inputRequired({ inputRequests: requests });
  }],
};
tools.test_missing_capability = [{ modern: true }, (args, ctx) => {
  if (given(ctx.mcpReq.inputResponses, "s", "sampling")) return text("sampled");
  return inputRequired({ inputRequests: { s: sampling() } });
}];

const prompts = {
  test_simple_prompt: [{}, () => [{ type: "text", text: "This is a simple prompt for testing." }]],
  test_prompt_with_arguments: [{ arguments: [{ name: "arg1", required: true }, { name: "arg2", required: true }] },
    ({ arg1, arg2 }) => [{ type: "text", text: `Prompt with arguments: arg1='${arg1}', arg2='${arg2}'` }]],
  test_prompt_with_embedded_resource: [{ arguments: [{ name: "resourceUri", required: true }] },
    ({ resourceUri }) => [{ type: "resource", resource: { uri: resourceUri, mimeType: "text/plain", text: "Embedded resource content for testing." } }, { type: "text", text: "Please process the embedded resource above." }]],
  test_prompt_with_image: [{}, () => [{ type: "image", data: PNG, mimeType: "image/png" }, { type: "text", text: "Please analyze the image above." }]],
  test_input_required_result_prompt: [{ modern: true }, (args, ctx) => {
    const answer = given(ctx.mcpReq.inputResponses, "user_context", "elicit");
    return answer ? [{ type: "text", text: `context: ${JSON.stringify(answer.content)}` }]
      : inputRequired({ inputRequests: { user_context: inputRequired.elicit({ mode: "form", message: "What context?", requestedSchema: form({ context: { type: "string" } }) }) } });
  }],
};

const resources = {
  "test://static-text": { name: "static-text", mimeType: "text/plain", text: "This is the content of the static text resource." },
  "test://static-binary": { name: "static-binary", mimeType: "image/png", blob: PNG },
  "test://watched-resource": { name: "watched-resource", mimeType: "text/plain", text: "Watched resource content" },
};

const live = new Set();
let modernHandler;

/** Tells everybody that a list has changed. */
function changed(what) {
  modernHandler?.notify?.[`${what}Changed`]?.();
  for (const server of live) (what === "tools" ? server.sendToolListChanged() : server.sendPromptListChanged()).catch(() => {});
}

/** Tells those who subscribed that a resource has changed. */
function touched(uri) {
  modernHandler?.notify?.resourceUpdated?.(uri);
  for (const server of live) if (server.subscribed === undefined || server.subscribed.has(uri)) server.sendResourceUpdated({ uri }).catch(() => {});
}

function makeServer({ era } = {}) {
  const modern = era === "modern";
  const server = new Server({ name: "mal-fixture", version: "1.0.0" }, {
    capabilities: { tools: { listChanged: true }, prompts: { listChanged: true }, resources: { subscribe: true, listChanged: true }, completions: {}, logging: {} },
    instructions: "A server for tests.",
    requestState: { verify: state.verify },
  });
  const shown = (table) => Object.entries(table).filter(([, [more]]) => modern || !more.modern);
  const find = (table, name, what) => {
    if (!Object.hasOwn(table, name) || (!modern && table[name][0].modern)) throw invalid(`Unknown ${what}: ${name}`);
    return table[name];
  };
  server.setRequestHandler("tools/list", () => ({ tools: shown(tools).map(([name, [{ modern: _, ...more }]]) => ({ name, description: `Fixture tool ${name}`, inputSchema: none, ...more })) }));
  server.setRequestHandler("tools/call", ({ params }, ctx) => find(tools, params.name, "tool")[1](params.arguments ?? {}, ctx));
  server.setRequestHandler("prompts/list", () => ({ prompts: shown(prompts).map(([name, [{ modern: _, ...more }]]) => ({ name, description: `Fixture prompt ${name}`, ...more })) }));
  server.setRequestHandler("prompts/get", async ({ params }, ctx) => {
    const content = await find(prompts, params.name, "prompt")[1](params.arguments ?? {}, ctx);
    return Array.isArray(content) ? { messages: content.map((one) => ({ role: "user", content: one })) } : content;
  });
  server.setRequestHandler("resources/list", () => ({ resources: Object.entries(resources).map(([uri, { name, mimeType }]) => ({ uri, name, mimeType, description: `Fixture resource ${name}` })) }));
  server.setRequestHandler("resources/templates/list", () => ({ resourceTemplates: [{ uriTemplate: "test://template/{id}/data", name: "template", mimeType: "application/json" }] }));
  server.setRequestHandler("resources/read", ({ params: { uri } }) => {
    const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
    if (id) return { contents: [{ uri, mimeType: "application/json", text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }) }] };
    if (!Object.hasOwn(resources, uri)) throw invalid("Resource not found", { uri });
    const { name: _, ...content } = resources[uri];
    return { contents: [{ uri, ...content }] };
  });
  server.setRequestHandler("completion/complete", ({ params }) => ({ completion: { values: ["paris", "park", "party"].filter((v) => v.startsWith(params.argument.value)), total: 3, hasMore: false } }));
  if (!modern) {
    server.subscribed = new Set();
    server.setRequestHandler("resources/subscribe", ({ params }) => {
      if (params.uri.startsWith("bad:")) throw invalid("cannot be watched", { uri: params.uri });
      seen.push(`subscribed ${params.uri}`);
      server.subscribed.add(params.uri);
      return {};
    });
    server.setRequestHandler("resources/unsubscribe", ({ params }) => (seen.push(`unsubscribed ${params.uri}`), server.subscribed.delete(params.uri), {}));
    server.setNotificationHandler("notifications/roots/list_changed", () => void seen.push("roots changed"));
  }
  live.add(server);
  server.onclose = () => live.delete(server);
  return server;
}

// ---- HTTP -------------------------------------------------------------------------------------

const sessions = new Map();

async function legacy(req, res, body) {
  const id = req.headers["mcp-session-id"];
  if (id !== undefined && !sessions.has(id)) return void res.writeHead(404).end();
  if (id !== undefined) return sessions.get(id).handleRequest(req, res, body);
  const transport = new NodeStreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (made) => void sessions.set(made, transport),
    onsessionclosed: (ended) => void sessions.delete(ended),
  });
  await makeServer({ era: "legacy" }).connect(transport);
  return transport.handleRequest(req, res, body);
}

async function serveHttp() {
  modernHandler = createMcpHandler((ctx) => makeServer(ctx), { legacy: "reject" });
  const modern = toNodeHandler(modernHandler);
  const http = createServer(async (req, res) => {
    try {
      if (req.method !== "POST") return await legacy(req, res);
      const chunks = [];
      for await (const chunk of req) chunks.push(chunk);
      const raw = Buffer.concat(chunks).toString();
      let body;
      try { body = JSON.parse(raw); } catch { return void res.writeHead(400, { "content-type": "application/json" }).end("{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"Parse error\"}}"); }
      const web = await toWebRequest(req, body);
      const refused = hostHeaderValidationResponse(web, localhostAllowedHostnames()) ?? originValidationResponse(web, localhostAllowedOrigins());
      if (refused) return void res.writeHead(refused.status).end();
      const old = eras === "legacy" || (eras === "both" && await isLegacyRequest(web, body));
      if (process.env.FIXTURE_LOG) process.stderr.write(`${JSON.stringify({ headers: req.headers, body })}\n`);
      return await (old ? legacy(req, res, body) : modern(req, res, body));
    } catch (error) {
      if (!res.headersSent) res.writeHead(500).end(String(error));
    }
  });
  http.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => console.log(http.address().port));
}

if (kind === "stdio" && eras === "legacy") await makeServer({ era: "legacy" }).connect(new StdioServerTransport());
else if (kind === "stdio") serveStdio((ctx) => makeServer(ctx), { legacy: eras === "modern" ? "reject" : "serve" });
else await serveHttp();
