// Keys that work everywhere in the page. index.html lists them for people.

/** @typedef {() => void} Act what a shortcut does */

/**
 * Listens for shortcuts. Those with Alt are by the key's place, not by what it writes,
 * which is something else with Alt on some keyboards. The one with Control is by what it
 * writes: what is at the place of the slash is the minus on many keyboards, and Control
 * with that makes the page smaller.
 * @param {object} acts
 * @param {Act} acts.help
 * @param {Act} acts.newRoom
 * @param {Act} acts.newDirect
 * @param {Act} acts.members
 * @param {Act} acts.search
 * @param {(by: 1|-1) => void} acts.move to the room above or below
 * @param {Act} acts.nextUnread
 * @param {Act} acts.write back to writing
 */
export function listenForKeys({ help, newRoom, newDirect, members, search, move, nextUnread, write }) {
  /** @type {Record<string, Act>} */
  const keys = {
    "Alt+Shift+KeyR": newRoom,
    "Alt+Shift+KeyD": newDirect,
    "Alt+Shift+KeyM": members,
    "Alt+Shift+KeyF": search,
    "Alt+ArrowUp": () => move(-1),
    "Alt+ArrowDown": () => move(1),
    "Alt+Shift+ArrowDown": nextUnread,
    Escape: write,
  };
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
    const modifiers = [
      event.ctrlKey || event.metaKey ? "Control+" : "",
      event.altKey ? "Alt+" : "",
      event.shiftKey ? "Shift+" : "",
    ].join("");
    const act =
      event.key === "/" && (event.ctrlKey || event.metaKey) && !event.altKey ? help : keys[modifiers + event.code];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
