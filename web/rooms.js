// The user's rooms, newest message first, kept in order by what arrives.

/**
 * @typedef {import("./api.js").RoomSummary} RoomSummary
 * @typedef {import("./api.js").LastMessage} LastMessage
 * @typedef {import("./frames.js").Message} Message
 */

/** A preview has at most this many characters, like the server's. */
const PREVIEW = 140;
/** The list is read from an index that is a little behind: a room that was just added stays though the list lacks it (ms). */
const SETTLING = 30_000;

export class RoomList {
  /** @type {Map<string, RoomSummary>} */
  #rooms = new Map();
  /** @type {Map<string, number>} when a room was added by hand */
  #added = new Map();

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

  /**
   * Takes in the whole list. A room's last message only moves forward: the list
   * may be older than what arrived live.
   * @param {RoomSummary[]} rooms
   * @param {number} now ms since 1970
   */
  replace(rooms, now) {
    const listed = new Set(rooms.map((r) => r.chatRoomId));
    for (const id of [...this.#rooms.keys()]) {
      const added = this.#added.get(id) ?? -Infinity;
      if (listed.has(id) || now - added > SETTLING) this.#added.delete(id);
      if (!listed.has(id) && now - added > SETTLING) this.#rooms.delete(id);
    }
    for (const room of rooms) {
      const held = this.#rooms.get(room.chatRoomId);
      this.#rooms.set(room.chatRoomId, { ...room });
      if (held?.lastMessage) this.#lastMessage(room.chatRoomId, held.lastMessage);
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
    if (!this.#rooms.has(room.chatRoomId)) this.#rooms.set(room.chatRoomId, room);
  }

  /** @param {string} chatRoomId */
  remove(chatRoomId) {
    this.#added.delete(chatRoomId);
    return this.#rooms.delete(chatRoomId);
  }

  /**
   * @param {string} chatRoomId
   * @param {string} name
   */
  rename(chatRoomId, name) {
    const room = this.#rooms.get(chatRoomId);
    if (room) room.name = name;
  }

  /**
   * A message of a room was seen; when it is the room's newest, it shows in the list.
   * @param {Message} message
   */
  saw({ chatRoomId, messageId, senderId, content, timestamp }) {
    const preview = Array.from((content ?? "").slice(0, 2 * PREVIEW)).slice(0, PREVIEW).join("");
    this.#lastMessage(chatRoomId, { messageId, senderId, preview, timestamp });
  }

  /**
   * @param {string} chatRoomId
   * @param {LastMessage} last
   */
  #lastMessage(chatRoomId, last) {
    const room = this.#rooms.get(chatRoomId);
    if (!room || last.messageId < (room.lastMessage?.messageId ?? "")) return;
    room.lastMessage = last;
    room.lastMessageAt = Math.max(room.lastMessageAt, last.timestamp);
  }
}
