// The two dialogs: a new room, and a room's members.

import { Failure } from "../streamroom.js";
import { becomeAvatar, byId, el, within } from "./dom.js";
import { describe } from "./words.js";

/**
 * @typedef {import("../streamroom.js").Member} Member
 * @typedef {import("../streamroom.js").Room} Room
 */

/** The server takes this many members at creation. */
const MAX_MEMBERS = 48;

/**
 * Lets a dialog be closed by its buttons and by a click beside it.
 * @param {HTMLDialogElement} dialog
 */
function closable(dialog) {
  for (const button of dialog.querySelectorAll("[data-close]")) {
    button.addEventListener("click", () => dialog.close());
  }
  dialog.addEventListener("mousedown", (event) => {
    const box = dialog.getBoundingClientRect();
    const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
    if (event.target === dialog && !inside) dialog.close();
  });
}

export class NewRoomDialog {
  #dialog = byId("new-room-dialog", HTMLDialogElement);
  #form = within(this.#dialog, "form", HTMLFormElement);
  #name = byId("new-room-name", HTMLInputElement);
  #members = byId("new-room-members", HTMLInputElement);
  #problem = within(this.#dialog, ".problem", HTMLElement);
  #submit = within(this.#dialog, "[type=submit]", HTMLButtonElement);

  /** @param {(name: string, members: string[]) => Promise<void>} create rejects with a Failure that is shown */
  constructor(create) {
    closable(this.#dialog);
    this.#form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const name = this.#name.value.trim();
      const members = [...new Set(this.#members.value.split(/[,;\n]/u).map((m) => m.trim()).filter(Boolean))];
      this.#problem.textContent = "";
      if (!name) return this.#refuse("Give the room a name.", this.#name);
      if (members.length > MAX_MEMBERS) return this.#refuse(`Start with at most ${MAX_MEMBERS} people; more can be added later.`, this.#members);
      this.#submit.disabled = true;
      try {
        await create(name, members);
        this.#dialog.close();
      } catch (err) {
        this.#refuse(describe(Failure.from(err)), this.#name);
      } finally {
        this.#submit.disabled = false;
      }
    });
  }

  show() {
    this.#form.reset();
    this.#problem.textContent = "";
    this.#dialog.showModal();
    this.#name.focus();
  }

  /**
   * @param {string} problem
   * @param {HTMLElement} where
   */
  #refuse(problem, where) {
    this.#problem.textContent = problem;
    where.focus();
  }
}

export class MembersDialog {
  #dialog = byId("members-dialog", HTMLDialogElement);
  #list = within(this.#dialog, "ul", HTMLElement);
  #form = within(this.#dialog, "form", HTMLFormElement);
  #name = byId("member-name", HTMLInputElement);
  #problem = byId("member-problem", HTMLElement);
  #submit = within(this.#dialog, "[type=submit]", HTMLButtonElement);

  /** @param {(userId: string) => Promise<void>} add rejects with a Failure that is shown */
  constructor(add) {
    closable(this.#dialog);
    this.#form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const userId = this.#name.value.trim();
      this.#problem.textContent = userId ? "" : "Type a name first.";
      if (!userId) return;
      this.#submit.disabled = true;
      try {
        await add(userId);
        this.#name.value = "";
      } catch (err) {
        this.#problem.textContent = describe(Failure.from(err));
      } finally {
        this.#submit.disabled = false;
        this.#name.focus();
      }
    });
  }

  open() {
    this.#name.value = "";
    this.#problem.textContent = "";
    this.#dialog.showModal();
  }

  close() {
    this.#dialog.close();
  }

  /**
   * @param {Member[]} members
   * @param {object} more
   * @param {string} more.me
   * @param {number} more.count all members, also those that aren't listed
   */
  show(members, { me, count }) {
    const rows = members.map((member) => {
      const avatar = el("span", { "aria-hidden": "true" });
      becomeAvatar(avatar, member.userId);
      return el("li", { "data-testid": "member", "data-user-id": member.userId }, avatar,
        el("span", { class: "member-name", dir: "auto" }, member.userId === me ? `${member.userId} (you)` : member.userId),
        el("span", { class: "hint" }, member.role === "owner" ? "Owner" : ""));
    });
    const hidden = count - members.length;
    if (hidden > 0) rows.push(el("li", { class: "hint" }, `and ${hidden} more`));
    this.#list.replaceChildren(...rows);
    // Owners add people; others would only be refused.
    this.#form.hidden = members.find((m) => m.userId === me)?.role !== "owner";
  }
}
