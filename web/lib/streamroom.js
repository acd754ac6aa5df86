// Streamroom in a browser: connect, send, receive, catch up. Any page can use it.
//
//   const chat = new Streamroom({ webSocketURL, apiURL, token: async () => "…" });
//   chat.on("message", (m) => console.log(m.senderId, m.content));
//   chat.start();
//   await chat.open("general");
//   chat.send("general", "Hello");
//   const { messages, outgoing, hasOlder } = chat.timeline("general");
//   chat.markRead("general", messages.at(-1).messageId);
//
// What it promises: a message that send() took is stored once, or reported as
// failed; a room that is open has its messages in order, each once, and holes in
// it are found and filled. Deliveries are only hints, history is the truth.

import { MAX_ATTACHMENTS } from "./attachments.js";
import { Failure } from "./failure.js";
import { byteLength, checkContent, MAX_CONTENT, quoteOf } from "./frames.js";
import { isReaction, MAX_REACTION } from "./reactions.js";
import { RoomActions, sessionOf } from "./roomactions.js";
import { MOST_UNREAD } from "./rooms.js";
import { TYPING_ROOM } from "./typing.js";
import { timeOf } from "./ulid.js";

export { findMentions, MAX_MENTIONS, mentionedIn } from "./mentions.js";
export * from "./text.js";
export { byteLength, Failure, isReaction, MAX_ATTACHMENTS, MAX_CONTENT, MAX_REACTION, MOST_UNREAD, TYPING_ROOM };

/**
 * @typedef {import("./api.js").Ban} Ban
 * @typedef {import("./api.js").Block} Block
 * @typedef {import("./api.js").Member} Member
 * @typedef {import("./attachments.js").Attachment} Attachment
 * @typedef {import("./attachments.js").Pixels} Pixels
 * @typedef {import("./attachments.js").Upload} Upload
 * @typedef {import("./api.js").NearbyRoom} NearbyRoom
 * @typedef {import("./api.js").Place} Place
 * @typedef {import("./api.js").Notify} Notify
 * @typedef {import("./api.js").Report} Report
 * @typedef {import("./api.js").Room} Room
 * @typedef {import("./api.js").RoomSummary} RoomSummary
 * @typedef {import("./connection.js").ConnectionState} ConnectionState
 * @typedef {import("./frames.js").Message} Message
 * @typedef {import("./outbox.js").Outgoing} Outgoing
 * @typedef {import("./standings.js").Standing} Standing
 */

/**
 * @typedef {object} Options
 * @property {string} webSocketURL ends in the stage
 * @property {string} apiURL the HTTP API's root
 * @property {() => Promise<string>} token gets a new token; rejects with a Failure `unauthorized` when the user must sign in again; what else it throws, such as what fetch throws, counts as the network's, and it is asked again
 * @property {import("./clock.js").Clock} [clock]
 * @property {import("./connection.js").WebSocketClass} [WebSocket]
 * @property {import("./api.js").Fetch} [fetch]
 * @property {import("./saved.js").Store|null} [storage] keeps drafts and messages that are not sent; localStorage, null for none
 * @property {import("./tabs.js").Locks|null} [locks] by which tabs know of each other; navigator.locks
 * @property {import("./attachments.js").Post} [post] uploads a file
 * @property {number} [pingEvery] ms without a frame before a ping, on average, 8.75 minutes at most and by default; docs/operations.md has their price
 */

export class Streamroom extends RoomActions {
  #session = sessionOf(this);

  /** Who is signed in, once the server has said so. */
  get userId() {
    return this.#session.userId;
  }

  /** What was said before the server says so: what is saved for the user is shown at once. */
  set userId(userId) {
    this.#session.userId = userId;
  }

  /** What was begun in rooms and not sent, which survives a reload: see get() and set(). */
  get drafts() {
    return this.#session.drafts;
  }

  /** The user's rooms, newest message first: see list() and get(). */
  get rooms() {
    return this.#session.marks;
  }

  /** @returns {ConnectionState} */
  get state() {
    return this.#session.connection.state;
  }

  /** Connects, and stays connected until stop. */
  start() {
    this.#session.start();
  }

  /** Disconnects. What is held stays readable. */
  stop() {
    this.#session.stop();
  }

  /**
   * Connects now when it was waiting to; checks a connection by a ping, and replaces it
   * if no frame comes within 5 s. What the window and the clock tell does this by itself.
   */
  wake() {
    this.#session.wake();
  }

  /**
   * What is held of a room: messages oldest first, and what is on its way out.
   * @param {string} chatRoomId
   * @returns {{loaded: boolean, hasOlder: boolean, messages: readonly Message[], outgoing: Outgoing[]}}
   */
  timeline(chatRoomId) {
    const held = this.#session.timelines.get(chatRoomId);
    return {
      loaded: held?.loaded ?? false,
      hasOlder: held?.before !== undefined,
      messages: held?.messages ?? [],
      outgoing: this.#session.outbox.list(chatRoomId),
    };
  }

  /**
   * Opens a room: reads its newest messages unless they are here, and keeps the
   * room complete from then on.
   * @param {string} chatRoomId
   */
  async open(chatRoomId) {
    await this.#session.open(chatRoomId);
  }

  /**
   * Reads the page before the oldest message held.
   * @param {string} chatRoomId
   */
  async loadOlder(chatRoomId) {
    await this.#session.history.older(chatRoomId);
  }

  /**
   * Sends a message, now or when there is a connection; `timeline` events tell how
   * it goes. Throws a Failure for what the server would never take.
   * @param {string} chatRoomId
   * @param {string} content may be empty with attachments
   * @param {Upload[]} [attachments] what attach() gave: the message is sent when they are uploaded
   * @param {Message} [answered] the message of the room that it answers
   * @param {string[]|Promise<string[]>} [mentions] ids of members of the room whom it mentions, at most 20: see mentionedIn(). A promise holds it, and what is sent to the room after it, until it settles
   * @returns {Outgoing}
   */
  send(chatRoomId, content, attachments = [], answered = undefined, mentions = []) {
    checkContent(chatRoomId, content, attachments.length === 0);
    this.#session.typing.sent(chatRoomId);
    const replyTo = answered && quoteOf(answered);
    return this.#session.outbox.add(chatRoomId, content, attachments, { replyTo, mentions });
  }

  /**
   * Uploads a file for a message that is to be sent, now or when there is a connection;
   * `upload` events tell how it goes. After a reload only what was uploaded is sent.
   * @param {string} chatRoomId
   * @param {File} file
   * @param {Pixels|Promise<Pixels|undefined>} [pixels] of a picture: readers leave room for it
   * @returns {Upload} which changes as it goes
   */
  attach(chatRoomId, file, pixels) {
    return this.#session.attachments.add(chatRoomId, file, pixels);
  }

  /** @param {Upload} upload that is given up */
  detach({ uploadId }) {
    this.#session.attachments.cancel(uploadId);
  }

  /** @param {Upload} upload that failed, to be tried again */
  attachAgain({ uploadId }) {
    this.#session.attachments.retry(uploadId);
  }

  /**
   * Asks for a link to a file of a message, for members of the room.
   * @param {string} chatRoomId
   * @param {string} attachmentId
   * @returns {Promise<{url: string, expiresAt: number}>} which anyone may read, for some minutes
   */
  linkTo(chatRoomId, attachmentId) {
    return this.#session.api.linkTo(chatRoomId, attachmentId);
  }

  /**
   * Tries a failed message again.
   * @param {string} clientMessageId
   */
  retry(clientMessageId) {
    const outgoing = this.#session.outbox.failed.find((o) => o.clientMessageId === clientMessageId);
    this.#session.outbox.retry(clientMessageId);
    for (const upload of outgoing?.attachments ?? []) this.attachAgain(upload);
  }

  /** @param {string} clientMessageId of an outgoing message that is given up */
  discard(clientMessageId) {
    for (const upload of this.#session.outbox.remove(clientMessageId)?.attachments ?? []) this.detach(upload);
  }

  /** How many messages are not sent yet, failed ones left out. They survive a reload. */
  get unsent() {
    return this.#session.outbox.unsent;
  }

  /** As unsent, with those that other tabs of this browser have of the user. */
  get unsentAnywhere() {
    return this.#session.outbox.unsentAnywhere;
  }

  /** Messages that failed, of all rooms, also of those that the user is not in any more. */
  get failed() {
    return this.#session.outbox.failed;
  }

  /** Forgets the user's drafts and messages that are not sent, those of other tabs, too: they sign out here. */
  forget() {
    this.#session.saved.clear();
  }

  /**
   * Edits a message of one's own.
   * @param {string} chatRoomId
   * @param {string} messageId
   * @param {string} content may be empty where the message has files
   * @param {string[]} [mentions] whom it mentions from now on; without it they stay
   */
  async edit(chatRoomId, messageId, content, mentions = undefined) {
    const files = this.#session.timelines.get(chatRoomId)?.get(messageId)?.attachments ?? [];
    checkContent(chatRoomId, content, files.length === 0);
    const edited = await this.#session.api.editMessage(chatRoomId, messageId, content, mentions);
    const held = this.#session.timelines.get(chatRoomId)?.get(messageId);
    if (held)
      this.#session.inbox.revised({
        ...held,
        ...edited,
        content,
        mentions: edited ? edited.mentions : (mentions ?? held.mentions),
        editedAt: edited?.editedAt ?? this.#session.clock.now(),
      });
  }

  /**
   * Deletes a message: one's own, or as an owner or a moderator of a group anyone's. The
   * others see that there was one.
   * @param {string} chatRoomId
   * @param {string} messageId
   */
  async delete(chatRoomId, messageId) {
    await this.#session.api.deleteMessage(chatRoomId, messageId);
    const held = this.#session.timelines.get(chatRoomId)?.get(messageId);
    const message = held ?? { chatRoomId, messageId, senderId: this.userId, timestamp: timeOf(messageId) };
    const deletedBy = message.senderId === this.userId ? undefined : this.userId;
    this.#session.inbox.revised({ ...message, content: undefined, deletedAt: this.#session.clock.now(), deletedBy });
  }

  /**
   * The user types in a room: call it at each key. In rooms of at most TYPING_ROOM members
   * the others learn it; larger ones needn't be asked for.
   * @param {string} chatRoomId
   */
  typing(chatRoomId) {
    this.#session.typing.tell(chatRoomId);
  }

  /**
   * Who types in a room now; `typing` events tell that it changed.
   * @param {string} chatRoomId
   * @returns {string[]} user ids, who began first before the others
   */
  typingIn(chatRoomId) {
    return this.#session.typing.in(chatRoomId);
  }

  /**
   * Reacts to a message, or takes a reaction back, now or when there is a connection;
   * `timeline` events tell how it goes.
   * @param {Message} message
   * @param {string} reaction one emoji, or a name such as `:tada:`
   * @param {boolean} [add]
   * @returns {Promise<void>} which rejects with a Failure if it is refused
   */
  async react({ chatRoomId, messageId }, reaction, add = true) {
    if (!isReaction(reaction))
      throw new Failure("invalid_request", "A reaction is one emoji, or a name such as :tada:.");
    await this.#session.reactors.react(chatRoomId, messageId, reaction, add);
  }

  /**
   * A message's reactions, with what the user chose and what is not sent yet.
   * @param {Message} message
   * @returns {import("./reactions.js").Shown[]} in the order in which they are shown
   */
  reactionsOf(message) {
    return this.#session.reactors.of(message);
  }

  /**
   * The user has read a room up to a message: its unread mark goes, here and on the
   * user's other devices, and in small rooms the others see it.
   * @param {string} chatRoomId
   * @param {string} upTo a message's id
   */
  markRead(chatRoomId, upTo) {
    this.#session.inbox.read(chatRoomId, upTo, true);
  }

  /**
   * Marks a message of someone else as unread, and so what follows it, until the user reads
   * the room again. Only this browser knows: others still see that it was read, and the
   * user's other devices count nothing more. `marked` events tell its tabs.
   * @param {Message} message of an opened room
   */
  markUnread(message) {
    this.#session.markUnread(message);
  }

  /**
   * @param {string} chatRoomId
   * @returns {string} the id of the message that was marked as unread; empty for none
   */
  unreadFrom(chatRoomId) {
    return this.#session.marks.of(chatRoomId);
  }

  /**
   * @param {string} chatRoomId
   * @returns {string} the id up to which the user has read; empty if it isn't known
   */
  readUpTo(chatRoomId) {
    return this.#session.receipts.own(chatRoomId);
  }

  /**
   * Who has read a message, as far as is known; its sender left out.
   * @param {Message} message
   * @returns {string[]} user ids
   */
  readersOf(message) {
    return this.#session.receipts.readers(message);
  }

  /**
   * A user's display name. If it isn't known it is asked for, and a `people` event follows.
   * @param {string} userId
   * @returns {string} the id where there is no name
   */
  nameOf(userId) {
    return this.#session.people.nameOf(userId);
  }

  /** @param {string} userId whose name is wanted, with the id beside it where someone else's looks like it */
  labelOf(userId) {
    return this.#session.people.labelOf(userId);
  }

  /**
   * Whether a user is online, or when they were, in what is shown: rooms of at most 20
   * members. `presence` events tell that it changed.
   * @param {string} userId
   * @returns {import("./presence.js").Sighting|undefined} undefined where nothing is known
   */
  presenceOf(userId) {
    return this.#session.presence.of(userId);
  }

  /** Whether the deployment tells who is online. */
  get tellsPresence() {
    return this.#session.presence.on;
  }

  /** @returns {Promise<boolean>} whether the user hides from others if they are online */
  async hidesPresence() {
    const { presence = "shown" } = (await this.#session.api.me()) ?? {};
    return presence === "hidden";
  }

  /**
   * Hides from others if the user is online, and when they were, or shows it.
   * @param {boolean} hidden
   */
  async hidePresence(hidden) {
    await this.#session.api.setMe({ presence: hidden ? "hidden" : "shown" });
  }

  /**
   * Reads the user's display name.
   * @returns {Promise<string>} empty if there is none
   */
  async displayName() {
    const { displayName = "" } = (await this.#session.api.me()) ?? {};
    this.#session.people.learn(this.userId, displayName);
    return displayName;
  }

  /**
   * Sets the user's display name.
   * @param {string} displayName empty for none
   */
  async setDisplayName(displayName) {
    await this.#session.api.setMe({ displayName });
    this.#session.people.learn(this.userId, displayName);
  }

  /**
   * The key with which a browser subscribes to pushes, as its applicationServerKey.
   * @returns {Promise<string|undefined>} base64url; undefined where the deployment sends none
   */
  async pushKey() {
    try {
      return (await this.#session.api.pushKey()).publicKey;
    } catch (err) {
      if (Failure.from(err).code === "not_found") return undefined;
      throw err;
    }
  }

  /**
   * Has the server push to a browser what notifies the user while they are offline. Do so
   * again at each start: the server forgets a subscription that a push service refuses.
   * @param {PushSubscription} subscription
   */
  async subscribe(subscription) {
    await this.#session.api.subscribe(subscription.toJSON());
  }

  /** @param {string} endpoint of a subscription that the server is to forget */
  async unsubscribe(endpoint) {
    await this.#session.api.unsubscribe(endpoint);
  }
}
