// Public rooms near the user.

import { Failure } from "../../lib/streamroom.js";
import { closable, onClosed } from "./dialogs.js";
import { byId, el } from "./dom.js";
import { position } from "./position.js";
import { counted, describe, distance, placeText } from "./words.js";

/**
 * @typedef {import("../../lib/streamroom.js").NearbyRoom} NearbyRoom
 * @typedef {import("../../lib/streamroom.js").Streamroom} Streamroom
 */

/** Rooms per page. */
const PAGE = 20;
/** How far is searched (m) where no distance is chosen: farther, where nothing is nearer. */
const RADII = [5_000, 50_000];
/** The distances that can be chosen (m). */
const CHOICES = [100, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000];
/** A page may be empty though there are more: how many are read at once. */
const PAGES = 10;

export class NearbyDialog {
  #dialog = byId("nearby-dialog", HTMLDialogElement);
  #status = byId("nearby-status", HTMLElement);
  #problem = byId("nearby-problem", HTMLElement);
  #list = byId("nearby-rooms", HTMLElement);
  #more = byId("nearby-more", HTMLButtonElement);
  #again = byId("nearby-again", HTMLButtonElement);
  #radius = byId("nearby-radius", HTMLSelectElement);
  /** Counts searches: what an older one, or a closed dialog's, finds is not shown. */
  #searches = 0;
  /** @type {Map<string, NearbyRoom>} */
  #rooms = new Map();
  /** @type {Parameters<Streamroom["nearby"]>[0]|undefined} the next page */
  #next;
  #chat;
  #goTo;

  /**
   * @param {() => Streamroom|undefined} chat
   * @param {(chatRoomId: string) => void} goTo
   */
  constructor(chat, goTo) {
    this.#chat = chat;
    this.#goTo = goTo;
    closable(this.#dialog);
    for (const metres of CHOICES) this.#radius.append(el("option", { value: String(metres) }, distance(metres)));
    this.#radius.addEventListener("change", () => void this.#search());
    onClosed(this.#dialog, () => this.#clear());
    this.#again.addEventListener("click", () => void this.#search());
    this.#more.addEventListener("click", () => void this.#showMore());
  }

  show() {
    if (this.#dialog.open) return;
    this.#dialog.showModal();
    void this.#search();
  }

  #clear() {
    this.#searches++;
    this.#rooms.clear();
    this.#next = undefined;
    this.#list.replaceChildren();
    this.#status.textContent = this.#problem.textContent = "";
    this.#more.hidden = true;
  }

  async #search() {
    this.#clear();
    await this.#do("Asking for your position…", async (isCurrent) => {
      const at = await position();
      if (!isCurrent()) return;
      this.#status.textContent = "Searching…";
      const chosen = Number(this.#radius.value);
      for (const radius of chosen ? [chosen] : RADII) {
        const limited = await this.#read({ ...at, radius, limit: PAGE }, isCurrent);
        if (!isCurrent()) return;
        this.#told(limited, radius);
        if (this.#rooms.size > 0 || this.#next) return;
      }
    });
  }

  async #showMore() {
    const next = this.#next;
    if (!next) return;
    const before = this.#rooms.size;
    await this.#do("Searching…", async (isCurrent) => {
      const limited = await this.#read(next, isCurrent);
      if (!isCurrent()) return;
      this.#told(limited, next.radius ?? 0);
      // The button that had the focus may be gone.
      if (this.#more.hidden) (this.#list.querySelectorAll("button")[before] ?? this.#again).focus();
    });
  }

  /**
   * @param {string} status what is said until it is done
   * @param {(isCurrent: () => boolean) => Promise<void>} act
   */
  async #do(status, act) {
    const search = ++this.#searches;
    const isCurrent = () => search === this.#searches;
    this.#problem.textContent = "";
    this.#status.textContent = status;
    try {
      await act(isCurrent);
    } catch (err) {
      if (!isCurrent()) return;
      this.#status.textContent = "";
      this.#problem.textContent = describe(Failure.from(err));
    }
  }

  /**
   * Reads pages until one has rooms.
   * @param {Parameters<Streamroom["nearby"]>[0]} search
   * @param {() => boolean} isCurrent
   * @returns {Promise<boolean>} whether there are more that the search doesn't reach
   */
  async #read(search, isCurrent) {
    let next = search;
    for (let pages = 0; pages < PAGES; pages++) {
      const page = await this.#chat()?.nearby(next);
      if (!page || !isCurrent()) return false;
      this.#next = page.cursor ? { ...search, cursor: page.cursor } : undefined;
      for (const room of page.rooms) {
        if (this.#rooms.has(room.chatRoomId)) continue; // it moved between two pages
        this.#rooms.set(room.chatRoomId, room);
        this.#list.append(this.#row(room));
      }
      if (page.rooms.length > 0 || !this.#next) return page.limited ?? false;
      next = this.#next;
    }
    return false;
  }

  /**
   * Says what was found.
   * @param {boolean} limited
   * @param {number} radius m
   */
  #told(limited, radius) {
    this.#more.hidden = !this.#next;
    const count = this.#rooms.size;
    const found =
      count > 0
        ? `${counted(count, "room", "rooms")}, the nearest first.`
        : this.#next
          ? "Nothing yet. Show more to go on."
          : `No public room has a place within ${distance(radius)}.`;
    this.#status.textContent = limited ? `${found} There are more, which are too far away to be listed.` : found;
  }

  /** @param {NearbyRoom} room */
  #row({ chatRoomId, name, distance: metres, place }) {
    const isIn = Boolean(this.#chat()?.rooms.get(chatRoomId));
    const open = el(
      "button",
      { type: "button", "data-testid": isIn ? "nearby-open" : "nearby-join" },
      isIn ? "Open" : "Join",
      el("span", { class: "unseen", dir: "auto" }, ` ${name}`),
    );
    open.addEventListener("click", () => void this.#enter(chatRoomId, open));
    const about = [distance(metres), isIn && "you are in it"].filter(Boolean).join(" · ");
    const text = placeText(place, Date.now());
    return el(
      "li",
      { "data-testid": "nearby-room", "data-room-id": chatRoomId },
      el(
        "div",
        {},
        el("p", { class: "nearby-name", dir: "auto" }, name),
        el("p", { class: "hint" }, about),
        ...(text ? [el("p", { class: "hint", dir: "auto" }, text)] : []),
      ),
      open,
    );
  }

  /**
   * Opens a room; one joins it first.
   * @param {string} chatRoomId
   * @param {HTMLButtonElement} button
   */
  async #enter(chatRoomId, button) {
    const chat = this.#chat();
    const search = this.#searches;
    if (!chat || button.disabled) return;
    this.#problem.textContent = "";
    button.disabled = true;
    try {
      if (!chat.rooms.get(chatRoomId)) await chat.join(chatRoomId);
    } catch (err) {
      if (search === this.#searches) {
        const failure = Failure.from(err);
        this.#problem.textContent =
          failure.code === "not_a_member" ? "This room is not public any more." : describe(failure);
        button.disabled = false;
        button.focus();
      }
      return;
    }
    if (search !== this.#searches) return;
    this.#dialog.close();
    this.#goTo(chatRoomId);
  }
}
