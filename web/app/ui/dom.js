// Elements. Text only ever becomes text: nothing here takes markup.

import { firstCharacter, hasVisible } from "../../lib/streamroom.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * Makes an element. An attribute that is true is set empty; one that is false or
 * undefined isn't set.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string|number|boolean|undefined>} [attributes]
 * @param {...(Node|string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === undefined) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

/**
 * A symbol of index.html's. It says nothing to a screen reader.
 * @param {string} name
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/**
 * An element of the page, by its id.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function byId(id, type) {
  return /** @type {T} */ (check(document.getElementById(id), type, `#${id}`));
}

/**
 * An element inside another, by selector.
 * @template {HTMLElement} T
 * @param {ParentNode} parent
 * @param {string} selector
 * @param {new () => T} type
 * @returns {T}
 */
export function within(parent, selector, type) {
  return /** @type {T} */ (check(parent.querySelector(selector), type, selector));
}

/**
 * @param {Element|null} element
 * @param {new () => HTMLElement} type
 * @param {string} what
 */
function check(element, type, what) {
  if (!(element instanceof type)) throw new TypeError(`the page lacks ${what}`);
  return element;
}

/**
 * Makes a list's children these, moving and removing only what differs.
 * @param {Element} parent
 * @param {Element[]} children
 */
export function arrange(parent, children) {
  // What goes is removed first: what follows it need not move then, which would cost it
  // the focus and the selection.
  const kept = new Set(children);
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  let at = parent.firstElementChild;
  for (const child of children) {
    if (child === at) at = at.nextElementSibling;
    else parent.insertBefore(child, at);
  }
}

/** How long a problem stays in sight (ms). */
const TOAST = 6_000;
/** How many announcements stay to be read again. */
const ANNOUNCED = 20;

/** @type {ReturnType<typeof setTimeout>|undefined} */
let toastEnds;

/**
 * Says something to those who listen to the page instead of looking at it. Each
 * announcement is an element of its own: one that took another's place would keep a
 * screen reader from saying that, and the same words twice would be said once.
 * @param {string} text
 * @param {boolean} [seen] shows it, too
 */
export function announce(text, seen = false) {
  const announcer = byId("announcer", HTMLElement);
  announcer.append(el("p", {}, text));
  while (announcer.childElementCount > ANNOUNCED) announcer.firstElementChild?.remove();
  if (!seen) return;
  const toast = byId("toast", HTMLElement);
  toast.textContent = text;
  toast.hidden = false;
  clearTimeout(toastEnds);
  toastEnds = setTimeout(() => {
    toast.hidden = true;
  }, TOAST);
}

/** Takes back what was announced: it may be about someone who has signed out. */
export function silence() {
  byId("announcer", HTMLElement).replaceChildren();
  const toast = byId("toast", HTMLElement);
  toast.textContent = "";
  toast.hidden = true;
}

/** How many colours there are for names. */
const HUES = 8;

/**
 * Makes an element the avatar of someone or something.
 * @param {Element} element
 * @param {string} name
 */
export function becomeAvatar(element, name) {
  element.className = `avatar hue-${hueOf(name)}`;
  element.textContent = initials(name);
}

/**
 * The colour of a name: the same everywhere.
 * @param {string} name
 */
export function hueOf(name) {
  let hash = 0x811c9dc5; // FNV-1a
  for (const c of name) hash = Math.imul(hash ^ (c.codePointAt(0) ?? 0), 0x01000193);
  return ((hash ^ (hash >>> 15)) >>> 0) % HUES;
}

/** @param {string} name with an id in parentheses behind it, maybe */
function initials(name) {
  const words = name
    .replace(/ \([^()]+\)$/u, "")
    .split(/[\s._@\u2068\u2069-]+/u)
    .filter(hasVisible);
  // Two letters of an alphabet are as wide as one character of other scripts.
  const count = /^[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\d]/u.test(words[0] ?? "") ? 2 : 1;
  return words.slice(0, count).map(firstCharacter).join("").toLocaleUpperCase() || "?";
}
