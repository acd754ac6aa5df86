// The state machine of docs/protocol.md, "Catching up", for one room: which messages
// are new, which are missing, and what to ask the server for. It knows neither time
// nor network. client/recovery.go is the same machine, and
// docs/vectors/recovery.json is run against both.

import { arrivalOf, chain, insert } from "./arrival.js";
import { FIRST_ID, firstIdBefore, LAST_ID } from "./ulid.js";
import { Versions, versionOf } from "./versions.js";

/** @typedef {import("./arrival.js").Arrival} Arrival */
/** @typedef {import("./frames.js").Message} Message */

/**
 * What a room asks the server for: `newest` alone, or `page`, `sync` or both, in
 * this order.
 * @typedef {object} Query
 * @property {boolean} [newest] the newest messages, of a room of which nothing was read
 * @property {string} [page] the newest messages before this id, for changes of them; LAST_ID: the newest page
 * @property {string} [sync] the messages after this id, oldest first
 */

/**
 * What a step leads to: a message to deliver, or a change of one that was.
 * @typedef {object} Effect
 * @property {"deliver"|"change"} type
 * @property {Message} message
 * @property {boolean} [late] one with a greater id was delivered before
 * @property {boolean} [backlog] it was there before the room was first read
 */

/** How many ids a room remembers to drop duplicates by. */
export const MAX_KNOWN = 8192;
/** How many messages may wait for an earlier one; a sync fetches any more. */
export const MAX_WAITING = 256;
/** A sync begins this much before a position (ms): a message may be stored behind a later one. */
const OVERLAP = 60_000;
/** How many pages of shown messages are read again. */
const MAX_REREAD = 10;

/** The syncs that a room may want; a greater one includes the smaller ones. */
const NOTHING = 0;
const GAP = 1; // what came after position
const ALL = 2; // what came after confirmed

export class Recovery {
  /**
   * `new`: its history was never read. `live`: complete up to `position`, as far as
   * messages tell. `behind`: messages are missing, a sync is wanted or under way.
   * `degraded`: the last sync failed, messages are delivered as they come.
   * @type {"new"|"live"|"behind"|"degraded"}
   */
  phase = "new";
  /** Everything before this id counts as known. */
  start = FIRST_ID;
  /** Contiguous up to this id, as far as messages tell. */
  position = FIRST_ID;
  /** A server's answers cover everything up to this id. */
  confirmed = FIRST_ID;
  /** When to stop waiting for a missing message (ms since 1970); undefined: none is missing. */
  deadline = /** @type {number|undefined} */ (undefined);

  /** @type {Set<string>} delivered */
  #known = new Set();
  #newest = "";
  #versions = new Versions(MAX_KNOWN);
  /** @type {Arrival[]} beyond position, ascending */
  #waiting = [];
  /** @type {Map<string, {covered: boolean}>} stored, by an ack or as another one's predecessor, and not arrived; covered: since before the sync under way was asked for */
  #expected = new Map();
  #want = ALL;
  #cursor = "";
  /** When the first page of the sync under way was asked for (ms since 1970). */
  #asking = 0;
  /** Whether the sync under way began at `confirmed`, or before it. */
  #confirms = false;
  /** Of the step (ms since 1970). */
  #now = 0;
  #shown = "";
  #reread = "";
  #pages = 0;
  /** Whether the page that is to be read again was asked for since that became due. */
  #asked = false;
  #gap = "";
  /** @type {Effect[]} */
  #effects = [];
  #ordered;
  #patience;

  /**
   * @param {object} options
   * @param {boolean} options.ordered deliver in the order of ids, where possible
   * @param {number} options.patience how long a missing message may be late (ms)
   */
  constructor({ ordered, patience }) {
    this.#ordered = ordered;
    this.#patience = patience;
  }

  /** How many messages wait for an earlier one. */
  get waiting() {
    return this.#waiting.length;
  }

  /**
   * Takes one input and returns its effects, in order. `deadline`, `due` and `ask`
   * say what else is to be done. Without an input, time passes.
   * @param {number} now ms since 1970
   * @param {(recovery: Recovery) => void} [input]
   * @returns {Effect[]}
   */
  step(now, input) {
    this.#now = now;
    input?.(this);
    this.#release();
    this.#watch(now);
    return this.#effects.splice(0);
  }

  /**
   * Takes a live message.
   * @param {Message} message
   */
  message(message) {
    const arrival = arrivalOf(message);
    const { id } = arrival;
    const waiting = this.#find(id);
    if (waiting) chain(waiting, arrival);
    else if (this.knows(id)) {
      if (arrival.previous) this.ack(arrival.previous); // another one than its ack, or an earlier frame, named
    } else if (this.#versions.outdated(message)) this.refresh();
    else this.#hold(arrival);
  }

  /**
   * Takes a message that was edited or deleted.
   * @param {Message} message
   */
  change(message) {
    const id = message.messageId;
    const waiting = this.#find(id);
    if (waiting) this.#update(waiting, message);
    else if (this.phase !== "new" && !this.knows(id) && id > this.position)
      this.message({ ...message, previousMessageId: undefined });
    else this.#revise(message);
  }

  /**
   * Takes the id of a message that was stored and should come soon.
   * @param {string} id
   */
  ack(id) {
    if (this.#find(id) || this.knows(id) || this.#expected.has(id)) return;
    if (this.#expected.size >= MAX_WAITING) this.#miss(GAP);
    else this.#expected.set(id, { covered: false });
  }

  /** The server left messages out. */
  leftOut() {
    this.#miss(GAP);
    this.#readAgain();
  }

  /** Anything may have happened since the last connection. */
  reconnected() {
    this.#cursor = "";
    if (this.phase === "degraded") this.phase = "behind";
    this.#miss(ALL);
    this.#readAgain();
  }

  /**
   * Wants a sync from `confirmed`: messages that follow each other without a gap
   * don't tell of one that was stored late, behind them, and was lost.
   */
  refresh() {
    this.#want = ALL;
  }

  /**
   * The application shows messages from an id on.
   * @param {string} from LAST_ID stands for the newest page, whatever is in it
   */
  show(from) {
    this.#shown = from;
    if (from < this.start) this.start = from;
  }

  /** Whether there is something to ask for. */
  get due() {
    return this.#want !== NOTHING || this.#cursor !== "" || (this.phase !== "new" && this.rereading);
  }

  /** Whether shown messages have to be read again. */
  get rereading() {
    return this.#shown !== "" && this.#reread !== "";
  }

  /**
   * Begins what is due. The answers go to newest, rereadPage and synced; failed says
   * that there is none.
   * @param {number} now ms since 1970
   * @returns {Query}
   */
  ask(now) {
    for (const arrival of this.#waiting) arrival.covered = true;
    for (const expected of this.#expected.values()) expected.covered = true;
    if (!this.#cursor) this.#asking = now;
    if (this.phase === "new") {
      this.#want = NOTHING;
      return { newest: true };
    }
    /** @type {Query} */
    const query = {};
    this.#asked = this.rereading;
    if (this.#asked) query.page = this.#reread;
    if (this.#cursor) {
      query.sync = this.#cursor;
    } else if (this.#want !== NOTHING) {
      query.sync = this.#from();
      this.#want = NOTHING;
    }
    return query;
  }

  /** The id after which a sync begins. */
  #from() {
    const from = firstIdBefore(this.#want === ALL ? this.confirmed : this.position, OVERLAP);
    return from < this.start ? this.start : from;
  }

  /**
   * Takes the newest messages of a room of which nothing was read.
   * @param {Message[]} page oldest first
   * @param {boolean} older whether there are older ones
   */
  newest(page, older) {
    this.phase = "behind";
    this.#reread = "";
    this.#asked = false;
    if (older && page.length > 0) {
      this.start = page[0].messageId;
      const first = this.#waiting[0]?.id;
      if (first && first < this.start && first > firstIdBefore(this.start, OVERLAP)) {
        // The room was so busy that the page begins behind the message by which the
        // client learned of it. Nothing must be missing between them.
        this.start = this.position = this.confirmed = first;
        this.#miss(GAP);
        return;
      }
      this.position = this.confirmed = this.start;
    }
    this.synced(this.position, page, false, true);
  }

  /**
   * Begins at a room's last message, without its history: what comes is new, also if it
   * was stored up to 60 s late, before that message.
   * @param {string} last empty where there is none
   * @param {Iterable<string>} known what was delivered already
   */
  begin(last, known) {
    this.phase = "live";
    this.#want = NOTHING;
    if (!last) return;
    this.start = firstIdBefore(last, OVERLAP);
    this.position = this.confirmed = last;
    for (const id of known) this.#remember(id);
  }

  /**
   * Takes one page of a sync: the messages after an id.
   * @param {string} after
   * @param {Message[]} page oldest first
   * @param {boolean} more whether there are more behind them
   * @param {boolean} [backlog] they were there before the room was first read
   */
  synced(after, page, more, backlog = false) {
    let last = after;
    for (const message of page) {
      if (message.messageId > last) last = message.messageId;
      this.#found({ ...arrivalOf(message), chained: true, covered: true, backlog });
    }
    for (let first = this.#waiting[0]; first; first = this.#waiting[0]) {
      if (first.id > last && (more || !first.covered)) break;
      this.#pass();
    }
    this.#advance(last);
    this.#confirm(after, last);
    if (more) {
      this.#cursor = last;
      return;
    }
    this.#cursor = "";
    for (const [id, { covered }] of this.#expected) if (covered) this.#expected.delete(id);
    // Something went missing after the sync was asked for, if another is wanted.
    this.phase = this.#want === NOTHING ? "live" : "behind";
  }

  /**
   * Takes what a page of a sync covers. While the pages are read, messages may be stored
   * behind those that were read already, as late as any, so the next sync begins before
   * the last page by the time that this one took.
   * @param {string} after
   * @param {string} last
   */
  #confirm(after, last) {
    if (!this.#cursor) this.#confirms = after <= this.confirmed;
    const covered = firstIdBefore(last, Math.max(0, this.#now - this.#asking));
    if (this.#confirms && covered > this.confirmed) this.confirmed = covered;
  }

  /**
   * Takes a message of a server's answer.
   * @param {Arrival} arrival
   */
  #found(arrival) {
    const { id, message } = arrival;
    const waiting = this.#find(id);
    if (waiting) {
      waiting.covered = true;
      this.#update(waiting, message);
    } else if (this.knows(id)) {
      this.#revise(message);
    } else if (this.#versions.outdated(message)) {
      this.#versions.forget(id); // accept the next page as it is, or a restored table would loop
      this.refresh();
    } else {
      insert(this.#waiting, arrival);
    }
  }

  /**
   * Takes a page of the messages before an id, for changes of those that were
   * delivered. Missing messages are left to syncs.
   * @param {Message[]} page oldest first
   * @param {boolean} older whether there are older ones
   */
  rereadPage(page, older) {
    for (const message of page) {
      const waiting = this.#find(message.messageId);
      if (waiting) this.#update(waiting, message);
      else if (this.knows(message.messageId)) this.#revise(message);
    }
    if (!this.#asked) return; // the answer is from before all was to be read once more
    this.#pages++;
    const goesOn = older && page.length > 0 && page[0].messageId > this.#shown && this.#pages < MAX_REREAD;
    this.#reread = goesOn ? page[0].messageId : "";
  }

  /** There was no answer. What waits is delivered: late messages beat none. */
  failed() {
    this.#want = ALL;
    if (this.phase !== "new") this.phase = "degraded";
    for (const arrival of this.#waiting) this.#deliver(arrival);
  }

  /**
   * Messages are missing.
   * @param {number} want
   */
  #miss(want) {
    this.#want = Math.max(this.#want, want);
    if (this.phase === "live") this.phase = "behind";
  }

  /** Wants the shown messages to be read again: at once, or as soon as there are any. */
  #readAgain() {
    this.#reread = LAST_ID;
    this.#pages = 0;
    this.#asked = false;
  }

  /**
   * Takes a message that is not known.
   * @param {Arrival} arrival
   */
  #hold(arrival) {
    const now = !this.#ordered || this.phase === "degraded";
    const full = this.#waiting.length >= MAX_WAITING;
    if (full) this.#miss(GAP);
    if (now) this.#deliver(arrival);
    if (!full) insert(this.#waiting, arrival);
  }

  /** Lets pass what waits for nothing any more. */
  #release() {
    while (this.phase === "live" && this.#waiting.length > 0 && !this.#lacks(this.#waiting[0])) this.#pass();
  }

  /** Takes the first message out of the waiting ones. */
  #pass() {
    const [arrival] = this.#waiting.splice(0, 1);
    this.#deliver(arrival);
    this.#advance(arrival.id);
  }

  /**
   * Delivers a message once.
   * @param {Arrival} arrival
   */
  #deliver(arrival) {
    if (arrival.delivered) return;
    arrival.delivered = true;
    const { id, message, backlog } = arrival;
    this.#effects.push({ type: "deliver", message, late: id < this.#newest, backlog });
    this.#remember(id);
    this.#versions.note(message);
    this.#expected.delete(id);
  }

  /**
   * Takes a newer version of a waiting message.
   * @param {Arrival} waiting
   * @param {Message} message
   */
  #update(waiting, message) {
    if (waiting.delivered) this.#revise(message);
    else if (versionOf(message) > versionOf(waiting.message)) waiting.message = message;
  }

  /**
   * Delivers a change of a message, unless that or a newer one was.
   * @param {Message} message
   */
  #revise(message) {
    if (!this.#versions.newer(message)) return;
    this.#versions.note(message);
    this.#effects.push({ type: "change", message });
  }

  /**
   * Decides, after each input, until when to wait for a missing message: `patience`,
   * from when it was first missed. A clock that is set back in the meantime doesn't
   * make it wait for longer.
   * @param {number} now
   */
  #watch(now) {
    const gap = this.#missing();
    if (this.deadline !== undefined) this.deadline = Math.min(this.deadline, now + this.#patience);
    if (gap !== this.#gap) {
      this.#gap = gap;
      this.deadline = gap ? now + this.#patience : undefined;
    } else if (this.deadline !== undefined && now >= this.deadline) {
      this.#gap = "";
      this.deadline = undefined;
      this.#miss(GAP);
    }
  }

  /**
   * The id of a message that should have come, empty for none. A message without a
   * predecessor's id is missing itself, as a frame of its own.
   */
  #missing() {
    if (this.phase !== "live") return ""; // a sync is on its way
    const [first] = this.#waiting;
    if (!first) return this.#expected.keys().next().value ?? "";
    return first.chained ? first.previous : first.id;
  }

  /** @param {string} id */
  #advance(id) {
    if (id > this.position) this.position = id;
  }

  /**
   * Remembers an id, and forgets an eighth of them when there are too many.
   * @param {string} id
   */
  #remember(id) {
    this.#known.add(id);
    if (id > this.#newest) this.#newest = id;
    if (this.#known.size <= MAX_KNOWN) return;
    const kept = [...this.#known].sort().slice(MAX_KNOWN / 8);
    this.#known = new Set(kept);
    this.start = kept[0];
  }

  /** @param {string} id */
  #find(id) {
    return this.#waiting.find((arrival) => arrival.id === id);
  }

  /**
   * Whether a message was delivered.
   * @param {string} id
   */
  knows(id) {
    return id < this.start || this.#known.has(id);
  }

  /**
   * Whether a waiting message can't be shown to follow `position`.
   * @param {Arrival} arrival
   */
  #lacks({ chained, previous }) {
    return !chained || (previous !== "" && previous !== this.position && !this.knows(previous));
  }
}
