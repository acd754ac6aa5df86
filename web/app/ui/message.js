// One message, as it is shown.

import { quoteOf } from "../../lib/frames.js";
import { isolated } from "../../lib/streamroom.js";
import { AttachmentView } from "./attachment.js";
import { arrange, becomeAvatar, el, hueOf, icon } from "./dom.js";
import { beginsWith } from "./grouping.js";
import { withMentions } from "./mentions.js";
import { partsOf } from "./parts.js";
import { ReactionsView } from "./reactions.js";
import { dayName, describe, fileSize, fullTimeOf, listed, quoteText, timeOfDay, untilText, zone } from "./words.js";

/**
 * @typedef {import("../../lib/streamroom.js").Attachment} Attachment
 * @typedef {import("../../lib/streamroom.js").Message} Message
 * @typedef {import("../../lib/streamroom.js").Outgoing} Outgoing
 * @typedef {import("../../lib/streamroom.js").Upload} Upload
 */

/**
 * A message or one on its way.
 * @typedef {object} Item
 * @property {string} key the same before and after the server has it
 * @property {string} [messageId]
 * @property {string} senderId
 * @property {string} text
 * @property {number} timestamp
 * @property {"waiting"|"sending"|"failed"|"stored"} status
 * @property {readonly (Attachment|Upload)[]} files
 * @property {import("../../lib/frames.js").Quote} [replyTo]
 * @property {string[]} [mentions] user ids
 * @property {Message} [message]
 * @property {Outgoing} [outgoing]
 */

/**
 * @param {Message} m
 * @returns {Item}
 */
export function itemOf(m) {
  return {
    key: m.clientMessageId ?? m.messageId,
    messageId: m.messageId,
    senderId: m.senderId,
    text: m.content ?? "",
    timestamp: m.timestamp,
    status: "stored",
    files: m.attachments ?? [],
    replyTo: m.replyTo,
    mentions: m.mentions,
    message: m,
  };
}

/**
 * @param {Outgoing} outgoing
 * @param {string} me
 * @returns {Item}
 */
export function itemOfOutgoing(outgoing, me) {
  return {
    key: outgoing.clientMessageId,
    senderId: me,
    text: outgoing.content,
    timestamp: outgoing.createdAt,
    status: outgoing.status,
    files: outgoing.attachments ?? [],
    replyTo: outgoing.replyTo,
    mentions: outgoing.mentions,
    outgoing,
  };
}

/**
 * What is around a message.
 * @typedef {object} Among
 * @property {Item|undefined} previous
 * @property {string} me
 * @property {boolean} moderates whether the reader may delete what others wrote
 * @property {number} now ms since 1970
 * @property {boolean} fresh the first that is new to the reader
 * @property {(userId: string) => string} nameOf
 * @property {(userId: string) => string[]} namesOf by which a mention may name someone
 * @property {(messageId: string) => Message|undefined} held a message of the room, if it is held
 * @property {(message: Message) => string[]} readersOf
 * @property {(message: Message) => import("../../lib/reactions.js").Shown[]} reactionsOf
 */

export class Row {
  #day = el("p", { class: "day" });
  #fresh = el("p", { class: "fresh", "data-testid": "divider" }, el("span", {}, "New messages"));
  #avatar = el("span", { "aria-hidden": "true" });
  #sender = el("span", { dir: "auto" });
  #quoted = el("span", { class: "quote-sender", dir: "auto" });
  #preview = el("span", { class: "quote-text", dir: "auto" });
  #quote = el("button", { type: "button", class: "quote", "data-testid": "quote" }, this.#quoted, this.#preview);
  #calls = el("span", { class: "unseen" }, "Mentions you.");
  #text = el("div", { class: "text", dir: "auto" });
  #files = el("ul", { class: "attachments", "data-testid": "attachments" });
  /** @type {AttachmentView[]} */
  #views = [];
  #edited = el("span", {}, "edited");
  #time = el("time", { dir: "auto" });
  #mark = el("span", { class: "mark", "data-testid": "mark" });
  #meta = el("p", {}, this.#edited, this.#time, this.#mark);
  #spoken = el("div", { class: "said" }, this.#text, this.#meta);
  #reactions;
  #problem = el("p", { class: "unsent" });
  #progress = el("span", {});
  bubble = el("div", { class: "bubble" }, this.#sender, this.#calls, this.#quote, this.#files, this.#spoken);
  element = el(
    "li",
    { class: "message", "data-testid": "message", tabindex: -1 },
    this.#day,
    this.#fresh,
    el("div", { class: "message-body" }, this.#avatar, this.bubble),
    this.#problem,
  );
  /** @type {Item|undefined} what it shows */
  item;
  /** Whether its reader may change it. */
  own = false;
  /** Whether its reader may delete it. */
  deletable = false;
  /** The message, where something can be done with it. */
  get message() {
    const message = this.item?.message;
    return message?.deletedAt ? undefined : message;
  }
  #shown = "";
  /** Its text, as it was written, and whom it mentions. */
  #said = "";
  #on;

  /**
   * @param {object} on
   * @param {(clientMessageId: string) => void} on.retry
   * @param {(clientMessageId: string) => void} on.discard
   * @param {import("./attachment.js").LinkTo} on.linkTo
   * @param {(err: unknown) => void} on.failed
   * @param {(messageId: string) => void} on.quoted the message that this one answers is wanted
   * @param {(message: Message, reaction: string, add: boolean) => void} on.react
   * @param {Pick<import("./actions.js").Acts, "choose">} on.acts
   */
  constructor(on) {
    this.#on = on;
    this.#reactions = new ReactionsView(
      (reaction, add) => this.message && on.react(this.message, reaction, add),
      () => this.message && on.acts.choose(this.message),
    );
    this.bubble.append(this.#reactions.element);
    this.#quote.addEventListener("click", () => on.quoted(this.item?.replyTo?.messageId ?? ""));
  }

  /**
   * @param {Item} item
   * @param {Among} among
   */
  show(item, { previous, me, moderates, now, fresh, nameOf, namesOf, held, readersOf, reactionsOf }) {
    const { newDay, first } = beginsWith(item, previous, fresh);
    const own = item.senderId === me;
    const day = newDay ? dayName(item.timestamp, now) : "";
    const { messageId = "", status, message, outgoing } = item;
    const deleted = message?.deletedAt !== undefined;
    const moderated = message?.deletedBy !== undefined;
    const edited = message?.editedAt !== undefined && !deleted;
    const name = nameOf(item.senderId);
    const { replyTo } = item;
    const answered = replyTo && held(replyTo.messageId);
    const quote = replyTo && quoteText(answered ? quoteOf(answered) : replyTo);
    const quoted = replyTo ? nameOf(replyTo.senderId) : "";
    const mentioned = (deleted ? [] : (item.mentions ?? [])).map((userId) => ({ userId, names: namesOf(userId) }));
    const calls = !own && mentioned.some(({ userId }) => userId === me);
    const readers = own && message && !deleted ? readersOf(message).map(nameOf) : [];
    const reactions = message && !deleted ? reactionsOf(message) : [];
    this.item = item;
    this.own = own && message !== undefined && !deleted;
    this.deletable = this.own || (moderates && message !== undefined && !deleted);
    const shown = [
      messageId,
      status,
      edited,
      deleted,
      moderated,
      item.text,
      first,
      fresh,
      own,
      day,
      name,
      quote,
      quoted,
      ...mentioned.map(({ names }) => names),
      readers,
      outgoing?.failure?.code,
      outgoing && pendingText(outgoing, now),
      ...reactions.map(({ reaction, count, mine }) => `${reaction} ${count} ${mine}`),
      ...item.files.map((f) => [f.attachmentId, f.name, f.width, "sent" in f ? `${f.status} ${f.sent}` : ""]),
      zone(),
    ].join("\0");
    if (shown === this.#shown) return;
    this.#shown = shown;

    const { element } = this;
    element.classList.toggle("own", own);
    element.classList.toggle("first", first);
    // What is stored is safe, and reaches all members.
    element.dataset.status = message ? "sent" : status;
    if (messageId) element.dataset.messageId = messageId;
    this.#day.hidden = !day;
    this.#day.textContent = day;
    this.#fresh.hidden = !fresh;
    becomeAvatar(this.#avatar, name);
    // The author is said on every message, but seen once.
    this.#sender.className = own || !first ? "unseen" : `sender hue-${hueOf(name)}`;
    this.#sender.textContent = own ? "You" : name;
    this.#sender.title = own || name === item.senderId ? "" : item.senderId;
    // Only where it differs: it may be selected.
    const text = deleted ? (moderated ? "Deleted by a moderator" : "Message deleted") : item.text;
    const said = [text, ...mentioned.map(({ names }) => names)].join("\0");
    if (this.#said !== said)
      this.#text.replaceChildren(...withMentions(partsOf(text), mentioned).map((part) => nodeOf(part, me)));
    this.#said = said;
    element.classList.toggle("calls", calls);
    this.#calls.hidden = !calls;
    this.#text.classList.toggle("deleted", deleted);
    this.#text.hidden = text === "" && item.files.length > 0;
    this.#quote.hidden = quote === undefined;
    this.#quote.title = quote === undefined ? "" : "Show the message that this one answers";
    this.#quoted.textContent = quoted;
    this.#preview.textContent = quote ?? "";
    this.#showFiles(item);
    this.#reactions.update(reactions);
    this.#edited.hidden = !edited;
    this.#time.dateTime = new Date(item.timestamp).toISOString();
    this.#time.textContent = timeOfDay(item.timestamp);
    this.#showMark(own && !deleted ? status : undefined, readers);
    // As the author: said on every message, seen once. The others tell it to a pointer above them.
    this.#time.className = first ? "" : "unseen";
    this.#meta.className = first || edited || !this.#mark.hidden ? "meta" : "unseen";
    this.#spoken.title = fullTimeOf(item.timestamp);
    this.#showProblem(outgoing, now);
  }

  /** It is not shown any more. */
  end() {
    for (const view of this.#views) view.end();
  }

  /**
   * A message keeps its files, in their order, from when it is sent until it is deleted.
   * @param {Item} item
   */
  #showFiles({ files }) {
    for (const view of this.#views.splice(files.length)) view.end();
    for (const [i, file] of files.entries()) {
      this.#views[i] ??= new AttachmentView(file, this.#on.linkTo, this.#on.failed);
      this.#views[i].update(file);
    }
    arrange(
      this.#files,
      this.#views.map(({ element }) => element),
    );
    this.#files.hidden = files.length === 0;
  }

  /**
   * @param {Item["status"]|undefined} status
   * @param {string[]} readers their names
   */
  #showMark(status, readers) {
    this.#mark.hidden = status === undefined || status === "failed";
    if (status === undefined) return;
    const [mark, picture, words] =
      readers.length > 0 ? ["read", "delivered", `Read by ${listed(readers.map(isolated))}`] : MARKS[status];
    this.#mark.dataset.mark = mark;
    this.#mark.title = words;
    this.#mark.replaceChildren(icon(picture), el("span", { class: "unseen" }, words));
  }

  /**
   * @param {Outgoing|undefined} outgoing
   * @param {number} now
   */
  #showProblem(outgoing, now) {
    const progress = outgoing ? pendingText(outgoing, now) : "";
    this.#problem.hidden = outgoing?.status !== "failed" && !progress;
    this.#problem.classList.toggle("underway", progress !== "");
    if (progress && this.#progress.parentElement === this.#problem) {
      this.#progress.textContent = progress; // and the button stays, which may have the focus
      return;
    }
    this.#problem.replaceChildren();
    if (progress && outgoing) {
      const cancel = el("button", { type: "button", class: "link", "data-testid": "discard" }, "Cancel");
      cancel.addEventListener("click", () => this.#on.discard(outgoing.clientMessageId));
      this.#progress.textContent = progress;
      this.#problem.append(this.#progress, " ", cancel);
    }
    if (outgoing?.status !== "failed") return;
    const retry = el("button", { type: "button", class: "link", "data-testid": "retry" }, "Try again");
    const discard = el("button", { type: "button", class: "link", "data-testid": "discard" }, "Delete");
    retry.addEventListener("click", () => this.#on.retry(outgoing.clientMessageId));
    discard.addEventListener("click", () => this.#on.discard(outgoing.clientMessageId));
    this.#problem.append("Not sent. ", outgoing.failure ? describe(outgoing.failure) : "", " ");
    if (outgoing.failure?.code !== "attach_again") this.#problem.append(retry, " ");
    this.#problem.append(discard);
  }
}

/**
 * A part of a message's text, as it is shown.
 * @param {ReturnType<typeof withMentions>[number]} part
 * @param {string} me
 */
function nodeOf(part, me) {
  const { kind, text } = part;
  switch (kind) {
    case "mention":
      return el("strong", { class: part.userId === me ? "mention me" : "mention", "data-testid": "mention" }, text);
    case "link":
      // Where it leads learns nothing about this page, and can't reach it.
      return el("a", { href: text, target: "_blank", rel: "noopener noreferrer" }, text);
    case "code":
      return el("code", {}, text);
    case "block":
      return el("pre", { tabindex: 0, role: "group", "aria-label": "Code" }, el("code", {}, text));
    default:
      return text;
  }
}

/** A message that is sent again this soon needs no word about it (ms). */
const SOON = 10_000;

/**
 * What a message waits for: a time, or its files.
 * @param {Outgoing} outgoing
 * @param {number} now
 * @returns {string} empty where it needs no word
 */
function pendingText(outgoing, now) {
  const { retryAt = 0 } = outgoing;
  if (retryAt - now > SOON) return `You have sent a lot. This is sent again at ${untilText(retryAt, now)}.`;
  return progressOf(outgoing);
}

/**
 * How far the files of a message are that waits for them.
 * @param {Outgoing} outgoing
 * @returns {string} empty where it waits for none
 */
function progressOf({ status, attachments = [] }) {
  if (status !== "waiting" || attachments.every((a) => a.status === "uploaded")) return "";
  const sum = (/** @type {(a: Upload) => number} */ of) => attachments.reduce((total, a) => total + of(a), 0);
  return `Uploading: ${fileSize(sum((a) => a.sent))} of ${fileSize(sum((a) => a.size))}.`;
}

/**
 * How each status is marked: its name, its symbol and its words.
 * @type {Record<Item["status"], [string, string, string]>}
 */
const MARKS = {
  waiting: ["waiting", "waiting", "Waiting"],
  sending: ["sending", "waiting", "Sending"],
  stored: ["sent", "sent", "Sent"],
  failed: ["failed", "waiting", "Not sent"],
};
