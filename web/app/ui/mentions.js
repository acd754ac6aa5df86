// Mentions, as they are shown.

import { findMentions } from "../../lib/streamroom.js";

/**
 * @typedef {import("../../lib/streamroom.js").Streamroom} Streamroom
 * @typedef {import("./completion.js").Person} Person
 * @typedef {import("./parts.js").Part} Part
 */

/**
 * Who may be mentioned, and by what: by a name that no one else of them has, and by their
 * ids.
 * @param {Streamroom} chat
 * @param {string[]} userIds
 * @returns {Person[]} in the order of their names
 */
export function mentionable(chat, userIds) {
  const people = [...new Set(userIds)].map((userId) => ({
    userId,
    label: chat.labelOf(userId),
    name: chat.nameOf(userId),
  }));
  /** @type {Map<string, number>} */
  const called = new Map();
  for (const { userId, name } of people)
    for (const one of new Set([userId, name].map(folded))) called.set(one, (called.get(one) ?? 0) + 1);
  return people
    .map(({ userId, label, name }) => {
      const own = name !== userId && called.get(folded(name)) === 1;
      return { userId, label, names: own ? [name, userId] : [userId] };
    })
    .sort((a, b) => a.label.localeCompare(b.label));
}

/** @param {string} name */
const folded = (name) => name.normalize().toLowerCase();

/**
 * The parts of a text with its mentions apart.
 * @param {Part[]} parts
 * @param {import("../../lib/mentions.js").Mentionable[]} mentioned
 * @returns {(Part|{kind: "mention", text: string, userId: string})[]}
 */
export function withMentions(parts, mentioned) {
  if (mentioned.length === 0) return parts;
  return parts.flatMap((part) => {
    if (part.kind !== "text") return [part];
    const found = findMentions(part.text, mentioned);
    /** @type {ReturnType<typeof withMentions>} */
    const split = [];
    let end = 0;
    for (const { from, to, userId } of found) {
      if (from > end) split.push({ kind: "text", text: part.text.slice(end, from) });
      split.push({ kind: "mention", text: part.text.slice(from, to), userId });
      end = to;
    }
    if (end < part.text.length) split.push({ kind: "text", text: part.text.slice(end) });
    return split;
  });
}
