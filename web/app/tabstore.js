// What is kept for this tab, across reloads. Where the browser allows no storage, as
// with all cookies blocked, it lasts as long as the page.

/** The browser's own store; undefined where none is allowed: even to name it fails there. */
function ownStore() {
  try {
    return globalThis.sessionStorage;
  } catch {
    return undefined;
  }
}

class TabStore {
  /** @type {Map<string, string>} */
  #values = new Map();
  #store = ownStore();

  /** Whether what is kept survives a reload. */
  get lasts() {
    return this.#store !== undefined;
  }

  /** @param {string} key */
  getItem(key) {
    return this.#store ? this.#store.getItem(key) : (this.#values.get(key) ?? null);
  }

  /**
   * @param {string} key
   * @param {string} value
   */
  setItem(key, value) {
    if (this.#store) this.#store.setItem(key, value);
    else this.#values.set(key, value);
  }

  /** @param {string} key */
  removeItem(key) {
    if (this.#store) this.#store.removeItem(key);
    else this.#values.delete(key);
  }
}

export const tabStore = new TabStore();
