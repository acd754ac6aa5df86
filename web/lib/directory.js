// The user's rooms and what can be done to them: the list is read, kept up to date
// by what arrives, and added to.

import { fullJitter } from "./clock.js";
import { Failure, isPassing } from "./failure.js";
import { Listing } from "./listing.js";
import { RoomList } from "./rooms.js";
import { newKey } from "./ulid.js";

/**
 * @typedef {import("./api.js").API} API
 * @typedef {import("./api.js").Person} Person
 * @typedef {import("./api.js").Room} Room
 * @typedef {import("./clock.js").Clock} Clock
 */

/** Rooms per page of the list, and pages at most. */
const ROOM_PAGE = 100;
const ROOM_PAGES = 10;
/** How often a room's creation is tried: the key makes it one room. */
const TRIES = 3;
/** Back-off between these: its base and its limit (ms). */
const RETRY_BASE = 1_000;
const RETRY_CAP = 4_000;

export class Directory {
  list = new RoomList();

  /** @type {Map<string, string>} by direct message room, the other user's id */
  #others = new Map();
  /** @type {Set<string>} direct message rooms whose other one was asked for */
  #asked = new Set();
  #api;
  #clock;
  #me;
  #changed;
  #learned;
  #met;

  /**
   * @param {object} options
   * @param {API} options.api
   * @param {Clock} options.clock
   * @param {() => string} options.me the user's id
   * @param {() => void} options.changed the list changed
   * @param {(room: Room) => void} options.learned a room was read
   * @param {(person: Person) => void} options.met the list says what someone is called
   */
  constructor({ api, clock, me, changed, learned, met }) {
    this.#api = api;
    this.#clock = clock;
    this.#me = me;
    this.#changed = changed;
    this.#learned = learned;
    this.#met = met;
  }

  /**
   * Reads the list.
   * @param {(chatRoomId: string, older: boolean, more: boolean) => boolean} keeps see RoomList.replace
   */
  async refresh(keeps) {
    this.list.asked();
    const listing = new Listing(ROOM_PAGES);
    while (!listing.done) {
      const page = await this.#api.rooms({ limit: ROOM_PAGE, cursor: listing.next });
      listing.page(page.rooms, page.cursor);
    }
    for (const { chatRoomId, with: other } of listing.rooms) {
      if (!other) continue;
      this.#others.set(chatRoomId, other.userId);
      this.#met(other);
    }
    this.list.replace(listing.rooms, this.#clock.now(), keeps);
  }

  /**
   * Reads a room, with one page of its members.
   * @param {string} chatRoomId
   * @param {string} [cursor] of its members
   */
  async read(chatRoomId, cursor) {
    const room = await this.#api.room(chatRoomId, { cursor });
    this.list.rename(chatRoomId, room.name ?? "");
    const other = room.type === "dm" && room.members?.find((m) => m.userId !== this.#me());
    if (other) this.#others.set(chatRoomId, other.userId);
    this.#learned(room);
    return room;
  }

  /**
   * Takes in a room that the list lacks: it was created, or one was added to it.
   * @param {string} chatRoomId
   */
  async discover(chatRoomId) {
    this.#add(await this.read(chatRoomId));
  }

  /**
   * @param {string} name
   * @param {string[]} members user ids, without the user's own
   * @param {boolean} [onlySignedIn]
   * @returns {Promise<string>} the room's id
   */
  async createGroup(name, members, onlySignedIn) {
    return this.#create({ name, type: "group", members, onlySignedIn });
  }

  /**
   * @param {string} userId the other one
   * @param {boolean} [onlySignedIn]
   * @returns {Promise<string>} the room's id, which may have been there
   */
  async createDirect(userId, onlySignedIn) {
    return this.#create({ type: "dm", members: [userId], onlySignedIn });
  }

  /**
   * Joins a public room, which may have been joined before.
   * @param {string} chatRoomId
   */
  async join(chatRoomId) {
    this.#add(await this.#api.joinRoom(chatRoomId));
  }

  /**
   * The other user of a direct message room; asks the server if it isn't known.
   * @param {string} chatRoomId
   * @returns {string} empty where it isn't known yet
   */
  otherIn(chatRoomId) {
    const known = this.#others.get(chatRoomId);
    if (known) return known;
    const sender = this.list.get(chatRoomId)?.lastMessage?.senderId;
    if (sender && sender !== this.#me()) {
      this.#others.set(chatRoomId, sender);
      return sender;
    }
    if (!this.#asked.has(chatRoomId)) {
      this.#asked.add(chatRoomId);
      this.read(chatRoomId).then(this.#changed, () => this.#asked.delete(chatRoomId));
    }
    return "";
  }

  /**
   * @param {Parameters<API["createRoom"]>[0]} room
   * @returns {Promise<string>}
   */
  async #create(room) {
    const key = newKey();
    for (let tries = 1; ; tries++) {
      try {
        const created = await this.#api.createRoom(room, key);
        this.#add(created);
        return created.chatRoomId;
      } catch (err) {
        if (tries >= TRIES || !isPassing(Failure.from(err).code)) throw err;
      }
      const wait = fullJitter(this.#clock, tries, RETRY_BASE, RETRY_CAP);
      await new Promise((resolve) => this.#clock.after(wait, () => resolve(undefined)));
    }
  }

  /** @param {Room} room */
  #add({ chatRoomId, name, type }) {
    const now = this.#clock.now();
    this.list.add({ chatRoomId, name, type, lastMessageAt: now }, now);
    this.#changed();
  }
}
