// A room's members, and what can be done with them and with the room.

import { Failure, isolated } from "../../lib/streamroom.js";
import { closable, confirmed, onSubmit, typed } from "./dialogs.js";
import { becomeAvatar, byId, el, icon, within } from "./dom.js";
import { blockOf, choicesFor, MemberMenu } from "./membermenu.js";
import { PeopleList } from "./peoplelist.js";
import { PlaceSection } from "./place.js";
import { readReports } from "./reports.js";
import { RetentionSection } from "./retention.js";
import { counted, describe, untilText } from "./words.js";

/**
 * @typedef {import("../../lib/streamroom.js").Member} Member
 * @typedef {import("../../lib/streamroom.js").Room} Room
 */

/**
 * What the dialog asks for in a room, which need not be the open one any more; all
 * reject with a Failure that is shown.
 * @typedef {object} RoomActs
 * @property {(chatRoomId: string, userId: string) => Promise<void>} add
 * @property {(chatRoomId: string, name: string) => Promise<void>} rename
 * @property {(chatRoomId: string, days: number) => Promise<number>} retain
 * @property {(chatRoomId: string, direct: boolean) => Promise<void>} leave
 * @property {import("./place.js").PlaceActions} places
 * @property {() => Promise<void>} more the next page of members is wanted
 * @property {(chatRoomId: string, cursor?: string) => Promise<{bans: import("../../lib/streamroom.js").Ban[], cursor?: string}>} bans
 * @property {(chatRoomId: string, userId: string) => Promise<void>} unban
 * @property {(userId: string) => string} labelOf
 *
 * @typedef {RoomActs & import("./membermenu.js").MemberActs & import("./reports.js").ReportActs} Actions
 */

/** @type {Record<string, string>} */
const ROLES = { owner: "Owner", moderator: "Moderator" };

/**
 * Who looks at the list, and what they see.
 * @typedef {object} Viewer
 * @property {string} me
 * @property {boolean} group
 * @property {string} [role] their own
 * @property {(userId: string) => import("../../lib/streamroom.js").Standing|undefined} standingOf
 * @property {(userId: string) => boolean} isBlocked
 * @property {(userId: string) => string} nameOf
 * @property {(userId: string) => string} labelOf
 * @property {(userId: string) => string} seenOf whether someone is online, or when they were
 */

export class MembersDialog {
  #dialog = byId("members-dialog", HTMLDialogElement);
  #title = byId("members-title", HTMLElement);
  #list = within(this.#dialog, "ul", HTMLElement);
  #count = byId("members-count", HTMLElement);
  #more = byId("members-more", HTMLButtonElement);
  #addForm = byId("member-form", HTMLFormElement);
  #addName = byId("member-name", HTMLInputElement);
  #problem = byId("member-problem", HTMLElement);
  #renameForm = byId("rename-form", HTMLFormElement);
  #renameName = byId("rename-name", HTMLInputElement);
  #renameProblem = byId("rename-problem", HTMLElement);
  #leave = byId("room-leave", HTMLButtonElement);
  #block = byId("room-block", HTMLButtonElement);
  #banned = byId("bans", HTMLDetailsElement);
  #reported = byId("reports", HTMLDetailsElement);
  #status = byId("member-status", HTMLElement);
  /** Whose menu was opened last. */
  #chosen = "";
  #menu = new MemberMenu(() => {
    if (this.isOpen && document.activeElement === document.body) this.#focusOn(this.#chosen);
  });
  /** The other one of a direct message. */
  #other = { userId: "", label: "", blocked: false };
  #bans;
  #reports;
  #place;
  #retention;
  #room = "";
  #name = "";
  /** What the list shows. */
  #shown = "";
  /** Whether the room is a direct message: it is hidden, which the next message undoes. */
  #direct = false;
  /** Whether anyone may join, who has left or was removed, too. */
  #public = false;
  #on;

  /** @param {Actions} on */
  constructor(on) {
    this.#on = on;
    this.#place = new PlaceSection(on.places);
    this.#retention = new RetentionSection(on.retain, (said) => {
      this.#status.textContent = said;
    });
    closable(this.#dialog);
    const add = async () => {
      const userId = this.#addName.value.trim();
      if (!userId) throw new Failure("invalid_request", "Type a name first.");
      await on.add(this.#room, userId);
    };
    onSubmit(this.#addForm, this.#problem, add, () => {
      this.#addName.value = "";
      this.#addName.focus();
    });
    onSubmit(this.#renameForm, this.#renameProblem, async () => {
      const name = typed(this.#renameName);
      if (!name) throw new Failure("invalid_request", "Give the room a name.");
      await on.rename(this.#room, name);
    });
    this.#more.addEventListener("click", () => void this.#try(on.more));
    this.#bans = new PeopleList(this.#banned, {
      read: async (cursor) => {
        const page = await on.bans(this.#room, cursor);
        return {
          people: page.bans.map((ban) => ({
            userId: ban.userId,
            about: [this.#about(ban)],
            acts: [{ name: "Lift the ban", act: () => this.#unban(ban.userId) }],
          })),
          cursor: page.cursor,
        };
      },
      none: "No one is banned.",
      labelOf: on.labelOf,
    });
    this.#reports = new PeopleList(this.#reported, {
      read: (cursor) => readReports(on, this.#room, cursor),
      none: "No message is reported.",
      labelOf: on.labelOf,
    });
    this.#block.addEventListener("click", () => void this.#choose(blockOf(on, this.#other), this.#other.label));
    this.#leave.addEventListener("click", async () => {
      const room = this.#room;
      const direct = this.#direct;
      const yes =
        direct ||
        (await confirmed(
          "Leave this room?",
          this.#public
            ? `You will not see what is written in “${isolated(this.#name)}” any more. You can join again as long as it is public.`
            : `You will not see what is written in “${isolated(this.#name)}” any more, unless an owner adds you again.`,
          "Leave",
        ));
      if (yes) await this.#try(() => on.leave(room, direct));
    });
  }

  get isOpen() {
    return this.#dialog.open;
  }

  open() {
    this.#addForm.reset();
    this.#renameForm.reset();
    this.#renameName.value = this.#name;
    this.#place.reset();
    this.#retention.reset();
    this.#closeLists();
    this.#problem.textContent = this.#status.textContent = "";
    this.#dialog.showModal();
  }

  close() {
    this.#dialog.close();
    this.#closeLists();
  }

  #closeLists() {
    this.#bans.close();
    this.#reports.close();
  }

  /** Forgets the room that was shown. */
  clear() {
    this.close();
    this.#list.replaceChildren();
    this.#title.textContent = this.#count.textContent = this.#shown = this.#name = this.#status.textContent = "";
    this.#addForm.reset();
    this.#renameForm.reset();
    this.#place.clear();
    this.#retention.clear();
  }

  /**
   * @param {Room} room
   * @param {Member[]} members those that were read
   * @param {object} who
   * @param {string} who.me
   * @param {string} who.title what the room is called
   * @param {boolean} who.more whether there are others to be read
   * @param {Viewer["standingOf"]} who.standingOf
   * @param {Viewer["isBlocked"]} who.isBlocked
   * @param {(userId: string) => string} who.nameOf
   * @param {(userId: string) => string} who.labelOf a name that tells people apart
   * @param {(userId: string) => string} who.seenOf
   */
  show(room, members, { title, more, ...who }) {
    const group = room.type !== "dm";
    const owner = group && room.role === "owner";
    if (this.#renameName.value === this.#name) this.#renameName.value = title;
    this.#room = room.chatRoomId;
    this.#name = title;
    this.#title.textContent = title;
    this.#count.textContent = counted(room.memberCount, "member", "members");
    this.#showList(members, { ...who, group, role: room.role });
    this.#more.hidden = !more;
    this.#addForm.hidden = this.#renameForm.hidden = !owner;
    this.#banned.hidden = this.#reported.hidden = !group || (room.role !== "owner" && room.role !== "moderator");
    if (this.#banned.hidden) this.#closeLists();
    this.#bans.draw();
    this.#reports.draw();
    const other = group ? undefined : members.find(({ userId }) => userId !== who.me);
    this.#block.hidden = !other;
    if (other) {
      const { userId } = other;
      this.#other = { userId, label: who.labelOf(userId), blocked: who.isBlocked(userId) };
      this.#block.textContent = this.#other.blocked ? "Unblock" : "Block";
    }
    this.#direct = !group;
    this.#public = room.visibility === "public";
    this.#place.show(room);
    this.#retention.show(room);
    this.#leave.textContent = group ? "Leave room" : "Hide until the next message";
  }

  /**
   * Shows the members, if they changed: much else is drawn in the meantime, and a
   * button that is replaced loses the focus, and clicks.
   * @param {Member[]} members
   * @param {Viewer} who
   */
  #showList(members, who) {
    const shown = JSON.stringify([
      who.role,
      ...members.map(({ userId, role }) => [
        userId,
        who.standingOf(userId) ?? role,
        who.isBlocked(userId),
        who.nameOf(userId),
        who.labelOf(userId),
        who.seenOf(userId),
      ]),
    ]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.menu : undefined;
    this.#list.replaceChildren(...members.map((member) => this.#row(member, who)));
    if (focused !== undefined) this.#focusOn(focused);
  }

  /** @param {string} userId whose menu gets the focus: the list, if they are not in it any more */
  #focusOn(userId) {
    const buttons = [...this.#list.querySelectorAll("button")];
    (buttons.find((button) => button.dataset.menu === userId) ?? this.#list).focus();
  }

  /**
   * @param {Member} member
   * @param {Viewer} who
   */
  #row({ userId, role: was }, { me, group, role, standingOf, isBlocked, nameOf, labelOf, seenOf }) {
    const standing = standingOf(userId) ?? { role: was, mutedUntil: 0 };
    const blocked = isBlocked(userId);
    const { mutedUntil } = standing;
    const name = nameOf(userId);
    const label = labelOf(userId);
    const avatar = el("span", { "aria-hidden": "true" });
    const seen = seenOf(userId);
    becomeAvatar(avatar, label);
    avatar.classList.toggle("online", seen === "Online");
    const row = el(
      "li",
      { "data-testid": "member", "data-user-id": userId },
      avatar,
      el(
        "span",
        { class: "member-name" },
        el("span", { dir: "auto" }, name),
        userId === me ? " (you)" : "",
        name === userId ? "" : el("span", { class: "member-id", dir: "auto" }, userId),
        seen && el("span", { class: "member-id", "data-testid": "seen" }, seen),
        mutedUntil ? el("span", { class: "member-id" }, `Muted until ${untilText(mutedUntil, Date.now())}`) : "",
        blocked ? el("span", { class: "member-id" }, "Blocked by you") : "",
      ),
    );
    const shownRole = group ? ROLES[standing.role] : undefined;
    if (shownRole) row.append(el("span", { class: "role" }, shownRole));
    if (group && userId !== me) {
      const menu = el(
        "button",
        {
          type: "button",
          class: "icon-button",
          title: "What you can do",
          "data-testid": "member-menu",
          "data-menu": userId,
          "aria-haspopup": "dialog",
          "aria-label": `What you can do with ${label}`,
        },
        icon("more"),
      );
      menu.addEventListener("click", () => {
        this.#chosen = userId;
        const choices = choicesFor(this.#on, this.#room, role, { userId, label, standing, blocked });
        this.#menu.open(label, choices, (choice) => void this.#choose(choice, label));
      });
      row.append(menu);
    }
    return row;
  }

  /**
   * Does what was chosen, and says so.
   * @param {import("./membermenu.js").Choice} choice
   * @param {string} label whom it is about
   */
  async #choose({ name, ask, act }, label) {
    const room = this.#room;
    this.#status.textContent = "";
    if (ask && !(await confirmed(`${name} ${isolated(label)}?`, ask, name))) return;
    await this.#try(async () => {
      const said = await act();
      if (!this.isOpen || room !== this.#room) return;
      this.#status.textContent = said;
      this.#bans.again();
    });
  }

  /** @param {string} userId */
  async #unban(userId) {
    await this.#on.unban(this.#room, userId);
    this.#status.textContent = this.#problem.textContent = "";
    return `${isolated(this.#on.labelOf(userId))} may come back.`;
  }

  /** @param {import("../../lib/streamroom.js").Ban} ban */
  #about({ by, until, reason }) {
    return [reason, until && `Until ${untilText(until, Date.now())}`, `By ${isolated(this.#on.labelOf(by))}`]
      .filter(Boolean)
      .join(" · ");
  }

  /** @param {() => Promise<void>} act */
  async #try(act) {
    const room = this.#room;
    this.#problem.textContent = "";
    try {
      await act();
    } catch (err) {
      if (this.isOpen && room === this.#room) this.#problem.textContent = describe(Failure.from(err));
    }
  }
}
