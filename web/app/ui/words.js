// What the page says about times, failures and the connection.

import { firstCharacter } from "../../lib/streamroom.js";

/** @typedef {import("../../lib/streamroom.js").Failure} Failure */

/** @param {string} timeZone */
const formatsIn = (timeZone) => ({
  timeZone,
  clockTime: new Intl.DateTimeFormat(undefined, { timeZone, hour: "2-digit", minute: "2-digit" }),
  weekday: new Intl.DateTimeFormat(undefined, { timeZone, weekday: "short" }),
  shortDate: new Intl.DateTimeFormat(undefined, { timeZone, day: "numeric", month: "short" }),
  mediumDate: new Intl.DateTimeFormat(undefined, { timeZone, day: "numeric", month: "short", year: "numeric" }),
  longDate: new Intl.DateTimeFormat(undefined, {
    timeZone,
    weekday: "long",
    day: "numeric",
    month: "long",
    year: "numeric",
  }),
  span: new Intl.DateTimeFormat(undefined, { timeZone, dateStyle: "medium", timeStyle: "short" }),
  fullTime: new Intl.DateTimeFormat(undefined, { timeZone, dateStyle: "full", timeStyle: "medium" }),
});

const zoneNow = () => new Intl.DateTimeFormat().resolvedOptions().timeZone;
let formats = formatsIn(zoneNow());

/** Tells times as they are where the reader is now: devices travel. */
export function updateZone() {
  const timeZone = zoneNow();
  if (timeZone !== formats.timeZone) formats = formatsIn(timeZone);
}

/** The time zone in which times are told. */
export const zone = () => formats.timeZone;

/** @param {number} ms */
export const timeOfDay = (ms) => formats.clockTime.format(ms);

/**
 * When something was, or until when it holds: a time of today, or of another day.
 * @param {number} ms
 * @param {number} now
 */
export const untilText = (ms, now) => (daysBetween(ms, now) === 0 ? timeOfDay(ms) : formats.span.format(ms));

/** @param {number} ms */
export const fullTimeOf = (ms) => formats.fullTime.format(ms);

/**
 * The day that a time falls on, here.
 * @param {number} ms
 * @returns {number} its first ms
 */
export function dayOf(ms) {
  return new Date(ms).setHours(0, 0, 0, 0);
}

/**
 * A day, as a heading.
 * @param {number} ms
 * @param {number} now
 */
export function dayName(ms, now) {
  const days = daysBetween(ms, now);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return formats.longDate.format(ms);
}

/**
 * When something was, as short as it can be told.
 * @param {number} ms
 * @param {number} now
 */
export function briefly(ms, now) {
  const days = daysBetween(ms, now);
  if (days <= 0) return formats.clockTime.format(ms);
  if (days === 1) return "Yesterday";
  if (days < 7) return formats.weekday.format(ms);
  const thisYear = new Date(ms).getFullYear() === new Date(now).getFullYear();
  return (thisYear ? formats.shortDate : formats.mediumDate).format(ms);
}

/**
 * @param {number} ms
 * @param {number} now
 */
function daysBetween(ms, now) {
  // A day with a change of clocks isn't 24 hours long.
  return Math.round((dayOf(now) - dayOf(ms)) / 86_400_000);
}

/**
 * Whether someone is online, or when they were.
 * @param {import("../../lib/presence.js").Sighting|undefined} seen
 * @param {number} now
 * @returns {string} empty where nothing is known
 */
export function seenText(seen, now) {
  if (seen?.online) return "Online";
  return seen?.lastSeenAt ? `Last seen ${briefly(seen.lastSeenAt, now)}` : "";
}

/**
 * How far away something is.
 * @param {number} metres
 */
export function distance(metres) {
  const near = metres < 995;
  const amount = near ? Math.round(metres / 10) * 10 : metres / 1000;
  return new Intl.NumberFormat(undefined, {
    style: "unit",
    unit: near ? "meter" : "kilometer",
    maximumFractionDigits: near || amount >= 10 ? 0 : 1,
  }).format(amount);
}

/**
 * Where a room meets, and when.
 * @param {import("../../lib/streamroom.js").Place} place
 * @param {number} now
 * @returns {string} empty where there is neither an address nor a time
 */
export function placeText({ address = "", startsAt = 0, endsAt = 0 }, now) {
  const { span } = formats;
  let time = "";
  if (endsAt && endsAt <= now) time = `ended ${span.format(endsAt)}`;
  else if (startsAt > now) time = `starts ${endsAt ? span.formatRange(startsAt, endsAt) : span.format(startsAt)}`;
  else if (endsAt) time = `until ${span.format(endsAt)}`;
  else if (startsAt) time = `since ${span.format(startsAt)}`;
  return [address, time].filter(Boolean).join(" · ");
}

/**
 * @param {{lat: number, lon: number}} place
 * @param {number} [digits] 5 are a metre, 7 are what the server keeps
 */
export const coordinates = ({ lat, lon }, digits = 5) =>
  `${Number(lat.toFixed(digits))}, ${Number(lon.toFixed(digits))}`;

/**
 * A time as an input of a date and a time has it, in the user's time zone.
 * @param {number} [ms]
 * @returns {string} empty for none
 */
export function toInput(ms = 0) {
  if (!ms) return "";
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** @type {Record<string, string>} with UNTIL in place of until when, where that is known, and WAIT in that of how long */
const FAILURES = {
  network: "The server can’t be reached. Check the connection, then try again.",
  timeout: "The server took too long. Try again.",
  unavailable: "The server can’t answer just now. Try again in a moment.",
  internal: "Something went wrong on the server. Try again.",
  unexpected: "Something went wrong in this page. Reload it to go on.",
  rate_limited: "That was a little fast. Wait WAIT, then try again.",
  not_a_member: "You are not a member of this room.",
  removed: "You left it, or were removed.",
  muted: "You are muted in this roomUNTIL.",
  banned: "Banned from this roomUNTIL. A moderator can lift that.",
  forbidden: "You may not do that here.",
  not_found: "That isn’t there any more.",
  too_large: "That message is too long.",
};

/**
 * @param {Failure} failure
 * @returns {string} a sentence that says what happened, and what to do where something can be done
 */
export function describe(failure) {
  const until = failure.until ? ` until ${untilText(failure.until, Date.now())}` : "";
  const wait = waitText(failure.retryAfter);
  return FAILURES[failure.code]?.replace("UNTIL", until).replace("WAIT", wait) ?? sentence(failure.message);
}

/**
 * How long to wait, never less than it takes.
 * @param {number} ms
 */
function waitText(ms) {
  if (ms <= 1000) return "a second";
  const seconds = Math.ceil(ms / 1000);
  return seconds < 60 ? `${seconds} seconds` : counted(Math.ceil(seconds / 60), "minute", "minutes");
}

/** @param {string} text */
function sentence(text) {
  if (!text) return "That did not work. Try again.";
  const full = /[.!?]$/u.test(text) ? text : `${text}.`;
  const first = firstCharacter(full);
  return first.toLocaleUpperCase() + full.slice(first.length);
}

/**
 * @param {number} count
 * @param {string} one
 * @param {string} many
 */
export function counted(count, one, many) {
  return `${count} ${count === 1 ? one : many}`;
}

const list = new Intl.ListFormat("en", { type: "conjunction" });

/**
 * Names, in a row.
 * @param {string[]} names
 * @param {number} [most] how many are named; the others are counted
 */
export function listed(names, most = 5) {
  if (names.length <= most) return list.format(names);
  return list.format([...names.slice(0, most), counted(names.length - most, "other", "others")]);
}

/**
 * How large a file is.
 * @param {number} bytes
 */
export function fileSize(bytes) {
  if (bytes < 1000) return counted(bytes, "byte", "bytes");
  const kilo = bytes < 999_500;
  const amount = bytes / (kilo ? 1000 : 1_000_000);
  return `${amount < 10 ? Math.round(amount * 10) / 10 : Math.round(amount)} ${kilo ? "KB" : "MB"}`;
}

const UNSAFE = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/**
 * A file's name as it is shown: without characters that change the direction of what
 * stands around them, so that “gpj.exe” can't look like “exe.jpg”.
 * @param {string} name
 */
export const fileName = (name) => name.replace(UNSAFE, "") || "file";

/**
 * What a quoted message says, in a line.
 * @param {import("../../lib/frames.js").Quote} quote
 */
export const quoteText = ({ preview, attachments = 0 }) => preview || filesIn(attachments) || "Message deleted";

/**
 * What is said of files where there is no room for them.
 * @param {number} count
 */
export const filesIn = (count) => (count > 0 ? counted(count, "file", "files") : "");
