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

import { API } from "./api.js";
import { Attachments, MAX_ATTACHMENTS, postForm } from "./attachments.js";
import { CatchUp } from "./catchup.js";
import { systemClock } from "./clock.js";
import { Connection } from "./connection.js";
import { Directory } from "./directory.js";
import { Drafts } from "./drafts.js";
import { Emitter } from "./events.js";
import { Failure } from "./failure.js";
import { byteLength, checkContent, MAX_CONTENT, quoteOf } from "./frames.js";
import { Freshness } from "./freshness.js";
import { History } from "./history.js";
import { Inbox } from "./inbox.js";
import { Once } from "./once.js";
import { Outbox } from "./outbox.js";
import { People } from "./people.js";
import { Receipts } from "./receipts.js";
import { MOST_UNREAD } from "./rooms.js";
import { localStore, Saved } from "./saved.js";
import { listenForSigns } from "./signs.js";
import { Tabs } from "./tabs.js";
import { TokenSource } from "./token.js";
import { timeOf } from "./ulid.js";
import { Unread } from "./unread.js";

export * from "./text.js";
export { byteLength, Failure, MAX_ATTACHMENTS, MAX_CONTENT, MOST_UNREAD };

/**
 * @typedef {import("./api.js").Member} Member
 * @typedef {import("./attachments.js").Attachment} Attachment
 * @typedef {import("./attachments.js").Pixels} Pixels
 * @typedef {import("./attachments.js").Upload} Upload
 * @typedef {import("./api.js").NearbyRoom} NearbyRoom
 * @typedef {import("./api.js").Place} Place
 * @typedef {import("./api.js").Room} Room
 * @typedef {import("./api.js").RoomSummary} RoomSummary
 * @typedef {import("./connection.js").ConnectionState} ConnectionState
 * @typedef {import("./frames.js").Message} Message
 * @typedef {import("./outbox.js").Outgoing} Outgoing
 */

export class Streamroom extends Emitter {
  /** Who is signed in, once the server has said so. */
  userId = "";
  /** What was begun in rooms and not sent, which survives a reload: see get() and set(). */
  drafts;

  /** @type {Map<string, import("./timeline.js").Timeline>} rooms that were opened */
  #timelines = new Map();
  #once = new Once();
  /** @type {(() => void)|undefined} ends listening to the window */
  #signs;
  #clock;
  #token;
  #api;
  #attachments;
  #catchUp;
  #connection;
  #directory;
  #freshness;
  #history;
  #inbox;
  #outbox;
  #people;
  #receipts;
  #saved;
  #tabs;
  #unread;
  /** Whose saved messages were taken up. */
  #restored = "";
  /** Whether the next pong is a connection's first. */
  #reconnected = false;

  /**
   * @param {object} options
   * @param {string} options.webSocketURL ends in the stage
   * @param {string} options.apiURL the HTTP API's root
   * @param {() => Promise<string>} options.token gets a new token; rejects with a Failure `unauthorized` when the user must sign in again; what else it throws, such as what fetch throws, counts as the network's, and it is asked again
   * @param {import("./clock.js").Clock} [options.clock]
   * @param {import("./connection.js").WebSocketClass} [options.WebSocket]
   * @param {import("./api.js").Fetch} [options.fetch]
   * @param {import("./saved.js").Store|null} [options.storage] keeps drafts and messages that are not sent; localStorage, null for none
   * @param {import("./tabs.js").Locks|null} [options.locks] by which tabs know of each other; navigator.locks
   * @param {import("./attachments.js").Post} [options.post] uploads a file
   * @param {number} [options.pingEvery] ms without a frame before a ping, on average, 8.75 minutes at most and by default; docs/operations.md has their price
   */
  constructor({
    webSocketURL,
    apiURL,
    token,
    clock = systemClock,
    WebSocket = globalThis.WebSocket,
    fetch = globalThis.fetch.bind(globalThis),
    storage = localStore(),
    locks = globalThis.navigator?.locks,
    pingEvery,
    post = postForm,
  }) {
    super();
    this.#clock = clock;
    this.#token = new TokenSource(token, clock);
    this.#api = new API({ url: apiURL, token: this.#token, fetch });
    this.#connection = new Connection(
      { url: webSocketURL, token: this.#token, clock, WebSocket, pingEvery },
      {
        state: (state) => this.#connectionChanged(state),
        frame: (frame) => this.#received(frame),
      },
    );
    this.#catchUp = new CatchUp(
      { api: this.#api, clock, timelines: this.#timelines },
      {
        effects: (timeline, effects) => this.#inbox.applied(timeline, effects),
        read: (timeline, messages) => this.#inbox.reread(timeline, messages),
        reread: ({ chatRoomId }) => this.#receipts.settled(chatRoomId),
        newest: (timeline) => this.#history.newest(timeline),
        left: (room) => this.#inbox.left(room),
        failure: (failure) => this.emit("failure", failure),
      },
    );
    this.#freshness = new Freshness(clock, (rooms) => {
      if (!this.#connection.online) return; // the next connection asks for all
      this.#background(this.refreshRooms());
      this.#catchUp.refresh(rooms);
    });
    this.#saved = new Saved({ store: storage, clock, user: () => this.userId });
    this.drafts = new Drafts(this.#saved);
    this.#tabs = new Tabs(locks);
    this.#outbox = new Outbox({
      clock,
      saved: this.#saved,
      tabs: this.#tabs,
      transmit: (frame) => this.#connection.send(frame),
      changed: (room) => this.emit("timeline", room),
      late: () => this.#connection.check(),
    });
    this.#attachments = new Attachments({
      api: this.#api,
      clock,
      post,
      changed: (upload) => {
        this.#outbox.uploaded(upload);
        this.emit("upload", upload);
      },
    });
    this.#history = new History({
      api: this.#api,
      clock,
      timelines: this.#timelines,
      once: this.#once,
      catchUp: this.#catchUp,
      unread: (room) => this.rooms.get(room)?.unread ?? 0,
      read: (timeline, messages) => {
        this.#inbox.reread(timeline, messages);
        this.#inbox.applied(timeline, []);
      },
    });
    this.#directory = new Directory({
      api: this.#api,
      clock,
      me: () => this.userId,
      changed: () => this.emit("rooms", undefined),
      learned: (room) => this.#inbox.learned(room),
      met: ({ userId, displayName }) => this.#people.learn(userId, displayName),
    });
    this.#receipts = new Receipts({
      clock,
      tell: (room, upTo) => this.#api.markRead(room, upTo).then(() => this.#unread.told(room)),
    });
    this.#unread = new Unread({
      clock,
      list: this.#directory.list,
      timelines: this.#timelines,
      receipts: this.#receipts,
      me: () => this.userId,
      ask: () => this.#background(this.refreshRooms()),
    });
    this.#people = new People({
      clock,
      ask: (users) => this.#api.profiles(users),
      changed: () => this.emit("people", undefined),
    });
    this.#inbox = new Inbox(
      {
        timelines: this.#timelines,
        catchUp: this.#catchUp,
        directory: this.#directory,
        outbox: this.#outbox,
        people: this.#people,
        receipts: this.#receipts,
        unread: this.#unread,
        me: () => this.userId,
      },
      {
        emit: (event, detail) => this.emit(event, detail),
        discover: (room, message) => {
          const read = () => this.#directory.discover(room).then(() => this.#unread.doubt(room));
          const shown = this.#once.run(`room ${room}`, read).then(() => message && this.#inbox.discovered(message));
          this.#background(shown);
        },
        refresh: () => this.#background(this.refreshRooms()),
      },
    );
  }

  /** The user's rooms, newest message first: see list() and get(). */
  get rooms() {
    return this.#directory.list;
  }

  /** @returns {ConnectionState} */
  get state() {
    return this.#connection.state;
  }

  /** Connects, and stays connected until stop. */
  start() {
    this.#signs ??= listenForSigns(this.#clock, {
      sign: () => this.wake(),
      storage: (key) => {
        this.#outbox.savedElsewhere(key);
        const room = this.drafts.roomOf(key);
        if (room !== undefined) this.emit("draft", room);
      },
    });
    this.#tabs.begin();
    this.#restore();
    this.#connection.start();
  }

  /** Disconnects. What is held stays readable. */
  stop() {
    this.#signs?.();
    this.#signs = undefined;
    this.#attachments.stop();
    this.#tabs.end();
    this.#freshness.stop();
    this.#catchUp.stop();
    this.#receipts.stop();
    this.#unread.stop();
    this.#people.stop();
    this.#connection.stop();
  }

  /**
   * Connects now when it was waiting to; checks a connection by a ping, and replaces it
   * if no frame comes within 5 s. What the window and the clock tell does this by itself.
   */
  wake() {
    this.#connection.check();
  }

  /**
   * What is held of a room: messages oldest first, and what is on its way out.
   * @param {string} chatRoomId
   * @returns {{loaded: boolean, hasOlder: boolean, messages: readonly Message[], outgoing: Outgoing[]}}
   */
  timeline(chatRoomId) {
    const held = this.#timelines.get(chatRoomId);
    return {
      loaded: held?.loaded ?? false,
      hasOlder: held?.before !== undefined,
      messages: held?.messages ?? [],
      outgoing: this.#outbox.list(chatRoomId),
    };
  }

  /**
   * Opens a room: reads its newest messages unless they are here, and keeps the
   * room complete from then on.
   * @param {string} chatRoomId
   */
  async open(chatRoomId) {
    this.#unread.forget(chatRoomId);
    await this.#history.open(chatRoomId);
  }

  /**
   * Reads the page before the oldest message held.
   * @param {string} chatRoomId
   */
  async loadOlder(chatRoomId) {
    await this.#history.older(chatRoomId);
  }

  /**
   * Sends a message, now or when there is a connection; `timeline` events tell how
   * it goes. Throws a Failure for what the server would never take.
   * @param {string} chatRoomId
   * @param {string} content may be empty with attachments
   * @param {Upload[]} [attachments] what attach() gave: the message is sent when they are uploaded
   * @param {Message} [answered] the message of the room that it answers
   * @returns {Outgoing}
   */
  send(chatRoomId, content, attachments = [], answered = undefined) {
    checkContent(chatRoomId, content, attachments.length === 0);
    return this.#outbox.add(chatRoomId, content, attachments, answered && quoteOf(answered));
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
    return this.#attachments.add(chatRoomId, file, pixels);
  }

  /** @param {Upload} upload that is given up */
  detach({ uploadId }) {
    this.#attachments.cancel(uploadId);
  }

  /** @param {Upload} upload that failed, to be tried again */
  attachAgain({ uploadId }) {
    this.#attachments.retry(uploadId);
  }

  /**
   * Asks for a link to a file of a message, for members of the room.
   * @param {string} chatRoomId
   * @param {string} attachmentId
   * @returns {Promise<{url: string, expiresAt: number}>} which anyone may read, for some minutes
   */
  linkTo(chatRoomId, attachmentId) {
    return this.#api.linkTo(chatRoomId, attachmentId);
  }

  /**
   * Tries a failed message again.
   * @param {string} clientMessageId
   */
  retry(clientMessageId) {
    const outgoing = this.#outbox.failed.find((o) => o.clientMessageId === clientMessageId);
    this.#outbox.retry(clientMessageId);
    for (const upload of outgoing?.attachments ?? []) this.attachAgain(upload);
  }

  /** @param {string} clientMessageId of an outgoing message that is given up */
  discard(clientMessageId) {
    for (const upload of this.#outbox.remove(clientMessageId)?.attachments ?? []) this.detach(upload);
  }

  /** How many messages are not sent yet, failed ones left out. They survive a reload. */
  get unsent() {
    return this.#outbox.unsent;
  }

  /** As unsent, with those that other tabs of this browser have of the user. */
  get unsentAnywhere() {
    return this.#outbox.unsentAnywhere;
  }

  /** Messages that failed, of all rooms, also of those that the user is not in any more. */
  get failed() {
    return this.#outbox.failed;
  }

  /** Forgets the user's drafts and messages that are not sent, those of other tabs, too: they sign out here. */
  forget() {
    this.#saved.clear();
  }

  /**
   * Edits a message of one's own.
   * @param {string} chatRoomId
   * @param {string} messageId
   * @param {string} content may be empty where the message has files
   */
  async edit(chatRoomId, messageId, content) {
    const files = this.#timelines.get(chatRoomId)?.get(messageId)?.attachments ?? [];
    checkContent(chatRoomId, content, files.length === 0);
    const edited = await this.#api.editMessage(chatRoomId, messageId, content);
    const held = this.#timelines.get(chatRoomId)?.get(messageId);
    if (held) this.#inbox.revised({ ...held, ...edited, content, editedAt: edited?.editedAt ?? this.#clock.now() });
  }

  /**
   * Deletes a message of the user's own; the others see that there was one.
   * @param {string} chatRoomId
   * @param {string} messageId
   */
  async delete(chatRoomId, messageId) {
    await this.#api.deleteMessage(chatRoomId, messageId);
    const held = this.#timelines.get(chatRoomId)?.get(messageId);
    const message = held ?? { chatRoomId, messageId, senderId: this.userId, timestamp: timeOf(messageId) };
    this.#inbox.revised({ ...message, content: undefined, deletedAt: this.#clock.now() });
  }

  /**
   * The user has read a room up to a message: its unread mark goes, here and on the
   * user's other devices, and in small rooms the others see it.
   * @param {string} chatRoomId
   * @param {string} upTo a message's id
   */
  markRead(chatRoomId, upTo) {
    this.#inbox.read(chatRoomId, upTo, true);
  }

  /**
   * @param {string} chatRoomId
   * @returns {string} the id up to which the user has read; empty if it isn't known
   */
  readUpTo(chatRoomId) {
    return this.#receipts.own(chatRoomId);
  }

  /**
   * Who has read a message, as far as is known; its sender left out.
   * @param {Message} message
   * @returns {string[]} user ids
   */
  readersOf(message) {
    return this.#receipts.readers(message);
  }

  /** Reads the list of rooms. */
  refreshRooms() {
    return this.#once.run("rooms", async () => {
      const since = this.#unread.begin();
      await this.#directory.refresh((room, older, more) => this.#unread.keeps(room, since, older, more));
      this.#inbox.listed(since);
    });
  }

  /**
   * Creates a group.
   * @param {string} name
   * @param {string[]} members user ids, without the user's own
   * @param {boolean} [onlySignedIn] reject with a Failure `never_signed_in` if its `users`, who may be misspelt, have never signed in
   * @returns {Promise<string>} the room's id
   */
  createRoom(name, members, onlySignedIn) {
    return this.#directory.createGroup(name, members, onlySignedIn);
  }

  /**
   * Opens the direct messages with someone: there is one room per pair.
   * @param {string} userId
   * @param {boolean} [onlySignedIn] as in createRoom
   * @returns {Promise<string>} the room's id
   */
  createDirect(userId, onlySignedIn) {
    return this.#directory.createDirect(userId, onlySignedIn);
  }

  /**
   * The other user of a direct message room.
   * @param {string} chatRoomId
   * @returns {string} a user id, empty until it is known: a `rooms` event tells
   */
  otherIn(chatRoomId) {
    return this.#directory.otherIn(chatRoomId);
  }

  /**
   * Reads a room.
   * @param {string} chatRoomId
   * @param {string} [cursor] of its members
   */
  room(chatRoomId, cursor) {
    return this.#directory.read(chatRoomId, cursor);
  }

  /**
   * Renames a group; owners may.
   * @param {string} chatRoomId
   * @param {string} name
   */
  async renameRoom(chatRoomId, name) {
    await this.#api.renameRoom(chatRoomId, name);
    this.#inbox.received({ type: "roomChanged", chatRoomId, name });
  }

  /**
   * Reads one page of the public rooms around a point.
   * @param {Parameters<API["nearby"]>[0]} search with the cursor of the page before, maybe
   * @returns {ReturnType<API["nearby"]>} nearest first; without a cursor it was the last page
   */
  nearby(search) {
    return this.#api.nearby(search);
  }

  /**
   * Joins a public room; it is listed from then on.
   * @param {string} chatRoomId
   */
  async join(chatRoomId) {
    await this.#directory.join(chatRoomId);
  }

  /**
   * Makes a group public, so that anyone may join it, or private, which removes its
   * place; owners may.
   * @param {string} chatRoomId
   * @param {"public"|"private"} visibility
   */
  async share(chatRoomId, visibility) {
    await this.#api.shareRoom(chatRoomId, visibility);
    this.emit("room", chatRoomId);
  }

  /**
   * Gives a public room a place; owners may.
   * @param {string} chatRoomId
   * @param {Place} place
   * @returns {Promise<Place>} as it is stored
   */
  async place(chatRoomId, place) {
    const stored = await this.#api.placeRoom(chatRoomId, place);
    this.emit("room", chatRoomId);
    return stored;
  }

  /**
   * Removes a room's place; owners may.
   * @param {string} chatRoomId
   */
  async unplace(chatRoomId) {
    await this.#api.unplaceRoom(chatRoomId);
    this.emit("room", chatRoomId);
  }

  /**
   * Adds someone to a group; owners may.
   * @param {string} chatRoomId
   * @param {string} userId
   * @param {boolean} [onlySignedIn] as in createRoom
   */
  async addMember(chatRoomId, userId, onlySignedIn) {
    await this.#api.addMember(chatRoomId, userId, onlySignedIn);
  }

  /**
   * Removes a member; with the user's own id, leaves.
   * @param {string} chatRoomId
   * @param {string} userId
   */
  async removeMember(chatRoomId, userId) {
    await this.#api.removeMember(chatRoomId, userId);
    if (userId === this.userId) this.#inbox.left(chatRoomId);
  }

  /**
   * Takes a direct message out of the user's list until its next message, or until
   * createDirect.
   * @param {string} chatRoomId
   */
  async hideDirect(chatRoomId) {
    await this.#api.removeMember(chatRoomId, this.userId);
    this.#inbox.hidden(chatRoomId);
  }

  /**
   * A user's display name. If it isn't known it is asked for, and a `people` event follows.
   * @param {string} userId
   * @returns {string} the id where there is no name
   */
  nameOf(userId) {
    return this.#people.nameOf(userId);
  }

  /** @param {string} userId whose name is wanted, with the id beside it where someone else's looks like it */
  labelOf(userId) {
    return this.#people.labelOf(userId);
  }

  /**
   * Reads the user's display name.
   * @returns {Promise<string>} empty if there is none
   */
  async displayName() {
    const { displayName = "" } = (await this.#api.me()) ?? {};
    this.#people.learn(this.userId, displayName);
    return displayName;
  }

  /**
   * Sets the user's display name.
   * @param {string} displayName empty for none
   */
  async setDisplayName(displayName) {
    await this.#api.setMe({ displayName });
    this.#people.learn(this.userId, displayName);
  }

  /** Takes up what the user has saved, once that is known. */
  #restore() {
    if (this.userId === this.#restored) return;
    this.#restored = this.userId;
    this.#outbox.restore();
  }

  /** @param {ConnectionState} state */
  #connectionChanged(state) {
    if (state.name === "online") {
      this.#reconnected = true;
      this.#outbox.online();
      this.#attachments.online();
      this.#receipts.online();
    } else {
      this.#outbox.offline();
      this.#attachments.offline();
    }
    this.emit("state", state);
  }

  /** @param {import("./frames.js").Frame} frame */
  #received(frame) {
    if (frame.type !== "pong") {
      this.#freshness.came(frame);
      return this.#inbox.received(frame);
    }
    this.userId = frame.userId ?? this.userId;
    this.#restore();
    const news = this.#freshness.isNews(frame.changedAt ?? 0, this.rooms.list()[0]?.lastMessageAt ?? 0);
    if (news || this.#reconnected) this.#catchUpNow();
  }

  /** The connection answers: bring everything up to date. */
  #catchUpNow() {
    if (this.#reconnected) this.#inbox.reconnected();
    this.#background(this.refreshRooms());
    for (const timeline of this.#timelines.values()) {
      if (!timeline.loaded) this.#background(this.open(timeline.chatRoomId));
    }
    if (this.#reconnected) this.#catchUp.reconnected();
    else this.#catchUp.refresh();
    this.#reconnected = false;
  }

  /** @param {Promise<void>} work in the background */
  #background(work) {
    work.catch((err) => this.emit("failure", Failure.from(err)));
  }
}
