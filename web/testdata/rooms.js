// Tests of names, and of rooms that are made, joined, left and found.

import { equal, test } from "./check.js";
import { Answer, last, live, receive, room, settle, stored, unread, worldOf } from "./fakes.js";

// Names

test("names are asked for together, once, and those that fail later again", async () => {
  const w = await worldOf();
  let works = false;
  w.answers["POST /profiles"] = () => (works ? { profiles: { bob: { displayName: "Bob" } } } : new Answer(503));
  const names = () => ["bob", "carol", "bob"].map((user) => w.chat.nameOf(user));
  equal(names(), ["bob", "carol", "bob"]);
  await w.clock.advance(1_000);
  equal(
    w.asked("POST /profiles").map(([, , { users }]) => users),
    [["bob", "carol"]],
  );
  works = true;
  await w.clock.advance(60_000);
  equal(names(), ["Bob", "carol", "Bob"]);
  await w.clock.advance(60_000);
  equal(w.asked("POST /profiles").length, 2);
});

test("one chooses one's own name", async () => {
  const w = await worldOf();
  w.answers["PUT /me"] = ({ displayName }) => ({ userId: "alice", displayName });
  let changes = 0;
  w.chat.on("people", () => changes++);
  await w.chat.setDisplayName("Alice A.");
  equal([w.chat.nameOf("alice"), changes], ["Alice A.", 1]);
});

test("who looks like another has their id beside their name", async () => {
  const w = await worldOf();
  const names = {
    bob: "Bob",
    eve: "Ｂｏ\u200bＢ",
    eve2: "bob (bob)",
    mallet: "ALICE",
    dan: "Dan",
    sara: "שרה",
    tara: "שרה",
  };
  w.answers["POST /profiles"] = ({ users }) => ({
    profiles: Object.fromEntries(users.filter((u) => names[u]).map((u) => [u, { displayName: names[u] }])),
  });
  const labels = (...users) => users.map((user) => w.chat.labelOf(user));
  labels("dan", "mallet");
  await w.clock.advance(1_000);
  equal(labels("dan", "mallet"), ["Dan", "ALICE"]);
  let changes = 0;
  w.chat.on("people", () => changes++);
  labels("alice"); // who has no name
  equal([changes, ...labels("mallet", "alice")], [1, "ALICE (mallet)", "alice"]);
  labels("bob", "eve", "eve2", "sara", "tara");
  await w.clock.advance(1_000);
  equal(labels("bob", "eve", "eve2", "dan"), ["Bob (bob)", "Ｂｏ\u200bＢ (eve)", "bob (bob) (eve2)", "Dan"]);
  equal(labels("sara"), ["\u2068שרה\u2069 (sara)"]);
  names.eve = "Eve";
  names.tara = "";
  await w.clock.advance(11 * 60_000);
  labels("eve", "tara");
  await w.clock.advance(1_000);
  equal(labels("bob", "eve", "sara", "tara"), ["Bob", "Eve", "שרה", "tara"]);
});

// Rooms

test("a room that is created over a bad network is created once: each try has the same key", async () => {
  const w = await worldOf();
  let tries = 0;
  w.answers["POST /rooms"] = () => (++tries < 3 ? new Answer(503) : room("new", { memberCount: 1 }));
  const created = w.chat.createRoom("new", ["bob"]);
  await w.clock.advance(20_000);
  equal([await created, w.chat.rooms.list().length], ["new", 1]);
  const keys = w.asked("POST /rooms").map((request) => request[3]["Idempotency-Key"]);
  equal([keys.length, new Set(keys).size, keys[0].length], [3, 1, 32]);
});

test("a direct message that was hidden is listed and counted by its next message, though the list lags", async () => {
  const w = await worldOf(room("d", { type: "dm", lastMessage: last(1), with: { userId: "bob" } }));
  w.answers["DELETE /rooms/d/members/alice"] = new Answer(204);
  await w.chat.hideDirect("d");
  w.answers["GET /rooms"] = { rooms: [] };
  await w.chat.refreshRooms();
  equal(w.chat.rooms.list(), []);
  w.answers["GET /rooms/d"] = { ...room("d", { type: "dm" }), members: [{ userId: "alice" }, { userId: "bob" }] };
  receive(live(3, "again", 1, { chatRoomId: "d" }));
  await settle();
  equal([unread(w, "d"), w.chat.rooms.get("d").lastMessage.preview, w.chat.otherIn("d")], [1, "again", "bob"]);
  await w.clock.advance(12_000); // the list is read, and has it not yet
  equal(unread(w, "d"), 1);
  w.answers["GET /rooms"] = { rooms: [room("d", { type: "dm", unread: 4, lastMessage: last(3) })] };
  await w.clock.advance(12_000);
  equal(unread(w, "d"), 4);
});

test("who has never signed in comes with the refusal", async () => {
  const w = await worldOf();
  w.answers["POST /rooms"] = new Answer(409, { code: "never_signed_in", detail: "no", neverSignedIn: ["bbo"] });
  const failure = await w.chat.createDirect("bbo", true).catch((err) => err);
  equal([failure.code, failure.users], ["never_signed_in", ["bbo"]]);
  equal(w.asked("POST /rooms")[0][2], { type: "dm", members: ["bbo"], onlySignedIn: true });
});

test("a room that is refused isn't tried again", async () => {
  const w = await worldOf();
  w.answers["POST /rooms"] = new Answer(400, { code: "invalid_request", detail: "no" });
  const failure = await w.chat.createRoom("", []).catch((err) => err);
  equal([failure.code, w.asked("POST /rooms").length], ["invalid_request", 1]);
});

test("whom a direct message is with is known from its last message, or asked once", async () => {
  const w = await worldOf(
    room("d1", { type: "dm", lastMessage: last(1, "bob") }),
    room("d2", { type: "dm", lastMessage: last(1, "alice") }),
  );
  w.answers["GET /rooms/d2"] = {
    ...room("d2", { type: "dm" }),
    memberCount: 2,
    members: [{ userId: "alice" }, { userId: "carol" }],
  };
  equal([w.chat.otherIn("d1"), w.chat.otherIn("d2"), w.chat.otherIn("d2")], ["bob", "", ""]);
  await settle();
  equal([w.chat.otherIn("d2"), w.asked("GET /rooms/d2").length], ["carol", 1]);
});

test("the list says whom a direct message is with, and no one is asked", async () => {
  const w = await worldOf(room("d", { type: "dm", with: { userId: "bob", displayName: "Bob" } }));
  equal([w.chat.otherIn("d"), w.chat.nameOf("bob")], ["bob", "Bob"]);
  await settle();
  equal([w.asked("GET /rooms/d").length, w.asked("POST /profiles").length], [0, 0]);
});

test("a room that is renamed is told, and shows in the list", async () => {
  const w = await worldOf(room("r"));
  const renamed = [];
  w.chat.on("room", (id) => renamed.push(id));
  receive({ type: "roomChanged", chatRoomId: "r", name: "R2" });
  w.answers["PATCH /rooms/r"] = room("r");
  await w.chat.renameRoom("r", "R3");
  equal([w.chat.rooms.get("r").name, renamed], ["R3", ["r", "r"]]);
});

test("who leaves is out at once, and is told once", async () => {
  const w = await worldOf(room("r"));
  const left = [];
  w.chat.on("member", ({ joined }) => left.push(joined));
  w.answers["DELETE /rooms/r/members/alice"] = new Answer(204);
  await w.chat.removeMember("r", "alice");
  receive({ type: "memberLeft", chatRoomId: "r", userId: "alice" });
  equal([w.chat.rooms.list().length, left], [0, [false]]);
});

// Public rooms and places

test("what is near is read page by page", async () => {
  const w = await worldOf();
  const near = (id) => ({ chatRoomId: id, name: id, distance: 7.5, place: { lat: 1.5, lon: -2 } });
  w.answers["GET /nearby"] = (_, query) =>
    query.has("cursor") ? { rooms: [near("b")], limited: true } : { rooms: [near("a")], cursor: "c&d" };
  const search = { lat: 1.5, lon: -2, radius: 900, limit: 1 };
  const first = await w.chat.nearby(search);
  equal([first.rooms, first.cursor, first.limited], [[near("a")], "c&d", undefined]);
  const second = await w.chat.nearby({ ...search, cursor: first.cursor });
  equal([second.rooms, second.cursor, second.limited], [[near("b")], undefined, true]);
  equal(
    w.asked("GET /nearby").map(([, path]) => path),
    ["/nearby?lat=1.5&lon=-2&radius=900&limit=1", "/nearby?lat=1.5&lon=-2&radius=900&limit=1&cursor=c%26d"],
  );
});

test("a room that is joined is listed at once, though the list lags", async () => {
  const w = await worldOf();
  w.answers["POST /rooms/p/join"] = new Answer(201, { ...room("p"), memberCount: 3, visibility: "public" });
  await w.chat.join("p");
  w.answers["GET /rooms"] = { rooms: [] };
  await w.chat.refreshRooms();
  equal(
    w.chat.rooms.list().map((r) => [r.chatRoomId, r.name]),
    [["p", "p"]],
  );
});

test("a room that can't be joined isn't listed", async () => {
  const w = await worldOf();
  w.answers["POST /rooms/p/join"] = new Answer(403, { code: "not_a_member", detail: "no" });
  const failure = await w.chat.join("p").catch((err) => err);
  equal([failure.code, w.chat.rooms.list()], ["not_a_member", []]);
});

test("an owner makes a room public, and places it", async () => {
  const w = await worldOf(room("r"));
  const told = [];
  w.chat.on("room", (id) => told.push(id));
  w.answers["PATCH /rooms/r"] = { ...room("r"), visibility: "public" };
  w.answers["PUT /rooms/r/place"] = (place) => ({ ...place, lat: 52.52 });
  w.answers["DELETE /rooms/r/place"] = new Answer(204);
  await w.chat.share("r", "public");
  const place = { lat: 52.520000001, lon: 13.4, address: "Mitte" };
  equal(await w.chat.place("r", place), { ...place, lat: 52.52 });
  await w.chat.unplace("r");
  equal(
    w.requests.slice(-3).map(([method, path, body]) => [method, path, body]),
    [
      ["PATCH", "/rooms/r", { visibility: "public" }],
      ["PUT", "/rooms/r/place", place],
      ["DELETE", "/rooms/r/place", undefined],
    ],
  );
  equal(told, ["r", "r", "r"]);
});

test("a message that comes twice around the opening of its room is told once", async () => {
  const w = await worldOf(room("r", { lastMessage: last(1) }));
  receive(live(2, "b", 1));
  w.answers["GET /rooms/r/messages"] = { messages: [stored(2, "b"), stored(1, "a")] };
  const opened = w.chat.open("r");
  receive(live(2, "b", 1)); // before the page is there
  await opened;
  receive(live(2, "b", 1));
  equal([w.events, w.contents("r"), unread(w)], [["b"], "a b", 1]);
});
