// What a client shows of one room: messages in the order of their ids, each once.
// Which messages are missing is up to its recovery.

import { arrangeReactions, EarlyReactions, mergeOwn, mergeReactions } from "./reactions.js";

/**
 * @typedef {import("./frames.js").Frame} Frame
 * @typedef {import("./frames.js").Message} Message
 * @typedef {import("./recovery.js").Recovery} Recovery
 */

/** Of how many messages that are to come the readers are kept, but for a page. */
const MOST_COMING = 100;

export class Timeline {
  /** @type {Map<string, Message>} */
  #byId = new Map();
  /** @type {Map<string, string[]>} who has read messages of a page that aren't held yet */
  #readers = new Map();
  #early = new EarlyReactions();

  /**
   * @param {string} chatRoomId
   * @param {Recovery} recovery
   */
  constructor(chatRoomId, recovery) {
    this.chatRoomId = chatRoomId;
    this.recovery = recovery;
    /** @type {Message[]} oldest first; read it, don't write it */
    this.messages = [];
    /** Whether history was read once. */
    this.loaded = false;
    /** @type {string|undefined} where older history goes on; undefined when all of it is here */
    this.before = undefined;
    /** When the first of them ends, or before that (ms since 1970). */
    this.expires = Infinity;
  }

  /** The id of the oldest message held; empty where there is none. */
  get oldest() {
    return this.messages[0]?.messageId ?? "";
  }

  /** @param {string} messageId */
  get(messageId) {
    return this.#byId.get(messageId);
  }

  /**
   * Takes a message in, or what is new about one that is held.
   * @param {Message} message
   * @returns {"new"|"changed"|"known"}
   */
  put(message) {
    const held = this.#byId.get(message.messageId);
    this.expires = Math.min(this.expires, message.expiresAt ?? Infinity);
    if (held) return merge(held, message) ? "changed" : "known";
    const readers = this.#readers.get(message.messageId);
    if (readers && !message.readBy) message.readBy = readers;
    this.#readers.delete(message.messageId);
    arrangeReactions(message);
    this.#byId.set(message.messageId, message);
    this.messages.splice(indexOf(this.messages, message.messageId), 0, message);
    for (const { frame, me } of this.#early.take(message.messageId)) this.react(frame, me);
    return "new";
  }

  /**
   * Takes a frame of reactions to a message, which may come before that.
   * @param {Frame} frame
   * @param {string} me
   * @returns {boolean} whether people can see a difference
   */
  react(frame, me) {
    const { messageId = "", version = 0, counts = {}, changed = [] } = frame;
    const held = this.#byId.get(messageId);
    if (!held) {
      // Older ones come with their counts.
      if (messageId > this.oldest) this.#early.keep(frame, me);
      return false;
    }
    const differs = mergeReactions(held, { version, counts });
    return mergeOwn(held, version, changed, me) || differs;
  }

  /**
   * Brings a message up to date if it is held.
   * @param {Message} message
   * @returns {boolean} whether people can see a difference
   */
  update(message) {
    const held = this.#byId.get(message.messageId);
    return held !== undefined && merge(held, message);
  }

  /**
   * The server has told a message's reactions, in answer to one of the user's.
   * @param {string} messageId
   * @param {import("./reactions.js").Reactions} reactions
   */
  answered(messageId, reactions) {
    const held = this.#byId.get(messageId);
    if (held) mergeReactions(held, reactions);
  }

  /**
   * History says who had read the messages of a page, also of those that are to come.
   * @param {Message[]} page
   */
  noteReaders(page) {
    if (this.#readers.size > MOST_COMING) this.#readers.clear();
    for (const { messageId, readBy } of page) {
      if (readBy && !this.#byId.has(messageId)) this.#readers.set(messageId, readBy);
    }
  }

  /**
   * Who left takes their read marks with them.
   * @param {string} userId
   */
  forgetReader(userId) {
    for (const [id, readers] of this.#readers)
      this.#readers.set(
        id,
        readers.filter((reader) => reader !== userId),
      );
    for (const message of this.messages) {
      if (message.readBy?.includes(userId)) message.readBy = message.readBy.filter((reader) => reader !== userId);
    }
  }

  /**
   * Drops what is older than an id: between the two there may be messages that no
   * one asked for, or changes.
   * @param {string} id
   * @param {string|undefined} before where older history goes on
   */
  beginAt(id, before) {
    const kept = indexOf(this.messages, id);
    for (const m of this.messages.splice(0, kept)) this.#byId.delete(m.messageId);
    this.before = before;
  }

  /**
   * Lets go of what has ended, and of its text in answers to it.
   * @param {number} now ms since 1970
   * @returns {string[]} the ids of those messages
   */
  expire(now) {
    if (now < this.expires) return [];
    const ends = (/** @type {Message} */ { expiresAt = Infinity }) => expiresAt;
    const ended = this.messages.filter((m) => ends(m) <= now).map(({ messageId }) => messageId);
    for (const id of ended) this.#byId.delete(id);
    this.messages = this.messages.filter((m) => ends(m) > now);
    this.expires = this.messages.reduce((first, m) => Math.min(first, ends(m)), Infinity);
    for (const m of this.messages) {
      const { messageId = "", senderId = "" } = m.replyTo ?? {};
      if (ended.includes(messageId)) m.replyTo = { messageId, senderId, preview: "" };
    }
    return ended;
  }

  /**
   * How many messages of others come after an id, so far as they are held, and how many of
   * them mention the user.
   * @param {string} id
   * @param {string} me
   * @param {number} most where counting stops
   */
  countAfter(id, me, most) {
    let unread = 0;
    let mentions = 0;
    for (let i = this.messages.length - 1; i >= 0 && unread < most && this.messages[i].messageId > id; i--) {
      const message = this.messages[i];
      if (message.senderId === me || message.deletedAt) continue;
      unread++;
      if (message.mentions?.includes(me)) mentions++;
    }
    return { unread, mentions };
  }

  /**
   * Whether everything after an id is held.
   * @param {string} id
   */
  reaches(id) {
    return this.loaded && (this.before === undefined || this.oldest <= id);
  }
}

/**
 * Where the first message with this id or a greater one is.
 * @param {readonly Message[]} messages oldest first
 * @param {string} id
 */
export function indexOf(messages, id) {
  let low = 0;
  let high = messages.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (messages[middle].messageId < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Brings a held message up to date; an older version changes nothing.
 * @param {Message} held
 * @param {Message} other
 * @returns {boolean} whether people can see a difference
 */
function merge(held, other) {
  let changed = false;
  held.clientMessageId ??= other.clientMessageId;
  if (other.readBy && other.readBy.join("/") !== held.readBy?.join("/")) {
    held.readBy = other.readBy;
    changed = true;
  }
  // They never change. The sender's own are as the server names them once it is delivered.
  if (other.attachments && !held.deletedAt && namesOf(other) !== namesOf(held)) {
    held.attachments = other.attachments;
    changed = true;
  }
  // What it answers as that was when it was stored: its sender may have seen it otherwise.
  if (other.replyTo && !held.deletedAt && quoted(other) !== quoted(held)) {
    held.replyTo = other.replyTo;
    changed = true;
  }
  held.expiresAt ??= other.expiresAt;
  if (other.deletedAt && !held.deletedAt) {
    held.deletedAt = other.deletedAt;
    held.deletedBy = other.deletedBy;
    delete held.content;
    delete held.attachments;
    delete held.replyTo;
    delete held.mentions;
    delete held.reactions;
    changed = true;
  }
  if (!held.deletedAt && (other.editedAt ?? 0) > (held.editedAt ?? 0)) {
    held.editedAt = other.editedAt;
    held.content = other.content;
    held.mentions = other.mentions;
    changed = true;
  }
  return mergeReactions(held, other.reactions) || changed;
}

/** @param {Message} message */
const namesOf = ({ attachments = [] }) =>
  attachments.map(({ attachmentId, name }) => `${attachmentId} ${name}`).join("\0");

/** @param {Message} message */
const quoted = ({ replyTo }) =>
  [replyTo?.messageId, replyTo?.senderId, replyTo?.preview, replyTo?.attachments].join("\0");
