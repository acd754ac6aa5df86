// Tests of what happens elsewhere: on the user's other devices, while this one was
// away, or behind what it has read. At the end it shows what the server has.

import { equal, test } from "./check.js";
import { Answer, FakeSocket, idAt, live, START, settle, stored, World } from "./fakes.js";

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

/** An id of a moment, other than idAt's. */
const otherAt = (seconds, end) => idAt(seconds).slice(0, -end.length) + end;

test("a message that was stored behind a reader's cursor is not read by them until they have read again", async () => {
  const w = await worldOf(room({ lastMessage: last(3) }));
  const [second, third] = [otherAt(2, "B"), otherAt(3, "C")];
  await w.open("r", stored(1, "a"), stored(3, "c", { messageId: third }));
  const read = { type: "read", chatRoomId: "r", userId: "carol", upTo: third, since: idAt(0), known: "00000000000C" };
  const readers = () => w.chat.timeline("r").messages.map((m) => w.chat.readersOf(m).join());
  const events = [];
  w.chat.on("read", ({ userId }) => events.push(userId));
  receive(read);
  receive(live(2, "late", 1, { messageId: second }));
  equal(readers(), ["carol", "", "carol"]);
  receive({ ...read, known: "00000000000C00000B" }, read);
  equal(
    [readers(), events],
    [
      ["carol", "carol", "carol"],
      ["carol", "carol"],
    ],
  );
});

test("what the server counts as unread behind a cursor of another device is asked for, whichever comes first", async () => {
  for (const isOpen of [true, false]) {
    const w = await worldOf(room({ unread: 0, lastMessage: last(1), readUpTo: idAt(1) }));
    const [second, third] = [otherAt(2, "B"), otherAt(3, "C")];
    if (isOpen) await w.open("r", stored(1, "a"));
    receive(live(2, "late", 1, { messageId: second }), live(3, "c", 2, { messageId: third }));
    equal(unread(w), 2);
    const own = { type: "read", chatRoomId: "r", userId: "alice", upTo: third, since: idAt(1), known: "00000C" };
    w.answers["GET /rooms"] = { rooms: [room({ unread: 1, lastMessage: last(3), readUpTo: third })] };
    receive(own);
    await w.clock.advance(20_000);
    equal(unread(w), 1, `open: ${isOpen}, unread`);
    w.answers["GET /rooms"] = { rooms: [room({ unread: 0, lastMessage: last(3), readUpTo: third })] };
    receive({ ...own, known: "00000C00000B" }); // and it reads again
    await w.clock.advance(20_000);
    equal(unread(w), 0, `open: ${isOpen}, read again:`);
  }
});

test("what the server counts behind the own cursor stays when the room is opened, until it is read again", async () => {
  const w = await worldOf(room({ unread: 1, lastMessage: last(3), readUpTo: idAt(3) }));
  await w.open("r", stored(1, "a"), stored(2, "late"), stored(3, "c"));
  equal(unread(w), 1);
  receive(live(4, "d", 3));
  equal(unread(w), 2);
  await w.clock.advance(20_000);
  w.requests.length = 0;
  w.chat.markRead("r", idAt(4));
  equal(unread(w), 0);
  w.answers["GET /rooms"] = { rooms: [room({ unread: 1, lastMessage: last(4), readUpTo: idAt(4) })] };
  await w.chat.refreshRooms(); // it was counted before the server took the cursor
  await w.clock.advance(1_000);
  w.answers["GET /rooms"] = { rooms: [room({ unread: 0, lastMessage: last(4), readUpTo: idAt(4) })] };
  await w.clock.advance(20_000);
  equal(unread(w), 0);
});

test("a room that isn't opened: what is behind its cursor is read again, and once", async () => {
  const w = await worldOf(room({ unread: 1, lastMessage: last(3), readUpTo: idAt(3) }));
  for (let i = 0; i < 2; i++) w.chat.markRead("r", idAt(3));
  await w.clock.advance(5_000);
  equal([unread(w), w.asked("POST /rooms/r/read").length], [0, 1]);
});

test("a message that comes behind the last one of a room that isn't opened is told, once, and counted by the server", async () => {
  const w = await worldOf(room({ unread: 1, lastMessage: last(3), readUpTo: idAt(1) }));
  receive(live(2, "late", 1), live(2, "late", 1));
  equal([w.events, unread(w)], [["late"], 1]);
  w.answers["GET /rooms"] = { rooms: [room({ unread: 2, lastMessage: last(3), readUpTo: idAt(1) })] };
  await w.clock.advance(20_000);
  equal(unread(w), 2);
  receive(live(2, "late", 1), live(4, "d", 3));
  equal([w.events, unread(w)], [["late", "d"], 3]);
});

test("a message that the list tells before its frame is told, and counted once", async () => {
  const w = await worldOf(room({ lastMessage: last(1) }));
  await reconnect(w, room({ unread: 1, lastMessage: last(2) }));
  receive(live(2, "b", 1));
  equal([w.events, unread(w)], [["b"], 1]);
  await w.clock.advance(20_000);
  equal(unread(w), 1);
});

test("a list that counts more than came is asked for once more", async () => {
  const w = await worldOf(room({ unread: 0, lastMessage: last(1) }));
  await w.clock.advance(20_000);
  w.answers["GET /rooms"] = () => {
    receive({ ...live(2, "mine", 1), senderId: "alice" });
    return { rooms: [room({ unread: 1, lastMessage: last(1) })] };
  };
  await w.chat.refreshRooms();
  equal(unread(w), 0);
  w.answers["GET /rooms"] = { rooms: [room({ unread: 1, lastMessage: last(2) })] };
  await w.clock.advance(20_000);
  equal(unread(w), 1);
});

test("a list that was read while the server took the cursor is asked for once more", async () => {
  for (const when of ["before", "while"]) {
    const w = await worldOf(room({ unread: 2, lastMessage: last(2), readUpTo: idAt(1) }));
    await w.clock.advance(20_000);
    const answer = new Answer(200, {});
    answer.json = async () => {
      await w.clock.advance(2_000); // the server takes the cursor in the meantime
      return { rooms: [room({ unread: 1, lastMessage: last(2), readUpTo: idAt(1) })] };
    };
    w.answers["GET /rooms"] = () => {
      if (when === "while") w.chat.markRead("r", idAt(2));
      return answer;
    };
    w.chat.markRead("r", idAt(1.5)); // the next cursor is told a second later
    if (when === "before") w.chat.markRead("r", idAt(2));
    await w.chat.refreshRooms();
    equal(unread(w), 0, `read ${when} the list was asked for:`);
    w.answers["GET /rooms"] = { rooms: [room({ unread: 1, lastMessage: last(2), readUpTo: idAt(2) })] };
    await w.clock.advance(20_000);
    equal(unread(w), 1, `read ${when} the list was asked for, in the end:`);
  }
});

test("what a list counts behind the own cursor stays, until it is deleted", async () => {
  for (const isOpen of [true, false]) {
    const w = await worldOf(room({ lastMessage: last(3), readUpTo: idAt(3) }));
    if (isOpen) await w.open("r", stored(1, "a"), stored(2, "late"), stored(3, "c"));
    w.answers["GET /rooms"] = { rooms: [room({ unread: 1, lastMessage: last(3), readUpTo: idAt(3) })] };
    await w.chat.refreshRooms();
    receive(live(4, "d", 3));
    equal(unread(w), 2, `open: ${isOpen}, unread`);
    w.answers["GET /rooms"] = { rooms: [room({ unread: 2, lastMessage: last(4), readUpTo: idAt(3) })] };
    await w.clock.advance(30_000);
    w.answers["GET /rooms"] = { rooms: [room({ unread: 1, lastMessage: last(4), readUpTo: idAt(3) })] };
    receive({ type: "messageDeleted", chatRoomId: "r", messageId: idAt(2), deletedAt: START, deletedBy: "mara" });
    await w.clock.advance(30_000);
    equal(unread(w), 1, `open: ${isOpen}, after the deletion`);
    if (isOpen) equal(w.chat.timeline("r").messages[1].deletedBy, "mara", "who moderates the room and deleted it:");
  }
});

test("history's readers of a message that comes after it are kept", async () => {
  const w = await worldOf(room({ lastMessage: last(1) }));
  const [first, second] = [stored(1, "a", { readBy: ["bob"] }), stored(2, "b", { readBy: ["bob", "carol"] })];
  await w.open("r", first);
  FakeSocket.last.lose();
  w.answers["POST /sync"] = { rooms: { r: { messages: [stored(1, "a")], more: false } } };
  w.answers["GET /rooms/r/messages"] = { messages: [second, first] };
  await w.clock.advance(1_000);
  await w.up();
  receive(live(2, "b", 1));
  equal(w.chat.readersOf(w.chat.timeline("r").messages[1]), ["carol"]);
});

test("what is shown is read again once no sync has more, so that it has the readers of all", async () => {
  const w = await worldOf(room({ lastMessage: last(1) }));
  const messages = [1, 2, 3].map((i) => stored(i, String(i), { readBy: ["bob", "carol"] }));
  await w.open("r", messages[0]);
  FakeSocket.last.lose();
  w.answers["POST /sync"] = () => {
    const first = w.asked("POST /sync").length === 1;
    return { rooms: { r: { messages: [stored(first ? 2 : 3, "x")], more: first } } };
  };
  w.answers["GET /rooms/r/messages"] = { messages: messages.toReversed() };
  await w.clock.advance(1_000);
  w.requests.length = 0;
  await w.up();
  await settle();
  equal(
    w.requests.map(([, path]) => path).filter((path) => /sync|messages/.test(path)),
    ["/sync", "/sync", "/rooms/r/messages?limit=100"],
  );
  equal(
    w.chat.timeline("r").messages.map((m) => w.chat.readersOf(m).join()),
    ["carol", "carol", "carol"],
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
