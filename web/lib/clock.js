// Time and chance, in one place so that tests can replace them.

/**
 * @typedef {object} Clock
 * @property {() => number} now ms since 1970
 * @property {() => number} random from 0 to below 1
 * @property {(ms: number, call: () => void) => (() => void)} after calls once, later; returns what cancels it
 */

/** @type {Clock} */
export const systemClock = {
  now: () => Date.now(),
  random: () => Math.random(),
  after(ms, call) {
    const id = setTimeout(call, ms);
    return () => clearTimeout(id);
  },
};

/**
 * A time near ms, so that many clients don't act at once.
 * @param {Clock} clock
 * @param {number} ms
 * @param {number} [spread] share of ms, either way
 */
export function around(clock, ms, spread = 0.2) {
  return ms * (1 + spread * (2 * clock.random() - 1));
}

/**
 * A back-off with full jitter: anything from 0 to base·2^attempt, at most cap.
 * @param {Clock} clock
 * @param {number} attempt from 0
 * @param {number} base ms
 * @param {number} cap ms
 */
export function fullJitter(clock, attempt, base, cap) {
  return clock.random() * Math.min(cap, base * 2 ** Math.min(attempt, 30));
}
