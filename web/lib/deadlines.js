// Timers for the deadlines of rooms: until when each waits for a missing message.

/**
 * @typedef {import("./clock.js").Clock} Clock
 * @typedef {import("./recovery.js").Recovery} Recovery
 */

export class Deadlines {
  /** @type {Map<string, {at: number, cancel: () => void}>} by room */
  #timers = new Map();
  #clock;
  #passed;

  /**
   * @param {Clock} clock
   * @param {(chatRoomId: string) => void} passed
   */
  constructor(clock, passed) {
    this.#clock = clock;
    this.#passed = passed;
  }

  /**
   * Follows a room's deadline, after each step of it.
   * @param {string} chatRoomId
   * @param {Recovery} recovery
   */
  follow(chatRoomId, { deadline }) {
    const timer = this.#timers.get(chatRoomId);
    if (timer?.at === deadline) return;
    timer?.cancel();
    this.#timers.delete(chatRoomId);
    if (deadline === undefined) return;
    const cancel = this.#clock.after(Math.max(0, deadline - this.#clock.now()), () => {
      this.#timers.delete(chatRoomId);
      this.#passed(chatRoomId);
    });
    this.#timers.set(chatRoomId, { at: deadline, cancel });
  }

  /** @param {string} chatRoomId */
  drop(chatRoomId) {
    this.#timers.get(chatRoomId)?.cancel();
    this.#timers.delete(chatRoomId);
  }

  stop() {
    for (const { cancel } of this.#timers.values()) cancel();
    this.#timers.clear();
  }
}
