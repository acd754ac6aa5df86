// Tests of what one is notified of, and of subscriptions to pushes.

import { equal, test } from "./check.js";
import { Answer, FakeSocket, START, World } from "./fakes.js";

const listed = { chatRoomId: "r", name: "Tea", type: "group", lastMessageAt: START, unread: 0 };
const changed = (notify, at) => FakeSocket.last.receive({ type: "notifyChanged", chatRoomId: "r", notify, at });

/** A client whose list has a room, and what it has told of what the user is notified of. */
async function worldOf(room) {
  const w = new World();
  w.answers["GET /rooms"] = { rooms: [{ ...listed, ...room }] };
  w.answers["GET /rooms/r"] = { ...listed, memberCount: 2, role: "member", members: [] };
  await w.connect();
  w.told = [];
  w.chat.on("notify", (room) => w.told.push([room, w.chat.notifyOf(room)]));
  return w;
}

test("what one is notified of is the newest of lists, rooms, frames and answers", async () => {
  const w = await worldOf({ notify: "mentions", notifyAt: 5 });
  equal([w.chat.notifyOf("r"), w.chat.notifyOf("another")], ["mentions", "all"]);
  changed("none", 7);
  changed("all", 6);
  await w.chat.refreshRooms(); // from before the frame
  await w.chat.room("r");
  equal([w.chat.notifyOf("r"), w.told], ["none", [["r", "none"]]]);
  Object.assign(w.answers["GET /rooms/r"], { notifyAt: 8 });
  await w.chat.room("r");
  equal([w.chat.notifyOf("r"), w.told.length], ["all", 2]);
  w.answers["GET /rooms"].rooms[0].notifyAt = 9;
  await w.chat.refreshRooms();
  equal(w.chat.notifyOf("r"), "mentions");
  w.answers["PUT /rooms/r/notify"] = ({ notify }) => ({ notify, notifyAt: 10 });
  await w.chat.setNotify("r", "none");
  changed("none", 10);
  equal([w.chat.notifyOf("r"), w.told.at(-1), w.told.length], ["none", ["r", "none"], 3]);
});

test("what is refused changes nothing", async () => {
  const w = await worldOf({});
  w.answers["PUT /rooms/r/notify"] = new Answer(429, { code: "rate_limited", detail: "…" });
  equal(await w.chat.setNotify("r", "none").catch((failure) => failure.code), "rate_limited");
  equal([w.chat.notifyOf("r"), w.told], ["all", []]);
});

test("a browser's subscription is handed in and taken back", async () => {
  const w = await worldOf({});
  w.answers["GET /me/push"] = new Answer(404, { code: "not_found", detail: "…" });
  equal(await w.chat.pushKey(), undefined);
  w.answers["GET /me/push"] = { publicKey: "B" };
  equal(await w.chat.pushKey(), "B");
  w.answers["PUT /me/push"] = w.answers["DELETE /me/push"] = new Answer(204);
  const keys = { p256dh: "p", auth: "a" };
  await w.chat.subscribe({ toJSON: () => ({ endpoint: "e", expirationTime: null, keys }) });
  await w.chat.unsubscribe("e");
  equal(
    ["PUT", "DELETE"].flatMap((method) => w.asked(`${method} /me/push`)).map(([method, , body]) => [method, body]),
    [
      ["PUT", { endpoint: "e", expirationTime: null, keys }],
      ["DELETE", { endpoint: "e" }],
    ],
  );
});
