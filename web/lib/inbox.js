// What the server's frames do to what is held: messages go to their rooms, rooms
// move in the list, cursors move forward.

import { described } from "./attachments.js";
import { Failure } from "./failure.js";

/**
 * @typedef {import("./api.js").Room} Room
 * @typedef {import("./catchup.js").CatchUp} CatchUp
 * @typedef {import("./directory.js").Directory} Directory
 * @typedef {import("./events.js").Events} Events
 * @typedef {import("./frames.js").Frame} Frame
 * @typedef {import("./frames.js").Message} Message
 * @typedef {import("./outbox.js").Outbox} Outbox
 * @typedef {import("./people.js").People} People
 * @typedef {import("./receipts.js").Cursor} Cursor
 * @typedef {import("./receipts.js").Receipts} Receipts
 * @typedef {import("./recovery.js").Effect} Effect
 * @typedef {import("./standings.js").Standings} Standings
 * @typedef {import("./timeline.js").Timeline} Timeline
 * @typedef {import("./unread.js").Unread} Unread
 */

export class Inbox {
  #timelines;
  #catchUp;
  #directory;
  #outbox;
  #people;
  #receipts;
  #standings;
  #unread;
  #marks;
  #me;
  #emit;
  #discover;
  #refresh;

  /**
   * @param {object} of
   * @param {Map<string, Timeline>} of.timelines the opened rooms
   * @param {CatchUp} of.catchUp
   * @param {Directory} of.directory
   * @param {Outbox} of.outbox
   * @param {People} of.people
   * @param {Receipts} of.receipts
   * @param {Standings} of.standings
   * @param {Unread} of.unread
   * @param {import("./marks.js").Marks} of.marks
   * @param {() => string} of.me the user's id
   * @param {object} on
   * @param {<K extends keyof Events>(event: K, detail: Events[K]) => void} on.emit
   * @param {(chatRoomId: string, message?: Message) => void} on.discover a room isn't in the list; the message that showed it
   * @param {() => void} on.refresh the list may have changed
   */
  constructor(
    { timelines, catchUp, directory, outbox, people, receipts, standings, unread, marks, me },
    { emit, discover, refresh },
  ) {
    this.#timelines = timelines;
    this.#catchUp = catchUp;
    this.#directory = directory;
    this.#outbox = outbox;
    this.#people = people;
    this.#receipts = receipts;
    this.#standings = standings;
    this.#unread = unread;
    this.#marks = marks;
    this.#me = me;
    this.#emit = emit;
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
      case "messageDeleted":
        this.revised(/** @type {Message} */ (/** @type {unknown} */ (frame)));
        break;
      case "gap":
        this.#gap(frame.chatRoomId ?? "");
        break;
      case "memberJoined":
      case "memberLeft":
        this.#membership(frame.chatRoomId ?? "", frame.userId ?? "", frame.type === "memberJoined");
        break;
      case "memberChanged":
        this.#standings.put(frame.chatRoomId ?? "", frame.userId ?? "", frame);
        break;
      case "notifyChanged":
        this.notify(frame.chatRoomId ?? "", { notify: frame.notify, notifyAt: frame.at });
        break;
      case "roomChanged":
        this.#directory.list.rename(frame.chatRoomId ?? "", frame.name ?? "");
        this.#emit("rooms", undefined);
        this.#emit("room", frame.chatRoomId ?? "");
        break;
      case "read":
        this.#hasRead(frame.chatRoomId ?? "", frame.userId ?? "", { ...frame, upTo: frame.upTo ?? "" });
        break;
      case "reactions":
        this.#reacted(frame);
        break;
      case "error":
        this.#refused(frame);
        break;
      case "gateway":
        this.#outbox.gatewayFailed();
        break;
      default: // a later server's
    }
  }

  /**
   * @param {string} chatRoomId
   * @param {{notify?: import("./api.js").Notify, notifyAt?: number}} now what the user is notified of
   */
  notify(chatRoomId, { notify, notifyAt }) {
    if (this.#directory.list.setNotify(chatRoomId, notify, notifyAt)) this.#emit("notify", chatRoomId);
  }

  /** @param {Frame} frame */
  #reacted(frame) {
    const { chatRoomId = "" } = frame;
    if (!this.#timelines.get(chatRoomId)?.react(frame, this.#me())) return;
    this.#emit("timeline", chatRoomId);
    for (const change of frame.changed ?? []) {
      if (change.userId !== this.#me())
        this.#emit("reaction", { chatRoomId, messageId: frame.messageId ?? "", ...change });
    }
  }

  /** @param {Frame} error */
  #refused({ code = "internal", message = "", clientMessageId, retryAfter, until }) {
    const failure = new Failure(code, message, { retryAfter, until });
    if (!clientMessageId) {
      this.#emit("failure", failure);
      return;
    }
    const room = this.#outbox.refused(clientMessageId, failure);
    if (room && until) this.#standings.muted(room, this.#me(), until);
  }

  /** @param {Frame} ack */
  #acknowledged({ chatRoomId = "", messageId = "", timestamp = 0, clientMessageId = "", previousMessageId, ...ack }) {
    const outgoing = this.#outbox.remove(clientMessageId);
    if (!outgoing) {
      const timeline = this.#timelines.get(chatRoomId);
      if (timeline) this.#catchUp.input(timeline, (recovery) => recovery.ack(messageId));
      return;
    }
    // It is the message itself: no frame follows.
    this.#take({
      chatRoomId,
      messageId,
      timestamp,
      clientMessageId,
      previousMessageId,
      senderId: this.#me(),
      content: ack.content ?? outgoing.content, // a review may have stored another one
      attachments: filesOf(outgoing),
      replyTo: ack.replyTo ?? outgoing.replyTo, // what is answered may have been changed
      mentions: outgoing.mentions,
      expiresAt: ack.expiresAt,
    });
    this.#emit("timeline", chatRoomId);
  }

  /** @param {Message} message */
  #arrived(message) {
    const { chatRoomId, messageId, senderId, content, timestamp, previousMessageId, clientMessageId } = message;
    const { attachments, replyTo, mentions, expiresAt } = message;
    this.#take({
      chatRoomId,
      messageId,
      senderId,
      content,
      timestamp,
      previousMessageId,
      clientMessageId,
      attachments,
      replyTo,
      mentions,
      expiresAt,
    });
    this.#stored({ clientMessageId, senderId });
    if (this.#directory.list.loaded && !this.#directory.list.get(chatRoomId))
      this.#discover(chatRoomId, { chatRoomId, messageId, senderId, content, timestamp, attachments, mentions });
  }

  /**
   * The list has a room now by whose message it was missed.
   * @param {Message} message
   */
  discovered(message) {
    this.#directory.list.saw(message);
    this.#unread.add(message);
    this.#emit("rooms", undefined);
  }

  /**
   * A message is stored: an own one waits no longer. Its frame, or an answer with it, may
   * come before its ack, or instead of one that was lost.
   * @param {Pick<Message, "clientMessageId"|"senderId">} message
   */
  #stored({ clientMessageId, senderId }) {
    if (clientMessageId && senderId === this.#me()) this.#outbox.remove(clientMessageId);
  }

  /** @param {Message} message */
  #take(message) {
    const timeline = this.#timelines.get(message.chatRoomId);
    if (timeline) {
      this.#catchUp.input(timeline, (recovery) => recovery.message(message));
      if (timeline.update(message)) this.#emit("timeline", message.chatRoomId);
    } else {
      this.#followed(this.#unread.input(message.chatRoomId, (recovery) => recovery.message(message)));
    }
  }

  /**
   * What is held of an opened room changes.
   * @param {Timeline} timeline
   * @param {Effect[]} effects
   */
  applied(timeline, effects) {
    for (const { type, message, backlog } of effects) {
      const now = { ...message };
      this.#stored(now);
      if (type === "change") this.#changed(now, timeline);
      else if (timeline.put(now) === "new" && !backlog) this.#saw(now);
      else if (backlog) this.#directory.list.saw(now);
    }
    if (effects.some(({ backlog }) => backlog)) this.#unread.loaded(timeline.chatRoomId);
    else this.#unread.count(timeline.chatRoomId);
    this.#emit("rooms", undefined);
    this.#emit("timeline", timeline.chatRoomId);
  }

  /**
   * Messages ended.
   * @param {Timeline} timeline which has let go of them
   * @param {string[]} messageIds
   */
  expired({ chatRoomId }, messageIds) {
    for (const messageId of messageIds) {
      this.#directory.list.expired(chatRoomId, messageId);
      this.#unread.deleted(chatRoomId, messageId);
    }
    this.#emit("rooms", undefined);
    this.#emit("timeline", chatRoomId);
  }

  /**
   * Messages were read that may be held: history says who has read them.
   * @param {Timeline} timeline
   * @param {Message[]} messages
   */
  reread(timeline, messages) {
    let changed = false;
    for (const message of messages) changed = timeline.update(message) || changed;
    if (changed) this.#emit("timeline", timeline.chatRoomId);
  }

  /**
   * Messages of a room that isn't opened.
   * @param {Effect[]} effects
   */
  #followed(effects) {
    for (const { type, message } of effects) {
      if (type === "change") this.#changed(message);
      else this.#saw(message);
    }
    if (effects.length > 0) this.#emit("rooms", undefined);
  }

  /** @param {Message} message that was not held: it may have come before its room was opened */
  #saw(message) {
    if (this.#unread.came(message)) return;
    this.#directory.list.saw(message);
    this.#unread.add(message);
    this.#emit("rooms", undefined);
    if (!message.deletedAt) this.#emit("message", message);
  }

  /**
   * @param {Message} message as it is now
   * @param {Timeline} [timeline]
   */
  #changed(message, timeline) {
    const { chatRoomId, messageId, content, editedAt, deletedAt } = message;
    timeline?.update(message);
    this.#directory.list.revised({ chatRoomId, messageId, content, editedAt, deletedAt });
    if (deletedAt) this.#unread.deleted(chatRoomId, messageId);
    else this.#unread.edited(message);
  }

  /**
   * @param {string} chatRoomId
   * @param {string} userId
   * @param {Cursor} cursor
   */
  #hasRead(chatRoomId, userId, { upTo, from, since, known }) {
    const cursor = { upTo, from, since, known };
    if (userId === this.#me()) {
      this.read(chatRoomId, upTo, false);
      this.#unread.confirmed(chatRoomId, cursor);
    } else if (this.#receipts.moved(chatRoomId, userId, cursor)) {
      this.#emit("read", { chatRoomId, userId, upTo });
    }
  }

  /**
   * @param {string} chatRoomId
   * @param {string} upTo
   * @param {boolean} here
   */
  read(chatRoomId, upTo, here) {
    if (here && this.#marks.read(chatRoomId, upTo)) this.#emit("rooms", undefined);
    const again = here && this.#unread.isLate(chatRoomId, upTo);
    if (!this.#receipts.read(chatRoomId, upTo, here)) {
      if (!again || upTo < this.#receipts.own(chatRoomId)) return;
      this.#receipts.tellAgain(chatRoomId);
    }
    this.#unread.read(chatRoomId, upTo);
    this.#emit("rooms", undefined);
    this.#emit("read", { chatRoomId, userId: this.#me(), upTo });
  }

  /** A connection answers for the first time: anything may have happened before. */
  reconnected() {
    this.#unread.reconnected();
    for (const room of this.#timelines.keys()) this.#receipts.doubt(room);
  }

  /**
   * The list of rooms was read.
   * @param {number} since when it was asked for
   */
  listed(since) {
    const moved = this.#unread.listed(since);
    this.#emit("rooms", undefined);
    for (const chatRoomId of moved) {
      this.#emit("read", { chatRoomId, userId: this.#me(), upTo: this.#receipts.own(chatRoomId) });
    }
  }

  /**
   * The server described a room.
   * @param {Room} room
   */
  learned(room) {
    const { chatRoomId, members = [] } = room;
    this.#standings.learn(room, this.#me());
    this.notify(chatRoomId, room);
    for (const { userId, readFrom: from, readUpTo: upTo, readSince: since, readKnown: known, displayName } of members) {
      this.#people.learn(userId, displayName);
      if (upTo) this.#hasRead(chatRoomId, userId, { upTo, from, since, known });
    }
  }

  /** @param {Message} message as it is now, edited or deleted */
  revised({ chatRoomId, messageId, senderId, content, timestamp, ...rest }) {
    const { editedAt, deletedAt, deletedBy, readBy, attachments, replyTo, mentions } = rest;
    const message = {
      chatRoomId,
      messageId,
      senderId,
      content,
      timestamp,
      editedAt,
      deletedAt,
      deletedBy,
      readBy,
      attachments,
      replyTo,
      mentions,
    };
    const timeline = this.#timelines.get(chatRoomId);
    if (timeline) this.#catchUp.input(timeline, (recovery) => recovery.change(message));
    else this.#followed(this.#unread.input(chatRoomId, (recovery) => recovery.change(message)));
  }

  /** @param {string} chatRoomId */
  #gap(chatRoomId) {
    const timeline = this.#timelines.get(chatRoomId);
    if (timeline) this.#catchUp.leftOut(timeline);
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
    if (!joined) {
      this.#receipts.forget(chatRoomId, userId);
      this.#standings.forget(chatRoomId, userId);
      this.#timelines.get(chatRoomId)?.forgetReader(userId);
    }
    if (own && !this.#directory.list.get(chatRoomId)) this.#discover(chatRoomId);
    this.#emit("member", { chatRoomId, userId, joined });
  }

  /** @param {string} chatRoomId of a direct message */
  hidden(chatRoomId) {
    this.#directory.list.remove(chatRoomId);
    this.#timelines.delete(chatRoomId);
    this.#unread.forget(chatRoomId);
    this.#emit("rooms", undefined);
  }

  /** @param {string} chatRoomId */
  left(chatRoomId) {
    if (!this.#directory.list.remove(chatRoomId) && !this.#timelines.has(chatRoomId)) return; // known already
    this.#timelines.delete(chatRoomId);
    this.#receipts.forget(chatRoomId);
    this.#standings.forget(chatRoomId);
    this.#marks.forget(chatRoomId);
    this.#unread.forget(chatRoomId);
    this.#emit("rooms", undefined);
    this.#emit("member", { chatRoomId, userId: this.#me(), joined: false });
  }
}

/**
 * The files of a message that was just stored, as its sender named them.
 * @param {import("./outbox.js").Outgoing} outgoing
 * @returns {import("./attachments.js").Attachment[]|undefined}
 */
const filesOf = ({ attachments }) =>
  attachments?.map((upload) => ({ ...described(upload), attachmentId: upload.attachmentId ?? "" }));
