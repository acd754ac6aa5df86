// Tests of text as people read it.

import { beginning, firstCharacter, hasVisible, isolated, likeness } from "../lib/text.js";
import { equal, test } from "./check.js";
import { idAt, World } from "./fakes.js";

test("a beginning is cut where what is read as one character ends", () => {
  // As in shared/chat/text_test.go.
  const family = "👩\u200d👩\u200d👧\u200d👧";
  for (const [x, end, shown] of [
    [139, "e\u0301", ""],
    [138, "e\u0301", "e\u0301"],
    [134, family, ""],
    [133, `${family}x`, family],
    [138, "🇯🇵🇫🇷", "🇯🇵"],
    [137, "🇯🇵🇫🇷", "🇯🇵"],
    [139, "\r\n", ""],
    [139, "👍🏽", ""],
    [139, "\u1100\u1161\u11a8", ""],
    [137, "क्ष", "क्ष"],
    [0, `e${"\u0301".repeat(139)}`, `e${"\u0301".repeat(139)}`],
    [0, `e${"\u0301".repeat(140)}`, "…"],
  ])
    equal(beginning("x".repeat(x) + end, 140), "x".repeat(x) + shown);
});

test("what shows nothing isn't sent", async () => {
  const w = new World();
  await w.connect();
  for (const content of [
    "",
    " \n",
    "\u200b\ufeff",
    "\u3164",
    "\u2800",
    "\u061c",
    "\u0000",
    "\u0301".repeat(60),
    "\ufe0f",
    "\ud800",
  ]) {
    let code = "";
    try {
      w.chat.send("r", content);
    } catch (err) {
      code = err.code;
    }
    equal([content, code], [content, "invalid_request"]);
    equal([content, await w.chat.edit("r", idAt(1), content).catch((err) => err.code)], [content, "invalid_request"]);
  }
  for (const content of ["a", "\u200b!", "👩\u200d👧", "\u{1fae9}", "ा", "\uf8ff"])
    equal(hasVisible(content), true, content);
});

test("names alike are known by width, case and what isn't seen", () => {
  for (const like of [
    "Straße 1",
    "STRASSE 1",
    "ｓｔｒａｓｓｅ\u00a01",
    "s\u200dtras\ufe0fse1\u3164",
    "Straſſe \u2460",
    "\u2800strasse1\u202c",
  ])
    equal(likeness(like), "strasse1");
  for (const other of ["Strase 1", "Straße 2", "Stràße 1", "Straße-1"])
    if (likeness(other) === "strasse1") throw new Error(other);
  equal([isolated("Bob"), isolated("שרה"), isolated("a\u061c")], ["Bob", "\u2068שרה\u2069", "\u2068a\u061c\u2069"]);
  equal([firstCharacter("e\u0301x"), firstCharacter("")], ["e\u0301", ""]);
});
