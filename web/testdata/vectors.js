// Runs docs/vectors/recovery.json and begin.json, whose README says what their fields
// mean, against lib/recovery.js and lib/timeline.js. client/vectors_test.go runs the first
// of them, too.

import { includes, Receipts } from "../lib/receipts.js";
import { Recovery } from "../lib/recovery.js";
import { Timeline } from "../lib/timeline.js";
import { FIRST_ID, firstIdAt, LAST_ID, timeOf } from "../lib/ulid.js";
import { equal, test } from "./check.js";

const START = 1_700_000_000_000;
const PATIENCE = 1_000;

const idOf = (n) => (n === "first" ? FIRST_ID : n === "last" ? LAST_ID : firstIdAt(START + n * 1000));
const numberOf = (id) => (timeOf(id) - START) / 1000;
const labelOf = (id) => (id === FIRST_ID ? "first" : id === LAST_ID ? "last" : String(numberOf(id)));
const describe = ({ messageId, content, deletedAt }) =>
  `${labelOf(messageId)} ${deletedAt ? "deleted" : (content ?? "")}`;

/** A message of a vector as frames and history have it. */
const messageOf = ({ id, text, by = "bob", previous, edited, deleted }) => ({
  chatRoomId: "r",
  messageId: idOf(id),
  senderId: by,
  content: text,
  previousMessageId: typeof previous === "number" ? idOf(previous) : previous,
  editedAt: edited,
  deletedAt: deleted,
});

/** What each kind of step calls. */
const inputs = {
  message: (r, { message }) => r.message(messageOf(message)),
  edited: (r, { message }) => r.change(messageOf(message)),
  deleted: (r, { message }) => r.change(messageOf(message)),
  ack: (r, { id, message }) => (message ? r.message(messageOf(message)) : r.ack(idOf(id))),
  gap: (r) => r.leftOut(),
  reconnect: (r) => r.reconnected(),
  refresh: (r) => r.refresh(),
  fail: (r) => r.failed(),
  begin: (r, { last, known = [] }) => r.begin(last && idOf(last), known.map(idOf)),
  show: (r, { from }) => r.show(idOf(from)),
  newest: (r, { messages, more }) => r.newest(messages.map(messageOf), more),
  page: (r, { messages, more }) => r.rereadPage(messages.map(messageOf), more),
  sync: (r, { after, messages, more }) => r.synced(idOf(after), messages.map(messageOf), more),
  time: () => {},
};

function asked(recovery, now) {
  if (!recovery.due) return ["nothing"];
  const { newest, page, sync } = recovery.ask(now);
  return [newest && "newest", page && `page ${labelOf(page)}`, sync && `sync ${labelOf(sync)}`].filter(Boolean);
}

/** Does with an effect what the page does. */
function apply(timeline, { type, message, late, backlog }) {
  if (type === "deliver") timeline.put({ ...message });
  else timeline.update(message);
  return `${type} ${describe(message)}${late ? " late" : ""}${backlog ? " backlog" : ""}`;
}

function run({ steps, final }, ordered) {
  const recovery = new Recovery({ ordered, patience: PATIENCE });
  const timeline = new Timeline("r", recovery);
  const receipts = new Receipts({
    clock: { now: () => START, random: () => 0, after: () => () => {} },
    tell: async () => {},
  });
  const read = {};
  let now = START;
  for (const [i, step] of steps.entries()) {
    if (step.at !== undefined) now = START + step.at;
    let got = [];
    if (step.in === "ask") {
      got = asked(recovery, now);
    } else if (step.in === "read") {
      const moved =
        step.user === "me"
          ? receipts.read("r", idOf(step.id), false)
          : receipts.moved("r", step.user, { upTo: idOf(step.id) });
      if (moved) read[step.user] = step.id;
    } else {
      const input = inputs[step.in];
      if (!input) throw new Error(`unknown input ${step.in}`);
      got = recovery.step(now, (r) => input(r, step)).map((effect) => apply(timeline, effect));
    }
    equal(got, step.out ?? [], `step ${i}, ${step.in}:`);
  }
  const { unread, read: wantRead, ...want } = final;
  const { phase, position, confirmed } = recovery;
  equal(
    { messages: timeline.messages.map(describe), phase, position: numberOf(position), confirmed: numberOf(confirmed) },
    want,
    "at the end",
  );
  if (unread !== undefined) equal(timeline.countAfter(receipts.own("r"), "me", 100).unread, unread, "unread");
  if (wantRead) equal(read, wantRead, "read");
}

/** @param {any[]} vectors */
export function addVectors(vectors) {
  for (const vector of vectors) {
    for (const ordered of [true, false]) {
      if ((vector.ordered ?? ordered) === ordered)
        test(`${vector.name}, ordered=${ordered}`, () => run(vector, ordered));
    }
  }
}

/**
 * docs/vectors/reads.json
 * @param {any[]} vectors
 */
export function addReads(vectors) {
  for (const { name, read, has, lacks } of vectors) {
    test(name, () => {
      const ids = [...has, ...lacks].sort();
      equal(
        ids.filter((id) => includes(read, id)),
        has.toSorted(),
      );
    });
  }
}
