// Which messages stand together.

import { beginsWith } from "../app/ui/grouping.js";
import { equal, test } from "./check.js";

/**
 * What begins with each of some messages: a day, a group, or "+" for neither.
 * @param {[sender: string, at: Date][]} written in their order
 * @param {number} [fresh] which one is the first that is new to the reader
 */
function begun(written, fresh = -1) {
  const messages = written.map(([senderId, at]) => ({ senderId, timestamp: at.getTime() }));
  return messages
    .map((message, i) => beginsWith(message, messages[i - 1], i === fresh))
    .map(({ newDay, first }) => (newDay ? (first ? "day" : "day alone") : first ? "group" : "+"))
    .join(" ");
}

/**
 * A time of 28 November 2026, where the reader is.
 * @param {number} hours
 * @param {number} [minutes]
 * @param {number} [ms]
 */
const at = (hours, minutes = 0, ms = 0) => new Date(2026, 10, 28, hours, minutes, 0, ms);

test("messages of one sender stand together, until someone else writes", () => {
  equal(
    begun([
      ["bob", at(9)],
      ["bob", at(9, 1)],
      ["alice", at(9, 1)],
      ["alice", at(9, 2)],
      ["bob", at(9, 2)],
    ]),
    "day + group + group",
  );
});

test("a pause of more than five minutes ends a group, however long the group is", () => {
  const steps = Array.from({ length: 5 }, (_, i) => /** @type {[string, Date]} */ (["bob", at(9, 5 * i)]));
  equal(begun(steps), "day + + + +");
  equal(begun([...steps, ["bob", at(9, 25, 1)]]), "day + + + + group");
});

test("a day ends a group, and so does the line above what is new", () => {
  equal(
    begun([
      ["bob", at(23, 59)],
      ["bob", at(24, 0)],
      ["bob", at(24, 1)],
    ]),
    "day day +",
  );
  const three = /** @type {[string, Date][]} */ ([0, 1, 2].map((minute) => ["bob", at(9, minute)]));
  equal(begun(three, 1), "day group +");
});

test("a message that is stamped before the one above it stays in its group", () => {
  equal(
    begun([
      ["bob", at(9, 3)],
      ["bob", at(9, 1)],
    ]),
    "day +",
  );
});
