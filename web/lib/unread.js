// Counts of unread messages. Where the messages after the own read cursor are held,
// they are counted. Elsewhere the server's count goes on with each message that
// follows the last one; where it can't go on so, the server is asked again.

import { newRecovery } from "./catchup.js";
import { around } from "./clock.js";
import { Deadlines } from "./deadlines.js";
import { includes } from "./receipts.js";
import { MOST_UNREAD } from "./rooms.js";

/**
 * @typedef {import("./clock.js").Clock} Clock
 * @typedef {import("./frames.js").Message} Message
 * @typedef {import("./receipts.js").Cursor} Cursor
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
/** A message that comes so soon after the list was asked for may be in the list's count already; a room is quiet when none comes for as long (ms). */
const IN_FLIGHT = 5_000;
/** A list may have a read cursor of so long before (ms). */
const CURSOR_LAG = 5_000;
/** After a reconnect the list is read once more: last messages follow within some seconds (ms). */
const LIST_LAG = 8_000;
/** How many messages of a room are remembered, to tell those that come once more. */
const REMEMBERED = 500;

export class Unread {
  /** @type {Map<string, Recovery>} of rooms that aren't opened: what follows the last message that the list had */
  #rooms = new Map();
  /** @type {Map<string, string>} by room that isn't opened, that message's id */
  #begun = new Map();
  /** @type {Map<string, Set<string>>} by room, the ids of the latest messages that came, in this order */
  #came = new Map();
  /** @type {Set<string>} rooms whose count may be wrong */
  #doubted = new Set();
  /** @type {Set<string>} rooms with messages that came behind the own read cursor: the server knows which of these are unread */
  #late = new Set();
  /** @type {Map<string, () => void>} by room with a message that may be counted twice, what cancels its wait for quiet */
  #suspected = new Map();
  /** @type {Map<string, number>} by room, the moment of its count's last change */
  #changed = new Map();
  /** @type {Map<string, number>} by room, the moment at which the server took the own read cursor */
  #told = new Map();
  /** @type {Map<string, number>} by room, when the own read cursor moved last, or the server took it */
  #movedAt = new Map();
  /** Counts moments: what came before an answer was asked for, and what came after. */
  #moment = 0;
  /** @type {(() => void)|undefined} cancels the pending question */
  #asking;
  /** @type {(() => void)|undefined} cancels the second question after a reconnect */
  #again;
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
  add({ chatRoomId, messageId, senderId, deletedAt, mentions: mentioned }) {
    this.#touch(chatRoomId);
    this.#note(chatRoomId, messageId);
    const counts = !deletedAt && senderId !== this.#me();
    if (counts && messageId <= this.#receipts.own(chatRoomId)) {
      this.#isLate(chatRoomId);
      return;
    }
    if (this.#derive(chatRoomId) || !counts) return;
    if (!this.#timelines.has(chatRoomId) && messageId <= (this.#begun.get(chatRoomId) ?? "")) {
      this.doubt(chatRoomId); // unless it was stored late, the list's count has it
      return;
    }
    const { unread = 0, unreadMore, mentions = 0 } = this.#list.get(chatRoomId) ?? {};
    const one = mentioned?.includes(this.#me()) ? 1 : 0;
    this.#list.setUnread(chatRoomId, unread + 1, { unreadMore, mentions: mentions + one });
    this.#suspect(chatRoomId);
  }

  /**
   * Whether a message came before, be it while its room was opened or not.
   * @param {Message} message
   */
  came({ chatRoomId, messageId }) {
    return this.#came.get(chatRoomId)?.has(messageId) ?? false;
  }

  /**
   * Messages are held of which only the server knows whether they are unread.
   * @param {string} chatRoomId
   */
  #isLate(chatRoomId) {
    this.#late.add(chatRoomId);
    this.doubt(chatRoomId);
  }

  /**
   * @param {string} chatRoomId
   * @param {string} messageId of a message that came
   */
  #note(chatRoomId, messageId) {
    const came = this.#came.get(chatRoomId) ?? new Set();
    this.#came.set(chatRoomId, came.add(messageId));
    if (came.size > REMEMBERED) came.delete([...came][0]);
  }

  /**
   * A message that was counted may have been in the list's count: the server is asked
   * once the room is quiet.
   * @param {string} chatRoomId
   */
  #suspect(chatRoomId) {
    const waits = this.#suspected.get(chatRoomId);
    if (!waits && Math.abs(this.#clock.now() - this.#askedAt) > IN_FLIGHT) return;
    waits?.();
    const cancel = this.#clock.after(IN_FLIGHT, () => {
      this.#suspected.delete(chatRoomId);
      this.doubt(chatRoomId);
    });
    this.#suspected.set(chatRoomId, cancel);
  }

  /** @param {string} chatRoomId */
  #trust(chatRoomId) {
    this.#suspected.get(chatRoomId)?.();
    this.#suspected.delete(chatRoomId);
  }

  /**
   * A message was deleted.
   * @param {string} chatRoomId
   * @param {string} messageId
   */
  deleted(chatRoomId, messageId) {
    if (this.#derive(chatRoomId)) return;
    const { unread = 0 } = this.#list.get(chatRoomId) ?? {};
    if (this.#late.has(chatRoomId) || unread > 0 || messageId > this.#receipts.own(chatRoomId)) this.doubt(chatRoomId);
  }

  /**
   * A message was edited, which may have changed whom it mentions.
   * @param {Message} message
   */
  edited({ chatRoomId, messageId, mentions: mentioned = [] }) {
    if (this.#derive(chatRoomId)) return;
    const { unread = 0, mentions = 0 } = this.#list.get(chatRoomId) ?? {};
    const matters = mentions > 0 || mentioned.includes(this.#me());
    if (matters && unread > 0 && messageId > this.#receipts.own(chatRoomId)) this.doubt(chatRoomId);
  }

  /**
   * The own read cursor moved.
   * @param {string} chatRoomId
   * @param {string} upTo
   */
  read(chatRoomId, upTo) {
    this.#touch(chatRoomId);
    this.#movedAt.set(chatRoomId, this.#clock.now());
    this.#late.delete(chatRoomId);
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
    this.#movedAt.set(chatRoomId, this.#clock.now());
  }

  /**
   * The server says which messages of a room it counts as read.
   * @param {string} chatRoomId
   * @param {Cursor} cursor
   */
  confirmed(chatRoomId, cursor) {
    const { upTo, from = "" } = cursor;
    if (upTo !== this.#receipts.own(chatRoomId)) return; // it has moved further here
    const timeline = this.#timelines.get(chatRoomId);
    const held = timeline?.messages.filter(({ senderId, deletedAt }) => senderId !== this.#me() && !deletedAt);
    const ids = held?.map(({ messageId }) => messageId) ?? [...(this.#came.get(chatRoomId) ?? [])];
    if (ids.some((id) => from < id && id <= upTo && !includes(cursor, id))) {
      this.#isLate(chatRoomId); // it was stored after the user had read
    } else if (this.#late.delete(chatRoomId) || !timeline?.reaches(upTo)) {
      const { unread = 0 } = this.#list.get(chatRoomId) ?? {};
      if (!this.#derive(chatRoomId) && unread > 0) this.doubt(chatRoomId);
    }
  }

  /**
   * Whether the server may count messages as unread that the own read cursor has passed.
   * @param {string} chatRoomId
   * @param {string} upTo how far the user has read
   */
  isLate(chatRoomId, upTo) {
    const { unread = 0, lastMessage } = this.#list.get(chatRoomId) ?? {};
    return this.#late.has(chatRoomId) || (unread > 0 && upTo >= (lastMessage?.messageId ?? ""));
  }

  /**
   * Anything may have happened since the last connection: no count is known to be right
   * until the list was read, now and once more.
   */
  reconnected() {
    for (const { chatRoomId } of this.#list.list()) this.#doubted.add(chatRoomId);
    this.#again?.();
    this.#again = this.#clock.after(around(this.#clock, LIST_LAG), () => {
      this.#again = undefined;
      this.#ask();
    });
  }

  /**
   * Counts, if the messages are held, after these changed.
   * @param {string} chatRoomId
   */
  count(chatRoomId) {
    this.#derive(chatRoomId);
  }

  /**
   * Counts after the newest messages of a room were read. Some of them may have been
   * stored late, behind the own read cursor: then the list counts more.
   * @param {string} chatRoomId
   */
  loaded(chatRoomId) {
    if (this.#lacks(chatRoomId)) this.#isLate(chatRoomId);
    else this.#derive(chatRoomId);
  }

  /**
   * Whether the list counts more than the messages that are held after the own read
   * cursor, if all of these are.
   * @param {string} chatRoomId
   */
  #lacks(chatRoomId) {
    const { unread = 0 } = this.#list.get(chatRoomId) ?? {};
    return unread > (this.#held(chatRoomId)?.unread ?? unread);
  }

  /**
   * How many messages of others are held after the own read cursor, and mention the user;
   * undefined if some may not be held.
   * @param {string} chatRoomId
   */
  #held(chatRoomId) {
    const own = this.#receipts.own(chatRoomId);
    const timeline = this.#timelines.get(chatRoomId);
    return own && timeline?.reaches(own) ? timeline.countAfter(own, this.#me(), MOST_UNREAD) : undefined;
  }

  /**
   * A room's count may be wrong: the server is asked, soon.
   * @param {string} chatRoomId
   */
  doubt(chatRoomId) {
    this.#doubted.add(chatRoomId);
    if (this.#asking) return;
    // A clock that was set back must not make it wait for hours.
    const wait = Math.max(ASK_AFTER, Math.min(ASK_EVERY, this.#askedAt + ASK_EVERY - this.#clock.now()));
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
   * @param {boolean} more whether the list counts more
   */
  keeps(chatRoomId, since, older, more) {
    const doubted = this.#doubted.has(chatRoomId);
    if (more && !this.#receipts.isUntold(chatRoomId)) this.#doubted.add(chatRoomId); // what came since doesn't explain it
    return this.#isSince(this.#changed, chatRoomId, since) || (older && !doubted);
  }

  /**
   * Whether the own read cursor is newer than what the server answered.
   * @param {string} chatRoomId
   * @param {number} since when it was asked
   */
  #isNewer(chatRoomId, since) {
    return this.#receipts.isUntold(chatRoomId) || this.#isSince(this.#told, chatRoomId, since);
  }

  /**
   * The list was read: its counts and the user's read cursors are right, but for what
   * changed since. Its last messages follow some seconds late; those that are held may
   * be newer.
   * @param {number} since when it was asked for
   * @returns {string[]} rooms in which the user has read further, on another device
   */
  listed(since) {
    for (const { messages } of this.#timelines.values()) {
      const newest = messages.at(-1);
      if (newest) this.#list.saw(newest);
    }
    const moved = [];
    for (const { chatRoomId, readUpTo = "", lastMessage, unread = 0, unreadMore } of this.#list.list()) {
      const own = this.#receipts.own(chatRoomId);
      const isStale =
        readUpTo < own && Math.abs(this.#clock.now() - (this.#movedAt.get(chatRoomId) ?? -Infinity)) < CURSOR_LAG;
      if (isStale) this.#doubted.add(chatRoomId);
      const changed = isStale || this.#isSince(this.#changed, chatRoomId, since);
      const isNewer = isStale || this.#isNewer(chatRoomId, since);
      if (readUpTo > own || (readUpTo < own && !isNewer && !changed)) {
        this.#receipts.setOwn(chatRoomId, readUpTo);
        if (readUpTo > own) moved.push(chatRoomId);
      }
      if (isNewer && own >= (lastMessage?.messageId ?? "")) this.#list.setUnread(chatRoomId, 0);
      else if (isNewer || changed) this.#derive(chatRoomId);
      else if (this.#lacks(chatRoomId)) this.#late.add(chatRoomId);
      else if (!unreadMore && unread === this.#held(chatRoomId)?.unread) this.#late.delete(chatRoomId);
      // A room that was added by hand may not be listed yet: its count is asked for again.
      if (changed || !this.#list.isListed(chatRoomId)) continue;
      this.#trust(chatRoomId);
      if (this.#doubted.delete(chatRoomId)) this.forget(chatRoomId);
      // The server may have counted before it took the cursor, or what was stored behind it since.
      if (isNewer && unread > 0 && !this.#receipts.isUntold(chatRoomId)) this.#doubted.add(chatRoomId);
    }
    for (const room of this.#doubted) {
      if (this.#list.get(room)) this.doubt(room);
      else this.#doubted.delete(room);
    }
    return moved;
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
    for (const cancel of [this.#asking, this.#again, ...this.#suspected.values()]) cancel?.();
    this.#suspected.clear();
    this.#asking = this.#again = undefined;
  }

  /** @param {string} chatRoomId */
  #begin(chatRoomId) {
    const recovery = newRecovery(this.#clock);
    const last = this.#list.get(chatRoomId)?.lastMessage?.messageId ?? "";
    recovery.begin(last, this.#came.get(chatRoomId) ?? []);
    this.#rooms.set(chatRoomId, recovery);
    this.#begun.set(chatRoomId, last);
    return recovery;
  }

  /**
   * Counts, if all messages after the own read cursor are held.
   * @param {string} chatRoomId
   * @returns {boolean} whether they are
   */
  #derive(chatRoomId) {
    const held = this.#held(chatRoomId);
    if (held === undefined || this.#late.has(chatRoomId)) return false;
    this.#list.setUnread(chatRoomId, held.unread, held);
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
