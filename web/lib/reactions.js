// What members reacted to messages with. Of two states of a message's reactions the one
// with the greater version counts, in whatever order they arrive. What the user chooses
// shows at once, and is sent now or when there is a connection.

import { around } from "./clock.js";
import { Failure, isPassing } from "./failure.js";
import { byteLength } from "./frames.js";
import { firstCharacter, hasVisible } from "./text.js";

/**
 * @typedef {import("./frames.js").Message} Message
 * @typedef {import("./frames.js").ReactionChange} ReactionChange
 */

/**
 * A message's reactions as they are held.
 * @typedef {object} Reactions
 * @property {number} version how often they changed
 * @property {Record<string, number>} counts how many members, by reaction
 * @property {string[]} [mine] the user's own; absent: not known
 * @property {number} [own] as of which version all of the user's own are known
 * @property {Record<string, number>} [since] the versions at which frames told of the user's own since
 */

/**
 * A reaction as it is shown.
 * @typedef {object} Shown
 * @property {string} reaction
 * @property {number} count
 * @property {boolean} mine
 */

/** The longest reaction, in bytes of UTF-8. */
export const MAX_REACTION = 35;

/** Before a reaction is sent again that got no answer (ms). */
const RETRY = 3_000;

/** Of how many messages that are to come the reactions are kept. */
const MOST_EARLY = 100;

/**
 * Whether the server takes a text as a reaction: what is read as one character, or a name
 * between colons.
 * @param {string} text
 */
export function isReaction(text) {
  if (byteLength(text) > MAX_REACTION) return false;
  return /^:[a-z0-9_+-]{1,32}:$/u.test(text) || (firstCharacter(text) === text && hasVisible(text));
}

/**
 * Brings the reactions of a held message up to date; older counts change nothing. An older
 * answer still tells of the user's own, but for those of which frames have told since.
 * @param {Message} held
 * @param {Reactions|undefined} other
 * @returns {boolean} whether people can see a difference
 */
export function mergeReactions(held, other) {
  if (!other || held.deletedAt) return false;
  const was = held.reactions;
  const next = { ...(was ?? { version: 0, counts: {} }) };
  if (!was || other.version >= was.version) {
    next.version = other.version;
    next.counts = inOrder(was?.counts, other.counts);
  }
  if (other.mine && other.version >= (was?.own ?? 0)) {
    const later = Object.entries(was?.since ?? {}).filter(([, at]) => at > other.version);
    next.since = Object.fromEntries(later);
    const told = (/** @type {string} */ reaction) => next.since?.[reaction] !== undefined;
    next.mine = [...other.mine.filter((r) => !told(r)), ...(was?.mine ?? []).filter(told)];
    next.own = other.version;
  }
  held.reactions = next;
  return shownAs(was) !== shownAs(next);
}

/**
 * Takes the changes that a frame tells of: those of the user's own on other devices, also
 * if the frame is older than the counts that are held. Several frames may be of one
 * version: the last one counts.
 * @param {Message} held
 * @param {number} version the frame's
 * @param {ReactionChange[]} changed
 * @param {string} me
 * @returns {boolean} whether people can see a difference
 */
export function mergeOwn(held, version, changed, me) {
  const { reactions } = held;
  if (!reactions) return false;
  const before = shownAs(reactions);
  for (const { userId, reaction, added } of changed) {
    if (userId !== me || version <= (reactions.own ?? 0) || version < (reactions.since?.[reaction] ?? 0)) continue;
    reactions.since = { ...reactions.since, [reaction]: version };
    const others = (reactions.mine ?? []).filter((r) => r !== reaction);
    reactions.mine = added ? [...others, reaction] : others;
  }
  return before !== shownAs(reactions);
}

/** @param {Reactions|undefined} reactions */
const shownAs = (reactions) => JSON.stringify([reactions?.counts ?? {}, [...(reactions?.mine ?? [])].sort()]);

/**
 * Counts in the order in which they are shown: what is there stays where it is, so that
 * nothing moves away under a finger.
 * @param {Record<string, number>|undefined} was
 * @param {Record<string, number>} counts
 */
function inOrder(was, counts) {
  const kept = Object.keys(was ?? {}).filter((reaction) => counts[reaction]);
  const fresh = Object.keys(counts)
    .filter((reaction) => !was?.[reaction])
    .sort((a, b) => counts[b] - counts[a] || (a < b ? -1 : 1));
  return Object.fromEntries([...kept, ...fresh].map((reaction) => [reaction, counts[reaction]]));
}

/**
 * Puts the reactions of a message that is new here in order.
 * @param {Message} message
 */
export function arrangeReactions(message) {
  const { reactions } = message;
  if (!reactions) return;
  const own = reactions.own ?? (reactions.mine && reactions.version);
  message.reactions = { ...reactions, own, counts: inOrder(undefined, reactions.counts) };
}

/** Reactions that came before their messages, of one room. */
export class EarlyReactions {
  /** @type {Map<string, {frame: import("./frames.js").Frame, me: string}[]>} by message */
  #frames = new Map();

  /**
   * @param {import("./frames.js").Frame} frame
   * @param {string} me
   */
  keep(frame, me) {
    if (this.#frames.size >= MOST_EARLY) this.#frames.clear(); // history has them
    const id = frame.messageId ?? "";
    this.#frames.set(id, [...(this.#frames.get(id) ?? []), { frame, me }]);
  }

  /** @param {string} messageId */
  take(messageId) {
    const frames = this.#frames.get(messageId) ?? [];
    this.#frames.delete(messageId);
    return frames;
  }
}

/**
 * A reaction that the user wants, or wants to take back.
 * @typedef {object} Wish
 * @property {string} chatRoomId
 * @property {string} messageId
 * @property {string} reaction
 * @property {boolean} add
 * @property {boolean} sending
 * @property {number} [retryAt] not before then, as the server asked (ms since 1970)
 * @property {() => void} [cancel] cancels the next try
 */

export class Reactors {
  /** @type {Map<string, Wish>} */
  #wishes = new Map();
  #api;
  #clock;
  #saved;
  #answered;
  #changed;
  #failed;

  /**
   * @param {object} of
   * @param {import("./api.js").API} of.api
   * @param {import("./clock.js").Clock} of.clock
   * @param {import("./saved.js").Saved} of.saved where they survive a reload
   * @param {(chatRoomId: string, messageId: string, now: Reactions) => void} of.answered a message's reactions as the server has them
   * @param {(chatRoomId: string) => void} of.changed what is shown changed
   * @param {(failure: Failure) => void} of.failed a reaction was refused
   */
  constructor({ api, clock, saved, answered, changed, failed }) {
    this.#api = api;
    this.#clock = clock;
    this.#saved = saved;
    this.#answered = answered;
    this.#changed = changed;
    this.#failed = failed;
  }

  /**
   * Adds a reaction, or takes it back, now or when there is a connection.
   * @param {string} chatRoomId
   * @param {string} messageId
   * @param {string} reaction
   * @param {boolean} add
   * @returns {Promise<void>} which rejects with a Failure if it is refused
   */
  async react(chatRoomId, messageId, reaction, add) {
    const key = keyOf({ chatRoomId, messageId, reaction });
    const before = this.#wishes.get(key);
    before?.cancel?.();
    const sending = before?.sending ?? false;
    this.#wishes.set(key, { chatRoomId, messageId, reaction, add, sending });
    this.#saved.put("reaction", key, { chatRoomId, messageId, reaction, add });
    this.#changed(chatRoomId);
    if (!sending) await this.#send(key);
  }

  /** Takes up what was saved before a reload; to send it twice, from two tabs, changes nothing. */
  restore() {
    for (const wish of this.#saved.list("reaction")) {
      const key = keyOf(wish);
      if (!this.#wishes.has(key)) this.#wishes.set(key, { ...wish, sending: false });
      this.#changed(wish.chatRoomId);
    }
  }

  /**
   * Another tab changed what is saved: the user thought better of it there, or it was sent.
   * @param {string|null} name of the store's key
   */
  savedElsewhere(name) {
    const key = this.#saved.idOf("reaction", name);
    if (key === undefined) return;
    const saved = this.#saved.get("reaction", key);
    const wish = this.#wishes.get(key);
    if (wish && saved) wish.add = saved.add;
    else if (wish && !wish.sending) this.#wishes.delete(key);
    if (wish) this.#changed(wish.chatRoomId);
  }

  /** @param {string} key of a wish that is over */
  #end(key) {
    this.#wishes.delete(key);
    this.#saved.remove("reaction", key);
  }

  /** There is a connection: what waits is sent, unless the server asked to wait longer. */
  online() {
    for (const [key, { retryAt = 0 }] of this.#wishes) {
      if (retryAt <= this.#clock.now()) this.#sendAgain(key);
    }
  }

  stop() {
    for (const wish of this.#wishes.values()) wish.cancel?.();
  }

  /**
   * A message's reactions as they are shown: with what the user chose.
   * @param {Message} message
   * @returns {Shown[]}
   */
  of({ chatRoomId, messageId, reactions, deletedAt }) {
    if (deletedAt) return [];
    const counts = { ...reactions?.counts };
    const mine = new Set(reactions?.mine);
    for (const wish of this.#wishes.values()) {
      if (wish.chatRoomId !== chatRoomId || wish.messageId !== messageId || mine.has(wish.reaction) === wish.add)
        continue;
      counts[wish.reaction] = (counts[wish.reaction] ?? 0) + (wish.add ? 1 : -1);
      if (wish.add) mine.add(wish.reaction);
      else mine.delete(wish.reaction);
    }
    return Object.entries(counts)
      .filter(([, count]) => count > 0)
      .map(([reaction, count]) => ({ reaction, count, mine: mine.has(reaction) }));
  }

  /** @param {string} key of a wish */
  async #send(key) {
    const wish = this.#wishes.get(key);
    if (!wish) return;
    const { chatRoomId, messageId, reaction, add } = wish;
    wish.sending = true;
    let refusal;
    try {
      const now = await this.#api.react(chatRoomId, messageId, reaction, add);
      if (this.#wishes.get(key)?.add === add) this.#end(key);
      this.#answered(chatRoomId, messageId, now);
    } catch (err) {
      const failure = Failure.from(err);
      const latest = this.#wishes.get(key);
      if (latest) latest.sending = false;
      if (isPassing(failure.code)) {
        if (latest) this.#later(latest, failure.retryAfter);
        return;
      }
      this.#end(key);
      refusal = failure;
    }
    this.#changed(chatRoomId);
    if (refusal) throw refusal;
    if (this.#wishes.has(key)) await this.#send(key); // the user has thought better of it
  }

  /**
   * Each waits by itself: what is refused for long in one room holds nothing up in others.
   * @param {Wish} wish
   * @param {number} retryAfter ms, 0: the server asked for nothing
   */
  #later(wish, retryAfter) {
    const wait = retryAfter + around(this.#clock, RETRY);
    wish.retryAt = retryAfter > 0 ? this.#clock.now() + wait : undefined;
    wish.cancel = this.#clock.after(wait, () => this.#sendAgain(keyOf(wish)));
  }

  /** @param {string} key of a wish that may be over, or under way */
  #sendAgain(key) {
    const wish = this.#wishes.get(key);
    if (!wish || wish.sending) return;
    wish.cancel?.();
    this.#send(key).catch((err) => this.#failed(Failure.from(err)));
  }
}

/** @param {Pick<Wish, "chatRoomId"|"messageId"|"reaction">} wish */
const keyOf = ({ chatRoomId, messageId, reaction }) => `${chatRoomId} ${messageId} ${reaction}`;
