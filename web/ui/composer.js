// Where a message is written.

import { MAX_CONTENT, byteLength } from "../streamroom.js";
import { byId } from "./dom.js";

export class Composer {
  #form = byId("composer", HTMLFormElement);
  #input = byId("composer-input", HTMLTextAreaElement);
  #send = byId("composer-send", HTMLButtonElement);
  #problem = byId("composer-problem", HTMLElement);
  /** @type {Map<string, string>} what was begun and not sent, per room */
  #drafts = new Map();
  #room = "";
  #on;

  /** @param {(content: string) => string} send returns a problem; empty when it was taken */
  constructor(send) {
    this.#on = send;
    this.#input.addEventListener("input", () => this.#changed());
    this.#input.addEventListener("keydown", (event) => {
      // Enter also ends the choice of a word while Japanese or Chinese is typed.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.#form.requestSubmit();
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  /**
   * Takes up what was begun in a room.
   * @param {string} chatRoomId empty for none: there is nothing to write in
   * @param {string} [title]
   */
  show(chatRoomId, title = "") {
    this.#form.hidden = chatRoomId === "";
    if (chatRoomId === this.#room) return;
    if (this.#room) this.#drafts.set(this.#room, this.#input.value);
    this.#room = chatRoomId;
    this.#input.value = this.#drafts.get(chatRoomId) ?? "";
    this.#input.placeholder = title ? `Message ${title}` : "Write a message";
    this.#changed();
  }

  /** Forgets what was begun: somebody else may sign in. */
  clear() {
    this.show("");
    this.#drafts.clear();
  }

  focus() {
    this.#input.focus();
  }

  #submit() {
    const content = this.#input.value.trim();
    if (this.#send.disabled || !content) return;
    const problem = this.#on(content);
    this.#problem.textContent = problem;
    if (problem) return;
    this.#input.value = "";
    this.#changed();
    this.#input.focus();
  }

  #changed() {
    const content = this.#input.value.trim();
    const over = byteLength(content) - MAX_CONTENT;
    this.#problem.textContent = over > 0 ? `That is ${over} bytes too long for one message.` : "";
    this.#send.disabled = content === "" || over > 0;
    // As tall as its text, where CSS can't do it (field-sizing).
    this.#input.style.height = "auto";
    this.#input.style.height = `${this.#input.scrollHeight}px`;
  }
}
