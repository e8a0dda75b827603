// Runs the end-to-end tests: node run.mjs [words]. A word is part of a file's name, or else of a
// test's. Prints what fails with the logs of its stacks, then the coverage of tools, then one line
// with the numbers. No test run is an error.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { run } from "node:test";
import { fileURLToPath } from "node:url";
import { missing } from "./coverage.mjs";
import { KINDS } from "./clients.mjs";
import { root } from "./stack.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const LOG_LINES = 40;
const TEST_TIMEOUT_MS = 240_000;

const words = process.argv.slice(2);
const every = readdirSync(here).filter((name) => name.endsWith(".test.mjs")).sort();
const named = every.filter((name) => words.some((word) => name.replace(".test.mjs", "").includes(word)));
const pattern = named.length || !words.length ? undefined : words.join(" ");
const holding = (name) => readFileSync(join(here, name), "utf8").toLowerCase().includes(pattern.toLowerCase());
const files = !words.length ? every : named.length ? named : every.filter(holding);
const place = mkdtempSync(join(tmpdir(), "e2e-out-"));
process.env.MAL_TEST_OUT = place;

const counts = { passed: 0, failed: 0, skipped: 0 };
const failures = new Map();

/** What went wrong, to the first cause. */
function reason(error) {
  const cause = error?.cause instanceof Error ? error.cause : error;
  const lines = String(cause?.stack ?? cause).split("\n").filter((line) => !/node:internal|node_modules/.test(line));
  const deeper = cause?.cause ? `\n  because: ${cause.cause.message ?? cause.cause}` : "";
  return lines.slice(0, 12).join("\n") + deeper;
}

/** The last lines of the logs that say more than info. */
function printLogs(file) {
  const folder = join(place, "logs", file);
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder, { recursive: true }).filter((one) => one.endsWith(".log"))) {
    const lines = readFileSync(join(folder, name), "utf8").split("\n").filter((line) => /level=(warn|error)|FATAL|PANIC|Sanitizer|runtime error|\[ERR\]/.test(line));
    if (lines.length) console.log(`--- ${file} ${name} (last ${Math.min(LOG_LINES, lines.length)} of ${lines.length} lines of weight)\n${lines.slice(-LOG_LINES).join("\n")}`);
  }
}

const tallies = new Map();

function tally(file, kind) {
  const key = basename(file ?? "?");
  const entry = tallies.get(key) ?? { passed: 0, failed: 0, skipped: 0, began: Date.now() };
  entry[kind]++;
  entry.ended = Date.now();
  tallies.set(key, entry);
  counts[kind]++;
}

function count({ details, name, file, skip, todo, nesting }, failed) {
  if (details?.type === "suite" || (details?.type !== "test" && nesting === 0 && name === file)) {
    // A suite is counted by its tests, unless a hook of its own failed.
    if (!failed || !/hook/.test(details?.error?.failureType ?? "")) return;
  }
  if (/does not match pattern/.test(skip)) return;
  if (skip !== undefined || todo !== undefined) {
    tally(file, "skipped");
    console.log(`skipped: ${name}: ${skip || todo}`);
  } else if (failed) {
    if (details?.error?.failureType === "cancelledByParent") return tally(file, "failed");
    tally(file, "failed");
    const key = basename(file ?? "?");
    failures.set(key, [...(failures.get(key) ?? []), name]);
    console.log(`\nFAILED ${key}: ${name}\n${reason(details?.error)}`);
  } else {
    tally(file, "passed");
  }
}

/** Several files at once share two cores well; those that measure or kill go alone. */
const ALONE = ["chaos.test.mjs", "faults.test.mjs", "leak.test.mjs", "limits.test.mjs", "scale.test.mjs"];

async function runFiles(names, concurrency) {
  if (!names.length) return;
  const stream = run({
    files: names.map((name) => join(here, name)),
    concurrency,
    timeout: TEST_TIMEOUT_MS * 3,
    execArgv: [],
    ...(pattern && { testNamePatterns: [new RegExp(pattern.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "i")] }),
  });
  for await (const { type, data } of stream) {
    if (type === "test:pass") count(data, false);
    if (type === "test:fail") count(data, true);
    if (type === "test:diagnostic" && data.nesting > 0) console.log(`  ${basename(data.file ?? "")}: ${data.message}`);
    if (type === "test:stdout" || type === "test:stderr") process.stdout.write(data.message);
  }
}

mkdirSync(join(place, "coverage"), { recursive: true });
await runFiles(files.filter((name) => !ALONE.includes(name)), availableParallelism() + 1);
await runFiles(files.filter((name) => ALONE.includes(name)), 1);
for (const file of failures.keys()) printLogs(file);
for (const [file, { passed, failed, skipped, began, ended }] of tallies)
  console.log(`${file}: ${passed} passed, ${failed} failed, ${skipped} skipped, ${((ended - began) / 1000).toFixed(0)} s`);

if (!words.length) {
  const { tools } = JSON.parse(readFileSync(join(root, "api/tools.json"), "utf8"));
  const gaps = missing(place, tools.map(({ name }) => name), KINDS);
  if (gaps.length) {
    counts.failed++;
    console.log(`\nFAILED coverage: never called\n${gaps.join("\n")}`);
  } else {
    counts.passed++;
    console.log(`coverage: each of ${tools.length} tools worked and failed through each of ${KINDS.length} official clients`);
  }
}
if (process.env.MAL_TEST_KEEP !== "1") rmSync(place, { recursive: true });
else console.log(`kept: ${place}`);
if (counts.passed + counts.failed === 0) {
  console.log("no test ran");
  counts.failed++;
}
for (const [file, names] of failures) for (const name of names) console.log(`failed: ${file}: ${name}`);
console.log(`e2e: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed ? 1 : 0;
