// Waiting for something to become true, always with a deadline.

/** Polls until check() gives something truthy; its last error or `what` says what was missing. */
export async function until(what, check, { deadline = 10_000, every = 20 } = {}) {
  const end = Date.now() + deadline;
  for (;;) {
    let last;
    try {
      const value = await check();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`not within ${deadline} ms: ${what}`, { cause: last });
    await pause(every);
  }
}

/** Between two looks only: no test relies on how long it is. */
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The promise, or an error after the deadline. */
export function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
