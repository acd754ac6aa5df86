// Tests of files: how they are uploaded, and how messages wait for them.

import { Failure } from "../lib/streamroom.js";
import { equal, test } from "./check.js";
import { Answer, FakeSocket, FakeStorage, idAt, live, START, settle, World } from "./fakes.js";

/** The bucket: each upload is answered by the test. */
class Bucket {
  posts = [];
  post = (url, form, { progress, signal }) =>
    new Promise((resolve, reject) => this.posts.push({ url, form, progress, signal, resolve, reject }));
  get last() {
    return this.posts.at(-1);
  }
}

const announced = "POST /rooms/r/attachments";

function world(storage = null, locks = null) {
  const bucket = new Bucket();
  const w = new World({ storage, locks, userId: "alice", post: bucket.post });
  let n = 0;
  w.answers[announced] = () => ({
    attachmentId: `a${++n}`,
    upload: { url: "http://bucket/", fields: { key: `pending/r/a${n}`, policy: "p" } },
    expiresAt: START + 600_000,
  });
  return { w, bucket };
}

const file = (name = "tea.png", type = "image/png", text = "12345") => new File([text], name, { type });
const outgoing = (w) => w.chat.timeline("r").outgoing.map((o) => [o.content, o.status]);
const sends = () => FakeSocket.last.actions("sendMessage");
const ack = (frame, seconds) =>
  FakeSocket.last.receive({
    type: "ack",
    chatRoomId: "r",
    messageId: idAt(seconds),
    timestamp: START + seconds * 1000,
    clientMessageId: frame.clientMessageId,
  });

test("a file is announced and uploaded with its progress, its form's fields before it", async () => {
  const { w, bucket } = world();
  await w.connect();
  const seen = [];
  w.chat.on("upload", ({ status, sent }) => seen.push([status, sent]));
  const upload = w.chat.attach("r", file(), { width: 4, height: 3 });
  await settle();
  equal(w.asked(announced)[0][2], { name: "tea.png", contentType: "image/png", size: 5, width: 4, height: 3 });
  equal(
    [...bucket.last.form.keys()].map((name) => [name, name === "file" ? "" : bucket.last.form.get(name)]),
    [
      ["key", "pending/r/a1"],
      ["policy", "p"],
      ["file", ""],
    ],
  );
  bucket.last.progress(3);
  bucket.last.progress(400); // what is around the file counts, too
  bucket.last.resolve(204);
  await settle();
  equal(seen, [
    ["uploading", 0],
    ["uploading", 3],
    ["uploading", 5],
    ["uploaded", 5],
  ]);
  equal(upload.attachmentId, "a1");
});

test("a message waits for its files, and later ones don't wait for it", async () => {
  const { w, bucket } = world();
  await w.connect();
  await w.open("r");
  w.chat.send("r", "", [w.chat.attach("r", file())]);
  w.chat.send("r", "text");
  equal(outgoing(w), [
    ["", "waiting"],
    ["text", "sending"],
  ]);
  ack(sends()[0], 1);
  await settle();
  bucket.last.resolve(204);
  await settle();
  equal([sends().length, sends()[1].attachments, sends()[1].content], [2, ["a1"], ""]);
  ack(sends()[1], 2);
  await settle();
  const [, message] = w.chat.timeline("r").messages;
  equal(message.attachments, [
    { attachmentId: "a1", name: "tea.png", contentType: "image/png", size: 5, width: undefined, height: undefined },
  ]);
});

test("a message without content or files is refused, and one with blanks beside files", async () => {
  const { w } = world();
  await w.connect();
  for (const [content, files] of [
    ["", []],
    [" ", [w.chat.attach("r", file())]],
  ]) {
    let code = "";
    try {
      w.chat.send("r", content, files);
    } catch (err) {
      code = err.code;
    }
    equal(code, "invalid_request");
  }
});

test("two files are uploaded at a time", async () => {
  const { w, bucket } = world();
  await w.connect();
  for (let i = 0; i < 3; i++) w.chat.attach("r", file());
  await settle();
  equal(bucket.posts.length, 2);
  bucket.posts[0].resolve(204);
  await settle();
  equal(bucket.posts.length, 3);
});

test("an upload waits for a connection, and is tried again after one was lost", async () => {
  const { w, bucket } = world();
  const upload = w.chat.attach("r", file());
  await settle();
  equal([w.asked(announced).length, upload.status], [0, "waiting"]);
  await w.connect();
  FakeSocket.last.lose();
  bucket.last.reject(new Failure("network", ""));
  await settle();
  equal([upload.status, upload.sent], ["waiting", 0]);
  await w.clock.advance(60_000);
  await w.up();
  equal([upload.status, bucket.posts.length, w.asked(announced).length], ["uploading", 2, 2]);
  bucket.last.resolve(204);
  await settle();
  equal([upload.status, upload.attachmentId], ["uploaded", "a2"]);
});

test("an upload that gets no further is given up and tried again", async () => {
  const { w, bucket } = world();
  await w.connect();
  const upload = w.chat.attach("r", file());
  await settle();
  const [first] = bucket.posts;
  await w.clock.advance(50_000);
  first.progress(3);
  await w.clock.advance(50_000);
  equal([upload.status, upload.sent, first.signal.aborted], ["uploading", 3, false]);
  await w.clock.advance(20_000);
  equal([upload.status, upload.sent, first.signal.aborted, bucket.posts.length], ["uploading", 0, true, 2]);
  first.resolve(204); // too late
  await settle();
  equal(upload.status, "uploading");
  bucket.last.resolve(204);
  await settle();
  equal([upload.status, upload.attachmentId], ["uploaded", "a2"]);
  await w.clock.advance(120_000);
  equal([upload.status, bucket.posts.length], ["uploaded", 2]);
});

test("a picture's size may come late, and the upload waits for it", async () => {
  const { w, bucket } = world();
  await w.connect();
  let known;
  const upload = w.chat.attach("r", file(), new Promise((resolve) => (known = resolve)));
  w.chat.send("r", "see", [upload]);
  await settle();
  equal([w.asked(announced).length, outgoing(w)], [0, [["see", "waiting"]]]);
  known({ width: 4, height: 3 });
  await settle();
  bucket.last.resolve(204);
  await settle();
  equal([w.asked(announced)[0][2].width, upload.height, outgoing(w)], [4, 3, [["see", "sending"]]]);
});

test("a form that is refused as too old is asked for again", async () => {
  const { w, bucket } = world();
  await w.connect();
  const upload = w.chat.attach("r", file());
  await settle();
  bucket.last.resolve(403);
  await w.clock.advance(10_000);
  equal(w.asked(announced).length, 2);
  bucket.last.resolve(204);
  await settle();
  equal(upload.status, "uploaded");
});

test("what the server never takes fails at once, and its message with it", async () => {
  const { w } = world();
  w.answers[announced] = new Answer(413, { code: "too_large", detail: "invalid size" });
  await w.connect();
  const upload = w.chat.attach("r", file());
  w.chat.send("r", "see", [upload]);
  await settle();
  equal([upload.status, upload.failure.code, outgoing(w)], ["failed", "too_large", [["see", "failed"]]]);
  equal(w.asked(announced).length, 1);
});

test("retrying a message tries its failed files again", async () => {
  const { w, bucket } = world();
  const good = w.answers[announced];
  w.answers[announced] = new Answer(413, { code: "too_large", detail: "" });
  await w.connect();
  const { clientMessageId } = w.chat.send("r", "see", [w.chat.attach("r", file())]);
  await settle();
  w.answers[announced] = good;
  w.chat.retry(clientMessageId);
  await settle();
  bucket.last.resolve(204);
  await settle();
  equal([outgoing(w), sends()[0].attachments], [[["see", "sending"]], ["a1"]]);
});

test("what is cancelled or discarded is not uploaded on", async () => {
  const { w, bucket } = world();
  await w.connect();
  const first = w.chat.attach("r", file());
  const { clientMessageId } = w.chat.send("r", "", [w.chat.attach("r", file())]);
  await settle();
  w.chat.detach(first);
  w.chat.discard(clientMessageId);
  equal(
    bucket.posts.map(({ signal }) => signal.aborted),
    [true, true],
  );
  bucket.posts[0].resolve(204);
  await settle();
  equal([first.attachmentId, sends().length], [undefined, 0]);
});

test("after a reload a message goes out with what was uploaded", async () => {
  const storage = new FakeStorage();
  const before = world(storage);
  await before.w.connect();
  const { clientMessageId } = before.w.chat.send("r", "see", [before.w.chat.attach("r", file())]);
  await settle();
  FakeSocket.last.lose();
  before.bucket.last.resolve(204);
  await settle();
  const { w } = world(storage);
  await w.connect();
  equal([sends()[0].attachments, sends()[0].clientMessageId], [["a1"], clientMessageId]);
});

test("after a reload a message says which files must be attached again, and is not sent without them", async () => {
  const storage = new FakeStorage();
  const before = world(storage);
  await before.w.connect();
  before.w.chat.send("r", "see", [before.w.chat.attach("r", file("one")), before.w.chat.attach("r", file("two"))]);
  await settle();
  before.bucket.posts[0].resolve(204);
  await settle();
  const { w } = world(storage);
  await w.connect();
  const [{ failure, clientMessageId }] = w.chat.timeline("r").outgoing;
  equal(
    [failure.code, failure.message],
    ["attach_again", "The page was left before “two” was uploaded: attach it again."],
  );
  w.chat.retry(clientMessageId);
  await settle();
  equal([sends().length, outgoing(w)], [0, [["see", "failed"]]]);
});

/** navigator.locks, of which the test says when a lock that is held ends. */
class FakeLocks {
  waiting = new Map();
  held = new Set();
  request(name, call) {
    if (!this.held.has(name)) {
      this.held.add(name);
      return Promise.resolve(call());
    }
    return new Promise((resolve) => this.waiting.set(name, () => resolve(call())));
  }
  /** A tab is closed. */
  close() {
    for (const end of this.waiting.values()) end();
  }
}

test("a message whose files another tab uploads is left to that tab while it lives", async () => {
  const storage = new FakeStorage();
  const locks = new FakeLocks();
  const first = world(storage, locks);
  first.w.chat.start();
  first.w.chat.send("r", "see", [first.w.chat.attach("r", file("one"))]);
  const { w } = world(storage, locks);
  await w.connect();
  equal([outgoing(w), w.chat.unsentAnywhere], [[], 1]);
  locks.close();
  await settle();
  equal(w.chat.timeline("r").outgoing[0].failure.code, "attach_again");
});

test("files come with messages, show in the list of rooms, and go with a deletion", async () => {
  const { w } = world();
  w.answers["GET /rooms"] = { rooms: [{ chatRoomId: "r", name: "r", type: "group", lastMessageAt: START }] };
  await w.connect();
  await w.open("r");
  const attachments = [{ attachmentId: "a9", name: "b.pdf", contentType: "application/pdf", size: 9 }];
  FakeSocket.last.receive(live(1, "", null, { attachments }));
  await settle();
  equal(w.chat.timeline("r").messages[0].attachments, attachments);
  equal(w.chat.rooms.get("r").lastMessage.attachments, 1);
  FakeSocket.last.receive({ ...live(1, "edited"), type: "messageEdited", editedAt: START + 5000, attachments });
  await settle();
  equal(w.chat.timeline("r").messages[0].attachments, attachments);
  FakeSocket.last.receive({ ...live(1), type: "messageDeleted", deletedAt: START + 6000 });
  await settle();
  equal(
    [w.chat.timeline("r").messages[0].attachments, w.chat.rooms.get("r").lastMessage.attachments],
    [undefined, undefined],
  );
});

test("a file's own name is taken over from the server", async () => {
  const { w, bucket } = world();
  await w.connect();
  await w.open("r");
  w.chat.send("r", "", [w.chat.attach("r", file("a:b.png"))]);
  await settle();
  bucket.last.resolve(204);
  await settle();
  const [frame] = sends();
  ack(frame, 1);
  const attachments = [{ attachmentId: "a1", name: "a_b.png", contentType: "image/png", size: 5 }];
  FakeSocket.last.receive(
    live(1, "", null, { senderId: "alice", clientMessageId: frame.clientMessageId, attachments }),
  );
  await settle();
  equal(w.chat.timeline("r").messages[0].attachments[0].name, "a_b.png");
});

test("a link is asked for as a page can follow it", async () => {
  const { w } = world();
  await w.connect();
  w.answers["GET /rooms/r/attachments/a1"] = { url: "http://bucket/x", expiresAt: START + 300_000 };
  equal(await w.chat.linkTo("r", "a1"), { url: "http://bucket/x", expiresAt: START + 300_000 });
  equal(w.requests.at(-1)[1], "/rooms/r/attachments/a1?redirect=false");
});
