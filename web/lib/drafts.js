// What was begun in rooms and not sent, and edits that were not saved.

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

  /**
   * An edit of a message that was begun, and not saved.
   * @param {string} messageId
   * @param {string} content what the message says: an edit of something else is over
   * @returns {string|undefined} undefined for none
   */
  edit(messageId, content) {
    const { text, of } = this.#saved.get("edit", messageId) ?? {};
    return of === content ? text : undefined;
  }

  /**
   * @param {string} messageId
   * @param {string} text as it is to be
   * @param {string} content what the message says; the same for no edit
   */
  setEdit(messageId, text, content) {
    if (text !== content) this.#saved.put("edit", messageId, { text, of: content });
    else this.#saved.remove("edit", messageId);
  }
}
