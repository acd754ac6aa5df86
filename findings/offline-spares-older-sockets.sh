#!/usr/bin/env bash
# Chromium 156.0.8078.108 over the DevTools protocol, by ws 8.18.3.
#
# Network.emulateNetworkConditions with offline: true fails each fetch, and has
# navigator.onLine say false. A WebSocket that was opened before Network.enable goes on
# working all the same, and no close or error is reported: a test of a chat that loses its
# network passes although nothing was lost. Enable the domain before the socket opens.
#
# Needs Chromium: chromium-headless-shell, chromium or google-chrome, or CHROMIUM=path.
set -euo pipefail
chromium=${CHROMIUM:-$(command -v chromium-headless-shell || command -v chromium || command -v google-chrome)} ||
  { echo "install Chromium, or say where it is: CHROMIUM=/path/to/it $0" >&2; exit 1; }
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund ws@8.18.3 >/dev/null
cat > main.mjs <<'JS'
import { spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import WebSocket, { WebSocketServer } from "ws";

const server = http.createServer((_, answer) => answer.end("<title>page</title>"));
new WebSocketServer({ server }).on("connection", (s) => s.on("message", (m) => s.send(String(m))));
server.listen(0, "127.0.0.1");
await once(server, "listening");
const site = `127.0.0.1:${server.address().port}`;

const [, , program, profile] = process.argv;
const browser = spawn(program, ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", `--user-data-dir=${profile}`]);
let address;
for await (const said of browser.stderr) if ((address = /ws:\/\/\S+/.exec(String(said))?.[0])) break;
const devtools = new WebSocket(address);
await once(devtools, "open");
const answers = new Map();
devtools.on("message", (data) => {
  const { id, result } = JSON.parse(data);
  answers.get(id)?.(result);
});
let calls = 0;
const call = (method, params = {}, sessionId = undefined) =>
  new Promise((done) => {
    answers.set(++calls, done);
    devtools.send(JSON.stringify({ id: calls, method, params, sessionId }));
  });

for (const early of [true, false]) {
  const { targetId } = await call("Target.createTarget", { url: `http://${site}/` });
  const { sessionId } = await call("Target.attachToTarget", { targetId, flatten: true });
  const run = async (expression) =>
    (await call("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true }, sessionId)).result.value;
  while (!(await run(`location.host === "${site}" && document.readyState === "complete"`)));
  if (early) await call("Network.enable", {}, sessionId);
  await run(`new Promise((done) => {
    globalThis.echoes = 0;
    globalThis.socket = new WebSocket("ws://${site}");
    socket.onmessage = () => echoes++;
    socket.onopen = () => done();
  })`);
  if (!early) await call("Network.enable", {}, sessionId);
  const conditions = { offline: true, latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
  await call("Network.emulateNetworkConditions", conditions, sessionId);
  await run(`socket.readyState === 1 && socket.send("hello")`);
  await new Promise((done) => setTimeout(done, 2_000));
  const fetched = await run(`fetch("/").then(() => "works", () => "fails")`);
  const echoes = await run("echoes");
  console.log(`Network.enable ${early ? "before" : "after"} the socket: fetch ${fetched}, onLine ${await run("navigator.onLine")}, echoes ${echoes}`);
}
await Promise.all([once(browser, "exit"), call("Browser.close")]);
process.exit();
JS
node main.mjs "$chromium" "$dir/profile" | tee seen
diff seen - <<'EOF' && echo "as it was"
Network.enable before the socket: fetch fails, onLine false, echoes 0
Network.enable after the socket: fetch fails, onLine false, echoes 1
EOF
