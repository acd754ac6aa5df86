// Reads that are done once at a time.

export class Once {
  /** @type {Map<string, Promise<void>>} */
  #running = new Map();

  /**
   * Joins in when the same is being done.
   * @param {string} what
   * @param {() => Promise<void>} read
   * @returns {Promise<void>}
   */
  run(what, read) {
    let running = this.#running.get(what);
    if (!running) {
      running = read().finally(() => this.#running.delete(what));
      this.#running.set(what, running);
    }
    return running;
  }
}
