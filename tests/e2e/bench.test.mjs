// The data set of a large team, a tenth of it: that it is what a team's work could be, and that no
// query behind a reading tool goes through a table from end to end.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Modern } from "./mcp.mjs";
import { learn } from "./schema.mjs";
import { mal, run, useStack } from "./stack.mjs";

const TODAY = new Date().toISOString().slice(0, 10);
const WANTED = { members: 20, projects: 10, sprints: 200, work_items: 20_000, interactions: 10_000 };
const SMALL = "0.01";
const LOAD_MS = 240_000; // a minute is not enough for a machine that does much else

let hub;
const stack = useStack({ before, after }, { env: { MAL_RATE_LIMIT: "0" } }, async () => {
  hub = new Modern(stack);
  learn(await hub.all("tools/list", "tools"));
});

const load = (scale = "0.1", ...more) =>
  run(mal, ["bench", "data", "--scale", scale, "--today", TODAY, ...more], { env: { MAL_DIR: stack.dir }, timeout: LOAD_MS });
const numbers = (text) => Object.fromEntries([...text.matchAll(/(\w+) (\d+),/g)].map(([, name, n]) => [name, Number(n)]));

async function wipe() {
  await stack.sql("truncate sprint.project, sprint.sprint, sprint.work_item, sprint.interaction, sprint.decision, sprint.item_key, sprint.tally, gamify.member, gamify.tool_use, catalog.usage_log cascade");
  await stack.sql("delete from catalog.skill where id like 'bench-%'; delete from catalog.command where id like 'bench-%'; delete from catalog.subagent where id like 'bench-%'");
}

describe("mal bench data", () => {
  test("makes as much as it says", async () => {
    const { code, stdout, stderr } = await load();
    assert.equal(code, 0, stderr);
    const { contributions, ...others } = numbers(stdout);
    assert.deepEqual(others, { ...others, ...WANTED });
    // Achievements come on top of what earned them.
    assert.ok(contributions >= 50_000 && contributions < 51_000, stdout);
    assert.match(stdout, /checksum \w{32}/);
  });

  test("does nothing where it is there already", async () => {
    const { code, stderr } = await load();
    assert.equal(code, 1);
    assert.match(stderr, /there already/);
    assert.deepEqual(await stack.sql("select count(*) from sprint.work_item"), [[String(WANTED.work_items)]]);
  });

  test("refuses what is no scale and no day", async () => {
    for (const words of [["--scale", "0"], ["--scale", "x"], ["--scale", "5"], ["--today", "2026-02-30"], ["--surely-not"]])
      assert.equal((await stack.mal("bench", "data", ...words)).code, 2, words.join(" "));
  });

  test("every member's XP, level and streak follow from the ledger", async () => {
    const wrong = await stack.sql(`
      select m.id, m.xp, s.xp, m.streak_days, m.streak_last_date, s.last
        from gamify.member m
        join (select user_id, sum(points) as xp, (max(occurred_at) filter (where type <> 'achievement') at time zone 'UTC')::date as last
                from gamify.contribution where reversed_at is null group by user_id) s on s.user_id = m.id
       where m.xp <> s.xp or m.streak_last_date <> s.last`);
    assert.deepEqual(wrong, []);
    assert.deepEqual(await stack.sql("select count(*) from gamify.contribution where points <> base_points * multiplier_percent / 100"), [["0"]]);
    assert.deepEqual(await stack.sql("select count(*) from gamify.contribution c join sprint.work_item w on w.id = c.reference_id where c.type = 'work_item' and (w.status <> 'done' or w.assignee <> c.user_id or 10 * coalesce(w.story_points, 0) <> c.base_points)"), [["0"]]);
  });

  test("the hub itself finds nothing to unlock, and goes on from where the data end", async () => {
    const { items } = await hub.ok("mal_list_team_members", { limit: 100 });
    assert.equal(items.length, WANTED.members);
    for (const before of items) {
      const { member, contribution, new_achievements } = await hub.ok("mal_log_contribution", { user_id: before.id, type: "review" });
      assert.deepEqual(new_achievements, [], before.id);
      assert.equal(member.xp, before.xp + contribution.points);
      // Today follows the day on which the data end, or is the same.
      assert.ok(member.streak_days === before.streak_days + 1 || member.streak_days === before.streak_days || !before.streak_active, JSON.stringify([before, member]));
    }
  });

  test("the sums that lists and leaderboards read are those of the rows", async () => {
    const { total } = await hub.ok("mal_list_work_items", { limit: 1 });
    assert.equal(total, WANTED.work_items);
    const kept = () => stack.sql("select 'd', user_id, day, project_id, points, contributions from gamify.day_points union all select 'p', user_id, null, project_id, points, 0 from gamify.project_points union all select 't', user_id, null, null, commits, decisions from gamify.tally order by 1, 2, 3, 4, 5");
    const before = await kept();
    await stack.sql("call gamify.recount()");
    assert.deepEqual(await kept(), before);
  });

  test("sprints have the velocity of their items, and one per project runs today", async () => {
    assert.deepEqual(await stack.sql("select count(*) from sprint.sprint s where status = 'completed' and velocity <> (select coalesce(sum(story_points), 0) from sprint.work_item w where w.sprint_id = s.id and w.status = 'done')"), [["0"]]);
    const { items } = await hub.ok("mal_list_sprints", { status: "active", limit: 100 });
    assert.equal(items.length, WANTED.projects);
    for (const { start_date, end_date } of items) assert.ok(start_date <= TODAY && TODAY <= end_date, `${start_date} – ${end_date}`);
    const report = await hub.ok("mal_get_sprint_report", { sprint_id: items[0].id });
    assert.equal(report.items.total, report.items.done + report.items.open);
  });
});

describe("mal bench plans", () => {
  test("finds every query on its indexes", async () => {
    const { code, stdout, stderr } = await stack.mal("bench", "plans");
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /The slowest of \d+ queries/);
    assert.doesNotMatch(stdout, /WRONG/);
  });

  // What it is good for: without their indexes the queries are caught.
  for (const [table, columns, query] of [
    ["sprint.work_item", "sprint_id", "sprint_items"],
    ["sprint.interaction", "search", "interaction_search"],
    ["gamify.contribution", "user_id", "member_contributions"],
    ["catalog.usage_log", "resource_id", "audit_count"],
    ["catalog.usage_log", '"timestamp"', "audit_list"],
  ]) {
    test(`notices that ${table} has no index for ${columns}`, async () => {
      const [schema, name] = table.split(".");
      const indexes = await stack.sql(`select indexname, indexdef from pg_indexes where schemaname = '${schema}' and tablename = '${name}' and indexdef ~ '\\(${columns}[ ,)]' and indexname !~ 'pkey'`);
      assert.ok(indexes.length > 0);
      for (const [index] of indexes) await stack.sql(`drop index ${schema}.${index}`);
      try {
        const { code, stdout } = await stack.mal("bench", "plans");
        assert.equal(code, 1);
        assert.match(stdout, new RegExp(`${query} [^\\n]*\\n[^\\n]*\\n *WRONG: [^\\n]* of ${name}`));
      } finally {
        for (const [, definition] of indexes) await stack.sql(definition);
      }
    });
  }
});

// Last, as it replaces the rows that the tests above need; whatever the scale, the rows follow from the seed.
describe("a seed of mal bench data", () => {
  /** What it makes of an empty database: the checksum it says, and one of our own. */
  async function rows(...more) {
    await wipe();
    const { stdout, stderr } = await load(SMALL, ...more);
    assert.match(stdout, /work_items 4000, .* checksum \w{32}/, stderr);
    const [[titles]] = await stack.sql("select md5(string_agg(title, ',' order by id)) from sprint.work_item");
    return { checksum: stdout.match(/checksum (\w{32})/)[1], titles };
  }

  test("makes the same rows again, another one others", async () => {
    const first = await rows();
    const other = await rows("--seed", "2");
    assert.notEqual(other.titles, first.titles);
    assert.notEqual(other.checksum, first.checksum);
    assert.deepEqual(await rows(), first);
  });
});
