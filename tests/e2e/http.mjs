// HTTP as bare as a test needs it: full control of headers, status and body as they came.
import http from "node:http";
import net from "node:net";
import { stopwatch, within } from "./wait.mjs";

const TIMEOUT_MS = 20_000;

function send(url, { method = "POST", headers = {}, body, agent }, answered) {
  const payload = body === undefined ? undefined : Buffer.isBuffer(body) ? body : Buffer.from(body);
  const given = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
  const all = payload && !given["Transfer-Encoding"] ? { "Content-Length": payload.length, ...given } : given;
  const req = http.request(url, { method, headers: all, agent: agent ?? false }, answered);
  req.end(payload);
  return req;
}

/** One exchange, read to its end. */
export function request(url, options = {}) {
  let req;
  const promise = new Promise((resolve, reject) => {
    req = send(url, options, (res) => {
      const chunks = [];
      res.on("data", (chunk) => chunks.push(chunk));
      res.on("error", reject);
      res.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        const type = res.headers["content-type"] ?? "";
        const answer = { status: res.statusCode, headers: res.headers, text, json: undefined, events: [] };
        if (/json/.test(type) && text) answer.json = JSON.parse(text);
        if (/event-stream/.test(type)) answer.events = parseEvents(text).events;
        resolve(answer);
      });
    });
    req.on("error", reject);
  });
  return within(options.timeout ?? TIMEOUT_MS, `${options.method ?? "POST"} ${url}`, promise).catch((error) => {
    req?.destroy();
    throw error;
  });
}

/** Whole events of a text, and what is left over. */
function parseEvents(text) {
  const events = [];
  let comments = 0;
  const blocks = text.split("\n\n");
  const rest = blocks.pop();
  for (const block of blocks) {
    const event = { data: undefined };
    for (const line of block.split("\n")) {
      if (line.startsWith(":")) comments++;
      const [, name, value] = /^([a-z]+):? ?(.*)$/s.exec(line) ?? [];
      if (!name || line.startsWith(":")) continue;
      event[name] = name === "data" && event.data !== undefined ? `${event.data}\n${value}` : value;
    }
    if (event.data !== undefined) events.push(event);
  }
  return { events, comments, rest };
}

/** An event stream that stays open. next() gives the message of the next event. */
export async function openStream(url, options = {}) {
  const stream = { status: 0, headers: {}, events: [], comments: 0, ended: false, text: "" };
  const waiters = [];
  let rest = "";
  let taken = 0;
  const wake = () => waiters.splice(0).forEach((waiter) => waiter());
  let req;
  const head = new Promise((resolve, reject) => {
    req = send(url, options, (res) => {
      Object.assign(stream, { status: res.statusCode, headers: res.headers });
      res.setEncoding("utf8");
      res.on("data", (text) => {
        stream.text += text;
        const parsed = parseEvents(rest + text);
        rest = parsed.rest;
        stream.events.push(...parsed.events);
        stream.comments += parsed.comments;
        wake();
      });
      const end = () => {
        stream.ended = true;
        wake();
      };
      res.on("end", end).on("close", end).on("error", end);
      resolve();
    });
    req.on("error", (error) => {
      stream.ended = true;
      wake();
      reject(error);
    });
  });
  stream.close = () => req.destroy();
  stream.nextEvent = async (ms = TIMEOUT_MS) => {
    const took = stopwatch();
    while (taken >= stream.events.length) {
      if (stream.ended) return undefined;
      await within(ms - took(), "an event on the stream", new Promise((go) => waiters.push(go)));
    }
    return stream.events[taken++];
  };
  stream.next = async (ms) => {
    const event = await stream.nextEvent(ms);
    return event && JSON.parse(event.data);
  };
  await within(options.timeout ?? TIMEOUT_MS, `the head of ${url}`, head);
  return stream;
}

/** A request whose answer nobody waits for; destroy() drops the connection. */
export function begin(url, options = {}) {
  const req = send(url, options, (res) => res.resume().on("error", () => {}));
  return req.on("error", () => {});
}

/** Raw bytes to the server of a URL, and all that comes back until it closes or `done` says so. */
export function raw(url, write, { done = () => false, timeout = TIMEOUT_MS } = {}) {
  const { hostname, port } = new URL(url);
  let socket;
  const promise = new Promise((resolve, reject) => {
    let text = "";
    socket = net.connect(Number(port), hostname, async () => {
      try {
        await write(socket);
      } catch (error) {
        reject(error);
      }
    });
    const finish = () => resolve(text);
    socket.setEncoding("latin1");
    socket.on("data", (chunk) => {
      text += chunk;
      if (done(text)) finish();
    });
    socket.on("close", finish);
    socket.on("error", finish);
  });
  return within(timeout, `an answer of ${url}`, promise).finally(() => socket.destroy());
}
