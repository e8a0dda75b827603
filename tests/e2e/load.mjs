// A steady load of writes whose every answer is kept, and the accounts drawn up afterwards: each
// acknowledged write is there, each event came exactly once.
import assert from "node:assert/strict";
import { Modern } from "./mcp.mjs";
import { streamMessages } from "./nats.mjs";
import { skill } from "./samples.mjs";
import { until } from "./wait.mjs";

/** Errors a caller may get while something is away; anything else is a bug. */
const CLEAR = ["UNAVAILABLE", "DEADLINE_EXCEEDED"];

/** A small generator of pseudo-random numbers, so that a run can be repeated by its seed. */
export function random(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

export const seed = Number(process.env.MAL_TEST_SEED ?? Date.now() % 2 ** 31);
console.log(`seed ${seed} (MAL_TEST_SEED repeats it)`);

export class Load {
  constructor(stack, tag, { workers = 4, urls = stack.urls } = {}) {
    Object.assign(this, { stack, tag, urls });
    this.pick = random(seed);
    this.acknowledged = new Map(); // id -> version that was acknowledged last
    this.doubtful = new Map(); // id -> versions whose answer was an error: may or may not be there
    this.accepted = []; // [tool, id] of every acknowledged write
    this.errors = [];
    this.unclear = [];
    this.calls = 0;
    this.stopped = false;
    this.loops = Array.from({ length: workers }, (_, i) => this.loop(i));
  }

  async loop(worker) {
    for (let n = 0; !this.stopped; n++) {
      const client = new Modern(this.stack, { url: this.urls[this.pick(this.urls.length)] });
      const id = `${this.tag}-${worker}-${n}`;
      const version = `1.${n}.0`;
      if (!(await this.write(client, id, version, "mal_register_skill", skill(id, { version })))) continue;
      if (this.pick(2)) await this.write(client, id, `2.${n}.0`, "mal_update_skill", { id, version: `2.${n}.0` });
    }
  }

  async write(client, id, version, tool, args) {
    this.calls++;
    const doubt = () => this.doubtful.set(id, [...(this.doubtful.get(id) ?? []), version]);
    let answer;
    try {
      answer = await client.post("tools/call", { name: tool, arguments: args }, { timeout: 30_000 });
    } catch (error) {
      // The copy of the gateway died or is not back: a broken connection is clear enough.
      doubt();
      this.errors.push(error.code ?? error.message);
      await new Promise((go) => setTimeout(go, 50));
      return false;
    }
    const result = answer.message?.result;
    if (answer.status === 200 && result && !result.isError) {
      this.acknowledged.set(id, version);
      this.accepted.push(`${tool} ${id}`);
      return true;
    }
    doubt();
    const status = result?._meta?.["mal.hub/error"]?.status ?? answer.json?.error?.status;
    this.errors.push(status ?? answer.status);
    if (!CLEAR.includes(status) && answer.status !== 503) this.unclear.push(answer.text.slice(0, 300));
    await new Promise((go) => setTimeout(go, 20));
    return false;
  }

  /** Waits until the load has made so many further acknowledged writes. */
  progress(count = 20, deadline = 30_000) {
    const goal = this.acknowledged.size + count;
    return until(`${count} further writes`, () => this.acknowledged.size >= goal, { deadline });
  }

  async stop() {
    this.stopped = true;
    await Promise.all(this.loops);
    return this;
  }

  /** Every acknowledged write is in the database, and every event in the stream once. */
  async settle() {
    const { stack } = this;
    assert.deepEqual(this.unclear, [], "errors that are not clear");
    assert.ok(this.acknowledged.size > 0, "writes were acknowledged");
    const rows = new Map(await stack.sql(`select id, version from catalog.skill where id like '${this.tag}-%'`));
    for (const [id, version] of this.acknowledged) {
      const allowed = [version, ...(this.doubtful.get(id) ?? [])];
      assert.ok(allowed.includes(rows.get(id)), `${id}: acknowledged ${version}, found ${rows.get(id)}`);
    }
    for (const id of rows.keys()) assert.ok(this.acknowledged.has(id) || this.doubtful.has(id), `${id} was written by nobody`);
    await until("the outbox is sent", async () =>
      (await stack.sql("select count(*) from catalog.outbox where published_at is null"))[0][0] === "0", { deadline: 30_000, every: 100 });
    const outbox = await stack.sql("select event_id, subject from catalog.outbox");
    const events = await streamMessages(stack.nats_url, "MAL_EVT", "mal.evt.catalog.>");
    const ids = events.map((event) => event.id);
    assert.equal(new Set(ids).size, ids.length, "no event twice");
    assert.deepEqual([...ids].sort(), outbox.map(([id]) => id).sort(), "each row of the outbox is one event");
    const registered = events.filter((event) => event.subject === "mal.evt.catalog.skill.registered" && event.data.includes(`${this.tag}-`));
    assert.equal(registered.length, rows.size, "one event per registered skill");
    return { rows: rows.size, events: events.length, errors: this.errors.length, calls: this.calls };
  }

  /**
   * Each call event of the gateway is one row of the audit log, and each acknowledged write is among
   * them, even if the gateway was killed right after its answer.
   */
  async audited() {
    const { stack } = this;
    const rows = async (what, where) => (await stack.sql(`select ${what} from catalog.usage_log where ${where}`)).map(([one]) => one);
    const mine = () => rows("tool_name || ' ' || resource_id", `success and resource_id like '${this.tag}-%'`);
    await until("each acknowledged write is in the audit log", async () => {
      const seen = new Set(await mine());
      return this.accepted.every((one) => seen.has(one));
    }, { deadline: 30_000, every: 100 });
    const logged = await mine();
    assert.equal(new Set(logged).size, logged.length, "no call twice in the audit log");
    const called = await streamMessages(stack.nats_url, "MAL_EVT", "mal.evt.gateway.*.called");
    const ids = called.map((event) => event.id).sort();
    assert.equal(new Set(ids).size, ids.length, "no call event twice");
    await until("the audit log has caught up", async () => (await rows("event_id", "true")).length >= ids.length, { deadline: 30_000, every: 100 });
    const stored = new Set(await rows("event_id", "true"));
    assert.deepEqual(ids.filter((id) => !stored.has(id)), [], "each call event is in the audit log");
    return { audited: stored.size };
  }
}
