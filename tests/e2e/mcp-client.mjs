// Drives mal-test-client, lib/downstream as a program: commands in, events out.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { join } from "node:path";

const ENDS = ["result", "error", "fault", "list", "checked", "open"];

/**
 * Starts it for a URL or a program (array). options: newest, capabilities, headers.
 * client.opened is its first event; client.run(op) the events of one command, the last one last;
 * client.session those that belong to none.
 */
export async function startClient(bin, target, { newest, capabilities, headers = {}, env } = {}) {
  const args = [];
  if (newest) args.push("--newest", newest);
  if (capabilities) args.push("--capabilities", JSON.stringify(capabilities));
  for (const [name, value] of Object.entries(headers)) args.push("--header", `${name}:${value}`);
  args.push(...(Array.isArray(target) ? ["--", ...target] : [target]));
  const child = spawn(join(bin, "mal-test-client"), args, { stdio: ["pipe", "pipe", "pipe"], env: env ?? process.env });
  const client = { child, session: [], errors: "" };
  let waiting;
  let events = [];
  const exited = new Promise((resolve) => child.on("exit", (code, signal) => {
    resolve(code ?? signal);
    waiting?.reject(new Error(`mal-test-client ended (${code ?? signal}): ${client.errors}`));
  }));
  child.stderr.on("data", (data) => void (client.errors += data));
  createInterface({ input: child.stdout }).on("line", (line) => {
    const event = JSON.parse(line);
    if (event.where === "session") return void client.session.push(event);
    events.push(event);
    if (!ENDS.includes(event.event) || !waiting) return;
    const { resolve } = waiting;
    waiting = undefined;
    resolve(events);
    events = [];
  });
  const next = () => new Promise((resolve, reject) => void (waiting = { resolve, reject }));
  client.run = async (op) => {
    const promise = next();
    child.stdin.write(`${JSON.stringify(op)}\n`);
    return promise;
  };
  client.call = (method, params, more = {}) => client.run({ op: "call", method, params, ...more });
  client.list = async (method) => {
    const last = (await client.run({ op: "list", method })).at(-1);
    if (last.event !== "list") throw new Error(JSON.stringify(last));
    return last.items;
  };
  client.stop = async () => {
    child.stdin.end();
    return exited;
  };
  [client.opened] = await next();
  return client;
}
