// Tests of what dialogs take of what is typed.

import { Refusal, typed } from "../app/ui/dialogs.js";
import { equal, test } from "./check.js";

test("what is typed may have as many characters as the server takes", () => {
  // Code points, as checkName in shared/chat/names.go counts.
  const input = (value) => ({ value, dataset: { most: "4" } });
  for (const text of ["", "Team", "🎉🎉🎉🎉", "𠮷𠮷𠮷𠮷", "e\u0301e\u0301"]) equal(typed(input(` ${text} \n`)), text);
  for (const [text, said] of [
    ["Teams", "That is 1 character too long."],
    ["👩\u200d👩\u200d👧", "That is 1 character too long."],
    ["🎉🎉🎉🎉🎉🎉", "That is 2 characters too long."],
  ]) {
    const from = input(text);
    try {
      typed(from);
    } catch (err) {
      equal([err instanceof Refusal, err.message, err.where === from], [true, said, true]);
      continue;
    }
    throw new Error(`${text} is taken`);
  }
});
