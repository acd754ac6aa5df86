// Signs of the device and its user that a connection may be dead, or is wanted; and
// of other tabs.

/**
 * Listens to the window, where there is one.
 * @param {object} on
 * @param {() => void} on.network the network came, went or changed
 * @param {() => void} on.user the user came back to the page
 * @param {(key: string|null) => void} on.storage another tab changed a value of localStorage
 * @returns {() => void} stops listening
 */
export function listenForSigns({ network, user, storage }) {
  if (typeof window === "undefined") return () => {};
  const listening = new AbortController();
  const { signal } = listening;
  window.addEventListener("online", network, { signal });
  window.addEventListener("offline", network, { signal });
  window.addEventListener("storage", ({ key }) => storage(key), { signal });
  document.addEventListener(
    "visibilitychange",
    () => {
      if (document.visibilityState === "visible") user();
    },
    { signal },
  );
  return () => listening.abort();
}
