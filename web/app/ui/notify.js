// Notifications of the browser: while the page is open and hidden, and by pushes while it is
// closed. They are switched on by the user, in each browser; of what they tell is chosen for
// each room, on all devices.

import { localStore, tried } from "../../lib/saved.js";
import { beginning, Failure, isolated } from "../../lib/streamroom.js";
import { byId } from "./dom.js";
import { OneTab } from "./onetab.js";
import { knownOf, Pushes } from "./push.js";
import { counted, describe, filesIn } from "./words.js";

/**
 * @typedef {import("../../lib/streamroom.js").Message} Message
 * @typedef {import("../../lib/streamroom.js").Notify} Notify
 * @typedef {import("../../lib/streamroom.js").Streamroom} Streamroom
 */

/**
 * What a user chose, in this browser.
 * @typedef {object} Choice
 * @property {boolean} on while the page is open
 * @property {boolean} text whether notifications show what is written
 */

/** How much of a message a notification shows (characters). */
const MOST = 140;
/** How long the notification that shows how they look stays (ms). */
const SAMPLE = 4_000;
/** How long signing out waits until the server has forgotten the browser (ms). */
const ENDING = 3_000;

/** The browser's notifications; undefined where it has none. */
const api = () => /** @type {typeof Notification|undefined} */ (globalThis.Notification);

export class Notifications {
  #section = byId("notify", HTMLElement);
  #on = byId("notify-on", HTMLInputElement);
  #push = byId("notify-push", HTMLInputElement);
  #pushRow = byId("notify-push-row", HTMLElement);
  #text = byId("notify-text", HTMLInputElement);
  #hint = byId("notify-hint", HTMLElement);
  #level = byId("notify-level", HTMLSelectElement);
  #problem = byId("notify-problem", HTMLElement);
  /** @type {Streamroom|undefined} */
  #chat;
  /** The room whose choice is shown. */
  #roomId = "";
  /** @type {Map<string, {notification: Notification, upTo: string, count: number}>} by room */
  #shown = new Map();
  #shows = 0;
  #tab = new OneTab();
  #pushes;
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
    this.#pushes = new Pushes(goTo, () => (this.#chat ? knownOf(this.#chat, this.#choice.text) : {}));
    for (const input of [this.#on, this.#push]) input.addEventListener("change", () => void this.#switched(input));
    this.#level.addEventListener("change", () => void this.#choose(/** @type {Notify} */ (this.#level.value)));
    window.addEventListener("pagehide", () => this.#closeAll());
  }

  /** @param {Streamroom} chat of the user who has signed in */
  begin(chat) {
    this.#chat = chat;
    this.#tab.begin(chat.userId);
    this.#pushes.begin(chat);
    chat.on("message", (message) => void this.#arrived(chat, message));
    chat.on("notify", (chatRoomId) => {
      if (chatRoomId === this.#roomId) this.#level.value = chat.notifyOf(chatRoomId);
    });
    chat.on("read", ({ chatRoomId, userId, upTo }) => {
      if (userId !== chat.userId) return;
      void this.#pushes.read(chatRoomId);
      const shown = this.#shown.get(chatRoomId);
      if (shown && shown.upTo <= upTo) this.#close(chatRoomId);
    });
  }

  /** The user signed out. */
  end() {
    this.#chat = undefined;
    this.#tab.end();
    this.#pushes.end();
    this.#closeAll();
  }

  /** Forgets what the user chose: they sign out. The server forgets this browser, if it can be reached. */
  async forget() {
    tried(() => localStore()?.removeItem(this.#key));
    await Promise.race([this.#pushes.switchOff(), new Promise((resolve) => setTimeout(resolve, ENDING))]);
  }

  /** Fills in the form: what is chosen there counts once it is saved. */
  show() {
    const { on, text } = this.#choice;
    const shows = ++this.#shows;
    this.#section.hidden = api() === undefined;
    this.#on.checked = on && api()?.permission === "granted";
    this.#push.checked = this.#pushes.isOn;
    this.#pushRow.hidden = true;
    this.#text.checked = !text;
    this.#hint.textContent = this.#words;
    this.#pushes.canBe().then(
      (can) => {
        if (shows === this.#shows) this.#pushRow.hidden = !can;
      },
      () => {}, // it can't be chosen then
    );
  }

  /** Does what was chosen; rejects with a Failure. */
  async save() {
    if (this.#section.hidden) return;
    const choice = { on: this.#on.checked, text: !this.#text.checked };
    tried(() => localStore()?.setItem(this.#key, JSON.stringify(choice)));
    if (this.#pushRow.hidden) return;
    if (!this.#push.checked) await this.#pushes.switchOff();
    else if (this.#pushes.isOn) await this.#pushes.tell();
    else await this.#pushes.switchOn();
  }

  /** @param {string} chatRoomId whose choice is to be shown */
  showRoom(chatRoomId) {
    this.#roomId = chatRoomId;
    this.#problem.textContent = "";
    this.#level.value = this.#chat?.notifyOf(chatRoomId) ?? "all";
  }

  /** @param {string} chatRoomId the room that is open; empty for none */
  opened(chatRoomId) {
    this.#pushes.opened(chatRoomId);
  }

  get #key() {
    return `streamroom notify ${encodeURIComponent(this.#chat?.userId ?? "")}`;
  }

  /** @returns {Choice} as it is stored: another tab may have changed it */
  get #choice() {
    const saved = tried(() => JSON.parse(localStore()?.getItem(this.#key) ?? "{}"));
    return { on: false, text: true, ...saved };
  }

  /** @param {Notify} level of the room that is shown */
  async #choose(level) {
    const [chat, chatRoomId] = [this.#chat, this.#roomId];
    this.#problem.textContent = "";
    try {
      await chat?.setNotify(chatRoomId, level);
    } catch (err) {
      if (chat !== this.#chat || chatRoomId !== this.#roomId) return;
      this.#level.value = chat?.notifyOf(chatRoomId) ?? "all";
      this.#problem.textContent = describe(Failure.from(err));
    }
  }

  /**
   * The browser is asked when the user switches them on, and at no other time.
   * @param {HTMLInputElement} input
   */
  async #switched(input) {
    const type = api();
    if (!input.checked || !type) return;
    const permission = type.permission === "granted" ? type.permission : await type.requestPermission();
    let problem = "";
    if (permission !== "granted")
      problem = "The browser doesn’t allow them. Its settings for this page can change that.";
    else if (input === this.#on) {
      const sample = tried(() => new type("Streamroom", { body: "Notifications look like this." }));
      if (!sample) problem = "This browser shows no notifications of a page.";
      setTimeout(() => sample?.close(), SAMPLE);
    }
    this.#hint.textContent = problem || this.#words;
    if (problem) input.checked = false;
  }

  /**
   * @param {Streamroom} chat
   * @param {Message} message
   */
  async #arrived(chat, message) {
    const { chatRoomId, messageId, senderId, mentions = [] } = message;
    const { on, text } = this.#choice;
    const level = chat.notifyOf(chatRoomId);
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
    const tag = `streamroom ${chat.userId} ${chatRoomId}`; // as pushworker.js has it: the one replaces the other
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
