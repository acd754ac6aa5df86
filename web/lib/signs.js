// Signs of the device and its user that a connection may be dead, or is wanted.

/**
 * Listens to the window, where there is one.
 * @param {object} on
 * @param {() => void} on.network the network came, went or changed
 * @param {() => void} on.user the user came back to the page
 * @returns {() => void} stops listening
 */
export function listenForSigns({ network, user }) {
  if (typeof window === "undefined") return () => {};
  const listening = new AbortController();
  const { signal } = listening;
  window.addEventListener("online", network, { signal });
  window.addEventListener("offline", network, { signal });
  document.addEventListener(
    "visibilitychange",
    () => {
      if (document.visibilityState === "visible") user();
    },
    { signal },
  );
  return () => listening.abort();
}
