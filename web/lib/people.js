// What people are called: ids are for programs, and for people of one name.

import { Failure, isPassing } from "./failure.js";
import { isolated, likeness } from "./text.js";

/**
 * @typedef {import("./api.js").Profile} Profile
 * @typedef {import("./clock.js").Clock} Clock
 */

/** Ids that turn up together are asked for together (ms). */
const GATHER = 50;
/** The server takes no more at once. */
const AT_ONCE = 100;
/** A name is asked for again after this long (ms). */
const FRESH = 10 * 60_000;
/** Before the next try after one that failed (ms). */
const RETRY = 30_000;

export class People {
  /** @type {Map<string, {name: string, look: string, until: number}>} names are empty where people chose none */
  #known = new Map();
  /** @type {Set<string>} */
  #wanted = new Set();
  /** @type {Map<string, Set<string>>} by likeness, the users who are shown as that, or could be */
  #alike = new Map();
  /** @type {(() => void)|undefined} cancels the next request */
  #next;
  #stopped = false;
  #clock;
  #ask;
  #changed;

  /**
   * @param {object} options
   * @param {Clock} options.clock
   * @param {(users: string[]) => Promise<Record<string, Profile>>} options.ask rejects with a Failure
   * @param {() => void} options.changed a display name changed
   */
  constructor({ clock, ask, changed }) {
    this.#clock = clock;
    this.#ask = ask;
    this.#changed = changed;
  }

  /**
   * A user's display name, if it is known; else it is asked for.
   * @param {string} userId
   * @returns {string} the id where there is no name
   */
  nameOf(userId) {
    const known = this.#known.get(userId);
    if (!known || known.until < this.#clock.now()) this.#want(userId);
    if (!known && this.#claim(userId, "")) this.#changed();
    return known?.name || userId;
  }

  /**
   * As nameOf, with the id beside a name that someone else who is known has, too, or that
   * looks like theirs or like their id.
   * @param {string} userId
   * @returns {string}
   */
  labelOf(userId) {
    const name = this.nameOf(userId);
    const alike = this.#alike.get(this.#known.get(userId)?.look ?? "")?.size ?? 0;
    return name === userId || alike < 2 ? name : labelled(name, userId);
  }

  /**
   * Notes what a user is shown as, instead of what it was before.
   * @param {string} userId
   * @param {string} name
   * @param {string} [before]
   * @returns {boolean} whether someone else looks like that
   */
  #claim(userId, name, before = "") {
    for (const look of looksOf(userId, before)) this.#alike.get(look)?.delete(userId);
    let shared = false;
    for (const look of looksOf(userId, name)) {
      const alike = this.#alike.get(look) ?? new Set();
      this.#alike.set(look, alike.add(userId));
      shared ||= alike.size > 1;
    }
    return shared;
  }

  /**
   * The server gave a display name.
   * @param {string} userId
   * @param {string} [displayName]
   */
  learn(userId, displayName = "") {
    const before = this.#known.get(userId)?.name ?? "";
    this.#known.set(userId, { name: displayName, look: likeness(displayName), until: this.#clock.now() + FRESH });
    this.#claim(userId, displayName, before);
    this.#wanted.delete(userId);
    if (before !== displayName) this.#changed();
  }

  stop() {
    this.#stopped = true;
    this.#next?.();
  }

  /** @param {string} userId */
  #want(userId) {
    // "#erased" is no one's id, and one invalid id has the server refuse all.
    if (this.#stopped || userId === "" || userId.includes("#")) return;
    this.#wanted.add(userId);
    this.#next ??= this.#clock.after(GATHER, () => void this.#run());
  }

  async #run() {
    const users = [...this.#wanted].slice(0, AT_ONCE);
    let wait = GATHER;
    try {
      const profiles = users.length > 0 ? await this.#ask(users) : {};
      for (const user of users) this.learn(user, profiles[user]?.displayName);
    } catch (err) {
      // A refusal won't change; ids do as names then.
      if (isPassing(Failure.from(err).code)) wait = RETRY;
      else for (const user of users) this.learn(user);
    }
    this.#next = undefined;
    if (this.#wanted.size > 0 && !this.#stopped) this.#next = this.#clock.after(wait, () => void this.#run());
  }
}

/**
 * @param {string} name
 * @param {string} userId
 */
const labelled = (name, userId) => `${isolated(name)} (${isolated(userId)})`;

/**
 * What a user is shown as, or could be: a name that looks like any of these is another's.
 * @param {string} userId
 * @param {string} name empty for none
 */
const looksOf = (userId, name) => [userId, name, name && labelled(name, userId)].filter(Boolean).map(likeness);
