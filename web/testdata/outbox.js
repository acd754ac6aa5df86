// Tests of what survives a reload: messages that are not sent yet, and drafts.

import { equal, test } from "./check.js";
import { FakeSocket, FakeStorage, idAt, live, START, settle, World } from "./fakes.js";

const HOUR = 3_600_000;

const alice = (storage) => new World({ storage, userId: "alice" });
const outgoing = (w) => w.chat.timeline("r").outgoing.map((o) => [o.content, o.status]);
const sends = () => FakeSocket.last.actions("sendMessage");
const ack = (frame, seconds, more = {}) =>
  FakeSocket.last.receive({
    type: "ack",
    chatRoomId: frame.chatRoomId,
    messageId: idAt(seconds),
    timestamp: START + seconds * 1000,
    clientMessageId: frame.clientMessageId,
    ...more,
  });

test("messages that wait survive a reload in their order, and are sent once under their ids", async () => {
  const storage = new FakeStorage();
  const before = alice(storage);
  const ids = ["a", "b", "c"].map((text) => before.chat.send("r", text).clientMessageId);
  const w = alice(storage);
  await w.connect();
  equal(outgoing(w), [
    ["a", "sending"],
    ["b", "waiting"],
    ["c", "waiting"],
  ]);
  for (let i = 0; i < 3; i++) ack(sends().at(-1), i);
  equal(
    sends().map((f) => f.clientMessageId),
    ids,
  );
  equal([outgoing(w), storage.length], [[], 0]);
});

test("a message is shown with the content that a review had stored instead", async () => {
  const w = alice(new FakeStorage());
  await w.connect();
  await w.open("r");
  w.chat.send("r", "darn");
  ack(sends()[0], 1, { content: "****" });
  await settle();
  equal(
    w.chat.timeline("r").messages.map((m) => m.content),
    ["****"],
  );
});

test("what was on its way at the reload is sent again under its id", async () => {
  const storage = new FakeStorage();
  const before = alice(storage);
  await before.connect();
  before.chat.send("r", "a");
  const [{ clientMessageId }] = sends();
  const w = alice(storage);
  await w.connect();
  equal(
    sends().map((f) => f.clientMessageId),
    [clientMessageId],
  );
});

test("a reply keeps what it answers over a reload, and shows it once it is stored", async () => {
  const storage = new FakeStorage();
  const answered = { chatRoomId: "r", messageId: idAt(1), senderId: "bob", content: "q".repeat(200), timestamp: START };
  const replyTo = { messageId: idAt(1), senderId: "bob", preview: "q".repeat(140) };
  const before = alice(storage);
  before.chat.send("r", "yes", [], answered);
  equal(before.chat.timeline("r").outgoing[0].replyTo, replyTo);
  const w = alice(storage);
  await w.connect();
  await w.open("r");
  equal(
    sends().map((f) => f.replyTo),
    [idAt(1)],
  );
  ack(sends()[0], 2);
  await settle();
  equal(
    w.chat.timeline("r").messages.map((m) => m.replyTo),
    [replyTo],
  );
});

test("another user's messages and drafts are not taken up", async () => {
  const storage = new FakeStorage();
  const before = alice(storage);
  before.chat.send("r", "a");
  before.chat.drafts.set("r", "begun");
  for (const userId of ["bob", "alice "]) {
    const w = new World({ storage, userId });
    w.chat.start();
    equal([outgoing(w), w.chat.drafts.get("r")], [[], ""], userId);
  }
});

test("a user who is known by the first pong only has what waits saved, and gets what was saved", async () => {
  const storage = new FakeStorage();
  alice(storage).chat.send("r", "a");
  const w = new World({ storage });
  w.chat.send("r", "b");
  await w.connect();
  equal(
    outgoing(w)
      .map(([content]) => content)
      .sort(),
    ["a", "b"],
  );
  equal(storage.length, 2);
});

test("a message older than the server's memory is shown as not sent, and sent only when its user asks", async () => {
  const storage = new FakeStorage();
  const old = alice(storage).chat.send("r", "old");
  for (const hours of [24, -24]) {
    const w = alice(storage);
    w.clock.set(START + hours * HOUR);
    w.chat.start();
    equal(outgoing(w), [["old", "failed"]], `${hours} hours later, offline`);
    await w.up();
    equal([sends().length, w.chat.unsent], [0, 0], "sends");
  }
  const w = alice(storage);
  w.clock.set(START + 25 * HOUR);
  await w.connect();
  equal(w.chat.timeline("r").outgoing[0].failure.code, "too_late");
  w.chat.retry(old.clientMessageId);
  equal(sends().length, 1);
  if (sends()[0].clientMessageId === old.clientMessageId) throw new Error("the id is the old one, which may be stored");
  ack(sends()[0], 1);
  equal(storage.length, 0);
});

test("a tab that was offline for a day asks before it sends, and goes on with what is newer", async () => {
  const w = alice(new FakeStorage());
  w.chat.send("r", "old");
  await w.clock.advance(24 * HOUR);
  w.chat.send("r", "new");
  await w.connect();
  equal(outgoing(w), [
    ["old", "failed"],
    ["new", "sending"],
  ]);
});

test("a message is not sent before the time that the server asks for, on whatever connection", async () => {
  const storage = new FakeStorage();
  const before = alice(storage);
  await before.connect();
  const { clientMessageId } = before.chat.send("r", "a");
  const waits = (w) => w.chat.timeline("r").outgoing.map((o) => [o.status, o.retryAt]);
  equal(waits(before), [["sending", undefined]]);
  const refusal = { type: "error", code: "rate_limited", message: "…", clientMessageId };
  FakeSocket.last.receive({ ...refusal, retryAfter: 2_400_000 });
  const [[status, at]] = waits(before);
  equal([status, at >= START + 2_400_000, at < START + 2_410_000], ["waiting", true, true]);

  // More connections than a message has tries.
  for (let i = 0; i < 8; i++) {
    FakeSocket.last.lose();
    await before.clock.advance(60_000);
    await before.up();
    equal([sends().length, waits(before)], [0, [["waiting", at]]], `connection ${i}`);
  }

  const w = alice(storage); // a reload
  w.clock.set(before.clock.now());
  before.chat.stop();
  await w.connect();
  w.chat.send("other", "b");
  equal([sends().map((f) => f.chatRoomId), waits(w)], [["other"], [["waiting", at]]]);
  ack(sends()[0], 1);
  w.clock.set(at - 60_000);
  FakeSocket.last.lose();
  await w.clock.advance(60_000);
  await w.up();
  equal(waits(w), [["sending", undefined]]);
  equal(sends().at(-1).clientMessageId, clientMessageId);
  ack(sends().at(-1), 2);
  equal([waits(w), storage.length], [[], 0]);
});

test("a wait that no protocol allows ends after an hour, or with a clock that is set back", async () => {
  for (const setBack of [false, true]) {
    const w = alice(new FakeStorage());
    await w.connect();
    const { clientMessageId } = w.chat.send("r", "a");
    FakeSocket.last.receive({ type: "error", code: "rate_limited", message: "…", clientMessageId, retryAfter: 1e12 });
    equal(w.chat.timeline("r").outgoing[0].retryAt <= START + HOUR + 10_000, true);
    w.clock.set(setBack ? START - 3 * HOUR : START + HOUR);
    FakeSocket.last.lose();
    await w.clock.advance(60_000);
    await w.up();
    equal([setBack, outgoing(w)], [setBack, [["a", "sending"]]]);
  }
});

test("two tabs show a message once, whichever sends it", async () => {
  const storage = new FakeStorage();
  const first = alice(storage);
  first.chat.send("r", "a");
  const second = alice(storage);
  await second.connect();
  await second.open("r");
  equal(outgoing(second), [["a", "sending"]]);
  const [{ clientMessageId }] = sends();
  FakeSocket.last.receive(live(1, "a", null, { senderId: "alice", clientMessageId }));
  ack(sends()[0], 1);
  equal([outgoing(second), second.contents("r"), second.events], [[], "a", ["a"]]);
});

test("what another tab sent or gave up doesn't wait here", async () => {
  const storage = new FakeStorage();
  const { clientMessageId } = alice(storage).chat.send("r", "a");
  const w = alice(storage);
  w.chat.start();
  equal(outgoing(w), [["a", "waiting"]]);
  const key = storage.key(0);
  storage.removeItem(key);
  globalThis.window.dispatchEvent(Object.assign(new Event("storage"), { key }));
  equal([outgoing(w), key.endsWith(clientMessageId)], [[], true]);
});

test("a refused message stays refused after a reload", async () => {
  const storage = new FakeStorage();
  const before = alice(storage);
  await before.connect();
  before.chat.send("r", "a");
  const [{ clientMessageId }] = sends();
  FakeSocket.last.receive({ type: "error", code: "forbidden", message: "no", clientMessageId });
  const w = alice(storage);
  await w.connect();
  equal(
    [outgoing(w), w.chat.timeline("r").outgoing[0].failure.code, sends().length],
    [[["a", "failed"]], "forbidden", 0],
  );
  w.chat.discard(clientMessageId);
  equal(storage.length, 0);
});

test("what is saved is bounded in number, size and age, and storage that fails keeps no one from sending", async () => {
  const storage = new FakeStorage();
  const w = alice(storage);
  for (let i = 0; i < 250; i++) w.chat.send("r", "short");
  equal([storage.length, w.chat.unsent], [200, 250]);
  for (let i = 0; i < 50; i++) w.chat.drafts.set(`room-${i}`, "x".repeat(16_000));
  equal(storage.length, 231, "with drafts of 500,000 characters");
  const later = alice(storage);
  later.clock.set(START + 31 * 24 * HOUR);
  later.chat.start();
  equal([outgoing(later), later.chat.drafts.get("room-0")], [[], ""]);

  const full = new FakeStorage();
  full.full = true;
  const v = alice(full);
  await v.connect();
  v.chat.send("r", "a");
  v.chat.drafts.set("r", "b");
  equal([sends().length, v.chat.drafts.get("r")], [1, ""]);
});

test("a draft survives a reload, until it is sent or its user signs out", async () => {
  const storage = new FakeStorage();
  alice(storage).chat.drafts.set("r", "begun");
  const w = alice(storage);
  equal(w.chat.drafts.get("r"), "begun");
  w.chat.drafts.set("r", "");
  equal([w.chat.drafts.get("r"), storage.length], ["", 0]);
  w.chat.drafts.set("r", "begun");
  w.chat.send("r", "a");
  w.chat.forget();
  equal(storage.length, 0);
});

test("values that aren't ours are left alone", async () => {
  const storage = new FakeStorage();
  storage.setItem("streamroom outbox alice x", "no JSON");
  storage.setItem("theirs", "1");
  const w = alice(storage);
  await w.connect();
  equal([outgoing(w), storage.length], [[], 2]);
});
