// What a user's Streamroom consists of, and how the parts work together: what one of
// them finds out, another one has to know.

import { API } from "./api.js";
import { Attachments, postForm } from "./attachments.js";
import { Blocks } from "./blocks.js";
import { CatchUp } from "./catchup.js";
import { systemClock } from "./clock.js";
import { Connection } from "./connection.js";
import { Directory } from "./directory.js";
import { Drafts } from "./drafts.js";
import { Expiry } from "./expiry.js";
import { Failure } from "./failure.js";
import { Freshness } from "./freshness.js";
import { History } from "./history.js";
import { Inbox } from "./inbox.js";
import { Marks } from "./marks.js";
import { Once } from "./once.js";
import { Outbox } from "./outbox.js";
import { People } from "./people.js";
import { Presence } from "./presence.js";
import { Reactors } from "./reactions.js";
import { Receipts } from "./receipts.js";
import { localStore, Saved } from "./saved.js";
import { listenForSigns } from "./signs.js";
import { Standings } from "./standings.js";
import { Tabs } from "./tabs.js";
import { TokenSource } from "./token.js";
import { TYPING_ROOM, Typing } from "./typing.js";
import { Unread } from "./unread.js";

/**
 * @typedef {import("./connection.js").ConnectionState} ConnectionState
 * @typedef {import("./events.js").Emitter} Emitter
 */

export class Session {
  /** Who is signed in, once the server has said so. */
  userId = "";
  /** What was begun in rooms and not sent. */
  drafts;
  /** @type {Map<string, import("./timeline.js").Timeline>} rooms that were opened */
  timelines = new Map();
  api;
  attachments;
  blocks;
  clock;
  connection;
  directory;
  history;
  inbox;
  marks;
  outbox;
  people;
  presence;
  reactors;
  receipts;
  saved;
  standings;
  typing;
  unread;

  #once = new Once();
  /** @type {(() => void)|undefined} ends listening to the window */
  #signs;
  #catchUp;
  #emit;
  #expiry;
  #freshness;
  #tabs;
  #token;
  /** Whose saved messages were taken up. */
  #restored = "";
  /** Whether the next pong is a connection's first. */
  #reconnected = false;

  /** @param {import("./streamroom.js").Options & {emit: Emitter["emit"]}} options emit tells the listeners */
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
    emit,
  }) {
    if (!WebSocket)
      throw new TypeError("there is no WebSocket: pass one, or run Node.js 20 or 21 with --experimental-websocket");
    this.#emit = emit;
    this.clock = clock;
    this.#token = new TokenSource(token, clock);
    this.api = new API({ url: apiURL, token: this.#token, fetch });
    this.connection = new Connection(
      { url: webSocketURL, token: this.#token, clock, WebSocket, pingEvery },
      {
        state: (state) => this.#connectionChanged(state),
        frame: (frame) => this.#received(frame),
      },
    );
    this.#catchUp = new CatchUp(
      { api: this.api, clock, timelines: this.timelines },
      {
        effects: (timeline, effects) => {
          this.inbox.applied(timeline, effects);
          this.#expiry.follow();
        },
        read: (timeline, messages) => this.inbox.reread(timeline, messages),
        reread: ({ chatRoomId }) => this.receipts.settled(chatRoomId),
        newest: (timeline) => this.history.newest(timeline),
        left: (room) => this.inbox.left(room),
        failure: (failure) => this.#emit("failure", failure),
      },
    );
    this.#freshness = new Freshness(clock, (rooms) => {
      if (!this.connection.online) return; // the next connection asks for all
      this.#background(this.refreshRooms());
      this.#catchUp.refresh(rooms);
    });
    this.saved = new Saved({ store: storage, clock, user: () => this.userId });
    this.drafts = new Drafts(this.saved);
    this.#tabs = new Tabs(locks);
    this.outbox = new Outbox({
      clock,
      saved: this.saved,
      tabs: this.#tabs,
      transmit: (frame) => this.connection.send(frame),
      changed: (room) => this.#emit("timeline", room),
      late: () => this.connection.check(),
    });
    this.attachments = new Attachments({
      api: this.api,
      clock,
      post,
      changed: (upload) => {
        this.outbox.uploaded(upload);
        this.#emit("upload", upload);
      },
    });
    this.blocks = new Blocks(this.api, () => this.#emit("blocks", undefined));
    this.history = new History({
      api: this.api,
      clock,
      timelines: this.timelines,
      once: this.#once,
      catchUp: this.#catchUp,
      unread: (room) => this.marks.get(room)?.unread ?? 0,
      read: (timeline, messages) => {
        this.inbox.reread(timeline, messages);
        this.inbox.applied(timeline, []);
        this.#expiry.follow();
      },
    });
    this.directory = new Directory({
      api: this.api,
      clock,
      me: () => this.userId,
      changed: () => this.#emit("rooms", undefined),
      learned: (room) => {
        this.inbox.learned(room);
        if (room.memberCount > TYPING_ROOM) return; // nothing is said of who is online
        for (const member of room.members ?? []) this.presence.learn(member.userId, member.online, member.lastSeenAt);
      },
      met: ({ userId, displayName, online, lastSeenAt }) => {
        this.people.learn(userId, displayName);
        this.presence.learn(userId, online, lastSeenAt);
      },
    });
    this.reactors = new Reactors({
      api: this.api,
      clock,
      saved: this.saved,
      answered: (room, messageId, reactions) => this.timelines.get(room)?.answered(messageId, reactions),
      changed: (room) => this.#emit("timeline", room),
      failed: (failure) => this.#emit("failure", failure),
    });
    this.receipts = new Receipts({
      clock,
      tell: (room, upTo) => this.api.markRead(room, upTo).then(() => this.unread.told(room)),
    });
    this.unread = new Unread({
      clock,
      list: this.directory.list,
      timelines: this.timelines,
      receipts: this.receipts,
      me: () => this.userId,
      ask: () => this.#background(this.refreshRooms()),
    });
    this.marks = new Marks({
      saved: this.saved,
      rooms: this.directory.list,
      timelines: this.timelines,
      receipts: this.receipts,
      me: () => this.userId,
    });
    this.people = new People({
      clock,
      ask: (users) => this.api.profiles(users),
      changed: () => this.#emit("people", undefined),
    });
    this.presence = new Presence({ clock, changed: () => this.#emit("presence", undefined) });
    this.standings = new Standings({
      clock,
      ahead: () => this.#token.ahead,
      changed: (chatRoomId, userId) => this.#emit("standing", { chatRoomId, userId }),
    });
    this.#expiry = new Expiry({
      clock,
      now: () => this.standings.now,
      timelines: this.timelines,
      expired: (timeline, messageIds) => this.inbox.expired(timeline, messageIds),
    });
    this.typing = new Typing({
      clock,
      transmit: (frame) => {
        if (this.connection.online) this.connection.send(frame);
      },
      me: () => this.userId,
      changed: (room) => this.#emit("typing", room),
    });
    this.inbox = new Inbox(
      {
        timelines: this.timelines,
        catchUp: this.#catchUp,
        directory: this.directory,
        outbox: this.outbox,
        people: this.people,
        receipts: this.receipts,
        standings: this.standings,
        unread: this.unread,
        marks: this.marks,
        me: () => this.userId,
      },
      {
        emit,
        discover: (room, message) => {
          const read = () => this.directory.discover(room).then(() => this.unread.doubt(room));
          const shown = this.#once.run(`room ${room}`, read).then(() => message && this.inbox.discovered(message));
          this.#background(shown);
        },
        refresh: () => this.#background(this.refreshRooms()),
      },
    );
  }

  /** Connects, and stays connected until stop. */
  start() {
    this.#signs ??= listenForSigns(this.clock, {
      sign: () => this.wake(),
      slept: () => this.#freshness.sleeps(),
      storage: (key) => {
        this.outbox.savedElsewhere(key);
        this.reactors.savedElsewhere(key);
        this.#marked(this.marks.savedElsewhere(key));
        const room = this.drafts.roomOf(key);
        if (room !== undefined) this.#emit("draft", room);
      },
    });
    this.#tabs.begin();
    this.#restore();
    this.connection.start();
  }

  /** Disconnects. What is held stays readable. */
  stop() {
    this.#signs?.();
    this.#signs = undefined;
    this.attachments.stop();
    this.#tabs.end();
    this.#freshness.stop();
    this.#catchUp.stop();
    this.#expiry.stop();
    this.reactors.stop();
    this.receipts.stop();
    this.unread.stop();
    this.people.stop();
    this.standings.stop();
    this.typing.stop();
    this.presence.stop();
    this.connection.stop();
    this.outbox.stop(); // at last: without a connection it waits for times
  }

  /** Connects now when it was waiting to, and finds out whether a connection still works. */
  wake() {
    this.connection.check();
  }

  /**
   * Reads a room's newest messages unless they are here.
   * @param {string} chatRoomId
   */
  async open(chatRoomId) {
    this.unread.forget(chatRoomId);
    await this.history.open(chatRoomId);
  }

  /** Reads the list of rooms. */
  refreshRooms() {
    return this.#once.run("rooms", async () => {
      const since = this.unread.begin();
      await this.directory.refresh((room, older, more) => this.unread.keeps(room, since, older, more));
      this.inbox.listed(since);
    });
  }

  /** Takes up what the user has saved, once that is known. */
  #restore() {
    if (this.userId === this.#restored) return;
    this.#restored = this.userId;
    this.outbox.restore();
    this.marks.restore();
    this.reactors.restore();
    if (this.connection.online) this.reactors.online();
  }

  /**
   * Marks a message as unread.
   * @param {import("./frames.js").Message} message
   */
  markUnread(message) {
    this.marks.set(message);
    this.#marked(message.chatRoomId);
  }

  /** @param {string|undefined} chatRoomId the room whose mark was set or removed */
  #marked(chatRoomId) {
    if (chatRoomId === undefined) return;
    if (this.marks.of(chatRoomId)) this.#emit("marked", chatRoomId);
    this.#emit("rooms", undefined);
  }

  /** @param {ConnectionState} state */
  #connectionChanged(state) {
    if (state.name === "online") {
      this.#reconnected = true;
      this.presence.reconnected(); // before anyone is learned again
      this.outbox.online();
      this.attachments.online();
      this.reactors.online();
      this.receipts.online();
    } else {
      this.outbox.offline();
      this.attachments.offline();
    }
    this.#emit("state", state);
  }

  /** @param {import("./frames.js").Frame} frame */
  #received(frame) {
    if (this.typing.took(frame) || this.presence.took(frame)) return;
    if (frame.type !== "pong") {
      this.#freshness.came(frame);
      return this.inbox.received(frame);
    }
    this.userId = frame.userId ?? this.userId;
    this.typing.switched(frame.off);
    this.presence.switched(frame.off);
    this.#restore();
    this.#reconnected ||= this.#freshness.isStale();
    const news = this.#freshness.isNews(frame.changedAt ?? 0, this.directory.list.list()[0]?.lastMessageAt ?? 0);
    if (news || this.#reconnected) this.#catchUpNow();
    else this.#freshness.wakes();
  }

  /** The connection answers: bring everything up to date. */
  #catchUpNow() {
    if (this.#reconnected) {
      this.#freshness.renewed();
      this.inbox.reconnected();
    }
    this.#background(this.refreshRooms());
    for (const timeline of this.timelines.values()) {
      if (!timeline.loaded) this.#background(this.open(timeline.chatRoomId));
    }
    if (this.#reconnected) this.#catchUp.reconnected();
    else this.#catchUp.refresh();
    this.#reconnected = false;
  }

  /** @param {Promise<void>} work in the background */
  #background(work) {
    work.catch((err) => this.#emit("failure", Failure.from(err)));
  }
}
