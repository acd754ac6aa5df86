// Who is online, and when others were, as far as the server has said so.

/**
 * @typedef {import("./clock.js").Clock} Clock
 * @typedef {import("./frames.js").Frame} Frame
 */

/**
 * @typedef {object} Sighting
 * @property {boolean} online
 * @property {number} [lastSeenAt] ms since 1970, if not online; absent where it isn't known
 */

/** Who has gone is shown as online this long (ms): who reconnects is back by then. */
const GONE_AFTER = 15_000;
/** An answer this long after a frame may be older than it (ms). */
const RECENT = 5_000;

export class Presence {
  /** @type {Map<string, Sighting & {at: number, heard: number, learned: number, gone?: () => void, after?: Sighting}>} by user; at is of the last frame, which was heard then; gone cancels what shows that they have gone, which is `after` */
  #users = new Map();
  /** @type {(() => void)|undefined} cancels what forgets those who were not learned again */
  #doubt;
  #off = false;
  #clock;
  #changed;

  /**
   * @param {object} options
   * @param {Clock} options.clock
   * @param {() => void} options.changed
   */
  constructor({ clock, changed }) {
    this.#clock = clock;
    this.#changed = changed;
  }

  /** @param {string[]} [off] what the deployment has switched off */
  switched(off = []) {
    this.#off = off.includes("presence");
  }

  /** Whether the deployment tells who is online. */
  get on() {
    return !this.#off;
  }

  /**
   * @param {string} userId
   * @returns {Sighting|undefined} undefined where nothing is known, or they hide it
   */
  of(userId) {
    return this.#users.get(userId);
  }

  /**
   * @param {Frame} frame
   * @returns {boolean} whether it is about this
   */
  took({ type, userId = "", online = false, at = 0, lastSeenAt }) {
    if (type !== "presence") return false;
    if (at > (this.#users.get(userId)?.at ?? 0)) this.#set(userId, { online, lastSeenAt }, at, this.#clock.now());
    return true;
  }

  /**
   * An answer described a user.
   * @param {string} userId
   * @param {boolean} [online]
   * @param {number} [lastSeenAt]
   */
  learn(userId, online = false, lastSeenAt = undefined) {
    const held = this.#users.get(userId);
    // An answer may be from before what was said last.
    if (!online && held?.online && this.#clock.now() - held.heard < RECENT) return;
    if (held || online || lastSeenAt) this.#set(userId, { online, lastSeenAt }, held?.at ?? 0, held?.heard);
  }

  /** What was said while there was no connection is lost: who is not learned again is forgotten. */
  reconnected() {
    const since = this.#clock.now();
    this.#doubt?.();
    this.#doubt = this.#clock.after(GONE_AFTER, () => {
      const before = this.#users.size;
      for (const [userId, { learned, gone }] of this.#users) {
        if (learned >= since) continue;
        gone?.();
        this.#users.delete(userId);
      }
      if (this.#users.size < before) this.#changed();
    });
  }

  stop() {
    this.#doubt?.();
    for (const { gone } of this.#users.values()) gone?.();
    this.#users.clear();
  }

  /**
   * @param {string} userId
   * @param {Sighting} now
   * @param {number} at
   * @param {number} [heard] when the last frame came
   */
  #set(userId, now, at, heard = 0) {
    const held = this.#users.get(userId);
    const learned = this.#clock.now();
    if (held?.online && !now.online) {
      // The first that is heard of it begins the wait.
      const gone = held.gone ?? this.#clock.after(GONE_AFTER, () => this.#leave(userId));
      this.#users.set(userId, { online: true, at, heard, learned, gone, after: now });
      return;
    }
    held?.gone?.();
    this.#users.set(userId, { ...now, at, heard, learned });
    if (held?.online !== now.online || held.lastSeenAt !== now.lastSeenAt) this.#changed();
  }

  /** @param {string} userId who has not come back */
  #leave(userId) {
    const held = this.#users.get(userId);
    if (!held?.after) return;
    this.#users.set(userId, { ...held.after, at: held.at, heard: held.heard, learned: held.learned });
    this.#changed();
  }
}
