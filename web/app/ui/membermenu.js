// What can be done with one member: a dialog of buttons.

import { isolated } from "../../lib/streamroom.js";
import { closable, onClosed } from "./dialogs.js";
import { byId, el } from "./dom.js";
import { untilText } from "./words.js";

/**
 * What the menu does in a room; all reject with a Failure.
 * @typedef {object} MemberActs
 * @property {(chatRoomId: string, userId: string) => Promise<void>} remove
 * @property {(chatRoomId: string, userId: string, role: "owner"|"moderator"|"member") => Promise<void>} setRole
 * @property {(chatRoomId: string, userId: string, ms: number) => Promise<number>} mute for so long, 0 ends it; resolves with until when
 * @property {(chatRoomId: string, userId: string) => Promise<void>} ban
 * @property {(userId: string, blocked: boolean) => Promise<void>} block
 */

/**
 * Whom the menu is about.
 * @typedef {object} Subject
 * @property {string} userId
 * @property {string} label their name
 * @property {import("../../lib/streamroom.js").Standing} standing
 * @property {boolean} blocked
 */

/**
 * One button.
 * @typedef {object} Choice
 * @property {string} id for tests
 * @property {string} name
 * @property {boolean} [danger]
 * @property {string} [ask] what is said before it is done
 * @property {() => Promise<string>} act resolves with what is said then
 */

/** @type {[number, string][]} for how long one may be muted (ms) */
const MUTES = [
  [600_000, "10 minutes"],
  [3_600_000, "1 hour"],
  [86_400_000, "1 day"],
];

export class MemberMenu {
  #dialog = byId("member-dialog", HTMLDialogElement);
  #title = byId("member-title", HTMLElement);
  #list = byId("member-choices", HTMLElement);
  #closed;

  /** @param {() => void} closed the focus may have nowhere to go: what opened it may be gone */
  constructor(closed) {
    this.#closed = closed;
    closable(this.#dialog);
    onClosed(this.#dialog, () => {
      closed();
      this.#title.textContent = "";
      this.#list.replaceChildren();
    });
  }

  /**
   * @param {string} title whom it is about
   * @param {Choice[]} choices
   * @param {(choice: Choice) => void} chosen
   */
  open(title, choices, chosen) {
    this.#title.textContent = title;
    this.#list.replaceChildren(
      ...choices.map((choice) => {
        const { id, name, danger = false } = choice;
        const button = el(
          "button",
          { type: "button", class: danger ? "choice danger" : "choice", "data-testid": id },
          name,
        );
        button.addEventListener("click", () => {
          this.#dialog.close();
          this.#closed();
          chosen(choice);
        });
        return button;
      }),
    );
    this.#dialog.showModal();
  }
}

/**
 * What a user of a role may do with a member of a room.
 * @param {MemberActs} on
 * @param {string} room
 * @param {string|undefined} role
 * @param {Subject} whom
 * @returns {Choice[]}
 */
export function choicesFor(on, room, role, whom) {
  const { userId, label, standing } = whom;
  const name = isolated(label);
  const owner = role === "owner";
  /** @type {Choice[]} */
  const choices = [];
  /** @type {(id: string, name: string, to: "owner"|"moderator"|"member", said: string) => void} */
  const offerRole = (id, text, to, said) => {
    const act = () => on.setRole(room, userId, to).then(() => `${name} ${said}`);
    if (owner && standing.role !== to) choices.push({ id, name: text, act });
  };
  offerRole("make-moderator", "Make moderator", "moderator", "is a moderator.");
  offerRole("make-owner", "Make owner", "owner", "is an owner.");
  offerRole("make-member", "Take the role back", "member", "has no role any more.");
  if (owner || (role === "moderator" && standing.role === "member")) {
    if (standing.mutedUntil)
      choices.push({
        id: "unmute",
        name: "Unmute",
        act: () => on.mute(room, userId, 0).then(() => `${name} may write again.`),
      });
    for (const [ms, length] of MUTES)
      choices.push({
        id: "mute",
        name: `Mute for ${length}`,
        act: () => on.mute(room, userId, ms).then((until) => `${name} is muted until ${untilText(until, Date.now())}.`),
      });
    choices.push(
      {
        id: "member-remove",
        name: "Remove",
        danger: true,
        ask: "They will not see what is written here any more. To keep them from coming back, ban them.",
        act: () => on.remove(room, userId).then(() => `${name} is removed.`),
      },
      {
        id: "ban",
        name: "Ban",
        danger: true,
        ask: "They are removed, and can’t come back until the ban is lifted.",
        act: () => on.ban(room, userId).then(() => `${name} is banned.`),
      },
    );
  }
  choices.push(blockOf(on, whom));
  return choices;
}

/**
 * @param {Pick<MemberActs, "block">} on
 * @param {Pick<Subject, "userId"|"label"|"blocked">} whom
 * @returns {Choice}
 */
export function blockOf(on, { userId, label, blocked }) {
  const name = isolated(label);
  return {
    id: "block",
    name: blocked ? "Unblock" : "Block",
    danger: !blocked,
    ask: blocked
      ? undefined
      : "You can’t write to each other directly any more, and they can’t add you to rooms. Rooms that you share stay as they are.",
    act: () => on.block(userId, !blocked).then(() => `${name} is ${blocked ? "not blocked any more" : "blocked"}.`),
  };
}
