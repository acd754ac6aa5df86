// Reactions below a message, and the dialog in which one is chosen.

import { Failure, isolated, isReaction } from "../../lib/streamroom.js";
import { FormDialog, Refusal } from "./dialogs.js";
import { announce, arrange, byId, el, icon } from "./dom.js";
import { counted, describe } from "./words.js";

/**
 * @typedef {import("../../lib/streamroom.js").Message} Message
 * @typedef {import("../../lib/reactions.js").Shown} Shown
 */

/** What is offered: what most people want, with what it is called. */
const OFFERED = [
  ["👍", "Thumbs up"],
  ["❤️", "Heart"],
  ["😂", "Laughing"],
  ["🎉", "Celebrating"],
  ["😮", "Surprised"],
  ["😢", "Sad"],
  ["🙏", "Thanks"],
  ["👀", "Looking"],
];

export class ReactionsView {
  element = el("ul", { class: "reactions", "data-testid": "reactions", "aria-label": "Reactions" });
  /** @type {Map<string, HTMLLIElement>} by reaction */
  #items = new Map();
  #more = el(
    "li",
    {},
    el(
      "button",
      { type: "button", class: "reaction more", title: "Add a reaction", "aria-label": "Add a reaction" },
      icon("react"),
    ),
  );
  #react;

  /**
   * @param {(reaction: string, add: boolean) => void} react
   * @param {() => void} choose another one is wanted
   */
  constructor(react, choose) {
    this.#react = react;
    this.#more.addEventListener("click", choose);
  }

  /** @param {Shown[]} shown */
  update(shown) {
    this.element.hidden = shown.length === 0;
    const items = shown.map(({ reaction, count, mine }) => {
      const item = this.#items.get(reaction) ?? this.#newItem(reaction);
      const button = /** @type {HTMLButtonElement} */ (item.firstElementChild);
      const label = `${reaction}, ${counted(count, "person", "people")}${mine ? ", you too" : ""}`;
      button.setAttribute("aria-pressed", String(mine));
      button.setAttribute("aria-label", label);
      button.title = mine ? "Take your reaction back" : `React with ${reaction}`;
      const text = /** @type {HTMLElement} */ (button.lastElementChild);
      text.textContent = String(count);
      return item;
    });
    const kept = new Set(shown.map(({ reaction }) => reaction));
    for (const reaction of this.#items.keys()) if (!kept.has(reaction)) this.#items.delete(reaction);
    // One that goes leaves the focus to its neighbour, or the keyboard would begin at the top.
    const focused = this.element.contains(document.activeElement);
    arrange(this.element, [...items, this.#more]);
    if (focused && !this.element.contains(document.activeElement)) this.#more.querySelector("button")?.focus();
  }

  /** @param {string} reaction */
  #newItem(reaction) {
    const button = el(
      "button",
      { type: "button", class: "reaction", "data-testid": "reaction", "data-reaction": reaction },
      el("span", { class: "reaction-sign", dir: "auto" }, reaction),
      el("span", { class: "reaction-count" }),
    );
    button.addEventListener("click", () => this.#react(reaction, button.getAttribute("aria-pressed") !== "true"));
    const item = el("li", {}, button);
    this.#items.set(reaction, item);
    return item;
  }
}

/** @extends {FormDialog<void>} */
class ReactDialog extends FormDialog {
  /** @type {Message|undefined} */
  #message;
  #choices = byId("react-choices", HTMLElement);

  /**
   * @param {(message: Message, reaction: string, add: boolean) => void} react
   * @param {(message: Message) => Shown[]} reactionsOf
   */
  constructor(react, reactionsOf) {
    const other = byId("react-other", HTMLInputElement);
    /** @param {string} reaction */
    const chosen = (reaction, add = true) => {
      if (this.#message) react(this.#message, reaction, add);
    };
    super("react-dialog", async () => {
      const reaction = other.value.trim();
      if (!isReaction(reaction)) throw new Refusal("Type one emoji, or a name such as :tada:.", other);
      chosen(reaction);
    });
    for (const [reaction, name] of OFFERED) {
      const button = el(
        "button",
        { type: "button", class: "reaction choice", "data-testid": "choice", "aria-label": name, title: name },
        reaction,
      );
      button.addEventListener("click", () => {
        this.dialog.close();
        chosen(reaction, button.getAttribute("aria-pressed") !== "true");
      });
      this.#choices.append(button);
    }
    this.reactionsOf = reactionsOf;
  }

  /** @param {Message} message */
  showFor(message) {
    this.#message = message;
    const mine = new Set(this.reactionsOf(message).flatMap(({ reaction, mine }) => (mine ? [reaction] : [])));
    for (const [i, button] of [...this.#choices.children].entries())
      button.setAttribute("aria-pressed", String(mine.has(OFFERED[i][0])));
    this.show();
    // Not what is typed in: a keyboard of touch would cover the choices.
    /** @type {HTMLButtonElement} */ (this.#choices.firstElementChild).focus();
  }
}

/** What the reader does with reactions, and learns of them. */
export class Reacting {
  #chat;
  #dialog = new ReactDialog(
    (message, reaction, add) => void this.react(message, reaction, add),
    (message) => this.#chat()?.reactionsOf(message) ?? [],
  );

  /** @param {() => import("../../lib/streamroom.js").Streamroom|undefined} chat */
  constructor(chat) {
    this.#chat = chat;
  }

  /**
   * @param {Message} message
   * @param {string} reaction
   * @param {boolean} add
   */
  async react(message, reaction, add) {
    try {
      await this.#chat()?.react(message, reaction, add);
    } catch (err) {
      announce(describe(Failure.from(err)), true);
    }
  }

  /** @param {Message} message to which a reaction is to be chosen */
  choose(message) {
    this.#dialog.showFor(message);
  }

  /**
   * Someone reacted to a message of the open room: its sender may not see it.
   * @param {string} room
   * @param {{messageId: string, userId: string, reaction: string, added: boolean}} change
   */
  told(room, { messageId, userId, reaction, added }) {
    const chat = this.#chat();
    const message = chat?.timeline(room).messages.find((m) => m.messageId === messageId);
    if (!chat || !added || message?.senderId !== chat.userId) return;
    announce(`${isolated(chat.labelOf(userId))} reacted to your message: ${reaction}`);
  }
}
