#!/usr/bin/env bash
# github.com/oasdiff/oasdiff v1.38.0.
#
# A request body that is closed by "additionalProperties": false refuses requests that it
# took before. oasdiff finds nothing in that: `oasdiff breaking` exits with 0, and
# `oasdiff changelog` has no entry of any level. So it is with "unevaluatedProperties" and
# with "not". It reports other new keywords ("maxProperties", "propertyNames"), and the same
# closing where it is written as a branch of "allOf".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
GOBIN=$dir go install github.com/oasdiff/oasdiff@v1.38.0 >/dev/null 2>&1
description() { # $1: more of the body's schema
  cat <<JSON
{
  "openapi": "3.1.0",
  "info": { "title": "Rooms", "version": "1.0.0" },
  "paths": { "/rooms": { "post": {
    "requestBody": { "required": true, "content": { "application/json": { "schema": {
      "type": "object", "properties": { "name": { "type": "string" } }$1
    } } } },
    "responses": { "201": { "description": "created" } }
  } } }
}
JSON
}
description '' >before.json
for added in '"additionalProperties":false' '"unevaluatedProperties":false' '"not":{"required":["owner"]}' \
  '"maxProperties":1' '"propertyNames":{"enum":["name"]}' '"allOf":[{"additionalProperties":false}]'; do
  description ", $added" >after.json
  ./oasdiff breaking --fail-on WARN before.json after.json >/dev/null && breaking=no || breaking=yes
  echo "$added: breaking: $breaking, entries in the changelog: $(./oasdiff changelog before.json after.json | grep -c ' at after.json' || true)"
done | tee seen
diff seen - <<'SEEN' && echo 'still so'
"additionalProperties":false: breaking: no, entries in the changelog: 0
"unevaluatedProperties":false: breaking: no, entries in the changelog: 0
"not":{"required":["owner"]}: breaking: no, entries in the changelog: 0
"maxProperties":1: breaking: yes, entries in the changelog: 1
"propertyNames":{"enum":["name"]}: breaking: yes, entries in the changelog: 1
"allOf":[{"additionalProperties":false}]: breaking: yes, entries in the changelog: 1
SEEN
