// Search within the open room: in what is loaded, and page by page in what is older.

import { beginning, isolated } from "../../lib/streamroom.js";
import { announce, byId } from "./dom.js";
import { Sought } from "./finding.js";
import { partsOf } from "./parts.js";
import { briefly, counted, fileName } from "./words.js";

/**
 * @typedef {import("../../lib/streamroom.js").Message} Message
 * @typedef {import("../../lib/streamroom.js").Streamroom} Streamroom
 */

/** How many older pages are read at once, of 100 messages each. */
const FAR = 20;
/** After the last key before what was found is announced (ms). */
const PAUSE = 600;

export class RoomSearch {
  #form = byId("search", HTMLFormElement);
  #input = byId("search-input", HTMLInputElement);
  #count = byId("search-count", HTMLElement);
  #earlier = byId("search-earlier", HTMLButtonElement);
  #messages = byId("messages", HTMLElement);
  /** @type {Sought|undefined} what is looked for */
  #sought;
  /** @type {string[]} ids of the messages that have it, newest first */
  #found = [];
  /** The one that the reader is at; empty for none. */
  #at = "";
  #searching = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #saying;
  #on;

  /**
   * @param {object} on
   * @param {() => {room: string, chat: Streamroom|undefined}} on.now what is open
   * @param {(messageId: string) => void} on.show brings a message into view
   * @param {(done: () => boolean, pages: number) => Promise<string>} on.older reads older messages until it is done
   * @param {(messageId: string) => void} on.leave the keyboard goes to a message; empty for none
   */
  constructor(on) {
    this.#on = on;
    this.#input.addEventListener("input", () => this.#typed());
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    byId("search-older", HTMLButtonElement).addEventListener("click", () => void this.#move(1));
    byId("search-newer", HTMLButtonElement).addEventListener("click", () => void this.#move(-1));
    this.#earlier.addEventListener("click", () => void this.#goBack());
    byId("search-close", HTMLButtonElement).addEventListener("click", () => this.close(true));
  }

  open() {
    this.#form.hidden = false;
    this.#input.focus();
    this.#input.select();
  }

  /** @param {boolean} [back] the keyboard goes back to the messages */
  close(back = false) {
    if (this.#form.hidden) return;
    const at = this.#at;
    this.#form.hidden = true;
    this.#input.value = this.#at = "";
    this.#sought = undefined;
    this.#found = [];
    clearTimeout(this.#saying);
    this.paint();
    if (back) this.#on.leave(at);
  }

  /**
   * Looks again: messages came, or changed.
   * @param {readonly Message[]} messages
   */
  update(messages) {
    if (this.#form.hidden) return;
    const { room, chat } = this.#on.now();
    const sought = this.#sought;
    this.#found = sought
      ? messages.flatMap((m) => (!m.deletedAt && sought.isIn(saidIn(m)) ? m.messageId : [])).reverse()
      : [];
    if (!this.#found.includes(this.#at)) this.#at = "";
    const hasOlder = chat?.timeline(room).hasOlder ?? false;
    this.#earlier.hidden = !sought || !hasOlder;
    const oldest = messages[0] && hasOlder ? `, back to ${briefly(messages[0].timestamp, Date.now())}` : "";
    const words = this.#searching ? "Searching earlier messages…" : sought ? `${this.#where()}${oldest}. ` : "";
    if (this.#count.textContent !== words) this.#count.textContent = words;
  }

  /** Shows what was found, in the messages that are in the page. */
  paint() {
    /** @type {Range[]} */
    const all = [];
    /** @type {Range[]} */
    const here = [];
    for (const row of this.#messages.children) {
      const isHere = this.#at !== "" && row instanceof HTMLElement && row.dataset.messageId === this.#at;
      row.classList.toggle("current", isHere);
      const text = this.#sought && row.querySelector(".text:not(.deleted)");
      if (text) (isHere ? here : all).push(...rangesIn(text, /** @type {Sought} */ (this.#sought)));
    }
    // Where a browser can't, the message that one is at stands out all the same.
    if (!globalThis.Highlight) return;
    CSS.highlights.set("search", new Highlight(...all));
    CSS.highlights.set("search-here", new Highlight(...here));
  }

  #where() {
    const count = this.#found.length;
    if (count === 0) return "No matches";
    return this.#at ? `${this.#found.indexOf(this.#at) + 1} of ${count}` : counted(count, "match", "matches");
  }

  #typed() {
    this.#sought = Sought.of(this.#input.value);
    this.#at = "";
    this.#look();
    this.#go(this.#found[0] ?? "");
    clearTimeout(this.#saying);
    if (this.#sought) this.#saying = setTimeout(() => this.#say(), PAUSE);
  }

  #look() {
    const { room, chat } = this.#on.now();
    this.update(chat?.timeline(room).messages ?? []);
  }

  /** @param {string} messageId empty for none */
  #go(messageId) {
    this.#at = messageId;
    if (messageId) this.#on.show(messageId);
    this.#look();
    this.paint();
  }

  #say() {
    const { room, chat } = this.#on.now();
    const message = chat?.timeline(room).messages.find((m) => m.messageId === this.#at);
    const text = message
      ? `: ${isolated(chat?.labelOf(message.senderId) ?? "")}: ${beginning(saidIn(message), 140)}`
      : "";
    announce(this.#where() + text);
  }

  /** @param {1|-1} by to an older match, or to a newer one */
  async #move(by) {
    if (!this.#sought) return;
    const next = this.#found[this.#at ? this.#found.indexOf(this.#at) + by : 0];
    if (next) {
      this.#go(next);
      this.#say();
    } else if (by === 1 && !this.#earlier.hidden) await this.#goBack();
    else announce(this.#found.length > 0 ? `No ${by === 1 ? "older" : "newer"} match` : "No matches", true);
  }

  /** Reads older messages until one has what is looked for. */
  async #goBack() {
    if (this.#searching) return;
    const sought = this.#sought;
    const before = this.#found.length;
    const focused = document.activeElement === this.#earlier;
    this.#searching = true;
    this.#look();
    const how = await this.#on.older(() => this.#found.length > before || this.#sought !== sought, FAR);
    this.#searching = false;
    this.#look();
    if (this.#earlier.hidden && focused) this.#input.focus(); // it goes
    if (how === "left" || how === "failed" || this.#sought !== sought) return;
    if (how === "there") {
      this.#go(this.#found[before]);
      this.#say();
    } else announce(how === "end" ? "No earlier matches in this room" : "No match in these messages: search on", true);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.isComposing || event.altKey || event.ctrlKey || event.metaKey) return;
    const older = event.key === "ArrowUp" || (event.key === "Enter" && !event.shiftKey);
    if (event.key === "Escape") this.close(true);
    else if (older) void this.#move(1);
    else if (event.key === "ArrowDown" || event.key === "Enter") void this.#move(-1);
    else return;
    event.preventDefault();
  }
}

/**
 * What a message says, as it is shown: without the marks around code, with its files' names.
 * @param {Message} message
 */
const saidIn = ({ content = "", attachments = [] }) =>
  [
    partsOf(content)
      .map(({ text }) => text)
      .join(""),
    ...attachments.map(({ name }) => fileName(name)),
  ].join("\n");

/**
 * Where in an element what is looked for is, also over several parts of its text.
 * @param {Element} element
 * @param {Sought} sought
 */
function rangesIn(element, sought) {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  /** @type {{node: Text, from: number}[]} */
  const parts = [];
  let text = "";
  while (walker.nextNode()) {
    const node = /** @type {Text} */ (walker.currentNode);
    parts.push({ node, from: text.length });
    text += node.data;
  }
  /** @param {number} at */
  const part = (at) => parts.findLast(({ from }) => from <= at) ?? parts[0];
  return sought.placesIn(text).map(({ from, to }) => {
    const range = new Range();
    const first = part(from);
    const last = part(to - 1);
    range.setStart(first.node, from - first.from);
    range.setEnd(last.node, to - last.from);
    return range;
  });
}
