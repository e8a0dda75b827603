// MCP by hand, both eras, for what the SDKs would never send. Every answer is checked against its schema.
import assert from "node:assert/strict";
import { openStream, request } from "./http.mjs";
import { checkAnswer, checkMessage } from "./schema.mjs";
import { checkResult } from "./coverage.mjs";

export const MODERN = "2026-07-28";
export const LEGACY = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
const META = "io.modelcontextprotocol/";
const BOTH = "application/json, text/event-stream";

/** Headers a well-behaved modern client sends with a request. */
export function modernHeaders(method, params = {}) {
  const name = { "tools/call": params.name, "prompts/get": params.name, "resources/read": params.uri }[method];
  return {
    "Content-Type": "application/json",
    Accept: BOTH,
    "MCP-Protocol-Version": MODERN,
    "Mcp-Method": method,
    ...(name !== undefined && { "Mcp-Name": headerValue(name) }),
  };
}

/** A header value; what is no visible ASCII travels as Base64. */
export function headerValue(text) {
  if (/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !/^=\?base64\?.*\?=$/.test(text)) return text;
  return `=?base64?${Buffer.from(text).toString("base64")}?=`;
}

export function envelope(capabilities = {}, more = {}) {
  return {
    [`${META}protocolVersion`]: MODERN,
    [`${META}clientInfo`]: { name: "e2e", version: "1" },
    [`${META}clientCapabilities`]: capabilities,
    ...more,
  };
}

/** Drops what is undefined, so that tests can take a header away. */
const defined = (object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));

/** A client of 2026-07-28. */
export class Modern {
  constructor(stack, { key = stack.key, url = stack.url, capabilities = {}, label = "raw modern" } = {}) {
    Object.assign(this, { url, key, capabilities, label });
    this.id = 0;
  }

  message(method, params = {}, { id, meta = {}, capabilities = this.capabilities } = {}) {
    return { jsonrpc: "2.0", id: id ?? ++this.id, method, params: { ...params, _meta: envelope(capabilities, meta) } };
  }

  headers(method, params, more = {}) {
    return defined({ ...modernHeaders(method, params), "x-api-key": this.key, ...more });
  }

  /** Posts a request; headers undefined are left out, `body` replaces the message. */
  async post(method, params = {}, { url = this.url, headers = {}, body, timeout, ...rest } = {}) {
    const message = body ?? this.message(method, params, rest);
    const text = typeof message === "string" ? message : JSON.stringify(message);
    const answer = await request(url, { headers: this.headers(method, params, headers), body: text, timeout });
    const messages = answer.json ? [answer.json] : answer.events.map((event) => JSON.parse(event.data));
    answer.message = messages.at(-1);
    answer.notifications = messages.slice(0, -1);
    answer.notifications.forEach((one) => checkMessage(MODERN, one));
    if (answer.message?.jsonrpc) checkAnswer(MODERN, method, answer.message);
    return answer;
  }

  async result(method, params, options) {
    const answer = await this.post(method, params, options);
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.message.error, undefined, answer.text.slice(0, 2000));
    return answer.message.result;
  }

  /** The JSON-RPC error and its HTTP status. */
  async error(method, params, options) {
    const answer = await this.post(method, params, options);
    assert.ok(answer.message?.error, `an error, not ${answer.status} ${answer.text.slice(0, 1000)}`);
    return { status: answer.status, ...answer.message.error };
  }

  /** All pages of a list. */
  async all(method, member) {
    const items = [];
    let cursor;
    do {
      const page = await this.result(method, cursor === undefined ? {} : { cursor });
      items.push(...page[member]);
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return items;
  }

  async tool(name, args = {}, options) {
    return checkResult(this.label, name, await this.result("tools/call", { name, arguments: args }, options), args);
  }

  /** Structured content of a call that has to work. */
  async ok(name, args = {}, options) {
    const result = await this.tool(name, args, options);
    assert.ok(!result.isError, `${name} ${JSON.stringify(args).slice(0, 300)}: ${result.content?.[0]?.text}`);
    return result.structuredContent;
  }

  /** {status, reason, fields, text} of a call that has to fail with this status. */
  async fails(name, args, status, reason) {
    const result = await this.tool(name, args);
    assert.ok(result.isError, `${name} fails: ${JSON.stringify(result.structuredContent)?.slice(0, 500)}`);
    const error = { ...result._meta["mal.hub/error"], text: result.content[0].text };
    assert.equal(error.status, status, error.text);
    if (reason) assert.equal(error.reason, reason, error.text);
    return error;
  }

  /** Opens subscriptions/listen and takes its acknowledgement. */
  async listen(notifications, { id = "listen-1", url = this.url } = {}) {
    const message = this.message("subscriptions/listen", { notifications }, { id });
    const stream = await openStream(url, {
      headers: this.headers("subscriptions/listen", {}),
      body: JSON.stringify(message),
    });
    assert.equal(stream.status, 200, stream.text);
    const ack = await stream.next();
    checkMessage(MODERN, ack);
    assert.equal(ack.method, "notifications/subscriptions/acknowledged");
    stream.ack = ack;
    return stream;
  }
}

/** A session of an older revision. */
export class Legacy {
  constructor(stack, version, { key = stack.key, url = stack.url, capabilities = {}, label } = {}) {
    Object.assign(this, { url, key, version, capabilities, label: label ?? `raw ${version}` });
    this.id = 0;
  }

  static async open(stack, version, options) {
    const client = new Legacy(stack, version, options);
    await client.initialize();
    return client;
  }

  headers(more = {}) {
    return defined({
      "Content-Type": "application/json",
      Accept: BOTH,
      "x-api-key": this.key,
      "Mcp-Session-Id": this.session,
      "MCP-Protocol-Version": this.session && this.version >= "2025-06-18" ? this.version : undefined,
      ...more,
    });
  }

  async initialize() {
    const answer = await this.post("initialize", {
      protocolVersion: this.version,
      capabilities: this.capabilities,
      clientInfo: { name: "e2e", version: "1" },
    });
    assert.equal(answer.status, 200, answer.text);
    this.opened = answer.message.result;
    this.session = answer.headers["mcp-session-id"];
    const accepted = await this.notify("notifications/initialized");
    assert.equal(accepted.status, 202);
    assert.equal(accepted.text, "");
  }

  send(message, { headers, method = "POST", timeout, url = this.url } = {}) {
    const body = message === undefined ? undefined : typeof message === "string" ? message : JSON.stringify(message);
    return request(url, { method, headers: this.headers(headers), body, timeout });
  }

  notify(method, params) {
    return this.send({ jsonrpc: "2.0", method, ...(params && { params }) });
  }

  async post(method, params, { id, ...options } = {}) {
    const message = { jsonrpc: "2.0", id: id ?? ++this.id, method, ...(params && { params }) };
    const answer = await this.send(message, options);
    const messages = answer.json ? [answer.json] : answer.events.filter((e) => e.data).map((e) => JSON.parse(e.data));
    answer.message = messages.at(-1);
    if (answer.message?.jsonrpc) checkAnswer(this.version, method, answer.message);
    return answer;
  }

  async result(method, params, options) {
    const answer = await this.post(method, params, options);
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.message.error, undefined, answer.text.slice(0, 2000));
    return answer.message.result;
  }

  async error(method, params, options) {
    const answer = await this.post(method, params, options);
    assert.ok(answer.message?.error, `an error, not ${answer.status} ${answer.text.slice(0, 1000)}`);
    return { status: answer.status, ...answer.message.error };
  }

  async tool(name, args = {}) {
    return checkResult(this.label, name, await this.result("tools/call", { name, arguments: args }), args, this.version);
  }

  async ok(name, args = {}) {
    const result = await this.tool(name, args);
    assert.ok(!result.isError, `${name}: ${result.content?.[0]?.text}`);
    return result.structuredContent;
  }

  /** The standalone GET stream. */
  stream({ headers, url = this.url } = {}) {
    return openStream(url, {
      method: "GET",
      headers: this.headers({ "Content-Type": undefined, Accept: "text/event-stream", ...headers }),
    });
  }

  /** A request whose answer is read as a stream: server requests come before the result. */
  open(method, params, { id } = {}) {
    const body = JSON.stringify({ jsonrpc: "2.0", id: id ?? ++this.id, method, params });
    return openStream(this.url, { headers: this.headers(), body });
  }

  end(options = {}) {
    return this.send(undefined, { method: "DELETE", headers: { "Content-Type": undefined }, ...options });
  }
}
