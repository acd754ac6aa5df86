// Mentions: a name behind an @ in a message's text, and the users whom the message names to
// the server.

/** How many users a message may mention. */
export const MAX_MENTIONS = 20;

/**
 * Someone who may be mentioned, and what they may be called.
 * @typedef {object} Mentionable
 * @property {string} userId
 * @property {readonly string[]} names
 */

/**
 * A mention in a text: it begins with the @, and ends before `to`.
 * @typedef {object} Mention
 * @property {number} from
 * @property {number} to
 * @property {string} userId
 */

/** What may not stand before an @: it would be an address of mail, or part of a word. */
const BEFORE = /[\p{L}\p{N}\p{M}_.@-]$/u;
/** What ends no name: the word goes on. */
const AFTER = /^[\p{L}\p{N}\p{M}_]/u;

/**
 * Finds who is mentioned in a text, by the longest name that fits, in any case.
 * @param {string} text
 * @param {Iterable<Mentionable>} people
 * @returns {Mention[]} in order
 */
export function findMentions(text, people) {
  /** @type {Mention[]} */
  const found = [];
  if (!text.includes("@")) return found;
  const names = [...people].flatMap(({ userId, names }) => names.filter(Boolean).map((name) => ({ userId, name })));
  for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at + 1)) {
    if (at < (found.at(-1)?.to ?? 0) || BEFORE.test(text.slice(Math.max(0, at - 2), at))) continue;
    let best = { to: at + 1, userId: "" };
    for (const { userId, name } of names) {
      const to = at + 1 + name.length;
      if (to > best.to && same(text.slice(at + 1, to), name) && !AFTER.test(text.slice(to))) best = { to, userId };
    }
    if (best.userId) found.push({ from: at, ...best });
  }
  return found;
}

/**
 * Whom a text mentions, each once, as many as a message may.
 * @param {string} text
 * @param {Iterable<Mentionable>} people
 * @returns {string[]} user ids
 */
export function mentionedIn(text, people) {
  return [...new Set(findMentions(text, people).map(({ userId }) => userId))].slice(0, MAX_MENTIONS);
}

/**
 * @param {string} one
 * @param {string} other
 */
const same = (one, other) => one.normalize().toLowerCase() === other.normalize().toLowerCase();
