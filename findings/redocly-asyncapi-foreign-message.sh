#!/usr/bin/env bash
# @redocly/cli 2.77.0, @asyncapi/parser 3.4.0.
#
# AsyncAPI 3 has an operation name messages of its channel, by references into the channel.
# A reference to the same message in components.messages is easily written, since it is what
# the channel itself refers to. Redocly calls such a description valid; AsyncAPI's own parser
# gives no document for it, so what is built on that parser (generators, Studio) refuses it.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @redocly/cli@2.77.0 @asyncapi/parser@3.4.0 >/dev/null
write() {
  cat >"$1.json" <<JSON
{
  "asyncapi": "3.0.0",
  "info": { "title": "Room", "version": "1.0.0" },
  "channels": { "room": { "address": "/", "messages": { "said": { "\$ref": "#/components/messages/said" } } } },
  "operations": {
    "hear": {
      "action": "receive",
      "channel": { "\$ref": "#/channels/room" },
      "messages": [{ "\$ref": "$2" }]
    }
  },
  "components": { "messages": { "said": { "payload": { "type": "object" } } } }
}
JSON
}
write channel "#/channels/room/messages/said"
write components "#/components/messages/said"
cat >parse.mjs <<'JS'
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";
const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
console.log(document ? "accepts" : `refuses: ${diagnostics.find((d) => d.severity === 0).message}`);
JS
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
for message in channel components; do
  npx redocly lint --extends=spec "$message.json" >/dev/null 2>&1 && linted=accepts || linted=refuses
  echo "a message of the $message: Redocly $linted; the parser $(node parse.mjs "$message.json")"
done | tee seen
diff seen - <<'EOF' && echo "as it was"
a message of the channel: Redocly accepts; the parser accepts
a message of the components: Redocly accepts; the parser refuses: Operation message does not belong to the specified channel.
EOF
