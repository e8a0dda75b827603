// A team at work for a while in which every process is killed at random, several times. Afterwards
// every acknowledged change is there once, every event has had its effect once, the game is what the
// team did, the log of calls is complete; delivering all events again changes nothing; and what is
// rebuilt from the stream equals what lived. MAL_TEST_SEED repeats a run's choices (not its timing),
// MAL_TEST_CHAOS_S makes it longer.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { random, seed } from "./load.mjs";
import { Nats } from "./nats.mjs";
import { useStack, alive } from "./stack.mjs";
import { Book, Member } from "./team.mjs";
import { pause, until } from "./wait.mjs";

const SECONDS = Number(process.env.MAL_TEST_CHAOS_S ?? 25);
const OPERATIONS = 3000; // at least so many acknowledged ones, however long it takes
const KILLING_S = 75; // afterwards a slow machine comes to its operations undisturbed
const LONGEST_S = 150;
const MEMBERS = 8;
const TAG = "c";
const QUIET_MS = 60_000; // a consumer that was killed gets its events again after 30 s
const env = { MAL_RATE_LIMIT: "0", MAL_CALL_TIMEOUT_MS: "3000", MAL_ACHIEVEMENT_CHECK_INTERVAL: "5", MAL_TEAM_PULSE_ENABLED: "true" };
const stack = useStack({ before, after }, { gateways: 2, args: ["--replicas", "2"], env }, hire);
const DURABLES = ["catalog_audit", "catalog_downstream", "gamify_awards", "gamify_tools"];
const SCHEMAS = ["catalog", "sprint", "gamify"];

const pick = random(seed);
const book = new Book();
const KINDS = ["postgres", "nats", "catalog", "sprint", "gamify", "gateway"];
const kills = Object.fromEntries(KINDS.map((kind) => [kind, 0]));
let team;
let nats;

const value = async (sql) => (await stack.sql(sql))[0]?.[0];
const count = async (sql) => Number(await value(sql));

/** The members, each with a key of the same name. */
async function hire(up) {
  team = [];
  for (let i = 1; i <= MEMBERS; i++) {
    const user = `m${i}`;
    const { code, stdout, stderr } = await up.mal("keys", "add", user, "--scopes", "read,write", "--json");
    assert.equal(code, 0, stderr);
    const member = new Member(stack, book, { user, key: JSON.parse(stdout).secret ?? JSON.parse(stdout).key, pick: random(seed + i), tag: TAG });
    team.push(member);
    await until("the key works", async () => (await member.attempt("mal_list_skills", { limit: 1 })).ok);
    await member.call("mal_register_team_member", { id: user, name: `Member ${user}` });
  }
}

/** Kills one or two at a time, each kind once before the next round, until the work is done. */
async function killers(stopped) {
  let round = [];
  while (!stopped()) {
    await pause(300 + pick(1200));
    const { pids } = stack.now();
    for (let n = pick(4) ? 1 : 2; n > 0; n--) {
      if (!round.length) round = [...KINDS];
      const [kind] = round.splice(pick(round.length), 1);
      const copies = Object.keys(pids).filter((name) => name.replace(/-\d+$/, "") === kind);
      const pid = pids[copies[pick(copies.length)]];
      if (!pid || !alive(pid) || stopped()) continue; // it is being started again
      process.kill(pid, "SIGKILL");
      kills[kind]++;
    }
  }
}

/** Everything has been sent, delivered, applied and acknowledged. */
async function quiet() {
  for (const schema of SCHEMAS)
    if (await count(`select count(*) from ${schema}.outbox where published_at is null`)) return false;
  for (const durable of DURABLES) {
    const info = await nats.js(`CONSUMER.INFO.MAL_EVT.${durable}`);
    if (info.num_pending || info.num_ack_pending) return false;
  }
  return (await stack.metric("gateway", "mal_gateway_audit_waiting")) + (await stack.metric("gateway-2", "mal_gateway_audit_waiting")) === 0;
}

async function settled() {
  await until("the bus is there", async () => (nats = await Nats.open(stack.now().nats_url)), { deadline: 30_000, every: 200 });
  for (const name of Object.keys(stack.now().admin)) await stack.ready(name);
  await until("everything is quiet", quiet, { deadline: QUIET_MS, every: 200 });
}

/** All that follows from events, line by line; what has a number of its own without it. */
const derived = async () => (await stack.sql(
  `select 'member ' || (m.*)::text as line from gamify.member m union all
   select 'contribution ' || (c.*)::text from gamify.contribution c union all
   select 'badge ' || user_id || ' ' || achievement_id || ' ' || unlocked_at from gamify.user_achievement union all
   select 'tally ' || (t.*)::text from gamify.tally t where (t.*)::text !~ '(,0){11}' union all
   select 'day ' || (d.*)::text from gamify.day_points d union all
   select 'project ' || (p.*)::text from gamify.project_points p union all
   select 'use ' || (u.*)::text from gamify.tool_use u union all
   select 'call ' || event_id || tool_name || coalesce(resource_id, '') || user_key || "timestamp" || duration_ms || success || status || channel || request_id from catalog.usage_log union all
   select 'calls of a day ' || (d.*)::text from catalog.usage_day d where calls <> 0 union all
   select 'durations ' || (t.*)::text from catalog.usage_time t where calls <> 0
   order by line`)).map((row) => row.join("\t"));

function same(found, wanted, what) {
  const has = new Set(found);
  const wants = new Set(wanted);
  assert.deepEqual(found.filter((line) => !wants.has(line)).slice(0, 5), [], `${what}: too much`);
  assert.deepEqual(wanted.filter((line) => !has.has(line)).slice(0, 5), [], `${what}: missing`);
  assert.equal(found.length, wanted.length, what);
}

async function replay(service, ...options) {
  const { code, stdout, stderr } = await stack.mal("events", "replay", service, "--json", ...options);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

const differences = ({ tables }) => tables.filter(({ added, changed, removed }) => added || changed || removed);

test("a team works while everything is killed", { timeout: (LONGEST_S + 120) * 1000 }, async (t) => {
  const began = Date.now();
  const running = () => (Date.now() - began) / 1000;
  const over = () => (running() >= SECONDS && book.acknowledged >= OPERATIONS) || running() > Math.max(LONGEST_S, SECONDS);
  const enough = () => over() || running() > Math.max(KILLING_S, SECONDS);
  await Promise.all([killers(enough), ...team.map((member) => member.work(over))]);
  const worked = running();
  await settled();
  t.diagnostic(JSON.stringify({ worked, quiet_after: running() - worked, acknowledged: book.acknowledged, answered: book.answered.length, errors: book.errors, kills }));
  assert.deepEqual(book.unclear, []);
  assert.ok(book.acknowledged >= OPERATIONS, `${book.acknowledged} operations`);
  for (const kind of KINDS) assert.ok(kills[kind] >= 1, `${kind} was killed`);
});

describe("after that", () => {
  test("every acknowledged change is there, and no other", async () => {
    const items = team.flatMap((member) => [...member.items.values()]);
    same((await stack.sql(`select id, status, coalesce(assignee, ''), coalesce(story_points, -1) from sprint.work_item where id like '${TAG}-%'`)).map((row) => row.join(" ")),
      items.map(({ id, status, assignee = "", points = -1 }) => `${id} ${status} ${assignee} ${points}`), "work items");
    same((await stack.sql("select id, status from sprint.sprint")).map((row) => row.join(" ")),
      team.flatMap(({ sprints }) => sprints.map(({ id, status }) => `${id} ${status}`)), "sprints");
    same((await stack.sql("select id from sprint.interaction")).map(([id]) => id), team.flatMap(({ talks }) => [...talks]), "conversations");
    same((await stack.sql(`select id, version from catalog.skill where id like '${TAG}-%'`)).map((row) => row.join(" ")),
      team.flatMap(({ skills }) => [...skills].map((pair) => pair.join(" "))), "skills");
    same((await stack.sql("select work_item_id, count(*) from sprint.work_item_change where field = 'status' group by 1")).map((row) => row.join(" ")),
      items.filter(({ moves }) => moves).map(({ id, moves }) => `${id} ${moves}`), "moves in the journal");
  });

  test("the counters are what is counted", async () => {
    same((await stack.sql("select noun, status, type, priority, sum(n) from sprint.tally group by 1, 2, 3, 4 having sum(n) <> 0")).map((row) => row.join(" ")),
      (await stack.sql(`select 'work_item', status, type, priority, count(*) from sprint.work_item group by 1, 2, 3, 4 union all
        select 'sprint', status, '', '', count(*) from sprint.sprint group by 1, 2 union all
        select 'project', status, '', '', count(*) from sprint.project group by 1, 2 union all
        select 'interaction', '', source, '', count(*) from sprint.interaction group by 1, 3 union all
        select 'decision', '', '', '', count(*) from sprint.decision having count(*) > 0`)).map((row) => row.join(" ")), "sprint.tally");
  });

  test("every completed sprint is in the digest of its day", async () => {
    const missing = `select s.id from sprint.sprint s where s.status = 'completed' and not exists (select from sprint.digest d
      where d.kind = 'sprint_end' and d.period = (s.completed_at at time zone 'UTC')::date and d.project_id = coalesce(s.project_id, '')
        and position('(\`' || s.id || '\`)' in d.body) > 0)`;
    await until("the digests are made", async () => (await stack.sql(missing)).length === 0, { deadline: 20_000, every: 500 });
    assert.equal(await count("select count(*) from sprint.digest where kind = 'daily'"), 1);
    assert.equal(await count("select count(*) from sprint.digest where kind = 'weekly'"), 1);
    await until("everything is quiet", quiet, { deadline: QUIET_MS, every: 200 });
  });

  test("every event is in the stream once, and none was put aside", async () => {
    for (const schema of SCHEMAS) {
      const events = (await nats.messages("MAL_EVT", `mal.evt.${schema}.>`)).map(({ id }) => id);
      assert.equal(new Set(events).size, events.length, `${schema}: events twice`);
      same(events, (await stack.sql(`select event_id from ${schema}.outbox`)).map(([id]) => id), `events of ${schema}`);
    }
    assert.equal((await nats.js("STREAM.INFO.MAL_DEAD")).state.messages, 0);
  });

  test("the ledger is what the team did", async () => {
    const found = await stack.sql(`select user_id, type, reference_id, base_points, reversed_at is not null, points, multiplier_percent,
      (occurred_at at time zone 'UTC')::date - min((occurred_at at time zone 'UTC')::date) over (partition by user_id) from gamify.contribution where type <> 'achievement'`);
    same(found.map((row) => row.slice(0, 5).join(" ")).sort(),
      team.flatMap(({ user, ledger }) => ledger.map(({ type, reference, base, reversed }) => `${user} ${type} ${reference} ${base} ${reversed ? "t" : "f"}`)).sort(), "contributions");
    for (const [user, type, reference, base, , points, multiplier, days] of found) {
      assert.equal(Number(multiplier), 110 + 10 * Number(days), `${user} ${type} ${reference}`); // the second day after midnight
      assert.equal(Number(points), Math.floor((Number(base) * Number(multiplier)) / 100));
    }
    const twice = await stack.sql("select user_id, type, reference_id from gamify.contribution where reversed_at is null and reference_id is not null group by 1, 2, 3 having count(*) > 1");
    assert.deepEqual(twice, []);
  });

  test("achievements unlocked once, when their count was reached", async () => {
    const reached = {
      "first-chat": ({ most }) => most.interaction >= 1,
      "fifty-chats": ({ most }) => most.interaction >= 50,
      "decision-maker": ({ most }) => most.decisions >= 20,
      "bug-slayer": ({ most }) => most.bugs >= 10,
      "sprint-runner": ({ most }) => most.sprints >= 1,
      "sprint-champion": ({ most }) => most.top >= 3,
    };
    const tools = new Map(await stack.sql("select user_key, count(distinct tool_name) from catalog.usage_log where success group by 1"));
    reached["tool-explorer"] = ({ user }) => Number(tools.get(user)) >= 10;
    const unlocked = await stack.sql("select user_id, achievement_id from gamify.user_achievement");
    same(unlocked.filter(([, id]) => id in reached).map((row) => row.join(" ")),
      team.flatMap((member) => Object.keys(reached).filter((id) => reached[id](member)).map((id) => `${member.user} ${id}`)), "achievements");
    assert.deepEqual(unlocked.filter(([, id]) => !(id in reached) && id !== "architect"), []);
    same((await stack.sql("select c.user_id, c.reference_id, c.points from gamify.contribution c where type = 'achievement'")).map((row) => row.join(" ")),
      (await stack.sql("select u.user_id, u.achievement_id, a.xp_reward from gamify.user_achievement u join gamify.achievement a on a.id = u.achievement_id")).map((row) => row.join(" ")), "their XP");
  });

  test("XP is the sum of the ledger", async () => {
    assert.deepEqual(await stack.sql(`select m.id, m.xp, sum(c.points) from gamify.member m join gamify.contribution c on c.user_id = m.id and c.reversed_at is null
      group by 1, 2 having m.xp <> sum(c.points)`), []);
    assert.equal(await count("select count(*) from gamify.member where xp > 0"), MEMBERS);
  });

  test("every answered call is in the log once, and no other twice", async () => {
    const rows = await stack.sql("select request_id, tool_name, user_key, status from catalog.usage_log where user_key like 'm%'");
    const logged = new Map(rows.map(([id, ...facts]) => [id, facts.join(" ")]));
    assert.equal(logged.size, rows.length, "a call is there twice");
    for (const { id, tool, user, status } of book.answered) assert.equal(logged.get(id), `${tool} ${user} ${status}`, id);
    const known = new Set([...book.answered.map(({ id }) => id), ...book.unanswered]);
    assert.deepEqual([...logged.keys()].filter((id) => !known.has(id)), []);
  });

  test("what is kept beside the log of calls is what counting it gives", async () => {
    const kept = await derived();
    await stack.sql("call catalog.usage_recount()");
    same(await derived(), kept, "counted");
  });

  test("the use of tools is counted as it is logged", async () => {
    same((await stack.sql("select user_key, tool_name, calls from gamify.tool_use where user_key like 'm%'")).map((row) => row.join(" ")),
      (await stack.sql("select user_key, tool_name, count(*) from catalog.usage_log where success and user_key like 'm%' group by 1, 2")).map((row) => row.join(" ")), "tool_use");
  });

  test("all events delivered once more in any order change nothing", { timeout: 120_000 }, async (t) => {
    const lived = await derived();
    const config = { ...(await nats.js("STREAM.INFO.MAL_EVT")).config };
    await nats.js("STREAM.UPDATE.MAL_EVT", { ...config, duplicate_window: 100_000_000 });
    const events = [...(await nats.messages("MAL_EVT", "mal.evt.sprint.>")), ...(await nats.messages("MAL_EVT", "mal.evt.gateway.>"))];
    for (let i = events.length - 1; i > 0; i--) {
      const j = pick(i + 1);
      [events[i], events[j]] = [events[j], events[i]];
    }
    const { state } = await nats.js("STREAM.INFO.MAL_EVT");
    for (let i = 0; i < events.length; i += 500) {
      const part = events.slice(i, i + 500);
      for (const { data } of await Promise.all(part.map(({ subject, data: body, head }) => nats.request(subject, body, { head }))))
        assert.equal(JSON.parse(data.toString()).error, undefined);
    }
    assert.ok((await nats.js("STREAM.INFO.MAL_EVT")).state.messages >= state.messages + events.length, "the stream took them");
    await until("everything is quiet", quiet, { deadline: QUIET_MS, every: 200 });
    same(await derived(), lived, "after the second delivery");
    t.diagnostic(`${events.length} events delivered again`);
  });

  test("what is rebuilt from the stream equals what lived", { timeout: 120_000 }, async () => {
    const lived = await derived();
    assert.deepEqual(differences(await replay("gamify", "--dry-run")), []);
    assert.deepEqual(differences(await replay("catalog", "--dry-run")), []);
    await stack.sql(`truncate gamify.contribution, gamify.user_achievement, gamify.tool_use, gamify.tally, gamify.day_points, gamify.project_points, catalog.usage_log;
      update gamify.member set xp = 0, level = 1, streak_days = 0, streak_last_date = null`);
    await replay("gamify");
    await replay("catalog");
    same(await derived(), lived, "rebuilt");
    assert.deepEqual(differences(await replay("gamify")), []);
  });
});
