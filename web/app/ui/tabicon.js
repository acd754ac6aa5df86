// How many messages are unread, in the tab's title and in its icon.

import { within } from "./dom.js";

/** More than this is not counted: there is no room for it. */
const MOST = 99;

const link = within(document.head, "link[rel=icon]", HTMLLinkElement);
const plain = link.href;
let shown = 0;

/** @param {number} unread */
export function showUnread(unread) {
  const title = unread > 0 ? `(${unread > MOST ? `${MOST}+` : unread}) Streamroom` : "Streamroom";
  if (document.title !== title) document.title = title;
  const count = Math.min(unread, MOST);
  if (count === shown) return;
  shown = count;
  link.href = count > 0 ? `data:image/svg+xml,${encodeURIComponent(picture(count))}` : plain;
}

/**
 * The icon with a number on it, as large as it can be: tabs show it in 16 pixels.
 * @param {number} count
 */
function picture(count) {
  const left = count > 9 ? 4 : 11;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#0d6b66"/>
<path d="M6 20.7V9c0-1.5 1.200-2.7 2.7-2.7h14.600" fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round"/>
<rect x="${left}" y="10" width="${32 - left}" height="22" rx="8" fill="#b3261e" stroke="#fff" stroke-width="1.5"/>
<text x="${(left + 32) / 2}" y="27.5" text-anchor="middle" font-family="sans-serif" font-size="18" font-weight="700" fill="#fff">${count}</text></svg>`;
}
