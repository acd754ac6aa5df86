// For how long a room's messages are kept: what owners choose, and all members see.

import { Failure } from "../../lib/streamroom.js";
import { onSubmit } from "./dialogs.js";
import { byId } from "./dom.js";
import { counted } from "./words.js";

/** The longest that a room may say, in days. */
const MOST = 36_500;

export class RetentionSection {
  #view = byId("retention-view", HTMLElement);
  #form = byId("retention-form", HTMLFormElement);
  #input = byId("retention-days", HTMLInputElement);
  #room = "";
  /** What is so, as the input has it. */
  #days = "";

  /**
   * @param {(chatRoomId: string, days: number) => Promise<number>} retain 0: no bound of the room's own; resolves with what is so then; rejects with a Failure that is shown
   * @param {(said: string) => void} done
   */
  constructor(retain, done) {
    const submitted = async () => {
      const days = Number(this.#input.value);
      if (this.#input.validity.badInput || !Number.isInteger(days) || days < 0 || days > MOST)
        throw new Failure("invalid_request", `Choose 1 to ${MOST} days, or leave it empty.`);
      try {
        return await retain(this.#room, days);
      } catch (err) {
        throw why(Failure.from(err));
      }
    };
    onSubmit(this.#form, byId("retention-problem", HTMLElement), submitted, (days) => {
      this.#days = this.#input.value = inputOf(days); // which the deployment may bound
      done(keptText(days));
    });
  }

  /** @param {import("../../lib/streamroom.js").Room} room as its members see it */
  show({ chatRoomId, retentionDays = 0, type, role }) {
    const days = inputOf(retentionDays);
    // What is being typed stays.
    if (this.#room !== chatRoomId || this.#input.value === this.#days) this.#input.value = days;
    this.#room = chatRoomId;
    this.#days = days;
    this.#form.hidden = type === "dm" || role !== "owner";
    this.#view.hidden = !this.#form.hidden || retentionDays === 0;
    this.#view.textContent = this.#view.hidden ? "" : keptText(retentionDays);
  }

  /** The dialog is opened. */
  reset() {
    this.#form.reset();
    this.#input.value = this.#days;
  }

  /** Forgets the room that was shown. */
  clear() {
    this.#room = this.#days = this.#view.textContent = "";
    this.#form.reset();
  }
}

/** @param {number} days 0: forever */
const inputOf = (days) => (days === 0 ? "" : `${days}`);

/** @param {number} days 0: forever */
const keptText = (days) =>
  days === 0
    ? "Messages are kept forever."
    : `Messages that are sent from now on are deleted after ${counted(days, "day", "days")}.`;

/** @param {Failure} failure */
function why(failure) {
  switch (failure.code) {
    case "invalid_request":
      return new Failure(failure.code, "This server keeps no message for so long. Choose fewer days.");
    case "forbidden":
      return new Failure("too_many", "Only owners may change this, and only in rooms of at most 2000 members.");
    default:
      return failure;
  }
}
