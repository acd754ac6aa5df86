// What survives a reload: messages and reactions that are not sent yet, drafts, edits, and
// marks of what is unread. Each user has their own. Each value is a key of its own, so that two tabs don't overwrite each
// other's.

/** @typedef {import("./clock.js").Clock} Clock */

/** @typedef {Pick<Storage, "getItem"|"setItem"|"removeItem"|"key"|"length">} Store localStorage, or the like */

/** @typedef {"outbox"|"draft"|"edit"|"mark"|"reaction"} Kind */

/** How many values of one kind a user may have, and how many characters each kind has: a site has some 5 million. */
const MOST = 200;
const MOST_CHARACTERS = 500_000;
/** A value that is older is dropped (ms). */
const MAX_AGE = 30 * 24 * 3_600_000;

export class Saved {
  #store;
  #clock;
  #user;

  /**
   * @param {object} of
   * @param {Store|null|undefined} of.store without one nothing survives
   * @param {Clock} of.clock
   * @param {() => string} of.user empty until it is known: nothing is saved until then
   */
  constructor({ store, clock, user }) {
    this.#store = store;
    this.#clock = clock;
    this.#user = user;
  }

  /**
   * @param {Kind} kind
   * @param {string} id
   * @returns {any} undefined where there is none
   */
  get(kind, id) {
    return this.#read(this.#prefix(kind) + id)?.value;
  }

  /**
   * @param {Kind} kind
   * @returns {any[]} in the order of saving
   */
  list(kind) {
    return this.#all(kind).map(({ value }) => value);
  }

  /**
   * Saves a value, if there is room for it. Saving it again keeps its place.
   * @param {Kind} kind
   * @param {string} id
   * @param {any} value
   */
  put(kind, id, value) {
    if (!this.#user()) return;
    const key = this.#prefix(kind) + id;
    const others = this.#all(kind).filter((other) => other.key !== key);
    // After the others, though several are saved within one ms.
    const at = this.#read(key)?.at ?? Math.max(this.#clock.now(), (others.at(-1)?.at ?? 0) + 0.001);
    const text = JSON.stringify({ at, value });
    const used = others.reduce((sum, { characters }) => sum + characters, text.length);
    if (others.length < MOST && used <= MOST_CHARACTERS) tried(() => this.#store?.setItem(key, text));
  }

  /**
   * @param {Kind} kind
   * @param {string} id
   */
  remove(kind, id) {
    tried(() => this.#store?.removeItem(this.#prefix(kind) + id));
  }

  /** Forgets everything of the user. */
  clear() {
    for (const kind of /** @type {const} */ (["outbox", "draft", "edit", "mark", "reaction"])) {
      for (const { key } of this.#all(kind)) tried(() => this.#store?.removeItem(key));
    }
  }

  /**
   * The id of a value that a key of the store names.
   * @param {Kind} kind
   * @param {string|null} key
   * @returns {string|undefined} undefined: another user's, or another kind's
   */
  idOf(kind, key) {
    const prefix = this.#prefix(kind);
    return this.#user() && key?.startsWith(prefix) ? key.slice(prefix.length) : undefined;
  }

  /** @param {Kind} kind */
  #prefix(kind) {
    return `streamroom ${kind} ${encodeURIComponent(this.#user())} `;
  }

  /**
   * What is saved of a kind, in the order of saving.
   * @param {Kind} kind
   */
  #all(kind) {
    if (!this.#user()) return [];
    const prefix = this.#prefix(kind);
    const keys = tried(() => Array.from({ length: this.#store?.length ?? 0 }, (_, i) => this.#store?.key(i) ?? ""));
    const found = (keys ?? []).filter((key) => key.startsWith(prefix)).flatMap((key) => this.#read(key) ?? []);
    return found.sort((a, b) => a.at - b.at);
  }

  /**
   * Reads one value; one that is too old is dropped.
   * @param {string} key
   * @returns {{key: string, at: number, value: any, characters: number}|undefined}
   */
  #read(key) {
    return tried(() => {
      const text = this.#store?.getItem(key);
      if (!text) return undefined;
      const { at, value } = JSON.parse(text);
      if (Math.abs(this.#clock.now() - at) <= MAX_AGE) return { key, at, value, characters: text.length };
      this.#store?.removeItem(key);
      return undefined;
    });
  }
}

/**
 * Calls what may throw: a browser may forbid storage or notifications, or have no room
 * left, and a value may be another program's.
 * @template T
 * @param {() => T} call
 * @returns {T|undefined}
 */
export function tried(call) {
  try {
    return call();
  } catch {
    return undefined;
  }
}

/** The browser's own store; undefined where there is none, or none is allowed. */
export function localStore() {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined;
  }
}
