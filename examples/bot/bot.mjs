// Answers anyone who mentions it in a room, as the service of its token, as main.go does:
//
//   API=http://127.0.0.1:8080/api TOKEN=$(go run ./cmd/streamroom token --service bot) node examples/bot/bot.mjs
const { API, TOKEN, ROOM = "general" } = process.env;

async function call(method, path, body) {
  const headers = { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" };
  const response = await fetch(API + path, { method, headers, body: body && JSON.stringify(body) });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

const { userId } = await call("PUT", "/me", { displayName: "Bot" });
await call("POST", `/rooms/${ROOM}/members`, { userId }); // only members can be mentioned
for (let newest = "?limit=1"; ; await new Promise((done) => setTimeout(done, 1000))) {
  const { messages } = await call("GET", `/rooms/${ROOM}/messages${newest}`);
  for (const { messageId, mentions = [] } of messages) {
    newest = `?after=${messageId}`;
    if (!mentions.includes(userId)) continue;
    // One message has one answer, however often it is sent: that is what the clientMessageId is for.
    const answer = { content: "At your service!", replyTo: messageId, clientMessageId: `re-${messageId}` };
    await call("POST", `/rooms/${ROOM}/messages`, answer);
  }
}
