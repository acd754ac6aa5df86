// Runs docs/vectors/lists.json, whose README says what its fields mean, against
// lib/listing.js and lib/rooms.js. client/lists_test.go runs them, too.

import { Listing } from "../lib/listing.js";
import { RoomList } from "../lib/rooms.js";
import { equal, test } from "./check.js";

const roomOf = (text) => {
  const [chatRoomId, at, ...name] = text.split(" ");
  return { chatRoomId, name: name.join(" "), type: "group", lastMessageAt: Number(at) };
};

/** The rooms of a page: those that are named, and some of x000 to x149. */
function pageOf({ rooms = [], range: [from, to] = [0, 0], without }) {
  const numbers = Array.from({ length: to - from }, (_, i) => from + i);
  const more = numbers.map((n) => `x${String(n).padStart(3, "0")} ${1000 - n}`);
  return [...rooms, ...more.filter((text) => text.split(" ")[0] !== without)].map(roomOf);
}

function run({ steps, final }) {
  const listing = new Listing();
  for (const [i, step] of steps.entries()) {
    equal([listing.done, listing.next ?? "first"], [false, step.page], `before page ${i}:`);
    listing.page(pageOf(step), step.next || undefined);
  }
  equal(listing.done, true, "done");
  const list = new RoomList();
  list.replace(listing.rooms, 0);
  const got = list.list().map(({ chatRoomId, lastMessageAt, name }) => `${chatRoomId} ${lastMessageAt} ${name}`.trim());
  equal(Array.isArray(final) ? got : { count: got.length, first: got[0], last: got.at(-1) }, final, "at the end");
}

/** @param {any[]} vectors */
export function addLists(vectors) {
  for (const vector of vectors) test(vector.name, () => run(vector));
}
