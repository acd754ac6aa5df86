// Where the device is, asked of the browser.

import { Failure } from "../../lib/streamroom.js";

/** How long the device may look for its position, and how old one may be (ms). */
const WITHIN = 15_000;
const MAX_AGE = 60_000;

/** What is said of GeolocationPositionError's codes: refused, unavailable, timed out. */
const REASONS = [
  "",
  "This page may not read your position. Allow it in the browser’s settings for this site, then try again.",
  "Your position can’t be found. Turn on this device’s location service, then try again.",
  "Finding your position took too long. Try again, outdoors or near a window if you can.",
];

/**
 * Asks for the position. The browser asks the user, the first time.
 * @returns {Promise<{lat: number, lon: number}>} degrees; rejects with a Failure `no_position` that says what to do
 */
export function position() {
  return new Promise((resolve, reject) => {
    if (!window.isSecureContext || !navigator.geolocation) {
      reject(new Failure("no_position", "Browsers give positions to pages at https addresses only: use one of those."));
      return;
    }
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => resolve({ lat: coords.latitude, lon: coords.longitude }),
      ({ code }) => reject(new Failure("no_position", REASONS[code] ?? REASONS[2])),
      { timeout: WITHIN, maximumAge: MAX_AGE },
    );
  });
}
