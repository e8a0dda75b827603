// Stdio servers of the tests: the reference servers from npm and stdio-server.mjs, registered with a
// hub that runs.
import { spawn } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { request } from "./http.mjs";
import { until } from "./wait.mjs";

const here = dirname(fileURLToPath(import.meta.url));

/** Programs are started by absolute path: a child sees the usual PATH only. */
export const node = process.execPath;
export const npm = (name, ...args) => ({ command: node, args: [join(here, `node_modules/@modelcontextprotocol/server-${name}/dist/index.js`), ...args] });
/** Of this test file alone: others run at the same time. */
export const tag = (name) => `${name}-of-${process.pid}`;
export const byHand = (name, ...modes) => ({ command: node, args: [join(here, "stdio-server.mjs"), ...modes, tag(name)] });
export const CHILD_PATH = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
export const found = (program) => CHILD_PATH.map((dir) => join(dir, program)).find(existsSync);

const headers = (stack) => ({ "x-api-key": stack.key, "Content-Type": "application/json" });

/** {status, json}; the body is sent as JSON. */
export const rest = (stack, method, path, body) =>
  request(`${stack.base}/api/v1${path}`, { method, headers: headers(stack), ...(body && { body: JSON.stringify(body) }), timeout: 60_000 });

export const registration = (id, program, more = {}) => ({
  id, name: `Server ${id}`, description: "A server.", author: "e2e", transport: "stdio", ...program, ...more,
});

/** Waits until the hub knows the server's tools and serves them. */
export async function known(stack, id, tool = "echo", args = { message: "there" }) {
  await until(`${id} is served`, async () => {
    const answer = await rest(stack, "POST", `/mcps/${id}/call`, { tool_name: tool, arguments: args });
    if (answer.status !== 200) throw new Error(answer.text);
    return true;
  }, { deadline: 40_000, every: 100 });
}

/** Registers over REST and waits; policy as PATCH /mcps/{id}/policy takes it. */
export async function serve(stack, id, program, { policy, tool, args, ...more } = {}) {
  const made = await rest(stack, "POST", "/mcps", registration(id, program, more));
  if (made.status !== 201) throw new Error(made.text);
  if (policy) await setPolicy(stack, id, policy);
  if (tool !== null) await known(stack, id, tool, args);
}

/** mcp-health copies the registration a moment after it was made. */
export const setPolicy = (stack, id, policy) => until(`the policy of ${id}`, async () => {
  const answer = await rest(stack, "PATCH", `/mcps/${id}/policy`, policy);
  if (answer.status !== 200) throw new Error(answer.text);
  return true;
});

/** The reference server "everything" over Streamable HTTP: {url, child, close}. */
export async function everythingOverHttp() {
  const probe = createServer();
  await new Promise((done) => { probe.listen(0, "127.0.0.1", done); });
  const { port } = probe.address();
  await new Promise((done) => { probe.close(done); });
  const child = spawn(node, [...npm("everything").args, "streamableHttp"], { stdio: "ignore", env: { ...process.env, PORT: String(port) } });
  child.unref();
  process.once("exit", () => child.kill("SIGKILL"));
  const url = `http://127.0.0.1:${port}/mcp`;
  await until("everything listens", async () => (await fetch(url)).status > 0, { deadline: 20_000 });
  return { url, child, close: () => child.kill("SIGKILL") };
}

/** The command line of a process, [] once it has ended. */
function words(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0").filter(Boolean);
  } catch {
    return [];
  }
}
const numbers = () => readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number);
const named = (pid, name) => words(pid).some((one) => one.endsWith(tag(name)));
/** Programs that were started with an argument tag(name), without the bubblewrap around them. */
export const processes = (name) => numbers().filter((pid) => words(pid)[0] !== "bwrap" && named(pid, name));
export const wrappers = (name) => numbers().filter((pid) => words(pid)[0] === "bwrap" && named(pid, name));
