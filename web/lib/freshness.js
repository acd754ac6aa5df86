// Decides when there is a reason to ask the server although no message is missed: a
// pong tells of something newer than what came, a room was active, the device slept, or a
// day has passed.
// client/freshness.go decides the same, and docs/vectors/refresh.json is run against
// both.

import { around } from "./clock.js";

/**
 * @typedef {import("./clock.js").Clock} Clock
 * @typedef {import("./frames.js").Frame} Frame
 */

/** Between syncs of active rooms (ms). */
const SYNC_EVERY = 30 * 60_000;
/** How long after another one a message may not move its room up in lists, so that no pong tells of it (ms): an interval of three minutes, and the time until it is delivered. */
const NOTED = 4 * 60_000;

/** Between times at which everything is asked for, as on a new connection: of a frame that is lost on a connection that works on, nothing else may tell (ms). */
const RENEW_EVERY = 24 * 3_600_000;

export class Freshness {
  /** The newest time of a message that came live, or of a pong's changedAt (ms since 1970). */
  #seen = 0;
  /** @type {Map<string, number>} rooms of which frames came, and when the last one did (ms since 1970) */
  #active = new Map();
  /** @type {(() => void)|undefined} cancels the next sync of active rooms */
  #timer;
  /** When everything is to be asked for (ms since 1970). */
  #stale = 0;
  /** No pong came since the device slept. */
  #slept = false;
  #clock;
  #sync;

  /**
   * @param {Clock} clock
   * @param {(rooms: string[]) => void} sync brings rooms up to date
   */
  constructor(clock, sync) {
    this.#clock = clock;
    this.#sync = sync;
  }

  /** @param {Frame} frame that came */
  came({ type, chatRoomId, timestamp = 0 }) {
    if (type === "message" || type === "ack") this.#seen = Math.max(this.#seen, timestamp);
    if (!chatRoomId) return;
    this.#active.set(chatRoomId, this.#clock.now());
    this.#watch();
  }

  /**
   * Whether a pong tells of something newer than what came.
   * @param {number} changedAt ms since 1970
   * @param {number} listed the newest time in the list of rooms (ms since 1970)
   */
  isNews(changedAt, listed) {
    const news = changedAt > Math.max(this.#seen, listed);
    this.#seen = Math.max(this.#seen, changedAt);
    this.#slept &&= !news; // all rooms are asked for, active ones too
    return news;
  }

  /** The device slept: a server may have given up frames that nothing read. */
  sleeps() {
    this.#slept = true;
  }

  /** A pong tells of nothing newer. After a sleep active rooms are due. */
  wakes() {
    if (this.#slept && this.#timer) {
      this.#timer();
      this.#due();
    }
    this.#slept = false;
  }

  /** Everything is asked for now. */
  renewed() {
    this.#slept = false;
    this.#stale = this.#clock.now() + around(this.#clock, RENEW_EVERY);
  }

  /** Whether everything is to be asked for, although no connection was lost. */
  isStale() {
    return this.#clock.now() >= this.#stale;
  }

  stop() {
    this.#timer?.();
    this.#timer = undefined;
  }

  #watch() {
    this.#timer ??= this.#clock.after(around(this.#clock, SYNC_EVERY), () => this.#due());
  }

  /**
   * One message may have been stored late, behind others, and be lost. In a room that
   * wasn't active it would have moved the room up.
   */
  #due() {
    this.#timer = undefined;
    this.#sync([...this.#active.keys()]);
    for (const [room, last] of this.#active) {
      if (!(Math.abs(this.#clock.now() - last) < NOTED)) this.#active.delete(room);
    }
    if (this.#active.size > 0) this.#watch();
  }
}
