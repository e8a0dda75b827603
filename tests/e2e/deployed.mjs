// compose.yaml and deploy/k8s without containers: their processes, each with exactly the environment
// that is written there, on a Postgres and a nats-server set up as written there. Only addresses and
// folders are this machine's.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import { alive, bin, root, run } from "./stack.mjs";
import { until } from "./wait.mjs";

const read = (path) => readFileSync(join(root, path), "utf8");
/** Postgres' own programs, which are not on everybody's PATH. */
const postgres = readdirSync("/usr/lib/postgresql").map((one) => `/usr/lib/postgresql/${one}/bin`).at(-1);

/** Below those that the system gives to whoever asks for any, until the process binds it. */
async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const server = net.createServer().listen(port, "127.0.0.1");
    const free = await new Promise((done) => server.once("listening", () => done(true)).once("error", () => done(false)));
    if (free) await new Promise((done) => server.close(done));
    if (free) return port;
  }
}

/** What a process prints, and how it is stopped. */
class Child {
  constructor(name, argv, options) {
    this.name = name;
    this.output = "";
    this.proc = spawn(argv[0], argv.slice(1), { stdio: ["ignore", "pipe", "pipe"], ...options });
    for (const stream of [this.proc.stdout, this.proc.stderr]) stream.setEncoding("utf8").on("data", (text) => (this.output += text));
    this.ended = new Promise((done) => this.proc.once("exit", (code, signal) => done(code ?? signal)));
  }

  get running() {
    return this.proc.exitCode === null && this.proc.signalCode === null;
  }

  async stop(signal = "SIGTERM") {
    if (this.running) this.proc.kill(signal);
    return this.ended;
  }
}

/** Postgres and NATS, and what is started beside them. */
export class Deployed {
  constructor() {
    this.dir = mkdtempSync(join(tmpdir(), "e2e-deployed-"));
    chmodSync(this.dir, 0o755);
    this.children = [];
    this.folders = 0;
  }

  start(name, argv, options) {
    const child = new Child(name, argv, options);
    this.children.push(child);
    return child;
  }

  /** A cluster like the image's: roles log in over TCP with their passwords only. */
  async startPostgres(env) {
    const data = join(this.dir, "postgres");
    const as = process.getuid() === 0 ? await this.postgresUser() : {};
    mkdirSync(data);
    if (as.uid !== undefined) chownSync(data, as.uid, as.gid);
    this.pgPort = await freePort();
    const here = { cwd: data, ...as };
    const made = this.start("initdb", [`${postgres}/initdb`, "-D", data, "-U", "postgres", "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"], here);
    assert.equal(await made.ended, 0, made.output);
    this.start("postgres", [`${postgres}/postgres`, "-D", data, "-p", this.pgPort, "-h", "127.0.0.1", "-k", data], here);
    const psql = (database, ...args) => run("psql", ["-X", "-v", "ON_ERROR_STOP=1", "-h", data, "-p", String(this.pgPort), "-U", "postgres", "-d", database, ...args], { env });
    await until("Postgres answers", async () => (await psql("postgres", "-c", "select 1")).code === 0, { deadline: 30_000 });
    for (const args of [["postgres", "-c", "create database mal"], ["mal", "-f", join(root, "deploy/postgres/bootstrap.sql")]]) {
      const { code, stderr } = await psql(...args);
      assert.equal(code, 0, stderr);
    }
  }

  async postgresUser() {
    const ids = await Promise.all(["-u", "-g"].map((flag) => run("id", [flag, "postgres"])));
    const [uid, gid] = ids.map(({ stdout }) => Number(stdout));
    return { uid, gid };
  }

  async startNats(env) {
    this.natsPort = await freePort();
    this.start("nats", ["nats-server", "-c", join(root, "deploy/nats.conf"), "-a", "127.0.0.1", "-p", String(this.natsPort)], { env: { ...env, MAL_NATS_STORE: join(this.dir, "nats"), PATH: process.env.PATH } });
    await until("nats-server listens", () => new Promise((done) => {
      const socket = net.connect(this.natsPort, "127.0.0.1", () => socket.end(() => done(true)));
      socket.on("error", () => done(false));
    }));
  }

  /** Starts a process with what is written of it; `folders` are its volumes. */
  async startProcess({ name, command, env, folders }) {
    const copy = `${name}-${this.folders++}`;
    const ports = {};
    const here = {};
    for (const [variable, text] of Object.entries(env)) {
      let value = text.replace("//nats:4222", `//127.0.0.1:${this.natsPort}`).replace("host=postgres", `host=127.0.0.1 port=${this.pgPort}`);
      const bound = /^0\.0\.0\.0:(\d+)$/.exec(value);
      if (bound) {
        ports[bound[1]] = await freePort();
        value = `127.0.0.1:${ports[bound[1]]}`;
      }
      if (value.startsWith("/var/lib/mal")) {
        const volume = folders.find((folder) => `${value}/`.startsWith(`${folder}/`));
        assert.ok(volume, `${name}: ${variable}=${value} lies on a volume`);
        mkdirSync(join(this.dir, copy, volume), { recursive: true });
        value = join(this.dir, copy, value);
      }
      here[variable] = value;
    }
    const child = this.start(name, [join(bin, command[0]), ...command.slice(1)], { env: { PATH: process.env.PATH, ...here }, cwd: "/" });
    child.ports = ports;
    return child;
  }

  /** Last words of what ended or complains. */
  complaints() {
    return this.children.filter(({ name }) => name !== "initdb").map(({ name, output }) => `${name}: ${output.slice(-600)}`).join("\n");
  }

  /** In the reverse order. How the hub's own processes ended: [name, exit code]. */
  async stop() {
    const codes = [];
    for (const child of this.children.reverse()) {
      const code = await child.stop(child.name === "postgres" ? "SIGINT" : "SIGTERM");
      if (child.ready) codes.push([child.name, code]);
    }
    rmSync(this.dir, { recursive: true, force: true });
    assert.deepEqual(this.children.filter(({ proc }) => alive(proc.pid)).map(({ name }) => name), [], "nothing is left");
    return codes;
  }
}

const password = () => `p${randomBytes(12).toString("hex")}`;
const sealing = () => `k1:${randomBytes(32).toString("hex")}`;

/** The processes of compose.yaml, with an .env made as env.example says. */
export function compose(given) {
  const names = [...read("deploy/env.example").matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name);
  const values = Object.fromEntries(names.map((name) => [name, /PASSWORD/.test(name) ? password() : ""]));
  Object.assign(values, { MAL_SECRET_KEYS: sealing() }, given);
  const fill = (text) => String(text).replace(/\$\{(\w+):([?-])[^}]*\}/g, (_, name, kind) => {
    assert.ok(names.includes(name), `deploy/env.example names ${name}`);
    assert.ok(kind === "-" || values[name], `${name} has to be set`);
    return values[name];
  });
  const { services } = parse(read("compose.yaml"), { merge: true });
  const list = Object.entries(services).map(([name, { command, environment, volumes = [] }]) => ({
    name,
    command,
    env: Object.fromEntries(Object.entries(environment).map(([key, value]) => [key, fill(value)])),
    folders: volumes.map((volume) => volume.split(":")[1]),
  }));
  return { values, postgres: list.find(({ name }) => name === "postgres").env, nats: list.find(({ name }) => name === "nats").env, processes: list.filter(({ command }) => command?.[0].startsWith("mal-")), replicas: () => 1, ready: () => ({ port: 9090, path: "/readyz" }) };
}

/** The processes of deploy/k8s, with a secret of what its README lists. */
export function kubernetes(given) {
  const names = [...read("deploy/k8s/README.md").matchAll(/--from-literal=([a-z-]+)=/g)].map(([, name]) => name);
  const passwords = {};
  const secret = Object.fromEntries(names.map((name) => {
    const service = /^pg-url-(.*)$/.exec(name)?.[1].replace("-", "_");
    if (service) return [name, `host=postgres dbname=mal user=${service} password=${(passwords[`MAL_PG_PASSWORD_${service.toUpperCase()}`] = password())}`];
    return [name, name === "secret-keys" ? sealing() : password()];
  }));
  Object.assign(secret, given);
  const { resources } = parse(read("deploy/k8s/kustomization.yaml"));
  const documents = resources.flatMap((file) => parseAllDocuments(read(`deploy/k8s/${file}`)).map((one) => one.toJS()));
  const list = documents.filter(({ kind }) => kind === "Deployment" || kind === "StatefulSet").map(({ metadata, spec }) => {
    const [container] = spec.template.spec.containers;
    const probe = container.readinessProbe.httpGet;
    return {
      name: metadata.name,
      command: container.command,
      replicas: spec.replicas,
      ready: probe && { port: container.ports.find(({ name }) => name === probe.port).containerPort, path: probe.path },
      folders: (container.volumeMounts ?? []).map(({ name, mountPath }) => {
        const claims = (spec.volumeClaimTemplates ?? []).map(({ metadata: { name: claim } }) => claim);
        assert.ok([...(spec.template.spec.volumes ?? []).map((volume) => volume.name), ...claims].includes(name), `${metadata.name}: volume ${name}`);
        return mountPath;
      }),
      env: Object.fromEntries(container.env.map(({ name, value, valueFrom }) => {
        const key = valueFrom?.secretKeyRef.key;
        assert.ok(!key || names.includes(key), `deploy/k8s/README.md makes ${key}`);
        return [name, key ? secret[key] : value];
      })),
    };
  });
  const services = documents.filter(({ kind }) => kind === "Service").map(({ metadata: { name } }) => name);
  assert.ok(services.includes("nats") && services.includes("gateway"));
  return { values: secret, postgres: passwords, nats: list.find(({ name }) => name === "nats").env, processes: list.filter(({ command }) => command?.[0].startsWith("mal-")), replicas: ({ replicas }) => replicas, ready: ({ ready }) => ready };
}

/** Everything of a plan runs and is ready. */
export async function deploy(plan) {
  const deployed = new Deployed();
  try {
    await Promise.all([deployed.startPostgres(plan.postgres), deployed.startNats(plan.nats)]);
    deployed.gateways = [];
    for (const one of plan.processes) {
      for (let i = 0; i < plan.replicas(one); i++) {
        const child = await deployed.startProcess(one);
        const { port, path } = plan.ready(one);
        child.ready = `http://127.0.0.1:${child.ports[port]}${path}`;
        if (one.name === "gateway") deployed.gateways.push(`http://127.0.0.1:${child.ports[8420]}/mcp`);
      }
    }
    for (const child of deployed.children.filter(({ ready }) => ready)) {
      await until(`${child.name} is ready`, async () => {
        assert.ok(child.running, `${child.name} ended: ${child.output}`);
        const answer = await fetch(child.ready);
        await answer.text();
        return answer.status === 200;
      }, { deadline: 60_000 });
    }
    return deployed;
  } catch (error) {
    const said = deployed.complaints();
    await deployed.stop().catch(() => {});
    throw new Error(`${error.message}\n${said}`, { cause: error });
  }
}
