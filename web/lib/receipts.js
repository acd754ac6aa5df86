// Read cursors: those of others, as the server sends them, and the user's own, which
// the server gets.

import { around, fullJitter } from "./clock.js";
import { Failure, isPassing } from "./failure.js";

/**
 * @typedef {import("./clock.js").Clock} Clock
 * @typedef {import("./frames.js").Message} Message
 */

/** Between two cursors told for one room (ms): the last one says it all. */
const TELL_EVERY = 1_000;
/** Back-off after a cursor that couldn't be told: its base and its limit (ms). */
const RETRY_BASE = 2_000;
const RETRY_CAP = 60_000;

/**
 * How far a user has read.
 * @typedef {object} Cursor
 * @property {string} upTo a message id
 * @property {string} [from] the id after which, if they joined later
 * @property {string} [since] of the messages after this id they have read those that are known, the others were stored later; absent: all
 * @property {string} [known] the ends of these messages' ids, one after the other
 */

/** How many characters of an id `known` has. */
const END_OF_ID = 6;

/**
 * Whether a user has read a message. client/event.go has the same rule, and
 * docs/vectors/reads.json is run against both.
 * @param {Cursor} cursor
 * @param {string} messageId
 */
export function includes({ upTo, from = "", since = "", known = "" }, messageId) {
  if (messageId <= from || messageId > upTo) return false;
  if (since === "" || messageId <= since) return true;
  const end = messageId.slice(-END_OF_ID);
  for (let i = 0; i < known.length; i += END_OF_ID) {
    if (known.startsWith(end, i)) return true;
  }
  return false;
}

/**
 * Whether a cursor is news. One with the same upTo says that what was stored behind it
 * was read since.
 * @param {Cursor} cursor
 * @param {Cursor} [held]
 */
function isNews({ upTo, since = "", known = "" }, held) {
  if (!held || upTo !== held.upTo) return upTo > (held?.upTo ?? "");
  if (since !== (held.since ?? "")) return since > (held.since ?? "");
  return known.length > (held.known ?? "").length;
}

export class Receipts {
  /** @type {Map<string, Map<string, Cursor>>} by room and user */
  #others = new Map();
  /** @type {Map<string, Map<string, Cursor>>} what was known of them before a reconnect, until history is read again */
  #outdated = new Map();
  /** @type {Map<string, string>} by room */
  #own = new Map();
  /** @type {Map<string, {upTo: string}>} by room, the user's own cursors that the server doesn't have yet */
  #untold = new Map();
  /** @type {Map<string, () => void>} by room, what cancels the wait before the next one is sent */
  #waits = new Map();
  #telling = new Set();
  #failures = 0;
  #clock;
  #tell;

  /**
   * @param {object} options
   * @param {Clock} options.clock
   * @param {(chatRoomId: string, upTo: string) => Promise<unknown>} options.tell rejects with a Failure
   */
  constructor({ clock, tell }) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /**
   * @param {string} chatRoomId
   * @returns {string} the id up to which the user has read; empty if it isn't known
   */
  own(chatRoomId) {
    return this.#own.get(chatRoomId) ?? "";
  }

  /**
   * Someone else has read.
   * @param {string} chatRoomId
   * @param {string} userId
   * @param {Cursor} cursor
   * @returns {boolean} whether that is news
   */
  moved(chatRoomId, userId, cursor) {
    const cursors = this.#others.get(chatRoomId) ?? new Map();
    if (!isNews(cursor, cursors.get(userId))) return false;
    this.#others.set(chatRoomId, cursors.set(userId, cursor));
    return true;
  }

  /**
   * The user has read, here or on another device.
   * @param {string} chatRoomId
   * @param {string} upTo
   * @param {boolean} here the server has to be told
   * @returns {boolean} whether that is news
   */
  read(chatRoomId, upTo, here) {
    if (!upTo || upTo <= this.own(chatRoomId)) return false;
    this.#own.set(chatRoomId, upTo);
    if (here) {
      this.#untold.set(chatRoomId, { upTo });
      void this.#tellNext(chatRoomId);
    }
    return true;
  }

  /**
   * Whether the server doesn't have the user's read cursor yet.
   * @param {string} chatRoomId
   */
  isUntold(chatRoomId) {
    return this.#untold.has(chatRoomId);
  }

  /**
   * The server tells how far the user has read.
   * @param {string} chatRoomId
   * @param {string} upTo empty for nothing
   */
  setOwn(chatRoomId, upTo) {
    this.#own.set(chatRoomId, upTo);
  }

  /**
   * Tells the server once more: messages came that it may count as unread although the
   * cursor has passed them.
   * @param {string} chatRoomId
   */
  tellAgain(chatRoomId) {
    this.#untold.set(chatRoomId, { upTo: this.own(chatRoomId) });
    void this.#tellNext(chatRoomId);
  }

  /**
   * Who has read a message, its sender left out.
   * @param {Message} message
   * @returns {string[]}
   */
  readers({ chatRoomId, messageId, senderId, readBy }) {
    const readers = new Set(readBy);
    for (const cursors of [this.#others, this.#outdated]) {
      for (const [userId, cursor] of cursors.get(chatRoomId) ?? []) {
        if (includes(cursor, messageId)) readers.add(userId);
      }
    }
    readers.delete(senderId);
    return [...readers];
  }

  /**
   * Members may have come, gone and read unnoticed in a room: what is known of them
   * holds until history was read again.
   * @param {string} chatRoomId
   */
  doubt(chatRoomId) {
    const known = [...(this.#outdated.get(chatRoomId) ?? []), ...(this.#others.get(chatRoomId) ?? [])];
    this.#outdated.set(chatRoomId, new Map(known));
    this.#others.delete(chatRoomId);
  }

  /**
   * History was read again: it says who had read what.
   * @param {string} chatRoomId
   */
  settled(chatRoomId) {
    this.#outdated.delete(chatRoomId);
  }

  /**
   * The user has left a room, or another member has.
   * @param {string} chatRoomId
   * @param {string} [userId] everyone where absent
   */
  forget(chatRoomId, userId) {
    if (userId !== undefined) {
      this.#others.get(chatRoomId)?.delete(userId);
      this.#outdated.get(chatRoomId)?.delete(userId);
      return;
    }
    this.#others.delete(chatRoomId);
    this.#outdated.delete(chatRoomId);
    this.#own.delete(chatRoomId);
    this.#untold.delete(chatRoomId);
  }

  /** The connection is there: no need to wait any longer. */
  online() {
    this.#failures = 0;
    for (const room of this.#untold.keys()) void this.#tellNext(room);
  }

  stop() {
    for (const cancel of this.#waits.values()) cancel();
    this.#waits.clear();
    this.#untold.clear();
  }

  /** @param {string} room */
  async #tellNext(room) {
    const telling = this.#untold.get(room);
    if (!telling || this.#telling.has(room)) return;
    this.#waits.get(room)?.();
    this.#telling.add(room);
    let wait = around(this.#clock, TELL_EVERY);
    let told = true;
    try {
      await this.#tell(room, telling.upTo);
      this.#failures = 0;
    } catch (err) {
      told = !isPassing(Failure.from(err).code); // or never will be
      if (!told) wait = RETRY_BASE / 4 + fullJitter(this.#clock, this.#failures++, RETRY_BASE, RETRY_CAP);
    }
    if (told && this.#untold.get(room) === telling) this.#untold.delete(room);
    this.#waits.set(
      room,
      this.#clock.after(wait, () => {
        this.#waits.delete(room);
        this.#telling.delete(room);
        void this.#tellNext(room);
      }),
    );
  }
}
