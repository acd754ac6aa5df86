// Tests of messages that end, and of what the server stored of an answer.

import { equal, test } from "./check.js";
import { FakeSocket, idAt, live, START, stored, World } from "./fakes.js";

const DAY = 86_400_000;
/** Has that much time pass at once, by no timer in between. */
const pass = async (w, ms) => {
  w.clock.set(w.clock.now() + ms);
  await w.clock.advance(0);
};
const receive = (...frames) => FakeSocket.last.receive(...frames);

test("messages go when they end, from the room, the list and the count, wherever they came from", async () => {
  const w = new World();
  const last = { messageId: idAt(4), senderId: "bob", preview: "d", timestamp: START + 4_000 };
  w.answers["GET /rooms"] = {
    rooms: [{ chatRoomId: "r", name: "Tea", type: "group", lastMessageAt: START + 3_000, unread: 3 }],
  };
  w.answers["POST /profiles"] = { profiles: {} };
  await w.connect();
  await w.open(
    "r",
    stored(1, "a", { expiresAt: START + 50 * DAY }),
    stored(2, "b"),
    stored(3, "c", { expiresAt: START + DAY }),
  );
  receive(
    live(4, "d", 3, { expiresAt: START + 30 * DAY, replyTo: { messageId: idAt(3), senderId: "bob", preview: "c" } }),
  );
  const list = () => w.chat.rooms.list()[0];
  equal([w.contents("r"), list().unread, list().lastMessage], ["a b c d", 4, last]);
  const told = [];
  w.chat.on("timeline", (room) => told.push(room));
  await pass(w, DAY - 1);
  equal([w.contents("r"), told], ["a b c d", []]);
  await pass(w, 1);
  equal([w.contents("r"), list().unread, list().lastMessage, told], ["a b d", 3, last, ["r"]]);
  // Of what it answered nothing is left, either.
  equal(w.chat.timeline("r").messages[2].replyTo, { messageId: idAt(3), senderId: "bob", preview: "" });
  await pass(w, 29 * DAY);
  equal([w.contents("r"), list().lastMessage], ["a b", undefined]);
  await pass(w, 20 * DAY);
  equal(w.contents("r"), "b");
  // It comes once more, and is gone again.
  receive(live(4, "d", 3, { expiresAt: START + 30 * DAY }));
  await pass(w, DAY);
  equal(w.contents("r"), "b");
});

test("messages end by the server's time", async () => {
  const w = new World();
  w.date = () => new Date(w.clock.now() + 3_600_000).toUTCString(); // this clock is an hour behind
  await w.connect();
  await w.open("r", stored(1, "a", { expiresAt: START + 3_600_000 + 5_000 }));
  await w.clock.advance(3_000);
  equal(w.contents("r"), "a");
  await w.clock.advance(3_000);
  equal(w.contents("r"), "");
});

test("an answer quotes what the server stored, by its ack, and by what is read later", async () => {
  const w = new World({ userId: "alice" });
  await w.connect();
  await w.open("r", stored(1, "Tea?"));
  const [answered] = w.chat.timeline("r").messages;
  const quote = (preview) => ({ messageId: idAt(1), senderId: "bob", preview });
  const quoted = () => w.chat.timeline("r").messages.flatMap(({ replyTo }) => replyTo?.preview ?? []);
  const ack = (seconds, more) => {
    const { clientMessageId } = FakeSocket.last.actions("sendMessage").at(-1);
    receive({
      type: "ack",
      chatRoomId: "r",
      messageId: idAt(seconds),
      timestamp: START,
      clientMessageId,
      previousMessageId: idAt(seconds - 1),
      ...more,
    });
  };
  w.chat.send("r", "yes", [], answered);
  equal(w.chat.timeline("r").outgoing[0].replyTo, quote("Tea?"));
  ack(2, { replyTo: quote("Coffee?"), expiresAt: START + DAY });
  equal(quoted(), ["Coffee?"]);
  equal(w.chat.timeline("r").messages[1].expiresAt, START + DAY);
  // The ack of a resend doesn't say.
  w.chat.send("r", "please", [], answered);
  ack(3, { duplicate: true });
  equal(quoted(), ["Coffee?", "Tea?"]);
  receive(live(3, "please", 2, { senderId: "alice", replyTo: quote("Cocoa?") }));
  equal(quoted(), ["Coffee?", "Cocoa?"]);
});
