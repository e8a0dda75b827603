// Plain round robin in front of several gateways: each request goes to the next one, whoever sent
// the one before, as a load balancer without memory does. A copy that refuses is passed over.
import http from "node:http";

export async function robin(urls) {
  const targets = urls.map((url) => new URL(url));
  const agent = new http.Agent({ keepAlive: true });
  const counts = targets.map(() => 0);
  let next = 0;

  const pass = (req, res, body, tries) => {
    const at = next++ % targets.length;
    const { hostname, port } = targets[at];
    const out = http.request({ hostname, port, agent, method: req.method, path: req.url, headers: req.headers }, (answer) => {
      counts[at]++;
      res.writeHead(answer.statusCode, answer.headers);
      answer.pipe(res);
      answer.on("error", () => res.destroy());
    });
    out.on("error", (error) => {
      const sent = error.code !== "ECONNREFUSED" && !(error.code === "ECONNRESET" && out.reusedSocket);
      if (res.headersSent || sent || tries === 0) return void res.destroy();
      pass(req, res, body, tries - 1);
    });
    res.on("close", () => out.destroy());
    out.end(body);
  };

  const server = http.createServer(async (req, res) => {
    const parts = [];
    for await (const part of req) parts.push(part);
    pass(req, res, parts.length ? Buffer.concat(parts) : undefined, targets.length);
  });
  await new Promise((done) => { server.listen(0, "127.0.0.1", done); });
  server.unref();
  const base = `http://127.0.0.1:${server.address().port}`;
  return { base, url: `${base}/mcp`, counts, close: () => (server.closeAllConnections(), server.close(), agent.destroy()) };
}
