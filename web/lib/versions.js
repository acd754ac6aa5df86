// The version of each message that was delivered. What is delivered of one message
// never goes back. client/versions.go is the same.

/** @typedef {import("./frames.js").Message} Message */

/**
 * When a message changed last (ms since 1970); 0: never.
 * @param {Message} message
 */
export const versionOf = ({ editedAt = 0, deletedAt = 0 }) => Math.max(editedAt, deletedAt);

export class Versions {
  /** @type {Map<string, number>} by message */
  #delivered = new Map();
  #most;

  /** @param {number} most how many to remember */
  constructor(most) {
    this.#most = most;
  }

  /**
   * Whether a message changed after what was delivered of it.
   * @param {Message} message
   */
  newer(message) {
    return versionOf(message) > this.#of(message);
  }

  /**
   * Whether a message comes as it was before a change that was delivered already:
   * another sync has it as it is now.
   * @param {Message} message
   */
  outdated(message) {
    return versionOf(message) < this.#of(message);
  }

  /**
   * Remembers what was delivered.
   * @param {Message} message
   */
  note(message) {
    const version = versionOf(message);
    if (version === 0) return;
    if (this.#delivered.size >= this.#most) this.#delivered.clear(); // a change that is delivered twice does no harm
    this.#delivered.set(message.messageId, version);
  }

  /**
   * Accepts the next version of a message as it is.
   * @param {string} id
   */
  forget(id) {
    this.#delivered.delete(id);
  }

  /** @param {Message} message */
  #of({ messageId }) {
    return this.#delivered.get(messageId) ?? 0;
  }
}
