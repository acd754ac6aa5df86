// Tests of roles, mutes, bans and blocks.

import { equal, test } from "./check.js";
import { Answer, FakeSocket, FakeStorage, START, settle, stored, World } from "./fakes.js";

const receive = (...frames) => FakeSocket.last.receive(...frames);
const changed = (userId, role, at, mutedUntil) =>
  receive({ type: "memberChanged", chatRoomId: "r", userId, role, mutedUntil, at });
const listed = { chatRoomId: "r", name: "Tea", type: "group", lastMessageAt: START, unread: 0 };

/** A client in a room whose members were read. */
const worldOf = (...members) => worldIn({}, ...members);
async function worldIn(of, ...members) {
  const w = new World(of);
  w.answers["GET /rooms"] = { rooms: [listed] };
  w.answers["POST /profiles"] = { profiles: {} };
  w.answers["GET /rooms/r"] = { ...listed, memberCount: 2, role: "member", members };
  await w.connect();
  await w.chat.room("r");
  w.told = [];
  w.chat.on("standing", ({ userId }) => w.told.push(userId));
  return w;
}
const alice = { userId: "alice", role: "member", joinedAt: 1 };
const bob = { userId: "bob", role: "owner", joinedAt: 1 };

test("of a member's states the one that changed last counts, in frames and in answers", async () => {
  const w = await worldOf({ ...alice, changedAt: 5 }, bob);
  equal(w.chat.standing("r"), { role: "member", mutedUntil: 0 });
  changed("alice", "moderator", 7);
  changed("alice", "owner", 6);
  equal([w.chat.standing("r").role, w.chat.standing("r", "bob").role, w.told], ["moderator", "owner", ["alice"]]);
  await w.chat.room("r"); // an answer from before the frame
  equal(w.chat.standing("r").role, "moderator");
  // A user who left and joined again has begun again.
  w.answers["GET /rooms/r"].members = [{ ...alice, joinedAt: 8 }];
  await w.chat.room("r");
  equal([w.chat.standing("r").role, w.told], ["member", ["alice", "alice"]]);
  receive({ type: "memberLeft", chatRoomId: "r", userId: "bob" });
  equal(w.chat.standing("r", "bob"), undefined);
  receive({ type: "memberLeft", chatRoomId: "r", userId: "alice" });
  equal(w.chat.standing("r"), undefined);
});

test("what one is oneself is known where one is not on the page of the members", async () => {
  const w = await worldOf(bob);
  equal(w.chat.standing("r"), { role: "member", mutedUntil: 0 });
  changed("alice", "moderator", 7);
  await w.chat.room("r"); // from before the frame
  equal(w.chat.standing("r").role, "moderator");
  Object.assign(w.answers["GET /rooms/r"], { mutedUntil: START + 60_000, changedAt: 8 });
  await w.chat.room("r");
  equal(w.chat.standing("r"), { role: "member", mutedUntil: START + 60_000 });
});

test("a mute ends by itself, by the server's time", async () => {
  const w = await worldOf(alice, bob);
  w.date = () => new Date(w.clock.now() + 3_600_000).toUTCString(); // this clock is an hour behind
  await w.chat.room("r");
  const until = START + 3_600_000 + 50 * 24 * 3_600_000;
  changed("alice", "member", 7, until);
  w.clock.set(START + 50 * 24 * 3_600_000 - 1_000); // longer than a timer can wait
  await w.clock.advance(0);
  equal([w.chat.standing("r").mutedUntil, w.told], [until, ["alice"]]);
  await w.clock.advance(2_000);
  equal([w.chat.standing("r").mutedUntil, w.told], [0, ["alice", "alice"]]);
});

test("a message that is refused as muted says until when, also after a reload", async () => {
  const storage = new FakeStorage();
  const w = await worldIn({ storage, userId: "alice" }, bob);
  const { clientMessageId } = w.chat.send("r", "hello");
  receive({ type: "error", code: "muted", message: "…", clientMessageId, until: START + 60_000 });
  const [{ status, failure }] = w.chat.timeline("r").outgoing;
  equal([status, failure.code, failure.until], ["failed", "muted", START + 60_000]);
  equal(w.chat.standing("r").mutedUntil, START + 60_000);
  const { chat } = await worldIn({ storage, userId: "alice" });
  equal(chat.timeline("r").outgoing[0].failure.until, START + 60_000);
});

test("roles, mutes and bans are asked for as the protocol says, and refusals told apart", async () => {
  const w = await worldOf(alice, bob);
  const members = "PATCH /rooms/r/members";
  w.answers[members] = ({ role = "owner", mutedUntil }) => ({ userId: "b/ob", role, mutedUntil, changedAt: 9 });
  await w.chat.setRole("r", "b/ob", "moderator");
  await w.chat.mute("r", "b/ob", START + 5_000);
  w.answers["PUT /rooms/r/bans"] = { userId: "bob", by: "alice", at: 1 };
  w.answers["DELETE /rooms/r/bans"] = new Answer(204);
  w.answers["GET /rooms/r/bans"] = { bans: [{ userId: "bob", by: "alice", at: 1 }], cursor: "c" };
  await w.chat.ban("r", "bob", { reason: "spam" });
  await w.chat.unban("r", "bob");
  equal((await w.chat.bans("r", "b")).cursor, "c");
  equal(
    w.requests.slice(-5).map(([method, path, body]) => [method, path, body]),
    [
      ["PATCH", "/rooms/r/members?userId=b%2Fob", { role: "moderator" }],
      ["PATCH", "/rooms/r/members?userId=b%2Fob", { mutedUntil: START + 5_000 }],
      ["PUT", "/rooms/r/bans?userId=bob", { reason: "spam" }],
      ["DELETE", "/rooms/r/bans?userId=bob", undefined],
      ["GET", "/rooms/r/bans?cursor=b", undefined],
    ],
  );
  equal(w.chat.standing("r", "b/ob"), { role: "owner", mutedUntil: START + 5_000 });
  w.answers[members] = new Answer(403, { code: "forbidden", detail: "…" });
  w.answers["POST /rooms/r/join"] = new Answer(403, { code: "banned", detail: "…", until: 7 });
  const refused = (work) => work.catch(({ code, until, status }) => [code, until, status]);
  equal(await refused(w.chat.mute("r", "bob", 0)), ["forbidden", 0, 403]);
  equal(await refused(w.chat.join("r")), ["banned", 7, 403]);
});

test("messages are reported, and reports read in pages and dismissed", async () => {
  const w = await worldOf(alice, bob);
  const report = { messageId: stored(1).messageId, senderId: "bob", userId: "alice", at: 1, reason: "spam" };
  w.answers["POST /rooms/r/messages/m%2F1/report"] = w.answers["DELETE /rooms/r/reports/m%2F1"] = new Answer(204);
  w.answers["GET /rooms/r/reports"] = (_, query) =>
    query.has("cursor") ? { reports: [] } : { reports: [report], cursor: "c" };
  await w.chat.report("r", "m/1", "spam");
  await w.chat.report("r", "m/1");
  equal(await w.chat.reports("r"), { reports: [report], cursor: "c" });
  equal((await w.chat.reports("r", "c")).cursor, undefined);
  await w.chat.dismissReports("r", "m/1");
  equal(
    w.requests.slice(-5).map(([method, path, body]) => [method, path, body]),
    [
      ["POST", "/rooms/r/messages/m%2F1/report", { reason: "spam" }],
      ["POST", "/rooms/r/messages/m%2F1/report", {}],
      ["GET", "/rooms/r/reports", undefined],
      ["GET", "/rooms/r/reports?cursor=c", undefined],
      ["DELETE", "/rooms/r/reports/m%2F1", undefined],
    ],
  );
  w.answers["POST /rooms/r/messages/m%2F1/report"] = new Answer(403, { code: "forbidden", detail: "…" });
  equal(await w.chat.report("r", "m/1").catch(({ code, status }) => [code, status]), ["forbidden", 403]);
});

test("who is blocked is read in pages, and kept up with", async () => {
  const w = await worldOf(alice, bob);
  w.answers["GET /me/blocks"] = (_, query) =>
    query.has("cursor") ? { blocks: [{ userId: "dan", at: 2 }] } : { blocks: [{ userId: "bob", at: 1 }], cursor: "c" };
  w.answers["PUT /me/blocks"] = w.answers["DELETE /me/blocks"] = new Answer(204);
  const blocked = () => ["bob", "dan", "eve"].filter((user) => w.chat.isBlocked(user)).join();
  let told = 0;
  w.chat.on("blocks", () => told++);
  equal((await w.chat.blocks()).length, 2);
  equal([blocked(), told], ["bob,dan", 1]);
  await w.chat.block("eve");
  await w.chat.unblock("bob");
  equal([blocked(), told], ["dan,eve", 3]);
  equal(
    w.requests.slice(-2).map(([method, path]) => `${method} ${path}`),
    ["PUT /me/blocks?userId=eve", "DELETE /me/blocks?userId=bob"],
  );
});

test("what a moderator deleted here says so at once", async () => {
  const w = await worldOf(alice, bob);
  await w.open("r", stored(1, "a"), stored(2, "b", { senderId: "alice" }));
  w.answers[`DELETE /rooms/r/messages/${stored(1).messageId}`] = new Answer(204);
  w.answers[`DELETE /rooms/r/messages/${stored(2).messageId}`] = new Answer(204);
  for (const { messageId } of [...w.chat.timeline("r").messages]) await w.chat.delete("r", messageId);
  await settle();
  equal(
    w.chat.timeline("r").messages.map((m) => [m.content ?? "", m.deletedBy ?? ""]),
    [
      ["", "alice"],
      ["", ""],
    ],
  );
});
