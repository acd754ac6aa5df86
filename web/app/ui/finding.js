// Finding words in a text, whichever way its characters are encoded, and in any case.

/**
 * Marks over and under letters of Latin, Greek, Cyrillic, Hebrew and Arabic, with or without
 * which people write the same words; and what isn't seen. Marks without which a word is
 * another one stay, as those of Japanese and Hindi do.
 */
const IGNORED =
  /[[[\p{Mn}&&[\p{Script=Inherited}\p{Script=Cyrillic}\p{Script=Hebrew}\p{Script=Arabic}]]--[\u3099\u309a]]\u0640\p{Default_Ignorable_Code_Point}]/gv;

/** What is found as a whole: a character with its marks, or a syllable of Korean. */
const CHARACTER = /(?:[\u1100-\u115f]+|.)[\u1160-\u11ff]*[\p{M}\uff9e\uff9f\p{Default_Ignorable_Code_Point}]*/gsu;

/**
 * A text as it is compared: width, ligatures, case and accents make no difference.
 * @param {string} text
 */
const folded = (text) => text.normalize("NFKD").replace(IGNORED, "").toLowerCase().toUpperCase().normalize("NFC");

/** Words that are looked for, one after the other, also over line breaks. */
export class Sought {
  #pattern;

  /** @param {RegExp} pattern of a text that is folded */
  constructor(pattern) {
    this.#pattern = pattern;
  }

  /**
   * @param {string} text as it is typed
   * @returns {Sought|undefined} undefined where nothing is looked for
   */
  static of(text) {
    const words = folded(text).split(/\s+/u).filter(Boolean);
    if (words.length === 0) return undefined;
    const escaped = words.map((word) => word.replace(/[\\^$.*+?()[\]{}|/]/gu, "\\$&"));
    return new Sought(new RegExp(escaped.join("\\s+"), "gu"));
  }

  /** @param {string} text */
  isIn(text) {
    return folded(text).search(this.#pattern) >= 0;
  }

  /**
   * Where it is in a text, in whole characters.
   * @param {string} text
   * @returns {{from: number, to: number}[]} in order
   */
  placesIn(text) {
    if (!this.isIn(text)) return [];
    let whole = "";
    /** @type {{at: number, from: number, to: number}[]} where each character is in the folded text, and in the text */
    const characters = [];
    for (const { 0: character, index } of text.matchAll(CHARACTER)) {
      const as = folded(character);
      if (as) characters.push({ at: whole.length, from: index, to: index + character.length });
      whole += as;
    }
    const character = (/** @type {number} */ at) => characters[characters.findLastIndex((c) => c.at <= at)];
    return [...whole.matchAll(this.#pattern)].map(({ 0: found, index }) => ({
      from: character(index).from,
      to: character(index + found.length - 1).to,
    }));
  }
}
