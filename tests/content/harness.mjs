// Runs named claims, counts them, and makes every skip visible.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";

export const result = { passed: 0, failed: 0, skipped: 0 };
const only = process.env.CHECK_ONLY ?? ""; // part of a name: run just the claims that hold it

export async function claim(name, body) {
  if (only && !name.includes(only)) return;
  try {
    await body();
    result.passed += 1;
  } catch (error) {
    result.failed += 1;
    console.log(`FAILED  ${name}\n        ${String(error.message).replaceAll("\n", "\n        ")}`);
  }
}

export function skip(name, reason) {
  if (only && !name.includes(only)) return;
  result.skipped += 1;
  console.log(`skipped ${name}: ${reason}`);
}

// Collects all violations of one file, so that one run names them all.
export function collect(body) {
  const problems = [];
  body((condition, message) => {
    if (!condition) problems.push(message);
  });
  assert.equal(problems.length, 0, problems.join("\n"));
}

export const has = (tool) => spawnSync("sh", ["-c", 'command -v "$1"', "sh", tool]).status === 0;

// Runs a program while this process goes on, because tests serve pages to it.
export function run(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...options, stdio: ["pipe", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (data) => (stdout += data));
    child.stderr.on("data", (data) => (stderr += data));
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, stdout, stderr }));
    child.stdin.on("error", () => {}); // the program may end before it has read everything
    child.stdin.end(options.input ?? "");
  });
}
