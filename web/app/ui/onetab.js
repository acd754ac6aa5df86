// Which tab of a user tells of messages: one of those that are hidden, if none is seen. Tabs
// know of each other by locks, as in lib/tabs.js.

/** @type {LockManager|undefined} not on insecure origins */
const locks = navigator.locks;

export class OneTab {
  #leads = false;
  #user = "";
  /** @type {(() => void)|undefined} lets the next tab tell */
  #release;
  /** @type {(() => void)|undefined} the tab isn't seen any more */
  #hidden;

  constructor() {
    document.addEventListener("visibilitychange", () => this.#look());
  }

  /** @param {string} user who has signed in, in this tab */
  begin(user) {
    this.end();
    this.#user = user;
    this.#look();
    if (!locks) return;
    const waiting = new AbortController();
    const held = new Promise((resolve) => {
      this.#release = () => {
        waiting.abort();
        resolve(undefined);
      };
    });
    const lead = () => {
      this.#leads = true;
      return held;
    };
    locks.request(`streamroom tells ${user}`, { signal: waiting.signal }, lead).catch(() => {});
  }

  end() {
    this.#release?.();
    this.#release = undefined;
    this.#hidden?.();
    this.#hidden = undefined;
    this.#leads = false;
    this.#user = "";
  }

  /** @returns {Promise<boolean>} whether this tab is to tell of a message now */
  async tells() {
    if (!document.hidden || !this.#user) return false;
    if (!locks) return true;
    return this.#leads && locks.request(this.#seen, { ifAvailable: true }, (lock) => lock !== null);
  }

  get #seen() {
    return `streamroom is seen ${this.#user}`;
  }

  #look() {
    if (document.hidden || !this.#user) {
      this.#hidden?.();
      this.#hidden = undefined;
    } else if (!this.#hidden) {
      const held = new Promise((resolve) => {
        this.#hidden = () => resolve(undefined);
      });
      locks?.request(this.#seen, { mode: "shared" }, () => held).catch(() => {});
    }
  }
}
