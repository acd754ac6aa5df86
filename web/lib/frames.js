// The frames that the server sends, and what it takes.

import { Failure } from "./failure.js";
import { beginning, hasVisible } from "./text.js";

/**
 * A message as it is held: from a frame, from history, or from an ack.
 * @typedef {object} Message
 * @property {string} chatRoomId
 * @property {string} messageId
 * @property {string} senderId
 * @property {string} [content] absent once deleted
 * @property {number} timestamp ms since 1970
 * @property {string|null} [previousMessageId] null for a room's first; absent where not known
 * @property {string} [clientMessageId] on the sender's own devices
 * @property {string[]} [readBy] who had read it when history was read, its sender among them
 * @property {number} [editedAt]
 * @property {number} [deletedAt]
 * @property {string} [deletedBy] who moderates the room and deleted it; absent: its sender did
 * @property {import("./attachments.js").Attachment[]} [attachments]
 * @property {Quote} [replyTo] the message that it answers
 * @property {string[]} [mentions] the users whom it mentions
 * @property {import("./reactions.js").Reactions} [reactions] absent: there never were any
 * @property {number} [expiresAt] ms since 1970: from then on it is let go of, here and by the server; absent: never
 */

/**
 * The beginning of a message that another one answers, as it was then.
 * @typedef {object} Quote
 * @property {string} messageId
 * @property {string} senderId
 * @property {string} preview empty if it was deleted, or had attachments only
 * @property {number} [attachments] how many it had
 */

/**
 * Any frame of the server; `type` says which of the rest are set.
 * @typedef {object} Frame
 * @property {string} type `gateway` for the gateway's own, which have no type on the wire
 * @property {string} [chatRoomId]
 * @property {string} [messageId]
 * @property {string} [senderId]
 * @property {string} [content]
 * @property {number} [timestamp]
 * @property {string|null} [previousMessageId]
 * @property {string} [clientMessageId]
 * @property {boolean} [duplicate]
 * @property {Quote} [replyTo]
 * @property {number} [expiresAt] ms since 1970
 * @property {string} [code]
 * @property {string} [message]
 * @property {number} [retryAfter] ms
 * @property {string} [connectionId]
 * @property {string} [userId]
 * @property {number} [changedAt] ms since 1970, of a pong
 * @property {string} [from]
 * @property {string} [upTo]
 * @property {string} [since]
 * @property {string} [known]
 * @property {string} [name]
 * @property {number} [editedAt]
 * @property {number} [deletedAt]
 * @property {string} [deletedBy]
 * @property {string} [role]
 * @property {number} [mutedUntil] ms since 1970; absent: not muted
 * @property {import("./api.js").Notify} [notify] what the user is notified of
 * @property {number} [until] ms since 1970, of the error `muted`
 * @property {number} [at] ms since 1970
 * @property {boolean} [online]
 * @property {number} [lastSeenAt] ms since 1970
 * @property {string} [action] what an error answers, if it is no send
 * @property {string[]} [off] of a pong, what is switched off
 * @property {number} [version] of reactions
 * @property {Record<string, number>} [counts] of reactions
 * @property {ReactionChange[]} [changed]
 */

/**
 * A reaction that was added, or taken back.
 * @typedef {object} ReactionChange
 * @property {string} userId
 * @property {string} reaction
 * @property {boolean} added
 */

/** The largest frame that may be sent, in bytes. */
export const MAX_FRAME = 32_000;

/** The longest content, in bytes of UTF-8. */
export const MAX_CONTENT = 16_384;

/**
 * Reads what one WebSocket message holds: several frames when it is a batch.
 * What can't be read is left out: catching up brings what mattered.
 * @param {unknown} data
 * @returns {Frame[]}
 */
export function unpack(data) {
  if (typeof data !== "string") return [];
  let value;
  try {
    value = JSON.parse(data);
  } catch {
    return [];
  }
  return flatten(value);
}

/**
 * @param {any} value
 * @returns {Frame[]}
 */
function flatten(value) {
  if (value === null || typeof value !== "object") return [];
  if (value.type === "batch") {
    return Array.isArray(value.frames) ? value.frames.flatMap(flatten) : [];
  }
  if (typeof value.type === "string") return [value];
  // API Gateway's own: {"message":"Internal server error","connectionId":…,"requestId":…}
  if (typeof value.message === "string") return [{ ...value, type: "gateway" }];
  return [];
}

const encoder = new TextEncoder();

/**
 * @param {string} text
 * @returns {number} bytes of UTF-8
 */
export function byteLength(text) {
  return encoder.encode(text).length;
}

/**
 * Throws a Failure `too_large` or `invalid_request` for a message that the server would
 * never take.
 * @param {string} chatRoomId
 * @param {string} content
 * @param {boolean} [alone] false: files go with it, and it may be empty
 */
export function checkContent(chatRoomId, content, alone = true) {
  // The frame holds 200 bytes and the room's id beside the content.
  const encoded = byteLength(JSON.stringify(content)) + chatRoomId.length + 200;
  if (byteLength(content) > MAX_CONTENT || encoded > MAX_FRAME)
    throw new Failure("too_large", "The message is too long.");
  if (!hasVisible(content) && (alone || content !== ""))
    throw new Failure("invalid_request", "The message shows nothing.");
}

/** The longest preview, in code points. */
const MAX_PREVIEW = 140;

/**
 * What the readers of an answer to a message get of that, as the server has it.
 * @param {Message} message
 * @returns {Quote}
 */
export function quoteOf({ messageId, senderId, content = "", attachments = [] }) {
  const quote = { messageId, senderId, preview: beginning(content, MAX_PREVIEW) };
  return attachments.length > 0 ? { ...quote, attachments: attachments.length } : quote;
}
