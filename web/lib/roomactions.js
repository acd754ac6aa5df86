// What is done with rooms: made, joined and left, named and placed, and who is in them.

import { Emitter } from "./events.js";
import { Session } from "./session.js";

/**
 * @typedef {import("./api.js").API} API
 * @typedef {import("./api.js").Place} Place
 */

/**
 * The parts behind a Streamroom; the library's own modules use it.
 * @type {(chat: RoomActions) => Session}
 */
export let sessionOf;

export class RoomActions extends Emitter {
  #session;

  static {
    sessionOf = (chat) => chat.#session;
  }

  /** @param {import("./streamroom.js").Options} options */
  constructor(options) {
    super();
    this.#session = new Session({ ...options, emit: (event, detail) => this.emit(event, detail) });
  }

  /** Reads the list of rooms. */
  refreshRooms() {
    return this.#session.refreshRooms();
  }

  /**
   * Creates a group.
   * @param {string} name
   * @param {string[]} members user ids, without the user's own
   * @param {boolean} [onlySignedIn] reject with a Failure `never_signed_in` if its `users`, who may be misspelt, have never signed in
   * @returns {Promise<string>} the room's id
   */
  createRoom(name, members, onlySignedIn) {
    return this.#session.directory.createGroup(name, members, onlySignedIn);
  }

  /**
   * Opens the direct messages with someone: there is one room per pair.
   * @param {string} userId
   * @param {boolean} [onlySignedIn] as in createRoom
   * @returns {Promise<string>} the room's id
   */
  createDirect(userId, onlySignedIn) {
    return this.#session.directory.createDirect(userId, onlySignedIn);
  }

  /**
   * The other user of a direct message room.
   * @param {string} chatRoomId
   * @returns {string} a user id, empty until it is known: a `rooms` event tells
   */
  otherIn(chatRoomId) {
    return this.#session.directory.otherIn(chatRoomId);
  }

  /**
   * Reads a room.
   * @param {string} chatRoomId
   * @param {string} [cursor] of its members
   */
  room(chatRoomId, cursor) {
    return this.#session.directory.read(chatRoomId, cursor);
  }

  /**
   * Renames a group; owners may.
   * @param {string} chatRoomId
   * @param {string} name
   */
  async renameRoom(chatRoomId, name) {
    await this.#session.api.renameRoom(chatRoomId, name);
    this.#session.inbox.received({ type: "roomChanged", chatRoomId, name });
  }

  /**
   * Reads one page of the public rooms around a point.
   * @param {Parameters<API["nearby"]>[0]} search with the cursor of the page before, maybe
   * @returns {ReturnType<API["nearby"]>} nearest first; without a cursor it was the last page
   */
  nearby(search) {
    return this.#session.api.nearby(search);
  }

  /**
   * Joins a public room; it is listed from then on.
   * @param {string} chatRoomId
   */
  async join(chatRoomId) {
    await this.#session.directory.join(chatRoomId);
  }

  /**
   * Makes a group public, so that anyone may join it, or private, which removes its
   * place; owners may.
   * @param {string} chatRoomId
   * @param {"public"|"private"} visibility
   */
  async share(chatRoomId, visibility) {
    await this.#session.api.shareRoom(chatRoomId, visibility);
    this.emit("room", chatRoomId);
  }

  /**
   * Gives a public room a place; owners may.
   * @param {string} chatRoomId
   * @param {Place} place
   * @returns {Promise<Place>} as it is stored
   */
  async place(chatRoomId, place) {
    const stored = await this.#session.api.placeRoom(chatRoomId, place);
    this.emit("room", chatRoomId);
    return stored;
  }

  /**
   * Removes a room's place; owners may.
   * @param {string} chatRoomId
   */
  async unplace(chatRoomId) {
    await this.#session.api.unplaceRoom(chatRoomId);
    this.emit("room", chatRoomId);
  }

  /**
   * Adds someone to a group; owners may.
   * @param {string} chatRoomId
   * @param {string} userId
   * @param {boolean} [onlySignedIn] as in createRoom
   */
  async addMember(chatRoomId, userId, onlySignedIn) {
    await this.#session.api.addMember(chatRoomId, userId, onlySignedIn);
  }

  /**
   * Removes a member; with the user's own id, leaves.
   * @param {string} chatRoomId
   * @param {string} userId
   */
  async removeMember(chatRoomId, userId) {
    await this.#session.api.removeMember(chatRoomId, userId);
    if (userId === this.#session.userId) this.#session.inbox.left(chatRoomId);
  }

  /**
   * Takes a direct message out of the user's list until its next message, or until
   * createDirect.
   * @param {string} chatRoomId
   */
  async hideDirect(chatRoomId) {
    await this.#session.api.removeMember(chatRoomId, this.#session.userId);
    this.#session.inbox.hidden(chatRoomId);
  }
}
