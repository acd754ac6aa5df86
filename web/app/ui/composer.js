// Where a message is written, and one that was sent is edited.

import { byteLength, Failure, hasVisible, isolated, MAX_CONTENT } from "../../lib/streamroom.js";
import { announce, byId } from "./dom.js";
import { describe } from "./words.js";

export class Composer {
  #form = byId("composer", HTMLFormElement);
  #input = byId("composer-input", HTMLTextAreaElement);
  #send = byId("composer-send", HTMLButtonElement);
  #problem = byId("composer-problem", HTMLElement);
  #editing = byId("composer-editing", HTMLElement);
  #room = "";
  /** The message that is edited; empty for none. */
  #message = "";
  /** Messages whose edits are under way. */
  #saving = new Set();
  #on;

  /**
   * @param {object} on
   * @param {(chatRoomId: string, content: string) => void} on.send throws a Failure when it isn't taken
   * @param {(chatRoomId: string, messageId: string, content: string) => Promise<void>} on.edit rejects with a Failure
   * @param {(chatRoomId: string) => string} on.draft what was begun in a room and not sent
   * @param {(chatRoomId: string, text: string) => void} on.saveDraft
   * @param {() => void} on.editLast the last message of one's own is wanted for editing
   */
  constructor(on) {
    this.#on = on;
    this.#input.addEventListener("input", () => this.#changed());
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    byId("composer-cancel", HTMLButtonElement).addEventListener("click", () => this.endEdit());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
  }

  /**
   * Takes up what was begun in a room.
   * @param {string} chatRoomId empty for none: there is nothing to write in
   * @param {string} [title]
   */
  show(chatRoomId, title = "") {
    this.#form.hidden = chatRoomId === "";
    this.#input.placeholder = title ? `Message ${isolated(title)}` : "Write a message";
    if (chatRoomId === this.#room) return;
    this.endEdit();
    this.#room = chatRoomId;
    this.#input.value = chatRoomId && this.#on.draft(chatRoomId);
    this.#changed();
  }

  focus() {
    this.#input.focus();
  }

  /**
   * Edits a message; what was begun waits until that is done.
   * @param {string} messageId
   * @param {string} content
   */
  edit(messageId, content) {
    this.#setMessage(messageId);
    this.#input.value = content;
    this.#changed();
    this.#input.focus();
    this.#input.setSelectionRange(content.length, content.length);
  }

  /** Leaves the message as it is. */
  endEdit() {
    if (!this.#message) return;
    this.#setMessage("");
    this.#input.value = this.#on.draft(this.#room);
    this.#changed();
    if (!this.#form.hidden) this.#input.focus();
  }

  /** @param {string} messageId empty for none */
  #setMessage(messageId) {
    this.#message = messageId;
    this.#editing.hidden = messageId === "";
    this.#send.title = messageId ? "Save" : "Send";
    this.#send.setAttribute("aria-label", this.#send.title);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    // Enter also ends the choice of a word while Japanese or Chinese is typed.
    if (event.isComposing || event.keyCode === 229 || event.altKey) return;
    if (event.key === "Enter" && !event.shiftKey) this.#form.requestSubmit();
    else if (event.key === "Escape" && this.#message) this.endEdit();
    else if (event.key === "ArrowUp" && this.#input.value === "" && !this.#message) this.#on.editLast();
    else return;
    event.preventDefault();
  }

  async #submit() {
    const content = this.#input.value.trim();
    if (this.#send.disabled || !this.#room) return;
    if (this.#message) {
      await this.#save(this.#message, content);
      return;
    }
    try {
      // The room in which it was written, although another may have been chosen since.
      this.#on.send(this.#room, content);
    } catch (err) {
      this.#problem.textContent = describe(Failure.from(err));
      return;
    }
    this.#input.value = "";
    this.#changed();
    this.#input.focus();
  }

  /**
   * Saves an edit. The writer may be elsewhere before that is done.
   * @param {string} message its id
   * @param {string} content
   */
  async #save(message, content) {
    if (this.#saving.has(message)) return;
    this.#saving.add(message);
    try {
      await this.#on.edit(this.#room, message, content);
      if (this.#message === message) this.endEdit();
    } catch (err) {
      const problem = describe(Failure.from(err));
      if (this.#message === message) this.#problem.textContent = problem;
      else announce(`Your edit was not saved. ${problem}`, true);
    } finally {
      this.#saving.delete(message);
    }
  }

  #changed() {
    if (this.#room && !this.#message) this.#on.saveDraft(this.#room, this.#input.value);
    const content = this.#input.value.trim();
    const over = byteLength(content) - MAX_CONTENT;
    this.#problem.textContent = over > 0 ? `That is ${over} bytes too long for one message.` : "";
    this.#send.disabled = !hasVisible(content) || over > 0;
    // As tall as its text, where CSS can't do it (field-sizing).
    this.#input.style.height = "auto";
    this.#input.style.height = `${this.#input.scrollHeight}px`;
  }
}
