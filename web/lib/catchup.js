// Keeps opened rooms complete: gives their recoveries what arrives, and asks the
// server for what these want.

import { around, fullJitter } from "./clock.js";
import { Deadlines } from "./deadlines.js";
import { Failure } from "./failure.js";
import { Recovery } from "./recovery.js";
import { LAST_ID } from "./ulid.js";

/**
 * @typedef {import("./api.js").API} API
 * @typedef {import("./clock.js").Clock} Clock
 * @typedef {import("./frames.js").Message} Message
 * @typedef {import("./recovery.js").Effect} Effect
 * @typedef {import("./recovery.js").Query} Query
 * @typedef {import("./timeline.js").Timeline} Timeline
 */

/** How long a missing message may be late (ms). */
const PATIENCE = 1_000;
/** Rooms per sync: the server takes no more. */
const ROOMS = 100;
/** Messages per page that is read again. */
const PAGE = 100;
/** A room that is more answers than this behind is read again from its newest page. */
const ANSWERS = 20;
/** Back-off after a sync that failed: its base and its limit (ms). */
const RETRY_BASE = 2_000;
const RETRY_CAP = 60_000;

/**
 * A recovery as this library uses it: it shows messages by their ids, so it need not
 * hold them back.
 * @param {Clock} clock
 */
export const newRecovery = (clock) => new Recovery({ ordered: false, patience: around(clock, PATIENCE) });

export class CatchUp {
  /** @type {(() => void)|undefined} cancels the pending retry */
  #retry;
  #failures = 0;
  #running = false;
  #api;
  #clock;
  #timelines;
  #deadlines;
  #on;

  /**
   * @param {object} of
   * @param {API} of.api
   * @param {Clock} of.clock
   * @param {Map<string, Timeline>} of.timelines the opened rooms
   * @param {object} on
   * @param {(timeline: Timeline, effects: Effect[]) => void} on.effects
   * @param {(timeline: Timeline, messages: Message[]) => void} on.read messages were read that may be held
   * @param {(timeline: Timeline) => void} on.reread all that is shown of a room was read again
   * @param {(timeline: Timeline) => Promise<void>} on.newest a room's newest page is to be read
   * @param {(chatRoomId: string) => void} on.left a room isn't the user's any more
   * @param {(failure: Failure) => void} on.failure
   */
  constructor({ api, clock, timelines }, on) {
    this.#api = api;
    this.#clock = clock;
    this.#timelines = timelines;
    this.#on = on;
    this.#deadlines = new Deadlines(clock, (room) => {
      const timeline = timelines.get(room);
      if (timeline) this.input(timeline);
    });
  }

  /**
   * Gives a room an input; without one, time passes.
   * @param {Timeline} timeline
   * @param {(recovery: Recovery) => void} [input]
   */
  input(timeline, input) {
    this.#step(timeline, input);
    void this.#run();
  }

  /** A connection answers for the first time: anything may have happened before. */
  reconnected() {
    this.#retry?.();
    this.#retry = undefined;
    for (const timeline of this.#timelines.values()) {
      this.#step(timeline, (recovery) => {
        recovery.show(timeline.oldest || LAST_ID);
        recovery.reconnected();
      });
    }
    void this.#run();
  }

  /**
   * The server left messages of a room out.
   * @param {Timeline} timeline
   */
  leftOut(timeline) {
    this.input(timeline, (recovery) => {
      recovery.show(timeline.oldest || LAST_ID);
      recovery.leftOut();
    });
  }

  /**
   * Syncs rooms, for what nothing hints at.
   * @param {string[]} [rooms] all by default
   */
  refresh(rooms = [...this.#timelines.keys()]) {
    for (const room of rooms) {
      const timeline = this.#timelines.get(room);
      if (timeline) this.#step(timeline, (recovery) => recovery.refresh());
    }
    void this.#run();
  }

  /** Forgets what it was about to do. */
  stop() {
    this.#deadlines.stop();
    this.#retry?.();
    this.#retry = undefined;
  }

  /**
   * @param {Timeline} timeline
   * @param {(recovery: Recovery) => void} [input]
   */
  #step(timeline, input) {
    const { chatRoomId, recovery } = timeline;
    const effects = recovery.step(this.#clock.now(), input);
    if (effects.length > 0) this.#on.effects(timeline, effects);
    this.#deadlines.follow(chatRoomId, recovery);
  }

  /** Asks until no room wants anything; one request at a time. */
  async #run() {
    if (this.#running || this.#retry) return;
    this.#running = true;
    /** @type {Map<Timeline, number>} answers so far */
    const answers = new Map();
    for (;;) {
      const due = [...this.#timelines.values()]
        .filter(({ loaded, recovery }) => loaded && recovery.due)
        .slice(0, ROOMS);
      if (due.length === 0) break;
      const open = new Map(due.map((timeline) => [timeline, timeline.recovery.ask(this.#clock.now())]));
      try {
        await this.#ask(open, answers);
        this.#failures = 0;
      } catch (err) {
        for (const timeline of open.keys()) this.#step(timeline, (recovery) => recovery.failed());
        this.#failed(Failure.from(err));
        break;
      }
    }
    this.#running = false;
  }

  /**
   * Asks what these rooms want; those that were answered are taken out.
   * @param {Map<Timeline, Query>} open
   * @param {Map<Timeline, number>} answers so far
   */
  async #ask(open, answers) {
    const after = [...open].flatMap(([{ chatRoomId }, { sync }]) => (sync ? [[chatRoomId, sync]] : []));
    const { rooms } = after.length > 0 ? await this.#api.sync(Object.fromEntries(after)) : { rooms: {} };
    for (const [timeline, query] of [...open]) {
      if (query.sync) this.#synced(timeline, query.sync, rooms[timeline.chatRoomId], answers);
      // With more to come, a page would have messages that aren't held yet, and its readers would be lost.
      const more = query.sync && rooms[timeline.chatRoomId]?.more;
      if (query.page && !more && this.#follows(timeline)) await this.#reread(timeline, query.page);
      if (query.newest) await this.#on.newest(timeline);
      open.delete(timeline);
    }
  }

  /** @param {Timeline} timeline */
  #follows(timeline) {
    return this.#timelines.get(timeline.chatRoomId) === timeline;
  }

  /**
   * @param {Timeline} timeline
   * @param {string} after
   * @param {{messages: Message[], more: boolean}|undefined} answer
   * @param {Map<Timeline, number>} answers so far
   */
  #synced(timeline, after, answer, answers) {
    if (!this.#follows(timeline)) return;
    if (!answer) {
      this.#on.left(timeline.chatRoomId);
      return;
    }
    const count = (answers.get(timeline) ?? 0) + 1;
    answers.set(timeline, count);
    const messages = answer.messages ?? [];
    const more = answer.more && messages.length > 0;
    if (more && count >= ANSWERS) {
      timeline.recovery = newRecovery(this.#clock); // it wants the newest page
      return;
    }
    this.#step(timeline, (recovery) => recovery.synced(after, messages, more));
    this.#on.read(timeline, messages);
  }

  /**
   * Reads messages that are shown again, for changes of them.
   * @param {Timeline} timeline
   * @param {string} id the page before this one
   */
  async #reread(timeline, id) {
    const before = id === LAST_ID ? undefined : id;
    const { messages, cursor } = await this.#api.messages(timeline.chatRoomId, { limit: PAGE, before });
    if (!this.#follows(timeline)) return;
    const page = messages.toReversed();
    const { recovery } = timeline;
    this.#step(timeline, () => recovery.rereadPage(page, cursor !== undefined));
    // Messages that would take too many pages are left to be read when they are wanted.
    const oldest = page[0]?.messageId;
    if (cursor !== undefined && oldest > timeline.oldest && !recovery.rereading) timeline.beginAt(oldest, cursor);
    timeline.noteReaders(page);
    this.#on.read(timeline, page);
    if (!recovery.rereading) this.#on.reread(timeline);
  }

  /** @param {Failure} failure */
  #failed(failure) {
    const delay =
      Math.max(RETRY_BASE / 4, failure.retryAfter) + fullJitter(this.#clock, this.#failures++, RETRY_BASE, RETRY_CAP);
    this.#retry = this.#clock.after(delay, () => {
      this.#retry = undefined;
      void this.#run();
    });
    this.#on.failure(failure);
  }
}
