// Tests of mentions: whom a text names, and what the library keeps of them.

import { mentionable, withMentions } from "../app/ui/mentions.js";
import { findMentions, MAX_MENTIONS, mentionedIn } from "../lib/mentions.js";
import { equal, test } from "./check.js";
import { Answer, FakeSocket, idAt, live, START, settle, stored, World } from "./fakes.js";

/** @param {{members: {userId: string, displayName?: string}[], texts: {text: string, mentions: string[]}[]}} vectors */
export function addMentions({ members, texts }) {
  const named = members.map(({ userId, displayName = "" }) => ({ userId, names: [displayName, userId] }));
  for (const { text, mentions } of texts)
    test(`mentions: ${JSON.stringify(text)}`, () => equal(mentionedIn(text, named), mentions));
}

test("a mention ends where its name does", () => {
  const people = [
    { userId: "bob", names: ["Bob"] },
    { userId: "b2", names: ["Bob Builder"] },
  ];
  equal(findMentions("a @bob builder!", people), [{ from: 2, to: 14, userId: "b2" }]);
});

test("a text mentions no more than a message may", () => {
  const many = Array.from({ length: 30 }, (_, i) => ({ userId: `u${i}`, names: [`u${i}`] }));
  const text = many.map(({ userId }) => `@${userId}`).join(" ");
  equal(mentionedIn(text, many).length, MAX_MENTIONS);
});

test("who shares a name is mentioned by id", () => {
  const names = { a1: "Alex", a2: "alex", bob: "Bob", mal: "bob" };
  const chat = { labelOf: (id) => `${names[id] ?? id} (${id})`, nameOf: (id) => names[id] ?? id };
  const called = mentionable(chat, ["a1", "a2", "bob", "mal", "x", "x"]).map(({ names }) => names.join("/"));
  equal(called, ["a1", "a2", "bob", "mal", "x"]);
});

test("mentions are apart in a text, and none is in code or in a link", () => {
  const parts = withMentions(
    [
      { kind: "text", text: "hi @bob! " },
      { kind: "code", text: "@bob" },
    ],
    [{ userId: "bob", names: ["bob"] }],
  );
  equal(
    parts.map(({ kind, text }) => `${kind} ${text}`),
    ["text hi ", "mention @bob", "text ! ", "code @bob"],
  );
});

const room = (more) => ({ chatRoomId: "r", name: "r", type: "group", lastMessageAt: START, unread: 0, ...more });
const last = (seconds) => ({ messageId: idAt(seconds), senderId: "bob", preview: "…", timestamp: START });
const receive = (...frames) => FakeSocket.last.receive(...frames);
const counts = (w) => {
  const { unread = 0, mentions = 0 } = w.chat.rooms.get("r") ?? {};
  return [unread, mentions];
};

/** A client in a room. */
async function worldOf(more) {
  const w = new World();
  w.answers["GET /rooms"] = { rooms: [room(more)] };
  w.answers["POST /profiles"] = { profiles: {} };
  w.answers["POST /rooms/r/read"] = new Answer(204);
  await w.connect();
  return w;
}

const me = { mentions: ["alice"] };

test("unread messages that mention the user are counted, until they are read", async () => {
  const w = await worldOf({ unread: 2, mentions: 1, lastMessage: last(2) });
  equal(counts(w), [2, 1]);
  receive(live(3, "c", 2, me), live(4, "d", 3), live(5, "mine", 4, { ...me, senderId: "alice" }), live(3, "c", 2, me));
  equal(counts(w), [4, 2]);
  receive({ type: "read", chatRoomId: "r", userId: "alice", upTo: idAt(5) });
  equal(counts(w), [0, 0]);
});

test("in an open room an edit and a deletion change who is mentioned", async () => {
  const w = await worldOf({ unread: 2, mentions: 1, lastMessage: last(3), readUpTo: idAt(1) });
  await w.open("r", stored(1, "a"), stored(2, "b", me), stored(3, "c"));
  await settle();
  equal(counts(w), [2, 1]);
  const change = (seconds, more) => ({
    ...stored(seconds, "x"),
    type: "messageEdited",
    editedAt: START + 9_000,
    ...more,
  });
  receive(change(3, me));
  equal(counts(w), [2, 2]);
  receive(change(2, { editedAt: START + 10_000 }));
  equal(counts(w), [2, 1]);
  receive({ type: "messageDeleted", ...stored(3), content: undefined, deletedAt: START + 11_000 });
  equal(counts(w), [1, 0]);
});

test("an edit in a room that isn't open has the server asked", async () => {
  const w = await worldOf({ unread: 1, lastMessage: last(2), readUpTo: idAt(1) });
  await w.clock.advance(30_000); // the list is read once more after a connect
  const asked = w.asked("GET /rooms").length;
  receive({ ...stored(2, "b"), type: "messageEdited", editedAt: START + 9_000 });
  await w.clock.advance(30_000);
  equal(w.asked("GET /rooms").length, asked, "without a mention");
  w.answers["GET /rooms"] = { rooms: [room({ unread: 1, mentions: 1, lastMessage: last(2), readUpTo: idAt(1) })] };
  receive({ ...stored(2, "b", me), type: "messageEdited", editedAt: START + 10_000 });
  await w.clock.advance(30_000);
  equal(counts(w), [1, 1]);
});

test("a message is sent, and held, with whom it mentions, and so is an edit", async () => {
  const w = await worldOf({});
  await w.open("r", stored(1, "a"));
  w.chat.send("r", "@bob", [], undefined, ["bob"]);
  w.chat.send("r", "no one");
  await settle();
  const [sent] = FakeSocket.last.actions("sendMessage");
  equal(sent.mentions, ["bob"]);
  receive({
    type: "ack",
    chatRoomId: "r",
    messageId: idAt(2),
    timestamp: START,
    clientMessageId: sent.clientMessageId,
    previousMessageId: idAt(1),
  });
  await settle();
  equal(w.chat.timeline("r").messages.at(-1).mentions, ["bob"]);
  equal("mentions" in FakeSocket.last.actions("sendMessage")[1], false);
  w.answers[`PATCH /rooms/r/messages/${idAt(2)}`] = stored(2, "all", { senderId: "alice", editedAt: START + 9_000 });
  await w.chat.edit("r", idAt(2), "all", []);
  equal(w.asked("PATCH")[0][2], { content: "all", mentions: [] });
  equal(w.chat.timeline("r").messages.at(-1).mentions, undefined);
});

test("a message waits for whom it mentions, and so does what comes after it", async () => {
  const w = await worldOf({});
  await w.open("r", stored(1, "a"));
  const sent = () => FakeSocket.last.actions("sendMessage").map(({ content, mentions }) => [content, mentions]);
  const outgoing = () => w.chat.timeline("r").outgoing.map(({ content, status }) => `${content} ${status}`);
  const finds = [];
  const asked = () => new Promise((resolve, reject) => finds.push({ resolve, reject }));
  w.chat.send("r", "@bob", [], undefined, asked());
  w.chat.discard(w.chat.send("r", "given up", [], undefined, asked()).clientMessageId);
  w.chat.send("r", "@carol", [], undefined, asked());
  w.chat.send("r", "last");
  await settle();
  equal([sent(), outgoing()], [[], ["@bob waiting", "@carol waiting", "last waiting"]]);
  const [known, lost, unknown] = finds;
  unknown.reject(new Error("no network"));
  lost.resolve(["dave"]);
  await settle();
  equal(sent(), []);
  known.resolve(["bob"]);
  for (let i = 0; i < 3; i++) {
    await settle();
    const { clientMessageId } = FakeSocket.last.actions("sendMessage").at(-1);
    receive({ type: "ack", chatRoomId: "r", messageId: idAt(2 + i), timestamp: START, clientMessageId });
  }
  equal(sent(), [
    ["@bob", ["bob"]],
    ["@carol", undefined],
    ["last", undefined],
  ]);
  equal(outgoing(), []);
});
