// Tests of who types.

import { equal, test } from "./check.js";
import { FakeSocket, World } from "./fakes.js";

/** @param {number} at */
const hint = (at, userId = "bob", chatRoomId = "r") =>
  FakeSocket.last.receive({ type: "typing", chatRoomId, userId, at });

const told = () => FakeSocket.last.actions("typing").length;

test("the server is told once in a while that the user types", async () => {
  const w = new World();
  w.chat.typing("r"); // there is no connection
  await w.connect();
  await w.clock.advance(5_000);
  for (let i = 0; i < 12; i++) {
    w.chat.typing("r");
    await w.clock.advance(1_000);
  }
  equal(told(), 3);
  w.chat.typing("s");
  equal(told(), 4, "in another room");
  w.chat.send("r", "hello");
  w.chat.typing("r");
  equal(told(), 4, "the server would not take it yet");
  await w.clock.advance(3_000);
  w.chat.typing("r");
  equal(told(), 5, "after a message");
  FakeSocket.last.receive({ type: "pong", connectionId: "c=", userId: "alice", off: ["typing"] });
  await w.clock.advance(5_000);
  w.chat.typing("r");
  equal(told(), 5, "switched off");
});

test("a hint ends by itself, and by a message of its user", async () => {
  const w = new World();
  await w.connect();
  let changes = 0;
  w.chat.on("typing", () => changes++);
  hint(10);
  hint(10, "carol");
  hint(10, "alice"); // oneself
  equal(w.chat.typingIn("r"), ["bob", "carol"]);
  await w.clock.advance(5_000);
  hint(15);
  await w.clock.advance(3_000);
  equal([w.chat.typingIn("r"), w.chat.typingIn("s")], [["bob"], []], "carol has stopped");
  hint(12);
  await w.clock.advance(4_500);
  equal([w.chat.typingIn("r"), changes], [[], 4], "an older hint changes nothing");
  hint(20);
  FakeSocket.last.receive({ type: "message", chatRoomId: "r", messageId: "x", senderId: "bob", timestamp: 21 });
  equal(w.chat.typingIn("r"), [], "the message has come");
  hint(21);
  equal(w.chat.typingIn("r"), [], "a hint from before it");
  FakeSocket.last.receive({ type: "message", chatRoomId: "r", messageId: "w", senderId: "bob", timestamp: 19 });
  hint(20);
  equal(w.chat.typingIn("r"), [], "a hint from before it, after an older message that came late");
  hint(22);
  equal(w.chat.typingIn("r"), ["bob"], "a hint from after it");
});

test("what the server does not take of typing is no failure of a send", async () => {
  const w = new World();
  await w.connect();
  const failures = [];
  w.chat.on("failure", (failure) => failures.push(failure.code));
  FakeSocket.last.receive({ type: "error", code: "not_a_member", message: "no", action: "typing" });
  equal(failures, []);
});
