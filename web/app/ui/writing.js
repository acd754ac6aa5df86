// What the user does in the open room: writes, with files and mentions, and replies to
// messages, reacts to them, edits, deletes and reports them.

import { beginning, Failure, isolated, mentionedIn, TYPING_ROOM } from "../../lib/streamroom.js";
import { Composer } from "./composer.js";
import { confirmed } from "./dialogs.js";
import { announce } from "./dom.js";
import { mentionable } from "./mentions.js";
import { Reacting } from "./reactions.js";
import { ReportDialog } from "./reports.js";
import { describe, fileName, filesIn, untilText } from "./words.js";

/**
 * @typedef {import("../../lib/streamroom.js").Message} Message
 * @typedef {import("../../lib/streamroom.js").Streamroom} Streamroom
 */

export class Writing {
  #on;
  #about;
  #reporting = new ReportDialog(
    async ({ chatRoomId, messageId }, reason) => this.#chat?.report(chatRoomId, messageId, reason || undefined),
    (messageId) => {
      // A user who is elsewhere by now, as in the composer, stays there.
      const at = document.activeElement ?? document.body;
      const message = /** @type {HTMLElement|null} */ (at.closest("[data-message-id]"));
      if (at === document.body || message?.dataset.messageId === messageId) this.#on.focus(messageId);
    },
  );

  /** Where it is written. */
  composer = new Composer({
    send: (room, content, uploads, answered) => this.#send(room, content, uploads, answered),
    attach: (room, file, pixels) => this.#chat?.attach(room, file, pixels),
    detach: (upload) => this.#chat?.detach(upload),
    again: (upload) => this.#chat?.attachAgain(upload),
    edit: (room, messageId, content) => this.#saveEdit(room, messageId, content),
    people: () => this.#mentionable().filter(({ userId }) => userId !== this.#me),
    draft: (room) => this.#chat?.drafts.get(room) ?? "",
    saveDraft: (room, text) => this.#chat?.drafts.set(room, text),
    editOf: (message, content) => this.#chat?.drafts.edit(message, content),
    saveEdit: (message, text, content) => this.#chat?.drafts.setEdit(message, text, content),
    typing: (room) => this.#types(room),
    unblock: () => {
      const chat = this.#chat;
      chat?.unblock(chat.otherIn(this.#room)).catch((err) => announce(describe(Failure.from(err)), true));
    },
    editLast: () => this.#editLast(),
  });
  reacting = new Reacting(() => this.#chat);
  /** @type {import("./actions.js").Acts} what can be done with a message */
  acts = {
    choose: (message) => this.reacting.choose(message),
    reply: (message) => this.composer.reply(message, this.#chat?.labelOf(message.senderId) ?? ""),
    markUnread: (message) => this.#chat?.markUnread(message),
    edit: (message) => this.#edit(message),
    delete: (message) => void this.#delete(message),
    report: (message) => this.#report(message),
  };

  /**
   * @param {import("./details.js").Details} about the open room
   * @param {object} on
   * @param {() => {room: string, chat: Streamroom|undefined}} on.now what is open
   * @param {() => void} on.sent a message, to the open room
   * @param {(messageId: string) => void} on.focus the keyboard goes back to a message
   */
  constructor(about, on) {
    this.#about = about;
    this.#on = on;
  }

  get #chat() {
    return this.#on.now().chat;
  }

  get #room() {
    return this.#on.now().room;
  }

  get #me() {
    return this.#chat?.userId ?? "";
  }

  /**
   * Lets the user write in the open room, or says why they can't.
   * @param {string} title what it is called
   * @param {boolean} group
   * @param {number} now ms since 1970
   */
  show(title, group, now) {
    this.composer.show(this.#room, title, this.#closed(group, now));
  }

  /**
   * Why nothing can be written in the room, if that is so.
   * @param {boolean} group
   * @param {number} now ms since 1970
   */
  #closed(group, now) {
    const { chat, room } = this.#on.now();
    const until = chat?.standing(room)?.mutedUntil;
    if (until) return { text: `You are muted in this room until ${untilText(until, now)}. You can go on reading.` };
    const other = group ? "" : chat?.otherIn(room);
    if (!other || !chat?.isBlocked(other)) return undefined;
    return { text: `You have blocked ${isolated(chat.labelOf(other))}.`, blocked: true };
  }

  /** @param {string} room in which something is written; a large one isn't told */
  #types(room) {
    const { memberCount = 0 } = this.#about.room ?? {};
    if (memberCount > 1 && memberCount <= TYPING_ROOM) this.#chat?.typing(room);
  }

  /**
   * @param {string} room
   * @param {string} content
   * @param {import("../../lib/streamroom.js").Upload[]} uploads
   * @param {Message} [answered]
   */
  #send(room, content, uploads, answered) {
    const mentions = room === this.#room ? this.#mentioned(content) : [];
    this.#chat?.send(room, content, uploads, answered, mentions);
    if (room === this.#room) this.#on.sent();
  }

  /**
   * Whom a new message mentions. Of a room that opens the members aren't known yet.
   * @param {string} content
   * @returns {string[]|Promise<string[]>} user ids
   */
  #mentioned(content) {
    const { chat, room } = this.#on.now();
    if (!chat || this.#about.room || !content.includes("@")) return mentionedIn(content, this.#mentionable());
    return chat.room(room).then(({ members = [] }) => {
      const userIds = members.map(({ userId }) => userId);
      return mentionedIn(content, mentionable(chat, userIds));
    });
  }

  /**
   * An edit mentions whom its text names. In a room that was left its members aren't known.
   * @param {string} room
   * @param {string} messageId
   * @param {string} content
   */
  async #saveEdit(room, messageId, content) {
    const held = this.#chat?.timeline(room).messages.find((m) => m.messageId === messageId);
    const mentions = room === this.#room ? mentionedIn(content, this.#mentionable(held?.mentions)) : undefined;
    await this.#chat?.edit(room, messageId, content, mentions);
  }

  /** @param {string[]} [others] who may be mentioned beside the members */
  #mentionable(others = []) {
    const chat = this.#chat;
    return chat ? mentionable(chat, [...this.#about.members.map(({ userId }) => userId), ...others]) : [];
  }

  #editLast() {
    const { messages = [], outgoing = [] } = this.#chat?.timeline(this.#room) ?? {};
    // The last one of one's own is not there yet: the one before it is not meant.
    if (outgoing.length > 0) {
      announce("Your last message isn’t sent yet. Once it is, you can edit it.", true);
      return;
    }
    const last = messages.findLast((m) => m.senderId === this.#me && !m.deletedAt);
    if (last) this.#edit(last);
  }

  /** @param {Message} message */
  #edit({ messageId, content = "", attachments = [] }) {
    this.composer.edit(messageId, content, attachments.length > 0);
  }

  /** @param {Message} message */
  #report(message) {
    const room = this.#chat?.rooms.get(message.chatRoomId) ?? this.#about.room;
    this.#reporting.showFor(message, this.#chat?.labelOf(message.senderId) ?? "", room?.type === "dm");
  }

  /** @param {Message} message */
  async #delete({ chatRoomId, messageId, senderId, content, attachments = [] }) {
    const whole = content || attachments.map(({ name }) => fileName(name)).join(", ");
    const short = beginning(whole, 120);
    const files = content && attachments.length > 0 ? ` with ${filesIn(attachments.length)}` : "";
    if (
      !(await confirmed(
        senderId === this.#me
          ? "Delete this message?"
          : `Delete a message of ${isolated(this.#chat?.labelOf(senderId) ?? "")}?`,
        `“${isolated(short)}${short === whole ? "" : "…"}”${files} is removed for everyone. That there was a message stays visible.`,
        "Delete",
      ))
    ) {
      this.#on.focus(messageId);
      return;
    }
    this.composer.focus(); // not when the answer comes: by then its user may be elsewhere
    try {
      await this.#chat?.delete(chatRoomId, messageId);
      announce("Message deleted");
    } catch (err) {
      announce(describe(Failure.from(err)), true);
    }
  }
}
