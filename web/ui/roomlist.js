// The list of rooms.

import { arrange, becomeAvatar, byId, el } from "./dom.js";
import { briefly } from "./words.js";

/** @typedef {import("../streamroom.js").RoomSummary} RoomSummary */

/**
 * Where a room is in the page's address.
 * @param {string} chatRoomId
 */
export const addressOf = (chatRoomId) => `#/room/${encodeURIComponent(chatRoomId)}`;

/**
 * What a room is called.
 * @param {{name?: string, type: string, chatRoomId: string}} room
 */
export function titleOf(room) {
  return room.name || (room.type === "dm" ? "Direct message" : room.chatRoomId);
}

export class RoomListView {
  #list = byId("rooms", HTMLElement);
  #note = byId("rooms-note", HTMLElement);
  /** @type {Map<string, Row>} */
  #rows = new Map();

  /**
   * @param {object} what
   * @param {RoomSummary[]} what.rooms in their order
   * @param {boolean} what.loaded
   * @param {string} what.open the open room's id
   * @param {string} what.me
   * @param {(chatRoomId: string) => number} what.unread
   * @param {number} what.now ms since 1970
   */
  show({ rooms, loaded, open, me, unread, now }) {
    const rows = rooms.map((room) => {
      const row = this.#rows.get(room.chatRoomId) ?? new Row(room.chatRoomId);
      row.show(room, { open: room.chatRoomId === open, me, unread: unread(room.chatRoomId), now });
      return row;
    });
    this.#rows = new Map(rows.map((row) => [row.chatRoomId, row]));
    // Moving the focused row would take its focus away.
    const focused = document.activeElement;
    arrange(this.#list, rows.map((row) => row.element));
    if (focused instanceof HTMLElement && this.#list.contains(focused)) focused.focus();
    this.#note.textContent = rooms.length > 0 ? "" : loaded
      ? "You are in no room yet. Make one with “New room”, or ask somebody to add you to theirs."
      : "Loading rooms…";
  }
}

class Row {
  #avatar = el("span", { class: "avatar", "aria-hidden": "true" });
  #name = el("span", { class: "room-item-name", dir: "auto" });
  #time = el("time", { class: "room-item-time" });
  #preview = el("span", { class: "room-item-preview", dir: "auto" });
  #unread = el("span", { class: "badge" });
  #link = el("a", { class: "room-item", "data-testid": "room-item" },
    this.#avatar,
    el("span", { class: "room-item-text" },
      el("span", { class: "room-item-line" }, this.#name, this.#time),
      el("span", { class: "room-item-line" }, this.#preview, this.#unread)));

  /** @param {string} chatRoomId */
  constructor(chatRoomId) {
    this.chatRoomId = chatRoomId;
    this.element = el("li", {}, this.#link);
    this.#link.href = addressOf(chatRoomId);
    this.#link.dataset.roomId = chatRoomId;
  }

  /**
   * @param {RoomSummary} room
   * @param {{open: boolean, me: string, unread: number, now: number}} more
   */
  show(room, { open, me, unread, now }) {
    const title = titleOf(room);
    const last = room.lastMessage;
    becomeAvatar(this.#avatar, title);
    this.#name.textContent = title;
    this.#time.textContent = last ? briefly(last.timestamp, now) : "";
    this.#preview.textContent = last ? `${last.senderId === me ? "You" : last.senderId}: ${last.preview || "Message deleted"}` : "No messages yet";
    this.#unread.hidden = unread === 0;
    this.#unread.textContent = unread > 99 ? "99+" : String(unread);
    this.#unread.setAttribute("aria-label", `${unread} unread`);
    this.#link.classList.toggle("has-unread", unread > 0);
    if (open) this.#link.setAttribute("aria-current", "page");
    else this.#link.removeAttribute("aria-current");
  }
}
