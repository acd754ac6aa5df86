// What a search finds in a text, and where.

import { Sought } from "../app/ui/finding.js";
import { equal, test } from "./check.js";

/**
 * What is found, with the text around it.
 * @param {string} text
 * @param {string} sought
 */
function marked(text, sought) {
  let said = "";
  let end = 0;
  for (const { from, to } of Sought.of(sought)?.placesIn(text) ?? []) {
    said += `${text.slice(end, from)}[${text.slice(from, to)}]`;
    end = to;
  }
  return said + text.slice(end);
}

test("words are found in any case, over line breaks, and as they are typed", () => {
  equal(marked("One two\n  THREE one Two", "two three"), "One [two\n  THREE] one Two");
  equal(marked("a.b axb a.b", "A.B"), "[a.b] axb [a.b]");
  equal(marked("nothing", "else"), "nothing");
  for (const blank of ["", " \n", "\u0301", "\u200b"]) equal(Sought.of(blank), undefined);
});

test("a character is found whichever way it is encoded", () => {
  for (const form of ["NFC", "NFD"]) {
    for (const typed of ["NFC", "NFD"]) {
      const find = (/** @type {string} */ text, /** @type {string} */ sought) =>
        marked(text.normalize(form), sought.normalize(typed)).normalize("NFC");
      equal(find("Un café noir", "café"), "Un [café] noir");
      equal(find("Tiếng Việt", "việt"), "Tiếng [Việt]");
      equal(find("한국어 안녕", "안녕"), "한국어 [안녕]");
      equal(find("ガラス", "ガ"), "[ガ]ラス");
    }
  }
  equal(marked("ＡＢＣ ﬁnd ｶﾞ", "abc find ガ"), "[ＡＢＣ ﬁnd ｶﾞ]");
  equal(marked("so\u00adft", "soft"), "[so\u00adft]");
});

test("case is that of all languages", () => {
  equal(marked("Straße STRASSE", "strasse"), "[Straße] [STRASSE]");
  equal(marked("Straße", "traß"), "S[traß]e");
  equal(marked("ΟΔΟΣ οδός", "οδος"), "[ΟΔΟΣ] [οδός]");
  equal(marked("İstanbul ISPARTA ırmak", "i"), "[İ]stanbul [I]SPARTA [ı]rmak");
});

test("accents make no difference, and other marks do", () => {
  equal(marked("résumé, resume", "resume"), "[résumé], [resume]");
  equal(marked("resume", "résumé"), "[resume]");
  equal(marked("Ёлка", "елка"), "[Ёлка]");
  equal(marked("שָׁלוֹם", "שלום"), "[שָׁלוֹם]");
  equal(marked("مُحَمَّد", "محمد"), "[مُحَمَّد]");
  equal(marked("がか", "か"), "が[か]");
  equal(marked("कि का", "का"), "कि [का]");
  equal(marked("각 가", "가"), "각 [가]");
});

test("a character is found as a whole", () => {
  equal(marked("I ❤️ it", "❤"), "I [❤️] it");
  equal(marked("e\u0301\u0323!", "e"), "[e\u0301\u0323]!");
});
