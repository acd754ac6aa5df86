// Keeps opened rooms complete: asks the server for what deliveries left out.

import { around, fullJitter } from "./clock.js";
import { Failure } from "./failure.js";

/**
 * @typedef {import("./api.js").API} API
 * @typedef {import("./clock.js").Clock} Clock
 * @typedef {import("./frames.js").Message} Message
 * @typedef {import("./timeline.js").Timeline} Timeline
 */

/** A predecessor that is missing for this long is a hole (ms). */
const HOLE_AFTER = 1_000;
/** Rooms per sync: the server takes no more. */
const ROOMS = 100;
/** A room that is more answers than this behind is read again from its newest page. */
const ANSWERS = 20;
/** Back-off after a sync that failed: its base and its limit (ms). */
const RETRY_BASE = 2_000;
const RETRY_CAP = 60_000;

export class CatchUp {
  /** @type {Map<string, string>} rooms to sync, and after which message id */
  #wanted = new Map();
  /** @type {Map<string, () => void>} what cancels each pending look at a room */
  #looks = new Map();
  /** @type {(() => void)|undefined} cancels the pending retry */
  #retry;
  #failures = 0;
  #running = false;
  #api;
  #clock;
  #timelines;
  #on;

  /**
   * @param {object} of
   * @param {API} of.api
   * @param {Clock} of.clock
   * @param {Map<string, Timeline>} of.timelines the opened rooms
   * @param {object} on
   * @param {(timeline: Timeline, fresh: Message[]) => void} on.synced a room is up to date again; fresh were not held
   * @param {(timeline: Timeline) => Promise<void>} on.behind a room is too far behind to sync: read it anew
   * @param {(chatRoomId: string) => void} on.left a room isn't the user's any more
   * @param {(failure: Failure) => void} on.failure
   */
  constructor({ api, clock, timelines }, on) {
    this.#api = api;
    this.#clock = clock;
    this.#timelines = timelines;
    this.#on = on;
  }

  /** Syncs every room whose history was read. */
  everything() {
    for (const timeline of this.#timelines.values()) this.#want(timeline, timeline.sweepAfter);
    void this.#run();
  }

  /**
   * Looks at a room in a moment, and syncs it if it has a hole then: most
   * predecessors are only late.
   * @param {Timeline} timeline
   * @param {boolean} [certainly] sync it, hole or not
   */
  look(timeline, certainly = false) {
    const { chatRoomId } = timeline;
    if (!timeline.loaded || !(certainly || timeline.hasHole)) return;
    if (this.#looks.has(chatRoomId) && !certainly) return;
    this.#looks.get(chatRoomId)?.();
    this.#looks.set(chatRoomId, this.#clock.after(around(this.#clock, HOLE_AFTER), () => {
      this.#looks.delete(chatRoomId);
      if (!certainly && !timeline.hasHole) return;
      this.#want(timeline, timeline.syncAfter);
      void this.#run();
    }));
  }

  /** Forgets what it was about to do. */
  stop() {
    for (const cancel of this.#looks.values()) cancel();
    this.#looks.clear();
    this.#retry?.();
    this.#wanted.clear();
  }

  /**
   * @param {Timeline} timeline
   * @param {string} after
   */
  #want({ loaded, chatRoomId }, after) {
    const wanted = this.#wanted.get(chatRoomId) ?? after;
    if (loaded) this.#wanted.set(chatRoomId, wanted < after ? wanted : after);
  }

  /** Syncs until nothing is wanted; one request at a time. */
  async #run() {
    if (this.#running) return;
    this.#running = true;
    this.#retry?.();
    /** @type {Map<string, number>} answers so far, per room */
    const answers = new Map();
    while (this.#wanted.size > 0) {
      const asked = [...this.#wanted].slice(0, ROOMS);
      for (const [id] of asked) this.#wanted.delete(id);
      try {
        const { rooms } = await this.#api.sync(Object.fromEntries(asked));
        for (const [id, after] of asked) await this.#take(id, after, rooms[id], answers);
        this.#failures = 0;
      } catch (err) {
        for (const [id, after] of asked) if (!this.#wanted.has(id)) this.#wanted.set(id, after);
        this.#failed(Failure.from(err));
        break;
      }
    }
    this.#running = false;
  }

  /**
   * @param {string} chatRoomId
   * @param {string} after the id that was asked for
   * @param {{messages: Message[], more: boolean}|undefined} answer
   * @param {Map<string, number>} answers so far, per room
   */
  async #take(chatRoomId, after, answer, answers) {
    const timeline = this.#timelines.get(chatRoomId);
    if (!timeline) return;
    if (!answer) {
      this.#on.left(chatRoomId);
      return;
    }
    const count = (answers.get(chatRoomId) ?? 0) + 1;
    answers.set(chatRoomId, count);
    const messages = answer.messages ?? [];
    const last = messages.at(-1);
    if (answer.more && count >= ANSWERS) {
      await this.#on.behind(timeline);
      return;
    }
    if (answer.more && last) this.#wanted.set(chatRoomId, last.messageId);
    this.#on.synced(timeline, timeline.synced(messages, after));
    if (!answer.more) this.look(timeline);
  }

  /** @param {Failure} failure */
  #failed(failure) {
    const delay = RETRY_BASE / 4 + fullJitter(this.#clock, this.#failures++, RETRY_BASE, RETRY_CAP);
    this.#retry = this.#clock.after(delay, () => {
      this.#retry = undefined;
      void this.#run();
    });
    this.#on.failure(failure);
  }
}
