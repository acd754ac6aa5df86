// The messages of the open room.

import { arrange, becomeAvatar, byId, el, hueOf, icon, within } from "./dom.js";
import { counted, dayName, dayOf, describe, fullTimeOf, timeOfDay } from "./words.js";

/**
 * @typedef {import("../streamroom.js").Message} Message
 * @typedef {import("../streamroom.js").Outgoing} Outgoing
 */

/** Messages of one sender closer than this stand together (ms). */
const TOGETHER = 5 * 60_000;
/** Closer to the end than this counts as at the end (px). */
const NEAR = 60;
/** Closer to the start than this asks for older messages (px). */
const NEAR_START = 300;

/**
 * A message or one on its way, as it is shown.
 * @typedef {object} Item
 * @property {string} key the same before and after the server has it
 * @property {string} [messageId]
 * @property {string} senderId
 * @property {string} text
 * @property {number} timestamp
 * @property {"waiting"|"sending"|"failed"|"sent"} status
 * @property {Outgoing} [outgoing]
 * @property {boolean} [edited]
 * @property {boolean} [deleted]
 */

export class MessagesView {
  #scroller = byId("scroller", HTMLElement);
  #list = byId("messages", HTMLElement);
  #older = byId("older", HTMLButtonElement);
  #newest = byId("newest", HTMLButtonElement);
  #newestText = within(this.#newest, "span", HTMLElement);
  /** @type {Map<string, Row>} */
  #rows = new Map();
  #atEnd = true;
  /** Messages of others that arrived below what is in view. */
  #below = 0;
  #on;

  /**
   * @param {object} on
   * @param {() => void} on.older more history is wanted
   * @param {(clientMessageId: string) => void} on.retry
   * @param {(clientMessageId: string) => void} on.discard
   */
  constructor(on) {
    this.#on = on;
    this.#older.addEventListener("click", () => on.older());
    this.#newest.addEventListener("click", () => this.toEnd());
    this.#scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    // What changes its height (the window, an image of the keyboard) keeps the end in view.
    new ResizeObserver(() => {
      if (this.#atEnd) this.toEnd();
    }).observe(this.#scroller);
  }

  /** Forgets the room that was shown. */
  clear() {
    this.#rows.clear();
    this.#list.replaceChildren();
    this.#atEnd = true;
    this.#below = 0;
    this.#showNewest();
  }

  /** @param {boolean} visible */
  set visible(visible) {
    this.#scroller.hidden = !visible;
  }

  /**
   * @param {object} what
   * @param {readonly Message[]} what.messages
   * @param {Outgoing[]} what.outgoing
   * @param {boolean} what.hasOlder
   * @param {boolean} what.loadingOlder
   * @param {string} what.me
   * @param {number} what.now ms since 1970
   */
  show({ messages, outgoing, hasOlder, loadingOlder, me, now }) {
    this.#older.hidden = !hasOlder;
    this.#older.disabled = loadingOlder;
    this.#older.textContent = loadingOlder ? "Loading…" : "Earlier messages";

    const restore = this.#atEnd ? () => this.toEnd() : this.#anchor();
    const items = [...messages.map(itemOf), ...outgoing.map((o) => itemOfOutgoing(o, me))];
    /** @type {Map<string, Row>} */
    const rows = new Map();
    /** @type {Item|undefined} */
    let previous;
    for (const item of items) {
      const row = this.#rows.get(item.key) ?? new Row(this.#on);
      row.show(item, { previous, me, now });
      rows.set(item.key, row);
      previous = item;
    }
    this.#rows = rows;
    arrange(this.#list, [...rows.values()].map((row) => row.element));
    restore?.();
  }

  /** Somebody else's message came in. */
  arrived() {
    if (this.#atEnd) return;
    this.#below++;
    this.#showNewest();
  }

  toEnd() {
    this.#atEnd = true;
    this.#below = 0;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#showNewest();
  }

  /**
   * Remembers what is in view.
   * @returns {(() => void)|undefined} brings it back to where it was
   */
  #anchor() {
    const top = this.#scroller.getBoundingClientRect().top;
    for (const { element } of this.#rows.values()) {
      const box = element.getBoundingClientRect();
      if (box.bottom < top) continue;
      return () => {
        this.#scroller.scrollTop += element.getBoundingClientRect().top - box.top;
      };
    }
    return undefined;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    this.#atEnd = scrollHeight - scrollTop - clientHeight < NEAR;
    if (this.#atEnd) this.#below = 0;
    this.#showNewest();
    if (scrollTop < NEAR_START && !this.#older.hidden && !this.#older.disabled) this.#on.older();
  }

  #showNewest() {
    this.#newest.hidden = this.#atEnd;
    this.#newestText.textContent = this.#below > 0 ? counted(this.#below, "new message", "new messages") : "Newest";
  }
}

/**
 * @param {Message} m
 * @returns {Item}
 */
function itemOf(m) {
  return {
    key: m.clientMessageId ?? m.messageId,
    messageId: m.messageId,
    senderId: m.senderId,
    text: m.content ?? "",
    timestamp: m.timestamp,
    status: "sent",
    edited: m.editedAt !== undefined,
    deleted: m.deletedAt !== undefined,
  };
}

/**
 * @param {Outgoing} outgoing
 * @param {string} me
 * @returns {Item}
 */
function itemOfOutgoing(outgoing, me) {
  return {
    key: outgoing.clientMessageId,
    senderId: me,
    text: outgoing.content,
    timestamp: outgoing.createdAt,
    status: outgoing.status,
    outgoing,
  };
}

class Row {
  #day = el("p", { class: "day" });
  #avatar = el("span", { "aria-hidden": "true" });
  #sender = el("span", { dir: "auto" });
  #text = el("p", { class: "text", dir: "auto" });
  #edited = el("span", {}, "edited");
  #time = el("time");
  #mark = el("span", { class: "mark" });
  #problem = el("p", { class: "unsent" });
  #body = el("div", { class: "message-body" }, this.#avatar,
    el("div", { class: "bubble" }, this.#sender,
      el("div", { class: "said" }, this.#text, el("p", { class: "meta" }, this.#edited, this.#time, this.#mark))));
  #shown = "";
  #on;

  /** @param {{retry: (clientMessageId: string) => void, discard: (clientMessageId: string) => void}} on */
  constructor(on) {
    this.#on = on;
    this.element = el("li", { class: "message", "data-testid": "message" }, this.#day, this.#body, this.#problem);
  }

  /**
   * @param {Item} item
   * @param {{previous: Item|undefined, me: string, now: number}} among
   */
  show(item, { previous, me, now }) {
    const newDay = !previous || dayOf(previous.timestamp) !== dayOf(item.timestamp);
    const first = newDay || previous?.senderId !== item.senderId || item.timestamp - previous.timestamp > TOGETHER;
    const own = item.senderId === me;
    const day = newDay ? dayName(item.timestamp, now) : "";
    const { messageId = "", status, edited, deleted, outgoing } = item;
    const shown = JSON.stringify([messageId, status, edited, deleted, item.text, first, own, day, outgoing?.failure?.code]);
    if (shown === this.#shown) return;
    this.#shown = shown;

    const { element } = this;
    element.classList.toggle("own", own);
    element.classList.toggle("first", first);
    element.dataset.status = status;
    if (messageId) element.dataset.messageId = messageId;
    this.#day.hidden = !day;
    this.#day.textContent = day;
    becomeAvatar(this.#avatar, item.senderId);
    // Who wrote is said on every message, but seen once.
    this.#sender.className = own || !first ? "unseen" : `sender hue-${hueOf(item.senderId)}`;
    this.#sender.textContent = own ? "You" : item.senderId;
    this.#text.textContent = deleted ? "Message deleted" : item.text;
    this.#text.classList.toggle("deleted", Boolean(deleted));
    this.#edited.hidden = !edited || Boolean(deleted);
    this.#time.dateTime = new Date(item.timestamp).toISOString();
    this.#time.title = fullTimeOf(item.timestamp);
    this.#time.textContent = timeOfDay(item.timestamp);
    this.#showMark(own ? status : undefined);
    this.#showProblem(outgoing);
  }

  /** @param {Item["status"]|undefined} status */
  #showMark(status) {
    const words = { waiting: "Waiting", sending: "Sending", sent: "Sent", failed: "Not sent" };
    this.#mark.hidden = status === undefined || status === "failed";
    if (status === undefined) return;
    this.#mark.replaceChildren(icon(status === "sent" ? "sent" : "waiting"), el("span", { class: "unseen" }, words[status]));
  }

  /** @param {Outgoing|undefined} outgoing */
  #showProblem(outgoing) {
    this.#problem.hidden = outgoing?.status !== "failed";
    this.#problem.replaceChildren();
    if (outgoing?.status !== "failed") return;
    const retry = el("button", { type: "button", class: "link", "data-testid": "retry" }, "Try again");
    const discard = el("button", { type: "button", class: "link", "data-testid": "discard" }, "Delete");
    retry.addEventListener("click", () => this.#on.retry(outgoing.clientMessageId));
    discard.addEventListener("click", () => this.#on.discard(outgoing.clientMessageId));
    this.#problem.append("Not sent. ", outgoing.failure ? describe(outgoing.failure) : "", " ", retry, " ", discard);
  }
}
