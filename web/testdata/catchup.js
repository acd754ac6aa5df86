// Tests of how the library catches up, and of the requests that it makes for that.

import { Failure } from "../lib/streamroom.js";
import { timeOf } from "../lib/ulid.js";
import { equal, test } from "./check.js";
import { Answer, FakeSocket, idAt, live, room, START, settle, stored, World } from "./fakes.js";

const MINUTE = 60_000;

test("the first pong syncs what is open, 60 s back, and reads what is shown again; a room never read uses history", async () => {
  const w = new World();
  await w.open("r", stored(100, "a"));
  w.answers["POST /sync"] = { rooms: { r: { messages: [stored(100, "a"), stored(101, "b")], more: false } } };
  await w.connect();
  equal(
    w.asked("POST /sync").map(([, , body]) => body),
    [{ rooms: { r: idAt(40) } }],
  );
  equal([w.contents("r"), w.events], ["a b", ["b"]]);
  equal(
    w.asked("GET /rooms/r/messages").map(([, path]) => path),
    ["/rooms/r/messages?limit=50", "/rooms/r/messages?limit=100"],
  );
  await w.chat.open("r");
  equal(w.asked("GET /rooms/r/messages").length, 2);
});

test("a pong that tells of something new syncs, and so does every reconnection", async () => {
  const w = new World();
  await w.open("r", stored(1, "a"));
  await w.connect();
  const pong = { type: "pong", userId: "alice" };
  FakeSocket.last.receive(live(2, "b", 1));
  for (const [changedAt, syncs] of [
    [undefined, 1],
    [START + 2_000, 1], // the message that came
    [START + 9_000, 2], // one that was missed
    [START + 9_000, 3], // half an hour after a message its room is synced once
    [START + 9_000, 3],
  ]) {
    await w.clock.advance(8.75 * MINUTE);
    FakeSocket.last.receive({ ...pong, changedAt });
    await settle();
    equal(w.asked("POST /sync").length, syncs, `syncs after a pong with ${changedAt}:`);
  }
  FakeSocket.last.lose();
  await w.clock.advance(1000);
  await w.up();
  equal(w.asked("POST /sync").length, 4);
});

test("a hole is synced after a second, one that closes is not", async () => {
  const w = new World();
  await w.open("r", stored(1, "a"));
  await w.connect();
  w.requests.length = 0;
  FakeSocket.last.receive(live(3, "c", 2));
  await w.clock.advance(900);
  FakeSocket.last.receive(live(2, "b", 1));
  await w.clock.advance(5000);
  equal(w.asked("POST /sync").length, 0);
  FakeSocket.last.receive(live(5, "e", 4));
  w.answers["POST /sync"] = {
    rooms: { r: { messages: [stored(3, "c"), stored(4, "d"), stored(5, "e")], more: false } },
  };
  await w.clock.advance(1000);
  equal([w.asked("POST /sync").length, w.contents("r")], [1, "a b c d e"]);
});

test("a sync that fails is tried again", async () => {
  const w = new World();
  await w.open("r", stored(1, "a"));
  const { "POST /sync": works } = w.answers;
  w.answers["POST /sync"] = () => new Answer(503);
  await w.connect();
  await w.clock.advance(3000);
  w.answers["POST /sync"] = works;
  w.requests.length = 0;
  await w.clock.advance(60_000);
  equal(w.asked("POST /sync").length, 1);
});

for (const [name, slept, syncs] of [
  ["a connection that outlives a sleep syncs the rooms in which something came", 600_000, 1],
  ["timers that come late in the background lead to no sync", 60_000, 0],
]) {
  test(name, async () => {
    const w = new World();
    await w.open("r", stored(1, "a"));
    await w.connect();
    w.answers["POST /sync"] = { rooms: { r: { messages: [], more: false } } };
    FakeSocket.last.receive(live(2, "b", 1));
    await w.clock.advance(10_000);
    const before = w.asked("POST /sync").length;
    w.clock.set(w.clock.now() + slept);
    await w.clock.advance(1_000);
    FakeSocket.last.receive({ type: "pong", userId: "alice" });
    await settle();
    equal([w.asked("POST /sync").length - before, FakeSocket.all.length], [syncs, 1], "syncs, sockets");
    w.chat.stop();
  });
}

test("gap syncs an open room, and refreshes the list for another", async () => {
  const w = new World();
  await w.open("r", stored(1, "a"));
  await w.connect();
  w.requests.length = 0;
  FakeSocket.last.receive({ type: "gap", chatRoomId: "r" }, { type: "gap", chatRoomId: "other" });
  await w.clock.advance(2000);
  equal(
    [w.asked("POST /sync").length, w.asked("GET /rooms?").length, w.asked("GET /rooms/r/messages").length],
    [1, 1, 1],
  );
});

test("a sync goes on where there is more; a room that is far behind is read again from its newest page", async () => {
  const w = new World();
  await w.open("r", stored(1, "a"));
  let syncs = 0;
  w.answers["POST /sync"] = ({ rooms }) => {
    const next = (timeOf(rooms.r) - START) / 1000 + 1;
    syncs++;
    return { rooms: { r: { messages: [stored(Math.max(next, 2), `s${syncs}`)], more: syncs !== 3 } } };
  };
  await w.connect();
  equal([syncs, w.contents("r")], [3, "a s1 s2 s3"]);
  w.answers["GET /rooms/r/messages"] = { messages: [stored(1001, "z"), stored(1000, "y")], cursor: "older" };
  FakeSocket.last.receive({ type: "pong", userId: "alice", changedAt: START + 9_000 });
  await settle();
  equal([syncs, w.contents("r"), w.chat.timeline("r").hasOlder], [23, "y z", true]);
});

test("a room that a sync leaves out is left", async () => {
  const w = new World();
  w.answers["GET /rooms"] = { rooms: [room("r")] };
  await w.open("r", stored(1, "a"));
  const left = [];
  w.chat.on("member", (change) => left.push(change.joined));
  w.answers["POST /sync"] = { rooms: {} };
  await w.connect();
  equal([left, w.chat.timeline("r").loaded], [[false], false]);
});

test("more than 100 rooms are synced in several requests", async () => {
  const w = new World();
  for (let i = 0; i < 101; i++) await w.open(`r${i}`);
  await w.connect();
  await settle();
  equal(
    w.asked("POST /sync").map(([, , body]) => Object.keys(body.rooms).length),
    [100, 1],
  );
});

test("one who is added to a room sees it, one who is removed doesn't", async () => {
  const w = new World();
  await w.connect();
  w.answers["GET /rooms/n"] = { chatRoomId: "n", name: "New", type: "group", memberCount: 2 };
  FakeSocket.last.receive({ type: "memberJoined", chatRoomId: "n", userId: "alice" });
  await settle();
  equal(
    w.chat.rooms.list().map((r) => r.name),
    ["New"],
  );
  FakeSocket.last.receive(
    { type: "memberJoined", chatRoomId: "n", userId: "bob" },
    { type: "memberLeft", chatRoomId: "n", userId: "alice" },
  );
  equal(w.chat.rooms.list(), []);
});

test("a message of an unknown room brings the room; one that comes twice is told once", async () => {
  const w = new World();
  await w.connect();
  w.answers["GET /rooms/r"] = { chatRoomId: "r", name: "R", type: "group", memberCount: 2 };
  FakeSocket.last.receive(live(1, "a", null), { type: "batch", frames: [live(1, "a", null), live(2, "b", 1)] });
  await settle();
  equal([w.chat.rooms.list().length, w.events], [1, ["a", "b"]]);
});

test("a request that is refused for its token is made again with another", async () => {
  const w = new World();
  let refused = 0;
  w.answers["GET /rooms"] = () => (refused++ === 0 ? new Answer(401) : { rooms: [room("a")] });
  await w.chat.refreshRooms();
  equal([w.tokens, w.chat.rooms.list().length], [2, 1]);
});

test("a token that could not be fetched fails as the network does", async () => {
  const w = new World();
  const { token } = w;
  for (const [thrown, code] of [
    [new TypeError("fetch failed"), "network"],
    [new DOMException("The operation timed out", "TimeoutError"), "timeout"],
    [new Failure("unauthorized", "Sign in again."), "unauthorized"],
  ]) {
    w.token = () => {
      throw thrown;
    };
    const failure = await w.chat.displayName().catch((err) => err);
    equal([failure instanceof Failure, failure.code], [true, code]);
  }
  w.token = token;
  w.answers["GET /me"] = { userId: "alice", displayName: "Alice" };
  equal(await w.chat.displayName(), "Alice");
});

test("a problem becomes a failure with its code", async () => {
  const w = new World();
  w.answers["POST /rooms"] = () =>
    new Answer(403, { title: "Forbidden", status: 403, detail: "no", code: "forbidden" });
  const failure = await w.chat.createRoom("x", []).catch((err) => err);
  equal([failure instanceof Failure, failure.code, failure.message, failure.status], [true, "forbidden", "no", 403]);
});

test("a member is removed by name, also by one that can't be in a path", async () => {
  const w = new World();
  w.answers["DELETE /rooms/r/members/bob%40home"] = w.answers["DELETE /rooms/r/members"] = new Answer(204);
  for (const user of ["bob@home", "bob/home?", "..", "100%"]) await w.chat.removeMember("r", user);
  equal(
    w.requests.map(([, path]) => path),
    [
      "/rooms/r/members/bob%40home",
      "/rooms/r/members?userId=bob%2Fhome%3F",
      "/rooms/r/members?userId=..",
      "/rooms/r/members?userId=100%25",
    ],
  );
});
