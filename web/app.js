// The page: who is signed in, which room is open, and what is shown where. What
// the server is asked and told is streamroom.js's.

import { Failure, Streamroom } from "./streamroom.js";
import { Composer } from "./ui/composer.js";
import { MembersDialog, NewRoomDialog } from "./ui/dialogs.js";
import { announce, becomeAvatar, byId, el, within } from "./ui/dom.js";
import { MessagesView } from "./ui/messages.js";
import { RoomListView, addressOf, titleOf } from "./ui/roomlist.js";
import { AnyName, SignIn, remember, rememberedUser } from "./ui/signin.js";
import { StatusView } from "./ui/status.js";
import { counted, describe } from "./ui/words.js";
import { UserPool } from "./userpool.js";

/**
 * Where everything is; see Config in web.go.
 * @typedef {object} Config
 * @property {string} mode
 * @property {string} webSocketURL
 * @property {string} apiURL
 * @property {string} tokenURL
 * @property {string} [clientId]
 * @property {string} [userClaim]
 */

/** Wide enough for rooms and messages side by side. */
const WIDE = window.matchMedia("(min-width: 46rem)");
/** A device whose keyboard covers the page when something to write in has the focus. */
const TOUCH = window.matchMedia("(pointer: coarse)");
/** Between drawings (ms). */
const FRAME = 16;

class App {
  /** @type {Streamroom|undefined} */
  #chat;
  #me = "";
  /** The open room's id; empty when none is. */
  #room = "";
  /** @type {Failure|undefined} why the open room can't be shown */
  #roomFailure;
  #loadingOlder = false;
  /** @type {import("./streamroom.js").Room|undefined} what the server says about the open room */
  #details;
  /** @type {Map<string, number>} messages that came while their room wasn't in view */
  #unread = new Map();
  #drawing = 0;

  #chatElement = byId("chat", HTMLElement);
  #roomHead = byId("room-head", HTMLElement);
  #roomName = byId("room-name", HTMLElement);
  #roomNote = byId("room-note", HTMLElement);
  #membersButton = byId("room-members", HTMLButtonElement);
  #newRoomButton = byId("new-room", HTMLButtonElement);
  #config;
  #people;
  #signIn;
  #status;
  #rooms = new RoomListView();
  #messages;
  #composer;
  #newRoomDialog;
  #membersDialog;

  /** @param {Config} config */
  constructor(config) {
    this.#config = config;
    // Getting a token shows whether the name will do; it is the first to be used, too.
    this.#people = config.mode === "cognito" ? new UserPool(config) : new AnyName(config.tokenURL);
    this.#signIn = new SignIn(this.#people.asksForPassword, async (name, password) => {
      const { user, token } = await this.#people.signIn(name, password);
      this.#enter(user, token);
    });
    this.#status = new StatusView(() => this.#chat?.wake());
    this.#messages = new MessagesView({
      older: () => void this.#loadOlder(),
      retry: (id) => this.#chat?.retry(id),
      discard: (id) => this.#chat?.discard(id),
    });
    this.#composer = new Composer((content) => this.#send(content));
    this.#newRoomDialog = new NewRoomDialog(async (name, members) => {
      const id = await this.#chat?.createRoom(name, members);
      if (id) location.hash = addressOf(id);
    });
    this.#membersDialog = new MembersDialog(async (userId) => {
      await this.#chat?.addMember(this.#room, userId);
      await this.#readDetails();
    });
    this.#newRoomButton.addEventListener("click", () => this.#newRoomDialog.show());
    this.#membersButton.addEventListener("click", () => {
      this.#membersDialog.open();
      void this.#readDetails();
    });
    byId("signout", HTMLButtonElement).addEventListener("click", () => this.#leave(""));
    window.addEventListener("hashchange", () => this.#openFromAddress());
    document.addEventListener("visibilitychange", () => this.#draw());
    WIDE.addEventListener("change", () => this.#draw());
    // Times like “Yesterday” grow old.
    setInterval(() => this.#draw(), 60_000);
  }

  start() {
    if (this.#config.mode !== "local" && this.#config.mode !== "cognito") {
      this.#signIn.refuse("This page can’t sign anybody in here.");
      return;
    }
    const user = rememberedUser();
    if (user) this.#enter(user, this.#people.resume(user));
    else this.#signIn.show();
  }

  /**
   * @param {string} user
   * @param {() => Promise<string>} token gets a token
   */
  #enter(user, token) {
    const { apiURL, webSocketURL } = this.#config;
    const chat = new Streamroom({ apiURL, webSocketURL, token });
    remember(user);
    this.#me = user;
    this.#chat = chat;
    chat.on("state", (state) => {
      if (state.name === "stopped" && state.failure) this.#leave(state.failure.message);
      else this.#status.show(state);
    });
    chat.on("timeline", () => this.#draw());
    chat.on("rooms", () => this.#roomsChanged());
    chat.on("message", (message) => this.#arrived(message));
    chat.on("member", (change) => this.#memberChanged(change));
    chat.on("failure", report);

    this.#signIn.hide();
    this.#chatElement.hidden = false;
    becomeAvatar(byId("account-avatar", HTMLElement), user);
    byId("account-name", HTMLElement).textContent = user;
    this.#status.reset();
    chat.start();
    this.#openFromAddress();
    this.#draw();
  }

  /** @param {string} problem why; empty when the user wanted to */
  #leave(problem) {
    const chat = this.#chat;
    this.#chat = undefined;
    chat?.stop();
    remember("");
    this.#people.forget();
    this.#me = "";
    this.#unread.clear();
    this.#close();
    this.#composer.clear();
    history.replaceState(null, "", location.pathname);
    this.#chatElement.hidden = true;
    document.title = "Streamroom";
    this.#signIn.show(problem);
  }

  #openFromAddress() {
    const id = roomOf(location.hash);
    if (!this.#chat || id === this.#room) return;
    this.#close();
    if (id) void this.#open(id);
    this.#draw();
  }

  #close() {
    this.#room = "";
    this.#details = undefined;
    this.#roomFailure = undefined;
    this.#membersDialog.close();
    this.#messages.clear();
    this.#composer.show("");
  }

  /** @param {string} id */
  async #open(id) {
    const chat = this.#chat;
    if (!chat) return;
    this.#room = id;
    this.#roomFailure = undefined;
    this.#unread.delete(id);
    this.#draw();
    void this.#readDetails();
    try {
      await chat.open(id);
    } catch (err) {
      report(Failure.from(err));
      if (id === this.#room) this.#roomFailure = Failure.from(err);
    }
    if (this.#chat) this.#drawNow(this.#chat); // what isn't shown can't have the focus
    if (id === this.#room && !TOUCH.matches && !document.querySelector("dialog[open]")) this.#composer.focus();
  }

  async #readDetails() {
    const room = this.#room;
    if (!room) return;
    try {
      const details = await this.#chat?.room(room);
      if (room !== this.#room) return;
      this.#details = details;
      this.#membersDialog.show(details?.members ?? [], { me: this.#me, count: details?.memberCount ?? 0 });
    } catch (err) {
      report(Failure.from(err));
    }
    this.#draw();
  }

  async #loadOlder() {
    if (this.#loadingOlder) return;
    this.#loadingOlder = true;
    this.#draw();
    try {
      await this.#chat?.loadOlder(this.#room);
    } catch (err) {
      announce(describe(Failure.from(err)));
    }
    this.#loadingOlder = false;
    this.#draw();
  }

  /**
   * @param {string} content
   * @returns {string} a problem, or empty
   */
  #send(content) {
    try {
      this.#chat?.send(this.#room, content);
    } catch (err) {
      return describe(Failure.from(err));
    }
    this.#messages.toEnd();
    return "";
  }

  #roomsChanged() {
    const rooms = this.#chat?.rooms;
    if (rooms?.loaded && !this.#room && WIDE.matches && !location.hash) {
      const [newest] = rooms.list();
      if (newest) location.replace(addressOf(newest.chatRoomId));
    }
    this.#draw();
  }

  /** @param {import("./streamroom.js").Message} message */
  #arrived({ chatRoomId, senderId, content }) {
    if (senderId === this.#me) return;
    const open = chatRoomId === this.#room;
    if (open) {
      this.#messages.arrived();
      announce(`${senderId}: ${content ?? ""}`);
    }
    if (!open || document.hidden) this.#unread.set(chatRoomId, (this.#unread.get(chatRoomId) ?? 0) + 1);
    this.#draw();
  }

  /** @param {{chatRoomId: string, userId: string, joined: boolean}} change */
  #memberChanged({ chatRoomId, userId, joined }) {
    if (chatRoomId !== this.#room) return;
    if (userId !== this.#me) void this.#readDetails();
    else if (joined) void this.#open(chatRoomId);
    else this.#roomFailure = new Failure("not_a_member", "");
    this.#draw();
  }

  /** Shows how things are, soon: much may change at once. */
  #draw() {
    if (this.#drawing) return;
    // Not requestAnimationFrame: a hidden page's title goes on counting.
    this.#drawing = window.setTimeout(() => {
      this.#drawing = 0;
      if (this.#chat) this.#drawNow(this.#chat);
    }, FRAME);
  }

  /** @param {Streamroom} chat */
  #drawNow(chat) {
    const now = Date.now();
    const room = this.#room;
    if (room && !document.hidden) this.#unread.delete(room);
    this.#chatElement.classList.toggle("in-room", room !== "");
    this.#rooms.show({
      rooms: chat.rooms.list(),
      loaded: chat.rooms.loaded,
      open: room,
      me: this.#me,
      unread: (id) => this.#unread.get(id) ?? 0,
      now,
    });
    this.#drawRoom(chat, now);
    const unread = [...this.#unread.values()].reduce((a, b) => a + b, 0);
    document.title = unread > 0 ? `(${unread}) Streamroom` : "Streamroom";
  }

  /**
   * @param {Streamroom} chat
   * @param {number} now
   */
  #drawRoom(chat, now) {
    const id = this.#room;
    const known = this.#details ?? chat.rooms.get(id);
    const title = known ? titleOf(known) : id;
    const timeline = chat.timeline(id);
    const count = this.#details?.memberCount ?? 0;
    this.#roomHead.hidden = id === "";
    this.#roomName.textContent = title;
    this.#membersButton.hidden = count === 0;
    within(this.#membersButton, "span", HTMLElement).textContent = counted(count, "member", "members");

    const note = this.#noteFor(chat, timeline);
    const writable = id !== "" && (timeline.loaded || !this.#roomFailure);
    this.#composer.show(writable ? id : "", title);
    this.#messages.visible = note === undefined;
    this.#roomNote.hidden = note === undefined;
    if (note && this.#roomNote.textContent !== note.textContent) this.#roomNote.replaceChildren(note);
    if (note === undefined) {
      this.#messages.show({ ...timeline, loadingOlder: this.#loadingOlder, me: this.#me, now });
    }
  }

  /**
   * What stands in place of messages.
   * @param {Streamroom} chat
   * @param {ReturnType<Streamroom["timeline"]>} timeline
   * @returns {HTMLElement|undefined}
   */
  #noteFor(chat, timeline) {
    if (!this.#room) {
      if (!chat.rooms.loaded) return undefined;
      return chat.rooms.list().length > 0
        ? noteOf("Choose a room", "Its messages appear here.")
        : noteOf("No rooms yet", "Make one with “New room”, and name the people who should be in it.");
    }
    if (this.#roomFailure && !timeline.loaded) return this.#failureNote(this.#roomFailure);
    if (timeline.messages.length > 0 || timeline.outgoing.length > 0) return undefined;
    if (!timeline.loaded) return noteOf("", "Loading messages…");
    const members = this.#details?.members ?? [];
    const others = members.filter((m) => m.userId !== this.#me);
    if (others.length === 0 && members[0]?.role === "owner") {
      return noteOf("You are alone here", "Add people with the button above that counts the members.");
    }
    if (this.#config.mode !== "local") return noteOf("Nothing has been said yet", "Say hello below.");
    const again = el("a", { href: location.pathname + addressOf(this.#room), target: "_blank", rel: "noopener" }, "open a second window");
    return noteOf("Nothing has been said yet", "Say hello below. To see both sides of a conversation, ", again, `, and sign in there as ${others[0]?.userId ?? "bob"}.`);
  }

  /** @param {Failure} failure */
  #failureNote(failure) {
    const retry = el("button", { type: "button" }, "Try again");
    retry.addEventListener("click", () => void this.#open(this.#room));
    return noteOf("This room can’t be shown", describe(failure), el("br"), retry);
  }
}

/**
 * Leaves a note for developers.
 * @param {Failure} failure
 */
function report(failure) {
  if (failure.code === "unexpected") console.error(failure.cause);
  else console.warn(failure.code, failure.message);
}

/**
 * @param {string} title
 * @param {...(string|Node)} text
 */
function noteOf(title, ...text) {
  const note = el("div", {}, el("p", {}, ...text));
  if (title) note.prepend(el("h3", {}, title));
  return note;
}

/**
 * The room that an address names.
 * @param {string} hash
 * @returns {string} empty when it names none
 */
function roomOf(hash) {
  const match = /^#\/room\/(.+)$/u.exec(hash);
  try {
    return match ? decodeURIComponent(match[1]) : "";
  } catch {
    return "";
  }
}

/**
 * Reads where everything is. Relative URLs are relative to the page.
 * @returns {Promise<Config>}
 */
async function readConfig() {
  const response = await fetch("config.json");
  if (!response.ok) throw new Error(`config.json: ${response.status}`);
  const { mode, webSocketURL, apiURL, tokenURL, clientId, userClaim } = await response.json();
  const absolute = (/** @type {string} */ url) => new URL(url, location.href);
  const socket = absolute(webSocketURL);
  if (socket.protocol.startsWith("http")) socket.protocol = socket.protocol === "https:" ? "wss:" : "ws:";
  return {
    mode, webSocketURL: socket.href, apiURL: absolute(apiURL).href, tokenURL: absolute(tokenURL).href, clientId, userClaim,
  };
}

try {
  new App(await readConfig()).start();
} catch (err) {
  console.error(err);
  const note = el("p", { class: "notice" }, "Streamroom could not start: its settings can’t be read. Reload the page to try again.");
  document.body.append(note);
}
