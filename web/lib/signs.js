// Signs of the device and its user that the connection may be dead, or is wanted; and
// of other tabs.

/** @typedef {import("./clock.js").Clock} Clock */

/** Between comparisons of the clock (ms). */
const WATCH = 5_000;
/** More than a timer is late on a busy machine (ms). */
const JUMP = 3_000;
/** A timer that is this late shows that the page or the device slept: browsers run a hidden page's timers once a minute (ms). */
const SLEPT = 75_000;

/**
 * Listens to the window, where there is one, and to the clock.
 * @param {Clock} clock
 * @param {object} on
 * @param {() => void} on.sign the network or the clock changed, or the user came back to the page
 * @param {() => void} on.slept the page or the device slept, before on.sign is called for it
 * @param {(key: string|null) => void} on.storage another tab changed a value of localStorage
 * @returns {() => void} stops listening
 */
export function listenForSigns(clock, { sign, slept, storage }) {
  const listening = new AbortController();
  const { signal } = listening;
  const stopWatching = watch(clock, (late) => {
    if (late > SLEPT) slept();
    sign();
  });
  if (typeof window !== "undefined") {
    for (const event of ["online", "offline", "focus", "pageshow"]) window.addEventListener(event, sign, { signal });
    // Where there is one: the kind of network changed.
    /** @type {any} */ (globalThis.navigator)?.connection?.addEventListener?.("change", sign, { signal });
    window.addEventListener("storage", ({ key }) => storage(key), { signal });
    document.addEventListener("resume", sign, { signal });
    const visible = () => {
      if (document.visibilityState === "visible") sign();
    };
    document.addEventListener("visibilitychange", visible, { signal });
  }
  return () => {
    listening.abort();
    stopWatching();
  };
}

/**
 * Finds jumps of the clock: the device slept, or its time was set.
 * @param {Clock} clock
 * @param {(late: number) => void} jumped by how much (ms)
 * @returns {() => void} stops watching
 */
function watch(clock, jumped) {
  let stop = () => {};
  const next = () => {
    const before = clock.now();
    stop = clock.after(WATCH, () => {
      const late = clock.now() - before - WATCH;
      const hidden = typeof document !== "undefined" && document.visibilityState === "hidden";
      next();
      if (late < -JUMP || late > (hidden ? SLEPT : JUMP)) jumped(late);
    });
  };
  next();
  return () => stop();
}
