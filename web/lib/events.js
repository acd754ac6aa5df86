// What a page can listen to.

/**
 * @typedef {import("./connection.js").ConnectionState} ConnectionState
 * @typedef {import("./failure.js").Failure} Failure
 * @typedef {import("./frames.js").Message} Message
 */

/**
 * What can be listened to, and with what a listener is called.
 * @typedef {object} Events
 * @property {ConnectionState} state the connection's state changed
 * @property {Message} message a message arrived that was not known, in any room, the user's own included
 * @property {string} timeline a room's messages or outgoing messages changed; its id
 * @property {import("./attachments.js").Upload} upload a file's upload went on, or ended
 * @property {string} draft what was begun in a room was changed, or sent, in another tab; the room's id
 * @property {undefined} rooms the list of rooms changed
 * @property {string} room a room's name changed; its id
 * @property {string} notify the user is notified of something else in a room, chosen here or on another device; its id
 * @property {{chatRoomId: string, userId: string, joined: boolean}} member someone joined or left
 * @property {{chatRoomId: string, userId: string}} standing a member's role or mute changed, or their mute ended
 * @property {undefined} blocks whom the user blocks was read, or changed
 * @property {{chatRoomId: string, userId: string, upTo: string}} read someone read, or oneself on any device
 * @property {string} typing who types in a room changed; its id
 * @property {undefined} presence who is online changed
 * @property {{chatRoomId: string, messageId: string, userId: string, reaction: string, added: boolean}} reaction someone else reacted to a message of an opened room, or took a reaction back
 * @property {string} marked a message was marked as unread, here or in another tab; its room's id
 * @property {undefined} people a display name changed
 * @property {Failure} failure something failed in the background
 */

export class Emitter {
  /** @type {Map<string, Set<(detail: any) => void>>} */
  #listeners = new Map();

  /**
   * Listens.
   * @template {keyof Events} K
   * @param {K} event
   * @param {(detail: Events[K]) => void} listener
   * @returns {() => void} stops listening
   */
  on(event, listener) {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /**
   * Calls the listeners; the library does. One that throws doesn't keep others from hearing.
   * @template {keyof Events} K
   * @param {K} event
   * @param {Events[K]} detail
   */
  emit(event, detail) {
    for (const listener of this.#listeners.get(event) ?? []) {
      try {
        listener(detail);
      } catch (err) {
        console.error(err);
      }
    }
  }
}
