// Tests of half-open connections, and of clocks that are wrong.

import { equal, test } from "./check.js";
import { FakeSocket, live, START, settle, World } from "./fakes.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const pings = () => FakeSocket.last.actions("ping").length;

test("when the network changes the connection is checked, within seconds", async () => {
  const w = new World();
  await w.connect();
  window.dispatchEvent(new Event("offline"));
  equal(pings(), 2);
  await w.clock.advance(5_000);
  equal(w.chat.state.name, "waiting");
  window.dispatchEvent(new Event("online"));
  await settle();
  equal([w.chat.state.name, FakeSocket.all.length], ["connecting", 2]);
  w.chat.stop();
});

/** What shows that a connection may be dead, however fresh its last frame is. */
const signs = {
  "the network is back": () => window.dispatchEvent(new Event("online")),
  "the network is gone": () => window.dispatchEvent(new Event("offline")),
  "the page has the focus": () => window.dispatchEvent(new Event("focus")),
  "the page is shown again": () => window.dispatchEvent(new Event("pageshow")),
  "the page goes on": () => document.dispatchEvent(new Event("resume")),
  "wake()": (w) => w.chat.wake(),
  "the device slept": (w) => w.clock.set(w.clock.now() + HOUR),
  "the device slept shortly": (w) => w.clock.set(w.clock.now() + 10_000),
  "the clock was set back": (w) => w.clock.shift(-HOUR),
  "a send without an answer": (w) => w.chat.send("r", "a"),
};
for (const [name, sign] of Object.entries(signs)) {
  test(`a half-open connection is replaced within 15 s: ${name}`, async () => {
    const w = new World();
    await w.connect();
    await w.clock.advance(30_000);
    FakeSocket.last.receive(live(1, "just now", null));
    sign(w);
    await w.clock.advance(15_000);
    equal([FakeSocket.all.length, FakeSocket.all[0].closed], [2, true]);
  });
}

test("many signs lead to one ping, which any frame answers, and to no sync", async () => {
  const w = new World();
  await w.connect();
  await w.clock.advance(10_000); // by then the list was read once more
  const asked = w.requests.length;
  for (let i = 0; i < 10; i++) window.dispatchEvent(new Event("focus"));
  equal(pings(), 2);
  FakeSocket.last.receive({ type: "read", chatRoomId: "r", userId: "bob", upTo: "x" });
  await w.clock.advance(10_000);
  FakeSocket.last.receive({ type: "pong", userId: "alice" });
  await settle();
  equal([FakeSocket.all.length, w.requests.length], [1, asked], "sockets, requests");
});

test("without a sign the next regular ping finds a dead connection; its interval is a setting", async () => {
  const w = new World({ pingEvery: MINUTE });
  await w.connect();
  await w.clock.advance(MINUTE + 9_000);
  equal(FakeSocket.all.length, 1);
  await w.clock.advance(2_000);
  equal(FakeSocket.all.length, 2);
});

/** A token of an hour, issued `seconds` after the start. */
const hourToken = (seconds) => {
  const iat = START / 1000 + seconds;
  return `e30.${btoa(JSON.stringify({ iat, exp: iat + 3600 })).replaceAll("=", "")}.e30`;
};

for (const hours of [-3, 0, 3]) {
  test(`a clock that is ${hours} h off costs neither connections nor tokens`, async () => {
    const w = new World();
    w.clock.set(START + hours * HOUR);
    w.token = () => hourToken((w.clock.now() - START - hours * HOUR) / 1000);
    await w.connect();
    for (let minute = 0; minute < 42; minute += 0.25) {
      await w.chat.displayName().catch(() => {});
      await w.clock.advance(MINUTE / 4);
      if (pings() > 1) FakeSocket.last.receive({ type: "pong", userId: "alice" });
    }
    equal([FakeSocket.all.length, w.tokens], [1, 1], "sockets, tokens");
    await w.clock.advance(18 * MINUTE);
    equal(w.tokens, 2, "tokens after an hour");
    w.chat.stop();
  });
}

test("the Date of an answer tells a token's end on a clock that is 50 minutes ahead", async () => {
  const w = new World();
  const server = () => w.clock.now() - 50 * MINUTE;
  w.clock.set(START + 50 * MINUTE);
  w.token = () => hourToken((server() - START) / 1000);
  w.date = () => new Date(server()).toUTCString();
  await w.chat.refreshRooms();
  await w.connect();
  for (let minute = 0; minute < 42; minute++) {
    await w.chat.refreshRooms();
    await w.clock.advance(MINUTE);
    FakeSocket.last.receive({ type: "pong", userId: "alice" });
  }
  equal([FakeSocket.all.length, w.tokens], [1, 1], "sockets, tokens");
});
