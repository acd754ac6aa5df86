// The tabs of a browser that have the page open: each holds a lock while it lives, so that
// others know what it is still busy with.

import { newKey } from "./ulid.js";

/** @typedef {Pick<LockManager, "request">} Locks navigator.locks, or the like */

export class Tabs {
  /** This tab's. */
  id = newKey(8);
  /** @type {(() => void)|undefined} */
  #release;
  /** @type {Set<string>} ids of tabs that are gone */
  #gone = new Set();
  #locks;

  /** @param {Locks|null|undefined} locks without them each other tab counts as gone */
  constructor(locks) {
    this.#locks = locks;
  }

  /** This tab begins to be busy. */
  begin() {
    if (this.#release) return;
    const held = new Promise((resolve) => {
      this.#release = () => resolve(undefined);
    });
    this.#locks?.request(nameOf(this.id), () => held).catch(() => {});
  }

  /** This tab does nothing any more. */
  end() {
    this.#release?.();
    this.#release = undefined;
  }

  /**
   * @param {string} id of a tab
   * @param {() => void} call what to do once it is gone
   * @returns {boolean} whether it may still be there
   */
  waitFor(id, call) {
    if (!this.#locks || id === this.id || this.#gone.has(id)) return false;
    const gone = () => {
      this.#gone.add(id);
      call();
    };
    this.#locks.request(nameOf(id), () => {}).then(gone, gone);
    return true;
  }
}

/** @param {string} id */
const nameOf = (id) => `streamroom tab ${id}`;
