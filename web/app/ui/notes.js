// What stands in place of messages: that there are none, or why they can't be shown.

import { Failure } from "../../lib/streamroom.js";
import { announce, el } from "./dom.js";
import { counted, describe, fileName } from "./words.js";

/**
 * @typedef {import("../../lib/streamroom.js").Outgoing} Outgoing
 * @typedef {import("../../lib/streamroom.js").Room} Room
 * @typedef {import("../../lib/streamroom.js").Streamroom} Streamroom
 */

/**
 * What is known of the open room.
 * @typedef {object} Known
 * @property {string} id empty when none is open
 * @property {ReturnType<Streamroom["timeline"]>} timeline
 * @property {Room|undefined} details
 * @property {import("../../lib/streamroom.js").Member[]} members those that were read
 * @property {Failure|undefined} failure why it can't be shown
 * @property {boolean} local people sign in by name alone
 */

/**
 * @param {Streamroom} chat
 * @param {Known} known
 * @param {(id: string) => void} open opens a room, maybe again
 * @returns {HTMLElement|undefined}
 */
export function noteFor(chat, known, open) {
  const { id, timeline, details, failure } = known;
  if (!id) {
    if (!chat.rooms.loaded) return undefined;
    return chat.rooms.list().length > 0
      ? noteOf("Choose a room", "Its messages appear here.")
      : noteOf("No rooms yet", "Make a room and name the people who should be in it, or write to someone directly.");
  }
  const stranger = failure?.code === "not_a_member" || failure?.code === "removed";
  if (stranger && !timeline.loaded && details?.visibility === "public" && !details.role)
    return joinNote(chat, details, open);
  if (failure && !timeline.loaded) return failureNote(chat, failure, timeline.outgoing, () => open(id));
  if (timeline.messages.length > 0 || timeline.outgoing.length > 0) return undefined;
  if (!timeline.loaded) return noteOf("", "Loading messages…");
  return emptyNote(chat, known);
}

/**
 * What a room says in which nothing was said.
 * @param {Streamroom} chat
 * @param {Known} known
 */
function emptyNote(chat, { details, members, local }) {
  if (details?.role === "owner" && details.memberCount === 1) {
    return noteOf("You are alone here", "Add people with the button above that counts the members.");
  }
  if (!local) return noteOf("Nothing has been said yet", "Say hello below.");
  const again = el(
    "a",
    { href: location.pathname + location.hash, target: "_blank", rel: "noopener" },
    "open a second window",
  );
  const others = members.filter((m) => m.userId !== chat.userId);
  const who = others.find((m) => m.userId !== "streamroom")?.userId ?? "bob";
  return noteOf(
    "Nothing has been said yet",
    "Say hello below. To see both sides of a conversation, ",
    again,
    `, and sign in there as ${who}.`,
  );
}

/**
 * What a public room says to users who are not in it.
 * @param {Streamroom} chat
 * @param {Room} room
 * @param {(id: string) => void} joined
 */
function joinNote(chat, { chatRoomId, memberCount }, joined) {
  const join = el("button", { type: "button", class: "primary", "data-testid": "join" }, "Join");
  join.addEventListener("click", async () => {
    join.disabled = true;
    try {
      await chat.join(chatRoomId);
      joined(chatRoomId);
    } catch (err) {
      join.disabled = false;
      announce(describe(Failure.from(err)), true);
    }
  });
  const people = counted(memberCount, "member", "members");
  return noteOf("This room is public", `It has ${people}. Join to read and write in it.`, el("br"), join);
}

/**
 * @param {Streamroom} chat
 * @param {Failure} failure
 * @param {Outgoing[]} outgoing what its writer may want back
 * @param {() => void} again
 */
function failureNote(chat, failure, outgoing, again) {
  const retry = el("button", { type: "button" }, "Try again");
  retry.addEventListener("click", again);
  const title = failure.code === "removed" ? "This room is no longer yours" : "This room can’t be shown";
  const note = noteOf(title, describe(failure), el("br"), retry);
  for (const { clientMessageId, content, attachments = [] } of outgoing) {
    const discard = el("button", { type: "button", class: "link", "data-testid": "discard" }, "Delete");
    discard.addEventListener("click", () => chat.discard(clientMessageId));
    const said = [content, ...attachments.map(({ name }) => fileName(name))].filter(Boolean).join("\n");
    note.append(el("blockquote", { class: "text", dir: "auto" }, said), el("p", {}, "Not sent. ", discard));
  }
  return note;
}

/**
 * @param {string} title
 * @param {...(string|Node)} text
 */
function noteOf(title, ...text) {
  const note = el("div", {}, el("p", {}, ...text));
  if (title) note.prepend(el("h3", {}, title));
  return note;
}
