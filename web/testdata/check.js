// Tests that run in a browser.

/** @type {{name: string, run: () => unknown}[]} */
const tests = [];

/**
 * @param {string} name what holds
 * @param {() => unknown} run throws when it doesn't
 */
export const test = (name, run) => tests.push({ name, run });

/**
 * @param {unknown} got
 * @param {unknown} want
 * @param {string} [what]
 */
export function equal(got, want, what = "got") {
  const [g, w] = [JSON.stringify(got), JSON.stringify(want)];
  if (g !== w) throw new Error(`${what} ${g}, want ${w}`);
}

/** Runs them all; globalThis.results says how they went. */
export async function run() {
  const results = [];
  for (const { name, run } of tests) {
    try {
      await run();
      results.push({ name, problem: "" });
    } catch (err) {
      results.push({ name, problem: String(err instanceof Error ? err.stack : err) });
    }
  }
  Object.assign(globalThis, { results });
}
