// Waiting for something to become true, always with a deadline. Time in which this process got no
// processor counts for none: a machine that stands still for a second breaks no promise of the hub's.

const TICK_MS = 50;
const STILL_MS = 200; // a gap between two looks that is longer than this is no accident of scheduling
let seen = performance.now();
let used = process.cpuUsage();
let still = 0;

function look() {
  const now = performance.now();
  const usage = process.cpuUsage(used);
  const idle = now - seen - (usage.user + usage.system) / 1000;
  if (idle > TICK_MS + STILL_MS) still += idle - TICK_MS;
  seen = now;
  used = process.cpuUsage();
}
setInterval(look, TICK_MS).unref();

/** Milliseconds, of which those are left out in which this process stood still. */
function clock() {
  look();
  return performance.now() - still;
}

/** Tells how many milliseconds have passed since now. */
export function stopwatch() {
  const began = clock();
  return () => Math.round(clock() - began);
}

/** Polls until check() gives something truthy; its last error or `what` says what was missing. */
export async function until(what, check, { deadline = 10_000, every = 20 } = {}) {
  const took = stopwatch();
  for (;;) {
    let last;
    try {
      const value = await check();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    if (took() > deadline) throw new Error(`not within ${deadline} ms: ${what}`, { cause: last });
    await pause(every);
  }
}

/** Between two looks only: no test relies on how long it is. */
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The promise, or an error after the deadline. */
export function within(ms, what, promise) {
  const took = stopwatch();
  let timer;
  const late = new Promise((_, reject) => {
    const wait = () => {
      const left = ms - took();
      if (left <= 0) reject(new Error(`not within ${ms} ms: ${what}`));
      else timer = setTimeout(wait, left);
    };
    wait();
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
