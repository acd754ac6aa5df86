// Who types, as far as others say: hints that end by themselves.

/**
 * @typedef {import("./clock.js").Clock} Clock
 * @typedef {import("./frames.js").Frame} Frame
 */

/** The server is told at most this often that the user types in a room (ms). */
const TELL_EVERY = 5_000;
/** And after a message of theirs this often, which is what the server takes (ms). */
const AGAIN_AFTER = 3_000;
/** How long a hint holds after it came (ms): a bit longer than until the next one. */
const HOLDS = 7_000;
/** How much is remembered of each kind. */
const MOST = 500;

/** The most members of a room that is told who types. */
export const TYPING_ROOM = 20;

export class Typing {
  /** @type {Map<string, Map<string, {at: number, until: number}>>} by room and user */
  #hints = new Map();
  /** @type {Map<string, number>} by room and user, the time of the last message: a hint from before it says nothing */
  #spoken = new Map();
  /** @type {Map<string, number>} by room, when the server was told last */
  #told = new Map();
  /** @type {(() => void)|undefined} cancels the end of the next hint */
  #next;
  #off = false;
  #clock;
  #transmit;
  #me;
  #changed;

  /**
   * @param {object} options
   * @param {Clock} options.clock
   * @param {(frame: object) => void} options.transmit
   * @param {() => string} options.me the user's id
   * @param {(chatRoomId: string) => void} options.changed someone begins to type, or has ended
   */
  constructor({ clock, transmit, me, changed }) {
    this.#clock = clock;
    this.#transmit = transmit;
    this.#me = me;
    this.#changed = changed;
  }

  /** @param {string[]} [off] what the deployment has switched off */
  switched(off = []) {
    this.#off = off.includes("typing");
  }

  /**
   * The user types: the server is told, if it was not told just now.
   * @param {string} chatRoomId
   */
  tell(chatRoomId) {
    const now = this.#clock.now();
    if (this.#off || Math.abs(now - (this.#told.get(chatRoomId) ?? 0)) < TELL_EVERY) return;
    if (this.#told.size >= MOST) this.#told.clear();
    this.#told.set(chatRoomId, now);
    this.#transmit({ action: "typing", chatRoomId });
  }

  /**
   * The user's message is sent, which ends what was told: what they type next is told soon.
   * @param {string} chatRoomId
   */
  sent(chatRoomId) {
    const told = this.#told.get(chatRoomId);
    if (told !== undefined) this.#told.set(chatRoomId, Math.min(told, this.#clock.now() - TELL_EVERY + AGAIN_AFTER));
  }

  /**
   * Those who type in a room, in the order in which they began.
   * @param {string} chatRoomId
   * @returns {string[]} user ids
   */
  in(chatRoomId) {
    return [...(this.#hints.get(chatRoomId)?.keys() ?? [])];
  }

  /**
   * @param {Frame} frame
   * @returns {boolean} whether it concerns nothing else
   */
  took({ type, action, chatRoomId = "", userId = "", senderId = "", at = 0, timestamp = 0 }) {
    if (type === "message") this.#spoke(chatRoomId, senderId, timestamp);
    else if (type === "typing" && userId !== this.#me()) this.#types(chatRoomId, userId, at);
    return type === "typing" || (type === "error" && action === "typing");
  }

  stop() {
    this.#next?.();
    this.#next = undefined;
    this.#hints.clear();
  }

  /**
   * @param {string} chatRoomId
   * @param {string} userId
   * @param {number} at
   */
  #types(chatRoomId, userId, at) {
    const hints = this.#hints.get(chatRoomId) ?? new Map();
    const held = hints.get(userId);
    if (at <= Math.max(held?.at ?? 0, this.#spoken.get(`${chatRoomId} ${userId}`) ?? 0)) return;
    hints.set(userId, { at, until: this.#clock.now() + HOLDS });
    this.#hints.set(chatRoomId, hints);
    this.#wait();
    if (!held) this.#changed(chatRoomId);
  }

  /**
   * @param {string} chatRoomId
   * @param {string} userId
   * @param {number} timestamp
   */
  #spoke(chatRoomId, userId, timestamp) {
    if (this.#spoken.size >= MOST) this.#spoken.clear();
    const key = `${chatRoomId} ${userId}`;
    this.#spoken.set(key, Math.max(timestamp, this.#spoken.get(key) ?? 0)); // frames come in any order
    const hints = this.#hints.get(chatRoomId);
    if (timestamp < (hints?.get(userId)?.at ?? Number.POSITIVE_INFINITY)) return;
    hints?.delete(userId);
    this.#changed(chatRoomId);
  }

  /** Waits for the end of the next hint. */
  #wait() {
    this.#next?.();
    this.#next = undefined;
    const ends = [...this.#hints.values()].flatMap((hints) => [...hints.values()].map(({ until }) => until));
    if (ends.length === 0) return;
    this.#next = this.#clock.after(Math.max(0, Math.min(...ends) - this.#clock.now()), () => this.#forget());
  }

  /** Forgets the hints that have ended. */
  #forget() {
    const now = this.#clock.now();
    for (const [room, hints] of this.#hints) {
      const before = hints.size;
      for (const [userId, { until }] of hints) if (until <= now) hints.delete(userId);
      if (hints.size < before) this.#changed(room);
      if (hints.size === 0) this.#hints.delete(room);
    }
    this.#wait();
  }
}
