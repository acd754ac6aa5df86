// A token, kept while it lasts.

/** @typedef {import("./clock.js").Clock} Clock */

/** A token that ends within this time is not used for something new (ms). */
const SPARE = 30_000;

export class TokenSource {
  #token = "";
  #ends = 0;
  /** @type {Promise<string>|undefined} */
  #pending;
  #fetch;
  #clock;

  /**
   * @param {() => Promise<string>} fetch gets a new token; rejects with code `unauthorized` when there will be none
   * @param {Clock} clock
   */
  constructor(fetch, clock) {
    this.#fetch = fetch;
    this.#clock = clock;
  }

  /** @returns {Promise<string>} */
  async get() {
    if (this.#token !== "" && this.#clock.now() < this.#ends - SPARE) return this.#token;
    this.#pending ??= this.#renew().finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  /** The server refused the token. */
  drop() {
    this.#token = "";
  }

  /** How long the token will last (ms); Infinity where it doesn't say or the clocks disagree. */
  get remaining() {
    const ms = this.#ends - this.#clock.now();
    return this.#token !== "" && ms > 0 ? ms : Infinity;
  }

  async #renew() {
    const token = await this.#fetch();
    this.#token = token;
    this.#ends = endOf(token);
    return token;
  }
}

/**
 * When a JWT ends.
 * @param {string} token
 * @returns {number} ms since 1970, Infinity where it doesn't say
 */
function endOf(token) {
  const { exp } = claimsOf(token);
  return typeof exp === "number" ? exp * 1000 : Infinity;
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
