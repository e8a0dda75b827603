// A stdio server of the tests, by hand, since it also does what no SDK would: tools that tell what
// the process sees of the machine, crash, flood, fall silent, ignore signals.
//   node stdio-server.mjs [stubborn] [fail-first FILE] TAG
import { spawn } from "node:child_process";
import { closeSync, existsSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

const modes = process.argv.slice(2);
const born = `${process.pid}-${process.hrtime.bigint()}`;
const cancelled = [];
const levels = [];
let lastAnswer;
const told = new Map();
const answered = new Map();
const running = new Map();
let waiting = 0;
let mute = false;
const say = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
const text = (value) => ({ content: [{ type: "text", text: typeof value === "string" ? value : JSON.stringify(value) }] });
const read = (path) => {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
};

if (modes.includes("fail-first")) {
  const file = modes[modes.indexOf("fail-first") + 1];
  if (!existsSync(file)) {
    writeFileSync(file, "once");
    process.exit(9);
  }
}
if (modes.includes("stubborn")) {
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => {});
  setInterval(() => {}, 1000); // lives on without an input
}

/** What this process sees of the machine. */
function facts() {
  const status = read("/proc/self/status");
  const field = (name) => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1];
  return {
    born, pid: process.pid, pgid: Number(read("/proc/self/stat").replace(/^.*\) /, "").split(" ")[2]),
    uid: process.getuid(), cwd: process.cwd(), env: process.env,
    no_new_privs: field("NoNewPrivs"), capabilities: field("CapEff"), namespaced_pids: field("NSpid"),
    limits: Object.fromEntries([...read("/proc/self/limits").matchAll(/^Max (.*?) {2,}(\S+)/gm)].map(([, name, soft]) => [name, soft])),
    fds: readdirSync("/proc/self/fd").map((fd) => {
      try {
        return [Number(fd), readlinkSync(`/proc/self/fd/${fd}`)];
      } catch {
        return [Number(fd), ""];
      }
    }),
    namespaces: Object.fromEntries(["pid", "user", "ipc", "uts"].map((name) => [name, readlinkSync(`/proc/self/ns/${name}`)])),
    processes: readdirSync("/proc").filter((name) => /^\d+$/.test(name)).length,
  };
}

/** Two generations that ignore every signal that can be ignored; the pids as the kernel gave them here. */
function family() {
  const script = "trap '' TERM INT HUP; (trap '' TERM INT HUP; sleep 1000; :) & echo ready; wait # " + modes.at(-1);
  const child = spawn("/bin/sh", ["-c", script, `family-${modes.at(-1)}`], { stdio: ["ignore", "pipe", "ignore"] });
  return new Promise((resolve) => { child.stdout.once("data", () => resolve(text(String(child.pid)))); });
}

const tools = {
  echo: ({ message }) => text(`Echo: ${message}`),
  facts: () => text(facts()),
  born: () => text(born),
  cancelled: () => text(cancelled),
  running: () => text(String(waiting - 1)), // besides this one
  crash: () => process.exit(3),
  silent: () => new Promise(() => {}),
  slow: ({ ms }, id) => new Promise((resolve) => {
    const timer = setTimeout(() => resolve(text("slept")), ms);
    running.set(id, () => (clearTimeout(timer), resolve(undefined)));
  }),
  family,
  rubbish: () => {
    process.stdout.write("Hello, I am no JSON\n{]\n\n\u0000\u0001\n[1,2,{}]\n\"x\"\n{\"jsonrpc\":\"2.0\",\"id\":999999,\"result\":{}}\n{\"jsonrpc\":\"2.0\",\"method\":7}\n");
    return text("after it");
  },
  flood: ({ n }) => {
    for (let i = 0; i < n; i++) say({ method: "notifications/message", params: { level: "info", data: `line ${i} ${"x".repeat(200)}` } });
    return text("flooded");
  },
  // Says so as soon as it has answered: the answer is written when this returns, the timer runs after that.
  says: ({ notes }) => {
    setTimeout(() => notes.forEach((note) => say(note)), 0);
    return text("soon");
  },
  levels: () => text(levels),
  last_answer: () => text(lastAnswer ?? ""),
  // Asks its caller; what it is told until the answer, and that.
  asks: ({ method, params }, id) => new Promise((resolve) => {
    told.set(`q${id}`, []);
    answered.set(`q${id}`, (answer) => resolve(text(lastAnswer = [...told.get(`q${id}`), answer.result ?? answer.error])));
    say({ id: `q${id}`, method, params: { ...params, _meta: { progressToken: `q${id}` } } });
  }),
  changes: ({ n }) => {
    for (let i = 0; i < n; i++) say({ method: "notifications/tools/list_changed" });
    return text("told");
  },
  stderr: ({ n }) => {
    for (let i = 0; i < n; i++) process.stderr.write(`${"e".repeat(1023)}\n`);
    return text("printed");
  },
  // An answer in a single line, written piece by piece, as long as somebody reads; whose it is comes last.
  line: async ({ mib }, id) => {
    const piece = Buffer.alloc(1 << 20, 0x78);
    process.stdout.write('{"result":{"content":[{"type":"text","text":"');
    for (let i = 0; i < mib; i++) if (!process.stdout.write(piece)) await new Promise((go) => process.stdout.once("drain", go));
    process.stdout.write(`"}]},"jsonrpc":"2.0","id":${JSON.stringify(id)}}\n`);
  },
  big: ({ mib }) => text("x".repeat(mib << 20)),
  mute: () => new Promise(() => { mute = true; }), // lives on and answers nothing more
  deaf: () => new Promise(() => closeSync(1)), // closes its output and lives on
  error: () => { throw new Error("no luck"); },
};

async function call({ id, params: { name, arguments: args = {} } }) {
  if (!Object.hasOwn(tools, name)) return say({ id, error: { code: -32602, message: `no tool ${name}` } });
  waiting++;
  try {
    const result = await tools[name](args, id);
    if (result) say({ id, result });
  } catch (error) {
    say({ id, result: { ...text(error.message), isError: true } });
  } finally {
    running.delete(id);
    waiting--;
  }
}

function handle(message) {
  const { id, method, params } = message;
  if (method === "initialize") {
    say({ id, result: { protocolVersion: "2025-11-25", capabilities: { tools: { listChanged: true }, logging: {} }, serverInfo: { name: "by-hand", version: "1.0.0" } } });
  } else if (method === "ping" || method === "logging/setLevel") {
    if (params?.level) levels.push(params.level);
    say({ id, result: {} });
  } else if (method === "tools/list") {
    say({ id, result: { tools: Object.keys(tools).map((name) => ({ name, description: `Tool ${name}.`, inputSchema: { type: "object" } })) } });
  } else if (method === "tools/call") {
    void call(message);
  } else if (method === "notifications/progress") {
    told.get(params.progressToken)?.push(params.progress);
  } else if (!method) {
    answered.get(id)?.(message);
  } else if (method === "notifications/cancelled") {
    cancelled.push(params.requestId);
    running.get(params.requestId)?.();
  } else if (id !== undefined && method) {
    say({ id, error: { code: -32601, message: "no such method" } });
  }
}

createInterface({ input: process.stdin }).on("line", (line) => mute || handle(JSON.parse(line)));
