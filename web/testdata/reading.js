// Tests of what the library keeps beside messages: who has read what, unread
// counts, edits and deletions.

import { timeOf } from "../lib/ulid.js";
import { equal, test } from "./check.js";
import {
  Answer,
  FakeSocket,
  idAt,
  last,
  live,
  receive,
  room,
  START,
  settle,
  stored,
  unread,
  worldOf,
} from "./fakes.js";

// Reading

test("messages of others count as unread, one's own and those that come twice don't", async () => {
  const w = await worldOf(room("r", { unread: 2, lastMessage: last(2) }));
  receive(live(3, "c", 2), live(3, "c", 2), live(4, "mine", 3, { senderId: "alice" }), live(5, "e", 4));
  equal(unread(w), 4);
});

test("counting stops at 100", async () => {
  const w = await worldOf(room("r", { unread: 99, lastMessage: last(1) }));
  for (let i = 2; i < 6; i++) receive(live(i, "x", i - 1));
  equal(unread(w), 100);
});

test("in a list of over 100 rooms, one that moves between two pages while they are read stays, once", async () => {
  const w = await worldOf();
  let rooms = Array.from({ length: 150 }, (_, i) => room(`r${i}`, { lastMessageAt: START + 1000 - i }));
  const page = (from) => ({
    rooms: rooms.slice(from, from + 100),
    cursor: from + 100 < rooms.length ? "next" : undefined,
  });
  w.answers["GET /rooms"] = (_, query) => {
    if (query.has("cursor")) return page(100);
    const first = page(0);
    // Before the next page is read a message moves the room from there to the top.
    const moved = { ...rooms.find((r) => r.chatRoomId === "r140"), lastMessageAt: START + 2000, lastMessage: last(2) };
    rooms = [moved, ...rooms.filter((r) => r.chatRoomId !== "r140")];
    return first;
  };
  for (let i = 0; i < 2; i++) {
    await w.chat.refreshRooms();
    const listed = w.chat.rooms.list().map((r) => r.chatRoomId);
    equal([listed.length, listed[0], listed.at(-1)], [150, "r140", "r149"]);
  }
});

test("a list that is older than what arrived doesn't undo its count; a newer one decides", async () => {
  const w = await worldOf(room("r", { unread: 0, lastMessage: last(1) }));
  receive(live(2, "b", 1));
  await w.chat.refreshRooms();
  equal(unread(w), 1);
  w.answers["GET /rooms"] = { rooms: [room("r", { unread: 0, lastMessage: last(2) })] };
  await w.chat.refreshRooms();
  equal(unread(w), 0);
});

test("reading is told once a second, the newest only, and never backwards", async () => {
  const w = await worldOf(room("r", { unread: 3, lastMessage: last(3) }));
  await w.open("r", stored(1, "a"), stored(2, "b"), stored(3, "c"));
  for (const i of [1, 2, 3, 2]) w.chat.markRead("r", idAt(i));
  equal([unread(w), w.chat.readUpTo("r")], [0, idAt(3)]);
  await w.clock.advance(5_000);
  equal(
    w.asked("POST /rooms/r/read").map(([, , { upTo }]) => upTo),
    [idAt(1), idAt(3)],
  );
});

test("a list that doesn't know yet how far one has read marks nothing", async () => {
  const w = await worldOf(room("r", { unread: 2, lastMessage: last(2) }));
  w.chat.markRead("r", idAt(2));
  await w.chat.refreshRooms();
  equal(unread(w), 0);
});

test("a count that may be higher stays one until all is counted", async () => {
  const w = await worldOf(room("r", { unread: 12, unreadMore: true, lastMessage: last(2) }));
  const counted = () => [unread(w), w.chat.rooms.get("r")?.unreadMore];
  equal(counted(), [12, true]);
  receive({ ...stored(3, "c"), type: "message", previousMessageId: idAt(2) });
  equal(counted(), [13, true]);
  w.chat.markRead("r", idAt(3));
  equal(counted(), [0, false]);
});

test("what was read in part leaves the rest unread", async () => {
  const w = await worldOf(room("r", { unread: 3, lastMessage: last(3) }));
  await w.open("r", stored(1, "a"), stored(2, "b", { senderId: "alice" }), stored(3, "c"), stored(4, "d"));
  w.chat.markRead("r", idAt(1));
  equal(unread(w), 2);
  receive({ type: "messageDeleted", chatRoomId: "r", messageId: idAt(3), deletedAt: START });
  equal(unread(w), 1);
});

test("a cursor that couldn't be told is told later, one that is refused isn't", async () => {
  const w = await worldOf(room("r"));
  w.answers["POST /rooms/r/read"] = new Answer(503);
  w.chat.markRead("r", idAt(1));
  await w.clock.advance(3_000);
  w.answers["POST /rooms/r/read"] = new Answer(400, { code: "invalid_request", detail: "…" });
  w.requests.length = 0;
  await w.clock.advance(300_000);
  equal(w.asked("POST /rooms/r/read").length, 1);
});

test("what another device of one's own read is read here, and not told again", async () => {
  const w = await worldOf(room("r", { unread: 2, lastMessage: last(2) }));
  receive({ type: "read", chatRoomId: "r", userId: "alice", upTo: idAt(2) });
  await w.clock.advance(5_000);
  equal([unread(w), w.asked("POST /rooms/r/read").length], [0, 0]);
});

test("who joined later has not read what was there before", async () => {
  const w = await worldOf(room("r"));
  w.answers["GET /rooms/r"] = { ...room("r"), members: [{ userId: "carol", readFrom: idAt(1), readUpTo: idAt(2) }] };
  await w.open("r", stored(1, "a", { senderId: "alice" }), stored(2, "b", { senderId: "alice" }));
  receive({ type: "read", chatRoomId: "r", userId: "bob", from: idAt(1), upTo: idAt(2) });
  await w.chat.room("r");
  equal(
    w.chat.timeline("r").messages.map((m) => w.chat.readersOf(m).sort()),
    [[], ["bob", "carol"]],
  );
});

test("readers are those whose cursor has passed, and those whom history names", async () => {
  const w = await worldOf(room("r"));
  await w.open(
    "r",
    stored(1, "a", { senderId: "alice", readBy: ["alice", "dana"] }),
    stored(5, "e", { senderId: "alice" }),
  );
  const [first, second] = w.chat.timeline("r").messages;
  receive(
    { type: "read", chatRoomId: "r", userId: "bob", upTo: idAt(4) },
    { type: "read", chatRoomId: "r", userId: "bob", upTo: idAt(2) },
  );
  equal([w.chat.readersOf(first), w.chat.readersOf(second)], [["dana", "bob"], []]);
  w.answers["GET /rooms/r"] = {
    ...room("r"),
    memberCount: 2,
    members: [
      { userId: "carol", role: "member", joinedAt: 1, readUpTo: idAt(5) },
      { userId: "alice", role: "owner", joinedAt: 1, readUpTo: idAt(3) },
    ],
  };
  await w.chat.room("r");
  equal([w.chat.readersOf(second), w.chat.readUpTo("r")], [["carol"], idAt(3)]);
  receive({ type: "memberLeft", chatRoomId: "r", userId: "carol" });
  equal(w.chat.readersOf(second), []);
});

// Delivery, edits, deletions

test("an ack is the message itself, and a frame that corrects it tells what is missing", async () => {
  const w = await worldOf(room("r"));
  await w.open("r", stored(1, "first"));
  w.chat.send("r", "a");
  const [{ clientMessageId, echo }] = FakeSocket.last.actions("sendMessage");
  equal(echo, false);
  const ack = { type: "ack", chatRoomId: "r", messageId: idAt(3), timestamp: START, clientMessageId };
  receive({ ...ack, previousMessageId: idAt(1) });
  equal([w.contents("r"), w.chat.timeline("r").outgoing.length], ["first a", 0]);
  await w.clock.advance(5_000);
  equal(w.asked("POST /sync").length, 0, "syncs after the ack:");
  receive(live(3, "a", 2, { senderId: "alice", clientMessageId }));
  w.answers["POST /sync"] = () => ({ rooms: { r: { messages: [stored(2, "before"), stored(3, "a")], more: false } } });
  await w.clock.advance(5_000);
  equal(w.contents("r"), "first before a");
});

test("an edit changes the message and the list, an older one doesn't", async () => {
  const w = await worldOf(room("r", { lastMessage: last(1) }));
  await w.open("r", stored(1, "a"));
  receive(
    { ...live(1, "new", null), type: "messageEdited", editedAt: 9 },
    { ...live(1, "old", null), type: "messageEdited", editedAt: 8 },
  );
  equal([w.contents("r"), w.chat.rooms.get("r").lastMessage.preview], ["new", "new"]);
  w.answers[`PATCH /rooms/r/messages/${idAt(1)}`] = ({ content }) => stored(1, content, { editedAt: 10 });
  await w.chat.edit("r", idAt(1), "newest");
  equal([w.contents("r"), w.chat.rooms.get("r").lastMessage.preview], ["newest", "newest"]);
  await w.chat.refreshRooms(); // and the list may lag behind
  equal(w.chat.rooms.get("r").lastMessage.preview, "newest");
});

test("a list that lags behind the history that was read shows what history has", async () => {
  for (const [newest, preview, deletedAt] of [
    [stored(2, undefined, { deletedAt: START + 5 }), "", START + 5],
    [stored(2, "edited", { editedAt: START + 5 }), "edited", undefined],
    [stored(3, "newer"), "newer", undefined],
  ]) {
    const w = await worldOf();
    await w.open("r", stored(1, "a"), newest);
    w.answers["GET /rooms"] = { rooms: [room("r", { lastMessage: last(2) })] };
    await w.chat.refreshRooms();
    const { lastMessage } = w.chat.rooms.get("r");
    equal([lastMessage.messageId, lastMessage.preview, lastMessage.deletedAt], [newest.messageId, preview, deletedAt]);
  }
});

test("a deletion that comes before its message counts, too", async () => {
  const w = await worldOf(room("r"));
  await w.open("r", stored(1, "a"));
  receive({ type: "messageDeleted", chatRoomId: "r", messageId: idAt(2), deletedAt: START }, live(2, "secret", 1));
  equal(
    w.chat.timeline("r").messages.map((m) => [m.content, m.deletedAt]),
    [
      ["a", undefined],
      [undefined, START],
    ],
  );
});

test("what can't be edited stays as it was", async () => {
  const w = await worldOf(room("r"));
  await w.open("r", stored(1, "a"));
  w.answers[`PATCH /rooms/r/messages/${idAt(1)}`] = new Answer(403, { code: "forbidden", detail: "…" });
  const failure = await w.chat.edit("r", idAt(1), "b").catch((err) => err);
  equal([failure.code, w.contents("r")], ["forbidden", "a"]);
  const tooLong = await w.chat.edit("r", idAt(1), "x".repeat(16_385)).catch((err) => err);
  equal([tooLong.code, w.asked("PATCH").length], ["too_large", 1]);
});

// Changes while there was no connection

/** The connection is lost and comes back. */
async function reconnect(w) {
  FakeSocket.last.lose();
  await w.clock.advance(1_000);
  await w.up();
}

for (const when of ["reconnect", "gap"]) {
  test(`edits and deletions that were missed show after a ${when}, back to the oldest message shown`, async () => {
    const w = await worldOf(room("r", { lastMessage: last(900) }));
    await w.open("r", stored(2, "b"), stored(900, "z"));
    const pages = {
      "": { messages: [stored(900, "z", { editedAt: 9, content: "z2" })], cursor: "c" },
      [idAt(900)]: { messages: [stored(2, undefined, { deletedAt: 8 })] },
    };
    w.answers["GET /rooms/r/messages"] = (_, query) => pages[query.get("before") ?? ""];
    if (when === "gap") receive({ type: "gap", chatRoomId: "r" });
    else await reconnect(w);
    await settle();
    equal(
      w.chat.timeline("r").messages.map((m) => [m.content, m.deletedAt]),
      [
        [undefined, 8],
        ["z2", undefined],
      ],
    );
    equal(w.chat.rooms.get("r").lastMessage.preview, "z2");
  });
}

test("who has read what, while there was no connection, shows after a reconnect", async () => {
  const w = await worldOf(room("r"));
  await w.open("r", stored(1, "a", { senderId: "alice", readBy: ["alice"] }));
  w.answers["GET /rooms/r/messages"] = { messages: [stored(1, "a", { senderId: "alice", readBy: ["alice", "bob"] })] };
  await reconnect(w);
  equal(w.chat.readersOf(w.chat.timeline("r").messages[0]), ["bob"]);
});

test("what would take too many pages to read again is left to be read when it is wanted", async () => {
  const w = await worldOf(room("r"));
  await w.open("r", ...Array.from({ length: 20 }, (_, i) => stored(i + 1, String(i + 1))));
  w.answers["GET /rooms/r/messages"] = (_, query) => {
    const before = query.get("before") ? (timeOf(query.get("before")) - START) / 1000 : 21;
    return { messages: [stored(before - 1, String(before - 1))], cursor: `c${before - 1}` };
  };
  await reconnect(w);
  equal([w.contents("r"), w.chat.timeline("r").hasOlder], ["11 12 13 14 15 16 17 18 19 20", true]);
});

// Counts of rooms that aren't open

/** What the server's list says, once it is asked again. */
async function listSays(w, count, seconds = 0) {
  w.answers["GET /rooms"] = { rooms: [room("r", { unread: count, ...(seconds && { lastMessage: last(seconds) }) })] };
  w.requests.length = 0;
  await w.clock.advance(30_000);
  return w.asked("GET /rooms?").length;
}

test("unread messages that are deleted aren't unread", async () => {
  const w = await worldOf(room("r", { lastMessage: last(1) }));
  receive(live(2, "b", 1), live(3, "c", 2));
  equal(unread(w), 2);
  for (const i of [2, 3]) receive({ ...live(i, undefined, null), type: "messageDeleted", deletedAt: START });
  equal([await listSays(w, 0, 3), unread(w)], [1, 0]);
});

test("what another device read in part is asked for", async () => {
  const w = await worldOf(room("r", { unread: 5, lastMessage: last(5) }));
  receive({ type: "read", chatRoomId: "r", userId: "alice", upTo: idAt(3) });
  equal([await listSays(w, 2, 5), unread(w)], [1, 2]);
});

test("messages that come newer first are counted, without a question", async () => {
  const w = await worldOf(room("r", { lastMessage: last(1) }));
  await w.clock.advance(20_000); // by then the list was read once more
  receive(live(3, "c", 2), live(2, "b", 1));
  equal([await listSays(w, 7, 3), unread(w)], [0, 2]);
});

test("a lost message is asked for once it is late", async () => {
  const w = await worldOf(room("r", { lastMessage: last(1) }));
  receive(live(2, "b", 1), live(4, "d", 3));
  equal(unread(w), 2);
  equal([await listSays(w, 3, 4), unread(w)], [1, 3]);
  receive(live(3, "c", 2), live(5, "e", 4)); // the list had the first
  equal(unread(w), 4);
});

test("a question that is answered by what arrived in between is asked again", async () => {
  const w = await worldOf(room("r", { lastMessage: last(1) }));
  receive(live(4, "d", 3));
  let asked = 0;
  w.answers["GET /rooms"] = () => {
    if (asked++ === 0) receive(live(5, "e", 4)); // the answer doesn't have it
    return { rooms: [room("r", { unread: asked === 1 ? 3 : 4, lastMessage: last(asked === 1 ? 4 : 5) })] };
  };
  await w.clock.advance(30_000);
  equal([asked, unread(w)], [2, 4]);
});

test("what another device read while this one was offline is not unread, though the room is open here", async () => {
  const w = await worldOf(room("r", { unread: 5, lastMessage: last(5) }));
  await w.open("r", ...[1, 2, 3, 4, 5].map((i) => stored(i, String(i))));
  w.chat.markRead("r", idAt(1));
  await w.clock.advance(5_000);
  equal(unread(w), 4);
  w.answers["GET /rooms"] = { rooms: [room("r", { unread: 0, lastMessage: last(5) })] };
  await reconnect(w);
  equal(unread(w), 0);
  receive(live(6, "f", 5));
  equal(unread(w), 1);
});

test("a cursor that the server doesn't know yet is newer than its list", async () => {
  const w = await worldOf(room("r", { unread: 5, lastMessage: last(5) }));
  await w.open("r", ...[1, 2, 3, 4, 5].map((i) => stored(i, String(i))));
  w.answers["POST /rooms/r/read"] = new Answer(503);
  w.chat.markRead("r", idAt(3));
  w.answers["GET /rooms"] = { rooms: [room("r", { unread: 5, lastMessage: last(5) })] };
  await reconnect(w);
  equal(unread(w), 2);
});

test("a room that becomes known by a message is asked for its count", async () => {
  const w = await worldOf();
  w.answers["GET /rooms/r"] = { ...room("r"), memberCount: 2 };
  receive(live(9, "i", 8));
  await settle();
  equal([await listSays(w, 3, 9), unread(w)], [1, 3]);
});

test("a room that is left is asked for no count", async () => {
  const w = await worldOf(room("r", { unread: 2, lastMessage: last(2) }));
  receive(
    { ...live(2, undefined, null), type: "messageDeleted", deletedAt: START },
    { type: "memberLeft", chatRoomId: "r", userId: "alice" },
  );
  w.answers["GET /rooms"] = { rooms: [] };
  w.requests.length = 0;
  await w.clock.advance(300_000);
  equal(w.asked("GET /rooms?").length, 1);
});
