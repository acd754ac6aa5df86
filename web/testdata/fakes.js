// Stand-ins for what a client meets: time, the network, the API.

import { Streamroom } from "../lib/streamroom.js";
import { firstIdAt } from "../lib/ulid.js";

/** When the fake clock starts (ms since 1970). */
export const START = 1_700_000_000_000;

/** An id `seconds` after the start. */
export const idAt = (seconds) => firstIdAt(START + seconds * 1000);

/** Lets everything that is ready run. */
export const settle = () =>
  new Promise((resolve) => {
    // Not setTimeout, which browsers make wait for 4 ms.
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve(undefined);
    };
    port2.postMessage(undefined);
  });

export class FakeClock {
  #now = START;
  #timers = [];

  now = () => this.#now;
  /** Always the middle: jitter does nothing, back-offs are half of their limit. */
  random = () => 0.5;

  after = (ms, call) => {
    const timer = { at: this.#now + ms, call };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((t) => t !== timer);
    };
  };

  /** Sets the clock, as its user or a server may; no timer fires. */
  set(now) {
    this.#now = now;
  }

  /** Sets the clock; timers fire when they would have. */
  shift(ms) {
    this.#now += ms;
    for (const timer of this.#timers) timer.at += ms;
  }

  async advance(ms) {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      const [next] = this.#timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.#timers = this.#timers.filter((t) => t !== next);
      this.#now = Math.max(this.#now, next.at);
      next.call();
      await settle();
    }
    this.#now = end;
  }
}

/** A WebSocket whose other end is the test. */
export class FakeSocket {
  static all = [];
  static get last() {
    return FakeSocket.all.at(-1);
  }

  sent = [];
  closed = false;

  constructor(url, protocols) {
    this.url = url;
    this.protocols = protocols;
    FakeSocket.all.push(this);
  }

  send(data) {
    this.sent.push(JSON.parse(data));
  }

  close(status) {
    this.closed = true;
    this.status = status;
  }

  open() {
    this.onopen?.();
  }

  /** What was sent of a kind. */
  actions(action) {
    return this.sent.filter((f) => f.action === action);
  }

  receive(...frames) {
    for (const frame of frames) this.onmessage?.({ data: JSON.stringify(frame) });
  }

  lose() {
    this.onclose?.({ code: 1006, reason: "" });
  }
}

/** A Storage in memory. */
export class FakeStorage {
  #values = new Map();
  get length() {
    return this.#values.size;
  }
  key = (i) => [...this.#values.keys()][i] ?? null;
  getItem = (key) => this.#values.get(key) ?? null;
  setItem(key, value) {
    if (this.full) throw new DOMException("full", "QuotaExceededError");
    this.#values.set(key, value);
  }
  removeItem = (key) => this.#values.delete(key);
}

/** A token that ends `seconds` after the start; it has no signature. */
export const tokenUntil = (seconds) =>
  `e30.${btoa(JSON.stringify({ exp: START / 1000 + seconds })).replaceAll("=", "")}.e30`;

/** An HTTP answer that is there at once. */
export class Answer {
  constructor(status, body) {
    this.status = status;
    this.ok = status < 300;
    this.json = async () => {
      if (body === undefined) throw new SyntaxError("no JSON");
      return body;
    };
  }
}

/** A client, and everything around it. */
export class World {
  clock = new FakeClock();
  /** Requests made: [method, path with query, body, headers]. */
  requests = [];
  /** Answers by "METHOD /path": a body, an Answer, or a function of body and query that gives one. */
  answers = {
    "GET /rooms": { rooms: [] },
    "POST /sync": ({ rooms }) => ({
      rooms: Object.fromEntries(Object.keys(rooms).map((id) => [id, { messages: [], more: false }])),
    }),
  };
  /** @type {(() => string)|undefined} the Date header of answers */
  date;
  events = [];
  tokens = 0;
  token = () => tokenUntil(3600 * 24);

  /** @type {World|undefined} the last one that was made: it listens to the window */
  static #last;

  /** @param {{storage?: object|null, locks?: object|null, userId?: string, pingEvery?: number, post?: Function}} [of] the tab's storage, who the page says it is */
  constructor({ storage = null, locks = null, userId = "", pingEvery, post } = {}) {
    World.#last?.chat.stop();
    World.#last = this;
    FakeSocket.all = [];
    this.chat = new Streamroom({
      webSocketURL: "ws://test/stage",
      apiURL: "http://test/api/",
      token: async () => {
        this.tokens++;
        return this.token();
      },
      clock: this.clock,
      WebSocket: FakeSocket,
      fetch: (url, init) => this.#fetch(url, init),
      storage,
      locks,
      pingEvery,
      post,
    });
    this.chat.userId = userId;
    this.chat.on("message", (m) => this.events.push(m.content));
  }

  async #fetch(url, { method, body, headers }) {
    const { pathname, search, searchParams } = new URL(url);
    const path = pathname.replace("/api", "");
    const sent = body && JSON.parse(body);
    this.requests.push([method, path + search, sent, headers]);
    const answer = this.answers[`${method} ${path}`];
    const value = typeof answer === "function" ? answer(sent, searchParams) : answer;
    const made = value instanceof Answer ? value : new Answer(value === undefined ? 404 : 200, value);
    if (this.date) made.headers = new Headers({ Date: this.date() });
    return made;
  }

  asked(what) {
    return this.requests.filter(([method, path]) => `${method} ${path}`.startsWith(what));
  }

  /** The connection comes up and answers its first ping. */
  async connect() {
    this.chat.start();
    await this.up();
  }

  async up() {
    await settle();
    FakeSocket.last.open();
    FakeSocket.last.receive({ type: "pong", connectionId: "c=", userId: "alice" });
    await settle();
  }

  /** Opens a room that has these messages. */
  async open(room, ...messages) {
    this.answers[`GET /rooms/${room}/messages`] = { messages: messages.toReversed() };
    await this.chat.open(room);
  }

  contents(room) {
    return this.chat
      .timeline(room)
      .messages.map((m) => m.content)
      .join(" ");
  }
}

/** A message as the API gives it. */
export const stored = (seconds, content, more = {}) => ({
  chatRoomId: "r",
  messageId: idAt(seconds),
  senderId: "bob",
  content,
  timestamp: START + seconds * 1000,
  ...more,
});

/** A message as it is broadcast. */
export const live = (seconds, content, previous, more = {}) => ({
  type: "message",
  ...stored(seconds, content),
  previousMessageId: previous === null ? null : idAt(previous),
  ...more,
});

/** A room as the list has it. */
export const room = (id, more = {}) => ({
  chatRoomId: id,
  name: id,
  type: "group",
  lastMessageAt: START,
  unread: 0,
  ...more,
});

/** A last message as the list has it. */
export const last = (seconds, senderId = "bob") => ({
  messageId: idAt(seconds),
  senderId,
  preview: "…",
  timestamp: START + seconds * 1000,
});

export const receive = (...frames) => FakeSocket.last.receive(...frames);

/** A client in these rooms. */
export async function worldOf(...rooms) {
  const w = new World();
  w.answers["GET /rooms"] = { rooms };
  w.answers["POST /profiles"] = { profiles: {} };
  for (const { chatRoomId } of rooms) w.answers[`POST /rooms/${chatRoomId}/read`] = new Answer(204);
  await w.connect();
  return w;
}

export const unread = (w, id = "r") => w.chat.rooms.get(id)?.unread;
