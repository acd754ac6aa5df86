// Reports of messages: made by readers, and listed for those who moderate the room.

import { quoteOf } from "../../lib/frames.js";
import { isolated } from "../../lib/streamroom.js";
import { timeOf } from "../../lib/ulid.js";
import { confirmed, FormDialog, onClosed, typed } from "./dialogs.js";
import { announce, byId } from "./dom.js";
import { quoteText, untilText } from "./words.js";

/** @typedef {import("../../lib/streamroom.js").Message} Message */

/** @extends {FormDialog<void>} */
export class ReportDialog extends FormDialog {
  /** @type {Message|undefined} the one that was reported last */
  #message;
  #hint = byId("report-hint", HTMLElement);

  /**
   * @param {(message: Message, reason: string) => Promise<void>} send rejects with a Failure that is shown
   * @param {(messageId: string) => void} closed the toolbar that opened it may be gone
   */
  constructor(send, closed) {
    const reason = byId("report-reason", HTMLInputElement);
    super(
      "report-dialog",
      () => send(/** @type {Message} */ (this.#message), typed(reason)),
      () => announce("Message reported.", true),
    );
    onClosed(this.dialog, () => {
      this.#hint.textContent = "";
      closed(this.#message?.messageId ?? "");
    });
  }

  /**
   * @param {Message} message
   * @param {string} sender what its sender is called
   * @param {boolean} direct
   */
  showFor(message, sender, direct) {
    this.#message = message;
    this.#hint.textContent = `${direct ? "Who runs this server" : "Who moderates this room"} sees it, and that you reported it. ${isolated(sender)} does not.`;
    this.show();
  }
}

/**
 * What is done about reports in a room; all reject with a Failure.
 * @typedef {object} ReportActs
 * @property {(chatRoomId: string, cursor?: string) => Promise<{reports: import("../../lib/streamroom.js").Report[], cursor?: string}>} reports
 * @property {(chatRoomId: string, messageId: string) => Promise<void>} dismiss
 * @property {(chatRoomId: string, messageId: string) => Promise<void>} deleteReported and dismisses its reports
 * @property {(chatRoomId: string, messageId: string) => Message|undefined} held the message, if it is held
 * @property {(messageId: string) => void} goTo
 * @property {(userId: string) => string} labelOf
 */

/**
 * One page of reports, those of a message together.
 * @param {ReportActs} on
 * @param {string} room
 * @param {string} [cursor]
 * @returns {Promise<{people: import("./peoplelist.js").Listed[], cursor?: string}>} by whose message it is
 */
export async function readReports(on, room, cursor) {
  const page = await on.reports(room, cursor);
  const now = Date.now();
  /** @type {Map<string, import("./peoplelist.js").Listed & {about: string[]}>} */
  const people = new Map();
  for (const { messageId, senderId, userId, at, reason } of page.reports) {
    const message = on.held(room, messageId);
    const listed = people.get(messageId) ?? {
      userId: senderId,
      messageId,
      about: [joined(untilText(timeOf(messageId), now), message && quoteText(quoteOf(message)))],
      acts: actsOn(on, room, messageId, senderId),
    };
    listed.about.push(joined(`Reported by ${isolated(on.labelOf(userId))}, ${untilText(at, now)}`, reason));
    people.set(messageId, listed);
  }
  return { people: [...people.values()], cursor: page.cursor };
}

/** @param {...(string|undefined)} said */
const joined = (...said) => said.flatMap((text) => (text ? isolated(text) : [])).join(" · ");

/**
 * @param {ReportActs} on
 * @param {string} room
 * @param {string} messageId
 * @param {string} senderId
 * @returns {import("./peoplelist.js").Act[]}
 */
function actsOn(on, room, messageId, senderId) {
  return [
    {
      name: "Go to the message",
      act: async () => {
        on.goTo(messageId);
        return "";
      },
    },
    {
      name: "Delete message",
      danger: true,
      act: async () => {
        const title = `Delete a message of ${isolated(on.labelOf(senderId))}?`;
        const text =
          "It is removed for everyone, and its reports are dismissed. That there was a message stays visible.";
        if (!(await confirmed(title, text, "Delete"))) return "";
        await on.deleteReported(room, messageId);
        return "The message is deleted.";
      },
    },
    { name: "Dismiss", act: () => on.dismiss(room, messageId).then(() => "Dismissed.") },
  ];
}
