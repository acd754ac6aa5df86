// What a client holds of one room: messages in the order of their ids, each once,
// and up to where nothing is missing.

import { FIRST_ID, firstIdAt, timeOf } from "./ulid.js";

/** @typedef {import("./frames.js").Message} Message */

/** Ids of one moment arrive in any order, so a sync starts this much earlier (ms). */
const OVERLAP = 60_000;

export class Timeline {
  /** @type {Map<string, Message>} */
  #byId = new Map();
  /** @type {Map<string, number>} deletions that came before their messages, and when those were deleted */
  #deleted = new Map();

  /** @param {string} chatRoomId */
  constructor(chatRoomId) {
    this.chatRoomId = chatRoomId;
    /** @type {Message[]} oldest first; read it, don't write it */
    this.messages = [];
    /** The newest id up to which nothing is missing; empty until history was read. */
    this.contiguous = "";
    /** The newest id up to which the server has said what there is. */
    this.swept = "";
    /** @type {string|undefined} where older history goes on; undefined when all of it is here */
    this.before = undefined;
  }

  /** Whether history was read once. */
  get loaded() {
    return this.contiguous !== "";
  }

  /** The id to sync after when a hole is seen. */
  get syncAfter() {
    return firstIdAt(timeOf(this.contiguous) - OVERLAP);
  }

  /**
   * The id to sync after now and then: messages that follow each other without a
   * hole tell nothing of one that was stored late, behind them, and was lost.
   */
  get sweepAfter() {
    return firstIdAt(timeOf(this.swept) - OVERLAP);
  }

  /** @param {string} messageId */
  get(messageId) {
    return this.#byId.get(messageId);
  }

  /**
   * Takes a message in, or what is new about one that is held. One from before
   * the loaded part of history is left to history.
   * @param {Message} message
   * @returns {"new"|"changed"|"known"}
   */
  add(message) {
    const held = this.#byId.get(message.messageId);
    if (held) {
      const changed = merge(held, message);
      this.#advance();
      return changed ? "changed" : "known";
    }
    if (this.before !== undefined && message.messageId < (this.messages[0]?.messageId ?? "")) {
      return "known";
    }
    this.#insert(message);
    this.#advance();
    return "new";
  }

  /**
   * A message was deleted.
   * @param {string} messageId
   * @param {number} deletedAt ms since 1970
   * @returns {boolean} whether people can see a difference
   */
  delete(messageId, deletedAt) {
    const held = this.#byId.get(messageId);
    if (!held) this.#deleted.set(messageId, deletedAt);
    return held !== undefined && merge(held, { ...held, deletedAt });
  }

  /**
   * How many messages of others come after an id, so far as they are held.
   * @param {string} id
   * @param {string} me
   * @param {number} most where counting stops
   */
  countAfter(id, me, most) {
    let count = 0;
    for (let i = this.messages.length - 1; i >= 0 && count < most && this.messages[i].messageId > id; i--) {
      if (this.messages[i].senderId !== me && !this.messages[i].deletedAt) count++;
    }
    return count;
  }

  /**
   * Whether everything after an id is held.
   * @param {string} id
   */
  reaches(id) {
    return this.loaded && (this.before === undefined || (this.messages[0]?.messageId ?? "") <= id);
  }

  /**
   * Takes in the newest page of history. What is held of before that page goes:
   * between the two there may be messages that nobody asked for.
   * @param {Message[]} page newest first
   * @param {string|undefined} before
   */
  readNewest(page, before) {
    const oldest = page.at(-1)?.messageId ?? FIRST_ID;
    for (const m of this.messages) {
      if (m.messageId < oldest) this.#byId.delete(m.messageId);
    }
    this.messages = this.messages.filter((m) => m.messageId >= oldest);
    this.before = before;
    for (const m of page) this.#take(m);
    const newest = page[0]?.messageId ?? FIRST_ID;
    if (newest > this.swept) this.swept = newest;
    this.#settle(newest);
  }

  /**
   * Takes in the page before the oldest message held.
   * @param {Message[]} page newest first
   * @param {string|undefined} before
   */
  readOlder(page, before) {
    this.before = before;
    for (const m of page) this.#take(m);
  }

  /**
   * Takes in the answer of a sync.
   * @param {Message[]} messages oldest first
   * @param {string} after the id that was synced after
   * @returns {Message[]} those that were not held
   */
  synced(messages, after) {
    const fresh = messages.filter((m) => this.#take(m));
    const newest = messages.at(-1)?.messageId;
    if (newest === undefined) return fresh;
    if (after <= this.swept && newest > this.swept) this.swept = newest;
    this.#settle(newest);
    return fresh;
  }

  /** Whether a message names a predecessor that should be here and is not. */
  get hasHole() {
    for (let i = this.messages.length - 1; i >= 0; i--) {
      const { messageId, previousMessageId: previous } = this.messages[i];
      if (messageId <= this.contiguous) return false;
      if (previous && previous > this.contiguous && !this.#byId.has(previous)) return true;
    }
    return false;
  }

  /**
   * @param {Message} message
   * @returns {boolean} whether it was not held
   */
  #take(message) {
    message.delivered = true;
    const held = this.#byId.get(message.messageId);
    if (held) merge(held, message);
    else this.#insert(message);
    return !held;
  }

  /** @param {Message} message */
  #insert(message) {
    const deletedAt = this.#deleted.get(message.messageId);
    if (deletedAt) merge(message, { ...message, deletedAt });
    this.#byId.set(message.messageId, message);
    this.messages.splice(this.#indexAfter(message.messageId), 0, message);
  }

  /**
   * Where the first message after an id is.
   * @param {string} id
   */
  #indexAfter(id) {
    const all = this.messages;
    if (all.length === 0 || all[all.length - 1].messageId <= id) return all.length;
    let low = 0;
    let high = all.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (all[middle].messageId <= id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * The server has said what there is up to an id.
   * @param {string} id
   */
  #settle(id) {
    if (id > this.contiguous) this.contiguous = id;
    this.#advance();
  }

  /** Moves `contiguous` over messages whose predecessor is accounted for. */
  #advance() {
    if (!this.loaded) return;
    for (let i = this.#indexAfter(this.contiguous); i < this.messages.length; i++) {
      const { messageId, previousMessageId: previous } = this.messages[i];
      if (previous === undefined) return;
      if (previous !== null && previous > this.contiguous) return;
      this.contiguous = messageId;
    }
  }
}

/**
 * Brings a held message up to date; an older version changes nothing.
 * @param {Message} held
 * @param {Message} other
 * @returns {boolean} whether people can see a difference
 */
function merge(held, other) {
  let changed = false;
  if (held.previousMessageId === undefined) held.previousMessageId = other.previousMessageId;
  held.clientMessageId ??= other.clientMessageId;
  if (other.delivered && !held.delivered) {
    held.delivered = true;
    changed = true;
  }
  if (other.readBy && other.readBy.length !== held.readBy?.length) {
    held.readBy = other.readBy;
    changed = true;
  }
  if (other.deletedAt && !held.deletedAt) {
    held.deletedAt = other.deletedAt;
    delete held.content;
    changed = true;
  }
  if (!held.deletedAt && (other.editedAt ?? 0) > (held.editedAt ?? 0)) {
    held.editedAt = other.editedAt;
    held.content = other.content;
    changed = true;
  }
  return changed;
}
