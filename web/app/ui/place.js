// Whether a room is public, and its place.

import { Failure } from "../../lib/streamroom.js";
import { confirmed, onSubmit, Refusal } from "./dialogs.js";
import { byId } from "./dom.js";
import { position } from "./position.js";
import { describe, placeText } from "./words.js";

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

export class PlaceSection {
  #view = byId("place-view", HTMLElement);
  #owners = byId("place-owners", HTMLDetailsElement);
  #visibility = byId("visibility", HTMLElement);
  #share = byId("share", HTMLButtonElement);
  #form = byId("place-form", HTMLFormElement);
  #at = byId("place-at", HTMLInputElement);
  #address = byId("place-address", HTMLInputElement);
  #mine = byId("place-mine", HTMLButtonElement);
  #remove = byId("place-remove", HTMLButtonElement);
  #status = byId("place-status", HTMLElement);
  #problem = byId("place-problem", HTMLElement);
  /** @type {Room|undefined} */
  #room;
  /** What the form had of the room: what was typed since stays. */
  #shown = { at: "", address: "" };

  /** @param {PlaceActions} on */
  constructor(on) {
    const save = async () => {
      const room = this.#room;
      this.#status.textContent = "";
      if (!room) return;
      const { startsAt, endsAt } = room.place ?? {};
      const address = this.#address.value.trim() || undefined;
      await on.place(room.chatRoomId, { ...this.#typed(), address, startsAt, endsAt });
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
    this.#shown = { at: "", address: "" };
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
    const text = place ? `${placeText(place) || "Place"} (${coordinates(place)})` : "";
    this.#view.hidden = !text;
    if (this.#view.textContent !== text) this.#view.textContent = text;
    this.#owners.hidden = room.type === "dm" || room.role !== "owner";
    this.#visibility.textContent = isPublic
      ? "Public: anyone who is signed in can join, and sees the name and the place."
      : "Private: owners add people.";
    this.#share.textContent = isPublic ? "Make private" : "Make public";
    this.#form.hidden = !isPublic;
    this.#remove.hidden = !place;
    const now = { at: place ? coordinates(place, 7) : "", address: place?.address ?? "" };
    if (this.#at.value === this.#shown.at) this.#at.value = now.at;
    if (this.#address.value === this.#shown.address) this.#address.value = now.address;
    this.#shown = now;
  }

  /** @returns {{lat: number, lon: number}} */
  #typed() {
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

/**
 * @param {{lat: number, lon: number}} place
 * @param {number} [digits] 5 are a metre, 7 are what the server keeps
 */
const coordinates = ({ lat, lon }, digits = 5) => `${Number(lat.toFixed(digits))}, ${Number(lon.toFixed(digits))}`;
