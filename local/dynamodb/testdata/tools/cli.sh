#!/usr/bin/env bash
# Creates, reads, queries, updates and deletes with the AWS CLI, in a transaction too, and
# reads the stream of the table, against the endpoint in DYNAMO_ENDPOINT. AWS_CLI is the
# program, aws unless set. The first fault ends it.
set -euo pipefail

export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_DEFAULT_REGION=us-east-1 AWS_PAGER=
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null

db() { "${AWS_CLI:-aws}" --endpoint-url "$DYNAMO_ENDPOINT" --output text dynamodb "$@"; }
streams() { "${AWS_CLI:-aws}" --endpoint-url "$DYNAMO_ENDPOINT" --output text dynamodbstreams "$@"; }

# same WHAT GOT WANT ends the script where the two differ. Columns are parted by tabs.
same() {
  [ "$2" = "$3" ] || { printf 'AWS CLI: %s: got %q, want %q\n' "$1" "$2" "$3" >&2; exit 1; }
}

stream=$(db create-table --table-name cli --billing-mode PAY_PER_REQUEST \
  --attribute-definitions AttributeName=pk,AttributeType=S AttributeName=sk,AttributeType=N \
  --key-schema AttributeName=pk,KeyType=HASH AttributeName=sk,KeyType=RANGE \
  --stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES \
  --query TableDescription.LatestStreamArn)
db wait table-exists --table-name cli
arn=$(db describe-table --table-name cli --query Table.TableArn)

db batch-write-item --request-items '{"cli": [
  {"PutRequest": {"Item": {"pk": {"S": "a"}, "sk": {"N": "1"}, "text": {"S": "one"}}}},
  {"PutRequest": {"Item": {"pk": {"S": "a"}, "sk": {"N": "2"}, "data": {"B": "AAE="}}}}]}' >/dev/null
db transact-write-items --transact-items '[
  {"Put": {"TableName": "cli", "Item": {"pk": {"S": "a"}, "sk": {"N": "3"}}, "ConditionExpression": "attribute_not_exists(pk)"}},
  {"Update": {"TableName": "cli", "Key": {"pk": {"S": "a"}, "sk": {"N": "1"}}, "UpdateExpression": "ADD n :n",
    "ExpressionAttributeValues": {":n": {"N": "5"}}}}]'
same 'update-item' "$(db update-item --table-name cli --key '{"pk": {"S": "a"}, "sk": {"N": "1"}}' \
  --update-expression 'SET #t = :t' --expression-attribute-names '{"#t": "text"}' \
  --expression-attribute-values '{":t": {"S": "eins"}}' --return-values ALL_NEW \
  --query 'Attributes.[text.S, n.N]')" $'eins\t5'
# The CLI shows binary values as base64.
same 'get-item' "$(db get-item --consistent-read --table-name cli --key '{"pk": {"S": "a"}, "sk": {"N": "2"}}' --query Item.data.B)" 'AAE='

# With --page-size the CLI reads page after page by itself.
same 'query' "$(db query --table-name cli --key-condition-expression 'pk = :a AND sk >= :two' --page-size 1 \
  --expression-attribute-values '{":a": {"S": "a"}, ":two": {"N": "2"}}' --no-scan-index-forward \
  --query 'Items[].sk.N')" $'3\n2'

if refusal=$(db put-item --table-name cli --item '{"pk": {"S": "a"}, "sk": {"N": "3"}}' \
  --condition-expression 'attribute_not_exists(pk)' 2>&1); then
  same 'a condition that fails' 'it is stored' 'it is refused'
fi
[[ $refusal == *ConditionalCheckFailedException* ]] || same 'a condition that fails' "$refusal" ConditionalCheckFailedException

db tag-resource --resource-arn "$arn" --tags Key=team,Value=chat
same 'list-tags-of-resource' "$(db list-tags-of-resource --resource-arn "$arn" --query 'Tags[].[Key, Value]')" $'team\tchat'
db update-time-to-live --table-name cli --time-to-live-specification Enabled=true,AttributeName=ttl >/dev/null
db update-table --table-name cli --attribute-definitions AttributeName=text,AttributeType=S \
  --global-secondary-index-updates '[{"Create": {"IndexName": "by-text", "Projection": {"ProjectionType": "ALL"},
    "KeySchema": [{"AttributeName": "text", "KeyType": "HASH"}]}}]' >/dev/null
until [ "$(db describe-table --table-name cli --query 'Table.GlobalSecondaryIndexes[].IndexStatus')" = ACTIVE ]; do :; done
same 'query an index' "$(db query --table-name cli --index-name by-text --key-condition-expression '#t = :t' \
  --expression-attribute-names '{"#t": "text"}' --expression-attribute-values '{":t": {"S": "eins"}}' \
  --query 'Items[].sk.N')" 1

events=
for shard in $(streams describe-stream --stream-arn "$stream" --query 'StreamDescription.Shards[].ShardId'); do
  iterator=$(streams get-shard-iterator --stream-arn "$stream" --shard-id "$shard" \
    --shard-iterator-type TRIM_HORIZON --query ShardIterator)
  events+=" $(streams get-records --shard-iterator "$iterator" --query 'Records[].eventName')"
done
same 'get-records' "$(xargs -n 1 <<<"$events" | sort | uniq -c | xargs)" '3 INSERT 2 MODIFY'

db delete-item --table-name cli --key '{"pk": {"S": "a"}, "sk": {"N": "3"}}'
same 'delete-item' "$(db scan --table-name cli --select COUNT --query Count)" 2
db delete-table --table-name cli >/dev/null
db wait table-not-exists --table-name cli
echo 'AWS CLI: passed'
