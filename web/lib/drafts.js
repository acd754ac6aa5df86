// What was begun in rooms and not sent.

/** @typedef {import("./saved.js").Saved} Saved */

export class Drafts {
  #saved;

  /** @param {Saved} saved */
  constructor(saved) {
    this.#saved = saved;
  }

  /**
   * @param {string} chatRoomId
   * @returns {string} empty for nothing
   */
  get(chatRoomId) {
    return this.#saved.get("draft", chatRoomId) ?? "";
  }

  /**
   * @param {string|null} key of the store
   * @returns {string|undefined} the room whose draft that is; undefined for none
   */
  roomOf(key) {
    return this.#saved.idOf("draft", key);
  }

  /**
   * @param {string} chatRoomId
   * @param {string} text empty for nothing
   */
  set(chatRoomId, text) {
    if (text) this.#saved.put("draft", chatRoomId, text);
    else this.#saved.remove("draft", chatRoomId);
  }
}
