// A message on its way through the state machine of recovery.js.

/** @typedef {import("./frames.js").Message} Message */

/**
 * A message on its way through a room.
 * @typedef {object} Arrival
 * @property {string} id
 * @property {string} previous empty: none, or none before id
 * @property {boolean} chained previous is known; an edit and an ack don't tell it
 * @property {boolean} covered it came before the sync under way was asked for
 * @property {boolean} delivered
 * @property {boolean} backlog
 * @property {Message} message
 */

/**
 * @param {Message} message
 * @returns {Arrival}
 */
export function arrivalOf(message) {
  const { messageId: id, previousMessageId } = message;
  // Ids within one ms are in random order, and clocks differ: a hint at a greater id
  // is nothing to wait for.
  const previous = previousMessageId && previousMessageId < id ? previousMessageId : "";
  return {
    id,
    previous,
    chained: previousMessageId !== undefined,
    covered: false,
    delivered: false,
    backlog: false,
    message,
  };
}

/**
 * Takes what a frame, or an ack, says of a waiting message's predecessor. Of several
 * the greatest is right: the others are from before it was stored.
 * @param {Arrival} waiting
 * @param {Arrival} arrival
 */
export function chain(waiting, { chained, previous }) {
  if (!chained || previous < waiting.previous) return;
  waiting.previous = previous;
  waiting.chained = true;
}

/**
 * Puts an arrival in its place.
 * @param {Arrival[]} waiting ascending
 * @param {Arrival} arrival
 */
export function insert(waiting, arrival) {
  let i = waiting.length;
  while (i > 0 && waiting[i - 1].id > arrival.id) i--;
  waiting.splice(i, 0, arrival);
}
