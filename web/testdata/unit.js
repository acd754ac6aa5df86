// Tests of the client library, run in the browser that it is for: frames, order,
// the connection, sending.

import { newRecovery } from "../lib/catchup.js";
import { systemClock } from "../lib/clock.js";
import { MAX_CONTENT, unpack } from "../lib/frames.js";
import { RoomList } from "../lib/rooms.js";
import { Failure } from "../lib/streamroom.js";
import { Timeline } from "../lib/timeline.js";
import { FIRST_ID, firstIdAt, timeOf } from "../lib/ulid.js";
import { equal, test } from "./check.js";
import { FakeSocket, idAt, live, START, settle, stored, tokenUntil, World } from "./fakes.js";

const MINUTE = 60_000;

// Ids and frames

test("an id's time survives a round trip", () => {
  for (const ms of [0, 1, 31, 32, START, 2 ** 48 - 1]) equal(timeOf(firstIdAt(ms)), ms);
  equal(firstIdAt(-1), FIRST_ID);
  equal(timeOf("01ARZ3NDEKTSV4RRFFQ69G5FAV"), 1469922850259);
});

test("batches are unpacked, garbage is not a frame", () => {
  equal(
    unpack('{"type":"batch","frames":[{"type":"a"},{"type":"batch","frames":[{"type":"b"}]},7,null]}').map(
      (f) => f.type,
    ),
    ["a", "b"],
  );
  equal(unpack('{"message": "Internal server error", "connectionId":"X=", "requestId":"Y="}')[0].type, "gateway");
  for (const bad of ["", "{", "7", "null", "[]", "{}", '{"type":7}', '{"type":"batch"}', undefined, new Blob()])
    equal(unpack(bad), []);
});

// Timeline

const timelineOf = (...messages) => {
  const t = new Timeline("r", newRecovery(systemClock));
  for (const m of messages) t.put(m);
  return t;
};
const contents = (t) => t.messages.map((m) => m.content).join("");

test("messages are in the order of their ids, each once", () => {
  const t = timelineOf(stored(1, "a"));
  equal(
    [3, 2, 4, 3].map((s) => t.put(live(s, String(s), s - 1))),
    ["new", "new", "new", "known"],
  );
  equal(contents(t), "a234");
});

test("a timeline that begins later drops what is older", () => {
  const t = timelineOf(stored(1, "a"), stored(2, "b"), stored(8, "h"));
  t.beginAt(idAt(8), "cursor");
  equal([contents(t), t.get(idAt(1)), t.before, t.oldest], ["h", undefined, "cursor", idAt(8)]);
});

test("edits move forward only, a deletion stays", () => {
  const t = timelineOf(stored(1, "new", { editedAt: 5 }));
  equal(t.put(stored(1, "old", { editedAt: 4 })), "known");
  equal(t.put(stored(1, "newer", { editedAt: 6 })), "changed");
  equal(t.put(stored(1, undefined, { deletedAt: 7 })), "changed");
  equal(t.put(stored(1, "back", { editedAt: 8 })), "known");
  equal([t.messages[0].content, t.messages[0].deletedAt], [undefined, 7]);
  equal(t.messages[0].deletedBy, undefined);
});

// Rooms

const summary = (id, seconds, messageSeconds) => ({
  chatRoomId: id,
  name: id,
  type: "group",
  lastMessageAt: START + seconds * 1000,
  lastMessage: messageSeconds && {
    messageId: idAt(messageSeconds),
    senderId: "bob",
    preview: String(messageSeconds),
    timestamp: START + messageSeconds * 1000,
  },
});

test("rooms are in the order of their last message, which moves forward only", () => {
  const rooms = new RoomList();
  rooms.replace([summary("a", 5, 5), summary("b", 3, 3)], START);
  rooms.saw({ ...stored(7, "hi"), chatRoomId: "b" });
  rooms.saw({ ...stored(6, "late"), chatRoomId: "b" });
  equal(
    rooms.list().map((r) => r.chatRoomId),
    ["b", "a"],
  );
  rooms.replace([summary("a", 5, 5), summary("b", 3, 3)], START);
  equal(
    rooms.list().map((r) => [r.chatRoomId, r.lastMessage.preview]),
    [
      ["b", "hi"],
      ["a", "5"],
    ],
  );
});

test("a new room stays while the list lags behind, and goes when it is really gone", () => {
  const rooms = new RoomList();
  rooms.replace([], START);
  rooms.add(summary("a", 1), START);
  rooms.replace([], START + 1000);
  equal(rooms.list().length, 1);
  rooms.replace([], START + MINUTE);
  equal(rooms.list().length, 0);
});

test("a preview is cut between characters", () => {
  const rooms = new RoomList();
  rooms.replace([summary("r", 1)], START);
  rooms.saw(stored(2, "🙂".repeat(200)));
  equal(rooms.get("r").lastMessage.preview, "🙂".repeat(140));
});

// Connection

test("the token is the second subprotocol, and a ping is the first frame", async () => {
  const w = new World();
  w.chat.start();
  await settle();
  equal(FakeSocket.last.protocols[0], "streamroom");
  equal(FakeSocket.last.protocols[1], tokenUntil(3600 * 24));
  FakeSocket.last.open();
  equal([FakeSocket.last.sent, w.chat.state.name], [[{ action: "ping" }], "connecting"]);
  FakeSocket.last.receive({ type: "pong", connectionId: "c=", userId: "alice" });
  equal([w.chat.userId, w.chat.state.name], ["alice", "online"]);
});

test("a ping goes out before 10 minutes of silence; without a pong the connection is replaced", async () => {
  const w = new World();
  await w.connect();
  await w.clock.advance(4 * MINUTE);
  FakeSocket.last.receive({ type: "read", chatRoomId: "r", userId: "bob", upTo: "x" }); // any frame will do
  await w.clock.advance(8.75 * MINUTE + 9_000);
  equal(FakeSocket.all.length, 1, "sockets");
  await w.clock.advance(2_000);
  equal(FakeSocket.all.length, 2, "sockets");
  equal([FakeSocket.all[0].actions("ping").length, FakeSocket.all[0].closed], [2, true]);
});

test("pongs keep a connection, until it is replaced before 2 hours", async () => {
  const w = new World();
  await w.connect();
  const first = FakeSocket.last;
  let pings = 1;
  for (let minute = 0.25; minute < 120; minute += 0.25) {
    await w.clock.advance(MINUTE / 4);
    if (first.actions("ping").length > pings) {
      pings = first.actions("ping").length;
      first.receive({ type: "pong", userId: "alice" });
    }
    if (minute === 100) equal(FakeSocket.all.length, 1, "sockets after 100 minutes");
  }
  if (FakeSocket.all.length < 2) throw new Error("not replaced within 2 hours");
  if (pings < 12) throw new Error(`${pings} pings in 110 minutes`);
});

test("a connection is replaced before its token ends, with a new token", async () => {
  const w = new World();
  w.token = () => tokenUntil(w.tokens * 600);
  await w.connect();
  await w.clock.advance(4 * MINUTE);
  equal([FakeSocket.all.length, w.tokens], [1, 1]);
  FakeSocket.last.receive({ type: "pong", userId: "alice" });
  await w.clock.advance(5 * MINUTE);
  FakeSocket.last.receive({ type: "pong", userId: "alice" });
  await w.clock.advance(30_000);
  equal(w.tokens, 2, "tokens");
  equal(FakeSocket.all[1].protocols[1], tokenUntil(1200));
});

test("a token that the clock calls ended is used, and doesn't make a loop", async () => {
  const w = new World();
  w.token = () => tokenUntil(-3600);
  await w.connect();
  await w.clock.advance(2 * MINUTE);
  equal([FakeSocket.all.length, w.chat.state.name], [1, "online"]);
});

test("after a handshake that failed the next one has a new token, later and later", async () => {
  const w = new World();
  w.chat.start();
  const waits = [];
  for (let i = 0; i < 8; i++) {
    await settle();
    FakeSocket.last.lose();
    waits.push(w.chat.state.retryAt - w.clock.now());
    await w.clock.advance(waits.at(-1));
  }
  equal(waits, [500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]);
  equal(w.tokens, 9);
});

test("a handshake that never ends is given up", async () => {
  const w = new World();
  w.chat.start();
  await w.clock.advance(16_000);
  equal([FakeSocket.all.length, FakeSocket.all[0].closed], [2, true]);
});

test("a token that is refused permanently stops the client", async () => {
  const w = new World();
  w.token = () => {
    throw new Failure("unauthorized", "no");
  };
  w.chat.start();
  await w.clock.advance(MINUTE);
  equal([w.chat.state.name, w.chat.state.failure.code, w.tokens], ["stopped", "unauthorized", 1]);
});

test("the error reconnect makes a new connection, an expired token one with a new token", async () => {
  for (const [code, tokens] of [
    ["reconnect", 1],
    ["token_expired", 2],
  ]) {
    const w = new World();
    await w.connect();
    FakeSocket.last.receive({ type: "error", code, message: "…" });
    await w.clock.advance(1000);
    equal([FakeSocket.all.length, w.tokens], [2, tokens], code);
  }
});

test("a connection that newer ones replaced, or the server ended, is not opened again unasked", async () => {
  for (const code of ["replaced", "disconnected"]) {
    const w = new World();
    await w.connect();
    FakeSocket.last.receive({ type: "error", code, message: "…" });
    await w.clock.advance(60 * MINUTE);
    equal([FakeSocket.all.length, w.chat.state.name, w.chat.state.failure.code], [1, "stopped", code]);
    w.chat.start();
    await w.clock.advance(1000);
    equal(FakeSocket.all.length, 2);
    w.chat.stop();
  }
});

test("stop ends everything", async () => {
  const w = new World();
  await w.connect();
  w.chat.stop();
  equal(FakeSocket.last.closed, true);
  await w.clock.advance(300 * MINUTE);
  equal([FakeSocket.all.length, w.chat.state.name], [1, "stopped"]);
});

// Sending

const ackOf = (frame, seconds) => ({
  type: "ack",
  chatRoomId: frame.chatRoomId,
  messageId: idAt(seconds),
  timestamp: START + seconds * 1000,
  clientMessageId: frame.clientMessageId,
  duplicate: false,
});
const sends = () => FakeSocket.last.actions("sendMessage");

test("one message is in flight per room, in order", async () => {
  const w = new World();
  await w.connect();
  await w.open("r");
  for (const text of ["a", "b", "c"]) w.chat.send("r", text);
  w.chat.send("other", "x");
  equal(
    sends().map((f) => f.content),
    ["a", "x"],
  );
  FakeSocket.last.receive(ackOf(sends()[0], 1));
  equal(
    sends().map((f) => f.content),
    ["a", "x", "b"],
  );
  equal([w.contents("r"), w.chat.timeline("r").outgoing.map((o) => o.status)], ["a", ["sending", "waiting"]]);
});

test("ack and broadcast may come in either order, and either may be lost", async () => {
  for (const order of [
    ["ack"],
    ["message"],
    ["ack", "message"],
    ["message", "ack"],
    ["message", "message", "ack", "ack"],
  ]) {
    const w = new World();
    await w.connect();
    await w.open("r");
    w.chat.send("r", "a");
    const [{ clientMessageId }] = sends();
    for (const kind of order) {
      FakeSocket.last.receive(
        kind === "ack" ? ackOf(sends()[0], 1) : live(1, "a", null, { senderId: "alice", clientMessageId }),
      );
    }
    equal([w.contents("r"), w.chat.timeline("r").outgoing.length, w.events], ["a", 0, ["a"]], order.join());
  }
});

test("what was not confirmed goes out again on the next connection, under its id", async () => {
  const w = new World();
  w.chat.send("r", "before any connection");
  await w.connect();
  const [{ clientMessageId }] = sends();
  FakeSocket.last.lose();
  equal(w.chat.timeline("r").outgoing[0].status, "waiting");
  await w.clock.advance(1000);
  await w.up();
  equal(sends(), [
    { action: "sendMessage", chatRoomId: "r", content: "before any connection", clientMessageId, echo: false },
  ]);
});

test("what was stored without an ack is not shown a second time as waiting", async () => {
  const w = new World();
  await w.open("r", stored(1, "a"));
  await w.connect();
  w.chat.send("r", "b");
  const [sent] = sends();
  FakeSocket.last.lose();
  const own = { ...stored(2, "b"), senderId: "alice", clientMessageId: sent.clientMessageId };
  w.answers["POST /sync"] = { rooms: { r: { messages: [stored(1, "a"), own], more: false } } };
  await w.clock.advance(1000);
  await w.up();
  equal([w.contents("r"), w.chat.timeline("r").outgoing], ["a b", []]);
  FakeSocket.last.receive({ ...ackOf(sent, 2), duplicate: true });
  equal([w.contents("r"), w.chat.timeline("r").outgoing], ["a b", []]);
});

test("a missing ack leads to another try and a ping", async () => {
  const w = new World();
  await w.connect();
  w.chat.send("r", "a");
  await w.clock.advance(5_000);
  equal(FakeSocket.last.actions("ping").length, 2);
  FakeSocket.last.receive({ type: "pong", userId: "alice" });
  await w.clock.advance(9_000);
  equal(sends().length, 2);
  equal(sends()[0].clientMessageId, sends()[1].clientMessageId);
});

test("the gateway's error frames and passing refusals are tried again, but not forever", async () => {
  const w = new World();
  await w.connect();
  w.chat.send("r", "a");
  for (let i = 0; i < 20; i++) {
    const { clientMessageId } = sends().at(-1);
    FakeSocket.last.receive(
      i % 2
        ? { type: "error", code: "rate_limited", message: "…", clientMessageId }
        : { message: "Internal server error", connectionId: "c=", requestId: "r=" },
    );
    await w.clock.advance(10_000);
  }
  equal(sends().length, 6, "sends");
  const [failed] = w.chat.timeline("r").outgoing;
  equal([failed.status, failed.failure.code], ["failed", "rate_limited"]);
  w.chat.retry(failed.clientMessageId);
  equal(sends().length, 7, "sends after a retry");
});

test("a refusal fails its message at once, and the next goes out", async () => {
  const w = new World();
  await w.connect();
  w.chat.send("r", "a");
  w.chat.send("r", "b");
  FakeSocket.last.receive({
    type: "error",
    code: "not_a_member",
    message: "…",
    clientMessageId: sends()[0].clientMessageId,
  });
  equal([w.chat.timeline("r").outgoing.map((o) => o.status), sends().length], [["failed", "sending"], 2]);
  w.chat.discard(w.chat.timeline("r").outgoing[0].clientMessageId);
  equal(w.chat.timeline("r").outgoing.length, 1);
});

test("what the gateway would close the connection for is never sent", () => {
  const w = new World();
  for (const text of ["x".repeat(MAX_CONTENT + 1), "\u0001".repeat(6_000), "é".repeat(MAX_CONTENT / 2 + 1)]) {
    let code = "";
    try {
      w.chat.send("r", text);
    } catch (err) {
      code = err.code;
    }
    equal(code, "too_large");
  }
  w.chat.send("r", "x".repeat(MAX_CONTENT));
});
