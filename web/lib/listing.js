// Reads the list of rooms page by page: docs/protocol.md, "Reading the list of rooms".
// client/rooms.go is the same machine, and docs/vectors/lists.json is run against both.

/** @typedef {import("./api.js").RoomSummary} RoomSummary */

/**
 * A room only moves up, so one that moved from a page that was not read yet to one
 * that was is missing: the pages are read again from the first, until one brings no
 * news.
 */
export class Listing {
  /** @type {Map<string, RoomSummary>} */
  #rooms = new Map();
  #pages = 0;
  #again = false;
  #most;

  /** Whether there is nothing more to read. */
  done = false;
  /** @type {string|undefined} the page to read next; undefined is the first */
  next = undefined;

  /** @param {number} most pages, read once */
  constructor(most = Infinity) {
    this.#most = most;
  }

  /** What was read. */
  get rooms() {
    return [...this.#rooms.values()];
  }

  /**
   * Takes the page that was read.
   * @param {RoomSummary[]} rooms
   * @param {string} [cursor] where they go on
   */
  page(rooms, cursor) {
    let news = false;
    for (const room of rooms) {
      const held = this.#rooms.get(room.chatRoomId);
      if (!held || room.lastMessageAt > held.lastMessageAt) news = true;
      this.#rooms.set(room.chatRoomId, room);
    }
    this.#pages++;
    this.next = undefined;
    const last = !cursor || this.#pages % this.#most === 0;
    if (!last && (news || !this.#again)) this.next = cursor;
    else if (last && !this.#again && this.#pages > 1) this.#again = true;
    else this.done = true;
  }
}
