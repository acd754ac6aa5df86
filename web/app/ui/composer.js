// Where a message is written, and one that was sent is edited.

import { quoteOf } from "../../lib/frames.js";
import { byteLength, Failure, hasVisible, isolated, MAX_CONTENT } from "../../lib/streamroom.js";
import { Completion } from "./completion.js";
import { announce, byId, within } from "./dom.js";
import { FilesView } from "./files.js";
import { describe, quoteText } from "./words.js";

/**
 * @typedef {import("../../lib/streamroom.js").Message} Message
 * @typedef {import("../../lib/streamroom.js").Upload} Upload
 */

export class Composer {
  #form = byId("composer", HTMLFormElement);
  #closed = byId("composer-closed", HTMLElement);
  #unblock = byId("composer-unblock", HTMLButtonElement);
  #input = byId("composer-input", HTMLTextAreaElement);
  #send = byId("composer-send", HTMLButtonElement);
  #problem = byId("composer-problem", HTMLElement);
  #editing = byId("composer-editing", HTMLElement);
  #replying = byId("composer-replying", HTMLElement);
  /** @type {Map<string, {message: Message, name: string}>} by room, what the next message answers */
  #replies = new Map();
  #room = "";
  /** Since when that is shown, on the clock of events (ms). */
  #since = 0;
  /** The message that is edited; empty for none. */
  #message = "";
  /** What it says. */
  #original = "";
  /** Whether it has files, beside which it may say nothing. */
  #withFiles = false;
  /** @type {Map<string, string>} by message, edits that are under way or were not saved */
  #edits = new Map();
  /** @type {Map<string, string>} by message, edits that were left for another room */
  #begun = new Map();
  /** @type {Map<string, Promise<void>>} by message, the end of its edits that are under way */
  #saving = new Map();
  #files;
  #completion;
  #on;

  /**
   * @param {object} on
   * @param {(chatRoomId: string, content: string, uploads: Upload[], answered?: Message) => void} on.send throws a Failure when it isn't taken
   * @param {(chatRoomId: string, messageId: string, content: string) => Promise<void>} on.edit rejects with a Failure
   * @param {(chatRoomId: string) => string} on.draft what was begun in a room and not sent
   * @param {(chatRoomId: string, text: string) => void} on.saveDraft
   * @param {(messageId: string, content: string) => string|undefined} on.editOf an edit that was begun, before a reload maybe, of a message that says this
   * @param {(messageId: string, text: string, content: string) => void} on.saveEdit text: content for none
   * @param {import("./files.js").Attach} on.attach
   * @param {(upload: Upload) => void} on.detach
   * @param {(upload: Upload) => void} on.again
   * @param {(chatRoomId: string) => void} on.typing something is written in a room
   * @param {() => import("./completion.js").Person[]} on.people who may be mentioned
   * @param {() => void} on.unblock the user wants to write to whom they blocked
   * @param {() => void} on.editLast the last message of one's own is wanted for editing
   */
  constructor(on) {
    this.#on = on;
    this.#files = new FilesView({ ...on, changed: () => this.#check() });
    this.#input.addEventListener("paste", (event) => {
      const data = event.clipboardData;
      if (!data?.files.length || this.#message || isText(data)) return;
      event.preventDefault();
      this.#files.addFrom(data);
    });
    this.#completion = new Completion(this.#input, on.people, () => this.#changed());
    this.#input.addEventListener("input", () => {
      this.#changed();
      this.#completion.update();
      if (this.#room && !this.#message && this.#input.value.trim()) on.typing(this.#room);
    });
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    // The second of two quick clicks isn't meant for what is there after the first, a draft
    // maybe, nor does it take the focus away.
    this.#send.addEventListener("click", (event) => {
      if (event.detail > 1 || this.#isEarly(event)) event.preventDefault();
    });
    this.#form.addEventListener("mousedown", (event) => {
      if (event.target === this.#form) event.preventDefault();
    });
    this.#unblock.addEventListener("click", on.unblock);
    byId("composer-cancel", HTMLButtonElement).addEventListener("click", () => this.endEdit());
    byId("composer-no-reply", HTMLButtonElement).addEventListener("click", () => this.#endReply());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  /**
   * Takes up what was begun in a room.
   * @param {string} chatRoomId empty for none: there is nothing to write in
   * @param {string} [title]
   * @param {{text: string, blocked?: boolean}} [closed] why nothing can be written there now; blocked: the user can end that
   */
  show(chatRoomId, title = "", closed = { text: "" }) {
    this.#close(chatRoomId, closed);
    this.#input.placeholder = title ? `Message ${isolated(title)}` : "Write a message";
    if (chatRoomId === this.#room) return;
    const [message, text, original] = [this.#message, this.#input.value, this.#original];
    this.endEdit();
    if (message) {
      this.#begun.set(message, text);
      this.#on.saveEdit(message, text, original);
    }
    this.#room = chatRoomId;
    this.#since = performance.now();
    this.#completion.reset();
    this.#files.show(chatRoomId, true);
    this.#showReply();
    this.#input.value = chatRoomId && this.#on.draft(chatRoomId);
    this.#changed();
  }

  /**
   * Shows why nothing can be written, in place of where it would be. What was begun waits.
   * @param {string} chatRoomId
   * @param {{text: string, blocked?: boolean}} closed
   */
  #close(chatRoomId, { text, blocked = false }) {
    const shown = within(this.#closed, "span", HTMLElement);
    const [form, note] = [this.#form, this.#closed];
    const had = document.activeElement;
    const opens = form.hidden && shown.textContent !== "" && text === "" && chatRoomId === this.#room;
    form.hidden = chatRoomId === "" || text !== "";
    note.hidden = text === "";
    this.#unblock.hidden = !blocked;
    if (shown.textContent !== text) {
      shown.textContent = text;
      if (text || opens) announce(text || "You can write here again.");
    }
    if (form.hidden && form.contains(had)) note.focus();
    if (opens && note.contains(had)) this.#input.focus();
  }

  /**
   * What was begun in a room was changed or sent in another tab.
   * @param {string} chatRoomId
   */
  draftChanged(chatRoomId) {
    if (chatRoomId !== this.#room || this.#message) return; // it is read when it is shown
    this.#input.value = this.#on.draft(chatRoomId);
    this.#fit();
  }

  /** Forgets edits that were not saved: their user signed out. */
  clear() {
    this.#edits.clear();
    this.#begun.clear();
    this.#replies.clear();
    this.#files.clear();
  }

  /** Whether something can be written. */
  get isOpen() {
    return !this.#form.hidden;
  }

  /** @param {Element|null} element of the page, which may be in here, also while this is hidden */
  contains(element) {
    return this.#form.contains(element) || this.#closed.contains(element);
  }

  focus() {
    (this.#form.hidden ? this.#closed : this.#input).focus();
  }

  /** @param {Upload} upload that went on, or ended */
  uploadChanged(upload) {
    this.#files.changed(upload);
  }

  /** How many files are attached to what was not sent yet. */
  get attached() {
    return this.#files.count;
  }

  /**
   * Has the next message of the room answer one.
   * @param {Message} message
   * @param {string} name its sender's
   */
  reply(message, name) {
    if (this.#isClosed()) return;
    this.endEdit();
    this.#replies.set(this.#room, { message, name });
    this.#showReply();
    this.#input.focus();
  }

  /** Whether nothing can be written: says why. */
  #isClosed() {
    if (this.#form.hidden) announce(this.#closed.textContent ?? "", true);
    return this.#form.hidden;
  }

  #endReply() {
    this.#replies.delete(this.#room);
    this.#showReply();
    this.#input.focus();
  }

  #showReply() {
    const reply = this.#message ? undefined : this.#replies.get(this.#room);
    this.#replying.hidden = !reply;
    if (!reply) return;
    const said = quoteText(quoteOf(reply.message));
    within(this.#replying, "span", HTMLElement).textContent = `Replying to ${isolated(reply.name)}: ${said}`;
  }

  /**
   * Edits a message; what was begun waits until that is done. An edit that was not saved
   * goes on.
   * @param {string} messageId
   * @param {string} content
   * @param {boolean} withFiles whether the message has files, too
   */
  edit(messageId, content, withFiles) {
    if (this.#isClosed()) return;
    const held = this.#begun.get(messageId) ?? this.#edits.get(messageId);
    const text = held ?? this.#on.editOf(messageId, content) ?? content;
    this.#original = content;
    this.#withFiles = withFiles;
    this.#setMessage(messageId);
    this.#input.value = text;
    this.#changed();
    this.#input.focus();
    this.#input.setSelectionRange(text.length, text.length);
  }

  /** Leaves the message as it is. */
  endEdit() {
    if (!this.#message) return;
    const unsaved = this.#edits.get(this.#message);
    this.#begun.delete(this.#message);
    this.#on.saveEdit(this.#message, unsaved ?? this.#original, this.#original);
    this.#setMessage("");
    this.#input.value = this.#on.draft(this.#room);
    this.#changed();
    if (!this.#form.hidden) this.#input.focus();
  }

  /** @param {string} messageId empty for none */
  #setMessage(messageId) {
    this.#completion.reset();
    this.#message = messageId;
    this.#editing.hidden = messageId === "";
    this.#showReply();
    this.#files.show(this.#room, messageId === "");
    this.#send.title = messageId ? "Save" : "Send";
    this.#send.setAttribute("aria-label", this.#send.title);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    // Enter also ends the choice of a word while Japanese or Chinese is typed.
    if (event.isComposing || event.keyCode === 229 || event.altKey) return;
    if (this.#completion.key(event)) {
      event.preventDefault();
      return;
    }
    if (event.key === "Enter" && !event.shiftKey) {
      if (!event.repeat && !this.#isEarly(event)) this.#form.requestSubmit();
    } else if (event.key === "Escape" && this.#message) this.endEdit();
    else if (event.key === "Escape" && this.#replies.has(this.#room)) this.#endReply();
    else if (event.key === "ArrowUp" && this.#input.value === "" && !this.#message) this.#on.editLast();
    else return;
    event.preventDefault();
  }

  /**
   * Whether something was done before the room was shown, as on a slow device: it wasn't meant
   * for what was begun here.
   * @param {Event} event
   */
  #isEarly({ timeStamp }) {
    return timeStamp <= this.#since;
  }

  #submit() {
    const content = trimmed(this.#input.value);
    if (this.#send.disabled || !this.#room) return;
    if (this.#message) {
      void this.#save(this.#room, this.#message, content);
      return;
    }
    try {
      // The room in which it was written, although another may have been chosen since.
      this.#on.send(this.#room, content, this.#files.uploads, this.#replies.get(this.#room)?.message);
    } catch (err) {
      this.#problem.textContent = describe(Failure.from(err));
      return;
    }
    this.#input.value = "";
    this.#completion.reset();
    this.#replies.delete(this.#room);
    this.#showReply();
    this.#files.sent();
    this.#changed();
    this.#input.focus();
  }

  /**
   * Saves an edit. Its writer goes on writing at once. If it is not saved, it is taken up
   * again where nothing else was begun in the meantime; else it waits for the next edit of
   * the message.
   * @param {string} room
   * @param {string} message its id
   * @param {string} content
   */
  async #save(room, message, content) {
    const withFiles = this.#withFiles;
    const original = this.#original;
    this.#edits.set(message, content);
    this.endEdit();
    // One after the other: the last one counts.
    const saved = (this.#saving.get(message) ?? Promise.resolve()).then(() => this.#on.edit(room, message, content));
    const ended = saved.catch(() => {});
    this.#saving.set(message, ended);
    try {
      await saved;
      if (this.#edits.get(message) !== content) return;
      this.#edits.delete(message);
      this.#on.saveEdit(message, original, original);
    } catch (err) {
      if (this.#edits.get(message) !== content) return; // a later edit says more
      const problem = describe(Failure.from(err));
      announce(`Your edit was not saved. ${problem}`, true);
      if (room !== this.#room || this.#message || this.#input.value) return;
      this.edit(message, original, withFiles);
      this.#problem.textContent = problem;
    } finally {
      if (this.#saving.get(message) === ended) this.#saving.delete(message);
    }
  }

  #changed() {
    if (this.#message) this.#on.saveEdit(this.#message, this.#input.value, this.#original);
    else if (this.#room) this.#on.saveDraft(this.#room, this.#input.value);
    this.#fit();
  }

  #fit() {
    this.#check();
    // As tall as its text, where CSS can't do it (field-sizing).
    this.#input.style.height = "auto";
    this.#input.style.height = `${this.#input.scrollHeight}px`;
  }

  /** Whether what is written can be sent. */
  #check() {
    const content = trimmed(this.#input.value);
    const over = byteLength(content) - MAX_CONTENT;
    this.#problem.textContent = over > 0 ? `That is ${over} bytes too long for one message.` : "";
    const uploads = this.#files.uploads;
    const files = this.#message ? this.#withFiles : uploads.length > 0;
    const says = hasVisible(content) || (files && content === "");
    this.#send.disabled = !says || over > 0 || uploads.some(({ status }) => status === "failed");
  }
}

/**
 * A text without the empty lines before it and the blanks behind it. The first line
 * keeps its indentation: the text may be code, or a picture of characters.
 * @param {string} text
 */
const trimmed = (text) => text.replace(/^(?:[^\S\n]*\n)+/u, "").trimEnd();

/**
 * Whether what is pasted is meant as text: a table, or part of a document, has a picture of
 * itself beside it. A file has its name beside it, a picture of a page its address.
 * @param {DataTransfer} data
 */
function isText(data) {
  if (!data.types.includes("text/plain")) return false;
  return data.types.includes("text/rtf") || /\S/u.test(data.getData("text/html").replace(/<[^>]*>/gu, ""));
}
