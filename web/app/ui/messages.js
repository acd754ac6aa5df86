// The messages of the open room. Only some of them are in the page at a time: a
// slice around what is in view, which slides as one scrolls.

import { indexOf } from "../../lib/timeline.js";
import { MessageActions } from "./actions.js";
import { arrange, byId, within } from "./dom.js";
import { itemOf, itemOfOutgoing, Row } from "./message.js";
import { counted } from "./words.js";

/**
 * @typedef {import("../../lib/streamroom.js").Message} Message
 * @typedef {import("../../lib/streamroom.js").Outgoing} Outgoing
 * @typedef {import("./message.js").Item} Item
 */

/** Messages in the page: at first, at most, and how many more when its edge comes near. */
const SLICE = 80;
const MOST = 200;
const STEP = 60;
/** Closer to the end than this counts as at the end (px). */
const NEAR = 60;
/** How long a message that was looked for stays marked (ms). */
const FOUND = 2_000;
/** Closer to an edge of the slice than this slides it, or asks for older messages (px). */
const NEAR_EDGE = 400;

/**
 * What is shown.
 * @typedef {object} Shown
 * @property {readonly Message[]} messages
 * @property {Outgoing[]} outgoing
 * @property {boolean} hasOlder
 * @property {boolean} loadingOlder
 * @property {string} me
 * @property {boolean} moderates whether the reader may delete what others wrote
 * @property {number} now ms since 1970
 * @property {string} divider the id of the first message that is new to the reader; empty for none
 * @property {(userId: string) => string} nameOf
 * @property {(userId: string) => string[]} namesOf by which a mention may name someone
 * @property {(message: Message) => string[]} readersOf
 * @property {(message: Message) => import("../../lib/reactions.js").Shown[]} reactionsOf
 */

export class MessagesView {
  #scroller = byId("scroller", HTMLElement);
  #list = byId("messages", HTMLElement);
  #older = byId("older", HTMLButtonElement);
  #newest = byId("newest", HTMLButtonElement);
  #newestText = within(this.#newest, "span", HTMLElement);
  #actions;
  /** @type {Map<string, Row>} by key, in their order */
  #rows = new Map();
  /** @type {WeakMap<Element, Row>} */
  #rowOf = new WeakMap();
  /** @type {Shown|undefined} */
  #shown;
  /** The first message of the slice; empty for as many as fit at the end. */
  #from = "";
  /** The last message of the slice; empty when it goes on to the end. */
  #to = "";
  #atEnd = true;
  /** Messages of others that arrived below what is in view. */
  #below = 0;
  #settling = false;
  /** Whether all messages are in the page, for paper. */
  #printing = false;
  /** The scroller's size when it was last looked at. */
  #size = "";
  /** Where it was scrolled to then. */
  #top = 0;
  #on;

  /**
   * @param {object} on
   * @param {(asked: boolean) => void} on.older more history is wanted; asked: by the reader, who pressed the button
   * @param {(messageId: string) => void} on.seen a message came into view: the last one there
   * @param {(clientMessageId: string) => void} on.retry
   * @param {(clientMessageId: string) => void} on.discard
   * @param {import("./actions.js").Acts} on.acts
   * @param {(messageId: string) => void} on.quoted a message that is quoted is wanted
   * @param {(message: Message, reaction: string, add: boolean) => void} on.react
   * @param {import("./attachment.js").LinkTo} on.linkTo
   * @param {(err: unknown) => void} on.failed a file could not be opened
   * @param {() => void} on.rendered other messages are in the page, or the same ones changed
   * @param {() => void} on.leave the keyboard goes back to writing
   */
  constructor(on) {
    this.#on = on;
    this.#actions = new MessageActions(on.acts, () => this.#rowAt(this.#actions.element)?.message);
    this.#older.addEventListener("click", () => on.older(true));
    this.#newest.addEventListener("click", () => this.toEnd());
    this.#scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#scroller.addEventListener("keydown", (event) => this.#key(event));
    for (const kind of ["pointerover", "focusin"]) {
      this.#list.addEventListener(kind, (event) => this.#offer(event.target));
    }
    this.#scroller.addEventListener("pointerleave", (event) => {
      // A finger leaves whenever it is lifted.
      const { element } = this.#actions;
      if (event.pointerType !== "touch" && !element.parentElement?.contains(document.activeElement)) element.remove();
    });
    window.addEventListener("beforeprint", () => this.#print(true));
    window.addEventListener("afterprint", () => this.#print(false));
    // What changes its height (the window, an image of the keyboard) keeps the end in view.
    new ResizeObserver(() => {
      this.#size = this.#sizeNow();
      if (this.#atEnd) this.#scrollToEnd();
    }).observe(this.#scroller);
  }

  /** Forgets the room that was shown. */
  clear() {
    for (const row of this.#rows.values()) row.end();
    this.#rows.clear();
    this.#shown = undefined;
    this.#list.replaceChildren();
    this.#from = this.#to = "";
    this.#atEnd = true;
    this.#below = 0;
    this.#showNewest();
  }

  /** @param {boolean} visible */
  set visible(visible) {
    this.#scroller.hidden = !visible;
  }

  /** Whether the newest message is in view. */
  get atEnd() {
    return this.#atEnd && this.#to === "";
  }

  /** @param {Shown} shown */
  show(shown) {
    this.#shown = shown;
    this.#older.disabled = shown.loadingOlder;
    this.#older.textContent = shown.loadingOlder ? "Loading…" : "Earlier messages";
    this.#renderInPlace();
    // At once, or the room would be marked as unread for a moment.
    if (this.atEnd) this.#tellSeen();
    this.#settle();
  }

  /** Someone else's message came in. */
  arrived() {
    if (this.atEnd) return;
    this.#below++;
    this.#showNewest();
  }

  toEnd() {
    this.#from = this.#to = "";
    this.#atEnd = true;
    this.#below = 0;
    if (this.#shown) this.#render();
    this.#scrollToEnd();
    this.#showNewest();
    this.#settle();
  }

  /**
   * Brings a message into view, with a little of what came before it.
   * @param {string} messageId
   */
  toMessage(messageId) {
    if (!this.#shown) return;
    const { messages } = this.#shown;
    const at = indexOf(messages, messageId);
    this.#from = messages[Math.max(0, at - STEP / 2)]?.messageId ?? "";
    this.#to = messages[at + SLICE]?.messageId ?? "";
    this.#render();
    const row = this.#rowOfMessage(messageId);
    if (!row) return;
    const top = row.element.getBoundingClientRect().top - this.#scroller.getBoundingClientRect().top;
    this.#scroller.scrollTop += top - this.#scroller.clientHeight / 4;
    this.#look();
  }

  /**
   * Leads the reader to a message, and shows which one it is.
   * @param {string} messageId
   * @returns {boolean} whether it is held
   */
  find(messageId) {
    if (!this.#held(messageId)) return false;
    this.toMessage(messageId);
    this.focus(messageId);
    const found = this.#rowOfMessage(messageId)?.element;
    found?.classList.add("found");
    setTimeout(() => found?.classList.remove("found"), FOUND);
    return true;
  }

  /** @param {string} messageId */
  #rowOfMessage(messageId) {
    return [...this.#rows.values()].find((row) => row.item?.messageId === messageId);
  }

  /** @param {string} messageId */
  #held(messageId) {
    const { messages } = /** @type {Shown} */ (this.#shown);
    const message = messages[indexOf(messages, messageId)];
    return message?.messageId === messageId ? message : undefined;
  }

  /**
   * Gives a message the focus, to be found by the keyboard.
   * @param {string} messageId
   */
  focus(messageId) {
    this.#rowOfMessage(messageId)?.element.focus();
  }

  /** Puts the slice into the page; what is in view stays there. */
  #renderInPlace() {
    // The reader may have scrolled a moment ago, and the event of that is still to come.
    if (this.#scroller.scrollTop !== this.#top) this.#scrolled();
    const restore = this.atEnd ? () => this.#scrollToEnd() : this.#anchor();
    this.#render();
    restore?.();
  }

  /** @param {boolean} printing paper has no scroll bar: all messages that are held go there */
  #print(printing) {
    this.#printing = printing;
    if (this.#shown && !this.#scroller.hidden) this.#renderInPlace();
  }

  /**
   * Where the slice begins, and where it ends.
   * @param {readonly Message[]} messages
   */
  #slice(messages) {
    if (this.atEnd && this.#from && messages.length - indexOf(messages, this.#from) > MOST) this.#from = "";
    const end = this.#to ? indexAfter(messages, this.#to) : messages.length;
    const start = this.#from ? indexOf(messages, this.#from) : Math.max(0, end - SLICE);
    // New messages don't push the slice's start away while one reads there.
    this.#from = messages[start]?.messageId ?? "";
    if (!this.#to && !this.#atEnd && end - start > MOST) this.#to = messages[end - 1].messageId;
    return [start, end];
  }

  /** Puts the slice into the page. */
  #render() {
    const { messages, outgoing, hasOlder, divider, ...among } = /** @type {Shown} */ (this.#shown);
    const [start, end] = this.#printing ? [0, messages.length] : this.#slice(messages);
    const items = messages.slice(start, end).map(itemOf);
    if (!this.#to || this.#printing) items.push(...outgoing.map((o) => itemOfOutgoing(o, among.me)));
    /** @type {Map<string, Row>} */
    const rows = new Map();
    const held = (/** @type {string} */ messageId) => this.#held(messageId);
    let previous = start > 0 ? itemOf(messages[start - 1]) : undefined;
    for (const item of items) {
      const row = this.#rows.get(item.key) ?? this.#newRow();
      const fresh = divider !== "" && item.messageId === divider;
      row.show(item, { ...among, previous, fresh, held });
      rows.set(item.key, row);
      previous = item;
    }
    for (const [key, row] of this.#rows) if (!rows.has(key)) row.end();
    this.#rows = rows;
    arrange(
      this.#list,
      [...rows.values()].map((row) => row.element),
    );
    this.#older.hidden = !hasOlder || start > 0;
    const offered = this.#actions.element.closest("li");
    if (offered) this.#offer(offered);
    this.#on.rendered();
  }

  #newRow() {
    const row = new Row(this.#on);
    this.#rowOf.set(row.element, row);
    return row;
  }

  #scrollToEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#top = this.#scroller.scrollTop;
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
        if (element.isConnected) this.#scroller.scrollTop += element.getBoundingClientRect().top - box.top;
        this.#top = this.#scroller.scrollTop;
      };
    }
    return undefined;
  }

  #scrolled() {
    if (!this.#shown || this.#scroller.hidden) return;
    // A change of size scrolls, too; it isn't the reader who left the end then.
    if (this.#size === this.#sizeNow()) this.#look();
  }

  /** Finds out where the reader is. */
  #look() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    this.#top = scrollTop;
    this.#atEnd = scrollHeight - scrollTop - clientHeight < NEAR;
    if (this.atEnd) this.#below = 0;
    this.#showNewest();
    this.#settle();
  }

  #sizeNow() {
    return `${this.#scroller.clientWidth}x${this.#scroller.clientHeight}`;
  }

  /** Looks at what is in view, once for all that happens until the next frame. */
  #settle() {
    if (this.#settling) return;
    this.#settling = true;
    requestAnimationFrame(() => {
      this.#settling = false;
      this.#slide();
      this.#tellSeen();
    });
  }

  /** Moves the slice when one of its edges is near. */
  #slide() {
    if (!this.#shown || this.#scroller.hidden || this.#printing) return;
    const { messages, hasOlder, loadingOlder } = this.#shown;
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    const start = this.#from ? indexOf(messages, this.#from) : 0;
    const end = this.#to ? indexAfter(messages, this.#to) : messages.length;
    if (scrollTop < NEAR_EDGE && start > 0) {
      const from = Math.max(0, start - STEP);
      this.#from = messages[from].messageId;
      if (end - from > MOST) this.#to = messages[from + MOST - 1].messageId;
    } else if (scrollHeight - scrollTop - clientHeight < NEAR_EDGE && this.#to) {
      const to = end + STEP;
      this.#to = to < messages.length ? messages[to - 1].messageId : "";
      this.#from = messages[Math.max(start, Math.min(to, messages.length) - MOST)].messageId;
    } else {
      if (scrollTop < NEAR_EDGE && hasOlder && !loadingOlder) this.#on.older(false);
      return;
    }
    const restore = this.#anchor();
    this.#render();
    restore?.();
    this.#look();
  }

  /** Says which message is the last in view. */
  #tellSeen() {
    if (!this.#shown || this.#scroller.hidden) return;
    const bottom = this.#scroller.getBoundingClientRect().bottom;
    for (const row of [...this.#rows.values()].reverse()) {
      if (!row.item?.messageId || (!this.atEnd && row.element.getBoundingClientRect().bottom > bottom + 1)) continue;
      this.#on.seen(row.item.messageId);
      return;
    }
  }

  #showNewest() {
    this.#newest.hidden = this.atEnd;
    this.#newestText.textContent = this.#below > 0 ? counted(this.#below, "new message", "new messages") : "Newest";
  }

  /**
   * Shows what can be done with a message.
   * @param {EventTarget|null} target
   */
  #offer(target) {
    this.#actions.offer(this.#rowAt(target));
  }

  /** @param {EventTarget|null} target */
  #rowAt(target) {
    const element = target instanceof Element ? target.closest("li") : null;
    return element ? this.#rowOf.get(element) : undefined;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const row = this.#rowAt(event.target);
    const rows = [...this.#rows.values()];
    const at = row ? rows.indexOf(row) : rows.length;
    const key = event.key.length === 1 ? letterOf(event) : event.key;
    switch (key) {
      case "ArrowUp":
        rows[Math.max(0, at - 1)]?.element.focus();
        break;
      case "ArrowDown":
        if (at >= rows.length - 1) this.#on.leave();
        else rows[at + 1].element.focus();
        break;
      case "Home":
        rows[0]?.element.focus();
        break;
      case "End":
        this.toEnd();
        [...this.#rows.values()].at(-1)?.element.focus();
        break;
      case "Escape":
        this.#on.leave();
        break;
      default:
        if (!this.#actions.press(key, row)) return;
    }
    event.preventDefault();
  }
}

/**
 * The letter of a key: that of its place, where another script is written.
 * @param {KeyboardEvent} event
 */
const letterOf = ({ code, key }) => (code.startsWith("Key") ? code.slice(3) : key).toLowerCase();

/**
 * Where the first message after an id is.
 * @param {readonly Message[]} messages
 * @param {string} id
 */
function indexAfter(messages, id) {
  const at = indexOf(messages, id);
  return messages[at]?.messageId === id ? at + 1 : at;
}
