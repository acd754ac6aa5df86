// A room's members, and what can be done with them and with the room.

import { Failure, isolated } from "../../lib/streamroom.js";
import { closable, confirmed, onSubmit } from "./dialogs.js";
import { becomeAvatar, byId, el, within } from "./dom.js";
import { PlaceSection } from "./place.js";
import { counted, describe } from "./words.js";

/**
 * @typedef {import("../../lib/streamroom.js").Member} Member
 * @typedef {import("../../lib/streamroom.js").Room} Room
 */

/**
 * What the dialog asks for in a room, which need not be the open one any more; all
 * reject with a Failure that is shown.
 * @typedef {object} Actions
 * @property {(chatRoomId: string, userId: string) => Promise<void>} add
 * @property {(chatRoomId: string, userId: string) => Promise<void>} remove
 * @property {(chatRoomId: string, name: string) => Promise<void>} rename
 * @property {(chatRoomId: string, direct: boolean) => Promise<void>} leave
 * @property {import("./place.js").PlaceActions} places
 * @property {() => Promise<void>} more the next page of members is wanted
 */

/**
 * Who looks at the list, and what they see.
 * @typedef {object} Viewer
 * @property {string} me
 * @property {boolean} owner
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
  #place;
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
      const name = this.#renameName.value.trim();
      if (!name) throw new Failure("invalid_request", "Give the room a name.");
      await on.rename(this.#room, name);
    });
    this.#more.addEventListener("click", () => void this.#try(on.more));
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
    this.#dialog.showModal();
  }

  close() {
    this.#dialog.close();
  }

  /** Forgets the room that was shown. */
  clear() {
    this.close();
    this.#list.replaceChildren();
    this.#title.textContent = this.#count.textContent = this.#shown = this.#name = "";
    this.#addForm.reset();
    this.#renameForm.reset();
    this.#place.clear();
  }

  /**
   * @param {Room} room
   * @param {Member[]} members those that were read
   * @param {object} who
   * @param {string} who.me
   * @param {string} who.title what the room is called
   * @param {boolean} who.more whether there are others to be read
   * @param {(userId: string) => string} who.nameOf
   * @param {(userId: string) => string} who.labelOf a name that tells people apart
   * @param {(userId: string) => string} who.seenOf
   */
  show(room, members, { me, title, more, nameOf, labelOf, seenOf }) {
    const group = room.type !== "dm";
    const owner = group && room.role === "owner";
    if (this.#renameName.value === this.#name) this.#renameName.value = title;
    this.#room = room.chatRoomId;
    this.#name = title;
    this.#title.textContent = title;
    this.#count.textContent = counted(room.memberCount, "member", "members");
    this.#showList(members, { me, owner, nameOf, labelOf, seenOf });
    this.#more.hidden = !more;
    this.#addForm.hidden = this.#renameForm.hidden = !owner;
    this.#direct = !group;
    this.#public = room.visibility === "public";
    this.#place.show(room);
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
      who.owner,
      ...members.map(({ userId, role }) => [userId, role, who.nameOf(userId), who.labelOf(userId), who.seenOf(userId)]),
    ]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.remove : undefined;
    this.#list.replaceChildren(...members.map((member) => this.#row(member, who)));
    if (focused === undefined) return;
    const buttons = this.#list.querySelectorAll("button");
    const same = [...buttons].find((button) => button.dataset.remove === focused);
    (same ?? this.#list).focus(); // the list, if it was that member who was removed
  }

  /**
   * @param {Member} member
   * @param {Viewer} who
   */
  #row({ userId, role }, { me, owner, nameOf, labelOf, seenOf }) {
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
      ),
    );
    if (role === "owner") row.append(el("span", { class: "role" }, "Owner"));
    if (owner && userId !== me) {
      const remove = el(
        "button",
        {
          type: "button",
          class: "small quiet",
          "data-testid": "member-remove",
          "data-remove": userId,
          "aria-label": `Remove ${label}`,
        },
        "Remove",
      );
      remove.addEventListener("click", async () => {
        const room = this.#room;
        const again = this.#public ? " They can join again: to keep them out make the room private." : "";
        const text = `They will not see what is written here any more.${again}`;
        if (await confirmed(`Remove ${isolated(label)}?`, text, "Remove")) {
          await this.#try(() => this.#on.remove(room, userId));
        }
      });
      row.append(remove);
    }
    return row;
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
