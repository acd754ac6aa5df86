// What the server says about the open room, and who is in it.

import { isPassing } from "../../lib/failure.js";
import { Failure } from "../../lib/streamroom.js";

/**
 * @typedef {import("../../lib/streamroom.js").Member} Member
 * @typedef {import("../../lib/streamroom.js").Room} Room
 * @typedef {import("../../lib/streamroom.js").Streamroom} Streamroom
 */

/** Before who is in the room is asked for again, after no answer (ms). */
const RETRY = 5_000;

export class Details {
  /** @type {Room|undefined} */
  room;
  /** @type {Member[]} those that were read */
  members = [];
  /** @type {ReturnType<typeof setTimeout>|undefined} asks for them again */
  #again;
  #on;

  /**
   * @param {object} on
   * @param {() => {room: string, chat: Streamroom|undefined}} on.now what is open
   * @param {() => boolean} on.listed whether the members are on the screen
   * @param {() => void} on.changed
   * @param {(room: string) => void} on.answered it was read, after it could not be
   */
  constructor(on) {
    this.#on = on;
  }

  clear() {
    this.room = undefined;
    this.members = [];
  }

  /** @returns {Promise<boolean>} whether they were read */
  async read() {
    const { room, chat } = this.#on.now();
    if (!room || !chat) return false;
    const isOpen = () => room === this.#on.now().room;
    // A user who has gone down the list stays there.
    const shown = this.#on.listed() ? this.members.length : 0;
    try {
      let details = await chat.room(room);
      const members = details.members ?? [];
      while (details.cursor && members.length < shown && isOpen()) {
        details = await chat.room(room, details.cursor);
        members.push(...(details.members ?? []));
      }
      if (!isOpen()) return false;
      this.room = details;
      this.members = members;
      this.#on.changed();
      return true;
    } catch (err) {
      const failure = Failure.from(err);
      report(failure);
      clearTimeout(this.#again);
      if (isPassing(failure.code) && isOpen())
        this.#again = setTimeout(() => isOpen() && void this.#readAgain(), RETRY + failure.retryAfter);
      this.#on.changed();
      return false;
    }
  }

  async #readAgain() {
    const { room } = this.#on.now();
    if ((await this.read()) && room === this.#on.now().room) this.#on.answered(room);
  }

  /** Reads the next page of members. */
  async more() {
    const { room, chat } = this.#on.now();
    const cursor = this.room?.cursor;
    const details = await chat?.room(room, cursor);
    // The list may have moved on: by another click, or since its members changed.
    if (!details || room !== this.#on.now().room || cursor !== this.room?.cursor) return;
    this.room = details;
    this.members.push(...(details.members ?? []));
    this.#on.changed();
  }
}

/**
 * Leaves a note for developers.
 * @param {Failure} failure
 */
export function report(failure) {
  if (failure.code === "unexpected") console.error(failure.cause);
  else console.warn(failure.code, failure.message);
}
