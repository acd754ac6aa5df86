// Tests of what a message's text is made of.

import { partsOf } from "../app/ui/parts.js";
import { equal, test } from "./check.js";

/** @param {string} text */
const shown = (text) => partsOf(text).map(({ kind, text }) => (kind === "text" ? text : `<${kind} ${text}>`));

test("addresses become links, without what ends the sentence", () => {
  for (const [text, ...want] of [
    ["plain: text", "plain: text"],
    ["", ""],
    ["see https://example.com/a?b=c#d.", "see ", "<link https://example.com/a?b=c#d>", "."],
    ["(http://localhost:8080/)", "(", "<link http://localhost:8080/>", ")"],
    ["https://en.wikipedia.org/wiki/Go_(game), too", "<link https://en.wikipedia.org/wiki/Go_(game)>", ", too"],
    ["HTTPS://EXAMPLE.COM!?", "<link HTTPS://EXAMPLE.COM>", "!?"],
    ["“https://例え.jp/道”", "“", "<link https://例え.jp/道>", "”"],
    ["a\nhttps://a.b\nhttps://c.d", "a\n", "<link https://a.b>", "\n", "<link https://c.d>"],
    ["mailto:bob@example.com.", "<link mailto:bob@example.com>", "."],
    ["mailto:", "mailto:"],
    [
      "javascript:alert(1) data:text/html,x file:///a ftp://a",
      "javascript:alert(1) data:text/html,x file:///a ftp://a",
    ],
    ["xhttps://a.b", "xhttps://a.b"],
    ["https:// https://. https://[", "https:// https://. https://["],
    ["https://bank.example@evil.example/", "https://bank.example@evil.example/"],
    ["https://a.b/\u202egpj.exe", "<link https://a.b/>", "\u202egpj.exe"],
    ["https://a.b/\u200bc", "<link https://a.b/>", "\u200bc"],
    [`https://a.b/${"c".repeat(2_048)}`, `https://a.b/${"c".repeat(2_048)}`],
  ])
    equal(shown(text), want, text);
});

test("code is told from text, and nothing in it is a link", () => {
  for (const [text, ...want] of [
    ["run `go test`, then", "run ", "<code go test>", ", then"],
    ["`https://a.b`", "<code https://a.b>"],
    ["one ` alone, `` none", "one ` alone, `` none"],
    ["`over\nlines`", "`over\nlines`"],
    ["a\n```\nb `c`\n\n d\n```\ne", "a", "<block b `c`\n\n d>", "e"],
    ["```go\nx := 1\n```", "<block x := 1>"],
    ["```\nnot closed", "```\nnot closed"],
    ["```\n```", "```\n```"],
    ["```\na\n```\nb\n```\nc\n```", "<block a>", "b", "<block c>"],
    ["say ``` here", "say ``` here"],
  ])
    equal(shown(text), want, text);
});

test("long texts are taken apart at once", () => {
  // 32 KB of what begins something and doesn't end it: each is looked at once or twice.
  for (const [part, kinds] of [
    ["```a\n", 1],
    ["`", 1],
    ["https://a.b/) ", 2],
    ["(((https://a.b))) ", 2],
    ["https:", 1],
  ]) {
    const text = part.repeat(32_768 / part.length);
    equal(new Set(partsOf(text).map(({ kind }) => kind)).size, kinds, part);
  }
});
