// Messages that end: they are let go of when their time is over, as the server does.

/**
 * @typedef {import("./clock.js").Clock} Clock
 * @typedef {import("./timeline.js").Timeline} Timeline
 */

/** Timers of browsers end after 24 days at most (ms). */
const LONGEST = 86_400_000;

export class Expiry {
  /** @type {(() => void)|undefined} */
  #cancel;
  /** When the next message ends (ms since 1970). */
  #at = Infinity;
  #clock;
  #now;
  #timelines;
  #expired;

  /**
   * @param {object} of
   * @param {Clock} of.clock
   * @param {() => number} of.now the server's time
   * @param {Map<string, Timeline>} of.timelines the opened rooms
   * @param {(timeline: Timeline, messageIds: string[]) => void} of.expired a room has let go of messages
   */
  constructor({ clock, now, timelines, expired }) {
    this.#clock = clock;
    this.#now = now;
    this.#timelines = timelines;
    this.#expired = expired;
  }

  /** Messages came, or went. */
  follow() {
    let at = Infinity;
    for (const { expires } of this.#timelines.values()) at = Math.min(at, expires);
    if (at === this.#at) return;
    this.stop();
    this.#at = at;
    if (at === Infinity) return;
    this.#cancel = this.#clock.after(Math.min(LONGEST, Math.max(0, at - this.#now())), () => {
      this.#at = Infinity;
      for (const timeline of this.#timelines.values()) {
        const ended = timeline.expire(this.#now());
        if (ended.length > 0) this.#expired(timeline, ended);
      }
      this.follow();
    });
  }

  stop() {
    this.#cancel?.();
    this.#at = Infinity;
  }
}
