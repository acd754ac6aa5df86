// Tests of what happens elsewhere: on the user's other devices, while this one was
// away, or behind what it has read. At the end it shows what the server has.

import { equal, test } from "./check.js";
import { Answer, FakeSocket, idAt, live, START, stored, World } from "./fakes.js";

const room = (more = {}) => ({ chatRoomId: "r", name: "r", type: "group", lastMessageAt: START, unread: 0, ...more });
const last = (seconds, more = {}) => ({
  messageId: idAt(seconds),
  senderId: "bob",
  preview: "…",
  timestamp: START + seconds * 1000,
  ...more,
});
const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** A client with one room. */
async function worldOf(of) {
  const w = new World();
  w.answers["POST /profiles"] = { profiles: {} };
  w.answers["POST /rooms/r/read"] = new Answer(204);
  w.answers["GET /rooms"] = { rooms: [of] };
  await w.connect();
  return w;
}

/** The connection is lost, and comes back to this. */
async function reconnect(w, of, messages = []) {
  FakeSocket.last.lose();
  w.answers["GET /rooms"] = { rooms: [of] };
  w.answers["POST /sync"] = { rooms: { r: { messages, more: false } } };
  w.answers["GET /rooms/r/messages"] = { messages: messages.toReversed() };
  await w.clock.advance(1_000);
  await w.up();
}
const unread = (w) => w.chat.rooms.get("r")?.unread;

test("another device read three and three more came: there are three, though as many as before", async () => {
  const w = await worldOf(room({ unread: 3, lastMessage: last(4), readUpTo: idAt(1) }));
  await w.open("r", ...numbers(1, 4).map((i) => stored(i, String(i))));
  const read = [];
  w.chat.on("read", ({ upTo }) => read.push(upTo));
  equal([unread(w), w.chat.readUpTo("r")], [3, idAt(1)]);
  const now = room({ unread: 3, lastMessage: last(7), readUpTo: idAt(4) });
  await reconnect(
    w,
    now,
    numbers(1, 7).map((i) => stored(i, String(i))),
  );
  equal([unread(w), w.chat.readUpTo("r"), read], [3, idAt(4), [idAt(4)]]);
});

test("a cursor that moved here while the list was read beats the list", async () => {
  const w = await worldOf(room({ unread: 3, lastMessage: last(4), readUpTo: idAt(1) }));
  await w.open("r", ...numbers(1, 4).map((i) => stored(i, String(i))));
  const list = w.chat.refreshRooms();
  w.chat.markRead("r", idAt(4));
  await list;
  equal([unread(w), w.chat.readUpTo("r")], [0, idAt(4)]);
});

test("a message that comes behind the own cursor is the server's to count, and to be read once more", async () => {
  const w = await worldOf(room({ lastMessage: last(4), readUpTo: idAt(4) }));
  await w.open("r", ...[1, 3, 4].map((i) => stored(i, String(i))));
  receive(live(2, "late", 1));
  equal(unread(w), 0);
  w.answers["GET /rooms"] = { rooms: [room({ unread: 1, lastMessage: last(4), readUpTo: idAt(4) })] };
  await w.clock.advance(15_000);
  equal(unread(w), 1);
  receive(live(5, "e", 4));
  equal(unread(w), 2);
  w.answers["GET /rooms"] = { rooms: [room({ lastMessage: last(5), readUpTo: idAt(5) })] };
  w.chat.markRead("r", idAt(5));
  equal(unread(w), 0);
  receive(live(2.5, "later", 2));
  w.chat.markRead("r", idAt(5));
  await w.clock.advance(5_000);
  equal(
    w.asked("POST /rooms/r/read").map(([, , { upTo }]) => upTo),
    [idAt(5), idAt(5)],
  );
});

test("an edit of the last message that was missed shows in the list, an older list doesn't undo a newer one", async () => {
  const w = await worldOf(room({ lastMessage: last(1, { preview: "a" }) }));
  receive({ ...live(1, "b", null), type: "messageEdited", editedAt: START + 1 });
  await reconnect(w, room({ lastMessage: last(1, { preview: "c", editedAt: START + 2 }) }));
  equal(w.chat.rooms.get("r").lastMessage.preview, "c");
  w.answers["GET /rooms"] = { rooms: [room({ lastMessage: last(1, { preview: "b", editedAt: START + 1 }) })] };
  await w.chat.refreshRooms();
  equal(w.chat.rooms.get("r").lastMessage.preview, "c");
});

test("after a reconnect the list is read once more: last messages follow within seconds", async () => {
  const w = await worldOf(room({ lastMessage: last(1) }));
  await reconnect(w, room({ unread: 1, lastMessage: last(1) }));
  w.answers["GET /rooms"] = { rooms: [room({ unread: 1, lastMessage: last(2), lastMessageAt: START + 2000 })] };
  await w.clock.advance(10_000);
  equal([unread(w), w.chat.rooms.get("r").lastMessage.messageId], [1, idAt(2)]);
});

test("a message that was in the list's count, and comes after the answer, is counted once in the end", async () => {
  const w = await worldOf(room({ unread: 1, lastMessage: last(1) }));
  receive(live(2, "in the count", 1));
  equal(unread(w), 2);
  w.answers["GET /rooms"] = { rooms: [room({ unread: 1, lastMessage: last(2) })] };
  await w.clock.advance(20_000);
  equal(unread(w), 1);
  const asked = w.asked("GET /rooms?").length;
  receive(live(3, "later", 2));
  await w.clock.advance(20_000);
  equal([unread(w), w.asked("GET /rooms?").length], [2, asked]);
});

test("who left takes their read marks with them, seen or not; who reads in between keeps them", async () => {
  const w = await worldOf(room({ lastMessage: last(1) }));
  const message = stored(1, "mine", { senderId: "alice", readBy: ["alice", "bob", "carol"] });
  await w.open("r", message);
  const readers = () => w.chat.readersOf(w.chat.timeline("r").messages[0]);
  receive({ type: "read", chatRoomId: "r", userId: "dave", upTo: idAt(1) });
  equal(readers(), ["bob", "carol", "dave"]);
  receive({ type: "memberLeft", chatRoomId: "r", userId: "bob" });
  equal(readers(), ["carol", "dave"]);
  let page;
  FakeSocket.last.lose();
  w.answers["GET /rooms/r/messages"] = () => {
    receive({ type: "read", chatRoomId: "r", userId: "frank", upTo: idAt(1) });
    return page;
  };
  page = { messages: [{ ...message, readBy: ["alice", "erin", "carol"] }] };
  await w.clock.advance(1_000);
  await w.up();
  equal(readers(), ["erin", "carol", "frank"]);
});

test("a room that is left while the list is read stays out", async () => {
  const w = await worldOf(room({ lastMessage: last(1) }));
  w.chat.userId = "alice";
  const list = w.chat.refreshRooms();
  receive({ type: "memberLeft", chatRoomId: "r", userId: "alice" });
  await list;
  equal(w.chat.rooms.list().length, 0);
});

test("deleting a message that isn't held shows in the list, with the time of its id", async () => {
  const w = await worldOf(room({ lastMessage: last(1) }));
  w.answers[`DELETE /rooms/r/messages/${idAt(2)}`] = new Answer(204);
  await w.chat.delete("r", idAt(2));
  const { messageId, timestamp, deletedAt } = w.chat.rooms.get("r").lastMessage;
  equal([messageId, timestamp, deletedAt > 0], [idAt(2), START + 2000, true]);
});

test("a clock that is set back by 3 h makes no count, message or room wait for hours", async () => {
  const w = await worldOf(room({ unread: 5, lastMessage: last(5) }));
  await w.open("r", stored(5, "e"));
  await w.clock.advance(20_000);
  receive(live(7, "g", 6));
  w.clock.shift(-3 * 3_600_000);
  await w.clock.advance(3_000);
  equal(w.asked("POST /sync").length, 1);
  receive({ type: "read", chatRoomId: "r", userId: "alice", upTo: idAt(4) });
  w.answers["GET /rooms"] = { rooms: [room({ unread: 2, lastMessage: last(7), readUpTo: idAt(4) })] };
  await w.clock.advance(15_000);
  equal(unread(w), 2);
});

function receive(...frames) {
  FakeSocket.last.receive(...frames);
}
