// Checks the starter catalog against its contract: node tests/content/check.mjs [content]
// CHECK_ONLY=<part of a name> runs just the claims with that part in their name.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import * as contract from "./contract.mjs";
import { claim, collect, has, result, skip } from "./harness.mjs";
import { parse } from "./markdown.mjs";
import { placeholders, render, unquoted } from "./render.mjs";
import * as rules from "./rules.mjs";
import { runScripts } from "./scripts.mjs";

const root = process.argv[2] ?? "content";
const read = (...path) => readFileSync(join(root, ...path), "utf8");
const json = (...path) => JSON.parse(read(...path));
const sorted = (values) => [...values].sort();

await claim("content holds exactly the entries of the contract", () => {
  const ids = {
    mcps: readdirSync(join(root, "mcps")).map((file) => file.replace(/\.json$/, "")),
    skills: readdirSync(join(root, "skills")),
    commands: readdirSync(join(root, "commands")),
    subagents: readdirSync(join(root, "subagents")),
    achievements: json("achievements.json").map((entry) => entry.id),
  };
  for (const [kind, count] of Object.entries(contract.counts)) {
    const wanted = kind === "achievements" ? contract.achievements.map(([id]) => id) : Object.keys(contract[kind]);
    assert.deepEqual(sorted(ids[kind]), sorted(wanted), kind);
    assert.equal(wanted.length, count, kind);
  }
});

await claim("each folder holds the files of its kind and no others", () => {
  const files = { skills: ["SKILL.md", "skill.json"], commands: ["command.json", "script.sh"],
    subagents: ["prompt.md", "subagent.json"] };
  for (const [kind, names] of Object.entries(files))
    for (const id of readdirSync(join(root, kind)))
      assert.deepEqual(sorted(readdirSync(join(root, kind, id))), names, `${kind}/${id}`);
  assert.deepEqual(sorted(readdirSync(root)), ["achievements.json", "commands", "mcps", "skills", "subagents"]);
});

function everyFile(folder) {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? everyFile(path) : [path];
  });
}

await claim("files are UTF-8 text with a final line break, without machine paths or stray blanks", () => {
  collect((expect) => {
    for (const path of everyFile(root)) {
      const bytes = readFileSync(path);
      const text = bytes.toString("utf8");
      expect(Buffer.from(text).equals(bytes), `${path}: not UTF-8`);
      expect(text.endsWith("\n") && !text.endsWith("\n\n"), `${path}: must end in one line break`);
      expect(!/[ \t]$/m.test(text) && !text.includes("\r"), `${path}: blanks at the end of a line`);
      expect(!rules.machinePath.test(text), `${path}: names a path of a machine`);
    }
  });
});

for (const [id, [name, author, reached, tools, variables]] of Object.entries(contract.mcps))
  await claim(`server ${id} is as in the contract`, () => {
    const mcp = json("mcps", `${id}.json`);
    const remote = /^https?:/.test(reached);
    collect((expect) => {
      rules.common(expect, mcp, id, author);
      rules.onlyKeys(expect, mcp, ["id", "name", "description", "transport", "endpoint_url", "command", "args",
        "env_vars", "headers", "health_check_url", "status", "tools_exposed", "author", "tags"]);
      expect(mcp.name === name, `name must be ${name}`);
      expect(rules.line(mcp.description, 1000), "description must be 1-1000 characters in one line");
      expect(mcp.status === "inactive", "status must be inactive");
      expect(mcp.transport === (remote ? "streamable-http" : "stdio"), "wrong transport");
      expect((remote ? mcp.endpoint_url : [mcp.command, ...(mcp.args ?? [])].join(" ")) === reached,
        `must be reached by ${reached}`);
      if (remote)
        expect(["command", "args", "env_vars"].every((key) => !(key in mcp)), "fields of stdio on a remote server");
      else expect(!("endpoint_url" in mcp) && !("headers" in mcp), "fields of http on a stdio server");
      expect(JSON.stringify(mcp.tools_exposed) === JSON.stringify(tools ? tools.split(" ") : []), "wrong tools_exposed");
      const wanted = Object.fromEntries(variables.split(" ").filter(Boolean).map((key) => [key, `\${env:${key}}`]));
      expect(JSON.stringify(mcp.env_vars ?? {}) === JSON.stringify(wanted), "wrong env_vars");
    });
  });

for (const [id, [name, category]] of Object.entries(contract.skills)) {
  await claim(`skill ${id} has fields within the rules`, () => {
    const skill = json("skills", id, "skill.json");
    collect((expect) => {
      rules.common(expect, skill, id, "mal-hub");
      rules.onlyKeys(expect, skill, ["id", "name", "version", "category", "trigger_patterns", "asset_path",
        "dependencies", "author", "tags"]);
      expect(skill.name === name, `name must be ${name}`);
      expect(skill.category === category, `category must be ${category}`);
      expect(skill.version === "1.0.0", "version must be 1.0.0");
      expect(rules.list(skill.trigger_patterns ?? [], 50, (text) => rules.line(text, 200)), "trigger_patterns");
      expect(rules.list(skill.dependencies ?? [], 50, (other) => other in contract.skills && other !== id),
        "dependencies must be other skills of the catalog");
    });
  });
  await claim(`skill ${id} has a document worth reading`, () => {
    const text = read("skills", id, "SKILL.md");
    const doc = parse(text);
    collect((expect) => {
      for (const problem of doc.problems) expect(false, problem);
      expect(doc.frontKeys.join() === "name,description", "front matter must be name and description");
      expect(doc.front.name === id, `front matter name must be ${id}`);
      expect(rules.line(doc.front.description, 1000), "description must be one line of 1-1000 characters");
      expect(!/^["'[{&*!|>%@`#]|: | #/.test(doc.front.description ?? ""), "description must be a plain YAML scalar");
      expect(Buffer.byteLength(text) <= 262144, "larger than 256 KiB");
      expect(doc.lines < 500, `${doc.lines} lines, fewer than 500 wanted`);
      expect(doc.useful >= 80, `${doc.useful} useful lines, 80 wanted`);
      expect(doc.headings.includes("When to use"), 'no section "When to use"');
      expect(doc.headings.includes("Pitfalls"), 'no section "Pitfalls"');
      expect(doc.fences.length >= 3, `${doc.fences.length} examples, 3 wanted`);
      for (const { language, body } of doc.fences) {
        expect(/^[a-z][a-z0-9+-]*$/.test(language), "an example names no language");
        expect(body.trim() !== "" && !/^\s*(\.\.\.|…)\s*$/m.test(body), `an example in ${language} is not complete`);
      }
      const word = rules.unfinished.exec(text);
      expect(!word, `unfinished: ${word?.[0]}`);
    });
  });
  await claim(`skill ${id} has examples that parse`, () => {
    const checks = {
      json: (body) => JSON.parse(body),
      bash: (body) => parses("bash", ["-n"], body),
      javascript: (body) => parses(process.execPath, ["--input-type=module", "--check"], body),
    };
    for (const { language, body } of parse(read("skills", id, "SKILL.md")).fences) checks[language]?.(body);
  });
}

function parses(program, args, input) {
  const { status, stderr } = spawnSync(program, args, { input, encoding: "utf8" });
  assert.equal(status, 0, stderr);
}

function parameterSpec({ name, type, required, default: fallback, enum_values: values }) {
  const kind = type === "string" ? "" : `:${type}${values ? `(${values})` : ""}`;
  return `${name}${kind}${required ? "*" : `=${fallback}`}`;
}

function checkParameter(expect, parameter) {
  const { name, type, required, default: fallback, enum_values: values } = parameter;
  rules.onlyKeys(expect, parameter, ["name", "type", "description", "required", "default", "enum_values"]);
  expect(/^[a-z][a-z0-9_]{0,39}$/.test(name), `parameter name ${name}`);
  expect(rules.line(parameter.description, 300), `${name}: description must be 1-300 characters`);
  expect(fallback === undefined || (!required && rules.fits(type, fallback, values)), `${name}: unfit default`);
  expect((type === "enum") === (values !== undefined), `${name}: enum_values belong to enum, and only there`);
  expect(values === undefined || (values.length >= 1 && rules.list(values, 50, (value) => rules.line(value, 100)) &&
    new Set(values).size === values.length), `${name}: enum_values`);
}

for (const [id, [name, category, confirm, spec]] of Object.entries(contract.commands)) {
  await claim(`command ${id} is as in the contract`, () => {
    const command = json("commands", id, "command.json");
    collect((expect) => {
      rules.common(expect, command, id, "mal-hub");
      rules.onlyKeys(expect, command, ["id", "name", "description", "category", "shell", "parameters",
        "requires_confirmation", "author", "tags"]);
      expect(command.name === name, `name must be ${name}`);
      expect(rules.line(command.description, 1000), "description must be 1-1000 characters in one line");
      expect(command.category === category, `category must be ${category}`);
      expect(command.shell === "bash", "shell must be bash");
      expect(command.requires_confirmation === confirm, `requires_confirmation must be ${confirm}`);
      const given = command.parameters.map(parameterSpec).join(" ");
      expect(given === spec, `parameters are ${given}, wanted ${spec}`);
      for (const parameter of command.parameters) checkParameter(expect, parameter);
    });
  });
  await claim(`script ${id} is safe to render and parses`, () => {
    const script = read("commands", id, "script.sh");
    const { parameters } = json("commands", id, "command.json");
    collect((expect) => {
      expect([...script].length <= 50000, "longer than 50000 characters");
      expect(script.startsWith("#!/usr/bin/env bash\n"), "must begin with #!/usr/bin/env bash");
      expect(/^set -euo pipefail$/m.test(script), "no set -euo pipefail");
      expect(sorted(placeholders(script)).join() === sorted(parameters.map((parameter) => parameter.name)).join(),
        `placeholders ${placeholders(script)} are not the parameters`);
      expect(unquoted(script).length === 0, `not in double quotes: ${unquoted(script)}`);
    });
    parses("bash", ["-n"], render(script, parameters));
  });
}

if (has("shellcheck"))
  await claim("rendered scripts pass shellcheck", () => {
    for (const id of Object.keys(contract.commands)) {
      const rendered = render(read("commands", id, "script.sh"), json("commands", id, "command.json").parameters);
      const { status, stdout } = spawnSync("shellcheck", ["-"], { input: rendered, encoding: "utf8" });
      assert.equal(status, 0, `${id}: ${stdout}`);
    }
  });
else skip("rendered scripts pass shellcheck", "shellcheck is not installed");

for (const [id, [name, turns, tools]] of Object.entries(contract.subagents))
  await claim(`subagent ${id} is as in the contract`, () => {
    const agent = json("subagents", id, "subagent.json");
    const prompt = read("subagents", id, "prompt.md");
    collect((expect) => {
      rules.common(expect, agent, id, "mal-hub");
      rules.onlyKeys(expect, agent, ["id", "name", "description", "model", "tools_allowed", "max_turns",
        "input_schema", "output_format", "author", "tags"]);
      expect(agent.name === name, `name must be ${name}`);
      expect(rules.line(agent.description, 1000), "description must be 1-1000 characters in one line");
      expect(agent.model === contract.model, `model must be ${contract.model}`);
      expect(agent.max_turns === turns, `max_turns must be ${turns}`);
      expect(agent.output_format === "markdown", "output_format must be markdown");
      expect(agent.tools_allowed.join(" ") === tools, `tools_allowed must be ${tools}`);
      for (const tool of tools.split(" ")) expect(prompt.includes(tool), `the prompt does not say when to call ${tool}`);
      const schema = agent.input_schema;
      expect(rules.isObject(schema) && schema.type === "object" && rules.isObject(schema.properties),
        "input_schema must describe an object");
      expect((schema.required ?? []).every((key) => key in schema.properties), "a required property is not described");
      expect(Object.values(schema.properties).every((property) => property.description), "a property has no description");
      expect(JSON.stringify(schema).length <= 16384, "input_schema is larger than 16 KiB");
      expect(prompt.split("\n").filter((text) => text.trim()).length >= 15, "the prompt has fewer than 15 lines");
      expect([...prompt].length <= 50000, "the prompt is longer than 50000 characters");
    });
  });

await claim("achievements are those of the contract, in its order", () => {
  const wanted = contract.achievements.map(([id, name, icon, tier, category, type, count, description]) => ({
    id, name, icon, tier, category, criteria: { type, count }, xp_reward: contract.rewards[tier], description,
  }));
  assert.deepEqual(json("achievements.json"), wanted);
});

if (existsSync(join(root, "commands"))) await runScripts(root);

console.log(`${result.skipped} skipped`);
console.log(`${result.passed} passed, ${result.failed} failed`);
// A filter that matches nothing must not look like success.
process.exitCode = result.failed > 0 || result.passed === 0 ? 1 : 0;
