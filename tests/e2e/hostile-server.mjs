// A process of its own: downstream servers whose tools misbehave on the wire. Prints its port.
import { rawServer } from "./raw-server.mjs";
import { gzipSync } from "node:zlib";

const SSE = { "Content-Type": "text/event-stream" };
const JSON_TYPE = { "Content-Type": "application/json" };

/** Writes the block again and again, as fast as it is taken. */
function forEver(res, block) {
  const more = () => {
    while (!res.destroyed && res.write(block));
    if (!res.destroyed) res.once("drain", more);
  };
  more();
}

/** One byte at a time. */
function drip(socket, text, every = 50) {
  let at = 0;
  const timer = setInterval(() => (socket.destroyed ? clearInterval(timer) : socket.write(text[at++ % text.length])), every);
}

const note = `data: ${JSON.stringify({ jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data: "x".repeat(200) } })}\n\n`;
const answer = (id, result) => JSON.stringify({ jsonrpc: "2.0", id, result });

const bomb = gzipSync(answer(1, { content: [{ type: "text", text: " ".repeat(64 << 20) }] }));

const tools = {
  slow_head: ({ req }) => drip(req.socket, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
  slow_body: ({ req }) => {
    req.socket.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n");
    drip(req.socket, '{"jsonrpc":"2.0","id":1,"result":{"content":[');
  },
  black_hole: () => {},
  reset: ({ req }) => req.socket.resetAndDestroy(),
  comments: ({ res }) => {
    res.writeHead(200, SSE);
    const timer = setInterval(() => (res.destroyed ? clearInterval(timer) : res.write(": still here\n\n")), 20);
  },
  flood: ({ res }) => forEver(res.writeHead(200, SSE), note.repeat(50)),
  huge: ({ res, message }) => {
    res.writeHead(200, JSON_TYPE).write(`{"jsonrpc":"2.0","id":${message.id},"result":{"content":[{"type":"text","text":"`);
    forEver(res, "x".repeat(65536));
  },
  huge_length: ({ req }) => req.socket.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 104857600\r\n\r\n" + '"'.padEnd(1 << 20, "x")),
  huge_head: ({ req }) => {
    req.socket.write("HTTP/1.1 200 OK\r\n");
    forEver(req.socket, `X-Filler: ${"x".repeat(8000)}\r\n`);
  },
  values: ({ res }) => forEver(res.writeHead(200, JSON_TYPE), "[[],".repeat(4096)),
  deep: ({ res, message }) => res.writeHead(200, JSON_TYPE).end(`{"jsonrpc":"2.0","id":${message.id},"result":${"[".repeat(100_000)}`),
  rubbish: ({ res }) => res.writeHead(200, JSON_TYPE).end("}{"),
  no_http: ({ req }) => req.socket.end(Buffer.from([0, 1, 2, 255, 254, 10, 10, 13, 10])),
  wrong_id: ({ res }) => res.writeHead(200, JSON_TYPE).end(answer(4711, { content: [] })),
  html: ({ res }) => res.writeHead(200, { "Content-Type": "text/html" }).end("<h1>Welcome</h1>"),
  gzip: ({ res }) => res.writeHead(200, { ...JSON_TYPE, "Content-Encoding": "gzip" }).end(bomb),
  redirect: ({ res }) => res.writeHead(307, { Location: process.argv[2] }).end(),
  failing: ({ res }) => res.writeHead(500, { "Content-Type": "text/plain" }).end("oops"),
  hang: () => {},
};
const server = await rawServer(Object.fromEntries(Object.entries(tools).map(([name, run]) => [name, { run }])));
console.log(server.url);
setInterval(() => {}, 1 << 30);
