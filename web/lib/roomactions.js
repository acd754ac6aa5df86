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
   * Sets how many days messages that are sent from then on are kept; owners may. Those
   * that are there keep their end, or have none.
   * @param {string} chatRoomId
   * @param {number} days 1 to 36,500, at most the deployment's, which counts if it is less; 0: no bound of the room's own
   * @returns {Promise<number>} what holds from then on; 0: forever
   */
  async retain(chatRoomId, days) {
    const { retentionDays = 0 } = await this.#session.api.retainRoom(chatRoomId, days);
    this.emit("room", chatRoomId);
    return retentionDays;
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
   * Removes a member: owners everyone, moderators members without a role. With the user's own id, leaves.
   * @param {string} chatRoomId
   * @param {string} userId
   */
  async removeMember(chatRoomId, userId) {
    await this.#session.api.removeMember(chatRoomId, userId);
    if (userId === this.#session.userId) this.#session.inbox.left(chatRoomId);
  }

  /**
   * What a member is in a room, and until when they are muted, if they are. It is known
   * once room() has read them, and for the user's own once it has read the room; `standing`
   * events tell that it changed. What changed while there was no connection the next room() tells.
   * @param {string} chatRoomId
   * @param {string} [userId] without it the user's own
   * @returns {import("./standings.js").Standing|undefined} undefined where it isn't known
   */
  standing(chatRoomId, userId = this.#session.userId) {
    return this.#session.standings.of(chatRoomId, userId);
  }

  /**
   * What the user is notified of in a room: by the server while they are offline, and by
   * what uses this library while they are not. `notify` events tell that it changed.
   * @param {string} chatRoomId
   * @returns {import("./api.js").Notify}
   */
  notifyOf(chatRoomId) {
    return this.#session.directory.list.get(chatRoomId)?.notify ?? "all";
  }

  /**
   * Chooses what the user is notified of in a room, on all devices: `all` messages, those
   * that mention them, also in a direct message, or none.
   * @param {string} chatRoomId
   * @param {import("./api.js").Notify} notify
   */
  async setNotify(chatRoomId, notify) {
    this.#session.inbox.notify(chatRoomId, await this.#session.api.setNotify(chatRoomId, notify));
  }

  /** The server's time (ms since 1970), as far as its answers tell; else this device's. */
  get now() {
    return this.#session.standings.now;
  }

  /**
   * Gives a member of a group a role. Owners do so to everyone, and everyone may step down,
   * except the last owner: `forbidden`.
   * @param {string} chatRoomId
   * @param {string} userId
   * @param {"owner"|"moderator"|"member"} role
   */
  async setRole(chatRoomId, userId, role) {
    this.#changed(chatRoomId, await this.#session.api.changeMember(chatRoomId, userId, { role }));
  }

  /**
   * Has a member neither send, edit, react nor type until a time; they are refused as
   * `muted`. Owners mute every other member, moderators those without a role.
   * @param {string} chatRoomId
   * @param {string} userId
   * @param {number} until ms since 1970: `now` and so long; 0 ends it
   */
  async mute(chatRoomId, userId, until) {
    this.#changed(chatRoomId, await this.#session.api.changeMember(chatRoomId, userId, { mutedUntil: until }));
  }

  /**
   * @param {string} chatRoomId
   * @param {import("./api.js").ChangedMember} member
   */
  #changed(chatRoomId, { userId, changedAt, ...member }) {
    this.#session.standings.put(chatRoomId, userId, { ...member, at: changedAt });
  }

  /**
   * Removes a user from a group, and keeps them from joining and from being added, which
   * are refused as `banned`. Owners ban everyone else, moderators those without a role.
   * @param {string} chatRoomId
   * @param {string} userId who need not be a member
   * @param {{until?: number, reason?: string}} [ban] ms since 1970, absent for no end; for those who moderate the room
   */
  async ban(chatRoomId, userId, ban = {}) {
    await this.#session.api.ban(chatRoomId, userId, ban);
  }

  /**
   * Ends a ban; owners and moderators may.
   * @param {string} chatRoomId
   * @param {string} userId
   */
  async unban(chatRoomId, userId) {
    await this.#session.api.unban(chatRoomId, userId);
  }

  /**
   * Reads one page of the users banned from a room; owners and moderators may.
   * @param {string} chatRoomId
   * @param {string} [cursor] of the page before
   * @returns {ReturnType<API["bans"]>} without a cursor it was the last page
   */
  bans(chatRoomId, cursor) {
    return this.#session.api.bans(chatRoomId, { cursor });
  }

  /**
   * Tells those who moderate a room of a message of someone else; they list it. Its sender
   * doesn't learn of it. In a direct message only the service's own programs see it.
   * @param {string} chatRoomId
   * @param {string} messageId
   * @param {string} [reason] at most 500 characters, without line breaks; instead of the one before
   */
  async report(chatRoomId, messageId, reason) {
    await this.#session.api.report(chatRoomId, messageId, reason);
  }

  /**
   * Reads one page of the reports of a group's messages; owners and moderators may.
   * @param {string} chatRoomId
   * @param {string} [cursor] of the page before
   * @returns {ReturnType<API["reports"]>} of the newest messages first; without a cursor it was the last page
   */
  reports(chatRoomId, cursor) {
    return this.#session.api.reports(chatRoomId, { cursor });
  }

  /**
   * Removes all reports of a message; owners and moderators may.
   * @param {string} chatRoomId
   * @param {string} messageId
   */
  async dismissReports(chatRoomId, messageId) {
    await this.#session.api.dismissReports(chatRoomId, messageId);
  }

  /**
   * Has someone neither begin a direct message with the user, nor write in the one that
   * they have, nor add the user to a room: they are refused as `forbidden`. Nor can the
   * user write in that direct message.
   * @param {string} userId
   */
  async block(userId) {
    await this.#session.blocks.set(userId, true);
  }

  /**
   * Ends a block.
   * @param {string} userId
   */
  async unblock(userId) {
    await this.#session.blocks.set(userId, false);
  }

  /**
   * Reads whom the user blocks.
   * @returns {Promise<import("./api.js").Block[]>}
   */
  blocks() {
    return this.#session.blocks.read();
  }

  /**
   * Whether the user blocks someone, as far as blocks() read it and it was changed here:
   * the user's other devices don't tell.
   * @param {string} userId
   */
  isBlocked(userId) {
    return this.#session.blocks.has(userId);
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
