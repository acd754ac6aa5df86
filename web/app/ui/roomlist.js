// The list of rooms.

import { beginning, isolated, MOST_UNREAD } from "../../lib/streamroom.js";
import { arrange, becomeAvatar, byId, el } from "./dom.js";
import { briefly, counted, dayOf, filesIn, zone } from "./words.js";

/** @typedef {import("../../lib/streamroom.js").RoomSummary} RoomSummary */

/**
 * Where a room is in the page's address.
 * @param {string} chatRoomId
 */
export const addressOf = (chatRoomId) => `#/room/${encodeURIComponent(chatRoomId)}`;

/**
 * What is shown.
 * @typedef {object} Shown
 * @property {RoomSummary[]} rooms in their order
 * @property {boolean} loaded
 * @property {string} open the open room's id
 * @property {string} me
 * @property {number} now ms since 1970
 * @property {(room: RoomSummary) => import("../../lib/streamroom.js").Outgoing|undefined} failedIn a message that could not be sent there
 * @property {(room: RoomSummary) => string} titleOf
 * @property {(userId: string) => string} nameOf
 * @property {(room: RoomSummary) => boolean} onlineIn whether the other one of a direct message is online
 */

/** The keys that move through the list, and where to from a place in it. */
const MOVES = /** @type {Record<string, (at: number, count: number) => number>} */ ({
  ArrowUp: (at) => Math.max(0, at - 1),
  ArrowDown: (at, count) => Math.min(count - 1, at + 1),
  Home: () => 0,
  End: (_, count) => count - 1,
});

export class RoomListView {
  #list = byId("rooms", HTMLElement);
  #note = byId("rooms-note", HTMLElement);
  /** @type {Map<string, Row>} in their order */
  #rows = new Map();
  /** The one room that Tab reaches; arrows reach the others. */
  #stop = "";
  #open = "";

  constructor() {
    this.#list.addEventListener("keydown", (event) => {
      const move = event.altKey || event.ctrlKey || event.metaKey ? undefined : MOVES[event.key];
      const links = [...this.#rows.values()].map((row) => row.link);
      const at = links.indexOf(/** @type {HTMLAnchorElement} */ (document.activeElement));
      if (!move || at < 0) return;
      event.preventDefault();
      links[move(at, links.length)].focus();
    });
    this.#list.addEventListener("focusin", (event) => {
      const id = event.target instanceof HTMLElement ? event.target.dataset.roomId : undefined;
      if (id) this.#stopAt(id);
    });
  }

  /** @param {Shown} shown */
  show(shown) {
    const { rooms, loaded, open } = shown;
    const rows = rooms.map((room) => {
      const row = this.#rows.get(room.chatRoomId) ?? new Row(room.chatRoomId);
      row.show(room, shown);
      return row;
    });
    this.#rows = new Map(rows.map((row) => [row.chatRoomId, row]));
    // Moving the focused row would take its focus away.
    const focused = document.activeElement;
    arrange(
      this.#list,
      rows.map((row) => row.element),
    );
    if (focused instanceof HTMLElement && focused !== document.activeElement && this.#list.contains(focused))
      focused.focus();
    if (open !== this.#open || !this.#rows.has(this.#stop))
      this.#stop = this.#rows.has(open) ? open : (rows[0]?.chatRoomId ?? "");
    this.#open = open;
    this.#stopAt(this.#stop);
    this.#note.textContent =
      rooms.length > 0
        ? ""
        : loaded
          ? "You are not in a room yet. Make one, write to someone, or ask to be added to a room."
          : "Loading rooms…";
  }

  /** Forgets the rooms: their user signed out. */
  clear() {
    this.#rows.clear();
    this.#list.replaceChildren();
    this.#note.textContent = this.#stop = this.#open = "";
  }

  /** @param {string} chatRoomId */
  #stopAt(chatRoomId) {
    this.#stop = chatRoomId;
    for (const row of this.#rows.values()) row.reachable = row.chatRoomId === chatRoomId;
  }
}

class Row {
  #avatar = el("span", { class: "avatar", "aria-hidden": "true" });
  #name = el("span", { class: "room-item-name", dir: "auto" });
  #online = el("span", { class: "unseen" });
  #time = el("time", { class: "room-item-time", dir: "auto" });
  #preview = el("span", { class: "room-item-preview", dir: "auto" });
  #mentions = el("span", { class: "badge mentions", "data-testid": "mentions" });
  #unread = el("span", { class: "badge", "data-testid": "unread" });
  #unreadWords = el("span", { class: "unseen" });
  #counts = el("span", { class: "room-item-counts" }, this.#mentions, this.#unread, this.#unreadWords);
  #shown = "";
  /** @type {boolean|undefined} */
  #reachable;
  link = el(
    "a",
    { class: "room-item", "data-testid": "room-item" },
    this.#avatar,
    el(
      "span",
      { class: "room-item-text" },
      el("span", { class: "room-item-line" }, this.#name, this.#online, this.#time),
      el("span", { class: "room-item-line" }, this.#preview, this.#counts),
    ),
  );

  /** @param {string} chatRoomId */
  constructor(chatRoomId) {
    this.chatRoomId = chatRoomId;
    this.element = el("li", {}, this.link);
    this.link.href = addressOf(chatRoomId);
    this.link.dataset.roomId = chatRoomId;
  }

  /** @param {boolean} reachable by Tab */
  set reachable(reachable) {
    if (reachable !== this.#reachable) this.link.tabIndex = reachable ? 0 : -1;
    this.#reachable = reachable;
  }

  /**
   * @param {RoomSummary} room
   * @param {Shown} among
   */
  show(room, { open, me, now, failedIn, titleOf, nameOf, onlineIn }) {
    const title = titleOf(room);
    const last = room.lastMessage;
    const { unread = 0, unreadMore, mentions = 0 } = room;
    const current = room.chatRoomId === open;
    const said = last?.deletedAt ? "Message deleted" : isolated(last?.preview || filesIn(last?.attachments ?? 0));
    const by =
      last && (last.senderId === me ? "You: " : room.type === "dm" ? "" : `${isolated(nameOf(last.senderId))}: `);
    const online = onlineIn(room);
    const failed = failedIn(room);
    const unsent =
      failed && `Not sent: ${isolated(beginning(failed.content, 140) || filesIn(failed.attachments?.length ?? 0))}`;
    // The list's last message follows within seconds, its count at once.
    const preview = unsent ?? (last ? by + said : unread > 0 ? "New messages" : "No messages yet");
    // Hundreds of rooms are looked at with every message that arrives: nothing is formatted without need.
    const counts = [unread, unreadMore, mentions];
    const shown = [title, preview, last?.timestamp, dayOf(now), ...counts, current, room.type, online, zone()].join(
      "\0",
    );
    if (shown === this.#shown) return;
    this.#shown = shown;
    becomeAvatar(this.#avatar, title);
    this.#avatar.classList.toggle("person", room.type === "dm");
    this.#avatar.classList.toggle("online", online);
    this.#online.textContent = online ? "online" : "";
    this.#name.textContent = title;
    this.#time.textContent = last ? briefly(last.timestamp, now) : "";
    this.#preview.textContent = preview;
    this.#unread.hidden = unread === 0;
    this.#unread.textContent = unread >= MOST_UNREAD ? "99+" : `${unread}${unreadMore ? "+" : ""}`;
    this.#mentions.hidden = mentions === 0;
    this.#mentions.textContent = `@${mentions}`;
    const calls = mentions > 0 ? `, ${counted(mentions, "mention", "mentions")} of you` : "";
    this.#unreadWords.textContent = unread > 0 ? `unread${calls}` : "";
    this.link.classList.toggle("has-unread", unread > 0);
    this.link.classList.toggle("has-unsent", unsent !== undefined);
    if (current) this.link.setAttribute("aria-current", "page");
    else this.link.removeAttribute("aria-current");
  }
}
