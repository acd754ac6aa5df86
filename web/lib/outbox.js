// Messages on their way out: kept until the server has stored or refused them,
// in order, one in flight per room. Sending again is safe: the server stores a
// clientMessageId once.

import { described } from "./attachments.js";
import { fullJitter } from "./clock.js";
import { Failure, isPassing, MAX_RETRY_AFTER } from "./failure.js";
import { isolated } from "./text.js";
import { newKey } from "./ulid.js";

/**
 * @typedef {import("./clock.js").Clock} Clock
 * @typedef {import("./saved.js").Saved} Saved
 * @typedef {import("./tabs.js").Tabs} Tabs
 * @typedef {import("./attachments.js").Upload} Upload
 */

/**
 * @typedef {object} Outgoing
 * @property {string} clientMessageId
 * @property {string} chatRoomId
 * @property {string} content
 * @property {number} createdAt ms since 1970
 * @property {"waiting"|"sending"|"failed"} status
 * @property {Failure} [failure] why, when failed
 * @property {number} [retryAt] while it waits because its sender is over a limit: when it is sent again, in ms since 1970
 * @property {Upload[]} [attachments] it is sent when they are uploaded
 * @property {import("./frames.js").Quote} [replyTo] the message that it answers
 * @property {string[]} [mentions] the users whom it mentions
 */

/** How long an ack may take before the message goes out again (ms). */
const ACK_WITHIN = 12_000;
/** How long an ack may take before the connection is checked (ms). */
const QUIET = 5_000;
/** How often one message is tried on working connections before its sender is asked. */
const TRIES = 6;
/** From what a random time is taken between one try and the next: it grows (ms). */
const PAUSE = 500;
const LONGEST_PAUSE = 8_000;
/** The server knows a clientMessageId for 24 hours: after this, sending again might store a message twice (ms). */
const SAFE_FOR = 23 * 3_600_000;

export class Outbox {
  /** @type {Map<string, Entry[]>} by room, in the order of sending */
  #queues = new Map();
  #online = false;
  #clock;
  #transmit;
  #saved;
  #tabs;
  #changed;
  #late;

  /**
   * @param {object} on
   * @param {Clock} on.clock
   * @param {Saved} on.saved where they survive a reload
   * @param {Tabs} on.tabs
   * @param {(frame: object) => void} on.transmit puts a frame on the connection
   * @param {(chatRoomId: string) => void} on.changed a room's outgoing messages changed
   * @param {() => void} on.late an ack is overdue: the connection may be dead
   */
  constructor({ clock, saved, tabs, transmit, changed, late }) {
    this.#clock = clock;
    this.#saved = saved;
    this.#tabs = tabs;
    this.#transmit = transmit;
    this.#changed = changed;
    this.#late = late;
  }

  /**
   * @param {string} chatRoomId
   * @returns {Outgoing[]} in the order of sending
   */
  list(chatRoomId) {
    return (this.#queues.get(chatRoomId) ?? []).map((e) => e.outgoing);
  }

  /**
   * @param {string} chatRoomId
   * @param {string} content
   * @param {Upload[]} [attachments]
   * @param {{replyTo?: Outgoing["replyTo"], mentions?: string[]|Promise<string[]>}} [about]
   * @returns {Outgoing}
   */
  add(chatRoomId, content, attachments = [], { replyTo, mentions } = {}) {
    const known = mentions instanceof Promise ? undefined : mentions;
    const outgoing = /** @type {Outgoing} */ ({
      clientMessageId: `c-${newKey()}`,
      chatRoomId,
      content,
      createdAt: this.#clock.now(),
      status: "waiting",
      attachments: attachments.length > 0 ? attachments : undefined,
      replyTo,
      mentions: known?.length ? known : undefined,
    });
    const entry = this.#enqueue(outgoing);
    if (mentions instanceof Promise) void this.#mention(entry, mentions);
    this.#save(outgoing);
    this.#pump(chatRoomId);
    this.#changed(chatRoomId);
    return outgoing;
  }

  /**
   * Holds a message until it is known whom it mentions. If that can't be found out, or the
   * page is left before, it mentions no one.
   * @param {Entry} entry
   * @param {Promise<string[]>} mentions
   */
  async #mention(entry, mentions) {
    const { outgoing } = entry;
    entry.asks = true;
    const found = await mentions.catch(() => []);
    entry.asks = false;
    if (this.#find(outgoing.clientMessageId) !== entry) return; // its sender gave it up
    if (found.length > 0) {
      outgoing.mentions = found;
      // Who has signed out in the meantime has had all forgotten.
      if (this.#saved.get("outbox", outgoing.clientMessageId)) this.#save(outgoing);
    }
    this.#pump(outgoing.chatRoomId);
    this.#changed(outgoing.chatRoomId);
  }

  /** How many messages wait or are on their way. */
  get unsent() {
    return this.#unsentIds.length;
  }

  /** As unsent, with those of the user's other tabs, which are saved in the same place. */
  get unsentAnywhere() {
    const saved = this.#saved.list("outbox").filter(({ failure }) => !failure);
    return new Set([...this.#unsentIds, ...saved.map(({ clientMessageId }) => clientMessageId)]).size;
  }

  get #unsentIds() {
    const unsent = [...this.#entries()].filter(({ outgoing }) => outgoing.status !== "failed");
    return unsent.map(({ outgoing }) => outgoing.clientMessageId);
  }

  /** @returns {Outgoing[]} messages that failed, of all rooms */
  get failed() {
    return [...this.#entries()].flatMap(({ outgoing }) => (outgoing.status === "failed" ? outgoing : []));
  }

  /**
   * Takes up what was saved before a reload, also by another tab that may still be
   * there: the server stores a message once, whichever tabs send it. What waits for files
   * that another tab uploads is left to that, while it lives.
   */
  restore() {
    for (const { outgoing } of this.#entries()) this.#save(outgoing);
    for (const { failure, attachments, tab, ...outgoing } of this.#saved.list("outbox")) {
      if (this.#find(outgoing.clientMessageId)) continue;
      if (tab && this.#tabs.waitFor(tab, () => this.restore())) continue;
      const entry = { ...outgoing, status: "waiting", attachments: attachments?.map(restored) };
      this.#enqueue(entry);
      const lost = lostOf(entry);
      if (lost) this.#fail(entry, lost);
      else if (failure) this.#fail(entry, new Failure(failure.code, failure.message, failure));
      else if (!this.#isSafe(entry)) this.#fail(entry, tooLate());
    }
    for (const entry of this.#entries()) this.#waitOn(entry);
    for (const room of this.#queues.keys()) {
      this.#pump(room);
      this.#changed(room);
    }
  }

  /**
   * Another tab changed what is saved: what it sent or gave up doesn't wait here.
   * @param {string|null} key of the store
   */
  savedElsewhere(key) {
    const id = this.#saved.idOf("outbox", key);
    if (id === undefined || this.#saved.get("outbox", id)) return;
    if (this.#find(id)?.outgoing.status !== "sending") this.remove(id);
  }

  /** @param {Outgoing} outgoing */
  #enqueue(outgoing) {
    const queue = this.#queues.get(outgoing.chatRoomId) ?? [];
    const entry = new Entry(outgoing);
    queue.push(entry);
    this.#queues.set(outgoing.chatRoomId, queue);
    return entry;
  }

  /** @param {Outgoing} outgoing */
  #save({ clientMessageId, chatRoomId, content, createdAt, retryAt, failure, attachments, replyTo, mentions }) {
    const reason = failure && { code: failure.code, message: failure.message, until: failure.until || undefined };
    const files = attachments?.map(described);
    const tab = files?.every(({ attachmentId }) => attachmentId) === false ? this.#tabs.id : undefined;
    this.#saved.put("outbox", clientMessageId, {
      clientMessageId,
      chatRoomId,
      content,
      createdAt,
      retryAt,
      failure: reason,
      attachments: files,
      replyTo,
      mentions,
      tab,
    });
  }

  /**
   * The upload of a file changed, of a message that waits for it maybe.
   * @param {Upload} upload
   */
  uploaded(upload) {
    for (const { outgoing } of this.#entries()) {
      if (!outgoing.attachments?.includes(upload)) continue;
      if (upload.status === "uploaded") this.#save(outgoing);
      if (upload.status === "failed" && outgoing.status === "waiting") {
        this.#fail(outgoing, upload.failure ?? new Failure("unavailable", "A file was not uploaded."));
      }
      this.#pump(outgoing.chatRoomId);
      this.#changed(outgoing.chatRoomId);
    }
  }

  /**
   * Tries a failed message again, under its old id while the server knows that.
   * @param {string} clientMessageId
   */
  retry(clientMessageId) {
    const entry = this.#find(clientMessageId);
    if (entry?.outgoing.status !== "failed" || lostOf(entry.outgoing)) return;
    const { outgoing } = entry;
    entry.tries = 0;
    outgoing.status = "waiting";
    delete outgoing.failure;
    if (!this.#isSafe(outgoing)) {
      this.#saved.remove("outbox", clientMessageId);
      outgoing.clientMessageId = `c-${newKey()}`;
      outgoing.createdAt = this.#clock.now();
    }
    this.#save(outgoing);
    this.#pump(outgoing.chatRoomId);
    this.#changed(outgoing.chatRoomId);
  }

  /**
   * Whether to send a message can't store it twice. A clock that was set back says
   * nothing.
   * @param {Outgoing} outgoing
   */
  #isSafe({ createdAt }) {
    return Math.abs(this.#clock.now() - createdAt) < SAFE_FOR;
  }

  /**
   * Takes a message out: it was stored, or its sender gave it up.
   * @param {string} clientMessageId
   * @returns {Outgoing|undefined} undefined when it was out already
   */
  remove(clientMessageId) {
    const entry = this.#find(clientMessageId);
    if (!entry) return undefined;
    entry.cancel();
    this.#saved.remove("outbox", clientMessageId);
    const room = entry.outgoing.chatRoomId;
    const left = (this.#queues.get(room) ?? []).filter((e) => e !== entry);
    if (left.length > 0) this.#queues.set(room, left);
    else this.#queues.delete(room);
    this.#pump(room);
    this.#changed(room);
    return entry.outgoing;
  }

  /**
   * The server refused a message.
   * @param {string} clientMessageId
   * @param {Failure} failure
   * @returns {string|undefined} the message's room, if it waited for an answer
   */
  refused(clientMessageId, failure) {
    const entry = this.#find(clientMessageId);
    if (entry?.outgoing.status !== "sending") return undefined;
    this.#again(entry, failure);
    return entry.outgoing.chatRoomId;
  }

  /** The gateway failed at some message and doesn't say which. */
  gatewayFailed() {
    const failure = new Failure("internal", "The server could not take the message.");
    for (const entry of this.#entries()) {
      if (entry.outgoing.status === "sending") this.#again(entry, failure);
    }
  }

  /** The connection is there: send what waits. */
  online() {
    this.#online = true;
    for (const entry of this.#entries()) this.#waitOn(entry);
    for (const room of this.#queues.keys()) this.#pump(room);
  }

  /** The connection is gone: what was in flight waits for the next. */
  offline() {
    this.#online = false;
    for (const entry of this.#entries()) {
      entry.cancel();
      if (entry.outgoing.status === "sending") {
        entry.outgoing.status = "waiting";
        this.#changed(entry.outgoing.chatRoomId);
      }
      this.#waitOn(entry);
    }
  }

  /** Waits for nothing until the next connection. */
  stop() {
    for (const entry of this.#entries()) entry.cancel();
  }

  /**
   * Waits until the time from which a message may be sent again: to send it earlier, on a
   * new connection or after a reload, would be refused, and use up a try.
   * @param {Entry} entry
   */
  #waitOn(entry) {
    const { outgoing } = entry;
    if (outgoing.status !== "waiting" || !outgoing.retryAt) return;
    const left = outgoing.retryAt - this.#clock.now();
    const over = () => {
      delete outgoing.retryAt;
      this.#pump(outgoing.chatRoomId);
      this.#changed(outgoing.chatRoomId);
    };
    entry.cancel();
    // A time further off is of a clock that was set back.
    if (left > 0 && left <= MAX_RETRY_AFTER + LONGEST_PAUSE) entry.hold(this.#clock, left, over);
    else over();
  }

  /**
   * @param {Entry} entry
   * @param {Failure} failure
   */
  #again(entry, failure) {
    const { outgoing } = entry;
    entry.cancel();
    if (!isPassing(failure.code) || entry.tries >= TRIES) {
      this.#fail(outgoing, failure);
      this.#pump(outgoing.chatRoomId);
    } else {
      outgoing.status = "waiting";
      const pause = fullJitter(this.#clock, entry.tries, PAUSE, LONGEST_PAUSE);
      if (failure.code === "rate_limited") {
        // A rate window is a second long: half of this is the least that helps.
        outgoing.retryAt = this.#clock.now() + Math.max(500, failure.retryAfter) + pause;
        this.#save(outgoing);
        this.#waitOn(entry);
      } else {
        entry.hold(this.#clock, pause, () => {
          this.#pump(outgoing.chatRoomId);
          this.#changed(outgoing.chatRoomId);
        });
      }
    }
    this.#changed(outgoing.chatRoomId);
  }

  /**
   * @param {Outgoing} outgoing
   * @param {Failure} failure
   */
  #fail(outgoing, failure) {
    outgoing.status = "failed";
    outgoing.failure = failure;
    delete outgoing.retryAt;
    this.#save(outgoing);
  }

  /**
   * Sends a room's first message that has not failed and waits for no upload, unless it
   * is on its way.
   * @param {string} chatRoomId
   */
  #pump(chatRoomId) {
    if (!this.#online) return;
    const entry = this.#queues.get(chatRoomId)?.find(({ outgoing: o }) => o.status !== "failed" && isComplete(o));
    if (!entry || entry.busy) return;
    const { outgoing } = entry;
    if (!this.#isSafe(outgoing)) {
      this.#fail(outgoing, tooLate());
      this.#pump(chatRoomId);
      this.#changed(chatRoomId);
      return;
    }
    outgoing.status = "sending";
    delete outgoing.retryAt;
    entry.tries++;
    entry.hold(this.#clock, QUIET, () => {
      entry.hold(this.#clock, ACK_WITHIN - QUIET, () => {
        this.#again(entry, new Failure("timeout", "The server did not confirm the message."));
      });
      this.#late();
    });
    this.#transmit({
      action: "sendMessage",
      chatRoomId,
      content: outgoing.content,
      clientMessageId: outgoing.clientMessageId,
      attachments: outgoing.attachments?.map(({ attachmentId }) => attachmentId),
      replyTo: outgoing.replyTo?.messageId,
      mentions: outgoing.mentions,
      echo: false, // the ack says all
    });
  }

  /** @param {string} clientMessageId */
  #find(clientMessageId) {
    for (const entry of this.#entries()) {
      if (entry.outgoing.clientMessageId === clientMessageId) return entry;
    }
    return undefined;
  }

  *#entries() {
    for (const queue of this.#queues.values()) yield* queue;
  }
}

/** A message in the queue and the timer that it waits for: an ack's, or a back-off's. */
class Entry {
  tries = 0;
  /** Whether it is asked whom it mentions. */
  asks = false;
  /** @type {(() => void)|undefined} */
  #cancel;

  /** @param {Outgoing} outgoing */
  constructor(outgoing) {
    this.outgoing = outgoing;
  }

  /** Whether it waits for an ack, for its turn to be tried again, or for whom it mentions. */
  get busy() {
    return this.asks || this.#cancel !== undefined;
  }

  /**
   * @param {Clock} clock
   * @param {number} ms
   * @param {() => void} call
   */
  hold(clock, ms, call) {
    this.cancel();
    this.#cancel = clock.after(ms, () => {
      this.#cancel = undefined;
      call();
    });
  }

  cancel() {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}

/** @param {Outgoing} outgoing */
const isComplete = ({ attachments = [] }) => attachments.every(({ status }) => status === "uploaded");

/**
 * A file of a message that was saved: its bytes are gone with the page.
 * @param {Upload} file
 * @returns {Upload}
 */
const restored = (file) => ({ ...file, status: file.attachmentId ? "uploaded" : "failed", sent: 0 });

/**
 * What a message lacks, whose page was left before its files were uploaded.
 * @param {Outgoing} outgoing
 * @returns {Failure|undefined}
 */
function lostOf({ attachments = [] }) {
  const names = attachments.filter((a) => a.status === "failed" && !a.file).map(({ name }) => `“${isolated(name)}”`);
  if (names.length === 0) return undefined;
  return new Failure("attach_again", `The page was left before ${names.join(", ")} was uploaded: attach it again.`);
}

const tooLate = () => new Failure("too_late", "It is over a day old, and may have been sent then.");
