// Streamroom in a browser: connect, send, receive, catch up. The page uses it, and
// so can any other.
//
//   const chat = new Streamroom({ webSocketURL, apiURL, token: async () => "…" });
//   chat.on("message", (m) => console.log(m.senderId, m.content));
//   chat.start();
//   await chat.open("general");
//   chat.send("general", "Hello");
//
// What it promises: a message that send() took is stored once, or reported as
// failed; a room that is open has its messages in order, each once, and holes in
// it are found and filled. Deliveries are only hints, history is the truth.

import { API } from "./api.js";
import { CatchUp } from "./catchup.js";
import { systemClock } from "./clock.js";
import { Connection } from "./connection.js";
import { Failure } from "./failure.js";
import { MAX_CONTENT, MAX_FRAME, byteLength } from "./frames.js";
import { Outbox } from "./outbox.js";
import { RoomList } from "./rooms.js";
import { Timeline } from "./timeline.js";
import { TokenSource } from "./token.js";

export { Failure, MAX_CONTENT, byteLength };

/**
 * @typedef {import("./api.js").Member} Member
 * @typedef {import("./api.js").Room} Room
 * @typedef {import("./api.js").RoomSummary} RoomSummary
 * @typedef {import("./clock.js").Clock} Clock
 * @typedef {import("./connection.js").ConnectionState} ConnectionState
 * @typedef {import("./frames.js").Frame} Frame
 * @typedef {import("./frames.js").Message} Message
 * @typedef {import("./outbox.js").Outgoing} Outgoing
 */

/**
 * What can be listened to, and with what a listener is called.
 * @typedef {object} Events
 * @property {ConnectionState} state the connection's state changed
 * @property {Message} message a message arrived that was not known, in any room, one's own included
 * @property {string} timeline a room's messages or outgoing messages changed; its id
 * @property {undefined} rooms the list of rooms changed
 * @property {{chatRoomId: string, userId: string, joined: boolean}} member somebody joined or left
 * @property {{chatRoomId: string, userId: string, upTo: string}} read somebody read
 * @property {Failure} failure something failed that nobody waits for
 */

/** Messages per page of history. */
const PAGE = 50;
/** Rooms per page of the list, and pages at most. */
const ROOM_PAGE = 100;
const ROOM_PAGES = 10;
/** How many ids of messages in unopened rooms are remembered, to know one that comes twice. */
const REMEMBERED = 1_000;

export class Streamroom {
  /** Who is signed in, once the server has said so. */
  userId = "";
  rooms = new RoomList();

  /** @type {Map<string, Set<(detail: any) => void>>} */
  #listeners = new Map();
  /** @type {Map<string, Timeline>} rooms that were opened */
  #timelines = new Map();
  /** @type {Map<string, Promise<void>>} what is being read, so that it is read once at a time */
  #reading = new Map();
  /** @type {Set<string>} ids of messages in unopened rooms */
  #remembered = new Set();
  /** @type {AbortController|undefined} ends listening to the window */
  #window;
  #clock;
  #token;
  #api;
  #catchUp;
  #connection;
  #outbox;

  /**
   * @param {object} options
   * @param {string} options.webSocketURL ends in the stage
   * @param {string} options.apiURL the HTTP API's root
   * @param {() => Promise<string>} options.token gets a new token; rejects with a Failure `unauthorized` when the user must sign in again
   * @param {Clock} [options.clock]
   * @param {typeof WebSocket} [options.WebSocket]
   * @param {typeof fetch} [options.fetch]
   */
  constructor({ webSocketURL, apiURL, token, clock = systemClock, WebSocket = globalThis.WebSocket, fetch = globalThis.fetch.bind(globalThis) }) {
    this.#clock = clock;
    this.#token = new TokenSource(token, clock);
    this.#api = new API({ url: apiURL, token: this.#token, fetch });
    this.#connection = new Connection({ url: webSocketURL, token: this.#token, clock, WebSocket }, {
      state: (state) => this.#connectionChanged(state),
      frame: (frame) => this.#received(frame),
    });
    this.#catchUp = new CatchUp({ api: this.#api, clock, timelines: this.#timelines }, {
      synced: (timeline, fresh) => this.#synced(timeline.chatRoomId, fresh),
      behind: (timeline) => this.#readNewest(timeline),
      left: (room) => this.#left(room),
      failure: (failure) => this.#emit("failure", failure),
    });
    this.#outbox = new Outbox({
      clock,
      transmit: (frame) => this.#connection.send(frame),
      changed: (room) => this.#emit("timeline", room),
      late: () => this.#connection.ping(),
    });
  }

  /** @returns {ConnectionState} */
  get state() {
    return this.#connection.state;
  }

  /**
   * Listens; a listener that throws doesn't keep others from hearing.
   * @template {keyof Events} K
   * @param {K} event
   * @param {(detail: Events[K]) => void} listener
   * @returns {() => void} stops listening
   */
  on(event, listener) {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** Connects, and stays connected until stop. */
  start() {
    if (typeof window !== "undefined" && !this.#window) {
      this.#window = new AbortController();
      const { signal } = this.#window;
      window.addEventListener("online", () => this.wake(), { signal });
      document.addEventListener("visibilitychange", () => {
        if (document.visibilityState === "visible") this.wake();
      }, { signal });
    }
    this.#connection.start();
  }

  /** Disconnects. What is held stays readable. */
  stop() {
    this.#window?.abort();
    this.#window = undefined;
    this.#catchUp.stop();
    this.#connection.stop();
  }

  /** Connects now when it was waiting to; checks a connection that has been silent. */
  wake() {
    this.#connection.wake();
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
    const timeline = this.#timelines.get(chatRoomId) ?? new Timeline(chatRoomId);
    this.#timelines.set(chatRoomId, timeline);
    if (!timeline.loaded) await this.#once(`newest ${chatRoomId}`, () => this.#readNewest(timeline));
  }

  /**
   * Reads the page before the oldest message held.
   * @param {string} chatRoomId
   */
  async loadOlder(chatRoomId) {
    const timeline = this.#timelines.get(chatRoomId);
    if (timeline?.before === undefined) return;
    await this.#once(`older ${chatRoomId}`, async () => {
      const { before } = timeline;
      const page = await this.#api.messages(chatRoomId, { limit: PAGE, before });
      if (timeline.before !== before) return; // read anew meanwhile
      timeline.readOlder(page.messages, page.cursor);
      this.#emit("timeline", chatRoomId);
    });
  }

  /**
   * Sends a message, now or when there is a connection; `timeline` events tell how
   * it goes. Throws a Failure `too_large` for what the server would never take.
   * @param {string} chatRoomId
   * @param {string} content
   * @returns {Outgoing}
   */
  send(chatRoomId, content) {
    // The frame holds 200 bytes and the room's id beside the content.
    const encoded = byteLength(JSON.stringify(content)) + chatRoomId.length + 200;
    if (byteLength(content) > MAX_CONTENT || encoded > MAX_FRAME) {
      throw new Failure("too_large", "The message is too long.");
    }
    return this.#outbox.add(chatRoomId, content);
  }

  /**
   * Tries a failed message again.
   * @param {string} clientMessageId
   */
  retry(clientMessageId) {
    this.#outbox.retry(clientMessageId);
  }

  /**
   * Gives an outgoing message up.
   * @param {string} clientMessageId
   */
  discard(clientMessageId) {
    this.#outbox.remove(clientMessageId);
  }

  /** Reads the list of rooms. */
  async refreshRooms() {
    await this.#once("rooms", async () => {
      /** @type {RoomSummary[]} */
      const rooms = [];
      /** @type {string|undefined} */
      let cursor;
      for (let i = 0; i < ROOM_PAGES; i++) {
        const page = await this.#api.rooms({ limit: ROOM_PAGE, cursor });
        rooms.push(...page.rooms);
        cursor = page.cursor;
        if (!cursor) break;
      }
      this.rooms.replace(rooms, this.#clock.now());
      this.#emit("rooms", undefined);
    });
  }

  /**
   * Creates a group.
   * @param {string} name
   * @param {string[]} members user ids, without one's own
   * @returns {Promise<string>} the room's id
   */
  async createRoom(name, members) {
    const room = await this.#api.createRoom({ name, type: "group", members });
    this.#addRoom(room);
    return room.chatRoomId;
  }

  /**
   * @param {string} chatRoomId
   * @param {string} [cursor] of its members
   */
  room(chatRoomId, cursor) {
    return this.#api.room(chatRoomId, { cursor });
  }

  /**
   * @param {string} chatRoomId
   * @param {string} userId
   */
  async addMember(chatRoomId, userId) {
    await this.#api.addMember(chatRoomId, userId);
  }

  /**
   * Removes a member, or leaves with one's own user id.
   * @param {string} chatRoomId
   * @param {string} userId
   */
  async removeMember(chatRoomId, userId) {
    await this.#api.removeMember(chatRoomId, userId);
  }

  /** @param {ConnectionState} state */
  #connectionChanged(state) {
    if (state.name === "online") this.#outbox.online();
    else this.#outbox.offline();
    this.#emit("state", state);
  }

  /** @param {Frame} frame */
  #received(frame) {
    switch (frame.type) {
      case "pong":
        this.userId = frame.userId ?? this.userId;
        this.#catchUpNow();
        break;
      case "ack":
        this.#acknowledged(frame);
        break;
      case "message":
        this.#arrived(/** @type {Message} */ (/** @type {unknown} */ (frame)));
        break;
      case "messageEdited":
      case "messageDeleted":
        this.#revised(frame);
        break;
      case "gap":
        this.#gap(frame.chatRoomId ?? "");
        break;
      case "memberJoined":
      case "memberLeft":
        this.#membership(frame.chatRoomId ?? "", frame.userId ?? "", frame.type === "memberJoined");
        break;
      case "roomChanged":
        this.rooms.rename(frame.chatRoomId ?? "", frame.name ?? "");
        this.#emit("rooms", undefined);
        break;
      case "read":
        this.#emit("read", { chatRoomId: frame.chatRoomId ?? "", userId: frame.userId ?? "", upTo: frame.upTo ?? "" });
        break;
      case "error":
        this.#refused(new Failure(frame.code ?? "internal", frame.message ?? ""), frame.clientMessageId);
        break;
      case "gateway":
        this.#outbox.gatewayFailed();
        break;
      default: // a later server's
    }
  }

  /** @param {Frame} ack */
  #acknowledged({ chatRoomId = "", messageId = "", timestamp = 0, clientMessageId = "" }) {
    const outgoing = this.#outbox.remove(clientMessageId);
    if (outgoing) {
      this.#take({ chatRoomId, messageId, timestamp, clientMessageId, senderId: this.userId, content: outgoing.content });
    }
  }

  /** @param {Message} message */
  #arrived({ chatRoomId, messageId, senderId, content, timestamp, previousMessageId, clientMessageId }) {
    this.#take({ chatRoomId, messageId, senderId, content, timestamp, previousMessageId, clientMessageId });
    // The broadcast may come before the ack, or instead of one that was lost.
    if (clientMessageId && senderId === this.userId) this.#outbox.remove(clientMessageId);
    if (this.rooms.loaded && !this.rooms.get(chatRoomId)) this.#discover(chatRoomId);
  }

  /** @param {Message} message */
  #take(message) {
    const timeline = this.#timelines.get(message.chatRoomId);
    const outcome = timeline ? timeline.add(message) : this.#remember(message.messageId);
    if (outcome === "known") return;
    if (timeline) {
      this.#emit("timeline", message.chatRoomId);
      this.#catchUp.look(timeline);
    }
    if (outcome === "new") this.#saw(message);
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
  #saw(message) {
    this.rooms.saw(message);
    this.#emit("rooms", undefined);
    this.#emit("message", message);
  }

  /** @param {Frame} frame */
  #revised(frame) {
    const { chatRoomId = "", messageId = "", content, editedAt } = frame;
    const held = this.#timelines.get(chatRoomId)?.get(messageId);
    if (!held) return;
    const deletedAt = frame.type === "messageDeleted" ? (frame.deletedAt ?? this.#clock.now()) : undefined;
    this.#timelines.get(chatRoomId)?.add({ ...held, content, editedAt, deletedAt });
    this.#emit("timeline", chatRoomId);
  }

  /** @param {string} chatRoomId */
  #gap(chatRoomId) {
    const timeline = this.#timelines.get(chatRoomId);
    if (timeline) this.#catchUp.look(timeline, true);
    else this.#background(this.refreshRooms());
  }

  /**
   * @param {string} chatRoomId
   * @param {string} userId
   * @param {boolean} joined
   */
  #membership(chatRoomId, userId, joined) {
    const own = userId === this.userId;
    if (own && !joined) {
      this.#left(chatRoomId);
      return;
    }
    if (own && !this.rooms.get(chatRoomId)) this.#discover(chatRoomId);
    this.#emit("member", { chatRoomId, userId, joined });
  }

  /** @param {string} chatRoomId */
  #left(chatRoomId) {
    this.#timelines.delete(chatRoomId);
    this.rooms.remove(chatRoomId);
    this.#emit("rooms", undefined);
    this.#emit("member", { chatRoomId, userId: this.userId, joined: false });
  }

  /**
   * @param {Failure} failure
   * @param {string|undefined} clientMessageId
   */
  #refused(failure, clientMessageId) {
    switch (failure.code) {
      case "token_expired":
      case "unauthorized":
        this.#token.drop();
        this.#connection.reconnect();
        break;
      case "reconnect":
        this.#connection.reconnect();
        break;
      default:
        if (clientMessageId) this.#outbox.refused(clientMessageId, failure);
        else this.#emit("failure", failure);
    }
  }

  /**
   * A room that the list lacks: it was created, or one was added to it.
   * @param {string} chatRoomId
   */
  #discover(chatRoomId) {
    this.#background(this.#once(`room ${chatRoomId}`, async () => {
      this.#addRoom(await this.#api.room(chatRoomId));
    }));
  }

  /** @param {Room} room */
  #addRoom({ chatRoomId, name, type }) {
    const now = this.#clock.now();
    this.rooms.add({ chatRoomId, name, type, lastMessageAt: now }, now);
    this.#emit("rooms", undefined);
  }

  /** @param {Timeline} timeline */
  async #readNewest(timeline) {
    const { chatRoomId } = timeline;
    const page = await this.#api.messages(chatRoomId, { limit: PAGE });
    timeline.readNewest(page.messages, page.cursor);
    if (page.messages.length > 0) this.rooms.saw(page.messages[0]);
    this.#emit("rooms", undefined);
    this.#emit("timeline", chatRoomId);
    this.#catchUp.look(timeline);
  }

  /** The connection answers: bring everything up to date. */
  #catchUpNow() {
    this.#background(this.refreshRooms());
    for (const timeline of this.#timelines.values()) {
      if (!timeline.loaded) this.#background(this.open(timeline.chatRoomId));
    }
    this.#catchUp.everything();
  }

  /**
   * @param {string} chatRoomId
   * @param {Message[]} fresh
   */
  #synced(chatRoomId, fresh) {
    this.#emit("timeline", chatRoomId);
    for (const message of fresh) this.#saw(message);
  }

  /**
   * Joins in when the same is being done.
   * @param {string} what
   * @param {() => Promise<void>} read
   * @returns {Promise<void>}
   */
  #once(what, read) {
    let running = this.#reading.get(what);
    if (!running) {
      running = read().finally(() => this.#reading.delete(what));
      this.#reading.set(what, running);
    }
    return running;
  }

  /** @param {Promise<void>} work that nobody waits for */
  #background(work) {
    work.catch((err) => this.#emit("failure", Failure.from(err)));
  }

  /**
   * @template {keyof Events} K
   * @param {K} event
   * @param {Events[K]} detail
   */
  #emit(event, detail) {
    for (const listener of this.#listeners.get(event) ?? []) {
      try {
        listener(detail);
      } catch (err) {
        console.error(err);
      }
    }
  }
}
