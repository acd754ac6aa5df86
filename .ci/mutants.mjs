// Breaks one rule of shared/chat after another, and runs the package's own tests, which
// have to fail each time: a rule without a test beside it would be changed unnoticed.
//
//   node .ci/mutants.mjs [FILE…]      those of some files, such as notify.go, only
//
// Nothing of the tree is changed: go builds what is in an overlay instead. Needs Node.js.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";

const folder = "shared/chat";

// A rule that no longer holds, its file, and what is there instead of what.
const mutants = [
  [
    "everyone sees who is online in a room",
    "presence.go",
    "if _, _, err := p.rooms.authorize(ctx, roomID, userID); err != nil {",
    "if err := error(nil); err != nil {",
  ],
  [
    "those who are offline are counted as online",
    "presence.go",
    "if seen[m.UserID].Online {",
    "if !seen[m.UserID].Online {",
  ],
  [
    "who hides their presence shows it",
    "presence.go",
    "HidePresence(ctx, userID, hidden, ",
    "HidePresence(ctx, userID, !hidden, ",
  ],
  ["every message notifies of mentions only", "notify.go", "n == NotifyMentions && mentioned", "n == NotifyMentions"],
  ["a later choice of notifications has the same time", "notify.go", "to, s.after(was.NotifyAt)", "to, was.NotifyAt"],
  [
    "who was disconnected is told that newer connections replaced them",
    "sessions.go",
    "case c.Disconnected:",
    "case false:",
  ],
  [
    "a connection that has expired is alive for a moment",
    "sessions.go",
    "c.ExpiresAt() <= s.now().UnixMilli()",
    "c.ExpiresAt() < s.now().UnixMilli()",
  ],
  [
    "users are not noted as signed in",
    "users.go",
    "err == nil && len(signedIn) == 0",
    "err == nil && len(signedIn) != 0",
  ],
  [
    "those who have signed in count as strangers",
    "rooms.go",
    "return slices.Contains(signedIn, user)",
    "return !slices.Contains(signedIn, user)",
  ],
  ["an owner who goes has no successor", "members.go", "if leaving.Role == Owner {", "if leaving.Role != Owner {"],
  [
    "who is not muted is banned when they leave",
    "members.go",
    "!room.Public || !leaving.IsMuted(now) || ",
    "!room.Public || ",
  ],
  ["everyone adds members", "rights.go", "ToAdd:          {roles: owners}", "ToAdd:          {roles: everyMember}"],
  ["moderators act on moderators", "rights.go", "by.Role.rank() <= to.Role.rank()", "by.Role.rank() < to.Role.rank()"],
  [
    "who is muted speaks",
    "rights.go",
    "case r.voice && by.IsMuted(now):",
    "case r.voice && !by.IsMuted(now) && false:",
  ],
  [
    "everyone edits everyone's messages",
    "editing.go",
    "if m.SenderID != userID {\n\t\treturn Message{}, Errorf",
    "if false {\n\t\treturn Message{}, Errorf",
  ],
  [
    "a deleted message is edited",
    "editing.go",
    "if m.DeletedAt != 0 {\n\t\t\treturn Message{}",
    "if false {\n\t\t\treturn Message{}",
  ],
  ["a private room has a place", "places.go", "if !r.Public {\n\t\t\treturn nil", "if false {\n\t\t\treturn nil"],
  [
    "one who blocks is added to rooms",
    "blocks.go",
    "if len(blockers) > 0 {\n\t\treturn Errorf",
    "if len(blockers) < 0 {\n\t\treturn Errorf",
  ],
  ["strangers read the history", "history.go", "if !member {\n", "if member && false {\n"],
  ["a resend stores a second message", "resume.go", "if stored || recent {\n", "if recent && false {\n"],
  ["a read cursor moves back", "reading.go", "if upTo <= place.Cursor.UpTo {", "if upTo < place.Cursor.UpTo {"],
  ["what was denied is stored", "review.go", "case verdict.Deny:\n", "case verdict.Deny && false:\n"],
];

const [asked, dir] = [process.argv.slice(2), mkdtempSync(join(tmpdir(), "streamroom-mutants-"))];

function start(command, args) {
  return new Promise((ended) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (output += text));
    child.on("close", (code) => ended({ code, output }));
  });
}

// outcome says how a mutant ended: "" if a test failed by it.
async function outcome([, file, from, to], n) {
  const path = join(folder, file);
  const text = readFileSync(path, "utf8");
  if (text.split(from).length !== 2)
    return `${path} has the text ${JSON.stringify(from)} ${text.split(from).length - 1} times: want it once`;
  const [mutated, overlay] = [join(dir, `${n}.go`), join(dir, `${n}.json`)];
  writeFileSync(
    mutated,
    text.replace(from, () => to),
  );
  writeFileSync(overlay, JSON.stringify({ Replace: { [resolve(path)]: mutated } }));
  // The searches by place, which take longest, have rules of their own.
  const { code, output } = await start("go", [
    "test",
    "-overlay",
    overlay,
    "-vet=off",
    "-ldflags=-s -w",
    "-count=1",
    "-failfast",
    "-skip",
    "^TestNearby",
    `./${folder}`,
  ]);
  if (output.includes("[build failed]")) return `it does not compile:\n${output}`;
  return code === 0 ? "all tests pass" : "";
}

const waiting = mutants.map((m, n) => [m, n]).filter(([m]) => asked.length === 0 || asked.includes(m[1]));
const survivors = [];
const all = waiting.length;
await Promise.all(
  Array.from({ length: Math.min(2, availableParallelism()) }, async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const why = await outcome(...next);
      if (why) survivors.push(`${next[0][1]}: ${next[0][0]}: ${why}`);
    }
  }),
);
rmSync(dir, { recursive: true });
for (const survivor of survivors) console.error(`mutants: ${survivor}`);
if (survivors.length > 0 || all === 0) process.exit(1);
console.log(`mutants: all ${all} broken rules were found by the tests of ${folder}`);
