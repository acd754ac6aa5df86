// The user's rooms, newest message first, kept in order by what arrives.

import { beginning } from "./text.js";

/**
 * @typedef {import("./api.js").RoomSummary} RoomSummary
 * @typedef {import("./api.js").LastMessage} LastMessage
 * @typedef {import("./frames.js").Message} Message
 */

/** A preview has at most this many code points, like the server's. */
const PREVIEW = 140;
/** Counting unread messages stops here, like the server's. */
export const MOST_UNREAD = 100;
/** The list is read from an index that is a little behind: a room that was just added stays though the list lacks it (ms). */
const SETTLING = 30_000;

export class RoomList {
  /** @type {Map<string, RoomSummary>} */
  #rooms = new Map();
  /** @type {Map<string, number>} when a room was added by hand */
  #added = new Map();
  /** @type {Set<string>} rooms that were removed since the list was asked for */
  #removed = new Set();

  /** Whether the list was read once. */
  loaded = false;

  /** @returns {RoomSummary[]} newest message first */
  list() {
    return [...this.#rooms.values()].sort(
      (a, b) => b.lastMessageAt - a.lastMessageAt || (a.chatRoomId < b.chatRoomId ? -1 : 1),
    );
  }

  /** @param {string} chatRoomId */
  get(chatRoomId) {
    return this.#rooms.get(chatRoomId);
  }

  /** The whole list is asked for. */
  asked() {
    this.#removed.clear();
  }

  /**
   * Takes in the whole list. A room's last message only moves forward: the list may
   * be older than what arrived live.
   * @param {RoomSummary[]} rooms
   * @param {number} now ms since 1970
   * @param {(chatRoomId: string, older: boolean, more: boolean) => boolean} [keeps] whether a room's count is kept, though the list has another; older: so is the list's last message; more: the list counts more
   */
  replace(rooms, now, keeps = (_, older) => older) {
    const listed = new Set(rooms.map((r) => r.chatRoomId));
    for (const id of [...this.#rooms.keys()]) {
      // A clock that was set back says nothing, either.
      const settled = Math.abs(now - (this.#added.get(id) ?? -Infinity)) > SETTLING;
      if (listed.has(id) || settled) this.#added.delete(id);
      if (!listed.has(id) && settled) this.#rooms.delete(id);
    }
    for (const room of rooms) {
      if (this.#removed.has(room.chatRoomId)) continue; // the user has left it since
      const held = this.#rooms.get(room.chatRoomId);
      this.#rooms.set(room.chatRoomId, { ...room });
      if (!held) continue;
      this.setNotify(room.chatRoomId, held.notify, held.notifyAt);
      const older = (held.lastMessage?.messageId ?? "") > (room.lastMessage?.messageId ?? "");
      if (held.lastMessage) this.#lastMessage(room.chatRoomId, held.lastMessage);
      const more = (room.unread ?? 0) > (held.unread ?? 0);
      if (keeps(room.chatRoomId, older, more)) this.setUnread(room.chatRoomId, held.unread ?? 0, held);
    }
    this.loaded = true;
  }

  /**
   * Adds a room that the list may not have yet.
   * @param {RoomSummary} room
   * @param {number} now ms since 1970
   */
  add(room, now) {
    this.#added.set(room.chatRoomId, now);
    this.#removed.delete(room.chatRoomId);
    if (!this.#rooms.has(room.chatRoomId)) this.#rooms.set(room.chatRoomId, room);
  }

  /**
   * Whether the server's list had a room, which may have been added by hand.
   * @param {string} chatRoomId
   */
  isListed(chatRoomId) {
    return !this.#added.has(chatRoomId);
  }

  /** @param {string} chatRoomId */
  remove(chatRoomId) {
    this.#added.delete(chatRoomId);
    this.#removed.add(chatRoomId);
    return this.#rooms.delete(chatRoomId);
  }

  /**
   * @param {string} chatRoomId
   * @param {string} name
   */
  rename(chatRoomId, name) {
    const room = this.#rooms.get(chatRoomId);
    if (room && name) room.name = name;
  }

  /**
   * A message of a room was seen; when it is the room's newest, it shows in the list.
   * @param {Message} message
   */
  saw({ chatRoomId, messageId, senderId, content, timestamp, editedAt, deletedAt, attachments }) {
    const preview = previewOf(content);
    const files = attachments?.length;
    this.#lastMessage(chatRoomId, { messageId, senderId, preview, timestamp, editedAt, deletedAt, attachments: files });
  }

  /**
   * A message was edited, or deleted; an edit that is older than what is known
   * changes nothing.
   * @param {{chatRoomId: string, messageId: string, content?: string, editedAt?: number, deletedAt?: number}} message
   */
  revised({ chatRoomId, messageId, content, editedAt = 0, deletedAt }) {
    const last = this.#rooms.get(chatRoomId)?.lastMessage;
    if (last?.messageId !== messageId || last.deletedAt) return;
    if (!deletedAt && editedAt <= (last.editedAt ?? 0)) return;
    Object.assign(last, { preview: previewOf(content), editedAt, deletedAt });
    if (deletedAt) delete last.attachments;
  }

  /**
   * A message ended: it is the last of no room any more.
   * @param {string} chatRoomId
   * @param {string} messageId
   */
  expired(chatRoomId, messageId) {
    const room = this.#rooms.get(chatRoomId);
    if (room?.lastMessage?.messageId === messageId) delete room.lastMessage;
  }

  /**
   * @param {string} chatRoomId
   * @param {number} unread
   * @param {object} [and]
   * @param {boolean} [and.unreadMore] whether there may be more
   * @param {number} [and.mentions] how many of them mention the user
   */
  setUnread(chatRoomId, unread, { unreadMore = false, mentions = 0 } = {}) {
    const room = this.#rooms.get(chatRoomId);
    if (room) Object.assign(room, { unread: Math.min(MOST_UNREAD, unread), unreadMore, mentions });
  }

  /**
   * What the user is notified of; what is older than what is known changes nothing.
   * @param {string} chatRoomId
   * @param {import("./api.js").Notify} [notify]
   * @param {number} [notifyAt] ms since 1970
   * @returns {boolean} whether that changed
   */
  setNotify(chatRoomId, notify = "all", notifyAt = 0) {
    const room = this.#rooms.get(chatRoomId);
    if (!room || notifyAt <= (room.notifyAt ?? 0)) return false;
    Object.assign(room, { notify, notifyAt });
    return true;
  }

  /**
   * @param {string} chatRoomId
   * @param {LastMessage} last
   */
  #lastMessage(chatRoomId, last) {
    const room = this.#rooms.get(chatRoomId);
    if (!room || last.messageId < (room.lastMessage?.messageId ?? "")) return;
    if (last.messageId === room.lastMessage?.messageId && revisionOf(last) <= revisionOf(room.lastMessage)) return;
    room.lastMessage = last;
    room.lastMessageAt = Math.max(room.lastMessageAt, last.timestamp);
  }
}

/**
 * Orders the versions of a message.
 * @param {LastMessage} last
 */
const revisionOf = ({ editedAt = 0, deletedAt }) => (deletedAt ? Infinity : editedAt);

/** @param {string} [content] */
const previewOf = (content = "") => beginning(content, PREVIEW);
