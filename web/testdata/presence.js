// Tests of who is online.

import { equal, test } from "./check.js";
import { FakeSocket, World } from "./fakes.js";

const told = (online, at, lastSeenAt) =>
  FakeSocket.last.receive({ type: "presence", userId: "bob", online, at, lastSeenAt });

test("who has gone is shown so after a while, and not if they are back", async () => {
  const w = new World();
  await w.connect();
  let changes = 0;
  w.chat.on("presence", () => changes++);
  equal(w.chat.presenceOf("bob"), undefined);
  told(true, 10);
  told(true, 10);
  equal([w.chat.presenceOf("bob").online, changes], [true, 1]);
  told(false, 12, 12);
  told(true, 11); // from before
  await w.clock.advance(14_000);
  equal(w.chat.presenceOf("bob").online, true, "for a moment");
  told(true, 13);
  await w.clock.advance(60_000);
  equal([w.chat.presenceOf("bob").online, changes], [true, 1], "who reconnects");
  told(false, 14, 14);
  await w.clock.advance(15_000);
  const { online, lastSeenAt } = w.chat.presenceOf("bob");
  equal([online, lastSeenAt, changes], [false, 14, 2], "who has gone");
});

test("lists and rooms say who is online, and what was missed is asked for", async () => {
  const w = new World();
  const dm = { chatRoomId: "d", type: "dm", lastMessageAt: 1, unread: 0, with: { userId: "bob", online: true } };
  w.answers["GET /rooms"] = { rooms: [dm] };
  w.answers["GET /rooms/r"] = {
    chatRoomId: "r",
    type: "group",
    memberCount: 2,
    role: "member",
    members: [{ userId: "carol", role: "member", joinedAt: 1, lastSeenAt: 5 }],
  };
  await w.connect();
  await w.chat.room("r");
  equal([w.chat.presenceOf("bob").online, w.chat.presenceOf("carol").lastSeenAt], [true, 5]);
  w.answers["GET /rooms"] = { rooms: [{ ...dm, with: { userId: "bob" } }] };
  FakeSocket.last.lose();
  await w.clock.advance(1_000);
  await w.up();
  await w.clock.advance(20_000);
  equal([w.chat.presenceOf("bob")?.online ?? false, w.chat.presenceOf("carol")], [false, undefined]);
});

test("a connection that another one follows says so", async () => {
  const w = new World();
  await w.connect();
  const first = FakeSocket.last;
  first.receive({ type: "error", code: "reconnect" });
  equal(first.status, 4000);
  await w.clock.advance(1_000);
  await w.up();
  const second = FakeSocket.last;
  w.chat.stop();
  equal(second.status, undefined);
});
