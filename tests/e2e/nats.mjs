// As much of the NATS protocol as the tests need: requests, to look into streams and at services.
import { randomUUID } from "node:crypto";
import net from "node:net";
import { within } from "./wait.mjs";

const TIMEOUT_MS = 5000;

/** Sends one request and gives the body of the reply as text; `many` collects until the time is up. */
export async function natsRequest(url, subject, body = "", { many = 0, headers = {} } = {}) {
  const { hostname, port, username, password } = new URL(url);
  const inbox = `_INBOX.${randomUUID().replaceAll("-", "")}`;
  const socket = net.connect(Number(port), hostname);
  const head = `NATS/1.0\r\n${Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
  const replies = [];
  let buffer = Buffer.alloc(0);
  const first = new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the bus closed the connection")));
    socket.on("data", (chunk) => {
      buffer = Buffer.concat([buffer, chunk]);
      for (let end; (end = buffer.indexOf("\r\n")) >= 0; ) {
        const line = buffer.subarray(0, end).toString();
        const words = line.split(" ");
        if (words[0] === "MSG" || words[0] === "HMSG") {
          const size = Number(words.at(-1));
          if (buffer.length < end + 4 + size) return;
          const skip = words[0] === "HMSG" ? Number(words.at(-2)) : 0;
          const payload = buffer.subarray(end + 2 + skip, end + 2 + size).toString();
          replies.push({ head: buffer.subarray(end + 2, end + 2 + skip).toString(), payload });
          buffer = buffer.subarray(end + 4 + size);
          resolve();
          continue;
        }
        buffer = buffer.subarray(end + 2);
        if (words[0] === "PING") socket.write("PONG\r\n");
        if (words[0] === "-ERR") reject(new Error(line));
        if (words[0] !== "INFO") continue;
        const connect = { verbose: false, pedantic: false, headers: true, no_responders: true, user: username, pass: password };
        socket.write(`CONNECT ${JSON.stringify(connect)}\r\nSUB ${inbox} 1\r\nHPUB ${subject} ${inbox} ${head.length} ${head.length + Buffer.byteLength(body)}\r\n${head}${body}\r\n`);
      }
    });
  });
  first.catch(() => {});
  try {
    await within(TIMEOUT_MS, `a reply on ${subject}`, first);
    if (many) await new Promise((done) => setTimeout(done, many));
    return many ? replies.map(({ payload }) => payload) : replies[0].payload;
  } finally {
    socket.destroy();
  }
}

const js = async (url, call, body = {}) => JSON.parse(await natsRequest(url, `$JS.API.${call}`, JSON.stringify(body)));

/** Every message of a stream below a subject: {subject, seq, id}. */
export async function streamMessages(url, stream, subject) {
  const { state } = await js(url, `STREAM.INFO.${stream}`);
  const messages = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const { message, error } = await js(url, `STREAM.MSG.GET.${stream}`, { seq, next_by_subj: subject });
    if (error) break;
    const headers = Buffer.from(message.hdrs ?? "", "base64").toString();
    messages.push({ subject: message.subject, seq: message.seq, id: /^Nats-Msg-Id: ?(.*)\r$/m.exec(headers)?.[1], data: Buffer.from(message.data ?? "", "base64") });
    seq = message.seq;
  }
  return messages;
}

/** A connection that stays: what a test reads of a stream or publishes by the thousand. */
export class Nats {
  static async open(url) {
    const { hostname, port, username, password } = new URL(url);
    const nats = new Nats();
    nats.socket = net.connect(Number(port), hostname);
    nats.inbox = `_INBOX.${randomUUID().replaceAll("-", "")}`;
    nats.waiting = new Map(); // number of a request -> what takes its answer
    nats.count = 0;
    nats.buffer = Buffer.alloc(0);
    nats.socket.on("error", () => {});
    nats.socket.on("data", (chunk) => nats.read(chunk));
    const ready = new Promise((done) => (nats.pong = done));
    const connect = { verbose: false, pedantic: false, headers: true, no_responders: true, user: username, pass: password };
    nats.socket.write(`CONNECT ${JSON.stringify(connect)}\r\nSUB ${nats.inbox}.* 1\r\nPING\r\n`);
    await within(TIMEOUT_MS, "the bus answers", ready);
    return nats;
  }

  read(chunk) {
    this.buffer = this.buffer.length ? Buffer.concat([this.buffer, chunk]) : chunk;
    let at = 0;
    for (let end; (end = this.buffer.indexOf("\r\n", at)) >= 0; ) {
      const words = this.buffer.toString("latin1", at, end).split(" ");
      if (words[0] === "MSG" || words[0] === "HMSG") {
        const size = Number(words.at(-1));
        if (this.buffer.length < end + 4 + size) break;
        const head = words[0] === "HMSG" ? Number(words.at(-2)) : 0;
        const body = this.buffer.subarray(end + 2, end + 2 + size);
        // Answers come on the first subscription, by number; each other one has its own taker.
        const taker = words[2] === "1" ? words[1].split(".").at(-1) : `s${words[2]}`;
        this.waiting.get(taker)?.({
          subject: words[1],
          reply: words.length > (head ? 5 : 4) ? words[3] : undefined,
          head: body.toString("latin1", 0, head),
          data: Buffer.from(body.subarray(head)),
        });
        at = end + 4 + size;
        continue;
      }
      if (words[0] === "PING") this.socket.write("PONG\r\n");
      if (words[0] === "PONG") this.pong();
      at = end + 2;
    }
    this.buffer = this.buffer.subarray(at);
  }

  publish(subject, body = "", { reply = "", head = "" } = {}) {
    const bytes = Buffer.from(body);
    const line = head
      ? `HPUB ${subject} ${reply} ${Buffer.byteLength(head)} ${Buffer.byteLength(head) + bytes.length}\r\n${head}`
      : `PUB ${subject} ${reply} ${bytes.length}\r\n`;
    this.socket.write(Buffer.concat([Buffer.from(line), bytes, Buffer.from("\r\n")]));
  }

  /** Gives every message of a subject from now on to `take`. */
  async subscribe(subject, take) {
    const sid = ++this.count + 1;
    this.waiting.set(`s${sid}`, take);
    const ready = new Promise((done) => (this.pong = done));
    this.socket.write(`SUB ${subject} ${sid}\r\nPING\r\n`);
    await within(TIMEOUT_MS, "the bus answers", ready);
  }

  /** One answer, as {head, data}. */
  request(subject, body, options = {}) {
    const number = String(++this.count);
    const answer = new Promise((done) => this.waiting.set(number, done));
    this.publish(subject, body, { ...options, reply: `${this.inbox}.${number}` });
    return within(TIMEOUT_MS, `a reply on ${subject}`, answer).finally(() => this.waiting.delete(number));
  }

  async js(call, body = {}) {
    const { data } = await this.request(`$JS.API.${call}`, JSON.stringify(body));
    const answer = JSON.parse(data.toString());
    if (answer.error) throw new Error(`${call}: ${answer.error.description}`);
    return answer;
  }

  /** All messages of a stream below a subject that are there now, in order: {subject, seq, id, head, data}. */
  async messages(stream, filter) {
    const messages = [];
    const sid = ++this.count + 1;
    let pending = Infinity;
    let wake = () => {};
    this.waiting.set(`s${sid}`, ({ subject, reply, head, data }) => {
      const words = reply.split("."); // $JS.ACK.<stream>.<consumer>.<delivered>.<seq>.<seq>.<time>.<pending>
      pending = Number(words.at(-1));
      messages.push({ subject, seq: Number(words[5]), id: /^Nats-Msg-Id: ?(.*)\r$/m.exec(head)?.[1], head, data });
      wake();
    });
    const to = `${this.inbox}-${sid}`;
    this.socket.write(`SUB ${to} ${sid}\r\n`);
    const config = { filter_subject: filter, deliver_subject: to, deliver_policy: "all", ack_policy: "none", mem_storage: true };
    const made = await this.js(`CONSUMER.CREATE.${stream}`, { stream_name: stream, config });
    if (made.num_pending === 0 && made.delivered.consumer_seq === 0) pending = 0;
    while (pending > 0) await within(TIMEOUT_MS, `messages of ${filter}`, new Promise((done) => (wake = done)));
    await this.js(`CONSUMER.DELETE.${stream}.${made.name}`);
    this.socket.write(`UNSUB ${sid}\r\n`);
    this.waiting.delete(`s${sid}`);
    return messages;
  }

  close() {
    this.socket.destroy();
  }
}
