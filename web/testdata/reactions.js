// Tests of reactions: what counts of several states, and what the user chooses.

import { isReaction } from "../lib/streamroom.js";
import { equal, test } from "./check.js";
import { Answer, FakeSocket, FakeStorage, idAt, live, settle, stored, World } from "./fakes.js";

const frame = (seconds, version, counts, changed = [{ userId: "bob", reaction: "👍", added: true }]) => ({
  type: "reactions",
  chatRoomId: "r",
  messageId: idAt(seconds),
  version,
  counts,
  changed,
});

const path = `/rooms/r/messages/${idAt(1)}/reactions`;

/** What is shown below the room's last message. */
const shown = (w) =>
  w.chat
    .reactionsOf(w.chat.timeline("r").messages.at(-1))
    .map(({ reaction, count, mine }) => `${reaction}${count}${mine ? "!" : ""}`)
    .join(" ");

test("what is one character, or a name, is a reaction", () => {
  for (const good of ["👍", "👍🏽", "❤️", "👩🏻‍❤️‍💋‍👩🏽", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "a", ":tada:", ":+1:"])
    equal([good, isReaction(good)], [good, true]);
  for (const bad of ["", " ", "\u200b", "ab", "👍👍", "👍 ", "::", ":Tada:", `:${"a".repeat(34)}:`])
    equal([bad, isReaction(bad)], [bad, false]);
});

test("of reactions the greatest version counts, wherever it comes from", async () => {
  const w = new World();
  await w.connect();
  await w.open("r", stored(1, "hi", { reactions: { version: 3, counts: { "👍": 2 }, mine: ["👍"] } }));
  equal(shown(w), "👍2!");
  FakeSocket.last.receive(frame(1, 2, { "👍": 1 }));
  equal(shown(w), "👍2!");
  FakeSocket.last.receive(frame(1, 5, { "👍": 3, b: 1 }));
  equal(shown(w), "👍3! b1");
  // The user took it back on another device, which comes late.
  FakeSocket.last.receive(frame(1, 4, { "👍": 2 }, [{ userId: "alice", reaction: "👍", added: false }]));
  equal(shown(w), "👍3 b1");
  FakeSocket.last.receive(frame(1, 6, {}, [{ userId: "bob", reaction: "b", added: false }]));
  equal(shown(w), "");
  FakeSocket.last.receive({
    type: "messageDeleted",
    chatRoomId: "r",
    messageId: idAt(1),
    senderId: "bob",
    deletedAt: 9,
  });
  FakeSocket.last.receive(frame(1, 7, { "👍": 1 }));
  equal(shown(w), "");
});

test("an answer that a frame has overtaken tells of the user's own", async () => {
  const w = new World();
  await w.connect();
  await w.open("r", stored(1, "hi", { reactions: { version: 1, counts: { a: 1 }, mine: ["a"] } }));
  const answer = { version: 3, counts: { a: 1, b: 1, c: 1 }, mine: ["b", "c"] };
  w.answers["GET /rooms/r/messages"] = { messages: [stored(1, "hi", { reactions: answer })] };
  FakeSocket.last.lose();
  await w.clock.advance(60_000);
  FakeSocket.last.open();
  FakeSocket.last.receive(
    frame(1, 5, { a: 1, b: 1, d: 2 }, [
      { userId: "alice", reaction: "c", added: false },
      { userId: "alice", reaction: "d", added: true },
    ]),
  );
  await w.up();
  await w.clock.advance(5_000);
  equal(shown(w), "a1 d2! b1!");
});

test("frames of one version name different changes", async () => {
  const w = new World();
  await w.connect();
  await w.open("r", stored(1, "hi", { reactions: { version: 1, counts: { a: 1 }, mine: ["a"] } }));
  const mine = (reaction, added) => [{ userId: "alice", reaction, added }];
  FakeSocket.last.receive(frame(1, 4, { b: 1 }, mine("c", true)), frame(1, 4, { b: 1 }, mine("a", false)));
  FakeSocket.last.receive(frame(1, 4, { b: 1 }, mine("c", false)), frame(1, 4, { b: 1 }, mine("b", true)));
  FakeSocket.last.receive(frame(1, 1, { a: 1 }, mine("a", true))); // which came before what was fetched
  equal(shown(w), "b1!");
});

test("reactions that come before their message wait for it", async () => {
  const w = new World();
  await w.connect();
  await w.open("r", stored(1, "a"));
  FakeSocket.last.receive(
    frame(2, 2, { "👍": 2 }, [{ userId: "alice", reaction: "👍", added: true }]),
    frame(2, 1, { "👍": 1 }),
  );
  FakeSocket.last.receive(live(2, "b", 1));
  await settle();
  equal([w.contents("r"), shown(w)], ["a b", "👍2!"]);
});

test("after a reconnect what is shown is read again, with its reactions", async () => {
  const w = new World();
  await w.connect();
  await w.open("r", stored(1, "hi"));
  w.answers["GET /rooms/r/messages"] = {
    messages: [stored(1, "hi", { reactions: { version: 1, counts: { "👍": 1 }, mine: [] } })],
  };
  FakeSocket.last.lose();
  await w.clock.advance(60_000);
  await w.up();
  await w.clock.advance(5_000);
  equal(shown(w), "👍1");
});

test("what the user chooses shows at once, and is sent when there is an answer", async () => {
  const w = new World();
  await w.connect();
  await w.open("r", stored(1, "hi", { reactions: { version: 1, counts: { "👍": 1 }, mine: [] } }));
  const [message] = w.chat.timeline("r").messages;
  w.answers[`PUT ${path}`] = new Answer(503, {});
  await w.chat.react(message, "👍");
  equal([shown(w), w.asked(`PUT ${path}`).length], ["👍2!", 1]);
  FakeSocket.last.receive(frame(1, 2, { "👍": 2 })); // someone else's
  equal(shown(w), "👍3!");
  w.answers[`PUT ${path}`] = { version: 3, counts: { "👍": 3 }, mine: ["👍"] };
  await w.clock.advance(10_000);
  equal([shown(w), w.asked(`PUT ${path}`).length], ["👍3!", 2]);

  w.answers[`DELETE ${path}`] = { version: 4, counts: { "👍": 2 }, mine: [] };
  await w.chat.react(message, "👍", false);
  equal([shown(w), w.requests.at(-1)[1]], ["👍2", `${path}?reaction=%F0%9F%91%8D`]);
});

test("a reaction that has to wait for long holds up no other one", async () => {
  const w = new World();
  await w.connect();
  await w.open("r", stored(1, "hi"), stored(2, "ho"));
  const [first, second] = w.chat.timeline("r").messages;
  const other = path.replace(idAt(1), idAt(2));
  const asked = () => [w.asked(`PUT ${path}`).length, w.asked(`PUT ${other}`).length];
  w.answers[`PUT ${path}`] = new Answer(429, { code: "rate_limited", detail: "…", retryAfter: 1_800_000 });
  w.answers[`PUT ${other}`] = new Answer(503, {});
  await w.chat.react(first, "👍");
  await w.chat.react(second, "👍");
  w.answers[`PUT ${other}`] = { version: 1, counts: { "👍": 1 }, mine: ["👍"] };
  await w.clock.advance(10_000);
  equal(asked(), [1, 2]);
  FakeSocket.last.lose();
  await w.clock.advance(60_000);
  await w.up();
  equal(asked(), [1, 2], "after a reconnect");
  w.answers[`PUT ${path}`] = { version: 1, counts: { "👍": 1 }, mine: ["👍"] };
  await w.clock.advance(1_800_000);
  equal(asked(), [2, 2], "after half an hour");
});

test("a reaction that is refused goes, and says why", async () => {
  const w = new World();
  await w.connect();
  await w.open("r", stored(1, "hi"));
  const [message] = w.chat.timeline("r").messages;
  w.answers[`PUT ${path}`] = new Answer(404, { code: "not_found", detail: "this message was deleted" });
  const refused = async (reaction) =>
    w.chat.react(message, reaction).then(
      () => "",
      ({ code }) => code,
    );
  equal([await refused("👍"), shown(w)], ["not_found", ""]);
  equal([await refused("ab"), w.asked(`PUT ${path}`).length], ["invalid_request", 1]);
});

test("who thinks better of it while it is under way has it sent", async () => {
  const w = new World();
  await w.connect();
  await w.open("r", stored(1, "hi"));
  const [message] = w.chat.timeline("r").messages;
  w.answers[`PUT ${path}`] = { version: 1, counts: { "👍": 1 }, mine: ["👍"] };
  w.answers[`DELETE ${path}`] = { version: 2, counts: {}, mine: [] };
  const first = w.chat.react(message, "👍");
  await w.chat.react(message, "👍", false);
  await first;
  equal([shown(w), w.asked(`DELETE ${path}`).length], ["", 1]);
});

test("what could not be sent survives a reload, and is sent once", async () => {
  const storage = new FakeStorage();
  const before = new World({ storage, userId: "alice" });
  await before.connect();
  const message = stored(1, "hi", { reactions: { version: 1, counts: { "👍": 1 }, mine: [] } });
  await before.open("r", message);
  before.answers[`PUT ${path}`] = new Answer(503, {});
  await before.chat.react(before.chat.timeline("r").messages[0], "👍");
  equal([shown(before), storage.length], ["👍2!", 1]);

  const w = new World({ storage, userId: "alice" });
  w.answers[`PUT ${path}`] = { version: 2, counts: { "👍": 2 }, mine: ["👍"] };
  w.chat.start();
  await w.open("r", message);
  equal(shown(w), "👍2!");
  await w.up();
  equal([shown(w), w.asked(`PUT ${path}`).length, storage.length], ["👍2!", 1, 0]);

  // Who the user is may be known only once the server says so.
  w.answers[`DELETE ${path}`] = new Answer(503, {});
  await w.chat.react(w.chat.timeline("r").messages[0], "👍", false);
  equal(storage.length, 1);
  const late = new World({ storage });
  late.answers[`DELETE ${path}`] = { version: 3, counts: { "👍": 1 }, mine: [] };
  await late.connect();
  equal([late.asked(`DELETE ${path}`).length, storage.length], [1, 0]);
});
