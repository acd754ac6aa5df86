// Message ids are ULIDs: 10 characters of time, 16 of randomness, in Crockford's
// base 32. They sort as strings in the order of their time.

const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const TIME_LENGTH = 10;
const RANDOM_LENGTH = 16;

/** The id before all others. */
export const FIRST_ID = "0".repeat(TIME_LENGTH + RANDOM_LENGTH);
/** The id after all others. */
export const LAST_ID = `7${"Z".repeat(TIME_LENGTH + RANDOM_LENGTH - 1)}`;

/**
 * A key that nothing else has, in hexadecimal digits.
 * @param {number} [bytes]
 */
export const newKey = (bytes = 16) =>
  // Not randomUUID, which exists on secure origins only.
  Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (b) => b.toString(16).padStart(2, "0")).join("");

/**
 * The time in an id.
 * @param {string} id
 * @returns {number} ms since 1970
 */
export function timeOf(id) {
  let ms = 0;
  for (const c of id.slice(0, TIME_LENGTH)) {
    ms = ms * DIGITS.length + Math.max(0, DIGITS.indexOf(c));
  }
  return ms;
}

/**
 * The first id of a time.
 * @param {number} ms since 1970
 * @returns {string}
 */
export function firstIdAt(ms) {
  let rest = Math.max(0, Math.floor(ms));
  let time = "";
  for (let i = 0; i < TIME_LENGTH; i++) {
    time = DIGITS[rest % DIGITS.length] + time;
    rest = Math.floor(rest / DIGITS.length);
  }
  return time + "0".repeat(RANDOM_LENGTH);
}

/**
 * The first id of some time before an id's.
 * @param {string} id
 * @param {number} ms
 */
export const firstIdBefore = (id, ms) => firstIdAt(timeOf(id) - ms);
