// Tests of messages that are marked as unread.

import { equal, test } from "./check.js";
import { FakeSocket, FakeStorage, idAt, live, stored, World } from "./fakes.js";

const rooms = (readUpTo, unread = 0) => ({
  rooms: [{ chatRoomId: "r", name: "R", type: "group", lastMessageAt: 1, readUpTo, unread }],
});

/** A client that has read the first three of a room's messages. */
async function reader(storage) {
  const w = new World({ storage, userId: "alice" });
  w.answers["GET /rooms"] = rooms(idAt(4));
  w.answers["POST /rooms/r/read"] = {};
  await w.connect();
  return w;
}

const messages = [
  stored(1, "1"),
  stored(2, "2", { mentions: ["alice"] }),
  stored(3, "3", { senderId: "alice" }),
  stored(4, "4"),
];
const count = (w) => [w.chat.rooms.get("r").unread, w.chat.rooms.list()[0].mentions ?? 0, w.chat.unreadFrom("r")];

test("a marked message and what follows it count as unread, over a reload, and beside new ones", async () => {
  const storage = new FakeStorage();
  const before = await reader(storage);
  await before.open("r", ...messages);
  equal(count(before), [0, 0, ""]);
  const marked = [];
  before.chat.on("marked", (room) => marked.push(room));
  before.chat.markUnread(before.chat.timeline("r").messages[1]);
  equal([count(before), marked], [[2, 1, idAt(2)], ["r"]]);
  FakeSocket.last.receive({ type: "messageDeleted", ...stored(4), deletedAt: 1_800_000_000_000 });
  equal(count(before), [1, 1, idAt(2)]);
  FakeSocket.last.receive(live(5, "5", 4));
  equal(count(before), [2, 1, idAt(2)]);

  // Where the messages aren't held, what was counted holds.
  const w = await reader(storage);
  equal(count(w), [2, 1, idAt(2)]);
  FakeSocket.last.receive(live(5, "5", 4));
  equal(count(w), [3, 1, idAt(2)]);
});

test("a mark ends when the user reads the room again, here or on another device", async () => {
  const storage = new FakeStorage();
  const w = await reader(storage);
  await w.open("r", ...messages);
  const [, second] = w.chat.timeline("r").messages;
  w.chat.markUnread(second);
  w.chat.markRead("r", idAt(1)); // not that far
  equal(count(w), [2, 1, idAt(2)]);
  w.chat.markRead("r", idAt(4)); // the cursor stays, and is told to no one
  equal([count(w), w.asked("POST /rooms/r/read").length, storage.length], [[0, 0, ""], 0, 0]);

  w.chat.markUnread(second);
  FakeSocket.last.receive(live(5, "5", 4));
  equal(count(w), [3, 1, idAt(2)]);
  FakeSocket.last.receive({ type: "read", chatRoomId: "r", userId: "alice", upTo: idAt(5) });
  equal([count(w), storage.length], [[0, 0, ""], 0]);

  w.chat.markUnread(second);
  FakeSocket.last.receive({ type: "memberLeft", chatRoomId: "r", userId: "alice" });
  equal([w.chat.unreadFrom("r"), storage.length], ["", 0]);
});

test("what is unread anyway is counted once", async () => {
  const w = new World({ storage: new FakeStorage(), userId: "alice" });
  w.answers["GET /rooms"] = rooms(idAt(1), 2);
  await w.connect();
  await w.open("r", ...messages);
  w.chat.markUnread(w.chat.timeline("r").messages[3]);
  equal(count(w), [2, 1, idAt(4)]);
});
