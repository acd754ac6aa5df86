// What can be done with a message: one toolbar for all, which goes to the one that is
// pointed at or has the focus, and the keys that do the same.

import { el, icon } from "./dom.js";

/** @typedef {import("../../lib/streamroom.js").Message} Message */

/**
 * @typedef {object} Acts
 * @property {(message: Message) => void} choose a reaction to it is to be chosen
 * @property {(message: Message) => void} reply
 * @property {(message: Message) => void} markUnread
 * @property {(message: Message) => void} edit
 * @property {(message: Message) => void} delete
 * @property {(message: Message) => void} report
 */

/** @typedef {"all"|"own"|"others"|"deletable"} Whose */

/**
 * By the name of its icon: what is done, what it is called, its key, and whose messages it
 * is for.
 * @type {Record<string, {act: keyof Acts, name: string, key: string, whose: Whose}>}
 */
const ACTIONS = {
  react: { act: "choose", name: "React", key: "+", whose: "all" },
  reply: { act: "reply", name: "Reply", key: "r", whose: "all" },
  "mark-unread": { act: "markUnread", name: "Mark as unread", key: "u", whose: "others" },
  edit: { act: "edit", name: "Edit", key: "e", whose: "own" },
  delete: { act: "delete", name: "Delete", key: "Delete", whose: "deletable" },
  report: { act: "report", name: "Report", key: "!", whose: "others" },
};

export class MessageActions {
  element = el("div", { class: "actions", role: "toolbar", "aria-label": "Message actions" });
  /** @type {Map<string, HTMLButtonElement>} by icon */
  #buttons = new Map();
  #on;

  /**
   * @param {Acts} on
   * @param {() => Message|undefined} message where the toolbar is
   */
  constructor(on, message) {
    this.#on = on;
    for (const [sign, { act, name }] of Object.entries(ACTIONS)) {
      const button = el(
        "button",
        { type: "button", class: "icon-button", title: name, "aria-label": name, "data-testid": sign },
        icon(sign),
      );
      button.addEventListener("click", () => {
        const at = message();
        if (at) on[act](at);
      });
      this.#buttons.set(sign, button);
    }
    this.element.append(...this.#buttons.values());
  }

  /**
   * Goes to a message.
   * @param {import("./message.js").Row|undefined} row where nothing can be done with it the toolbar goes
   */
  offer(row) {
    for (const [sign, button] of this.#buttons) button.hidden = !isFor(ACTIONS[sign].whose, row);
    if (!row?.message) this.element.remove();
    else if (this.element.parentElement !== row.bubble) row.bubble.append(this.element);
  }

  /**
   * @param {string} key which was pressed at a message
   * @param {import("./message.js").Row|undefined} row
   * @returns {boolean} whether that is a key of an action
   */
  press(key, row) {
    const action = Object.values(ACTIONS).find((a) => a.key === key);
    if (action && row?.message && isFor(action.whose, row)) this.#on[action.act](row.message);
    return action !== undefined;
  }
}

/**
 * @param {Whose} whose
 * @param {import("./message.js").Row|undefined} row
 */
const isFor = (whose, row) =>
  whose === "all" || (whose === "deletable" ? (row?.deletable ?? false) : (whose === "own") === (row?.own ?? false));
