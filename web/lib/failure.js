// What goes wrong, as a code that programs decide by and words for people.

/** The longest that the protocol lets a server ask to wait (ms): a longer wait is a mistake. */
export const MAX_RETRY_AFTER = 3_600_000;

/** A request or a frame that was refused or could not be made. */
export class Failure extends Error {
  /**
   * @param {string} code one of the server's codes, or `network`, `timeout`, `unavailable`, `unreadable` for a file, `unexpected`
   * @param {string} message what happened, for people
   * @param {{status?: number, users?: string[], retryAfter?: number, until?: number, cause?: unknown}} [more] status is the HTTP status where there was one; users are those who have never signed in; retryAfter is how long the server asks to wait, in ms, an hour at most; until is when `muted` or `banned` ends, in ms since 1970, 0 for never
   */
  constructor(code, message, { status, users = [], retryAfter = 0, until = 0, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "Failure";
    this.code = code;
    this.status = status;
    this.users = users;
    this.retryAfter = Math.min(Math.max(retryAfter, 0), MAX_RETRY_AFTER);
    this.until = until;
  }

  /**
   * What isn't a Failure is a mistake in the program.
   * @param {unknown} err anything thrown
   * @returns {Failure}
   */
  static from(err) {
    if (err instanceof Failure) return err;
    return new Failure("unexpected", `This was not expected: ${err}`, { cause: err });
  }

  /**
   * @param {unknown} err what fetch threw
   * @returns {Failure}
   */
  static ofFetch(err) {
    if (err instanceof DOMException && err.name === "TimeoutError") {
      return new Failure("timeout", "The server took too long.", { cause: err });
    }
    return new Failure("network", "The server could not be reached.", { cause: err });
  }
}

/** Codes after which the same request may succeed later. */
const PASSING = new Set(["network", "timeout", "unavailable", "rate_limited", "internal"]);

/**
 * Whether trying the same again later makes sense.
 * @param {string} code
 */
export function isPassing(code) {
  return PASSING.has(code);
}
