// A token, kept while it lasts.

import { Failure } from "./failure.js";

/** @typedef {import("./clock.js").Clock} Clock */

/** A token that ends within this time is not used for something new (ms). */
const SPARE = 30_000;
/** A clock may be this much behind the one that issued a token without being called wrong (ms). */
const SKEW = 60_000;

export class TokenSource {
  #token = "";
  #fetchedAt = 0;
  /** @type {number|undefined} how far the server's clock is ahead of this one (ms), where answers tell */
  #ahead;
  /** @type {Promise<string>|undefined} */
  #pending;
  #fetch;
  #clock;

  /**
   * @param {() => Promise<string>} fetch gets a new token; rejects with a Failure `unauthorized` when there will be none
   * @param {Clock} clock
   */
  constructor(fetch, clock) {
    this.#fetch = fetch;
    this.#clock = clock;
  }

  /** @returns {Promise<string>} */
  async get() {
    if (this.#token !== "" && this.#left > SPARE) return this.#token;
    this.#pending ??= this.#fetchNew().finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  /** The server refused the token. */
  drop() {
    this.#token = "";
  }

  /**
   * An answer told the server's time.
   * @param {string|null|undefined} date its Date header, which a page may read of its own origin
   */
  answered(date) {
    const at = Date.parse(date ?? "");
    if (!Number.isNaN(at)) this.#ahead = at - this.#clock.now();
  }

  /** How far the server's clock is ahead of this one (ms); 0 where that isn't known. */
  get ahead() {
    return this.#ahead ?? 0;
  }

  /**
   * How long a token that was just accepted will last (ms); Infinity where it doesn't
   * say. If it seems to have ended, it is this clock that is wrong.
   */
  get remaining() {
    const left = this.#left;
    return this.#token !== "" && left > 0 ? left : Infinity;
  }

  /**
   * How long the token lasts (ms). Where the server's time isn't known, this clock
   * will do, unless it lies outside the token's life: then it is wrong, and the token
   * counts as issued when it was fetched.
   */
  get #left() {
    const { iat, exp } = claimsOf(this.#token);
    if (typeof exp !== "number") return Infinity;
    const now = this.#clock.now();
    const issued = typeof iat === "number" ? iat * 1000 : undefined;
    if (this.#ahead !== undefined) return exp * 1000 - now - this.#ahead;
    if (this.#fetchedAt < exp * 1000 && this.#fetchedAt >= (issued ?? 0) - SKEW) return exp * 1000 - now;
    return issued === undefined ? Infinity : exp * 1000 - issued - (now - this.#fetchedAt);
  }

  async #fetchNew() {
    let token;
    try {
      token = await this.#fetch();
    } catch (err) {
      // A program that fetches a token hands on what fetch throws: it can be had later.
      throw err instanceof Failure ? err : Failure.ofFetch(err);
    }
    this.#fetchedAt = this.#clock.now();
    this.#token = token;
    return token;
  }
}

/**
 * What a JWT says; its signature is the server's business.
 * @param {string} token
 * @returns {Record<string, unknown>} empty where it can't be read
 */
export function claimsOf(token) {
  try {
    const body = atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(body, (c) => c.charCodeAt(0))));
  } catch {
    return {};
  }
}
