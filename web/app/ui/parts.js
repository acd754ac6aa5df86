// What a message's text is made of: text, links and code. It is written as it is read:
// there is no markup that hides a link behind other words.

/**
 * A part of a text. Code is without the marks around it.
 * @typedef {object} Part
 * @property {"text"|"link"|"code"|"block"} kind
 * @property {string} text
 */

/** Longer than this isn't made a link (UTF-16 units): no one reads where it leads. */
const MOST = 2_048;

/** A line that opens or closes a block of code; the name of its language may follow. */
const FENCE = /^```[\w+#.-]*[ \t]*$/u;
/** A line that closes one. */
const CLOSE = /^```[ \t]*$/u;

/**
 * Code within a line, or an address. What isn't seen, or changes the direction of what stands
 * around it, ends an address: it may look like another.
 */
const INLINE =
  /(?<!`)`([^`\s](?:[^`\n]*[^`\s])?)`(?!`)|(?<![\p{L}\p{N}])(?:https?:\/\/|mailto:)[^\s<>"`\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]+/giu;

/**
 * The parts of a text, in order.
 * @param {string} text
 * @returns {Part[]}
 */
export function partsOf(text) {
  if (!text.includes("`") && !text.includes(":")) return [{ kind: "text", text }];
  /** @type {Part[]} */
  const parts = [];
  /** @type {string[]} */
  let said = [];
  const lines = text.split("\n");
  const lastClose = lines.findLastIndex((line) => CLOSE.test(line));
  for (let i = 0; i < lines.length; i++) {
    if (i >= lastClose || !FENCE.test(lines[i])) {
      said.push(lines[i]);
      continue;
    }
    const open = i++;
    while (!CLOSE.test(lines[i])) i++;
    if (i === open + 1) {
      said.push(lines[open], lines[i]);
      continue;
    }
    addInline(parts, said.join("\n"));
    said = [];
    parts.push({ kind: "block", text: lines.slice(open + 1, i).join("\n") });
  }
  addInline(parts, said.join("\n"));
  return parts;
}

/**
 * @param {Part[]} parts
 * @param {string} text
 */
function addInline(parts, text) {
  let end = 0;
  const addText = (/** @type {number} */ to) => {
    if (to > end) parts.push({ kind: "text", text: text.slice(end, to) });
  };
  for (const { 0: found, 1: code, index } of text.matchAll(INLINE)) {
    const link = code === undefined ? address(found) : "";
    if (code === undefined && !link) continue;
    addText(index);
    parts.push(code === undefined ? { kind: "link", text: link } : { kind: "code", text: code });
    end = index + (link || found).length;
  }
  addText(text.length);
}

const PAIRS = new Map([
  [")", "("],
  ["]", "["],
  ["}", "{"],
]);

/**
 * What of a text is an address: the marks that end a sentence or a bracket around it are not.
 * @param {string} found
 * @returns {string} empty where it is none
 */
function address(found) {
  if (found.length > MOST) return "";
  let end = found.length;
  for (; end > 0; end--) {
    const last = found[end - 1];
    const opens = PAIRS.get(last);
    if (opens === undefined ? !/[.,:;!?'’”*_~]/u.test(last) : balanced(found.slice(0, end), opens, last)) break;
  }
  const link = found.slice(0, end);
  if (!URL.canParse(link)) return "";
  const { protocol, host, pathname, username } = new URL(link);
  if (protocol === "mailto:") return pathname.includes("@") ? link : "";
  // A name before an @ is there to be taken for the host.
  return (protocol === "http:" || protocol === "https:") && host && !username ? link : "";
}

/**
 * @param {string} text
 * @param {string} opens
 * @param {string} closes
 */
const balanced = (text, opens, closes) => text.split(closes).length <= text.split(opens).length;
