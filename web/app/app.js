// The page: who is signed in, which room is open, and what is shown where. What
// the server is asked and told is streamroom.js's.

import { Failure, isolated, Streamroom } from "../lib/streamroom.js";
import { HostedPage } from "./hostedpage.js";
import { Conversation, titleOf } from "./ui/conversation.js";
import { report } from "./ui/details.js";
import {
  askingFirst,
  closable,
  confirmed,
  NewDirectDialog,
  NewRoomDialog,
  onClosed,
  ProfileDialog,
} from "./ui/dialogs.js";
import { becomeAvatar, byId, el, silence } from "./ui/dom.js";
import { listenForKeys } from "./ui/keys.js";
import { guardLeaving } from "./ui/leaving.js";
import { NearbyDialog } from "./ui/nearby.js";
import { Notifications } from "./ui/notify.js";
import { PeopleList } from "./ui/peoplelist.js";
import { addressOf, RoomListView } from "./ui/roomlist.js";
import { AnyName, remember, rememberedUser, SignIn } from "./ui/signin.js";
import { StatusView } from "./ui/status.js";
import { showUnread } from "./ui/tabicon.js";
import { counted, updateZone } from "./ui/words.js";
import { UserPool } from "./userpool.js";

/**
 * Where everything is; see Config in web.go.
 * @typedef {object} Config
 * @property {string} mode
 * @property {string} webSocketURL
 * @property {string} apiURL
 * @property {string} tokenURL
 * @property {string} [signInURL]
 * @property {string} [clientId]
 * @property {string} [userClaim]
 */

/**
 * Where people come from.
 * @typedef {object} People
 * @property {"name"|"password"|"page"} asks for a name, for a password as well, or on a page of its own
 * @property {(name: string, password: string) => Promise<Session>} signIn rejects with a Failure
 * @property {(user: string) => () => Promise<string>} resume gets tokens for the user who signed in before, in this tab
 * @property {(everywhere: boolean) => void} forget everywhere: the user signs out
 */

/**
 * @typedef {object} Session
 * @property {string} user
 * @property {() => Promise<string>} token gets a token
 */

/** Wide enough for rooms and messages side by side. */
const WIDE = window.matchMedia("(min-width: 46rem)");
/** Between drawings (ms). */
const FRAME = 16;

class App {
  /** @type {Streamroom|undefined} */
  #chat;
  #drawing = 0;
  #displayName = "";

  #chatElement = byId("chat", HTMLElement);
  #help = byId("help-dialog", HTMLDialogElement);
  #config;
  /** @type {People} */
  #people;
  #signIn;
  #status;
  #notifications = new Notifications(
    (id) => (this.#chat ? titleOf(this.#chat, this.#chat.rooms.get(id) ?? { type: "group", chatRoomId: id }) : ""),
    (id) => this.#goTo(id),
  );
  #rooms = new RoomListView();
  #conversation;
  #newRoom;
  #newDirect;
  #nearby;
  #profile;
  #blocks;

  /**
   * @param {Config} config
   * @param {People} people
   */
  constructor(config, people) {
    this.#config = config;
    this.#people = people;
    // Getting a token shows whether the name will do; it is the first to be used, too.
    this.#signIn = new SignIn(people.asks, async (name, password) => {
      const { user, token } = await people.signIn(name, password);
      this.#enter(user, token);
    });
    this.#status = new StatusView(() => this.#chat?.wake());
    this.#conversation = new Conversation(config.mode === "local", {
      changed: () => this.#draw(),
      drawn: () => this.#chat && this.#drawNow(this.#chat),
      listed: (room) => this.#notifications.showRoom(room),
    });
    this.#newRoom = new NewRoomDialog(
      (name, members) => askingFirst((onlySignedIn) => this.#chat?.createRoom(name, members, onlySignedIn)),
      (room) => this.#goTo(room),
    );
    this.#newDirect = new NewDirectDialog(
      (userId) => askingFirst((onlySignedIn) => this.#chat?.createDirect(userId, onlySignedIn)),
      (room) => this.#goTo(room),
      () => this.#me,
    );
    this.#nearby = new NearbyDialog(
      () => this.#chat,
      (room) => this.#goTo(room),
    );
    this.#profile = new ProfileDialog(async (name, hidden) => {
      await this.#notifications.save();
      await this.#chat?.setDisplayName(name);
      if (hidden !== undefined) await this.#chat?.hidePresence(hidden);
      this.#displayName = name;
      this.#draw();
    });
    this.#blocks = new PeopleList(byId("blocks", HTMLDetailsElement), {
      read: async () => {
        const blocks = (await this.#chat?.blocks()) ?? [];
        const act = (/** @type {string} */ userId) => async () => {
          await this.#chat?.unblock(userId);
          return `${isolated(this.#chat?.labelOf(userId) ?? "")} is not blocked any more.`;
        };
        return { people: blocks.map(({ userId }) => ({ userId, acts: [{ name: "Unblock", act: act(userId) }] })) };
      },
      none: "You block no one. The list of a room’s members has a button for each of them.",
      labelOf: (userId) => this.#chat?.labelOf(userId) ?? userId,
    });
    onClosed(byId("profile-dialog", HTMLDialogElement), () => this.#blocks.close());
    closable(this.#help);
    byId("new-room", HTMLButtonElement).addEventListener("click", () => this.#newRoom.show());
    byId("new-direct", HTMLButtonElement).addEventListener("click", () => this.#newDirect.show());
    byId("nearby", HTMLButtonElement).addEventListener("click", () => this.#nearby.show());
    byId("help", HTMLButtonElement).addEventListener("click", () => this.#help.showModal());
    byId("account", HTMLButtonElement).addEventListener("click", () => {
      const hides = this.#chat?.tellsPresence ? this.#chat.hidesPresence() : undefined;
      this.#profile.showFor(this.#me, this.#displayName, hides);
      this.#notifications.show();
    });
    byId("signout", HTMLButtonElement).addEventListener("click", () => void this.#signOut());
    window.addEventListener("hashchange", () => this.#openFromAddress());
    document.addEventListener("visibilitychange", () => this.#draw());
    for (const event of ["online", "offline"]) window.addEventListener(event, () => this.#status.again());
    WIDE.addEventListener("change", () => this.#draw());
    // Times like “Yesterday” grow old.
    setInterval(() => this.#draw(), 60_000);
    listenForKeys({
      help: () => this.#help.showModal(),
      newRoom: () => this.#chat && this.#newRoom.show(),
      newDirect: () => this.#chat && this.#newDirect.show(),
      members: () => this.#conversation.showMembers(),
      search: () => this.#conversation.search(),
      move: (by) => this.#move(by),
      nextUnread: () =>
        this.#goTo(
          this.#chat?.rooms.list().find((r) => r.unread && r.chatRoomId !== this.#conversation.id)?.chatRoomId,
        ),
      write: () => byId("composer-input", HTMLTextAreaElement).focus(),
    });
  }

  /** The user's id: the server may spell it in another way than it was typed. */
  get #me() {
    return this.#chat?.userId ?? "";
  }

  async start() {
    try {
      const session = this.#people instanceof HostedPage ? await this.#people.arrive() : undefined;
      const user = rememberedUser();
      if (session) this.#enter(session.user, session.token);
      else if (user) this.#enter(user, this.#people.resume(user));
      else this.#signIn.show();
    } catch (err) {
      this.#signIn.show(Failure.from(err).message);
    }
  }

  /**
   * @param {string} user
   * @param {() => Promise<string>} token gets a token
   */
  #enter(user, token) {
    const { apiURL, webSocketURL } = this.#config;
    const chat = new Streamroom({ apiURL, webSocketURL, token });
    chat.userId = user;
    remember(user);
    this.#chat = chat;
    this.#conversation.become(chat);
    let named = false;
    chat.on("state", (state) => {
      if (state.name === "stopped" && state.failure) {
        this.#leave(state.failure.message);
        return;
      }
      this.#status.show(state);
      if (state.name !== "online") return;
      if (named) {
        this.#conversation.reconnected();
        return;
      }
      named = true;
      chat.displayName().then(
        (name) => {
          this.#displayName = name;
          this.#draw();
        },
        (err) => report(Failure.from(err)),
      );
    });
    for (const event of /** @type {const} */ (["timeline", "read", "presence", "standing", "blocks"]))
      chat.on(event, () => this.#draw());
    chat.on("people", () => {
      // Changed by another tab or device, maybe.
      const name = chat.nameOf(chat.userId);
      this.#displayName = name === chat.userId ? "" : name;
      this.#draw();
    });
    chat.on("timeline", () => guardLeaving(chat.unsent + this.#conversation.attached));
    chat.on("typing", (room) => {
      if (room === this.#conversation.id) this.#draw();
    });
    chat.on("draft", (room) => this.#conversation.draftChanged(room));
    chat.on("upload", (upload) => {
      this.#conversation.uploadChanged(upload);
      guardLeaving(chat.unsent + this.#conversation.attached);
    });
    chat.on("rooms", () => this.#roomsChanged());
    chat.on("message", (message) => {
      if (message.senderId !== this.#me && message.chatRoomId === this.#conversation.id)
        this.#conversation.arrived(message);
      this.#draw();
    });
    chat.on("reaction", (change) => {
      if (change.chatRoomId === this.#conversation.id) this.#conversation.reacted(change);
    });
    chat.on("marked", (room) => {
      if (room === this.#conversation.id) this.#conversation.marked();
    });
    chat.on("member", (change) => {
      if (change.chatRoomId === this.#conversation.id) this.#conversation.memberChanged(change);
      this.#draw();
    });
    chat.on("room", (id) => {
      if (id === this.#conversation.id) this.#conversation.roomChanged();
    });
    chat.on("failure", report);

    this.#notifications.begin(chat);
    this.#signIn.hide();
    this.#chatElement.hidden = false;
    this.#status.reset();
    chat.start();
    this.#openFromAddress();
    this.#draw();
  }

  async #signOut() {
    const unsent = this.#chat?.unsentAnywhere ?? 0;
    const { attached } = this.#conversation;
    const what = [
      ...(unsent > 0 ? [`${counted(unsent, "message is", "messages are")} not sent yet.`] : []),
      ...(attached > 0 ? [`${counted(attached, "file is", "files are")} attached to what is not sent yet.`] : []),
    ];
    const text = `${what.join(" ")} Signing out deletes what is not sent.`;
    if (what.length > 0 && !(await confirmed("Sign out?", text, "Sign out"))) return;
    const chat = this.#chat;
    await this.#notifications.forget(); // first: it needs the token
    if (this.#chat && chat !== this.#chat) return; // someone else has signed in
    this.#leave("");
    chat?.forget(); // last: what was begun in a room is saved as it is left
  }

  /** @param {string} problem why; empty when the user wanted to */
  #leave(problem) {
    this.#chat?.stop();
    this.#chat = undefined;
    guardLeaving(0);
    remember("");
    this.#displayName = "";
    this.#conversation.become(undefined);
    // Nothing of theirs stays in the page for the next one.
    this.#rooms.clear();
    byId("account-name", HTMLElement).textContent = byId("account-avatar", HTMLElement).textContent = "";
    for (const dialog of document.querySelectorAll("dialog")) dialog.close();
    silence();
    // A user who has to sign in again comes back to the room.
    if (problem === "") history.replaceState(null, "", location.pathname);
    this.#chatElement.hidden = true;
    this.#notifications.end();
    showUnread(0);
    this.#signIn.show(problem);
    this.#people.forget(problem === "");
  }

  /** @param {boolean} [chosen] the user wants to be there */
  #openFromAddress(chosen = true) {
    const id = roomOf(location.hash);
    if (!this.#chat || id === this.#conversation.id) return;
    // What was asked was asked about the room that is left.
    if (this.#conversation.id) for (const dialog of document.querySelectorAll("dialog")) dialog.close();
    this.#conversation.close();
    if (id) void this.#conversation.open(id, chosen);
    this.#draw();
  }

  /** @param {string} [chatRoomId] nowhere where absent */
  #goTo(chatRoomId) {
    if (chatRoomId) location.hash = addressOf(chatRoomId);
  }

  /** @param {1|-1} by to the room above or below the open one */
  #move(by) {
    const rooms = this.#chat?.rooms.list() ?? [];
    const at = rooms.findIndex((r) => r.chatRoomId === this.#conversation.id);
    this.#goTo(rooms[at < 0 ? 0 : at + by]?.chatRoomId);
  }

  #roomsChanged() {
    const rooms = this.#chat?.rooms;
    if (rooms?.loaded && !this.#conversation.id && WIDE.matches && !location.hash) {
      const [newest] = rooms.list();
      if (newest) {
        history.replaceState(null, "", addressOf(newest.chatRoomId));
        this.#openFromAddress(false);
      }
    }
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
    updateZone();
    const rooms = chat.rooms.list();
    const failed = new Map(chat.failed.map((outgoing) => [outgoing.chatRoomId, outgoing]));
    const name = this.#displayName || this.#me;
    becomeAvatar(byId("account-avatar", HTMLElement), name);
    byId("account-name", HTMLElement).textContent = name;
    this.#chatElement.classList.toggle("in-room", this.#conversation.id !== "");
    this.#notifications.opened(this.#conversation.id);
    this.#blocks.draw();
    // First: what is shown is read.
    this.#conversation.draw(now);
    this.#rooms.show({
      rooms: [...leftWithMessages(chat, failed.values()), ...rooms],
      failedIn: (room) => failed.get(room.chatRoomId),
      loaded: chat.rooms.loaded,
      open: this.#conversation.id,
      me: this.#me,
      now,
      titleOf: (room) => titleOf(chat, room),
      nameOf: (userId) => chat.labelOf(userId),
      onlineIn: ({ type, chatRoomId }) => type === "dm" && (chat.presenceOf(chat.otherIn(chatRoomId))?.online ?? false),
    });
    const unread = rooms.reduce((sum, room) => sum + (room.unread ?? 0), 0);
    showUnread(unread);
  }
}

/**
 * Rooms that the user is not in any more, where messages wait for them to decide.
 * @param {Streamroom} chat
 * @param {Iterable<import("../lib/streamroom.js").Outgoing>} failed by room
 * @returns {import("../lib/streamroom.js").RoomSummary[]}
 */
function leftWithMessages(chat, failed) {
  if (!chat.rooms.loaded) return [];
  return [...failed]
    .filter(({ chatRoomId }) => !chat.rooms.get(chatRoomId))
    .map(({ chatRoomId, createdAt }) => ({
      chatRoomId,
      name: "A room you are not in",
      type: "group",
      lastMessageAt: createdAt,
    }));
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
  const { mode, webSocketURL, apiURL, tokenURL, signInURL, clientId, userClaim } = await response.json();
  const absolute = (/** @type {string} */ url) => new URL(url, location.href);
  const socket = absolute(webSocketURL);
  if (socket.protocol.startsWith("http")) socket.protocol = socket.protocol === "https:" ? "wss:" : "ws:";
  return {
    mode,
    webSocketURL: socket.href,
    apiURL: absolute(apiURL).href,
    tokenURL: absolute(tokenURL).href,
    signInURL,
    clientId,
    userClaim,
  };
}

/**
 * @param {Config} config
 * @returns {People|undefined} undefined where people sign in elsewhere
 */
function peopleOf({ mode, tokenURL, signInURL, clientId = "", userClaim }) {
  if (mode === "local") return new AnyName(tokenURL);
  if (mode !== "cognito") return undefined;
  return signInURL
    ? new HostedPage({ signInURL, clientId, userClaim })
    : new UserPool({ tokenURL, clientId, userClaim });
}

try {
  const config = await readConfig();
  const people = peopleOf(config);
  if (people) await new App(config, people).start();
  else new SignIn("name", async () => {}).refuse("This page can’t sign anyone in here.");
} catch (err) {
  console.error(err);
  const note = el(
    "p",
    { class: "notice" },
    "Streamroom could not start: its settings can’t be read. Reload the page to try again.",
  );
  document.body.append(note);
}
