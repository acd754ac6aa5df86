// Tests of a connection that is replaced while it works.

import { equal, test } from "./check.js";
import { FakeSocket, idAt, live, settle, World } from "./fakes.js";

const MINUTE = 60_000;
const pong = (connectionId, changedAt) => ({ type: "pong", connectionId, userId: "alice", changedAt });

/** Answers pings of the first socket until a second one is opened. */
async function untilReplaced(w, each = () => {}) {
  const first = FakeSocket.all[0];
  let answered = first.actions("ping").length;
  for (let i = 0; i < 4 * 120 && FakeSocket.all.length === 1; i++) {
    await w.clock.advance(MINUTE / 4);
    each(first);
    const pings = first.actions("ping").length;
    if (pings > answered) first.receive(pong("c="));
    answered = pings;
    await settle();
  }
  return FakeSocket.all;
}

/** A client with a room, of which the connection is about to be replaced. */
async function replacing() {
  const w = new World();
  await w.connect();
  await w.open("r", live(1, "a", null));
  const [first, second] = await untilReplaced(w);
  return { w, first, second, asked: w.requests.length };
}

const texts = (w) => w.chat.timeline("r").messages.map((m) => m.content);

test("a connection that works is replaced by another one that is there first, without a sync", async () => {
  const { w, first, second, asked } = await replacing();
  equal([w.chat.state.name, first.closed, new URL(second.url).searchParams.get("replaces")], ["online", false, "c="]);
  first.receive(live(2, "b", 1));
  second.open();
  first.receive(live(3, "c", 2));
  second.receive(live(3, "c", 2));
  second.receive(live(4, "d", 3));
  first.receive(pong("c="));
  first.receive(live(5, "e", 4));
  await settle();
  equal(texts(w), ["a", "b", "c", "d", "e"]);
  w.chat.send("r", "from here");
  equal([first.actions("sendMessage").length, second.actions("sendMessage").length], [0, 1]);
  const synced = w.requests.slice(asked).filter(([, path]) => path !== "/rooms/r"); // asked for, since no list has it
  equal([synced, w.chat.state.name, first.closed], [[], "online", false]);
  second.receive({
    type: "ack",
    chatRoomId: "r",
    messageId: idAt(6),
    clientMessageId: second.actions("sendMessage")[0].clientMessageId,
  });
  await w.clock.advance(29_000);
  equal(first.closed, false);
  await w.clock.advance(2_000);
  equal([first.closed, second.closed], [true, false]);
});

test("what the old connection still brings counts, but not that it ends", async () => {
  for (const end of [
    (s) => s.lose(),
    (s) => s.receive({ type: "error", code: "replaced" }),
    (s) => s.receive({ type: "error", code: "reconnect" }),
  ]) {
    const { w, first, second } = await replacing();
    second.open();
    first.receive(pong("c="));
    end(first);
    first.receive(live(2, "b", 1));
    await w.clock.advance(10_000);
    equal(
      [w.chat.state.name, first.closed, second.closed, FakeSocket.all.length, w.tokens],
      ["online", true, false, 2, 2],
    );
    equal(texts(w), ["a"]);
  }
});

test("the new connection is checked as any is, and names itself when it is replaced", async () => {
  const { w, first, second } = await replacing();
  second.open();
  first.receive(pong("c="));
  await w.clock.advance(8.75 * MINUTE + 1_000);
  equal(second.actions("ping").length, 1);
  second.receive(pong("d="));
  for (let i = 0; i < 4 * 120 && FakeSocket.all.length === 2; i++) {
    await w.clock.advance(MINUTE / 4);
    second.receive(pong("d="));
    await settle();
  }
  equal(new URL(FakeSocket.last.url).searchParams.get("replaces"), "d=");
  second.receive({ type: "error", code: "reconnect" });
  await w.clock.advance(1_000);
  const asked = w.requests.length;
  await w.up();
  equal([w.chat.state.name, w.requests.length > asked], ["online", true]);
});

test("a connection of which frames come all the time names itself, too, when it is replaced", async () => {
  const { w, first, second } = await replacing();
  second.open();
  first.receive(pong("c="));
  let answered = 0;
  for (let i = 0; i < 4 * 120 && FakeSocket.all.length === 2; i++) {
    await w.clock.advance(MINUTE / 4);
    second.receive(live(i + 2, "again", i + 1));
    const pings = second.actions("ping").length;
    if (pings > answered) second.receive(pong("d="));
    answered = pings;
    await settle();
  }
  equal([new URL(FakeSocket.last.url).searchParams.get("replaces"), answered], ["d=", 1]);
});

test("a pong to a check from before does not show that nothing was missed", async () => {
  const { w, first, second } = await replacing();
  w.chat.wake();
  second.open();
  first.receive(pong("c="));
  w.chat.send("r", "on the first");
  equal([first.actions("sendMessage").length, second.actions("sendMessage").length], [1, 0]);
  const { clientMessageId } = first.actions("sendMessage")[0];
  first.receive({ type: "ack", chatRoomId: "r", messageId: idAt(3), clientMessageId }, pong("c="));
  w.chat.send("r", "on the second");
  equal(second.actions("sendMessage").length, 1);
});

test("who is read of before the pong that follows a loss is not forgotten", async () => {
  const { w, first, second } = await replacing();
  const carol = { userId: "carol", role: "member", joinedAt: 1, lastSeenAt: 5 };
  w.answers["GET /rooms/r"] = { chatRoomId: "r", type: "group", memberCount: 2, role: "member", members: [carol] };
  second.open();
  first.lose();
  await w.chat.room("r");
  await w.clock.advance(10);
  second.receive(pong("d="));
  await w.clock.advance(20_000);
  equal(w.chat.presenceOf("carol")?.lastSeenAt, 5);
});

const deaths = {
  "no pong": (w) => w.clock.advance(10_000),
  "it closes": async (_, first) => first.lose(),
  "it is replaced": async (_, first) => first.receive({ type: "error", code: "replaced" }),
};
for (const [name, die] of Object.entries(deaths)) {
  test(`a connection that dies while it is replaced may have missed something: ${name}`, async () => {
    const { w, first, second, asked } = await replacing();
    second.open();
    await die(w, first);
    equal([w.chat.state.name, first.closed || name === "it closes", FakeSocket.all.length], ["online", true, 2]);
    second.receive(pong("d="));
    await settle();
    equal([w.requests.length > asked, second.closed, w.chat.state.name], [true, false, "online"]);
  });
}

const failures = {
  "the handshake is refused": async (_, second) => second.lose(),
  "the handshake is not answered": (w) => w.clock.advance(15_000),
};
for (const [name, fail] of Object.entries(failures)) {
  test(`a connection goes on when it can't be replaced, and that is tried again: ${name}`, async () => {
    const { w, first, second } = await replacing();
    await fail(w, second);
    first.receive(pong("c="), live(2, "b", 1));
    await settle();
    equal(
      [w.chat.state.name, first.closed, second.closed || name === "the handshake is refused"],
      ["online", false, true],
    );
    equal(texts(w), ["a", "b"]);
    await w.clock.advance(20_000);
    equal([FakeSocket.all.length, first.closed], [3, false]);
  });
}

test("a connection that seems dead is not replaced, but opened again, with a sync", async () => {
  const w = new World();
  await w.connect();
  let pings = 1;
  for (let minute = 0; minute < 118 && !FakeSocket.all[0].closed; minute += 0.25) {
    await w.clock.advance(MINUTE / 4);
    const now = FakeSocket.all[0].actions("ping").length;
    if (now > pings && minute < 95) FakeSocket.all[0].receive(pong("c="));
    pings = now;
  }
  equal([w.chat.state.name, FakeSocket.all.length, new URL(FakeSocket.last.url).search], ["connecting", 2, ""]);
  const asked = w.requests.length;
  await w.up();
  equal(w.requests.length > asked, true);
});

test("a busy connection, which needs no pings, is replaced before 2 hours", async () => {
  const w = new World();
  await w.connect();
  const [first] = await untilReplaced(w, (s) => s.receive({ type: "read", chatRoomId: "r", userId: "bob", upTo: "x" }));
  equal([FakeSocket.all.length, first.actions("ping").length, first.closed], [2, 1, false]);
});

test("when the client stops, both connections are closed, and nothing comes of either", async () => {
  for (const opened of [false, true]) {
    const { w, first, second } = await replacing();
    if (opened) second.open();
    w.chat.stop();
    first.receive(live(2, "b", 1));
    second.receive(live(3, "c", 2), pong("d="));
    await w.clock.advance(MINUTE);
    equal([first.closed, second.closed, FakeSocket.all.length, w.chat.state.name], [true, true, 2, "stopped"]);
    equal(texts(w), ["a"]);
  }
});

test("everything is asked for once a day, also where no connection is lost", async () => {
  const w = new World();
  await w.connect();
  await w.open("r", live(1, "a", null));
  const synced = w.asked("POST /sync").length;
  const after = async (hours) => {
    w.clock.shift(hours * 60 * MINUTE);
    await w.clock.advance(5_000); // the jump is found, and asked about
    FakeSocket.last.receive(pong("c="));
    await settle();
    return [w.asked("POST /sync").length - synced, FakeSocket.all.length, w.chat.state.name];
  };
  equal(await after(17), [0, 1, "online"]);
  equal(await after(14), [1, 1, "online"]);
  equal(await after(17), [1, 1, "online"]);
  w.chat.stop();
});
