// As much of the NATS protocol as the tests need: requests, to look into streams and at services.
import { randomUUID } from "node:crypto";
import net from "node:net";
import { within } from "./wait.mjs";

const TIMEOUT_MS = 5000;

/** Sends one request and gives the body of the reply as text; `many` collects until the time is up. */
export async function natsRequest(url, subject, body = "", { many = 0 } = {}) {
  const { hostname, port, username, password } = new URL(url);
  const inbox = `_INBOX.${randomUUID().replaceAll("-", "")}`;
  const socket = net.connect(Number(port), hostname);
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
        socket.write(`CONNECT ${JSON.stringify(connect)}\r\nSUB ${inbox} 1\r\nPUB ${subject} ${inbox} ${Buffer.byteLength(body)}\r\n${body}\r\n`);
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
