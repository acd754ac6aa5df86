// Notifications of the browser, while the page is open and hidden: of direct messages,
// mentions, and what is chosen for a room. They are switched on by the user, in each browser.

import { localStore, tried } from "../../lib/saved.js";
import { beginning, isolated } from "../../lib/streamroom.js";
import { byId } from "./dom.js";
import { OneTab } from "./onetab.js";
import { counted, filesIn } from "./words.js";

/**
 * @typedef {import("../../lib/streamroom.js").Message} Message
 * @typedef {import("../../lib/streamroom.js").Streamroom} Streamroom
 * @typedef {"all"|"mentions"|"none"} Level
 */

/**
 * What a user chose, in this browser.
 * @typedef {object} Choice
 * @property {boolean} on
 * @property {boolean} text whether notifications show what is written
 * @property {Record<string, Level>} rooms
 */

/** How much of a message a notification shows (characters). */
const MOST = 140;
/** How long the notification that shows how they look stays (ms). */
const SAMPLE = 4_000;

/** The browser's notifications; undefined where it has none. */
const api = () => /** @type {typeof Notification|undefined} */ (globalThis.Notification);

export class Notifications {
  #section = byId("notify", HTMLElement);
  #on = byId("notify-on", HTMLInputElement);
  #text = byId("notify-text", HTMLInputElement);
  #hint = byId("notify-hint", HTMLElement);
  #room = byId("notify-room", HTMLElement);
  #level = byId("notify-level", HTMLSelectElement);
  /** @type {Streamroom|undefined} */
  #chat;
  /** The room whose choice is shown. */
  #roomId = "";
  /** @type {Map<string, {notification: Notification, upTo: string, count: number}>} by room */
  #shown = new Map();
  #tab = new OneTab();
  #words = this.#hint.textContent ?? "";
  #titleOf;
  #goTo;

  /**
   * @param {(chatRoomId: string) => string} titleOf what a room is called
   * @param {(chatRoomId: string) => void} goTo
   */
  constructor(titleOf, goTo) {
    this.#titleOf = titleOf;
    this.#goTo = goTo;
    this.#on.addEventListener("change", () => void this.#switched());
    this.#level.addEventListener("change", () => {
      const level = /** @type {Level} */ (this.#level.value);
      const { rooms } = this.#choice;
      this.#save({ rooms: { ...rooms, [this.#roomId]: level } });
    });
    window.addEventListener("pagehide", () => this.#closeAll());
  }

  /** @param {Streamroom} chat of who has signed in */
  begin(chat) {
    this.#chat = chat;
    this.#tab.begin(chat.userId);
    chat.on("message", (message) => void this.#arrived(chat, message));
    chat.on("read", ({ chatRoomId, userId, upTo }) => {
      const shown = this.#shown.get(chatRoomId);
      if (userId === chat.userId && shown && shown.upTo <= upTo) this.#close(chatRoomId);
    });
  }

  /** The user signed out. */
  end() {
    this.#chat = undefined;
    this.#tab.end();
    this.#closeAll();
  }

  /** Forgets what the user chose. */
  forget() {
    tried(() => localStore()?.removeItem(this.#key));
  }

  /** Fills in the form: what is chosen there counts once it is saved. */
  show() {
    const { on, text } = this.#choice;
    this.#section.hidden = api() === undefined;
    this.#on.checked = on && api()?.permission === "granted";
    this.#text.checked = !text;
    this.#hint.textContent = this.#words;
  }

  save() {
    if (!this.#section.hidden) this.#save({ on: this.#on.checked, text: !this.#text.checked });
  }

  /** @param {string} chatRoomId whose choice is to be shown */
  showRoom(chatRoomId) {
    this.#roomId = chatRoomId;
    this.#room.hidden = !this.#choice.on;
    this.#level.value = this.#levelOf(chatRoomId);
  }

  get #key() {
    return `streamroom notify ${encodeURIComponent(this.#chat?.userId ?? "")}`;
  }

  /** @returns {Choice} as it is stored: another tab may have changed it */
  get #choice() {
    const saved = tried(() => JSON.parse(localStore()?.getItem(this.#key) ?? "{}"));
    return { on: false, text: true, rooms: {}, ...saved };
  }

  /** @param {Partial<Choice>} change */
  #save(change) {
    tried(() => localStore()?.setItem(this.#key, JSON.stringify({ ...this.#choice, ...change })));
  }

  /**
   * @param {string} chatRoomId
   * @returns {Level}
   */
  #levelOf(chatRoomId) {
    const type = this.#chat?.rooms.get(chatRoomId)?.type;
    return this.#choice.rooms[chatRoomId] ?? (type === "group" ? "mentions" : "all");
  }

  /** The browser is asked when the user switches them on, and at no other time. */
  async #switched() {
    const type = api();
    if (!this.#on.checked || !type) return;
    const permission = type.permission === "granted" ? type.permission : await type.requestPermission();
    let problem = "";
    if (permission !== "granted")
      problem = "The browser doesn’t allow them. Its settings for this page can change that.";
    else {
      const sample = tried(() => new type("Streamroom", { body: "Notifications look like this." }));
      if (!sample) problem = "This browser shows no notifications of a page.";
      setTimeout(() => sample?.close(), SAMPLE);
    }
    this.#hint.textContent = problem || this.#words;
    if (problem) this.#on.checked = false;
  }

  /**
   * @param {Streamroom} chat
   * @param {Message} message
   */
  async #arrived(chat, message) {
    const { chatRoomId, messageId, senderId, mentions = [] } = message;
    const { on, text } = this.#choice;
    const level = this.#levelOf(chatRoomId);
    const calls = level === "all" || (level === "mentions" && mentions.includes(chat.userId));
    if (!on || !calls || senderId === chat.userId || api()?.permission !== "granted") return;
    if (!(await this.#tab.tells()) || chat !== this.#chat || messageId <= chat.readUpTo(chatRoomId)) return;
    const before = this.#shown.get(chatRoomId);
    const count = (before?.count ?? 0) + 1;
    const name = isolated(chat.labelOf(senderId));
    const room = chat.rooms.get(chatRoomId);
    const title = room?.type === "group" ? `${name} in ${isolated(this.#titleOf(chatRoomId))}` : name;
    const said = text ? beginning(message.content || filesIn(message.attachments?.length ?? 0), MOST) : "";
    const body = said || counted(count, "new message", "new messages");
    const tag = `streamroom ${chat.userId} ${chatRoomId}`;
    const notification = tried(() => new Notification(title, { body, tag, dir: "auto" }));
    if (!notification) return;
    notification.onclick = () => {
      window.focus();
      this.#goTo(chatRoomId);
      this.#close(chatRoomId);
    };
    this.#shown.set(chatRoomId, { notification, upTo: messageId, count });
  }

  /** @param {string} chatRoomId */
  #close(chatRoomId) {
    this.#shown.get(chatRoomId)?.notification.close();
    this.#shown.delete(chatRoomId);
  }

  #closeAll() {
    for (const room of [...this.#shown.keys()]) this.#close(room);
  }
}
