// Which messages stand together: those of one sender with no long pause in between, on one
// day. The first of them has the sender's name, and the time of them all.

import { dayOf } from "./words.js";

/** A longer pause ends a group (ms). */
const PAUSE = 5 * 60_000;

/**
 * @typedef {object} Written
 * @property {string} senderId
 * @property {number} timestamp ms since 1970
 */

/**
 * @param {Written} message
 * @param {Written|undefined} previous the one above it
 * @param {boolean} fresh the first that is new to the reader, below a line that says so
 * @returns {{newDay: boolean, first: boolean}} whether a day begins with it, and whether a group does
 */
export function beginsWith(message, previous, fresh) {
  const newDay = !previous || dayOf(previous.timestamp) !== dayOf(message.timestamp);
  const first =
    newDay || fresh || previous.senderId !== message.senderId || message.timestamp - previous.timestamp > PAUSE;
  return { newDay, first };
}
