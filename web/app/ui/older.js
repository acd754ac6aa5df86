// Older messages of the open room: read page by page as the reader goes up, and until one
// that is looked for is there.

import { isPassing } from "../../lib/failure.js";
import { Failure } from "../../lib/streamroom.js";
import { announce } from "./dom.js";
import { describe } from "./words.js";

/** How many older pages are read to find a message that is quoted. */
const FAR = 20;

/** Before older messages are asked for again by themselves, after no answer (ms). */
const RETRY = 5_000;

export class Older {
  /** The room whose older messages are under way; empty for none. */
  #loading = "";
  /** The room whose older messages could not be read a moment ago; empty for none. */
  #waits = "";
  /** @type {ReturnType<typeof setTimeout>|undefined} until when */
  #again;
  #on;

  /**
   * @param {object} on
   * @param {() => {room: string, chat: import("../../lib/streamroom.js").Streamroom|undefined}} on.now what is open
   * @param {() => void} on.changed what is under way is not what was
   * @param {() => void} on.draw the messages that are held are to be in the page
   * @param {(messageId: string) => boolean} on.find leads the reader to a message, if it is held
   */
  constructor(on) {
    this.#on = on;
  }

  /** @param {string} room */
  loading(room) {
    return this.#loading === room;
  }

  /** @param {boolean} asked by the reader; else because the top is near, which it still is after a failure */
  async load(asked) {
    const { room, chat } = this.#on.now();
    if (this.#loading === room || (!asked && this.#waits === room)) return;
    clearTimeout(this.#again);
    this.#waits = "";
    this.#loading = room;
    this.#on.changed();
    try {
      await chat?.loadOlder(room);
    } catch (err) {
      const failure = Failure.from(err);
      announce(describe(failure));
      this.#waits = room;
      if (isPassing(failure.code))
        this.#again = setTimeout(() => {
          if (this.#waits === room) this.#waits = "";
          this.#on.changed();
        }, RETRY + failure.retryAfter);
    }
    if (this.#loading === room) this.#loading = "";
    this.#on.changed();
  }

  /**
   * Leads the reader to a message, which may be far back.
   * @param {string} messageId
   */
  async find(messageId) {
    const how = await this.until(() => this.#on.find(messageId), FAR);
    if (how === "far" || how === "end") announce("That message is too far back to be shown from here.", true);
  }

  /**
   * Reads older messages until it is done.
   * @param {() => boolean} done asked before each page
   * @param {number} most how many pages are read
   * @returns {Promise<"there"|"far"|"end"|"failed"|"left">} there: it is done; far, end: there are more messages, or none; left: another room was opened
   */
  async until(done, most) {
    const { room, chat } = this.#on.now();
    for (let pages = 0; !done(); pages++) {
      if (!chat?.timeline(room).hasOlder) return "end";
      if (pages === most) return "far";
      try {
        await chat.loadOlder(room);
      } catch (err) {
        announce(describe(Failure.from(err)), true);
        return "failed";
      }
      if (room !== this.#on.now().room) return "left";
      this.#on.draw();
    }
    return "there";
  }
}

/**
 * The first message that its reader hasn't read.
 * @param {readonly import("../../lib/streamroom.js").Message[]} messages
 * @param {{me: string, unread: number, readUpTo: string, marked: string}} reader unread is how many there are; marked: the one that was marked as unread
 * @returns {string} its id; empty for none
 */
export function firstUnread(messages, { me, unread, readUpTo, marked }) {
  if (unread === 0) return "";
  const theirs = messages.filter((m) => m.senderId !== me && !m.deletedAt);
  if (marked) return theirs.find((m) => m.messageId >= marked)?.messageId ?? "";
  const first = readUpTo ? theirs.find((m) => m.messageId > readUpTo) : theirs.at(-Math.min(unread, theirs.length));
  return first?.messageId ?? "";
}
