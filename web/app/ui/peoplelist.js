// A list of people that is read when it is opened, each with a way back: who is banned, or
// blocked.

import { Failure, isolated } from "../../lib/streamroom.js";
import { el } from "./dom.js";
import { describe } from "./words.js";

/**
 * @typedef {object} Listed
 * @property {string} userId
 * @property {string} [about] what is said of them
 */

export class PeopleList {
  #details;
  #list;
  #status = el("p", { class: "hint", role: "status" });
  #problem = el("p", { class: "problem", role: "alert" });
  #more = el("button", { type: "button", class: "small quiet", hidden: true }, "Show more");
  #on;
  /** Which reading counts: the list may have been closed, or opened for another room. */
  #reads = 0;

  /**
   * @param {HTMLDetailsElement} details which has a summary
   * @param {object} on
   * @param {(cursor?: string) => Promise<{people: Listed[], cursor?: string}>} on.read one page
   * @param {(userId: string) => Promise<void>} on.undo
   * @param {string} on.undoes what the button says
   * @param {string} on.undone what is said behind a name then
   * @param {string} on.none what an empty list says
   * @param {(userId: string) => string} on.labelOf
   */
  constructor(details, on) {
    this.#details = details;
    this.#on = on;
    this.#list = el("ul", { class: "members", "aria-label": details.textContent?.trim() });
    details.append(this.#list, this.#status, this.#problem, this.#more);
    details.addEventListener("toggle", () => this.again());
    this.#more.addEventListener("click", () => void this.#read(this.#more.value));
  }

  close() {
    this.#details.open = false;
    this.again();
  }

  /** Reads the list, if it is open: someone may have been added. */
  again() {
    this.#reads++;
    this.#list.replaceChildren();
    this.#status.textContent = this.#problem.textContent = "";
    this.#more.hidden = true;
    if (this.#details.open) void this.#read();
  }

  /** Names may have become known. */
  draw() {
    for (const name of this.#list.querySelectorAll("[data-name]"))
      if (name instanceof HTMLElement) name.textContent = this.#on.labelOf(name.dataset.name ?? "");
  }

  /** @param {string} [cursor] */
  async #read(cursor) {
    const read = ++this.#reads;
    await this.#try(async () => {
      const page = await this.#on.read(cursor);
      if (read !== this.#reads) return;
      this.#list.append(...page.people.map((person) => this.#row(person)));
      this.#more.hidden = !page.cursor;
      this.#more.value = page.cursor ?? "";
      this.#status.textContent = page.cursor || this.#list.childElementCount > 0 ? "" : this.#on.none;
    });
  }

  /** @param {Listed} person */
  #row({ userId, about }) {
    const label = this.#on.labelOf(userId);
    const undo = el("button", { type: "button", class: "small" }, this.#on.undoes);
    undo.setAttribute("aria-label", `${this.#on.undoes}: ${label}`);
    const row = el(
      "li",
      { "data-testid": "listed", "data-user-id": userId },
      el(
        "span",
        { class: "member-name" },
        el("span", { dir: "auto", "data-name": userId }, label),
        about ? el("span", { class: "member-id", dir: "auto" }, about) : "",
      ),
      undo,
    );
    undo.addEventListener("click", async () => {
      const read = this.#reads;
      undo.disabled = true;
      await this.#try(async () => {
        await this.#on.undo(userId);
        if (read !== this.#reads) return;
        // The button that has the focus goes.
        const next = row.nextElementSibling ?? row.previousElementSibling ?? this.#details;
        row.remove();
        /** @type {HTMLElement|null} */ (next.querySelector("button, summary"))?.focus();
        this.#status.textContent = `${isolated(this.#on.labelOf(userId))} ${this.#on.undone}`;
      });
      undo.disabled = false;
    });
    return row;
  }

  /** @param {() => Promise<void>} act */
  async #try(act) {
    const read = this.#reads;
    this.#problem.textContent = "";
    try {
      await act();
    } catch (err) {
      if (read === this.#reads) this.#problem.textContent = describe(Failure.from(err));
    }
  }
}
