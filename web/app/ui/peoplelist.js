// A list of people that is read when it is opened, each with what can be done: who is
// banned, blocked, or was reported.

import { Failure } from "../../lib/streamroom.js";
import { el } from "./dom.js";
import { describe } from "./words.js";

/**
 * @typedef {object} Listed
 * @property {string} userId
 * @property {string} [messageId] they are listed for; what is done about it is done in all its rows
 * @property {string[]} [about] what is said of them, in lines
 * @property {Act[]} acts
 *
 * @typedef {object} Act
 * @property {string} name
 * @property {boolean} [danger]
 * @property {() => Promise<string>} act rejects with a Failure; resolves with what is said then, and the row goes: empty where it stays
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
      const rows = page.people.map((person) => this.#row(person));
      this.#list.append(...rows);
      if (!page.cursor && document.activeElement === this.#more) rows[0]?.querySelector("button")?.focus(); // it goes
      this.#more.hidden = !page.cursor;
      this.#more.value = page.cursor ?? "";
      this.#status.textContent = page.cursor || this.#list.childElementCount > 0 ? "" : this.#on.none;
    });
  }

  /** @param {Listed} person */
  #row({ userId, messageId, about = [], acts }) {
    const label = this.#on.labelOf(userId);
    const row = el(
      "li",
      { "data-testid": "listed", "data-user-id": userId, "data-about": messageId },
      el(
        "span",
        { class: "member-name" },
        el("span", { dir: "auto", "data-name": userId }, label),
        ...about.map((text) => el("span", { class: "member-id", dir: "auto" }, text)),
      ),
    );
    for (const { name, danger, act } of acts) {
      const button = el("button", { type: "button", class: danger ? "small danger" : "small" }, name);
      button.setAttribute("aria-label", `${name}: ${label}`);
      // Not disabled in the meantime: where it stays it keeps the focus, also past a question.
      let acting = false;
      button.addEventListener("click", async () => {
        if (acting) return;
        acting = true;
        const read = this.#reads;
        await this.#try(async () => {
          const said = await act();
          if (read !== this.#reads || !said) return;
          // The button that has the focus goes.
          const gone = [...this.#list.children].filter(
            (other) =>
              other === row || (messageId && other instanceof HTMLElement && other.dataset.about === messageId),
          );
          const next = gone.at(-1)?.nextElementSibling ?? gone[0].previousElementSibling ?? this.#details;
          for (const other of gone) other.remove();
          /** @type {HTMLElement|null} */ (next.querySelector("button, summary"))?.focus();
          this.#status.textContent = said;
        });
        acting = false;
      });
      row.append(button);
    }
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
