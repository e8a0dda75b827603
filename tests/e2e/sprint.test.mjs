// What the tools of the team's work promise, seen from outside: projects, sprints, work items,
// conversations, reports.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { request } from "./http.mjs";
import { Modern } from "./mcp.mjs";
import { member, project, sprint, talk } from "./samples.mjs";
import { learn } from "./schema.mjs";
import { useStack } from "./stack.mjs";
import { stopwatch, until } from "./wait.mjs";

let hub;
const stack = useStack({ before, after }, { replicas: 2, args: ["--no-starter"], env: { MAL_RATE_LIMIT: "0", MAL_TEAM_PULSE_ENABLED: "true" } }, async () => {
  hub = new Modern(stack);
  learn(await hub.all("tools/list", "tools"));
});

const ids = (list) => list.items.map((item) => item.id);
const item = async (args) => (await hub.ok("mal_create_work_item", { title: "Something to do", ...args })).work_item;
const change = async (id, args) => hub.ok("mal_update_work_item", { id, ...args });
const fetched = async (id) => hub.ok("mal_get_work_item", { id });
const dayOf = (offset) => new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10);

/** A sprint with items given as [points, status, more]; gives its items. */
async function plan(id, rows, more = {}) {
  await hub.ok("mal_create_sprint", sprint(id, more));
  const made = [];
  for (const [story_points, status, rest = {}] of rows)
    made.push(await item({ sprint_id: id, ...(story_points !== null && { story_points }), status, ...rest }));
  return made;
}

/** Runs the work with so many calls under way at once. */
async function inParallel(count, width, work) {
  const results = [];
  let next = 0;
  await Promise.all(Array.from({ length: width }, async () => {
    for (let i = next++; i < count; i = next++) results[i] = await work(i);
  }));
  return results;
}

async function rest(method, path, body) {
  return request(`${stack.base}${path}`, {
    method,
    headers: { "x-api-key": stack.key, ...(body && { "Content-Type": "application/json" }) },
    body: body && JSON.stringify(body),
  });
}

describe("numbers of work items", () => {
  test("are MAL-1 and MAL-2, and one given by hand is skipped", async () => {
    assert.equal((await item({})).id, "MAL-1");
    assert.equal((await item({})).id, "MAL-2");
    await item({ id: "MAL-3" });
    assert.equal((await item({})).id, "MAL-4");
    await hub.fails("mal_create_work_item", { id: "MAL-3", title: "Again" }, "ALREADY_EXISTS");
  });

  test("go by the key of the project, and 50 made at once are 50", async () => {
    await hub.ok("mal_create_project", project("interfaces", { key: "API" }));
    assert.equal((await item({ project_id: "interfaces" })).id, "API-1");
    const made = await Promise.all(Array.from({ length: 50 }, () => item({ project_id: "interfaces" })));
    assert.deepEqual(new Set(made.map(({ id }) => id)), new Set(Array.from({ length: 50 }, (_, i) => `API-${i + 2}`)));
  });
});

describe("projects", () => {
  test("of the same name get ids of their own, a given id that is taken is refused", async () => {
    assert.equal((await hub.ok("mal_create_project", { name: "Über Plan" })).project.id, "uber-plan");
    assert.equal((await hub.ok("mal_create_project", { name: "Über Plan" })).project.id, "uber-plan-2");
    const taken = await hub.fails("mal_create_project", project("uber-plan"), "ALREADY_EXISTS");
    assert.match(taken.text, /mal_update_project/);
  });

  test("have defaults, and null clears what may be cleared", async () => {
    const { project: made } = await hub.ok("mal_create_project", project("defaults", { description: "Old.", owner_id: "ana", metadata: { repo_url: "https://example.com" } }));
    assert.deepEqual([made.key, made.status, made.color, made.metadata], ["MAL", "active", "blue", { repo_url: "https://example.com" }]);
    const { project: cleared, changed } = await hub.ok("mal_update_project", { id: "defaults", description: null, owner_id: null, metadata: {} });
    assert.deepEqual([cleared.description, cleared.owner_id, cleared.metadata], [undefined, undefined, {}]);
    assert.deepEqual(changed.sort(), ["description", "metadata", "owner_id"]);
    await hub.fails("mal_update_project", { id: "defaults", name: null }, "INVALID_ARGUMENT");
    const same = await hub.ok("mal_update_project", { id: "defaults", name: cleared.name });
    assert.deepEqual([same.changed, same.project.updated_at], [[], cleared.updated_at]);
  });

  test("show their sprints and the numbers of their items", async () => {
    await hub.ok("mal_create_project", project("shown"));
    await hub.ok("mal_create_sprint", sprint("shown-1", { project_id: "shown" }));
    await hub.ok("mal_create_sprint", sprint("shown-2", { project_id: "shown", start_date: "2026-03-17", end_date: "2026-03-30" }));
    for (const status of ["done", "todo", "cancelled"]) await item({ sprint_id: "shown-1", status });
    const got = await hub.ok("mal_get_project", { id: "shown" });
    assert.deepEqual(got.sprints.map(({ id }) => id), ["shown-2", "shown-1"]);
    assert.deepEqual([got.sprints_total, got.work_items], [2, { total: 3, done: 1, open: 1 }]);
  });

  test("deleted without cascade leave their sprints and items", async () => {
    await hub.ok("mal_create_project", project("left"));
    await hub.ok("mal_create_sprint", sprint("left-1", { project_id: "left" }));
    const { id } = await item({ sprint_id: "left-1" });
    assert.equal((await fetched(id)).work_item.project_id, "left", "an item takes the project of its sprint");
    const gone = await hub.ok("mal_delete_project", { id: "left", confirm: true });
    assert.deepEqual(gone, { id: "left", deleted: true, cascade: false, sprints_deleted: 0, work_items_deleted: 0, sprints_detached: 1, work_items_detached: 1 });
    assert.equal((await fetched(id)).work_item.project_id, undefined);
    assert.equal((await hub.ok("mal_get_sprint", { id: "left-1" })).sprint.project_id, undefined);
  });

  test("deleted with cascade take 3 sprints and 150 items with them, after saying so", async () => {
    await hub.ok("mal_create_project", project("apollo", { key: "APO" }));
    for (const n of [1, 2, 3]) await hub.ok("mal_create_sprint", sprint(`apollo-${n}`, { project_id: "apollo" }));
    await inParallel(150, 8, (i) => item({ project_id: "apollo", ...(i % 2 && { sprint_id: `apollo-${(i % 3) + 1}` }) }));
    const asked = await hub.fails("mal_delete_project", { id: "apollo", cascade: true }, "FAILED_PRECONDITION", "CONFIRMATION_REQUIRED");
    assert.match(asked.text, /^Error: Deleting project 'apollo' with cascade removes 3 sprints and 150 work items\.\n/);
    assert.equal((await hub.ok("mal_get_project", { id: "apollo" })).work_items.total, 150, "nothing was done");
    const gone = await hub.ok("mal_delete_project", { id: "apollo", cascade: true, confirm: true });
    assert.deepEqual([gone.sprints_deleted, gone.work_items_deleted], [3, 150]);
    await hub.fails("mal_get_project", { id: "apollo" }, "NOT_FOUND");
    await hub.fails("mal_get_work_item", { id: "APO-1" }, "NOT_FOUND");
    await hub.fails("mal_get_sprint", { id: "apollo-1" }, "NOT_FOUND");
  });
});

describe("confirmation of mal_delete_project", () => {
  const form = { elicitation: { form: {} } };

  test("a client with a form is asked with the exact sentence; its no changes nothing, its yes deletes", async () => {
    await hub.ok("mal_create_project", project("asked"));
    const client = new Modern(stack, { capabilities: form });
    const asked = await client.result("tools/call", { name: "mal_delete_project", arguments: { id: "asked" } });
    assert.equal(asked.resultType, "input_required");
    assert.match(asked.inputRequests.confirm.params.message, /Deleting project 'asked'/);
    const answer = (action) => client.result("tools/call", {
      name: "mal_delete_project", arguments: { id: "asked" }, requestState: asked.requestState,
      inputResponses: { confirm: { action, ...(action === "accept" && { content: { confirm: true } }) } },
    });
    const refused = await answer("decline");
    assert.equal(refused._meta["mal.hub/error"].reason, "NOT_CONFIRMED");
    const again = await client.result("tools/call", { name: "mal_delete_project", arguments: { id: "asked" } });
    asked.requestState = again.requestState;
    assert.equal((await answer("accept")).structuredContent.deleted, true);
  });
});

describe("sprints", () => {
  test("may begin and end on one day, never end before they begin", async () => {
    await hub.fails("mal_create_sprint", sprint("backwards", { end_date: "2026-03-01" }), "INVALID_ARGUMENT");
    await hub.ok("mal_create_sprint", sprint("one-day", { end_date: "2026-03-02" }));
    await hub.fails("mal_update_sprint", { id: "one-day", start_date: "2026-03-03" }, "INVALID_ARGUMENT");
    await hub.ok("mal_update_sprint", { id: "one-day", start_date: "2026-03-03", end_date: "2026-03-03" });
    await hub.fails("mal_create_sprint", sprint("homeless", { project_id: "nowhere" }), "NOT_FOUND");
  });

  test("are listed by the days that they overlap, both ends included", async () => {
    await hub.ok("mal_create_project", project("spans"));
    for (const [id, start_date, end_date] of [["span-a", "2025-01-01", "2025-01-10"], ["span-b", "2025-01-10", "2025-01-20"], ["span-c", "2025-01-21", "2025-01-30"]])
      await hub.ok("mal_create_sprint", sprint(id, { project_id: "spans", start_date, end_date }));
    const within = async (from, to) => ids(await hub.ok("mal_list_sprints", { project_id: "spans", from, to })).sort();
    assert.deepEqual(await within("2025-01-10", "2025-01-10"), ["span-a", "span-b"]);
    assert.deepEqual(await within("2025-01-20", "2025-01-21"), ["span-b", "span-c"]);
    assert.deepEqual(await within("2025-01-31", undefined), []);
    await hub.fails("mal_list_sprints", { from: "2025-01-02", to: "2025-01-01" }, "INVALID_ARGUMENT");
  });

  test("velocity follows the items until completion and not afterwards; reopening follows again", async () => {
    const [first, second] = await plan("speed", [[5, "done"], [3, "todo"]], { status: "active" });
    const velocity = async () => (await hub.ok("mal_get_sprint", { id: "speed" })).sprint.velocity;
    assert.equal(await velocity(), 5);
    await hub.fails("mal_update_sprint", { id: "speed", velocity: 99 }, "INVALID_ARGUMENT");
    await change(second.id, { status: "done" });
    assert.equal(await velocity(), 8);
    const done = await hub.ok("mal_update_sprint", { id: "speed", status: "completed" });
    assert.equal(done.sprint.velocity, 8);
    assert.ok(done.sprint.completed_at);
    await change(first.id, { status: "todo" });
    assert.equal(await velocity(), 8, "frozen");
    assert.equal((await hub.ok("mal_get_sprint_report", { sprint_id: "speed" })).velocity_frozen, true);
    await hub.ok("mal_update_sprint", { id: "speed", velocity: 13 });
    assert.equal(await velocity(), 13);
    const open = await hub.ok("mal_update_sprint", { id: "speed", status: "active" });
    assert.deepEqual([open.sprint.velocity, open.sprint.completed_at], [3, undefined]);
  });

  test("show all their items in the order of the board, grouped in the text", async () => {
    await plan("board", [[1, "done"], [2, "backlog", { priority: "low" }], [3, "in_progress"], [null, "backlog", { priority: "critical" }], [8, "cancelled"]]);
    const got = await hub.ok("mal_get_sprint", { id: "board" });
    assert.deepEqual(got.items.map(({ status }) => status), ["backlog", "backlog", "in_progress", "done", "cancelled"]);
    assert.deepEqual(got.items.slice(0, 2).map(({ priority }) => priority), ["critical", "low"]);
    assert.deepEqual([got.items_total, got.points_total, got.points_done], [5, 6, 1]);
    assert.deepEqual(got.by_status.find(({ status }) => status === "backlog"), { status: "backlog", count: 2, points: 2 });
    const { text } = (await hub.tool("mal_get_sprint", { id: "board" })).content[0];
    assert.match(text, /^## Sprint: Sprint board\n/);
    assert.match(text, /\n\n### backlog \(2\)\n- `MAL-\d+` Something to do — task · backlog · critical · board\n/);
    assert.match(text, /\n\n### in_progress \(1\)\n- `MAL-\d+` Something to do — task · in_progress · medium · 3 points · board\n/);
  });
});

describe("work items", () => {
  test("record the time when they are done, by create, update and bulk, and forget it when they are not", async () => {
    const soon = (at) => Math.abs(new Date(at) - Date.now()) < 60_000;
    const made = await item({ status: "done" });
    assert.ok(soon(made.completed_at));
    const { id } = await item({});
    assert.ok(soon((await change(id, { status: "done" })).work_item.completed_at));
    assert.equal((await change(id, { status: "review" })).work_item.completed_at, undefined);
    await hub.ok("mal_bulk_update_work_items", { ids: [id], status: "done" });
    assert.ok(soon((await fetched(id)).work_item.completed_at));
    const past = "2026-03-02T10:00:00.000Z";
    assert.equal((await change(id, { completed_at: past })).work_item.completed_at, past);
    const future = new Date(Date.now() + 3_600_000).toISOString();
    for (const [args, tool] of [[{ id, completed_at: future }, "mal_update_work_item"], [{ id: made.id, status: "todo", completed_at: past }, "mal_update_work_item"],
      [{ title: "x", completed_at: past }, "mal_create_work_item"], [{ title: "x", status: "done", completed_at: future }, "mal_create_work_item"]])
      await hub.fails(tool, args, "INVALID_ARGUMENT");
  });

  test("never become their own ancestor, and what they refer to has to be there", async () => {
    const top = await item({ type: "epic" });
    const middle = await item({ parent_id: top.id });
    const low = await item({ parent_id: middle.id });
    for (const parent_id of [top.id, middle.id, low.id])
      await hub.fails("mal_update_work_item", { id: top.id, parent_id }, "FAILED_PRECONDITION", "CYCLE");
    for (const field of ["sprint_id", "project_id", "parent_id"]) {
      const missing = await hub.fails("mal_update_work_item", { id: low.id, [field]: "nowhere" }, "NOT_FOUND");
      assert.match(missing.text, new RegExp(field));
      await hub.fails("mal_create_work_item", { title: "x", [field]: "nowhere" }, "NOT_FOUND");
    }
    assert.deepEqual((await fetched(top.id)).children.map(({ id }) => id), [middle.id]);
  });

  test("null empties a field, and what nobody changed leaves updated_at", async () => {
    const { id } = await item({ description: "Long.", assignee: "ana", story_points: 3, due_date: "2026-04-01", labels: ["B", "a", "b"] });
    const full = (await fetched(id)).work_item;
    assert.deepEqual(full.labels, ["b", "a"]);
    const { work_item: bare, changed } = await change(id, { description: null, assignee: null, story_points: null, due_date: null, labels: [] });
    assert.deepEqual([bare.description, bare.assignee, bare.story_points, bare.due_date, bare.labels], [undefined, undefined, undefined, undefined, []]);
    assert.equal(changed.length, 5);
    assert.ok(bare.updated_at > full.updated_at);
    const same = await change(id, { title: bare.title });
    assert.deepEqual([same.changed, same.work_item.updated_at], [[], bare.updated_at]);
    await hub.fails("mal_update_work_item", { id, title: null }, "INVALID_ARGUMENT");
    await hub.fails("mal_update_work_item", { id }, "INVALID_ARGUMENT");
  });

  test("show who changed what, newest first, their children, and conversations that only mention them", async () => {
    const { id } = await item({ title: "Watched" });
    const child = await item({ parent_id: id });
    await change(id, { status: "todo", priority: "high" });
    await change(id, { assignee: "ana" });
    await hub.ok("mal_log_interaction", talk("mention-only", { title: "A chat", summary: `We spoke of ${id} at length.` }));
    const got = await fetched(id);
    const [first] = got.history;
    assert.deepEqual([first.actor, first.field, first.old_value, first.new_value], ["default", "assignee", undefined, "ana"]);
    assert.deepEqual(got.history.map(({ field }) => field).sort(), ["assignee", "priority", "status"]);
    assert.deepEqual(got.children.map((one) => one.id), [child.id]);
    assert.deepEqual(got.interactions.map((one) => one.id), ["mention-only"]);
    const { text } = (await hub.tool("mal_get_work_item", { id })).content[0];
    assert.match(text, /^## Work item: Watched\n/);
    assert.match(text, /\n### history\n- \S+ @default: assignee \(none\) → ana\n/);
  });

  test("carry since when they are blocked, anew each time", async () => {
    const { id } = await item({ labels: ["blocked"] });
    const since = async () => (await fetched(id)).work_item.blocked_since;
    const first = await since();
    assert.ok(first);
    await change(id, { labels: ["blocked", "ui"] });
    assert.equal(await since(), first);
    await change(id, { labels: ["ui"] });
    assert.equal(await since(), undefined);
    await hub.ok("mal_bulk_update_work_items", { ids: [id], labels: ["blocked"] });
    assert.ok((await since()) > first);
  });

  test("are found by every filter, which all must hold", async () => {
    await hub.ok("mal_create_project", project("filtered", { key: "FIL" }));
    const a = await item({ project_id: "filtered", type: "bug", priority: "high", assignee: "bo", labels: ["ui"] });
    const b = await item({ project_id: "filtered", type: "bug", status: "todo", labels: ["api"], parent_id: a.id });
    const list = async (args) => ids(await hub.ok("mal_list_work_items", { project_id: "filtered", ...args }));
    assert.deepEqual(await list({}), [b.id, a.id]);
    assert.deepEqual(await list({ type: "bug", priority: "high" }), [a.id]);
    assert.deepEqual(await list({ labels: "UI, api" }), [b.id, a.id]);
    assert.deepEqual(await list({ labels: "none" }), []);
    assert.deepEqual(await list({ assignee: "bo", status: "todo" }), []);
    assert.deepEqual(await list({ parent_id: a.id }), [b.id]);
  });

  test("fifty at once may be changed by fifty writers, and no change is lost", async () => {
    const { id } = await item({ labels: [] });
    await Promise.all(Array.from({ length: 50 }, (_, i) => change(id, { metadata: { i }, title: `Title ${i}` })));
    const [[rows]] = await stack.sql(`select count(*) from sprint.work_item_change where work_item_id = '${id}' and field = 'title'`);
    assert.equal(Number(rows), 50);
    const chain = await stack.sql(`select old_value, new_value from sprint.work_item_change where work_item_id = '${id}' and field = 'title' order by id`);
    for (let i = 1; i < chain.length; i++) assert.equal(chain[i][0], chain[i - 1][1], "each change follows the one before");
  });
});

describe("bulk update", () => {
  test("changes 50, reports unknown ids one by one, and refuses 0, 51 and doubles", async () => {
    const made = (await inParallel(50, 8, () => item({}))).map(({ id }) => id);
    const all = await hub.ok("mal_bulk_update_work_items", { ids: made, priority: "low", labels: ["swept"] });
    assert.deepEqual([all.updated, all.failed, all.total, all.changed_fields.sort()], [50, 0, 50, ["labels", "priority"]]);
    assert.deepEqual(all.results.map(({ id }) => id), made);
    const mixed = await hub.tool("mal_bulk_update_work_items", { ids: [made[0], "NO-1", made[1]], status: "todo" });
    const { structuredContent: some } = mixed;
    assert.deepEqual([some.updated, some.failed, some.results.map(({ ok }) => ok)], [2, 1, [true, false, true]]);
    assert.match(some.results[1].status, /not_found/i);
    assert.match(mixed.content[0].text, new RegExp(`^Updated 2 of 3 work items: status\\.\n\n- \`${made[0]}\` — ok\n- \`NO-1\` — `));
    const none = await hub.ok("mal_bulk_update_work_items", { ids: ["NO-1", "NO-2"], status: "todo" });
    assert.deepEqual([none.updated, none.failed], [0, 2]);
    for (const wrong of [{ ids: [], status: "todo" }, { ids: [...made, "NO-1"], status: "todo" }, { ids: [made[0], made[0]], status: "todo" }, { ids: made }])
      await hub.fails("mal_bulk_update_work_items", wrong, "INVALID_ARGUMENT");
  });

  test("null takes items out of their sprint, an unknown sprint changes nothing", async () => {
    const [one] = await plan("bulk-sprint", [[1, "todo"]]);
    await hub.fails("mal_bulk_update_work_items", { ids: [one.id], sprint_id: "nowhere", priority: "critical" }, "NOT_FOUND");
    assert.deepEqual([(await fetched(one.id)).work_item.sprint_id, (await fetched(one.id)).work_item.priority], ["bulk-sprint", "medium"]);
    await hub.ok("mal_bulk_update_work_items", { ids: [one.id], sprint_id: null });
    assert.equal((await fetched(one.id)).work_item.sprint_id, undefined);
  });
});

describe("the sprint report", () => {
  test("adds up to the items, and cancelled ones do not count", async () => {
    const start = dayOf(-7);
    await plan("report", [
      [5, "done", { assignee: "ana", type: "story" }], [3, "in_progress", { assignee: "ana" }], [2, "todo", { type: "bug" }],
      [13, "cancelled", { assignee: "bo" }], [null, "backlog", { assignee: "bo" }],
    ], { status: "active", start_date: start, end_date: dayOf(7), team_capacity: 8, goal: "Ship the board" });
    const report = await hub.ok("mal_get_sprint_report", { sprint_id: "report" });
    assert.deepEqual(report.points, { total: 10, done: 5, remaining: 5 });
    assert.deepEqual(report.items, { total: 4, done: 1, open: 3, cancelled: 1 });
    assert.deepEqual([report.velocity, report.velocity_frozen, report.completion_percent, report.capacity_percent], [5, false, 50, 125]);
    assert.deepEqual([report.total_days, report.elapsed_days, report.remaining_days, report.day], [14, 8, 6, 8]);
    assert.equal(report.by_status.reduce((sum, { count }) => sum + count, 0), 5);
    assert.deepEqual(report.by_assignee.find(({ assignee }) => assignee === "ana"), { assignee: "ana", count: 2, done: 1, points: 8, points_done: 5 });
    assert.equal(report.by_assignee.at(-1).assignee, "", "nobody comes last");
    assert.equal(report.burndown.length, 15);
    assert.deepEqual([report.burndown[0].ideal, report.burndown.at(-1).ideal], [10, 0]);
    assert.deepEqual(report.burndown.map(({ date }) => date), Array.from({ length: 15 }, (_, i) => dayOf(i - 7)));
    assert.deepEqual(report.burndown.map(({ remaining }) => remaining), [...Array(7).fill(10), 5, ...Array(7).fill(undefined)]);
    const { text } = (await hub.tool("mal_get_sprint_report", { sprint_id: "report" })).content[0];
    for (const line of [/^## Sprint report: Sprint report \(`report`\)\n/, /\n\*\*goal\*\*: Ship the board\n/, /\*\*points\*\*: 5 of 10 done \(50\.0 %\)/, /\n### By status\n/, /\n### Burndown\n/, /\*\*capacity\*\*: 10 of 8 \(125\.0 %\)/])
      assert.match(text, line);
  });

  test("says when work is behind its time, or blocked for more than two days", async () => {
    const days = { start_date: dayOf(-10), end_date: dayOf(10), status: "active" };
    const health = async (id) => (await hub.ok("mal_get_sprint_report", { sprint_id: id })).health;
    await plan("pace-0", [[10, "todo"], [90, "done"]], days);
    assert.equal(await health("pace-0"), "on_track");
    await plan("pace-1", [[75, "todo"], [25, "done"]], days);
    assert.equal(await health("pace-1"), "at_risk");
    await plan("pace-2", [[100, "todo"]], days);
    assert.equal(await health("pace-2"), "behind");
    const [stuck] = await plan("pace-3", [[10, "in_progress", { labels: ["blocked"], assignee: "ana" }], [90, "done"]], days);
    assert.equal(await health("pace-3"), "on_track");
    await stack.sql(`update sprint.work_item set blocked_since = now() - interval '49 hours' where id = '${stuck.id}'`);
    const report = await hub.ok("mal_get_sprint_report", { sprint_id: "pace-3" });
    assert.equal(report.health, "behind");
    assert.deepEqual(report.blocked.map(({ id, days: since, assignee }) => [id, since, assignee]), [[stuck.id, 2, "ana"]]);
    assert.match((await hub.tool("mal_get_sprint_report", { sprint_id: "pace-3" })).content[0].text, new RegExp(`Behind, ${stuck.id} blocked for 2 days`));
  });

  test("counts 600 items in full although mal_get_sprint shows 500", async () => {
    await hub.ok("mal_create_sprint", sprint("crowd"));
    const made = await inParallel(600, 8, (i) => item({ sprint_id: "crowd", story_points: 1, status: i < 150 ? "done" : "todo" }));
    const got = await hub.ok("mal_get_sprint", { id: "crowd" });
    assert.deepEqual([got.items.length, got.items_total, got.points_total, got.points_done], [500, 600, 600, 150]);
    const report = await hub.ok("mal_get_sprint_report", { sprint_id: "crowd" });
    assert.deepEqual([report.items.total, report.points.total, report.points.done], [600, 600, 150]);
    assert.equal(new Set(made.map(({ id }) => id)).size, 600);
  });
});

describe("the retrospective", () => {
  test("has three headings whose sentences hold, action items of conversations, and members with their XP", async () => {
    await hub.ok("mal_register_team_member", member("rhea"));
    await hub.ok("mal_create_project", project("looking-back", { key: "RET" }));
    const rows = await plan("retro", [
      [8, "done", { assignee: "rhea" }], [2, "done", { assignee: "rhea", type: "bug" }], [1, "todo", { type: "bug", labels: ["blocked"] }], [null, "todo"], [5, "cancelled"],
    ], { status: "active", start_date: dayOf(-3), end_date: dayOf(3), project_id: "looking-back", team_capacity: 10 });
    await hub.ok("mal_log_interaction", talk("retro-talk", { sprint_id: "retro", user_id: "rhea", decisions: ["Ship on Friday."], action_items: ["Write the release notes"] }));
    const back = await until("the points are counted", async () => {
      const reply = await hub.ok("mal_run_retrospective", { sprint_id: "retro" });
      return reply.members.find(({ user_id }) => user_id === "rhea")?.xp > 0 && reply;
    });
    assert.deepEqual(back.warnings, []);
    const { points_total, points_done, completed, carried_over, cancelled, bugs_fixed, bugs_open, interactions, decisions } = back.metrics;
    assert.deepEqual([points_total, points_done, completed, carried_over, cancelled, bugs_fixed, bugs_open, interactions, decisions], [11, 10, 2, 2, 1, 1, 1, 1, 1]);
    assert.ok(back.went_well.includes("Completed 10 of 11 points (90.9 %)."), back.went_well.join("\n"));
    for (const sentence of ["2 items (1 point) were not completed.", "1 bug is still open.", "1 item was cancelled.", "1 item is blocked.", "11 points were planned for a capacity of 10."])
      assert.ok(back.could_improve.includes(sentence), `${sentence} in ${back.could_improve.join("\n")}`);
    assert.equal(back.action_items[0], "Write the release notes");
    assert.ok(back.action_items.includes(`Unblock ${rows[2].id}: Something to do.`));
    const { text } = (await hub.tool("mal_run_retrospective", { sprint_id: "retro" })).content[0];
    for (const heading of ["What went well", "What could improve", "Action items", "Members"]) assert.match(text, new RegExp(`\n### ${heading}\n`));
  });

  test("works without gamify, with a warning and without XP", async () => {
    await stack.without("gamify", async () => {
      const took = stopwatch();
      const back = await hub.ok("mal_run_retrospective", { sprint_id: "retro" });
      assert.ok(took() < 3000, `${took()} ms`);
      assert.equal(back.warnings.length, 1);
      assert.equal(back.members.find(({ user_id }) => user_id === "rhea").xp, undefined);
      assert.match((await hub.tool("mal_run_retrospective", { sprint_id: "retro" })).content[0].text, /### Members/);
    });
  });
});

describe("conversations", () => {
  test("of 300 messages come back whole and in order, and an id is taken once", async () => {
    const messages = Array.from({ length: 300 }, (_, i) => ({ role: ["human", "assistant", "tool"][i % 3], content: `Turn ${i}: ${"ä".repeat(300)}`, token_count: i }));
    const logged = await hub.ok("mal_log_interaction", talk("long-talk", { messages }));
    assert.deepEqual([logged.messages_saved, logged.interaction.message_count], [300, 300]);
    const got = await hub.ok("mal_get_interaction", { id: "long-talk" });
    assert.deepEqual(got.messages.map(({ role, content, token_count }) => ({ role, content, token_count })), messages);
    const taken = await hub.fails("mal_log_interaction", talk("long-talk"), "ALREADY_EXISTS");
    assert.match(taken.text, /mal_get_interaction/);
  });

  test("larger than an ordinary body are taken over REST and read back whole", async () => {
    const messages = Array.from({ length: 40 }, (_, i) => ({ role: "assistant", content: `${i} ${"x".repeat(60_000)}` }));
    const made = await rest("POST", "/api/v1/interactions", talk("large-talk", { messages }));
    assert.equal(made.status, 201, made.text.slice(0, 300));
    assert.equal(made.headers.location, "/api/v1/interactions/large-talk");
    const got = await rest("GET", "/api/v1/interactions/large-talk");
    assert.deepEqual(got.json.messages.map(({ content }) => content), messages.map(({ content }) => content));
  });

  test("too large to be read again are refused when they are logged", async () => {
    const messages = Array.from({ length: 66 }, () => ({ role: "assistant", content: "x".repeat(99_000) }));
    const refused = await rest("POST", "/api/v1/interactions", talk("too-large", { messages }));
    assert.equal(refused.status, 400, refused.text.slice(0, 300));
    assert.ok(refused.json.error.fields.some(({ field }) => field.startsWith("messages")));
  });

  test("that mention a sprint and an item are linked to both, unless told otherwise", async () => {
    await hub.ok("mal_create_sprint", sprint("sprint-7", { name: "Sprint 7" }));
    await item({ id: "MAL-9042" });
    const told = await hub.ok("mal_log_interaction", talk("told", { summary: "In Sprint 7 we finish MAL-09042." }));
    assert.deepEqual([told.interaction.sprint_id, told.interaction.work_item_id], ["sprint-7", "MAL-9042"]);
    assert.deepEqual(told.linked, { sprint_ids: ["sprint-7"], work_item_ids: ["MAL-9042"], automatic: true });
    const { id: other } = await item({});
    const given = await hub.ok("mal_log_interaction", talk("given", { work_item_id: other, summary: "About MAL-9042 in sprint 7." }));
    assert.equal(given.interaction.work_item_id, other);
    const nothing = await hub.ok("mal_log_interaction", talk("nothing", { summary: "UTF-8 and SHA-256 are no items." }));
    assert.deepEqual([nothing.interaction.sprint_id, nothing.interaction.work_item_id, nothing.linked.work_item_ids], [undefined, undefined, []]);
    await hub.fails("mal_log_interaction", talk("lost", { sprint_id: "nowhere" }), "NOT_FOUND");
  });

  test("are found by a word of a decision, a tag or a message, and decisions are records", async () => {
    await hub.ok("mal_log_interaction", talk("found", {
      decisions: ["We choose quokkas."], tags: ["numbats"], action_items: ["Feed the wombats"],
      messages: [{ role: "human", content: "What about bilbies?" }],
    }));
    for (const query of ["quokka", "numbat", "wombat", "bilbies"]) {
      const hits = await hub.ok("mal_search_interactions", { query });
      assert.deepEqual(hits.items.map(({ interaction }) => interaction.id), ["found"], query);
    }
    const decisions = await rest("GET", "/api/v1/decisions?query=quokkas");
    assert.equal(decisions.status, 200, decisions.text);
    const [one] = decisions.json.items;
    assert.deepEqual([decisions.json.total, one.text, one.interaction_id, one.user_id], [1, "We choose quokkas.", "found", "ana"]);
  });

  test("are listed by days, both ends included", async () => {
    for (const [id, at] of [["early", "2024-02-10 00:00:00+00"], ["late", "2024-02-11 23:59:59.999+00"], ["next", "2024-02-12 00:00:00+00"]]) {
      await hub.ok("mal_log_interaction", talk(`range-${id}`, { user_id: "ranger" }));
      await stack.sql(`update sprint.interaction set created_at = '${at}' where id = 'range-${id}'`);
    }
    const list = async (args) => ids(await hub.ok("mal_list_interactions", { user_id: "ranger", ...args }));
    assert.deepEqual(await list({ from: "2024-02-10", to: "2024-02-11" }), ["range-late", "range-early"]);
    assert.deepEqual(await list({ to: "2024-02-10" }), ["range-early"]);
    assert.deepEqual(await list({ from: "2024-02-12" }), ["range-next"]);
  });
});

describe("REST", () => {
  test("POST of projects, sprints, work items and conversations answers 201 with a Location that answers", async () => {
    for (const [path, body, name] of [["projects", project("located"), "project"], ["sprints", sprint("located"), "sprint"],
      ["work-items", { title: "Located" }, "work_item"], ["interactions", talk("located"), "interaction"]]) {
      const made = await rest("POST", `/api/v1/${path}`, body);
      assert.equal(made.status, 201, made.text);
      assert.equal(made.headers.location, `/api/v1/${path}/${made.json[name].id}`);
      const got = await rest("GET", made.headers.location);
      assert.deepEqual([got.status, got.json[name].id], [200, made.json[name].id]);
    }
  });

  test("context is served for agents and pages", async () => {
    const context = await rest("GET", "/api/v1/context?user_id=rhea");
    assert.equal(context.status, 200, context.text);
    assert.ok(context.json.sprint.name && context.json.sprint.remaining_days >= 0, context.text);
    assert.ok(context.json.decisions.length <= 3 && context.json.interactions.length <= 5);
  });
});

describe("digests", () => {
  const digests = async (kind) => (await rest("GET", `/api/v1/digests?kind=${kind}&limit=100`)).json.items;

  test("are made once by one of two copies, also when both begin anew", async () => {
    await hub.ok("mal_create_project", project("digested"));
    await plan("digested-sprint", [[3, "done", { assignee: "ana" }]], { project_id: "digested", status: "active" });
    await hub.ok("mal_update_sprint", { id: "digested-sprint", status: "completed" });
    const end = await until("the digest of the sprint's end", async () =>
      (await digests("sprint_end")).find(({ body }) => body.includes("Sprint digested-sprint")), { deadline: 20_000, every: 100 });
    assert.match(end.body, /What went well|Completed 3 of 3 points/);
    const text = await request(`${stack.base}/api/v1/digests?kind=sprint_end`, { method: "GET", headers: { "x-api-key": stack.key, Accept: "text/markdown" } });
    assert.match(text.text, /^## Digests\nShowing \d+ of \d+ \(offset 0\)\n\nsprint_end · /);
    await until("yesterday's digest", async () => (await digests("daily")).length === 1, { deadline: 20_000, every: 100 });
    const stored = () => stack.sql("select kind, period, project_id, created_at from sprint.digest order by 1, 2, 3");
    const before_ = await stored();
    for (const copy of ["sprint", "sprint-2"]) await stack.kill(copy);
    for (const copy of ["sprint", "sprint-2"]) await stack.ready(copy);
    // The next sprint's digest shows that they looked for all of them again.
    await hub.ok("mal_create_project", project("digested-again"));
    await hub.ok("mal_create_sprint", sprint("digested-again", { project_id: "digested-again", status: "active" }));
    await hub.ok("mal_update_sprint", { id: "digested-again", status: "completed" });
    await until("the next digest", async () => (await stored()).length === before_.length + 1, { deadline: 20_000, every: 100 });
    assert.deepEqual((await stored()).filter(([, , project_id]) => project_id !== "digested-again"), before_);
    const events = await stack.sql("select count(*) from sprint.outbox where subject = 'mal.evt.sprint.digest.published'");
    assert.equal(Number(events[0][0]), before_.length + 1);
  });
});

describe("the service away", () => {
  test("its tools say so in one clean error, all others go on, and it comes back", async () => {
    await hub.ok("mal_register_team_member", member("rhea"));
    await stack.without("sprint", async () => {
      for (const [tool, args] of [["mal_list_projects", {}], ["mal_create_work_item", { title: "x" }], ["mal_get_sprint_report", { sprint_id: "report" }]]) {
        const error = await hub.fails(tool, args, "UNAVAILABLE");
        assert.match(error.text, /^Error: .+\nTry: .+$/);
        assert.doesNotMatch(error.text, /nats|127\.0|_INBOX|mal\.sprint/i);
      }
      const away = await rest("GET", "/api/v1/projects");
      assert.equal(away.status, 503);
      assert.ok(Number(away.headers["retry-after"]) > 0);
      await hub.ok("mal_list_skills");
      await hub.ok("mal_list_team_members");
      const took = stopwatch();
      const stats = await hub.ok("mal_get_usage_stats");
      assert.ok(took() < 3000, `${took()} ms`);
      assert.deepEqual([stats.collaboration.projects, stats.collaboration.members], [undefined, 1]);
      assert.match(stats.warnings.join(), /sprint/);
    });
    const [[projects, sprints, items]] = await stack.sql(
      "select (select count(*) from sprint.project), (select count(*) from sprint.sprint), (select count(*) from sprint.work_item)");
    const stats = await hub.ok("mal_get_usage_stats");
    assert.deepEqual(stats.warnings, []);
    assert.deepEqual(stats.collaboration, { projects: Number(projects), sprints: Number(sprints), work_items: Number(items), members: 1 });
  });
});

test("nothing that the processes do is refused by the bus", () => {
  const refused = stack.log("nats").split("\n").filter((line) => /Violation/.test(line));
  assert.deepEqual(refused, []);
});
