#!/usr/bin/env bash
# oapi-codegen v2.8.2, ogen v1.24.0, openapi-typescript 7.9.1.
#
# In OpenAPI each kind of component has names of its own, so a parameter and a
# schema may both be called Member. oapi-codegen refuses to generate types for
# such a description; ogen and openapi-typescript generate from the same file.
set -euo pipefail
dir=$(mktemp -d); trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT; cd "$dir"
cat > api.json <<'JSON'
{"openapi": "3.0.3", "info": {"title": "rooms", "version": "1"},
 "paths": {"/members": {"get": {"operationId": "getMember",
  "parameters": [{"$ref": "#/components/parameters/Member"}],
  "responses": {"200": {"description": "ok", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Member"}}}}}}}},
 "components": {
  "parameters": {"Member": {"name": "userId", "in": "query", "schema": {"type": "string"}}},
  "schemas": {"Member": {"type": "object", "properties": {"userId": {"type": "string"}}}}}}
JSON
go mod init finding >/dev/null 2>&1
{
  if go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -generate types -package p api.json >log 2>&1; then
    echo 'oapi-codegen generates'
  else
    grep -o "duplicate typename 'Member' detected" log
  fi
  go run github.com/ogen-go/ogen/cmd/ogen@v1.24.0 --target out --clean api.json >/dev/null 2>&1 && echo 'ogen generates'
  npx --yes openapi-typescript@7.9.1 api.json 2>/dev/null | grep -q 'components\["schemas"\]\["Member"\]' && echo 'openapi-typescript generates'
} | tee seen
diff seen - <<'SEEN' && echo 'still so'
duplicate typename 'Member' detected
ogen generates
openapi-typescript generates
SEEN
