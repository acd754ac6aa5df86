// Says hello in a room of `streamroom local`:
//   node --experimental-websocket example.mjs http://127.0.0.1:8080
import { Streamroom } from "@streamroom/client";

const server = globalThis.process?.argv[2] ?? new URL(location.href).searchParams.get("server");
const chat = new Streamroom({
  apiURL: `${server}/api`,
  webSocketURL: `${server.replace(/^http/, "ws")}/local`,
  async token() {
    const headers = { "Content-Type": "application/json" };
    const response = await fetch(`${server}/token`, { method: "POST", headers, body: '{"user":"alice"}' });
    return (await response.json()).token;
  },
});
chat.on("message", ({ senderId, content }) => {
  console.log(`${senderId}: ${content}`);
  chat.stop();
});
chat.start();
await chat.open("general");
chat.send("general", "Hello from a package");
