// The stack of a test: `mal up --ephemeral --json`, the same that people run.
// MAL_TEST_BIN names the folder of the binaries, MAL_TEST_KEEP=1 keeps the stack's folder.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, readlinkSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { natsRequest } from "./nats.mjs";
import { until, within } from "./wait.mjs";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
export const bin = resolve(root, process.env.MAL_TEST_BIN ?? "build/release/bin");
export const mal = join(bin, "mal");
const keep = process.env.MAL_TEST_KEEP === "1";
const out = process.env.MAL_TEST_OUT;

const START_MS = 90_000;
const STOP_MS = 45_000;
const running = new Set();
let started = 0;

/** The environment without the MAL_TEST_* variables, which the hub would refuse. */
export function cleanEnv(extra = {}) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("MAL_")));
  return { ...env, ...extra };
}

/** Runs a program to its end; never throws on its exit code. */
export async function run(program, args, { env = {}, input, timeout = 60_000 } = {}) {
  const promise = promisify(execFile)(program, args, { env: cleanEnv(env), timeout, maxBuffer: 64 << 20 });
  if (input !== undefined) promise.child.stdin.end(input);
  try {
    return { code: 0, ...(await promise) };
  } catch (error) {
    return { code: error.code ?? error.signal, stdout: error.stdout ?? "", stderr: error.stderr ?? String(error) };
  }
}

/** Processes, other than this one, whose command line names the folder. */
function processesOf(dir) {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(dir);
    } catch {
      return false;
    }
  });
}

/** Whether a process is there and no zombie. */
export function alive(pid) {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "latin1"));
  } catch {
    return false;
  }
}

class Stack {
  constructor(proc, facts) {
    Object.assign(this, facts);
    this.proc = proc;
    this.base = this.url.replace(/\/mcp$/, "");
    this.number = started++;
    this.seen = new Set(Object.values(facts.pids));
  }

  /** What stack.json says now: process ids change with every restart. */
  now() {
    const facts = JSON.parse(readFileSync(join(this.dir, "stack.json"), "utf8"));
    for (const pid of Object.values(facts.pids)) this.seen.add(pid);
    return facts;
  }

  pid(name) {
    const pid = this.now().pids[name];
    assert.ok(pid, `a process ${name}`);
    return pid;
  }

  /** Kills one process and waits until the supervisor has started the next. */
  async kill(name, signal = "SIGKILL") {
    const pid = this.pid(name);
    process.kill(pid, signal);
    return until(`${name} is started again`, () => {
      const next = this.now().pids[name];
      return next && next !== pid && alive(next) ? next : undefined;
    }, { deadline: 30_000 });
  }

  /**
   * Runs `work` while no copy of a service is there: the supervisor stands still, so that it starts
   * none, and goes on afterwards.
   */
  async without(name, work) {
    const copies = Object.keys(this.now().pids).filter((one) => one === name || one.startsWith(`${name}-`));
    const before = copies.map((one) => this.pid(one));
    process.kill(this.proc.pid, "SIGSTOP");
    try {
      await until("the supervisor stands still", () => /^State:\s+T/m.test(readFileSync(`/proc/${this.proc.pid}/status`, "latin1")));
      for (const pid of before) process.kill(pid, "SIGKILL");
      await until(`no ${name} is left`, () => !before.some(alive));
      const { nats_url } = this.now();
      await until("the bus knows", async () => (await natsRequest(nats_url, `mal.${name}.v1.check`)) === "");
      return await work();
    } finally {
      process.kill(this.proc.pid, "SIGCONT");
      for (const [i, one] of copies.entries()) {
        await until(`${one} is started again`, () => this.now().pids[one] !== before[i] && alive(this.now().pids[one]), { deadline: 30_000 });
        await this.ready(one);
      }
    }
  }

  /** Waits until the process says it is ready on its admin listener. */
  async ready(name) {
    return until(`${name} is ready`, async () => {
      const answer = await fetch(`${this.now().admin[name]}/readyz`);
      await answer.text();
      return answer.status === 200;
    }, { deadline: 60_000 });
  }

  /** Value of a metric, summed over its labels; labels narrow it. */
  async metric(process_name, metric, labels = "") {
    const text = await (await fetch(`${this.now().admin[process_name]}/metrics`)).text();
    let sum = 0;
    for (const line of text.split("\n")) {
      if (!line.startsWith(metric) || !/[ {]/.test(line[metric.length] ?? "") || !line.includes(labels)) continue;
      sum += Number(line.slice(line.lastIndexOf(" ") + 1));
    }
    return sum;
  }

  /** Runs `mal COMMAND … --dir <this stack>`. */
  mal(...args) {
    return run(mal, args, { env: { MAL_DIR: this.dir } });
  }

  /** Rows of a query, as arrays of strings. */
  async sql(query) {
    const { code, stdout, stderr } = await run("psql", ["-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", query, this.pg_url]);
    assert.equal(code, 0, stderr);
    return stdout.split("\n").filter(Boolean).map((line) => line.split("\t"));
  }

  log(name) {
    return readFileSync(join(this.dir, "log", `${name}.log`), "utf8");
  }

  logs() {
    const folder = join(this.dir, "log");
    return readdirSync(folder).map((file) => readFileSync(join(folder, file), "utf8")).join("\n");
  }

  saveLogs() {
    if (!out || !existsSync(join(this.dir, "log"))) return;
    const place = join(out, "logs", basename(process.argv[1] ?? "test"), String(this.number));
    mkdirSync(place, { recursive: true });
    cpSync(join(this.dir, "log"), place, { recursive: true });
  }

  /** SIGINT; then no process of the stack may be left, nor its folder. */
  async stop() {
    if (!running.delete(this)) return;
    try {
      this.now();
    } catch {
      // It stops by itself, which the exit code tells below.
    }
    this.saveLogs();
    if (keep) cpSync(this.dir, `${this.dir}.kept`, { recursive: true });
    const ended = new Promise((done) => this.proc.once("exit", (code, signal) => done(code ?? signal)));
    if (this.proc.exitCode === null) this.proc.kill("SIGINT");
    const code = this.proc.exitCode ?? (await within(STOP_MS, "mal up ends after SIGINT", ended));
    const left = [...this.seen].filter(alive);
    assert.deepEqual(left, [], "processes left behind");
    assert.deepEqual(processesOf(this.dir), [], "processes that still name the folder");
    assert.equal(existsSync(this.dir), false, "the throw-away folder is removed");
    assert.equal(code, 0, "exit code of mal up");
  }
}

/** Starts a stack and waits for its line of JSON. */
export async function startStack({ gateways = 1, replicas = 1, env = {}, args = [], wrap = [] } = {}) {
  const words = [...wrap, mal, "up", "--ephemeral", "--json", "--gateways", String(gateways), "--replicas", String(replicas), ...args];
  const proc = spawn(words[0], words.slice(1), { env: cleanEnv(env), stdio: ["ignore", "pipe", "pipe"] });
  let errors = "";
  proc.stderr.setEncoding("utf8").on("data", (text) => (errors += text));
  const line = new Promise((done, fail) => {
    createInterface({ input: proc.stdout }).once("line", done);
    proc.once("error", fail);
    proc.once("exit", (code) => fail(new Error(`mal up ended with ${code}: ${errors}`)));
  });
  line.catch(() => {});
  try {
    const stack = new Stack(proc, JSON.parse(await within(START_MS, "mal up prints its line", line)));
    running.add(stack);
    return stack;
  } catch (error) {
    proc.kill("SIGINT");
    throw error;
  }
}

/** One stack for all tests of a file, started before them, set up by `prepare`, stopped after. */
export function useStack(hooks, options, prepare = () => {}) {
  const holder = {};
  hooks.before(async () => {
    holder.stack = await startStack(options);
    await prepare(holder.stack);
  }, { timeout: START_MS + 10_000 });
  hooks.after(() => holder.stack?.stop(), { timeout: STOP_MS + 10_000 });
  return new Proxy(holder, {
    get: (_, name) => {
      const value = holder.stack?.[name];
      return typeof value === "function" ? value.bind(holder.stack) : value;
    },
  });
}

/** Open descriptors of a process that are sockets, files, pipes: all of them. */
export function descriptors(pid) {
  return readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return "";
    }
  });
}

/** Resident memory of a process in KiB. */
export function residentKib(pid) {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))[1]);
}

function stopAll() {
  for (const stack of running) stack.proc.kill("SIGINT");
}
process.on("exit", stopAll);
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(1));
