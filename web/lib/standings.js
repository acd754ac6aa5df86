// What members are in rooms, and whether they may speak there, as far as the server has said so.

/**
 * @typedef {import("./api.js").Room} Room
 * @typedef {import("./clock.js").Clock} Clock
 */

/**
 * @typedef {object} Standing
 * @property {string} role `owner`, `moderator` or `member`
 * @property {number} mutedUntil ms since 1970; 0: they may speak
 */

/** No timer is longer (ms): browsers fire one of over 24 days at once. */
const LONGEST = 24 * 3_600_000;

export class Standings {
  /** @type {Map<string, Map<string, Standing & {at: number}>>} by room and user; at is when it changed last (ms since 1970) */
  #rooms = new Map();
  /** @type {(() => void)|undefined} cancels the end of the next mute */
  #next;
  #clock;
  #ahead;
  #changed;

  /**
   * @param {object} options
   * @param {Clock} options.clock
   * @param {() => number} options.ahead how far the server's clock is ahead of it (ms)
   * @param {(chatRoomId: string, userId: string) => void} options.changed
   */
  constructor({ clock, ahead, changed }) {
    this.#clock = clock;
    this.#ahead = ahead;
    this.#changed = changed;
  }

  /**
   * @param {string} chatRoomId
   * @param {string} userId
   * @returns {Standing|undefined} undefined where it isn't known
   */
  of(chatRoomId, userId) {
    const held = this.#rooms.get(chatRoomId)?.get(userId);
    return held && { role: held.role, mutedUntil: held.mutedUntil > this.now ? held.mutedUntil : 0 };
  }

  /**
   * A frame or an answer says what a member is since a time; what is older changes nothing.
   * @param {string} chatRoomId
   * @param {string} userId
   * @param {{role?: string, mutedUntil?: number, at?: number}} now
   * @param {number} [joinedAt] what was known of them before they joined doesn't count
   */
  put(chatRoomId, userId, { role = "member", mutedUntil = 0, at = 0 }, joinedAt = 0) {
    const room = this.#rooms.get(chatRoomId) ?? new Map();
    const held = room.get(userId);
    if (held && held.at > Math.max(at, joinedAt)) return;
    this.#rooms.set(chatRoomId, room.set(userId, { role, mutedUntil, at }));
    this.#wait();
    if (held?.role !== role || held.mutedUntil !== mutedUntil) this.#changed(chatRoomId, userId);
  }

  /**
   * The server described a room.
   * @param {Room} room
   * @param {string} me the user's id: they need not be on this page of the members
   */
  learn({ chatRoomId, role, mutedUntil, changedAt: at, members = [] }, me) {
    for (const { userId, joinedAt, changedAt, ...member } of members)
      this.put(chatRoomId, userId, { ...member, at: changedAt }, joinedAt);
    if (role) this.put(chatRoomId, me, { role, mutedUntil, at });
  }

  /**
   * The server refused what the user said.
   * @param {string} chatRoomId
   * @param {string} me
   * @param {number} until ms since 1970
   */
  muted(chatRoomId, me, until) {
    const held = this.#rooms.get(chatRoomId)?.get(me);
    if (held) this.put(chatRoomId, me, { ...held, mutedUntil: until });
  }

  /**
   * @param {string} chatRoomId
   * @param {string} [userId] who left; without it the room was left
   */
  forget(chatRoomId, userId) {
    if (userId === undefined) this.#rooms.delete(chatRoomId);
    else this.#rooms.get(chatRoomId)?.delete(userId);
  }

  stop() {
    this.#next?.();
    this.#next = undefined;
  }

  /** The server's time (ms since 1970), as far as it is known. */
  get now() {
    return this.#clock.now() + this.#ahead();
  }

  /** Waits for the end of the next mute. */
  #wait() {
    this.stop();
    const ends = [...this.#rooms.values()].flatMap((room) => [...room.values()].map((m) => m.mutedUntil || Infinity));
    const left = Math.min(...ends) - this.now;
    if (left < Infinity) this.#next = this.#clock.after(Math.min(Math.max(0, left), LONGEST), () => this.#end());
  }

  #end() {
    for (const [chatRoomId, room] of this.#rooms) {
      for (const [userId, member] of room) {
        if (!member.mutedUntil || member.mutedUntil > this.now) continue;
        member.mutedUntil = 0;
        this.#changed(chatRoomId, userId);
      }
    }
    this.#wait();
  }
}
