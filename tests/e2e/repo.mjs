// Git repositories whose commits a test wrote itself, made in one stroke by git fast-import.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const DAY_S = 86_400;
const made = new Set();

/** Noon (UTC) of the day that was so many days ago, in seconds; `s` moves it within the day. */
export const noon = (ago, s = 0) => Math.floor(Date.now() / 1000 / DAY_S) * DAY_S - ago * DAY_S + DAY_S / 2 + s;

/** That day as YYYY-MM-DD. */
export const day = (ago) => new Date(noon(ago) * 1000).toISOString().slice(0, 10);

export const lines = (n, word = "line") => Array.from({ length: n }, (_, i) => `${word} ${i}\n`).join("");

export class Repo {
  constructor({ folder = mkdtempSync(join(tmpdir(), "e2e-repo-")), branch = "main" } = {}) {
    this.path = folder;
    this.branch = branch;
    this.mark = 0;
    this.last = undefined;
    made.add(folder);
    this.git("init", "-q", "-b", branch, ".");
  }

  git(...args) {
    return execFileSync("git", ["-c", "safe.directory=*", ...args], { cwd: this.path, encoding: "utf8", stdio: ["pipe", "pipe", "ignore"] });
  }

  /**
   * Adds commits {name, email, at, subject, files, merge}; files map paths to text, bytes, or null to
   * remove. Every commit follows the one before, and `merge` names a second parent by its mark.
   */
  add(...commits) {
    const parts = [];
    const text = (value) => parts.push(Buffer.from(value));
    const data = (value) => {
      const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value);
      text(`data ${bytes.length}\n`);
      parts.push(bytes);
      text("\n");
    };
    for (const { name, email, at, subject = "Change", files = {}, merge, from = this.last } of commits) {
      this.mark++;
      text(`commit refs/heads/${this.branch}\nmark :${this.mark}\n`);
      text(`author ${name} <${email}> ${at} +0000\ncommitter ${name} <${email}> ${at} +0000\n`);
      data(subject);
      if (from !== undefined) text(`from :${from}\n`);
      if (merge !== undefined) text(`merge :${merge}\n`);
      for (const [path, content] of Object.entries(files)) {
        if (content === null) {
          text(`D ${path}\n`);
          continue;
        }
        text(`M 100644 inline ${path}\n`);
        data(content);
      }
      this.last = this.mark;
    }
    const marks = `.git/e2e-marks`;
    execFileSync("git", ["-c", "safe.directory=*", "fast-import", "--quiet", "--force",
      `--import-marks-if-exists=${marks}`, `--export-marks=${marks}`], { cwd: this.path, input: Buffer.concat(parts) });
    return this;
  }

  hash(revision = "HEAD") {
    return this.git("rev-parse", revision).trim();
  }
}

/** A repository with one commit of today, for calls that only need one to read. */
export function smallRepo() {
  return new Repo().add({ name: "Somebody", email: "somebody@example.com", at: noon(0, -DAY_S / 2), files: { "a.txt": "a\n" } });
}

process.on("exit", () => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
});
