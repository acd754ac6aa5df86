// Who types in the open room.

import { isolated } from "../../lib/streamroom.js";
import { byId, within } from "./dom.js";
import { listed } from "./words.js";

/** How many are named; the others are counted. */
const NAMED = 3;

export class TypingLine {
  #line = byId("typing", HTMLElement);
  #words = within(this.#line, "span", HTMLElement);

  /** @param {string[]} names of those who type */
  show(names) {
    const words =
      names.length > 0 ? `${listed(names.map(isolated), NAMED)} ${names.length > 1 ? "are" : "is"} typing` : "";
    if (words === this.#words.textContent) return; // a screen reader would say it again
    this.#words.textContent = words;
    this.#line.classList.toggle("on", words !== "");
  }
}
