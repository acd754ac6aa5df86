// Messages that the user marked as unread. The server's read cursor only moves forward, and
// others have seen where it is. So a mark is this browser's, in all its tabs: what it covers
// counts as unread beside what follows the cursor, until the user reads the room again, here
// or on another device.

import { MOST_UNREAD } from "./rooms.js";

/**
 * @typedef {import("./api.js").RoomSummary} RoomSummary
 * @typedef {import("./frames.js").Message} Message
 */

/**
 * @typedef {object} Mark
 * @property {string} chatRoomId
 * @property {string} from the message that was marked
 * @property {string} upTo how far the user had read; empty for nothing
 * @property {number} unread how many messages of others there were from one to the other
 * @property {number} mentions how many of these mention the user
 */

/** The rooms as they are shown: see list() and get(). */
export class Marks {
  /** @type {Map<string, Mark>} by room */
  #marks = new Map();
  #saved;
  #rooms;
  #timelines;
  #receipts;
  #me;

  /**
   * @param {object} of
   * @param {import("./saved.js").Saved} of.saved
   * @param {import("./rooms.js").RoomList} of.rooms as the server counts
   * @param {Map<string, import("./timeline.js").Timeline>} of.timelines the opened rooms
   * @param {import("./receipts.js").Receipts} of.receipts
   * @param {() => string} of.me the user's id
   */
  constructor({ saved, rooms, timelines, receipts, me }) {
    this.#saved = saved;
    this.#rooms = rooms;
    this.#timelines = timelines;
    this.#receipts = receipts;
    this.#me = me;
  }

  /** Whether the list was read once. */
  get loaded() {
    return this.#rooms.loaded;
  }

  /** @returns {RoomSummary[]} newest message first */
  list() {
    return this.#rooms.list().map((room) => this.#counted(room));
  }

  /** @param {string} chatRoomId */
  get(chatRoomId) {
    const room = this.#rooms.get(chatRoomId);
    return room && this.#counted(room);
  }

  /** Takes up what was saved. */
  restore() {
    for (const mark of this.#saved.list("mark")) this.#marks.set(mark.chatRoomId, mark);
  }

  /**
   * Another tab changed what is saved.
   * @param {string|null} key of the store
   * @returns {string|undefined} the room whose mark changed; undefined for none
   */
  savedElsewhere(key) {
    const room = this.#saved.idOf("mark", key);
    if (room === undefined) return undefined;
    const mark = this.#saved.get("mark", room);
    if (mark) this.#marks.set(room, mark);
    else this.#marks.delete(room);
    return room;
  }

  /**
   * Marks a message of someone else, and what follows it, as unread.
   * @param {Message} message
   */
  set({ chatRoomId, messageId: from }) {
    const mark = { chatRoomId, from, upTo: this.#receipts.own(chatRoomId), unread: 0, mentions: 0 };
    Object.assign(mark, this.#covered(mark));
    this.#marks.set(chatRoomId, mark);
    this.#saved.put("mark", chatRoomId, mark);
  }

  /**
   * @param {string} chatRoomId
   * @returns {string} the message that was marked; empty for none
   */
  of(chatRoomId) {
    return this.#at(chatRoomId)?.from ?? "";
  }

  /**
   * The user has read a room up to a message.
   * @param {string} chatRoomId
   * @param {string} upTo
   * @returns {boolean} whether that ends a mark
   */
  read(chatRoomId, upTo) {
    const from = this.of(chatRoomId);
    if (!from || upTo < from) return false;
    this.forget(chatRoomId);
    return true;
  }

  /** @param {string} chatRoomId */
  forget(chatRoomId) {
    if (this.#marks.delete(chatRoomId)) this.#saved.remove("mark", chatRoomId);
  }

  /** @param {string} chatRoomId */
  #at(chatRoomId) {
    const mark = this.#marks.get(chatRoomId);
    if (!mark || this.#receipts.own(chatRoomId) <= mark.upTo) return mark;
    this.forget(chatRoomId); // the user has read what came since
    return undefined;
  }

  /**
   * How much a mark covers: as it is now, where that is held.
   * @param {Mark} mark
   */
  #covered({ chatRoomId, from, upTo, unread, mentions }) {
    const timeline = this.#timelines.get(chatRoomId);
    if (!timeline?.reaches(from)) return { unread, mentions };
    const me = this.#me();
    const theirs = timeline.messages.filter(
      (m) => m.messageId >= from && m.messageId <= upTo && m.senderId !== me && !m.deletedAt,
    );
    return { unread: theirs.length, mentions: theirs.filter((m) => m.mentions?.includes(me)).length };
  }

  /** @param {RoomSummary} room */
  #counted(room) {
    const mark = this.#at(room.chatRoomId);
    if (!mark) return room;
    const { unread, mentions } = this.#covered(mark);
    return {
      ...room,
      unread: Math.min(MOST_UNREAD, (room.unread ?? 0) + unread),
      mentions: (room.mentions ?? 0) + mentions,
    };
  }
}
