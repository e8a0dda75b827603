// A team at work whose every call is kept: each member creates and moves work items, logs
// conversations and contributions, completes sprints and reads, and tries again what failed, as
// people do. Beside it grows what must be true of the game afterwards.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { request } from "./http.mjs";
import { Modern } from "./mcp.mjs";
import { skill } from "./samples.mjs";
import { pause } from "./wait.mjs";

/** Errors a caller may get while something is away; anything else is a bug. */
const CLEAR = ["UNAVAILABLE", "DEADLINE_EXCEEDED"];
const day = (offset) => new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10);

/** What the calls of everyone came to. */
export class Book {
  answered = []; // {id, tool, user, status}: has to be in the audit log
  unanswered = []; // may be there
  errors = {};
  unclear = [];
  acknowledged = 0;
}

/** Routes of what is called over REST as well. */
const routes = {
  mal_create_work_item: () => ["POST", "/api/v1/work-items"],
  mal_update_work_item: ({ id }) => ["PATCH", `/api/v1/work-items/${id}`, "id"],
  mal_log_interaction: () => ["POST", "/api/v1/interactions"],
  mal_log_contribution: () => ["POST", "/api/v1/contributions"],
  mal_register_skill: () => ["POST", "/api/v1/skills"],
};

export class Member {
  constructor(stack, book, { user, key, pick, tag }) {
    Object.assign(this, { stack, book, user, key, pick, tag });
    this.n = 0;
    this.skills = new Map(); // id -> version
    this.items = new Map(); // id -> {status, points, type, assignee, moves}
    this.talks = new Set();
    this.ledger = []; // expected rows: {type, reference, base, reversed}
    this.counts = { interaction: 0, decisions: 0, bugs: 0, sprints: 0, top: 0 };
    this.most = { ...this.counts };
    this.sprints = [];
  }

  // ---- calls

  async overMcp(url, tool, args, id) {
    const client = new Modern(this.stack, { url, key: this.key });
    const answer = await client.post("tools/call", { name: tool, arguments: args }, { timeout: 15_000, headers: { "X-Request-Id": id } });
    const result = answer.message?.result;
    if (answer.status !== 200 || !result) return { status: `${answer.status}`, text: answer.text };
    if (!result.isError) return { ok: true, data: result.structuredContent };
    return { status: result._meta["mal.hub/error"].status, text: answer.text, told: true };
  }

  async overRest(url, tool, args, id) {
    const [method, path, taken] = routes[tool](args);
    const body = Object.fromEntries(Object.entries(args).filter(([name]) => name !== taken));
    const answer = await request(url.replace(/\/mcp$/, path), {
      method,
      headers: { "Content-Type": "application/json", "x-api-key": this.key, "X-Request-Id": id },
      body: JSON.stringify(body),
      timeout: 15_000,
    });
    if (answer.status < 300) return { ok: true, data: answer.json };
    const status = answer.json?.error?.status ?? `${answer.status}`;
    return { status, text: answer.text, told: answer.status !== 503 };
  }

  /** One try of a call: {ok, data} or {status}. */
  async attempt(tool, args) {
    const id = randomUUID();
    const { urls } = this.stack;
    const url = urls[this.pick(urls.length)];
    let answer;
    try {
      answer = await (routes[tool] && this.pick(3) === 0 ? this.overRest(url, tool, args, id) : this.overMcp(url, tool, args, id));
    } catch (error) {
      if (error.code === "ERR_ASSERTION") throw error;
      answer = { status: error.code ?? error.message }; // the gateway died or is not back
      answer.broken = true;
    }
    if (answer.ok || answer.told) this.book.answered.push({ id, tool, user: this.user, status: answer.ok ? "ok" : answer.status.toLowerCase() });
    else this.book.unanswered.push(id);
    return answer;
  }

  /** Calls until it is done; one that turns out to have been done by an earlier try counts. */
  async call(tool, args, { done = [] } = {}) {
    const give_up = Date.now() + 60_000;
    for (let tries = 0; ; tries++) {
      const answer = await this.attempt(tool, args);
      if (answer.ok || (tries > 0 && done.includes(answer.status))) {
        this.book.acknowledged++;
        return answer.data;
      }
      this.book.errors[answer.status] = (this.book.errors[answer.status] ?? 0) + 1;
      if (!answer.broken && !CLEAR.includes(answer.status) && answer.status !== "503") {
        this.book.unclear.push(`${tool} ${JSON.stringify(args).slice(0, 200)}: ${answer.text?.slice(0, 300)}`);
        throw new Error(this.book.unclear.at(-1));
      }
      if (Date.now() > give_up) throw new Error(`${tool} did not work for a minute: ${answer.status}`);
      await pause(20 + this.pick(80));
    }
  }

  // ---- what follows for the game

  award(type, reference, base) {
    this.ledger.push({ type, reference, base, reversed: false });
  }

  reverse(type, reference) {
    for (const row of this.ledger) if (row.type === type && row.reference === reference) row.reversed = true;
  }

  count(what, n) {
    this.counts[what] += n;
    this.most[what] = Math.max(this.most[what], this.counts[what]);
  }

  completed(item) {
    item.status = "done";
    item.moves++;
    if (item.assignee !== this.user) return;
    this.award("work_item", item.id, 10 * (item.points ?? 0));
    if (item.type === "bug") this.count("bugs", 1);
  }

  reopened(item) {
    item.status = "in_progress";
    item.moves++;
    if (item.assignee !== this.user) return;
    this.reverse("work_item", item.id);
    if (item.type === "bug") this.count("bugs", -1);
  }

  // ---- what a member does

  async createItem(status = "todo") {
    const id = `${this.tag}-${this.user}-i${++this.n}`;
    const item = {
      id,
      status: "todo",
      type: ["task", "bug", "story"][this.pick(3)],
      points: [undefined, 0, 1, 2, 3][this.pick(5)],
      assignee: [this.user, this.user, this.user, this.user, "nobody-known", undefined][this.pick(6)],
      sprint: this.sprint?.id,
      moves: 0,
    };
    const args = { id, title: `Item ${id}`, type: item.type, status };
    if (item.points !== undefined) args.story_points = item.points;
    if (item.assignee) args.assignee = item.assignee;
    if (item.sprint) args.sprint_id = item.sprint;
    await this.call("mal_create_work_item", args, { done: ["ALREADY_EXISTS"] });
    this.items.set(id, item);
    if (status === "done") {
      this.completed(item);
      item.moves = 0; // the journal begins after the creation
    }
    return item;
  }

  async move(item, status) {
    await this.call("mal_update_work_item", { id: item.id, status });
    if (status === "done") this.completed(item);
    else this.reopened(item);
  }

  async workOnItem() {
    const item = await this.createItem(this.pick(8) === 0 ? "done" : "todo");
    if (item.status !== "done") await this.move(item, "done");
    if (this.pick(3) > 0) return;
    await this.move(item, "in_progress");
    if (this.pick(3) > 0) await this.move(item, "done");
  }

  async workOnMany() {
    const items = [];
    for (let i = 0; i < 3; i++) items.push(await this.createItem());
    const moved = await this.call("mal_bulk_update_work_items", { ids: items.map(({ id }) => id), status: "done" });
    assert.deepEqual(moved.results.map(({ ok }) => ok), [true, true, true]);
    for (const item of items) this.completed(item);
  }

  async talk() {
    const id = `${this.tag}-${this.user}-t${++this.n}`;
    const tools = this.pick(4);
    const decisions = this.pick(3);
    await this.call("mal_log_interaction", {
      id,
      session_id: `session-${id}`,
      user_id: this.user,
      title: "What was said",
      tools_used: ["alpha", "beta", "gamma"].slice(0, tools),
      decisions: ["first", "second"].slice(0, decisions),
    }, { done: ["ALREADY_EXISTS"] });
    this.talks.add(id);
    this.award("interaction", id, Math.min(30, 5 + 3 * tools + (decisions ? 5 : 0)));
    this.count("interaction", 1);
    this.count("decisions", decisions);
  }

  async review() {
    const reference = `${this.tag}-${this.user}-r${++this.n}`;
    const comments = this.pick(12);
    await this.call("mal_log_contribution", { user_id: this.user, type: "review", reference_id: reference, metadata: { comments } });
    this.award("review", reference, Math.min(30, 10 + 2 * comments));
  }

  async beginSprint() {
    const id = `${this.tag}-${this.user}-s${++this.n}`;
    const sprint = { id, name: `Sprint of ${this.user} ${this.n}`, start_date: day(-3), end_date: day(10), status: "active" };
    await this.call("mal_create_sprint", sprint, { done: ["ALREADY_EXISTS"] });
    this.sprint = { id, status: "active" };
    this.sprints.push(this.sprint);
  }

  async moveSprint(status) {
    const { id } = this.sprint;
    await this.call("mal_update_sprint", { id, status });
    this.sprint.status = status;
    if (status !== "completed") {
      const row = this.ledger.findLast((one) => one.type === "sprint" && one.reference === id && !one.reversed);
      if (!row) return;
      row.reversed = true;
      this.count("sprints", -1);
      this.count("top", -Number(row.top));
      return;
    }
    const done = [...this.items.values()].filter((item) => item.sprint === id && item.status === "done");
    const points = (user) => done.filter((item) => item.assignee === user).reduce((sum, item) => sum + (item.points ?? 0), 0);
    if (!done.some((item) => item.assignee === this.user)) return;
    this.award("sprint", id, 50);
    this.ledger.at(-1).top = points(this.user) > 0 && points(this.user) >= points("nobody-known");
    this.count("sprints", 1);
    this.count("top", Number(this.ledger.at(-1).top));
  }

  async finishSprint() {
    await this.moveSprint("completed");
    if (this.pick(2)) {
      await this.moveSprint("active");
      if (this.pick(2)) await this.moveSprint("completed");
    }
    await this.beginSprint();
  }

  async keepSkill() {
    const id = `${this.tag}-${this.user}-k${++this.n}`;
    await this.call("mal_register_skill", skill(id), { done: ["ALREADY_EXISTS"] });
    this.skills.set(id, "1.0.0");
    if (this.pick(2)) return;
    await this.call("mal_update_skill", { id, version: "2.0.0" });
    this.skills.set(id, "2.0.0");
  }

  async look() {
    const some = (map, fallback) => [...map][this.pick(map.size)] ?? fallback;
    const reads = [
      ["mal_list_work_items", { assignee: this.user, limit: 5 }],
      ["mal_list_sprints", { limit: 5 }],
      ["mal_get_sprint", { id: this.sprint.id }],
      ["mal_list_interactions", { user_id: this.user, limit: 5 }],
      ["mal_list_skills", { limit: 5 }],
      ["mal_search_skills", { query: "says" }],
      ["mal_get_team_member", { id: this.user }],
      ["mal_get_leaderboard", { limit: 5 }],
      ["mal_get_achievements", { user_id: this.user }],
      ["mal_list_projects", {}],
    ];
    const item = some(new Set(this.items.keys()));
    if (item) reads.push(["mal_get_work_item", { id: item }]);
    await this.call(...reads[this.pick(reads.length)]);
  }

  /** Works until told to stop; what was begun is finished. */
  async work(stopped) {
    const doings = [this.workOnItem, this.workOnItem, this.workOnItem, this.workOnMany, this.talk, this.talk, this.review, this.keepSkill, this.look, this.look, this.look];
    await this.beginSprint();
    for (let n = 1; !stopped(); n++) {
      await doings[this.pick(doings.length)].call(this);
      if (n % 15 === 0) await this.finishSprint();
    }
  }
}
