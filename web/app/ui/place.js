// Whether a room is public, and its place.

import { Failure } from "../../lib/streamroom.js";
import { confirmed, onSubmit, Refusal, typed } from "./dialogs.js";
import { byId } from "./dom.js";
import { position } from "./position.js";
import { coordinates, describe, placeText, toInput } from "./words.js";

/**
 * @typedef {import("../../lib/streamroom.js").Place} Place
 * @typedef {import("../../lib/streamroom.js").Room} Room
 */

/**
 * What is asked for in a room; all reject with a Failure that is shown.
 * @typedef {object} PlaceActions
 * @property {(chatRoomId: string, visibility: "public"|"private") => Promise<void>} share
 * @property {(chatRoomId: string, place: Place) => Promise<void>} place
 * @property {(chatRoomId: string) => Promise<void>} unplace
 */

/** What a form without a place has. */
const NOTHING = { at: "", address: "", starts: "", ends: "" };

export class PlaceSection {
  #view = byId("place-view", HTMLElement);
  #owners = byId("place-owners", HTMLDetailsElement);
  #visibility = byId("visibility", HTMLElement);
  #share = byId("share", HTMLButtonElement);
  #form = byId("place-form", HTMLFormElement);
  #at = byId("place-at", HTMLInputElement);
  #address = byId("place-address", HTMLInputElement);
  #starts = byId("place-starts", HTMLInputElement);
  #ends = byId("place-ends", HTMLInputElement);
  #zone = byId("place-zone", HTMLElement);
  #mine = byId("place-mine", HTMLButtonElement);
  #remove = byId("place-remove", HTMLButtonElement);
  #status = byId("place-status", HTMLElement);
  #problem = byId("place-problem", HTMLElement);
  /** @type {Room|undefined} */
  #room;
  /** What the form had of the room: what was typed since stays. */
  #shown = NOTHING;

  /** @param {PlaceActions} on */
  constructor(on) {
    const save = async () => {
      const room = this.#room;
      this.#status.textContent = "";
      if (!room) return;
      const address = typed(this.#address) || undefined;
      await on.place(room.chatRoomId, { ...this.#point(), address, ...this.#time(room.place) });
    };
    onSubmit(this.#form, this.#problem, save, () => this.#say("The place is saved."));
    this.#share.addEventListener("click", async () => {
      const room = this.#room;
      if (!room) return;
      const toPublic = room.visibility !== "public";
      const asks = !toPublic && room.place;
      if (asks && !(await confirmed("Make it private?", "The room loses its place.", "Make private"))) return;
      await this.#try(
        () => on.share(room.chatRoomId, toPublic ? "public" : "private"),
        toPublic ? "The room is public." : "The room is private.",
      );
    });
    this.#remove.addEventListener("click", async () => {
      const room = this.#room;
      if (!room) return;
      // The button that has the focus goes.
      if (await this.#try(() => on.unplace(room.chatRoomId), "The place is removed.")) this.#at.focus();
    });
    this.#mine.addEventListener("click", () => {
      this.#say("Asking for your position…");
      const fill = async () => {
        const before = this.#room?.chatRoomId;
        const { lat, lon } = await position();
        if (before === this.#room?.chatRoomId) this.#at.value = coordinates({ lat, lon });
      };
      void this.#try(fill, "Your position is filled in. Save it to show it to others.");
    });
  }

  /** The dialog opens: what was typed before is forgotten. */
  reset() {
    this.#form.reset();
    this.#owners.open = false;
    this.#shown = NOTHING;
    this.#say("");
    if (this.#room) this.show(this.#room);
  }

  clear() {
    this.#room = undefined;
    this.#view.textContent = this.#visibility.textContent = "";
    this.reset();
  }

  /** @param {Room} room */
  show(room) {
    this.#room = room;
    const isPublic = room.visibility === "public";
    const { place } = room;
    const text = place ? `${placeText(place, Date.now()) || "Place"} (${coordinates(place)})` : "";
    this.#view.hidden = !text;
    if (this.#view.textContent !== text) this.#view.textContent = text;
    const owner = room.role === "owner";
    this.#owners.hidden = room.type === "dm" || !(owner || (room.role === "moderator" && isPublic));
    this.#share.hidden = !owner;
    this.#visibility.textContent = isPublic
      ? "Public: anyone who is signed in can join, and sees the name and the place."
      : "Private: owners add people.";
    this.#share.textContent = isPublic ? "Make private" : "Make public";
    this.#form.hidden = !isPublic;
    this.#remove.hidden = !place;
    this.#zone.textContent = `Times are yours: ${new Intl.DateTimeFormat().resolvedOptions().timeZone}.`;
    const now = {
      at: place ? coordinates(place, 7) : "",
      address: place?.address ?? "",
      starts: toInput(place?.startsAt),
      ends: toInput(place?.endsAt),
    };
    if (this.#at.value === this.#shown.at) this.#at.value = now.at;
    if (this.#address.value === this.#shown.address) this.#address.value = now.address;
    if (this.#starts.value === this.#shown.starts) this.#starts.value = now.starts;
    if (this.#ends.value === this.#shown.ends) this.#ends.value = now.ends;
    this.#shown = now;
  }

  /**
   * @param {Place|undefined} place as it is: inputs have no seconds
   * @returns {{startsAt?: number, endsAt?: number}}
   */
  #time(place) {
    for (const input of [this.#starts, this.#ends]) {
      if (input.validity.badInput) throw new Refusal("Fill in the date and the time, or clear both.", input);
    }
    /** @type {(input: HTMLInputElement, was: number|undefined) => number|undefined} */
    const at = (input, was) => {
      if (!input.value) return undefined;
      return input.value === toInput(was) ? was : new Date(input.value).getTime();
    };
    const startsAt = at(this.#starts, place?.startsAt);
    const endsAt = at(this.#ends, place?.endsAt);
    if (endsAt && endsAt <= (startsAt ?? 0)) throw new Refusal("The end is after the start.", this.#ends);
    if (endsAt && endsAt <= Date.now()) throw new Refusal("This end is over already. Choose a later one.", this.#ends);
    return { startsAt, endsAt };
  }

  /** @returns {{lat: number, lon: number}} */
  #point() {
    const [, lat, lon] = /^\s*([-+]?\d+(?:\.\d+)?)[\s,;]+([-+]?\d+(?:\.\d+)?)\s*$/u.exec(this.#at.value) ?? [];
    if (lat === undefined) throw new Refusal("Type two numbers, latitude and longitude: 52.52, 13.405", this.#at);
    if (Math.abs(Number(lat)) > 90) throw new Refusal("A latitude is between -90 and 90.", this.#at);
    if (Math.abs(Number(lon)) > 180) throw new Refusal("A longitude is between -180 and 180.", this.#at);
    return { lat: Number(lat), lon: Number(lon) };
  }

  /** @param {string} text */
  #say(text) {
    this.#status.textContent = text;
    this.#problem.textContent = "";
  }

  /**
   * @param {() => Promise<void>} act
   * @param {string} done what is said then
   * @returns {Promise<boolean>} whether it was done, in a room that is still shown
   */
  async #try(act, done) {
    const room = this.#room?.chatRoomId;
    const isSame = () => room === this.#room?.chatRoomId;
    try {
      await act();
      if (isSame()) this.#say(done);
      return isSame();
    } catch (err) {
      if (!isSame()) return false;
      this.#say("");
      this.#problem.textContent = describe(Failure.from(err));
      return false;
    }
  }
}
