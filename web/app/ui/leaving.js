// Asks before the page is left while messages are not sent.

/** @param {BeforeUnloadEvent} event */
const ask = (event) => event.preventDefault();

/**
 * Only listens while there are some: a page that listens is not kept by the browser
 * for going back to it.
 * @param {number} unsent how many messages, and files of what is written, are not sent
 */
export function guardLeaving(unsent) {
  if (unsent > 0) window.addEventListener("beforeunload", ask);
  else window.removeEventListener("beforeunload", ask);
}
