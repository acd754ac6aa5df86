// What an application that is written in TypeScript uses of the package: .ci/package
// compiles it with --strict.
import {
  type Failure,
  findMentions,
  type Message,
  type Options,
  type Outgoing,
  type Report,
  type RoomSummary,
  type Standing,
  Streamroom,
} from "@streamroom/client";

const options: Options = {
  apiURL: "https://api.example.com",
  webSocketURL: "wss://ws.example.com/prod",
  token: async () => "a token",
};
const chat = new Streamroom(options);
const stop: () => void = chat.on("message", (message) => {
  const content: string | undefined = message.content;
  const sent: number = message.timestamp;
  console.log(content, sent, message.replyTo?.preview, message.mentions?.length);
});
chat.on("typing", (room) => console.log(chat.typingIn(room).join(", ")));
chat.on("presence", () => console.log(chat.presenceOf("bob")?.online));
chat.on("failure", (failure: Failure) => console.error(failure.code, failure.retryAfter));
chat.start();
await chat.open("general");
const { messages, outgoing, hasOlder } = chat.timeline("general");
const held: readonly Message[] = messages;
const answered: Message | undefined = held.at(-1);
const going: Outgoing = chat.send("general", "@bob, tea?", [], answered, ["bob"]);
if (answered) await chat.react(answered, "👍");
const counts: number[] = answered ? chat.reactionsOf(answered).map(({ count }) => count) : [];
const standing: Standing | undefined = chat.standing("general");
if (standing?.role !== "member") await chat.mute("general", "bob", chat.now + 600_000);
const { bans, cursor } = await chat.bans("general");
const reasons: (string | undefined)[] = bans.map(({ reason }) => reason);
if (answered) await chat.report("general", answered.messageId, "spam");
const { reports } = await chat.reports("general");
const reported: string[] = reports.map((report: Report) => report.messageId);
for (const messageId of reported) await chat.dismissReports("general", messageId);
const rooms: RoomSummary[] = chat.rooms.list();
console.log(
  outgoing.length,
  hasOlder,
  going.status,
  going.retryAt,
  counts,
  rooms[0]?.unread,
  findMentions.length,
  reasons,
  cursor,
);
stop();
chat.stop();

// @ts-expect-error there is no such event
chat.on("nonsense", () => {});
// @ts-expect-error a room's id is a text
chat.timeline(7);
// @ts-expect-error the URLs are required
new Streamroom({ token: async () => "a token" });
