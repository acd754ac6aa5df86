// The list of members that opens behind an @ in what is being written.

import { isolated } from "../../lib/streamroom.js";
import { announce, byId, el } from "./dom.js";
import { counted } from "./words.js";

/**
 * Someone who may be mentioned.
 * @typedef {import("../../lib/mentions.js").Mentionable & {label: string}} Person
 */

/** How many are shown at once. */
const MOST = 8;
/** An @ that begins a word, and what follows it up to the caret. */
const BEGUN = /(?<![\p{L}\p{N}\p{M}_.@-])@([^\n@]{0,40})$/u;

export class Completion {
  #list = byId("composer-people", HTMLUListElement);
  #input;
  #people;
  #chosen;
  /** @type {Person[]} those that are shown */
  #shown = [];
  #at = 0;
  /** Where the @ is, -1 for none. */
  #from = -1;
  /** Where the @ is whose list was closed, or of which someone was chosen. */
  #done = -1;
  /** What was said last. */
  #said = "";

  /**
   * @param {HTMLTextAreaElement} input
   * @param {() => Person[]} people who may be mentioned
   * @param {() => void} chosen what is written was changed
   */
  constructor(input, people, chosen) {
    this.#input = input;
    this.#people = people;
    this.#chosen = chosen;
    input.addEventListener("blur", () => this.close());
    for (const moved of ["keyup", "click"])
      input.addEventListener(moved, () => this.#shown.length > 0 && this.update());
    // The keyboard stays where it is written.
    this.#list.addEventListener("mousedown", (event) => event.preventDefault());
    this.#list.addEventListener("click", (event) => {
      const option = event.target instanceof Element ? event.target.closest("[role=option]") : null;
      const at = option ? [...this.#list.children].indexOf(option) : -1;
      if (at >= 0) this.#choose(at);
    });
  }

  /** What is written, or where the caret is, changed. */
  update() {
    const { value, selectionStart, selectionEnd } = this.#input;
    const begun = selectionStart === selectionEnd ? BEGUN.exec(value.slice(0, selectionStart)) : null;
    this.#from = begun ? begun.index : -1;
    if (this.#from !== this.#done) this.#done = -1;
    const found = begun && this.#done < 0 ? matching(this.#people(), begun[1]) : [];
    if (found.length === 0) {
      this.close();
      return;
    }
    const selected = this.#shown[this.#at]?.userId;
    this.#shown = found;
    this.#at = Math.max(
      0,
      found.findIndex(({ userId }) => userId === selected),
    );
    this.#draw();
  }

  /**
   * A key was pressed where it is written.
   * @param {KeyboardEvent} event
   * @returns {boolean} whether it was meant for the list
   */
  key(event) {
    const count = this.#shown.length;
    if (count === 0 || event.shiftKey || event.ctrlKey || event.metaKey) return false;
    if (event.key === "ArrowDown") this.#at = (this.#at + 1) % count;
    else if (event.key === "ArrowUp") this.#at = (this.#at + count - 1) % count;
    else if (event.key === "Enter" || event.key === "Tab") {
      this.#choose(this.#at);
      return true;
    } else if (event.key === "Escape") {
      this.#done = this.#from;
      this.close();
      return true;
    } else return false;
    this.#draw();
    return true;
  }

  /** Something else is written now. */
  reset() {
    this.#done = -1;
    this.close();
  }

  close() {
    this.#shown = [];
    this.#at = 0;
    this.#said = "";
    if (this.#list.hidden) return;
    this.#list.hidden = true;
    this.#list.replaceChildren();
    this.#input.removeAttribute("aria-activedescendant");
    this.#input.removeAttribute("aria-controls");
  }

  #draw() {
    const options = this.#shown.map(({ userId, label }, i) => {
      const selected = i === this.#at;
      const id = label === userId ? [] : [el("span", { class: "person-id", dir: "auto" }, userId)];
      const name = el("span", { class: "person-name", dir: "auto" }, label);
      return el("li", { id: `person-${i}`, role: "option", "aria-selected": String(selected) }, name, ...id);
    });
    this.#list.replaceChildren(...options);
    this.#list.hidden = false;
    options[this.#at].scrollIntoView({ block: "nearest" });
    this.#input.setAttribute("aria-controls", this.#list.id);
    this.#input.setAttribute("aria-activedescendant", `person-${this.#at}`);
    const people = counted(this.#shown.length, "person", "people");
    const said = `${people} to mention. ${isolated(this.#shown[this.#at].label)} is selected: Enter mentions, Escape closes.`;
    if (!this.#said) announce(said);
    this.#said = said;
  }

  /** @param {number} at */
  #choose(at) {
    const name = this.#shown[at].names[0];
    const { selectionStart, value } = this.#input;
    const rest = value.slice(selectionStart);
    const inserted = `@${name}${/^\s/u.test(rest) ? "" : " "}`;
    const caret = this.#from + inserted.length;
    this.#done = this.#from;
    this.#input.setRangeText(inserted, this.#from, selectionStart, "end");
    this.#input.setSelectionRange(caret, caret);
    this.close();
    this.#chosen();
  }
}

/**
 * Who is meant by what was written so far: by the beginning of a name, or of a word in one.
 * @param {Person[]} people
 * @param {string} begun
 */
function matching(people, begun) {
  const wanted = begun.normalize().toLowerCase();
  if (/^\s|\s\s/u.test(begun)) return [];
  const fits = (/** @type {string} */ name) => {
    const folded = name.normalize().toLowerCase();
    return folded.startsWith(wanted) || folded.split(/\s+/u).some((word) => word.startsWith(wanted));
  };
  return people.filter(({ names }) => names.some(fits)).slice(0, MOST);
}
