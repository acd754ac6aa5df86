// Runs the browser library for the soak test's devices, in Node.js. Standard input
// has one call a line, {"call":1,"device":"user-1/b","do":"send",…}, and standard
// output one answer or event a line: {"reply":1,"value":…}, {"reply":1,"code":"…"},
// {"device":"user-1/b","event":"message",…}. browser.go is the other end. It stands
// in for the page: it opens rooms, and shows what the library tells it to.

import { createInterface } from "node:readline";
import { unpack } from "./lib/frames.js";
import { Streamroom } from "./lib/streamroom.js";

const write = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

/** localStorage of a device, which outlives its pages. */
class Store {
  #values = new Map();
  getItem = (key) => this.#values.get(key) ?? null;
  setItem = (key, value) => this.#values.set(key, String(value));
  removeItem = (key) => this.#values.delete(key);
  key = (i) => [...this.#values.keys()][i] ?? null;
  get length() {
    return this.#values.size;
  }
}

/** A message as the Go side decodes it. */
const shown = (message, readBy, reactions) => {
  const { chatRoomId, messageId, senderId, content, timestamp, editedAt, deletedAt, replyTo, mentions } = message;
  const people = { replyTo, mentions, reactions: reactions && counted(reactions) };
  return { chatRoomId, messageId, senderId, content, timestamp, editedAt, deletedAt, readBy, ...people };
};

/** Reactions as the Go side decodes them, of those that are shown. */
const counted = (reactions) => ({
  version: 0,
  counts: Object.fromEntries(reactions.map(({ reaction, count }) => [reaction, count])),
  mine: reactions.filter(({ mine }) => mine).map(({ reaction }) => reaction),
});

class Device {
  #of;
  #store = new Store();
  /** Rooms whose messages are shown, once the user is in them. */
  #wanted = new Set();
  /** @type {Map<string, {resolve: (ack: object) => void, reject: (err: Error) => void}>} sends under way, which a reload doesn't end */
  #sends = new Map();
  /** What was reported of this life: ids of messages. */
  #held = new Set();
  /** @type {Streamroom|undefined} */
  #chat;

  constructor(of) {
    this.#of = of;
  }

  #report(event, more) {
    write({ device: this.#of.device, event, ...more });
  }

  /** Opens the page. */
  open() {
    const { webSocketURL, apiURL, clockOffset } = this.#of;
    this.#held.clear();
    const chat = new Streamroom({
      webSocketURL,
      apiURL,
      token: () => this.#token(),
      clock: {
        now: () => Date.now() + clockOffset,
        random: Math.random,
        after(ms, call) {
          const timer = setTimeout(call, ms);
          return () => clearTimeout(timer);
        },
      },
      WebSocket: this.#watchedWebSocket(),
      fetch: (url, init) => this.#fetch(url, init),
      storage: this.#store,
    });
    this.#chat = chat;
    chat.on("message", (message) => {
      if (chat === this.#chat) this.#report("message", { messages: [shown(message)] });
    });
    chat.on("member", ({ chatRoomId, userId, joined }) => {
      if (chat === this.#chat && userId === chat.userId && !joined) this.#report("left", { room: chatRoomId });
    });
    chat.on("state", ({ name }) => {
      if (chat !== this.#chat) return;
      if (name === "online") this.#readMembers(chat);
      else this.#report("offline", {});
    });
    chat.on("rooms", () => this.#openWanted(chat));
    chat.on("timeline", (room) => this.#showed(chat, room));
    chat.start();
  }

  /** Leaves the page. */
  close() {
    this.#chat?.stop();
    this.#chat = undefined;
  }

  async #token() {
    const { tokenURL, user, expiresIn } = this.#of;
    const response = await fetch(tokenURL, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ user, expiresIn }),
      signal: AbortSignal.timeout(10_000),
    });
    return (await response.json()).token;
  }

  /** The library's fetch: the Go side learns when something was asked for. */
  async #fetch(url, init) {
    const from = Date.now();
    try {
      return await fetch(url, init);
    } finally {
      this.#report("call", { from, to: Date.now() });
    }
  }

  /** The library's WebSocket: the Go side learns the connection's id, what was acknowledged, and what is not told as new: deletions, gaps. */
  #watchedWebSocket() {
    const watch = (data) => {
      for (const frame of unpack(data)) this.#saw(frame);
    };
    return class extends WebSocket {
      constructor(url, protocols) {
        super(url, protocols);
        this.addEventListener("message", ({ data }) => watch(data));
      }
    };
  }

  #saw({ type, code, connectionId, chatRoomId, messageId, timestamp, clientMessageId }) {
    if (type === "pong") this.#report("pong", { connectionId });
    if (type === "error" && code === "reconnect") this.#report("forgotten", {});
    if (type === "messageDeleted") this.#report("deleted", { room: chatRoomId, messageId });
    if (type === "gap") this.#report("leftOut", { room: chatRoomId });
    if (type === "ack" || type === "message") {
      this.#sends.get(clientMessageId)?.resolve({ chatRoomId, messageId, timestamp });
      this.#sends.delete(clientMessageId);
    }
  }

  /** Learns who is online in the rooms that are shown, as a page does that shows their members. */
  #readMembers(chat) {
    for (const room of this.#wanted) if (chat.rooms.get(room)) chat.room(room).catch(() => {}); // the next connection tries again
  }

  #openWanted(chat) {
    if (chat !== this.#chat) return;
    for (const room of this.#wanted) {
      if (chat.rooms.get(room) && !chat.timeline(room).loaded) chat.open(room).catch(() => {}); // the next event tries again
    }
  }

  /** Reports what a room shows that no `message` event told. */
  #showed(chat, room) {
    if (chat !== this.#chat) return;
    const { messages, outgoing } = chat.timeline(room);
    const fresh = messages.filter(({ messageId }) => !this.#held.has(messageId));
    for (const { messageId } of fresh) this.#held.add(messageId);
    if (fresh.length > 0) this.#report("held", { messages: fresh.map((m) => shown(m)) });
    for (const { status, failure, clientMessageId } of outgoing) {
      if (status !== "failed") continue;
      this.#sends.get(clientMessageId)?.reject(failure);
      this.#sends.delete(clientMessageId);
      chat.discard(clientMessageId);
    }
  }

  /** What the Go side may ask for. */
  calls = {
    open: () => this.open(),
    close: () => this.close(),
    show: ({ room }) => {
      this.#wanted.add(room);
      if (this.#chat) this.#openWanted(this.#chat);
    },
    send: ({ room, content, replyTo, mentions }) =>
      new Promise((resolve, reject) => {
        const answered = this.#chat.timeline(room).messages.find(({ messageId }) => messageId === replyTo);
        const { clientMessageId } = this.#chat.send(room, content, [], answered, mentions ?? []);
        this.#sends.set(clientMessageId, { resolve, reject });
      }),
    edit: ({ room, id, content }) => this.#chat.edit(room, id, content),
    delete: ({ room, id }) => this.#chat.delete(room, id),
    read: ({ room, id }) => this.#chat.markRead(room, id),
    older: ({ room }) => this.#chat.loadOlder(room),
    react: ({ room, id, reaction, add }) => this.#chat.react({ chatRoomId: room, messageId: id }, reaction, add),
    type: ({ room }) => this.#chat.typing(room),
    wake: () => this.#chat.wake(),
    holds: ({ users }) => this.#holds(this.#chat, users),
  };

  #holds(chat, users) {
    const opened = [...this.#wanted].filter((room) => chat.timeline(room).loaded);
    return {
      rooms: chat.rooms.list(),
      unsent: chat.unsent,
      opened: Object.fromEntries(
        opened.map((room) => {
          const { hasOlder, messages } = chat.timeline(room);
          return [
            room,
            { whole: !hasOlder, messages: messages.map((m) => shown(m, chat.readersOf(m), chat.reactionsOf(m))) },
          ];
        }),
      ),
      online: Object.fromEntries(users.map((user) => [user, chat.presenceOf(user)?.online ?? false])),
      read: Object.fromEntries(opened.map((room) => [room, chat.readUpTo(room)])),
    };
  }
}

/** @type {Map<string, Device>} */
const devices = new Map();

async function answer({ call, device, do: what, ...args }) {
  try {
    if (!devices.has(device)) devices.set(device, new Device({ device, ...args }));
    write({ reply: call, value: (await devices.get(device).calls[what](args)) ?? null });
  } catch (err) {
    write({ reply: call, code: err.code ?? "unexpected", message: String(err.message ?? err) });
  }
}

createInterface({ input: process.stdin })
  .on("line", (line) => void answer(JSON.parse(line)))
  .on("close", () => process.exit());
