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
   * @param {string} chatRoomId
   * @param {string} text empty for nothing
   */
  set(chatRoomId, text) {
    if (text) this.#saved.put("draft", chatRoomId, text);
    else this.#saved.remove("draft", chatRoomId);
  }
}
