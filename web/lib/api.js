// The HTTP API.

import { Failure } from "./failure.js";

/**
 * @typedef {import("./frames.js").Message} Message
 * @typedef {import("./token.js").TokenSource} TokenSource
 * @typedef {import("./attachments.js").Attachment} Attachment
 */

/**
 * @typedef {object} LastMessage
 * @property {string} messageId
 * @property {string} senderId
 * @property {string} preview empty once it was deleted
 * @property {number} timestamp ms since 1970
 * @property {number} [editedAt] ms since 1970
 * @property {number} [deletedAt] ms since 1970
 * @property {number} [attachments] how many it has
 */

/**
 * @typedef {object} Person
 * @property {string} userId
 * @property {string} [displayName]
 * @property {boolean} [online]
 * @property {number} [lastSeenAt] ms since 1970, if not online
 */

/**
 * A room in the user's list.
 * @typedef {object} RoomSummary
 * @property {string} chatRoomId
 * @property {string} [name] a direct message has none
 * @property {string} type `group` or `dm`
 * @property {Person} [with] the other user of a direct message
 * @property {number} lastMessageAt ms since 1970; the room's creation where there is no message
 * @property {LastMessage} [lastMessage]
 * @property {string} [readUpTo] the id up to which the user has read, as the server knew it
 * @property {number} [unread] messages of others that the user has not read; counting stops at 100
 * @property {boolean} [unreadMore] there may be more than these
 * @property {number} [mentions] those of the unread messages that mention the user
 * @property {Notify} [notify] what the user is notified of; absent for all
 * @property {number} [notifyAt] ms since 1970, since when
 */

/** @typedef {"all"|"mentions"|"none"} Notify what a member is notified of */

/**
 * @typedef {object} Member
 * @property {string} userId
 * @property {string} role `owner`, `moderator` or `member`
 * @property {number} joinedAt ms since 1970
 * @property {number} [mutedUntil] ms since 1970; absent: never muted, or the mute was ended
 * @property {number} [changedAt] ms since 1970, when the role or the mute changed last
 * @property {string} [readFrom] the id after which they have read, if they joined later
 * @property {string} [readSince] of the messages after this id they have read those in readKnown; absent: all
 * @property {string} [readKnown] the ends of their ids
 * @property {string} [readUpTo] the id of the newest message that this member has read
 * @property {string} [displayName] what the member wants to be called
 * @property {boolean} [online] in rooms of at most 20 members
 * @property {number} [lastSeenAt] ms since 1970, if not online
 */

/**
 * What other users see of a user.
 * @typedef {object} Profile
 * @property {string} [displayName]
 */

/**
 * @typedef {object} Room
 * @property {string} chatRoomId
 * @property {string} [name]
 * @property {string} type `group` or `dm`
 * @property {number} memberCount
 * @property {string} [visibility] `public`: anyone may join; absent: private
 * @property {Place} [place] where it meets
 * @property {number} [retentionDays] how long new messages are kept; absent: forever
 * @property {string} [role] the user's own, beside members
 * @property {number} [mutedUntil] ms since 1970, the user's own
 * @property {number} [changedAt] ms since 1970, when these two changed last
 * @property {Notify} [notify] the user's own; absent for all
 * @property {number} [notifyAt] ms since 1970, since when
 * @property {Member[]} [members] one page
 * @property {string} [cursor] where the members go on
 */

/**
 * Where a public room meets, and when.
 * @typedef {object} Place
 * @property {number} lat degrees north
 * @property {number} lon degrees east
 * @property {string} [address] at most 200 characters
 * @property {number} [startsAt] ms since 1970
 * @property {number} [endsAt] ms since 1970, after which the room has no place
 */

/**
 * A member as they are after a change.
 * @typedef {object} ChangedMember
 * @property {string} userId
 * @property {string} role
 * @property {number} [mutedUntil] ms since 1970; absent: they may speak
 * @property {number} [changedAt] ms since 1970
 */

/**
 * @typedef {object} Ban
 * @property {string} userId
 * @property {string} by the user who made it
 * @property {number} at ms since 1970
 * @property {number} [until] ms since 1970; absent: it has no end
 * @property {string} [reason]
 */

/**
 * What a user says against a message.
 * @typedef {object} Report
 * @property {string} messageId
 * @property {string} senderId whose message it is
 * @property {string} userId who reported it
 * @property {number} at ms since 1970
 * @property {string} [reason]
 */

/**
 * @typedef {object} Block
 * @property {string} userId
 * @property {number} at ms since 1970
 */

/**
 * @typedef {object} NearbyRoom
 * @property {string} chatRoomId
 * @property {string} name
 * @property {number} distance metres
 * @property {Place} place
 */

/** How long an answer may take (ms). */
const ANSWER_WITHIN = 20_000;

/** @typedef {typeof globalThis.fetch} Fetch */

export class API {
  #url;
  #token;
  #fetch;

  /**
   * @param {object} options
   * @param {string} options.url the API's root
   * @param {TokenSource} options.token
   * @param {Fetch} options.fetch
   */
  constructor({ url, token, fetch }) {
    this.#url = url.replace(/\/+$/, "");
    this.#token = token;
    this.#fetch = fetch;
  }

  /**
   * @param {{limit?: number, cursor?: string}} page
   * @returns {Promise<{rooms: RoomSummary[], cursor?: string}>} newest message first
   */
  async rooms(page = {}) {
    const { rooms, cursor } = await this.#call("GET", `/rooms${query(page)}`);
    return { rooms: rooms ?? [], cursor };
  }

  /**
   * @param {string} chatRoomId
   * @param {{cursor?: string}} page of its members
   * @returns {Promise<Room>}
   */
  room(chatRoomId, page = {}) {
    return this.#call("GET", roomPath(chatRoomId) + query(page));
  }

  /**
   * @param {{name?: string, type: "group"|"dm", members: string[], onlySignedIn?: boolean}} room
   * @param {string} key the same key creates the same room, however often it is asked for
   * @returns {Promise<Room>}
   */
  createRoom(room, key) {
    return this.#call("POST", "/rooms", room, { "Idempotency-Key": key });
  }

  /**
   * An owner renames a group.
   * @param {string} chatRoomId
   * @param {string} name
   * @returns {Promise<unknown>}
   */
  renameRoom(chatRoomId, name) {
    return this.#call("PATCH", roomPath(chatRoomId), { name });
  }

  /**
   * An owner bounds for how many days a group's messages are kept.
   * @param {string} chatRoomId
   * @param {number} retentionDays 0: no bound of the room's own
   * @returns {Promise<Room>} as it is then
   */
  retainRoom(chatRoomId, retentionDays) {
    return this.#call("PATCH", roomPath(chatRoomId), { retentionDays });
  }

  /**
   * An owner makes a group public, so that anyone may join it, or private, which
   * removes its place.
   * @param {string} chatRoomId
   * @param {"public"|"private"} visibility
   * @returns {Promise<Room>}
   */
  shareRoom(chatRoomId, visibility) {
    return this.#call("PATCH", roomPath(chatRoomId), { visibility });
  }

  /**
   * @param {string} chatRoomId a public room
   * @returns {Promise<Room>}
   */
  joinRoom(chatRoomId) {
    return this.#call("POST", `${roomPath(chatRoomId)}/join`);
  }

  /**
   * Owners and moderators give a public room a place, instead of the one that it has.
   * @param {string} chatRoomId
   * @param {Place} place
   * @returns {Promise<Place>} as it is stored
   */
  placeRoom(chatRoomId, place) {
    return this.#call("PUT", `${roomPath(chatRoomId)}/place`, place);
  }

  /**
   * Owners and moderators remove the place of a room, if it has one.
   * @param {string} chatRoomId
   * @returns {Promise<unknown>}
   */
  unplaceRoom(chatRoomId) {
    return this.#call("DELETE", `${roomPath(chatRoomId)}/place`);
  }

  /**
   * Public rooms around a point. A page may have fewer than limit, or none: without a cursor it is the last.
   * @param {{lat: number, lon: number, radius?: number, limit?: number, cursor?: string}} search degrees; metres, 100 to 50,000, else 5,000; 1 to 100, else 50
   * @returns {Promise<{rooms: NearbyRoom[], cursor?: string, limited?: boolean}>} nearest first; limited: there are more farther away, found by a search around another point
   */
  async nearby(search) {
    const { rooms, cursor, limited } = await this.#call("GET", `/nearby${query(search)}`);
    return { rooms: rooms ?? [], cursor, limited };
  }

  /**
   * @param {string} chatRoomId
   * @param {string} userId
   * @param {boolean} [onlySignedIn]
   * @returns {Promise<unknown>}
   */
  addMember(chatRoomId, userId, onlySignedIn) {
    return this.#call("POST", `${roomPath(chatRoomId)}/members`, { userId, onlySignedIn });
  }

  /**
   * Owners remove everyone, moderators members without a role, and anyone leaves; a direct
   * message is hidden so.
   * @param {string} chatRoomId
   * @param {string} userId
   * @returns {Promise<unknown>}
   */
  removeMember(chatRoomId, userId) {
    // API Gateway decodes paths, so these would be other paths.
    const inPath = !/[/?\\%]/u.test(userId) && userId !== "." && userId !== "..";
    return this.#call(
      "DELETE",
      `${roomPath(chatRoomId)}/members${inPath ? `/${encodeURIComponent(userId)}` : query({ userId })}`,
    );
  }

  /**
   * Gives a member another role, mutes them, or ends that.
   * @param {string} chatRoomId
   * @param {string} userId
   * @param {{role?: string, mutedUntil?: number}} change ms since 1970; 0: not muted
   * @returns {Promise<ChangedMember>}
   */
  changeMember(chatRoomId, userId, change) {
    return this.#call("PATCH", `${roomPath(chatRoomId)}/members${query({ userId })}`, change);
  }

  /**
   * Removes a user, and keeps them out; instead of the ban before it.
   * @param {string} chatRoomId
   * @param {string} userId
   * @param {{until?: number, reason?: string}} ban ms since 1970, absent: without an end; at most 500 characters
   * @returns {Promise<Ban>}
   */
  ban(chatRoomId, userId, ban) {
    return this.#call("PUT", `${roomPath(chatRoomId)}/bans${query({ userId })}`, ban);
  }

  /**
   * @param {string} chatRoomId
   * @param {string} userId
   * @returns {Promise<unknown>}
   */
  unban(chatRoomId, userId) {
    return this.#call("DELETE", `${roomPath(chatRoomId)}/bans${query({ userId })}`);
  }

  /**
   * @param {string} chatRoomId
   * @param {{limit?: number, cursor?: string}} page
   * @returns {Promise<{bans: Ban[], cursor?: string}>}
   */
  bans(chatRoomId, page = {}) {
    return this.#call("GET", `${roomPath(chatRoomId)}/bans${query(page)}`);
  }

  /**
   * Reports a message; another reason replaces the one before it.
   * @param {string} chatRoomId
   * @param {string} messageId
   * @param {string} [reason] at most 500 characters, without line breaks
   * @returns {Promise<unknown>}
   */
  report(chatRoomId, messageId, reason) {
    const path = `${roomPath(chatRoomId)}/messages/${encodeURIComponent(messageId)}/report`;
    return this.#call("POST", path, { reason });
  }

  /**
   * @param {string} chatRoomId
   * @param {{limit?: number, cursor?: string}} page
   * @returns {Promise<{reports: Report[], cursor?: string}>}
   */
  reports(chatRoomId, page = {}) {
    return this.#call("GET", `${roomPath(chatRoomId)}/reports${query(page)}`);
  }

  /**
   * @param {string} chatRoomId
   * @param {string} messageId
   * @returns {Promise<unknown>}
   */
  dismissReports(chatRoomId, messageId) {
    return this.#call("DELETE", `${roomPath(chatRoomId)}/reports/${encodeURIComponent(messageId)}`);
  }

  /**
   * @param {string} userId
   * @returns {Promise<unknown>}
   */
  block(userId) {
    return this.#call("PUT", `/me/blocks${query({ userId })}`);
  }

  /**
   * @param {string} userId
   * @returns {Promise<unknown>}
   */
  unblock(userId) {
    return this.#call("DELETE", `/me/blocks${query({ userId })}`);
  }

  /**
   * @param {{limit?: number, cursor?: string}} page
   * @returns {Promise<{blocks: Block[], cursor?: string}>}
   */
  blocks(page = {}) {
    return this.#call("GET", `/me/blocks${query(page)}`);
  }

  /**
   * Moves the user's read cursor; going back changes nothing.
   * @param {string} chatRoomId
   * @param {string} upTo a message's id
   * @returns {Promise<unknown>}
   */
  markRead(chatRoomId, upTo) {
    return this.#call("POST", `${roomPath(chatRoomId)}/read`, { upTo });
  }

  /**
   * @param {string} chatRoomId
   * @param {Notify} notify
   * @returns {Promise<{notify: Notify, notifyAt?: number}>} ms since 1970
   */
  setNotify(chatRoomId, notify) {
    return this.#call("PUT", `${roomPath(chatRoomId)}/notify`, { notify });
  }

  /**
   * @param {string} chatRoomId
   * @param {string} messageId a message of the user's own
   * @param {string} content
   * @param {string[]} [mentions] undefined: those that it has stay
   * @returns {Promise<Message>}
   */
  editMessage(chatRoomId, messageId, content, mentions) {
    const path = `${roomPath(chatRoomId)}/messages/${encodeURIComponent(messageId)}`;
    return this.#call("PATCH", path, { content, mentions });
  }

  /**
   * @param {string} chatRoomId
   * @param {string} messageId one's own, or where one moderates anyone's
   * @returns {Promise<unknown>}
   */
  deleteMessage(chatRoomId, messageId) {
    return this.#call("DELETE", `${roomPath(chatRoomId)}/messages/${encodeURIComponent(messageId)}`);
  }

  /**
   * Adds a reaction of the user's, or takes it back; both may be repeated.
   * @param {string} chatRoomId
   * @param {string} messageId
   * @param {string} reaction
   * @param {boolean} add
   * @returns {Promise<import("./reactions.js").Reactions>} the message's, as they are then
   */
  react(chatRoomId, messageId, reaction, add) {
    const path = `${roomPath(chatRoomId)}/messages/${encodeURIComponent(messageId)}/reactions`;
    return add ? this.#call("PUT", path, { reaction }) : this.#call("DELETE", path + query({ reaction }));
  }

  /**
   * Announces a file of a message that is to be sent.
   * @param {string} chatRoomId
   * @param {Omit<Attachment, "attachmentId">} file
   * @returns {Promise<{attachmentId: string, upload: {url: string, fields: Record<string, string>}, expiresAt: number}>} the form by which it is uploaded
   */
  announce(chatRoomId, file) {
    return this.#call("POST", `${roomPath(chatRoomId)}/attachments`, file);
  }

  /**
   * @param {string} chatRoomId
   * @param {string} attachmentId
   * @returns {Promise<{url: string, expiresAt: number}>} a link to the file, for minutes
   */
  linkTo(chatRoomId, attachmentId) {
    return this.#call("GET", `${roomPath(chatRoomId)}/attachments/${encodeURIComponent(attachmentId)}?redirect=false`);
  }

  /** @returns {Promise<Profile & {presence?: string}>} the user's own */
  me() {
    return this.#call("GET", "/me");
  }

  /**
   * @param {Profile & {presence?: "shown"|"hidden"}} profile the user's own, or a part of it
   * @returns {Promise<unknown>}
   */
  setMe(profile) {
    return this.#call("PUT", "/me", profile);
  }

  /** @returns {Promise<{publicKey: string}>} base64url; rejects with `not_found` where there is no Web Push */
  pushKey() {
    return this.#call("GET", "/me/push");
  }

  /**
   * @param {PushSubscriptionJSON} subscription a browser's
   * @returns {Promise<unknown>}
   */
  subscribe(subscription) {
    return this.#call("PUT", "/me/push", subscription);
  }

  /**
   * @param {string} endpoint of a subscription
   * @returns {Promise<unknown>}
   */
  unsubscribe(endpoint) {
    return this.#call("DELETE", "/me/push", { endpoint });
  }

  /**
   * @param {string[]} users at most 100
   * @returns {Promise<Record<string, Profile>>} those that have one
   */
  async profiles(users) {
    const { profiles } = await this.#call("POST", "/profiles", { users });
    return profiles ?? {};
  }

  /**
   * @param {string} chatRoomId
   * @param {{limit?: number, before?: string, after?: string}} page
   * @returns {Promise<{messages: Message[], cursor?: string}>} newest first; with after, oldest first
   */
  async messages(chatRoomId, page = {}) {
    const { messages, cursor } = await this.#call("GET", `${roomPath(chatRoomId)}/messages${query(page)}`);
    return { messages: messages ?? [], cursor };
  }

  /**
   * @param {Record<string, string>} rooms per room, the id after which to answer; at most 100 rooms
   * @returns {Promise<{rooms: Record<string, {messages: Message[], more: boolean}>}>} oldest first
   */
  async sync(rooms) {
    const answer = await this.#call("POST", "/sync", { rooms });
    return { rooms: answer.rooms ?? {} };
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @param {Record<string, string>} [headers]
   * @returns {Promise<any>}
   */
  async #call(method, path, body, headers) {
    let response = await this.#request(method, path, body, headers);
    if (response.status === 401) {
      this.#token.drop();
      response = await this.#request(method, path, body, headers);
    }
    if (!response.ok) throw await failureOf(response);
    if (response.status === 204) return undefined;
    try {
      return await response.json();
    } catch (err) {
      throw new Failure("unavailable", "The server's answer could not be read.", {
        status: response.status,
        cause: err,
      });
    }
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @param {Record<string, string>} [more]
   */
  async #request(method, path, body, more) {
    /** @type {Record<string, string>} */
    const headers = { ...more, Authorization: `Bearer ${await this.#token.get()}` };
    if (body) headers["Content-Type"] = "application/json";
    try {
      const response = await this.#fetch(this.#url + path, {
        method,
        headers,
        body: body && JSON.stringify(body),
        credentials: "omit",
        signal: AbortSignal.timeout(ANSWER_WITHIN),
      });
      this.#token.answered(response.headers?.get("date"));
      return response;
    } catch (err) {
      throw Failure.ofFetch(err);
    }
  }
}

/**
 * Reads a refusal: problem+json from the API, anything from what stands before it.
 * @param {Response} response
 * @returns {Promise<Failure>}
 */
export async function failureOf(response) {
  const { status } = response;
  try {
    const { code, detail, title, neverSignedIn: users, retryAfter, until } = await response.json();
    if (typeof code === "string")
      return new Failure(code, detail || title || code, { status, users, retryAfter, until });
  } catch {
    // not the API's own answer
  }
  if (status === 401) return new Failure("unauthorized", "The server did not accept the sign-in.", { status });
  if (status === 429) return new Failure("rate_limited", "Too many requests.", { status });
  return new Failure("unavailable", `The server answered ${status}.`, { status });
}

/** @param {string} chatRoomId */
const roomPath = (chatRoomId) => `/rooms/${encodeURIComponent(chatRoomId)}`;

/**
 * @param {Record<string, string|number|undefined>} values
 * @returns {string} with its question mark, or empty
 */
function query(values) {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) params.set(name, String(value));
  }
  const text = params.toString();
  return text && `?${text}`;
}
