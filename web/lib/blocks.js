// Whom the user blocks. No frame says so: what was read last counts, and what was done here.

/**
 * @typedef {import("./api.js").API} API
 * @typedef {import("./api.js").Block} Block
 */

/** Blocks per page. */
const PAGE = 100;

export class Blocks {
  /** @type {Set<string>} */
  #users = new Set();
  /** How often something was done here: what is read in the meantime may be older. */
  #changes = 0;
  #api;
  #changed;

  /**
   * @param {API} api
   * @param {() => void} changed
   */
  constructor(api, changed) {
    this.#api = api;
    this.#changed = changed;
  }

  /** @param {string} userId */
  has(userId) {
    return this.#users.has(userId);
  }

  /** @returns {Promise<Block[]>} all of them */
  async read() {
    const before = this.#changes;
    /** @type {Block[]} */
    const blocks = [];
    let cursor;
    do {
      const page = await this.#api.blocks({ limit: PAGE, cursor });
      blocks.push(...page.blocks);
      cursor = page.cursor;
    } while (cursor);
    if (before !== this.#changes) return this.read();
    this.#users = new Set(blocks.map(({ userId }) => userId));
    this.#changed();
    return blocks;
  }

  /**
   * @param {string} userId
   * @param {boolean} blocked
   */
  async set(userId, blocked) {
    await (blocked ? this.#api.block(userId) : this.#api.unblock(userId));
    this.#changes++;
    if (blocked) this.#users.add(userId);
    else this.#users.delete(userId);
    this.#changed();
  }
}
