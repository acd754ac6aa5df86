// Runs docs/vectors/refresh.json, whose README says what its fields mean, against
// lib/freshness.js. client/freshness_test.go runs them, too.

import { Freshness } from "../lib/freshness.js";
import { equal, test } from "./check.js";
import { FakeClock, START } from "./fakes.js";

/** A time of a vector; none is 0. */
const timeOf = (seconds) => (seconds === undefined ? 0 : START + seconds * 1000);

async function run({ steps }) {
  const clock = new FakeClock();
  let got = [];
  let listed = 0;
  const fresh = new Freshness(clock, (rooms) => got.push(`refresh ${rooms.toSorted().join(" ")}`));
  /** What each kind of step does. */
  const inputs = {
    frame: ({ type, room, time }) => fresh.came({ type, chatRoomId: room, timestamp: timeOf(time) }),
    answer: ({ time }) => {
      listed = Math.max(listed, timeOf(time));
    },
    reconnect: ({ changedAt }) => {
      fresh.renewed();
      fresh.isNews(timeOf(changedAt), listed);
    },
    pong: ({ changedAt }) => {
      const news = fresh.isNews(timeOf(changedAt), listed);
      if (fresh.isStale()) {
        fresh.renewed();
        got.push("reconnect");
      } else if (news) got.push("refresh all");
      else fresh.wakes();
    },
    slept: () => fresh.sleeps(),
    time: () => {},
  };
  for (const [i, step] of steps.entries()) {
    if (step.at !== undefined) await clock.advance(timeOf(step.at) - clock.now());
    const input = inputs[step.in];
    if (!input) throw new Error(`unknown input ${step.in}`);
    input(step);
    equal(got, step.out ?? [], `step ${i}, ${step.in}:`);
    got = [];
  }
}

/** @param {any[]} vectors */
export function addRefresh(vectors) {
  for (const vector of vectors) test(vector.name, () => run(vector));
}
