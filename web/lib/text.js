// Text as people read it: what is seen, where a character ends, which names look alike.

// The server's rule is in shared/chat/text.go. What a browser doesn't know is seen: it may be new.
const SEEN =
  /[^\p{Cc}\p{Cf}\p{Cs}\p{Z}\p{Mn}\p{Me}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u2800\ufffc\u{1d159}\u{13441}\u{13442}]|[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u{110bd}\u{110cd}]/u;

/**
 * Whether anything of a text is seen. The server refuses messages and names that show nothing.
 * @param {string} text
 */
export const hasVisible = (text) => SEEN.test(text);

/**
 * How many characters a text has, as the server bounds names: code points. A length is more
 * where there are emoji or rare letters.
 * @param {string} text
 */
export const countCharacters = (text) => Array.from(text).length;

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/**
 * A text, or its beginning where it is longer, as the server cuts previews: never within
 * what is read as one character, such as a family of emoji.
 * @param {string} text
 * @param {number} most code points
 */
export function beginning(text, most) {
  if (text.length <= most) return text;
  let count = 0;
  // Only what may be needed is segmented: a text may be long.
  for (const { segment, index } of graphemes.segment(text)) {
    count += countCharacters(segment);
    if (count > most) return text.slice(0, index) || "…";
  }
  return text;
}

/**
 * What is read as a text's first character.
 * @param {string} text
 */
export function firstCharacter(text) {
  for (const { segment } of graphemes.segment(text)) return segment;
  return "";
}

const UNSEEN = /[\p{Cc}\p{Cf}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/gu;

/**
 * Names with the same key look alike: width, case, and what isn't seen make no difference.
 * @param {string} name
 */
export function likeness(name) {
  const plain = name.normalize("NFKC").replace(UNSEEN, "");
  return plain.toLowerCase().toUpperCase().toLowerCase().normalize("NFKC");
}

const RIGHT_TO_LEFT = /[\u0590-\u08ff\u200f\u061c\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/**
 * A name for a text in which others stand, so that writing from right to left in it
 * doesn't move what stands beside it.
 * @param {string} name
 */
export const isolated = (name) => (RIGHT_TO_LEFT.test(name) ? `\u2068${name}\u2069` : name);
