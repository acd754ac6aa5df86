// What the server's frames do to what is held: messages go to their rooms, rooms
// move in the list, cursors move forward.

import { MOST_UNREAD } from "./rooms.js";

/**
 * @typedef {import("./api.js").Room} Room
 * @typedef {import("./clock.js").Clock} Clock
 * @typedef {import("./directory.js").Directory} Directory
 * @typedef {import("./frames.js").Frame} Frame
 * @typedef {import("./frames.js").Message} Message
 * @typedef {import("./outbox.js").Outbox} Outbox
 * @typedef {import("./people.js").People} People
 * @typedef {import("./receipts.js").Receipts} Receipts
 * @typedef {import("./streamroom.js").Events} Events
 * @typedef {import("./timeline.js").Timeline} Timeline
 */

/** How many ids of messages in unopened rooms are remembered, to know one that comes twice. */
const REMEMBERED = 1_000;

export class Inbox {
  /** @type {Set<string>} ids of messages in unopened rooms */
  #remembered = new Set();
  #clock;
  #timelines;
  #directory;
  #outbox;
  #people;
  #receipts;
  #me;
  #emit;
  #look;
  #discover;
  #refresh;

  /**
   * @param {object} of
   * @param {Clock} of.clock
   * @param {Map<string, Timeline>} of.timelines the opened rooms
   * @param {Directory} of.directory
   * @param {Outbox} of.outbox
   * @param {People} of.people
   * @param {Receipts} of.receipts
   * @param {() => string} of.me the user's id
   * @param {object} on
   * @param {<K extends keyof Events>(event: K, detail: Events[K]) => void} on.emit
   * @param {(timeline: Timeline, certainly?: boolean) => void} on.look a room may have a hole
   * @param {(chatRoomId: string) => void} on.discover a room isn't in the list
   * @param {() => void} on.refresh the list may have changed
   */
  constructor({ clock, timelines, directory, outbox, people, receipts, me }, { emit, look, discover, refresh }) {
    this.#clock = clock;
    this.#timelines = timelines;
    this.#directory = directory;
    this.#outbox = outbox;
    this.#people = people;
    this.#receipts = receipts;
    this.#me = me;
    this.#emit = emit;
    this.#look = look;
    this.#discover = discover;
    this.#refresh = refresh;
  }

  /** @param {Frame} frame */
  received(frame) {
    switch (frame.type) {
      case "ack":
        this.#acknowledged(frame);
        break;
      case "message":
        this.#arrived(/** @type {Message} */ (/** @type {unknown} */ (frame)));
        break;
      case "messageEdited":
        this.revised(/** @type {Message} */ (/** @type {unknown} */ (frame)));
        break;
      case "messageDeleted":
        this.deleted(frame);
        break;
      case "gap":
        this.#gap(frame.chatRoomId ?? "");
        break;
      case "memberJoined":
      case "memberLeft":
        this.#membership(frame.chatRoomId ?? "", frame.userId ?? "", frame.type === "memberJoined");
        break;
      case "roomChanged":
        this.#directory.list.rename(frame.chatRoomId ?? "", frame.name ?? "");
        this.#emit("rooms", undefined);
        this.#emit("room", frame.chatRoomId ?? "");
        break;
      case "read":
        this.#hasRead(frame.chatRoomId ?? "", frame.userId ?? "", frame.upTo ?? "");
        break;
      default: // a later server's
    }
  }

  /** @param {Frame} ack */
  #acknowledged({ chatRoomId = "", messageId = "", timestamp = 0, clientMessageId = "" }) {
    const outgoing = this.#outbox.remove(clientMessageId);
    if (outgoing) {
      this.#take({ chatRoomId, messageId, timestamp, clientMessageId, senderId: this.#me(), content: outgoing.content });
    }
  }

  /** @param {Message} message */
  #arrived({ chatRoomId, messageId, senderId, content, timestamp, previousMessageId, clientMessageId }) {
    this.#take({ chatRoomId, messageId, senderId, content, timestamp, previousMessageId, clientMessageId, delivered: true });
    // The broadcast may come before the ack, or instead of one that was lost.
    if (clientMessageId && senderId === this.#me()) this.#outbox.remove(clientMessageId);
    if (this.#directory.list.loaded && !this.#directory.list.get(chatRoomId)) this.#discover(chatRoomId);
  }

  /** @param {Message} message */
  #take(message) {
    const timeline = this.#timelines.get(message.chatRoomId);
    const outcome = timeline ? timeline.add(message) : this.#remember(message.messageId);
    if (outcome === "known") return;
    if (timeline) {
      this.#emit("timeline", message.chatRoomId);
      this.#look(timeline);
    }
    if (outcome === "new") this.saw(timeline?.get(message.messageId) ?? message);
  }

  /**
   * @param {string} messageId
   * @returns {"new"|"known"}
   */
  #remember(messageId) {
    if (this.#remembered.has(messageId)) return "known";
    this.#remembered.add(messageId);
    if (this.#remembered.size > REMEMBERED) {
      const [oldest] = this.#remembered;
      this.#remembered.delete(oldest);
    }
    return "new";
  }

  /** @param {Message} message */
  saw(message) {
    const { chatRoomId, messageId, senderId } = message;
    this.#directory.list.saw(message, senderId !== this.#me() && messageId > this.#receipts.own(chatRoomId));
    this.count(chatRoomId);
    this.#emit("rooms", undefined);
    this.#emit("message", message);
  }

  /**
   * Counts a room's unread messages, where enough of it is held to do better than
   * adding one at a time.
   * @param {string} chatRoomId
   */
  count(chatRoomId) {
    const own = this.#receipts.own(chatRoomId);
    const timeline = this.#timelines.get(chatRoomId);
    if (own && timeline?.reaches(own)) this.#directory.list.setUnread(chatRoomId, timeline.countAfter(own, this.#me(), MOST_UNREAD));
  }

  /** The list was read: it may not know yet how far one has read. */
  recount() {
    for (const { chatRoomId, lastMessage } of this.#directory.list.list()) {
      const own = this.#receipts.own(chatRoomId);
      if (own && own >= (lastMessage?.messageId ?? "")) this.#directory.list.setUnread(chatRoomId, 0);
      else this.count(chatRoomId);
    }
  }

  /**
   * @param {string} chatRoomId
   * @param {string} userId
   * @param {string} upTo
   */
  #hasRead(chatRoomId, userId, upTo) {
    if (userId === this.#me()) this.read(chatRoomId, upTo, false);
    else if (this.#receipts.moved(chatRoomId, userId, upTo)) this.#emit("read", { chatRoomId, userId, upTo });
  }

  /**
   * @param {string} chatRoomId
   * @param {string} upTo
   * @param {boolean} here
   */
  read(chatRoomId, upTo, here) {
    if (!this.#receipts.read(chatRoomId, upTo, here)) return;
    this.count(chatRoomId);
    if (upTo >= (this.#directory.list.get(chatRoomId)?.lastMessage?.messageId ?? "")) this.#directory.list.setUnread(chatRoomId, 0);
    this.#emit("rooms", undefined);
    this.#emit("read", { chatRoomId, userId: this.#me(), upTo });
  }

  /**
   * The server described a room.
   * @param {Room} room
   */
  learned({ chatRoomId, members = [] }) {
    for (const { userId, readUpTo, displayName } of members) {
      if (displayName !== undefined) this.#people.learn(userId, displayName);
      if (readUpTo) this.#hasRead(chatRoomId, userId, readUpTo);
    }
  }

  /** @param {Message} message as it is now */
  revised({ chatRoomId, messageId, senderId, content, timestamp, editedAt, readBy }) {
    const timeline = this.#timelines.get(chatRoomId);
    if (timeline?.loaded) timeline.add({ chatRoomId, messageId, senderId, content, timestamp, editedAt, readBy, delivered: true });
    this.#directory.list.revised({ chatRoomId, messageId, content, editedAt });
    this.#emit("rooms", undefined);
    this.#emit("timeline", chatRoomId);
  }

  /** @param {{chatRoomId?: string, messageId?: string, deletedAt?: number}} frame */
  deleted({ chatRoomId = "", messageId = "", deletedAt = this.#clock.now() }) {
    this.#timelines.get(chatRoomId)?.delete(messageId, deletedAt);
    this.#directory.list.revised({ chatRoomId, messageId, deletedAt });
    this.count(chatRoomId);
    this.#emit("rooms", undefined);
    this.#emit("timeline", chatRoomId);
  }

  /** @param {string} chatRoomId */
  #gap(chatRoomId) {
    const timeline = this.#timelines.get(chatRoomId);
    if (timeline) this.#look(timeline, true);
    else this.#refresh();
  }

  /**
   * @param {string} chatRoomId
   * @param {string} userId
   * @param {boolean} joined
   */
  #membership(chatRoomId, userId, joined) {
    const own = userId === this.#me();
    if (own && !joined) {
      this.left(chatRoomId);
      return;
    }
    if (!joined) this.#receipts.forget(chatRoomId, userId);
    if (own && !this.#directory.list.get(chatRoomId)) this.#discover(chatRoomId);
    this.#emit("member", { chatRoomId, userId, joined });
  }

  /** @param {string} chatRoomId */
  left(chatRoomId) {
    if (!this.#directory.list.remove(chatRoomId) && !this.#timelines.has(chatRoomId)) return; // known already
    this.#timelines.delete(chatRoomId);
    this.#receipts.forget(chatRoomId);
    this.#emit("rooms", undefined);
    this.#emit("member", { chatRoomId, userId: this.#me(), joined: false });
  }
}
