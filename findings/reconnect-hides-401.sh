#!/usr/bin/env bash
# reconnecting-websocket 4.4.0 and partysocket 1.3.0 with ws 8.18.3.
#
# A handshake that the server refuses with 401 closes a WebSocket with 1006, not
# clean. Both reconnecting wrappers report it to onclose as 1000 with an empty
# reason, clean: an application that stops on an abnormal close and renews its
# token takes the refusal for a normal end.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund ws@8.18.3 reconnecting-websocket@4.4.0 partysocket@1.3.0 >/dev/null
cat > run.cjs <<'JS'
const http = require("http");
const { WebSocket } = require("ws");
const server = http.createServer();
server.on("upgrade", (_, socket) =>
  socket.end("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
const once = { WebSocket, maxRetries: 0, minReconnectionDelay: 10, maxReconnectionDelay: 20 };
server.listen(0, "127.0.0.1", async () => {
  const url = `ws://127.0.0.1:${server.address().port}`;
  const makers = {
    ws: () => new WebSocket(url),
    "reconnecting-websocket": () => new (require("reconnecting-websocket"))(url, [], once),
    partysocket: () => new (require("partysocket/ws").default)(url, [], once),
  };
  for (const [name, make] of Object.entries(makers)) {
    await new Promise((done) => {
      const socket = make();
      socket.onerror = () => {};
      socket.onclose = (e) => {
        console.log(`${name}: close ${e.code}, clean ${e.wasClean}`);
        done();
      };
    });
  }
  process.exit();
});
JS
node run.cjs | tee seen
diff seen - <<'SEEN' && echo 'still so'
ws: close 1006, clean false
reconnecting-websocket: close 1000, clean true
partysocket: close 1000, clean true
SEEN
