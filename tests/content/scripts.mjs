// Runs the scripts of the catalog in scratch folders. Programs of the cloud are replaced by small fakes on the PATH.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createServer } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { claim, has, run, skip } from "./harness.mjs";
import { render } from "./render.mjs";

let content;

// One scratch folder per test: home of the script, its work place, and its fakes in bin.
class Scratch {
  constructor() {
    this.root = mkdtempSync(join(tmpdir(), "catalog check-"));
    mkdirSync(this.path("bin"));
    mkdirSync(this.path("home"));
    mkdirSync(this.path("tmp"));
  }

  path(...parts) {
    return join(this.root, ...parts);
  }

  write(name, text, mode = 0o644) {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), text, { mode });
  }

  fake(name, body) {
    this.write(`bin/${name}`, `#!/usr/bin/env bash\nprintf '%s\\n' "${name} $*" >>"$HOME/calls"\n${body}\n`, 0o755);
  }

  calls() {
    return existsSync(this.path("home/calls")) ? readFileSync(this.path("home/calls"), "utf8") : "";
  }

  env(extra = {}) {
    return {
      PATH: `${this.path("bin")}:${process.env.PATH}`, HOME: this.path("home"), TMPDIR: this.path("tmp"), LANG: "C.UTF-8",
      GIT_CONFIG_NOSYSTEM: "1", GIT_CEILING_DIRECTORIES: this.root, GIT_AUTHOR_NAME: "A", GIT_AUTHOR_EMAIL: "a@example.com",
      GIT_COMMITTER_NAME: "A", GIT_COMMITTER_EMAIL: "a@example.com", NO_COLOR: "1", ...extra,
    };
  }

  git(repo, ...args) {
    const options = { encoding: "utf8", env: this.env() };
    const { status, stdout, stderr } = spawnSync("git", ["-C", this.path(repo), ...args], options);
    assert.equal(status, 0, `git ${args.join(" ")}: ${stderr}`);
    return stdout.trim();
  }

  // A repository with branches main and dev, one commit each.
  repository(name) {
    mkdirSync(this.path(name));
    this.git(name, "init", "--quiet", "--initial-branch=main");
    this.commit(name, "readme.md", "one\n", "base: first");
    this.git(name, "switch", "--quiet", "--create", "dev");
    this.commit(name, "a.txt", "1\n2\n3\n", "base: add a");
  }

  commit(repo, file, text, subject, author = "Ana Example <ana@example.com>") {
    this.write(`${repo}/${file}`, text);
    this.git(repo, "add", "--all");
    this.git(repo, "commit", "--quiet", `--author=${author}`, `--message=${subject}`);
  }

  script(id, values, env) {
    const script = readFileSync(join(content, "commands", id, "script.sh"), "utf8");
    const { parameters } = JSON.parse(readFileSync(join(content, "commands", id, "command.json"), "utf8"));
    this.write("tmp/script.sh", render(script, parameters, values));
    return run("bash", [this.path("tmp/script.sh")], { cwd: this.root, env: this.env(env) });
  }
}

async function scenario(name, tools, body) {
  const missing = tools.filter((tool) => !has(tool));
  if (missing.length > 0) return skip(name, `${missing.join(", ")} not installed`);
  return claim(name, async () => {
    const scratch = new Scratch();
    try {
      await body(scratch);
    } finally {
      if (process.env.CHECK_KEEP) console.log(`kept ${scratch.root}`);
      else rmSync(scratch.root, { recursive: true, force: true });
    }
  });
}

function ok({ status, stdout, stderr }) {
  assert.equal(status, 0, `exit ${status}\n${stdout}\n${stderr}`);
  return stdout;
}

function refused({ status, stdout, stderr }, words) {
  assert.notEqual(status, 0, `succeeded\n${stdout}`);
  assert.match(stderr, words);
}

const listen = (server) =>
  new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(String(server.address().port))));

async function gitScripts() {
  await scenario("git-log-pretty shows the graph of all branches", ["git"], async (s) => {
    s.repository("r");
    s.git("r", "switch", "--quiet", "main");
    s.commit("r", "b.txt", "b\n", "base: add b");
    const text = ok(await s.script("git-log-pretty", { repo_path: "r" }));
    for (const words of ["base: first", "base: add a", "base: add b", "(HEAD -> main)", "(dev)", "<Ana Example>"])
      assert.ok(text.includes(words), `${words} is missing in\n${text}`);
    assert.equal(ok(await s.script("git-log-pretty", { repo_path: "r", count: "1" })).trim().split("\n").length, 1);
    refused(await s.script("git-log-pretty", { repo_path: "r", count: "0.5" }), /whole number/);
    refused(await s.script("git-log-pretty", { repo_path: "home" }), /no git repository/);
  });

  await scenario("git-activity-report counts commits, files and lines per author", ["git"], async (s) => {
    s.repository("r");
    s.commit("r", "a.txt", "1\n2\n", "base: shorten a");
    s.commit("r", "bild ä.bin", "\0\0\0", "base: add a picture", "Ben O'Hara | x <ben@example.com>");
    s.git("r", "switch", "--quiet", "--create", "side", "main");
    s.commit("r", "side.txt", "1\n", "base: side");
    s.git("r", "merge", "--quiet", "--no-ff", "--message=merge", "dev");
    const lines = ok(await s.script("git-activity-report", { repo_path: "r" })).split("\n").map((l) => l.trim());
    const row = (author) => lines.find((text) => text.endsWith(author))?.split(/\s+/).slice(0, 4).join(" ");
    assert.equal(row("Ana Example"), "4 3 5 1");
    assert.equal(row("Ben O'Hara | x"), "1 1 0 0");
    assert.ok(lines.includes("5 commits, 5 lines added, 1 removed, 2 authors"), lines.join("\n"));
    refused(await s.script("git-activity-report", { repo_path: "r", days: "-1" }), /whole number/);
  });

  await scenario("create-feature-branch starts at the newest dev and takes hostile words", ["git"], async (s) => {
    s.repository("origin");
    s.git(".", "clone", "--quiet", s.path("origin"), s.path("r"));
    s.commit("origin", "new.txt", "n\n", "base: newer");
    const values = { repo_path: "r", id: "MAL-42", description: `Add "login"; $(touch owned) it's ` };
    ok(await s.script("create-feature-branch", values));
    assert.equal(s.git("r", "branch", "--show-current"), "feature/mal-42-add-login-touch-owned-it-s");
    assert.equal(s.git("r", "rev-parse", "HEAD"), s.git("origin", "rev-parse", "dev"));
    assert.ok(!existsSync(s.path("owned")) && !existsSync(s.path("r/owned")), "the description was executed");
    refused(await s.script("create-feature-branch", values), /exists already/);
    refused(await s.script("create-feature-branch", { ...values, description: "!!" }), /needs a letter/);
    s.write("r/a.txt", "changed\n");
    refused(await s.script("create-feature-branch", { ...values, id: "43" }), /uncommitted changes/);
  });

  await scenario("create-feature-branch refuses a repository without dev and one whose dev diverged", ["git"], async (s) => {
    s.repository("origin");
    s.git(".", "clone", "--quiet", s.path("origin"), s.path("r"));
    s.commit("origin", "theirs.txt", "t\n", "base: theirs");
    s.commit("r", "ours.txt", "o\n", "base: ours");
    refused(await s.script("create-feature-branch", { repo_path: "r", id: "1", description: "x" }), /diverged/);
    s.git("origin", "switch", "--quiet", "main");
    s.git("origin", "branch", "--quiet", "-D", "dev");
    refused(await s.script("create-feature-branch", { repo_path: "origin", id: "1", description: "x" }), /no branch dev/);
  });

  await scenario("git-branch-cleanup deletes what is merged and nothing else", ["git"], async (s) => {
    s.repository("r");
    for (const branch of ["merged", "open", "busy"]) {
      s.git("r", "switch", "--quiet", "--create", branch, "dev");
      s.commit("r", `${branch}.txt`, "x\n", `base: ${branch}`);
    }
    s.git("r", "switch", "--quiet", "dev");
    s.git("r", "merge", "--quiet", "--no-ff", "--message=merge", "merged", "busy");
    s.git("r", "worktree", "add", "--quiet", s.path("tree"), "busy");
    const text = ok(await s.script("git-branch-cleanup", { repo_path: "r" }));
    assert.equal(s.git("r", "for-each-ref", "--format=%(refname:short)", "refs/heads"), "busy\ndev\nmain\nopen");
    assert.match(text, /deleted {2}merged \(was [0-9a-f]+\)/);
    assert.match(text, /1 deleted, 2 kept/);
  });
}

async function databaseScripts() {
  const sql = (s, file, text) => {
    const { status, stdout, stderr } = spawnSync("sqlite3", ["-bail", s.path(file)], { input: text, encoding: "utf8" });
    assert.equal(status, 0, stderr);
    return stdout.trim();
  };

  await scenario("sqlite-backup copies a database in use, whatever its name", ["sqlite3"], async (s) => {
    const name = `it's "odd" -db.sqlite`;
    const writer = "PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1), (2);";
    sql(s, name, writer);
    ok(await s.script("sqlite-backup", { db_path: name }));
    const copies = readdirSync(s.root).filter((file) => /^it's "odd" -db-\d{8}T\d{6}Z\.sqlite$/.test(file));
    assert.equal(copies.length, 1, readdirSync(s.root).join("\n"));
    assert.equal(sql(s, copies[0], "SELECT sum(x) FROM t;"), "3");
    refused(await s.script("sqlite-backup", { db_path: "absent.db" }), /no such file/);
    assert.ok(!existsSync(s.path("absent.db")));
    s.write("text.db", "just text, long enough\n");
    refused(await s.script("sqlite-backup", { db_path: "text.db" }), /not a SQLite database/);
  });

  await scenario("reset-db recreates the tables, and changes nothing when the schema is wrong", ["sqlite3"], async (s) => {
    sql(s, "app.db", "PRAGMA journal_mode = WAL; CREATE TABLE old (x); INSERT INTO old VALUES (1); CREATE VIEW v AS SELECT 1;");
    s.write("bad.sql", "CREATE TABLE fresh (id INTEGER PRIMARY KEY);\nCREATE TABEL oops;\n");
    refused(await s.script("reset-db", { db_path: "app.db", schema_path: "bad.sql" }), /nothing was changed/);
    assert.equal(sql(s, "app.db", "SELECT count(*) FROM old;"), "1");
    s.write("empty.sql", "SELECT 1;\n");
    refused(await s.script("reset-db", { db_path: "app.db", schema_path: "empty.sql" }), /creates no table/);
    s.write("good.sql", "BEGIN;\nCREATE TABLE fresh (id INTEGER PRIMARY KEY);\nCREATE INDEX i ON fresh (id);\nCOMMIT;\n");
    ok(await s.script("reset-db", { db_path: "app.db", schema_path: "good.sql" }));
    assert.equal(sql(s, "app.db", "SELECT group_concat(name) FROM (SELECT name FROM sqlite_master ORDER BY name);"), "fresh,i");
    ok(await s.script("reset-db", { db_path: "new one.db", schema_path: "good.sql" }));
    assert.equal(sql(s, "new one.db", "SELECT count(*) FROM fresh;"), "0");
  });

  await scenario("seed-catalog calls mal with the project's content and none of its own variables", [], async (s) => {
    s.write("p/content/achievements.json", "[]\n");
    s.write("p/bin/mal", `#!/usr/bin/env bash\nprintf '%s|' "$@"\nenv | grep -E '^(MAL_|HUB_SETTING)' | sort\n`, 0o755);
    const dev = ok(await s.script("seed-catalog", { project_root: "p" }));
    assert.equal(dev, `starter|load|--sample|MAL_CONTENT_DIR=${s.path("p/content")}\n`);
    refused(await s.script("seed-catalog", { project_root: "p", env: "prod" }), /\.env\.prod is missing/);
    s.write("p/.env.prod", "HUB_SETTING='a b'\n");
    assert.match(ok(await s.script("seed-catalog", { project_root: "p", env: "prod" })), /^starter\|load\|HUB_SETTING=a b\n/);
  });
}

async function projectScripts() {
  await scenario("run-all-tests counts suites and fails with one of them, or without any", ["make"], async (s) => {
    s.write("p/one/Makefile", "test:\n\t@echo fine\n");
    assert.match(ok(await s.script("run-all-tests", { project_root: "p" })), /\n1 passed, 0 failed\n$/);
    s.write("p/two/Makefile", "test:\n\t@exit 3\n");
    const { status, stdout } = await s.script("run-all-tests", { project_root: "p" });
    assert.equal(status, 1);
    assert.match(stdout, /passed {2}one: make test\nFAILED {2}two: make test\n1 passed, 1 failed\n$/);
    refused(await s.script("run-all-tests", { project_root: "home" }), /no test suite found/);
  });

  await scenario("lint-all fails with a finding and says what it could not run", ["shellcheck"], async (s) => {
    s.write("p/good.sh", "#!/bin/sh\necho ok\n");
    s.write("p/package.json", '{"scripts": {"lint": "true"}}\n');
    s.fake("npm", "exit 0");
    assert.match(ok(await s.script("lint-all", { project_root: "p" })), /2 passed, 0 failed, 0 skipped/);
    s.write("p/sub/bad one.sh", "#!/bin/sh\necho $1\n");
    const { status, stdout } = await s.script("lint-all", { project_root: "p" });
    assert.equal(status, 1);
    assert.match(stdout, /FAILED {3}\.: shellcheck\n1 passed, 1 failed/);
    refused(await s.script("lint-all", { project_root: "home" }), /nothing to lint/);
  });

  await scenario("docker-build builds and tags one image per Dockerfile", [], async (s) => {
    s.fake("docker", "exit 0");
    for (const file of ["Dockerfile", "Dockerfile.worker", "deploy/images/Dockerfile.tools", "web/Dockerfile"])
      s.write(`My Shop/${file}`, "FROM scratch\n");
    assert.match(ok(await s.script("docker-build", { project_root: "My Shop", tag: "1.2" })), /4 images built/);
    assert.deepEqual(s.calls().trim().split("\n").slice(1), [
      "docker build --file Dockerfile --tag my-shop:1.2 .",
      "docker build --file Dockerfile.worker --tag my-shop-worker:1.2 .",
      "docker build --file deploy/images/Dockerfile.tools --tag my-shop-tools:1.2 .",
      "docker build --file web/Dockerfile --tag my-shop-web:1.2 web",
    ]);
    refused(await s.script("docker-build", { project_root: "My Shop", tag: "a b" }), /not a valid image tag/);
    refused(await s.script("docker-build", { project_root: "home" }), /no Dockerfile/);
  });

  await scenario("deploy-cloud-run builds, deploys, tests and prints the URL", [], async (s) => {
    s.write("My Shop/Dockerfile", "FROM scratch\n");
    s.fake("gcloud", `case "$*" in
      "auth list "*) echo ana@example.com ;;
      *print-identity-token*) echo token ;;
      "run services describe "*) echo https://my-shop.example.com ;;
    esac`);
    // Private: it answers the caller's token only.
    s.fake("curl", `case "$*" in *"Bearer token"*) printf 200 ;; *) printf 403 ;; esac`);
    s.fake("sleep", "exit 0");
    const values = { project_root: "My Shop", project_id: "shop-123456", tag: "v1" };
    assert.match(ok(await s.script("deploy-cloud-run", values)), /Deployed and answering: https:\/\/my-shop\.example\.com\n$/);
    assert.match(s.calls(), /gcloud builds submit \. --project=shop-123456 --tag=us-central1-\S+\/shop-123456\/apps\/my-shop:v1 /);
    assert.match(s.calls(), /gcloud run deploy my-shop --project=shop-123456 --region=us-central1 /);
    s.fake("curl", "printf 500");
    refused(await s.script("deploy-cloud-run", values), /does not answer as it should/);
    refused(await s.script("deploy-cloud-run", { ...values, region: "--help" }), /not a region/);
  });
}

async function stackScripts() {
  await scenario("start-dev-stack checks settings and ports before it starts anything", [], async (s) => {
    s.write("p/compose.yaml", "services: {}\n");
    s.write("p/.env.example", "# settings\nDB_NAME=shop\nTOKEN=\n");
    s.write("p/.env", "DB_NAME=shop\n");
    s.fake("docker", `case "$*" in
      *" config") printf '      published: "%s"\\n' "$TEST_PORT" ;;
      *" up "*) env | grep -cE '^MAL_P_' >&2; echo "key=$MCP_API_KEY" >>"$HOME/calls" ;;
    esac`);
    const server = createTcpServer((socket) => socket.destroy());
    const port = await listen(server);
    const values = { project_root: "p", mcp_api_key: "key-for-tests" };
    const start = (extra) => s.script("start-dev-stack", values, { TEST_PORT: port, ...extra });
    try {
      refused(await start(), /not set \(see \.env\.example\): TOKEN/);
      refused(await start({ TOKEN: "x" }), new RegExp(`ports already in use on 127\\.0\\.0\\.1: ${port}`));
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
    assert.ok(!s.calls().includes(" up "), "something was started");
    const { stdout, stderr, status } = await start({ TOKEN: "x" });
    assert.equal(status, 0, stderr);
    assert.match(stdout, /The development stack is healthy/);
    assert.match(s.calls(), /up --detach --build --wait --wait-timeout \d+\nkey=key-for-tests\n/);
    assert.match(stderr, /^0$/m, "variables of the script reached the stack");
    refused(await s.script("start-dev-stack", { ...values, mcp_api_key: "short" }), /at least 8 characters/);
    refused(await s.script("start-dev-stack", { ...values, project_root: "home" }), /neither a compose file/);
  });

  await scenario("start-dev-stack waits for make run and reports its end", ["make", "curl"], async (s) => {
    s.write("p/Makefile", "run:\n\t@echo cannot start; exit 4\n");
    const probe = createTcpServer();
    const port = await listen(probe);
    await new Promise((resolve) => probe.close(resolve));
    s.fake("sleep", "exit 0"); // the loop ends when the process does, so nothing has to be waited out
    const values = { project_root: "p", mcp_api_key: "key-for-tests" };
    refused(await s.script("start-dev-stack", values, { HUB_PORT: port }), /cannot start[^]*ended before it was healthy/);
  });
}

const openapi = {
  openapi: "3.1.0",
  info: { title: "Hub", version: "1.0.0" },
  paths: {
    "/items/{id}": {
      parameters: [{ name: "id", in: "path", required: true, schema: { type: "string" }, description: "Id | of it" }],
      get: { summary: "Read an item", responses: { 200: { description: "The item" } } },
      patch: {
        requestBody: { content: { "application/json": { schema: { $ref: "#/components/schemas/Change" } } } },
        responses: { default: { $ref: "#/components/responses/Problem" } },
      },
    },
  },
  components: {
    schemas: {
      Change: {
        type: "object",
        required: ["status"],
        properties: {
          status: { enum: ["open", "done"], description: "State." },
          labels: { type: "array", items: { type: "string" } },
          due: { type: ["string", "null"] },
        },
      },
    },
    responses: { Problem: { description: "Any\nfailure" } },
  },
};

async function httpScripts() {
  const replies = { "/api/v1/health": { status: "ok", mcps: [{ status: "down" }] }, "/api/v1/openapi.json": openapi };
  const server = createServer((request, response) => {
    const key = request.headers.authorization;
    if (request.url.startsWith("/api/") && key !== "Bearer good") response.writeHead(401).end("{}");
    else if (request.url === "/") response.writeHead(200).end("<!doctype html>");
    else if (replies[request.url]) response.end(JSON.stringify(replies[request.url]));
    else response.writeHead(404).end();
  });
  const port = await listen(server);
  const free = createTcpServer();
  const dead = await listen(free);
  await new Promise((resolve) => free.close(resolve));

  try {
    await scenario("health-check-all tells ok, degraded, refused and down apart", ["curl"], async (s) => {
      const ask = (frontend, env) => s.script("health-check-all", { frontend_port: frontend }, { HUB_PORT: port, ...env });
      const text = ok(await ask(port, { MAL_KEY: "good" }));
      assert.match(text, /^OK +hub .*: ok\nOK +web .*: HTTP 200\n$/);
      assert.match(ok(await ask(port, { MAL_KEY: "good", NO_COLOR: "" })), /^\x1b\[32mOK/);
      assert.match(ok(await ask(port)), /^WARN +hub .*refuses the key/);
      replies["/api/v1/health"] = { status: "degraded" };
      assert.match(ok(await ask(port, { MAL_KEY: "good" })), /^WARN +hub .*degraded/);
      replies["/api/v1/health"] = { status: "down" };
      refused(await ask(port, { MAL_KEY: "good" }), /1 of 2 are down/);
      refused(await ask(dead), /1 of 2 are down/);
      refused(await s.script("health-check-all", { host: "a/b" }), /not a host name/);
    });

    await scenario("generate-api-docs writes each operation with its fields and answers", ["curl", "jq"], async (s) => {
      const write = (env, values) => s.script("generate-api-docs", { port, ...values }, env);
      assert.match(ok(await write({ MAL_KEY: "good" })), /2 operations/);
      const text = readFileSync(s.path("api.md"), "utf8");
      for (const words of ["# Hub 1.0.0", "## GET /items/{id}", "## PATCH /items/{id}", "Read an item",
        "| `id` | path | string | yes | Id \\| of it |", "| `status` | body | enum: open, done | yes | State. |",
        "| `labels` | body | array of string | no |  |", "| `due` | body | string or null | no |  |",
        "| 200 | The item |", "| default | Any failure |"])
        assert.ok(text.includes(words), `${words} is missing in\n${text}`);
      refused(await write({}), /set MAL_KEY/);
      refused(await write({}, { port: dead }), /nothing answers/);
      refused(await write({ MAL_KEY: "good" }, { output_path: "absent/api.md" }), /no such directory/);
    });
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

async function hostileValues() {
  for (const id of readdirSync(join(content, "commands")))
    await scenario(`script ${id} never executes a value`, [], async (s) => {
      for (const tool of ["docker", "gcloud", "curl", "make", "npm", "mal"]) s.fake(tool, "exit 1");
      const { parameters } = JSON.parse(readFileSync(join(content, "commands", id, "command.json"), "utf8"));
      const hostile = `x'; touch owned; echo "$(touch owned)\`touch owned\``;
      const { status } = await s.script(id, Object.fromEntries(parameters.map(({ name }) => [name, hostile])));
      assert.notEqual(status, 0, "accepted nonsense");
      assert.ok(!existsSync(s.path("owned")), "the value was executed");
    });
}

export async function runScripts(folder) {
  content = folder;
  if (!has("bash")) return skip("scripts do what they say", "bash is not installed");
  await gitScripts();
  await databaseScripts();
  await projectScripts();
  await stackScripts();
  await httpScripts();
  await hostileValues();
}
