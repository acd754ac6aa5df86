// Dialogs: what they have in common, and those that need nothing but a form.

import { countCharacters, Failure } from "../../lib/streamroom.js";
import { byId, within } from "./dom.js";
import { counted, describe, listed } from "./words.js";

/** The server takes this many members at creation. */
const MAX_MEMBERS = 48;

/**
 * Lets a dialog be closed by its buttons and by a click beside it.
 * @param {HTMLDialogElement} dialog
 */
export function closable(dialog) {
  for (const button of dialog.querySelectorAll("[data-close]")) {
    button.addEventListener("click", () => dialog.close());
  }
  dialog.addEventListener("mousedown", (event) => {
    const box = dialog.getBoundingClientRect();
    const inside =
      event.clientX >= box.left &&
      event.clientX <= box.right &&
      event.clientY >= box.top &&
      event.clientY <= box.bottom;
    if (event.target === dialog && !inside) dialog.close();
  });
}

/**
 * Does something once a dialog is closed. Its close event comes later than the dialog is
 * gone: by then it may be open again, for something else, which is left as it is.
 * @param {HTMLDialogElement} dialog
 * @param {() => void} act
 */
export function onClosed(dialog, act) {
  dialog.addEventListener("close", () => !dialog.open && act());
}

/** Something that was typed and won't do. */
export class Refusal extends Error {
  /**
   * @param {string} message a sentence
   * @param {HTMLElement} where
   */
  constructor(message, where) {
    super(message);
    this.where = where;
  }
}

/**
 * What was typed, without the blanks around it. It is refused if it is longer than its
 * data-most, which counts characters as the server does: a maxlength would count UTF-16's
 * units, and silently cut what is pasted.
 * @param {HTMLInputElement} input
 */
export function typed(input) {
  const text = input.value.trim();
  const over = countCharacters(text) - Number(input.dataset.most);
  if (over > 0) throw new Refusal(`That is ${counted(over, "character", "characters")} too long.`, input);
  return text;
}

/**
 * Does what a form is for when it is submitted, once at a time, and says what is
 * wrong when that fails. After a reset the form is for something else: what was under
 * way changes nothing in it any more.
 * @template T
 * @param {HTMLFormElement} form
 * @param {HTMLElement} problem where it is said
 * @param {() => Promise<T>} act rejects with a Refusal or a Failure
 * @param {(result: T) => void} [done] unless the form was reset
 */
export function onSubmit(form, problem, act, done) {
  const first = within(form, "input", HTMLInputElement);
  const submit = within(form, "[type=submit]", HTMLButtonElement);
  let resets = 0;
  const clear = () => {
    problem.textContent = "";
    for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  };
  form.addEventListener("reset", () => {
    resets++;
    submit.disabled = false;
    clear();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (submit.disabled) return;
    submit.disabled = true;
    clear();
    const before = resets;
    try {
      const result = await act();
      if (before === resets) done?.(result);
    } catch (err) {
      if (before !== resets) return;
      const where = err instanceof Refusal ? err.where : first;
      problem.textContent = err instanceof Refusal ? err.message : describe(Failure.from(err));
      where.setAttribute("aria-invalid", "true");
      where.focus();
    } finally {
      if (before === resets) submit.disabled = false;
    }
  });
}

/**
 * A dialog that is one form.
 * @template T
 */
export class FormDialog {
  dialog;
  form;

  /**
   * @param {string} id
   * @param {() => Promise<T>} act rejects with a Refusal or a Failure; the dialog closes when it doesn't
   * @param {(result: T) => void} [done] unless the dialog was closed in the meantime
   */
  constructor(id, act, done) {
    this.dialog = byId(id, HTMLDialogElement);
    this.form = within(this.dialog, "form", HTMLFormElement);
    closable(this.dialog);
    onClosed(this.dialog, () => this.form.reset());
    onSubmit(this.form, within(this.form, ".problem", HTMLElement), act, (result) => {
      this.dialog.close();
      done?.(result);
    });
  }

  show() {
    this.form.reset();
    this.dialog.showModal();
    within(this.form, "input", HTMLInputElement).focus();
  }
}

/** @extends {FormDialog<string|undefined>} */
export class NewRoomDialog extends FormDialog {
  /**
   * @param {(name: string, members: string[]) => Promise<string|undefined>} create rejects with a Failure that is shown
   * @param {(chatRoomId: string|undefined) => void} goTo
   */
  constructor(create, goTo) {
    const name = byId("new-room-name", HTMLInputElement);
    const members = byId("new-room-members", HTMLInputElement);
    const submitted = async () => {
      const others = [
        ...new Set(
          members.value
            .split(/[,;\n]/u)
            .map((m) => m.trim())
            .filter(Boolean),
        ),
      ];
      const called = typed(name);
      if (!called) throw new Refusal("Give the room a name.", name);
      if (others.length > MAX_MEMBERS)
        throw new Refusal(`Start with at most ${MAX_MEMBERS} people; more can be added later.`, members);
      return create(called, others);
    };
    super("new-room-dialog", submitted, goTo);
  }
}

/** @extends {FormDialog<string|undefined>} */
export class NewDirectDialog extends FormDialog {
  /**
   * @param {(userId: string) => Promise<string|undefined>} create rejects with a Failure that is shown
   * @param {(chatRoomId: string|undefined) => void} goTo
   * @param {() => string} me
   */
  constructor(create, goTo, me) {
    const name = byId("new-direct-name", HTMLInputElement);
    const submitted = async () => {
      const userId = name.value.trim();
      if (!userId) throw new Refusal("Type a name first.", name);
      if (userId === me()) throw new Refusal("That is you: choose someone else.", name);
      return create(userId);
    };
    super("new-direct-dialog", submitted, goTo);
  }
}

/** @extends {FormDialog<void>} */
export class ProfileDialog extends FormDialog {
  #name = byId("profile-name", HTMLInputElement);
  #hidden = byId("profile-hidden", HTMLInputElement);
  #shows = 0;
  /** @type {boolean|undefined} what is stored; undefined where it is not known */
  #wasHidden;

  /** @param {(displayName: string, hidden: boolean|undefined) => Promise<void>} save rejects with a Failure that is shown; hidden: undefined where it stays as it is */
  constructor(save) {
    super("profile-dialog", () => {
      const { checked } = this.#hidden;
      const changed = this.#wasHidden !== undefined && checked !== this.#wasHidden;
      return save(typed(this.#name), changed ? checked : undefined);
    });
    onClosed(this.dialog, () => {
      byId("profile-user", HTMLElement).textContent = "";
    });
  }

  /**
   * @param {string} userId
   * @param {string} name empty where there is none
   * @param {Promise<boolean>|undefined} hides whether others don't learn if the user is online; undefined where no one does
   */
  showFor(userId, name, hides) {
    this.show();
    const shows = ++this.#shows;
    this.#hidden.checked = false;
    this.#hidden.disabled = true;
    this.#wasHidden = undefined;
    within(this.dialog, ".check", HTMLElement).hidden = hides === undefined;
    hides?.then(
      (hidden) => {
        if (shows !== this.#shows) return;
        this.#hidden.checked = this.#wasHidden = hidden;
        this.#hidden.disabled = false;
      },
      () => {}, // it can't be chosen then
    );
    byId("profile-user", HTMLElement).textContent = userId;
    this.#name.value = name;
    this.#name.select();
  }
}

/**
 * Does something with users, and asks before it if some of them have never signed in:
 * they may be misspelt.
 * @template T
 * @param {(onlySignedIn: boolean) => T|Promise<T>} act
 * @returns {Promise<T>} rejects with a Failure when the user thinks better of it
 */
export async function askingFirst(act) {
  try {
    return await act(true);
  } catch (err) {
    const failure = Failure.from(err);
    if (failure.code !== "never_signed_in") throw err;
    const names = listed(failure.users.map((user) => `“${user}”`));
    const have = failure.users.length === 1 ? "has" : "have";
    if (!(await confirmed("Never signed in", `${names} ${have} never signed in here. Is the spelling right?`, "Go on")))
      throw new Failure("never_signed_in", `${names} ${have} never signed in here.`);
    return act(false);
  }
}

/** Ends the last question, if it is open or its close event is still to come. */
let endQuestion = () => {};

/**
 * Asks before something that can't be undone. A question that is open is answered with no.
 * @param {string} title
 * @param {string} text
 * @param {string} action what the button says
 * @returns {Promise<boolean>}
 */
export function confirmed(title, text, action) {
  const dialog = byId("confirm-dialog", HTMLDialogElement);
  endQuestion();
  byId("confirm-title", HTMLElement).textContent = title;
  byId("confirm-text", HTMLElement).textContent = text;
  byId("confirm-yes", HTMLButtonElement).textContent = action;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    const closed = () => {
      if (dialog.open) return; // of the question before
      byId("confirm-text", HTMLElement).textContent = byId("confirm-title", HTMLElement).textContent = "";
      end(dialog.returnValue === "yes");
    };
    const end = (/** @type {boolean} */ yes) => {
      dialog.removeEventListener("close", closed);
      endQuestion = () => {};
      resolve(yes);
    };
    endQuestion = () => end(!dialog.open && dialog.returnValue === "yes");
    dialog.addEventListener("close", closed);
  });
}
