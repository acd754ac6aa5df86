// Counts of unread messages. Where the messages after the own read cursor are held,
// they are counted. Elsewhere the server's count goes on with each message that
// follows the last one; where it can't go on so, the server is asked again.

import { newRecovery } from "./catchup.js";
import { around } from "./clock.js";
import { Deadlines } from "./deadlines.js";
import { MOST_UNREAD } from "./rooms.js";

/**
 * @typedef {import("./clock.js").Clock} Clock
 * @typedef {import("./frames.js").Message} Message
 * @typedef {import("./receipts.js").Receipts} Receipts
 * @typedef {import("./recovery.js").Effect} Effect
 * @typedef {import("./recovery.js").Recovery} Recovery
 * @typedef {import("./rooms.js").RoomList} RoomList
 * @typedef {import("./timeline.js").Timeline} Timeline
 */

/** How soon the server is asked for a count that is in doubt (ms). */
const ASK_AFTER = 1_000;
/** Between two times that it is asked (ms): a list is up to 10 requests. */
const ASK_EVERY = 10_000;

export class Unread {
  /** @type {Map<string, Recovery>} of rooms that aren't opened: what follows the last message that the list had */
  #rooms = new Map();
  /** @type {Set<string>} rooms whose count may be wrong */
  #doubted = new Set();
  /** @type {Map<string, number>} by room, the moment of its count's last change */
  #changed = new Map();
  /** @type {Map<string, number>} by room, the moment at which the server took the own read cursor */
  #told = new Map();
  /** Counts moments: what came before an answer was asked for, and what came after. */
  #moment = 0;
  /** @type {(() => void)|undefined} cancels the pending question */
  #asking;
  #askedAt = -Infinity;
  #clock;
  #list;
  #timelines;
  #receipts;
  #me;
  #ask;
  #deadlines;

  /**
   * @param {object} of
   * @param {Clock} of.clock
   * @param {RoomList} of.list
   * @param {Map<string, Timeline>} of.timelines the opened rooms
   * @param {Receipts} of.receipts
   * @param {() => string} of.me the user's id
   * @param {() => void} of.ask reads the list of rooms
   */
  constructor({ clock, list, timelines, receipts, me, ask }) {
    this.#clock = clock;
    this.#list = list;
    this.#timelines = timelines;
    this.#receipts = receipts;
    this.#me = me;
    this.#ask = ask;
    this.#deadlines = new Deadlines(clock, (room) => this.input(room));
  }

  /**
   * Gives a room that isn't opened an input; without one, time passes.
   * @param {string} chatRoomId
   * @param {(recovery: Recovery) => void} [input]
   * @returns {Effect[]}
   */
  input(chatRoomId, input) {
    const recovery = this.#rooms.get(chatRoomId) ?? this.#begin(chatRoomId);
    const effects = recovery.step(this.#clock.now(), input);
    this.#deadlines.follow(chatRoomId, recovery);
    if (recovery.due) this.doubt(chatRoomId);
    return effects;
  }

  /**
   * A message is new.
   * @param {Message} message
   */
  add({ chatRoomId, messageId, senderId, deletedAt }) {
    this.#touch(chatRoomId);
    if (this.#derive(chatRoomId) || deletedAt || senderId === this.#me() || messageId <= this.#receipts.own(chatRoomId))
      return;
    const { unread = 0, unreadMore } = this.#list.get(chatRoomId) ?? {};
    this.#list.setUnread(chatRoomId, unread + 1, unreadMore);
  }

  /**
   * A message was deleted.
   * @param {string} chatRoomId
   * @param {string} messageId
   */
  deleted(chatRoomId, messageId) {
    if (!this.#derive(chatRoomId) && messageId > this.#receipts.own(chatRoomId)) this.doubt(chatRoomId);
  }

  /**
   * The own read cursor moved.
   * @param {string} chatRoomId
   * @param {string} upTo
   */
  read(chatRoomId, upTo) {
    this.#touch(chatRoomId);
    if (this.#derive(chatRoomId)) return;
    if (upTo >= (this.#list.get(chatRoomId)?.lastMessage?.messageId ?? "")) this.#list.setUnread(chatRoomId, 0);
    else this.doubt(chatRoomId);
  }

  /**
   * The server took the own read cursor.
   * @param {string} chatRoomId
   */
  told(chatRoomId) {
    this.#told.set(chatRoomId, ++this.#moment);
  }

  /**
   * Counts, if the messages are held, after these changed.
   * @param {string} chatRoomId
   */
  count(chatRoomId) {
    this.#derive(chatRoomId);
  }

  /**
   * A room's count may be wrong: the server is asked, soon.
   * @param {string} chatRoomId
   */
  doubt(chatRoomId) {
    this.#doubted.add(chatRoomId);
    if (this.#asking) return;
    const wait = Math.max(ASK_AFTER, this.#askedAt + ASK_EVERY - this.#clock.now());
    this.#asking = this.#clock.after(around(this.#clock, wait), () => {
      this.#asking = undefined;
      this.#ask();
    });
  }

  /**
   * The list is about to be read.
   * @returns {number} the moment
   */
  begin() {
    this.#asking?.();
    this.#asking = undefined;
    this.#askedAt = this.#clock.now();
    return ++this.#moment;
  }

  /**
   * Whether a room's count is to be kept although the list has another.
   * @param {string} chatRoomId
   * @param {number} since when the list was asked for
   * @param {boolean} older whether the list has not the room's last message yet
   */
  keeps(chatRoomId, since, older) {
    return this.#isSince(this.#changed, chatRoomId, since) || (older && !this.#doubted.has(chatRoomId));
  }

  /**
   * The list was read: its counts are right, but for what changed since.
   * @param {number} since when it was asked for
   */
  listed(since) {
    for (const { chatRoomId, unread = 0, unreadMore, lastMessage } of this.#list.list()) {
      const own = this.#receipts.own(chatRoomId);
      const isNewer = this.#receipts.isUntold(chatRoomId) || this.#isSince(this.#told, chatRoomId, since);
      if (isNewer && own >= (lastMessage?.messageId ?? "")) this.#list.setUnread(chatRoomId, 0);
      else if (isNewer || this.#isSince(this.#changed, chatRoomId, since)) this.#derive(chatRoomId);
      else if (this.#derive(chatRoomId) && this.#list.get(chatRoomId)?.unread !== unread) {
        this.#receipts.forgetOwn(chatRoomId); // another device has read further
        this.#list.setUnread(chatRoomId, unread, unreadMore);
      }
      if (!this.#isSince(this.#changed, chatRoomId, since) && this.#doubted.delete(chatRoomId)) this.forget(chatRoomId);
    }
    for (const room of this.#doubted) {
      if (this.#list.get(room)) this.doubt(room);
      else this.#doubted.delete(room);
    }
  }

  /**
   * Forgets what follows a room's last message: it was opened, left, or listed.
   * @param {string} chatRoomId
   */
  forget(chatRoomId) {
    this.#rooms.delete(chatRoomId);
    this.#deadlines.drop(chatRoomId);
  }

  stop() {
    this.#deadlines.stop();
    this.#asking?.();
    this.#asking = undefined;
  }

  /** @param {string} chatRoomId */
  #begin(chatRoomId) {
    const recovery = newRecovery(this.#clock);
    const last = this.#list.get(chatRoomId)?.lastMessage;
    const page = last ? [{ ...last, chatRoomId, content: last.preview }] : [];
    recovery.ask();
    recovery.step(this.#clock.now(), () => recovery.newest(page, page.length > 0));
    this.#rooms.set(chatRoomId, recovery);
    return recovery;
  }

  /**
   * Counts, if all messages after the own read cursor are held.
   * @param {string} chatRoomId
   * @returns {boolean} whether they are
   */
  #derive(chatRoomId) {
    const own = this.#receipts.own(chatRoomId);
    const timeline = this.#timelines.get(chatRoomId);
    if (!own || !timeline?.reaches(own)) return false;
    this.#list.setUnread(chatRoomId, timeline.countAfter(own, this.#me(), MOST_UNREAD));
    return true;
  }

  /** @param {string} chatRoomId */
  #touch(chatRoomId) {
    this.#changed.set(chatRoomId, ++this.#moment);
  }

  /**
   * @param {Map<string, number>} moments
   * @param {string} chatRoomId
   * @param {number} since
   */
  #isSince(moments, chatRoomId, since) {
    return (moments.get(chatRoomId) ?? 0) > since;
  }
}
