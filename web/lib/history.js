// Reads the history of opened rooms: the newest page, and older ones when they are
// wanted.

import { newRecovery } from "./catchup.js";
import { Timeline } from "./timeline.js";
import { LAST_ID } from "./ulid.js";

/**
 * @typedef {import("./api.js").API} API
 * @typedef {import("./catchup.js").CatchUp} CatchUp
 * @typedef {import("./clock.js").Clock} Clock
 * @typedef {import("./frames.js").Message} Message
 * @typedef {import("./once.js").Once} Once
 */

/** Messages per page: at first what a screen shows and some, later what the server gives. */
const FIRST_PAGE = 50;
const PAGE = 100;

export class History {
  #api;
  #clock;
  #timelines;
  #once;
  #catchUp;
  #unread;
  #read;

  /**
   * @param {object} of
   * @param {API} of.api
   * @param {Clock} of.clock
   * @param {Map<string, Timeline>} of.timelines the opened rooms
   * @param {Once} of.once
   * @param {CatchUp} of.catchUp
   * @param {(chatRoomId: string) => number} of.unread how many messages are unread, as far as is known
   * @param {(timeline: Timeline, messages: Message[]) => void} of.read a page was read
   */
  constructor({ api, clock, timelines, once, catchUp, unread, read }) {
    this.#api = api;
    this.#clock = clock;
    this.#timelines = timelines;
    this.#once = once;
    this.#catchUp = catchUp;
    this.#unread = unread;
    this.#read = read;
  }

  /**
   * Reads a room's newest messages unless they are here.
   * @param {string} chatRoomId
   */
  async open(chatRoomId) {
    const timeline = this.#timelines.get(chatRoomId) ?? new Timeline(chatRoomId, newRecovery(this.#clock));
    this.#timelines.set(chatRoomId, timeline);
    if (!timeline.loaded) await this.#once.run(`newest ${chatRoomId}`, () => this.newest(timeline));
  }

  /** @param {Timeline} timeline */
  async newest(timeline) {
    const { chatRoomId, recovery } = timeline;
    if (recovery.phase === "new") recovery.ask(this.#clock.now());
    // All that is unread, so far as one page has it.
    const limit = this.#unread(chatRoomId) > FIRST_PAGE / 2 ? PAGE : FIRST_PAGE;
    const page = await this.#api.messages(chatRoomId, { limit });
    const older = page.cursor !== undefined;
    timeline.loaded = true;
    this.#catchUp.input(timeline, () => recovery.newest(page.messages.toReversed(), older));
    if (older) timeline.beginAt(recovery.start, page.cursor);
    this.#read(timeline, page.messages);
  }

  /**
   * Reads the page before the oldest message held.
   * @param {string} chatRoomId
   */
  async older(chatRoomId) {
    const timeline = this.#timelines.get(chatRoomId);
    if (timeline?.before === undefined) return;
    await this.#once.run(`older ${chatRoomId}`, async () => {
      const { before } = timeline;
      const page = await this.#api.messages(chatRoomId, { limit: PAGE, before });
      if (timeline.before !== before) return; // the newest page was read again in the meantime
      for (const message of page.messages) timeline.put(message);
      timeline.before = page.cursor;
      this.#catchUp.input(timeline, (recovery) => recovery.show(timeline.oldest || LAST_ID));
      this.#read(timeline, []);
    });
  }
}
