// The game, seen from outside: XP, levels, streaks, achievements and leaderboards follow from what
// happened. Two copies of every service run, so that what counts twice would show.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { KINDS, connect } from "./clients.mjs";
import { request } from "./http.mjs";
import { Modern } from "./mcp.mjs";
import { natsRequest } from "./nats.mjs";
import { Repo, day, lines, noon } from "./repo.mjs";
import { member, project, samples, sprint, talk } from "./samples.mjs";
import { learn } from "./schema.mjs";
import { serveEcho } from "./downstream.mjs";
import { useStack } from "./stack.mjs";
import { stopwatch, until } from "./wait.mjs";

const BRONZE = 10, SILVER = 25, GOLD = 50;
const CHECK_S = 5;
const place = mkdtempSync(join(tmpdir(), "e2e-git-"));
const roots = join(place, "roots");
mkdirSync(roots);
after(() => rmSync(place, { recursive: true, force: true }));

let hub;
let published;
let untrusted;
let marks = 0;
const stack = useStack({ before, after }, {
  replicas: 2,
  env: { MAL_RATE_LIMIT: "0", MAL_GIT_ROOTS: roots, MAL_GIT_REPO_PATH: join(roots, "default"), MAL_ACHIEVEMENT_CHECK_INTERVAL: String(CHECK_S) },
}, async () => {
  hub = new Modern(stack);
  published = await hub.all("tools/list", "tools");
  learn(published);
  untrusted = await keyed("zoe-laptop");
});

/** A client with a key of its own, which is not a trusted one. */
async function keyed(name) {
  const { secret } = JSON.parse((await stack.mal("keys", "add", name, "--scopes", "all", "--json")).stdout);
  const client = new Modern(stack, { key: secret });
  await until("the key works", async () => (await client.post("tools/list")).status === 200);
  return client;
}

/** A repository below the allowed roots. */
function repo(name, ...commits) {
  const folder = join(roots, name);
  mkdirSync(folder);
  const made = new Repo({ folder });
  return commits.length ? made.add(...commits) : made;
}

const commit = (who, ago, more = {}) => ({ name: `Member ${who}`, email: `${who}@example.com`, at: noon(ago, ago ? 0 : -43_100), files: {}, ...more });
const join_ = (id, more = {}) => hub.ok("mal_register_team_member", member(id, { email: `${id}@example.com`, ...more }));
const sync = (path, more = {}) => hub.ok("mal_get_commit_activity", { repo_path: join(roots, path), days: 60, ...more });
const profile = (id) => hub.ok("mal_get_team_member", { id });
const award = (base, streak) => Math.floor((base * (100 + 10 * Math.min(7, streak))) / 100);
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
const unlocked = (got) => got.achievements.map(({ id }) => id).sort();
const ledger = (id) => stack.sql(`select type, coalesce(reference_id, ''), points, base_points, multiplier_percent, reversed_at is not null
  from gamify.contribution where user_id = '${id}' order by id`);

/** Waits until the member's XP is that, and checks that the ledger says so too. */
async function xp(id, points) {
  await until(`${id} has ${points} XP`, async () => {
    const got = (await profile(id)).member.xp;
    if (got !== points) throw new Error(`${got} XP: ${JSON.stringify(await ledger(id))}`);
    return true;
  }, { every: 50 });
  const [[total]] = await stack.sql(`select coalesce(sum(points), 0) from gamify.contribution where user_id = '${id}' and reversed_at is null`);
  assert.equal(Number(total), points, "XP is the sum of the ledger");
}

const item = async (args) => (await hub.ok("mal_create_work_item", { title: "Something to do", ...args })).work_item;
const move = (id, status) => hub.ok("mal_update_work_item", { id, status });

/**
 * Waits until both consumers of gamify have nothing left. The gateway sends events in order: when
 * the last call is in the log, so are those before it.
 */
async function settled() {
  const mark = `mark-${++marks}`;
  await hub.fails("mal_get_skill", { id: mark }, "NOT_FOUND");
  await until("the last call is in the log", async () => (await stack.sql(`select 1 from catalog.usage_log where resource_id = '${mark}'`)).length === 1);
  for (const durable of ["gamify_awards", "gamify_tools"])
    await until(`${durable} is through`, async () => {
      const info = JSON.parse(await natsRequest(stack.now().nats_url, `$JS.API.CONSUMER.INFO.MAL_EVT.${durable}`));
      return info.num_pending === 0 && info.num_ack_pending === 0;
    }, { deadline: 60_000, every: 100 });
}

describe("members", () => {
  test("registered twice keep their XP, and an address belongs to one of them", async () => {
    const first = await join_("mia");
    assert.deepEqual([first.created, first.member.xp, first.member.level, first.member.title, first.member.streak_days], [true, 0, 1, "Apprentice", 0]);
    await hub.ok("mal_log_contribution", { user_id: "mia", type: "review", reference_id: "pr-1" });
    const again = await hub.ok("mal_register_team_member", { id: "mia", name: "Mia M.", role: "lead" });
    assert.deepEqual([again.created, again.changed.sort(), again.member.email], [false, ["name", "role"], "mia@example.com"]);
    assert.equal(again.member.xp, award(10, 1));
    const cleared = await hub.ok("mal_register_team_member", { id: "mia", name: "Mia M.", email: null });
    assert.equal(cleared.member.email, undefined);
    await join_("max");
    const taken = await hub.fails("mal_register_team_member", member("mallory", { email: "MAX@Example.com" }), "ALREADY_EXISTS");
    assert.match(taken.text, /max/);
    const put = await request(`${stack.base}/api/v1/members/rest-made`, {
      method: "PUT", headers: { "x-api-key": stack.key, "Content-Type": "application/json" }, body: JSON.stringify({ name: "By REST" }) });
    assert.deepEqual([put.status, put.json.created], [200, true]);
  });

  test("are listed by XP", async () => {
    const { items } = await hub.ok("mal_list_team_members");
    assert.deepEqual(items.map(({ xp: points }) => points), [...items.map(({ xp: points }) => points)].sort((a, b) => b - a));
  });
});

describe("mal_log_contribution", () => {
  test("awards by base and streak, once for a reference", async () => {
    await join_("liv");
    const result = await hub.tool("mal_log_contribution", { user_id: "liv", type: "review", reference_id: "pr-9", metadata: { comments: 3 }, description: "Looked at it." });
    const { contribution, awarded_points, duplicate, member: now } = result.structuredContent;
    assert.deepEqual([awarded_points, duplicate, contribution.base_points, contribution.multiplier_percent, now.xp], [17, false, 16, 110, 17]);
    assert.equal(result.content[0].text, "Awarded 17 XP to liv (review, 16 × 110 %): 17 XP, level 1.");
    const twice = await hub.tool("mal_log_contribution", { user_id: "liv", type: "review", reference_id: "pr-9", metadata: { comments: 25 } });
    assert.deepEqual([twice.structuredContent.awarded_points, twice.structuredContent.duplicate, twice.structuredContent.contribution.id], [0, true, contribution.id]);
    assert.equal(twice.content[0].text, "Already recorded; no XP awarded.");
    await hub.ok("mal_log_contribution", { user_id: "liv", type: "review" });
    await hub.ok("mal_log_contribution", { user_id: "liv", type: "review" });
    await xp("liv", 17 + 11 + 11);
    await hub.fails("mal_log_contribution", { user_id: "nobody-here", type: "review" }, "NOT_FOUND");
    await hub.fails("mal_log_contribution", { user_id: "liv", type: "review", metadata: { comments: "many" } }, "INVALID_ARGUMENT");
  });

  test("twenty at once with one reference award once", async () => {
    await join_("una");
    const all = await Promise.all(Array.from({ length: 20 }, () => hub.ok("mal_log_contribution", { user_id: "una", type: "review", reference_id: "race" })));
    assert.equal(sum(all.map(({ awarded_points }) => awarded_points)), 11);
    assert.equal(all.filter(({ duplicate }) => !duplicate).length, 1);
    await xp("una", 11);
  });

  test("takes fixed points and unlocks by hand for trusted keys only", async () => {
    await join_("tom");
    await untrusted.fails("mal_log_contribution", { user_id: "tom", type: "review", points: 5 }, "PERMISSION_DENIED");
    await untrusted.fails("mal_log_contribution", { user_id: "tom", type: "achievement", reference_id: "first-chat" }, "PERMISSION_DENIED");
    assert.equal((await untrusted.ok("mal_log_contribution", { user_id: "tom", type: "review" })).awarded_points, 11);
    assert.equal((await hub.ok("mal_log_contribution", { user_id: "tom", type: "review", points: 123 })).awarded_points, 123);
    await hub.fails("mal_log_contribution", { user_id: "tom", type: "achievement", reference_id: "no-such" }, "NOT_FOUND");
    const byHand = await hub.ok("mal_log_contribution", { user_id: "tom", type: "achievement", reference_id: "first-chat" });
    assert.deepEqual([byHand.awarded_points, byHand.contribution.multiplier_percent], [BRONZE, 100]);
    await xp("tom", 11 + 123 + BRONZE);
    assert.deepEqual(unlocked(await profile("tom")), ["first-chat"]);
  });

  test("says when a level is reached and what it unlocked", async () => {
    await join_("ada");
    const result = await hub.tool("mal_log_contribution", { user_id: "ada", type: "commit", reference_id: "abc", points: 120 });
    assert.deepEqual([result.structuredContent.level_up, result.structuredContent.new_achievements], [true, ["first-commit"]]);
    assert.equal(result.content[0].text,
      "Awarded 120 XP to ada (commit, 120 × 100 %): 130 XP, level 2.\nLevel up: 2 (Apprentice).\nUnlocked: 🏗️ First Commit (+10 XP).");
  });
});

describe("commit activity", () => {
  test("seven days in a row are a streak of 7 and one badge on-fire; a second sync awards nothing", async () => {
    await join_("ana");
    repo("streak", ...[6, 5, 4, 3, 2, 1, 0].map((ago) => commit("ana", ago, { files: { "a.c": `day ${ago}\n` } })));
    const first = await sync("streak");
    const commits = [1, 2, 3, 4, 5, 6, 7].map((streak) => award(10, streak));
    assert.deepEqual(first.synced.map(({ user_id, commits: n, points }) => [user_id, n, points]), [["ana", 7, sum(commits)]]);
    assert.deepEqual(first.synced[0].new_achievements.sort(), ["first-commit", "on-fire"]);
    await xp("ana", sum(commits) + BRONZE + GOLD);
    const { member: now, contributions } = await profile("ana");
    assert.deepEqual([now.streak_days, now.streak_last_date, now.streak_active, now.level], [7, day(0), true, 2]);
    assert.equal(contributions.find(({ type, occurred_at }) => type === "commit" && occurred_at.startsWith(day(0))).multiplier_percent, 170);
    const second = await sync("streak");
    assert.deepEqual(second.synced, []);
    assert.match((await hub.tool("mal_get_commit_activity", { repo_path: join(roots, "streak"), days: 60 })).content[0].text, /Nothing new to credit\./);
    await xp("ana", sum(commits) + BRONZE + GOLD);
  });

  test("a gap ends a run, and a day that comes late joins two", async () => {
    await join_("bo");
    const gap = repo("gap", ...[9, 8, 7, 5, 4, 3].map((ago) => commit("bo", ago, { files: { "b.c": `day ${ago}\n` } })));
    await sync("gap");
    const before_ = sum([1, 2, 3, 1, 2, 3].map((streak) => award(10, streak))) + BRONZE;
    await xp("bo", before_);
    assert.deepEqual([(await profile("bo")).member.streak_days, (await profile("bo")).member.streak_active], [3, false]);
    gap.add(commit("bo", 6, { files: { "b.c": "late\n" } }));
    await sync("gap");
    await xp("bo", before_ + award(10, 4) + GOLD);
    const late = await profile("bo");
    assert.deepEqual([late.member.streak_days, late.member.streak_last_date], [7, day(3)]);
    assert.deepEqual(unlocked(late), ["first-commit", "on-fire"]);
  });

  test("120 commits count once, merges and binary files are handled, and so are strange authors", async () => {
    await join_("cleo", { name: "Cleo | \"C\" O'Neil" });
    await join_("dan");
    const big = repo("many");
    big.add(...Array.from({ length: 119 }, (_, i) => commit("dan", 20, { at: noon(20, i), files: { [`src/${i}.c`]: lines(i) } })));
    const odd = { name: "Cleo | \"C\" O'Neil", email: "cleo@EXAMPLE.com", at: noon(20, 5000), subject: "10\t5\tnot-a-numstat | \"quoted\"",
      files: { "logo.png": Buffer.from([0, 1, 2, 0]), "readme.md": lines(250) } };
    big.add(odd, commit("dan", 20, { merge: 1, at: noon(20, 6000) }));
    const expected = sum(Array.from({ length: 119 }, (_, i) => award(Math.min(50, 10 + Math.floor(i / 100)), 1)));
    const read = await sync("many", { sync: false });
    assert.deepEqual([read.synced, read.totals.commits], [[], 120]);
    assert.equal((await profile("dan")).member.xp, 0, "only read");
    const [one, two] = await Promise.all([sync("many"), sync("many")]);
    const credited = (reply) => sum(reply.synced.map(({ commits: n }) => n));
    assert.equal(credited(one) + credited(two), 120, "two syncs at once credit each commit once");
    await xp("dan", expected + BRONZE + SILVER + GOLD);
    await xp("cleo", award(12, 1) + BRONZE);
    const [[rows]] = await stack.sql("select count(*) from gamify.contribution where user_id in ('dan', 'cleo') and type = 'commit'");
    assert.equal(Number(rows), 120);
    const oddOne = read.recent.find(({ author }) => author.startsWith("Cleo"));
    assert.deepEqual([oddOne.subject, oddOne.insertions, oddOne.files, oddOne.user_id], [odd.subject.replaceAll("\t", oddOne.subject.includes("\t") ? "\t" : " "), 250, 2, "cleo"]);
  });

  test("authors who are no members are named, filters narrow report and credit", async () => {
    await join_("eve");
    await join_("finn", { name: "Finn" });
    repo("filters",
      commit("eve", 2, { files: { a: "1\n" } }),
      { name: "Finn the Human", email: "other@example.org", at: noon(2), files: { b: "1\n" } },
      { name: "Gus", email: "gus@example.org", at: noon(2), files: { c: "1\n" } });
    const only = await sync("filters", { user_id: "eve" });
    assert.deepEqual([only.totals.commits, only.synced.map(({ user_id }) => user_id)], [1, ["eve"]]);
    const all = await sync("filters");
    assert.deepEqual(all.synced.map(({ user_id }) => user_id), ["finn"]);
    assert.equal(all.unmatched_authors.length, 1);
    assert.match(all.unmatched_authors[0], /Gus/);
    assert.equal((await sync("filters", { author: "gus@" })).totals.commits, 1);
    await hub.fails("mal_get_commit_activity", { repo_path: join(roots, "filters"), user_id: "nobody-here" }, "NOT_FOUND");
  });

  test("paths outside the roots are refused, also by link and .., and nothing is taken for an option", async () => {
    mkdirSync(join(place, "outside"));
    new Repo({ folder: join(place, "outside") });
    symlinkSync(join(place, "outside"), join(roots, "link"));
    for (const repo_path of [join(place, "outside"), join(roots, "link"), join(roots, "..", "outside"), "/", "/etc"])
      await hub.fails("mal_get_commit_activity", { repo_path }, "PERMISSION_DENIED");
    await hub.fails("mal_get_commit_activity", { repo_path: join(roots, "nowhere") }, "NOT_FOUND");
    const written = join(roots, "written");
    for (const args of [{ repo_path: `--output=${written}` }, { repo_path: join(roots, "filters"), author: `--output=${written}` }])
      await hub.tool("mal_get_commit_activity", args);
    const { existsSync } = await import("node:fs");
    assert.equal(existsSync(written), false);
  });

  test("the text has authors, days, the latest commits and who was credited", async () => {
    await join_("hal");
    repo("report", commit("hal", 3, { subject: "Begin", files: { "a.md": lines(4) } }), commit("hal", 2, { subject: "Go on", files: { "a.md": lines(6) } }));
    const { content: [{ text }], structuredContent: reply } = await hub.tool("mal_get_commit_activity", { repo_path: join(roots, "report"), days: 30 });
    assert.deepEqual(reply.totals, { commits: 2, insertions: 6, deletions: 0, net: 6 });
    assert.match(text, /^## Commit activity — 30 days \(main\)\n/);
    assert.match(text, /\n\*\*commits\*\*: 2 · \*\*added\*\*: 6 · \*\*removed\*\*: 0 · \*\*net\*\*: \+6\n/);
    assert.match(text, new RegExp(`\n\`${day(2)} █ 1\``));
    assert.match(text, /\n- `[0-9a-f]{7,}` \S+ Member hal: Go on \(\+2 −0\)\n/);
    assert.match(text, /\n- Member hal: 2 commits, 23 XP, now 33 XP, level 1$/);
  });
});

describe("work items", () => {
  test("done, reopened and done again leave the XP of one award", async () => {
    await join_("ivy");
    const { id } = await item({ assignee: "ivy", story_points: 5 });
    await move(id, "done");
    await xp("ivy", 55);
    await move(id, "in_progress");
    await xp("ivy", 0);
    assert.equal((await profile("ivy")).member.streak_days, 0);
    await move(id, "done");
    await xp("ivy", 55);
    const rows = await ledger("ivy");
    assert.deepEqual(rows.map((row) => row[5]), ["t", "f"]);
  });

  test("of nobody or of strangers award nothing, and registering later credits nothing", async () => {
    const { id } = await item({ assignee: "later", story_points: 5, status: "done" });
    await item({ story_points: 5, status: "done" });
    await settled();
    await join_("later");
    await settled();
    assert.deepEqual(await ledger("later"), []);
    await move(id, "todo");
    await move(id, "done");
    await xp("later", 55);
  });

  test("ten bugs make a bug slayer, nine do not", async () => {
    await join_("jan");
    const bugs = [];
    for (let i = 0; i < 10; i++) bugs.push((await item({ assignee: "jan", type: "bug", story_points: 1 })).id);
    await hub.ok("mal_bulk_update_work_items", { ids: bugs.slice(0, 9), status: "done" });
    await xp("jan", 9 * 11);
    assert.deepEqual(unlocked(await profile("jan")), []);
    await move(bugs[9], "done");
    await xp("jan", 10 * 11 + SILVER);
    await move(bugs[9], "todo");
    await xp("jan", 9 * 11 + SILVER);
    assert.deepEqual(unlocked(await profile("jan")), ["bug-slayer"], "a reversal takes no badge away");
  });
});

describe("conversations", () => {
  test("award by tools and decisions, and twenty decisions make a decision maker", async () => {
    await join_("kim");
    await hub.ok("mal_log_interaction", talk("kim-1", { user_id: "kim", tools_used: ["a", "b", "a", "c"], decisions: ["One."] }));
    await xp("kim", award(5 + 9 + 5, 1) + BRONZE);
    const many = Array.from({ length: 18 }, (_, i) => `Decision ${i}.`);
    await hub.ok("mal_log_interaction", talk("kim-2", { user_id: "kim", decisions: many }));
    await xp("kim", award(19, 1) + award(10, 1) + BRONZE);
    await hub.ok("mal_log_interaction", talk("kim-3", { user_id: "kim", decisions: ["The twentieth."] }));
    await xp("kim", award(19, 1) + 2 * award(10, 1) + BRONZE + SILVER);
    assert.deepEqual(unlocked(await profile("kim")), ["decision-maker", "first-chat"]);
  });
});

describe("sprints", () => {
  test("completed in time give 50 to whoever finished something, late ones 0, and reopening takes it back", async () => {
    await join_("leo");
    await join_("meg");
    const complete = async (id, end_date) => {
      await hub.ok("mal_create_sprint", sprint(id, { start_date: day(20), end_date, status: "active" }));
      for (const [assignee, status] of [["leo", "done"], ["meg", "todo"]]) await item({ sprint_id: id, assignee, story_points: 1, status });
      await hub.ok("mal_update_sprint", { id, status: "completed" });
    };
    await complete("in-time", day(0));
    await xp("leo", 11 + 55 + BRONZE);
    assert.deepEqual(unlocked(await profile("leo")), ["sprint-runner"]);
    await complete("late", day(1));
    await xp("leo", 11 + 55 + BRONZE + 11);
    assert.deepEqual((await ledger("leo")).filter((row) => row[0] === "sprint").map((row) => row[3]), ["50", "0"]);
    await hub.ok("mal_update_sprint", { id: "in-time", status: "active" });
    await xp("leo", 11 + BRONZE + 11);
    await xp("meg", 0);
  });

  test("without items give nobody anything, and hold nothing up", async () => {
    await hub.ok("mal_create_sprint", sprint("empty-sprint", { status: "active" }));
    await hub.ok("mal_update_sprint", { id: "empty-sprint", status: "completed" });
    await settled();
    assert.deepEqual(await stack.sql("select user_id from gamify.contribution where reference_id = 'empty-sprint'"), []);
  });
});

describe("the leaderboard", () => {
  const board = (args = {}) => hub.ok("mal_get_leaderboard", args);

  test("of all time is everybody's XP, equal XP shares a place", async () => {
    for (const id of ["tie-a", "tie-b", "tie-c"]) await join_(id);
    for (const id of ["tie-a", "tie-b"]) await hub.ok("mal_log_contribution", { user_id: id, type: "review", points: 5000 });
    const { items, total } = await board({ limit: 100 });
    const [[members]] = await stack.sql("select count(*) from gamify.member");
    assert.equal(total, Number(members));
    assert.deepEqual(items.slice(0, 2).map(({ rank, user_id }) => [rank, user_id]), [[1, "tie-a"], [1, "tie-b"]]);
    assert.equal(items[2].rank, 3);
    assert.equal((await profile("tie-b")).rank, 1);
    const { text } = (await hub.tool("mal_get_leaderboard")).content[0];
    assert.match(text, /^## Leaderboard — all time\nShowing \d+ of \d+ \(offset 0\)\n\n\| # \| Member \| Level \| XP \| Streak \| Role \|\n/);
    assert.match(text, /\n\| 🥇 1 \| Member tie-a \(`tie-a`\) \| 15 Senior \| 5000 \| 1 d \| developer \|\n/);
  });

  test("of a project is the sum of its contributions, beyond 100 of them", async () => {
    await join_("nia");
    await hub.ok("mal_create_project", project("counted", { key: "CNT" }));
    repo("counted", ...Array.from({ length: 120 }, (_, i) => commit("nia", 12, { at: noon(12, i), files: { "n.c": `${i}\n` } })));
    await sync("counted", { project_id: "counted" });
    await hub.ok("mal_log_contribution", { user_id: "nia", type: "review", project_id: "counted" });
    await hub.ok("mal_log_contribution", { user_id: "nia", type: "review" });
    const { id } = await item({ project_id: "counted", assignee: "nia", story_points: 3, status: "done" });
    assert.match(id, /^CNT-/);
    const points = 120 * 11 + 11 + 33;
    await until("the item counts", async () => (await board({ project_id: "counted" })).items[0]?.xp === points, { every: 50 });
    const { items, project_id, period } = await board({ project_id: "counted" });
    assert.deepEqual([items.length, items[0].user_id, project_id, period], [1, "nia", "counted", "all_time"]);
    assert.equal(items[0].total_xp, (await profile("nia")).member.xp);
  });

  test("of a week and of the running sprint cut at the right days", async () => {
    await join_("oda");
    await hub.ok("mal_create_project", project("windows", { key: "WIN" }));
    await hub.fails("mal_get_leaderboard", { project_id: "windows", period: "sprint" }, "FAILED_PRECONDITION", "NO_ACTIVE_SPRINT");
    await hub.ok("mal_create_sprint", sprint("window", { project_id: "windows", start_date: day(9), end_date: day(-3), status: "active" }));
    repo("windows", ...[10, 9, 7, 6].map((ago) => commit("oda", ago, { at: Math.floor(noon(ago, -43_200)), files: { o: `${ago}\n` } })));
    await sync("windows", { project_id: "windows" });
    const mine = async (args) => (await board({ project_id: "windows", ...args })).items.find(({ user_id }) => user_id === "oda")?.xp;
    // Streaks 1 and 2, a gap, 1 and 2.
    assert.equal(await mine({ period: "week" }), award(10, 2));
    assert.equal(await mine({ period: "sprint" }), award(10, 2) + award(10, 1) + award(10, 2));
    assert.equal(await mine({}), 2 * (award(10, 1) + award(10, 2)));
    const { since, until: end, sprint_id } = await board({ project_id: "windows", period: "sprint" });
    assert.deepEqual([since, end, sprint_id], [day(9), day(-3), "window"]);
    assert.deepEqual([(await board({ period: "week" })).since, (await board({ period: "week" })).until], [day(6), day(0)]);
  });
});

describe("achievements", () => {
  test("are shown with what is unlocked and how far the others are", async () => {
    const all = await hub.tool("mal_get_achievements");
    assert.equal(all.structuredContent.total, 14);
    assert.match(all.content[0].text, /^## Achievements \(14\)\n/);
    const mine = await hub.tool("mal_get_achievements", { user_id: "ana" });
    assert.equal(mine.structuredContent.unlocked, 2);
    const ten = mine.structuredContent.items.find(({ id }) => id === "ten-commits");
    assert.deepEqual([ten.unlocked, ten.progress, ten.target], [false, 7, 10]);
    assert.match(mine.content[0].text, /^## Achievements — Member ana \(`ana`\): 2 of 14 unlocked\n/);
    assert.match(mine.content[0].text, new RegExp(`\n\\| ✅ \\| 🏗️ First Commit \\(\`first-commit\`\\) \\| code \\| 10 \\| Make a first commit · ${day(0)} \\|\n`));
    assert.match(mine.content[0].text, /\n\| 🔒 \| 🏃 Sprint Runner \(`sprint-runner`\) \| agile \| 10 \| Complete a sprint · 0 of 1 \|\n/);
    const tiers = mine.structuredContent.items.map(({ tier }) => ["bronze", "silver", "gold", "platinum"].indexOf(tier));
    assert.deepEqual(tiers, [...tiers].sort());
  });

  test("tool explorer needs ten tools, tool master every one, used by a key of the member", async () => {
    const client = await keyed("pia-laptop");
    await join_("pia", { metadata: { key_names: ["pia-laptop"] } });
    repo("default", commit("nobody", 1, { files: { a: "1\n" } }));
    await serveEcho(stack);
    const rows = samples("master");
    const badges = async () => unlocked(await profile("pia"));
    for (const [tool, works] of rows.slice(0, 9)) await client.ok(tool, works);
    await settled();
    assert.deepEqual(await badges(), []);
    await client.ok(rows[9][0], rows[9][1]);
    await until("the explorer's badge", async () => (await badges()).includes("tool-explorer"));
    for (const [tool, works] of rows.slice(10, -1)) await client.ok(tool, works);
    await settled();
    assert.equal((await badges()).includes("tool-master"), false);
    await client.ok(...rows.at(-1));
    await until("the master's badge", async () => (await badges()).includes("tool-master"));
    const [[tools]] = await stack.sql("select count(distinct tool_name) from gamify.tool_use where user_key = 'pia-laptop'");
    assert.equal(Number(tools), published.length);
  });

  test("missed while the game was away appear within one interval of its return", async () => {
    await join_("quin");
    await settled();
    await stack.without("gamify", async () => {
      for (const [tool, args] of [["mal_get_leaderboard", {}], ["mal_log_contribution", { user_id: "quin", type: "review" }], ["mal_list_team_members", {}]]) {
        const error = await hub.fails(tool, args, "UNAVAILABLE");
        assert.match(error.text, /^Error: .+\nTry: .+$/);
      }
      await hub.ok("mal_log_interaction", talk("quin-1", { user_id: "quin" }));
      await item({ assignee: "quin", story_points: 2, status: "done" });
      const took = stopwatch();
      const stats = await hub.ok("mal_get_usage_stats");
      assert.ok(took() < 3000, `${took()} ms`);
      assert.equal(stats.collaboration.members, undefined);
      assert.match(stats.warnings.join(), /gamify/);
    });
    await xp("quin", award(5, 1) + award(20, 1) + BRONZE);
  });

  test("without an event are found by the sweep, once for each member", async () => {
    await stack.sql(`insert into gamify.achievement (id, name, description, icon, category, tier, xp_reward, criteria)
      values ('sweep', 'Sweep', 'Reach level 15.', '🧹', 'mastery', 'gold', 50, '{"type": "level_reached", "count": 15}')`);
    for (const id of ["tie-a", "tie-b"]) await until("the sweep", async () => unlocked(await profile(id)).includes("sweep"), { deadline: (CHECK_S + 5) * 1000, every: 100 });
    await xp("tie-a", 5000 + GOLD);
    const [[count]] = await stack.sql("select count(*) from gamify.user_achievement where achievement_id = 'sweep'");
    assert.equal(Number(count), 2);
  });
});

describe("every event delivered again", () => {
  test("changes nothing", async () => {
    await settled();
    const state = () => stack.sql(`select 'c', id, user_id, type, points::text, coalesce(reversed_at::text, '') from gamify.contribution
      union all select 'm', null, id, '', xp::text, streak_days::text from gamify.member
      union all select 'a', null, user_id, achievement_id, '', '' from gamify.user_achievement
      union all select 't', null, user_key, tool_name, calls::text, '' from gamify.tool_use order by 1, 2, 3, 4`);
    const before_ = await state();
    assert.ok(before_.length > 400, `${before_.length} rows`);
    const events = async (filter) => Object.values(JSON.parse(await natsRequest(stack.now().nats_url, "$JS.API.STREAM.INFO.MAL_EVT", JSON.stringify({ subjects_filter: filter }))).state.subjects).reduce((sum, n) => sum + n, 0);
    const all = await events("mal.evt.sprint.>") + await events("mal.evt.gateway.tool.called");
    assert.ok(all > 300, `${all} events`);
    await stack.without("gamify", async () => {
      for (const durable of ["gamify_awards", "gamify_tools"])
        assert.match(await natsRequest(stack.now().nats_url, `$JS.API.CONSUMER.DELETE.MAL_EVT.${durable}`), /"success":\s*true/);
    });
    await settled();
    assert.deepEqual(await state(), before_);
    let again = 0;
    for (const copy of ["gamify", "gamify-2"]) {
      again += await stack.metric(copy, "mal_events_consumed_total", 'outcome="applied"');
      assert.equal(await stack.metric(copy, "mal_events_consumed_total", 'outcome="dead"'), 0);
    }
    assert.ok(again >= all, `${again} of ${all} events came again`);
  });
});

describe("the catalog away", () => {
  test("leaves the team's work and the game as they are, and their calls are in the log afterwards", async () => {
    await join_("rob");
    await stack.without("catalog", async () => {
      await hub.fails("mal_list_skills", {}, "UNAVAILABLE");
      await hub.fails("mal_get_audit_log", {}, "UNAVAILABLE");
      await hub.ok("mal_create_project", project("alone", { key: "ALO" }));
      await hub.ok("mal_log_contribution", { user_id: "rob", type: "review", project_id: "alone" });
      assert.equal((await hub.ok("mal_get_leaderboard", { project_id: "alone" })).items[0].xp, 11);
    });
    await until("the call is logged", async () => (await hub.ok("mal_get_audit_log", { resource_id: "alone" })).total === 1);
  });
});

describe("what others see of it", () => {
  test("no list_changed is sent for the team's work and the game", async () => {
    const stream = await hub.listen({ toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true });
    await hub.ok("mal_create_project", project("quiet"));
    await hub.ok("mal_delete_project", { id: "quiet", confirm: true });
    await move((await item({ assignee: "mia", story_points: 1 })).id, "done");
    await join_("quiet-one");
    await settled();
    await hub.ok("mal_register_command", { id: "fence", name: "Fence", description: "x", author: "e2e", category: "demo", shell: "bash", script_template: "true" });
    assert.equal((await stream.next()).method, "notifications/prompts/list_changed");
    assert.equal(stream.events.length, 2, "the acknowledgement and the fence");
    stream.close();
  });

  test("each call is in the audit log with the id that it was about", async () => {
    await hub.ok("mal_create_project", project("audited", { key: "AUD" }));
    await hub.ok("mal_create_sprint", sprint("audited-sprint", { project_id: "audited" }));
    const { id } = await item({ project_id: "audited" });
    const { contribution } = await hub.ok("mal_log_contribution", { user_id: "mia", type: "review" });
    await hub.ok("mal_get_sprint_report", { sprint_id: "audited-sprint" });
    await hub.fails("mal_delete_project", { id: "audited" }, "FAILED_PRECONDITION", "CONFIRMATION_REQUIRED");
    await hub.fails("mal_get_team_member", { id: "audited-nobody" }, "NOT_FOUND");
    const expected = [["mal_create_project", "audited", "ok"], ["mal_create_sprint", "audited-sprint", "ok"], ["mal_create_work_item", id, "ok"],
      ["mal_log_contribution", contribution.id, "ok"], ["mal_get_sprint_report", "audited-sprint", "ok"],
      ["mal_delete_project", "audited", "failed_precondition"], ["mal_get_team_member", "audited-nobody", "not_found"]];
    for (const [tool_name, resource_id, status] of expected)
      await until(`${tool_name} on ${resource_id}`, async () => {
        const { items } = await hub.ok("mal_get_audit_log", { tool_name, resource_id });
        return items.length === 1 && items[0].status === status && items[0].user_key === "default";
      }, { deadline: 2000 });
  });
});

for (const kind of KINDS) {
  describe(`a team with ${kind}`, () => {
    const tag = kind.replaceAll(" ", "-");
    const who = (name) => `${tag}-${name}`;
    let session;
    before(async () => {
      session = await connect(kind, stack);
    });
    after(() => session?.close());
    const call = async (tool, args) => {
      const result = await session.call(tool, args);
      assert.ok(!result.isError, result.content[0].text);
      return result.structuredContent;
    };

    test("plans, works, talks and looks back, and the game follows from it", async () => {
      const [lena, sam] = [who("lena"), who("sam")];
      for (const id of [lena, sam]) await call("mal_register_team_member", member(id, { name: id, email: `${id}@example.com` }));
      const { project: made } = await call("mal_create_project", { name: `Board ${tag}`, key: "BRD", owner_id: lena });
      const { sprint: run } = await call("mal_create_sprint", { name: `Run ${tag}`, project_id: made.id, start_date: day(5), end_date: day(-5), status: "active", team_capacity: 20 });
      const stories = [];
      for (const [title, story_points, assignee] of [["Columns", 5, lena], ["Cards", 3, sam], ["Colours", 2, sam]])
        stories.push((await call("mal_create_work_item", { title, type: "story", story_points, assignee, sprint_id: run.id })).work_item);
      assert.ok(stories.every(({ id, project_id }) => id.startsWith("BRD-") && project_id === made.id));
      await call("mal_update_work_item", { id: stories[0].id, status: "in_progress" });
      await call("mal_log_interaction", { session_id: tag, user_id: lena, title: "How the board looks", summary: `About ${stories[0].id}.`,
        decisions: ["Columns are fixed."], tools_used: ["mal_get_sprint", "mal_list_work_items"], messages: [{ role: "human", content: "How?" }, { role: "assistant", content: "So." }] });
      repo(tag, ...[1, 0].map((ago) => commit(lena, ago, { name: lena, files: { "board.tsx": lines(ago ? 120 : 1) } })));
      const synced = await call("mal_get_commit_activity", { repo_path: join(roots, tag), project_id: made.id });
      assert.deepEqual(synced.synced.map(({ user_id, commits }) => [user_id, commits]), [[lena, 2]]);
      await call("mal_bulk_update_work_items", { ids: stories.slice(0, 2).map(({ id }) => id), status: "done" });

      // Lena: a conversation today, commits of yesterday and today, a story of 5 points; the order in
      // which they arrive decides the streak of the conversation, so only its bounds are known.
      await until("the work counts", async () => {
        const got = (await ledger(lena)).map((row) => row[0]).sort();
        return got.join() === "achievement,achievement,commit,commit,interaction,work_item";
      }, { every: 50 });
      const lenas = await call("mal_get_team_member", { id: lena });
      assert.deepEqual(unlocked(lenas), ["first-chat", "first-commit"]);
      assert.equal(lenas.member.streak_days, 2);
      assert.equal(lenas.member.xp, sum((await ledger(lena)).map((row) => Number(row[2]))));
      assert.equal(sum(Object.values(lenas.radar)), 100);
      await xp(sam, 33);

      const report = await call("mal_get_sprint_report", { sprint_id: run.id });
      assert.deepEqual([report.points, report.velocity], [{ total: 10, done: 8, remaining: 2 }, 8]);
      const { sprint: over } = await call("mal_update_sprint", { id: run.id, status: "completed", summary: "It went well." });
      assert.equal(over.velocity, 8);
      await xp(sam, 33 + 55 + BRONZE);
      await until("lena's sprint", async () => unlocked(await call("mal_get_team_member", { id: lena })).includes("sprint-runner"));
      const { items } = await call("mal_get_leaderboard", { project_id: made.id });
      assert.deepEqual(items.map(({ rank, user_id }) => [rank, user_id]), [[1, lena], [2, sam]]);
      assert.equal(items[1].xp, 33 + 55);
      const back = await call("mal_run_retrospective", { sprint_id: run.id });
      assert.deepEqual(back.went_well.slice(0, 2), ["Completed 8 of 10 points (80.0 %).", "Finished on time."]);
      assert.deepEqual(back.incomplete.map(({ id }) => id), [stories[2].id]);
      assert.ok(back.members.every(({ xp: points }) => points > 0), JSON.stringify(back.members));
      const found = await call("mal_search_interactions", { query: `"columns are fixed"`, user_id: lena });
      assert.equal(found.items[0].interaction.work_item_id, stories[0].id);
      assert.equal(found.items[0].interaction.sprint_id, run.id, "a linked item passes on its sprint");
      const over_rest = await request(`${stack.base}/api/v1/sprints/${run.id}/retrospective`, { method: "GET", headers: { "x-api-key": stack.key } });
      assert.deepEqual(over_rest.json.members, back.members);
    });
  });
}

test("nothing that the processes do is refused by the bus", () => {
  const refused = stack.log("nats").split("\n").filter((line) => /Violation/.test(line));
  assert.deepEqual(refused, []);
});
