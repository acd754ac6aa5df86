#!/usr/bin/env bash
# aws-sdk-go-v2 v1.47.7, service/dynamodb v1.73.1, service/sqs v1.52.10.
#
# With AWS_NEW_RETRIES_2026=true in the environment the DynamoDB client sends a
# failing request four times instead of three, with far shorter pauses; SQS still
# sends it three times. A budget of requests or time that was measured without the
# variable no longer holds with it, and nothing in the code shows that. A
# transaction that met another one is not sent again either way.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
cat > main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

func main() {
	for _, answer := range []struct {
		status int
		kind   string
	}{{500, "InternalServerError"}, {400, "ThrottlingException"}, {400, "TransactionCanceledException"}} {
		requests := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			requests++
			w.Header().Set("Content-Type", "application/x-amz-json-1.0")
			w.WriteHeader(answer.status)
			_, _ = fmt.Fprintf(w, `{"__type":"com.amazonaws.dynamodb.v20120810#%s"}`, answer.kind)
		}))
		who := credentials.NewStaticCredentialsProvider("id", "secret", "")
		table := dynamodb.New(dynamodb.Options{Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: who})
		_, _ = table.GetItem(context.Background(), &dynamodb.GetItemInput{
			TableName: aws.String("t"), Key: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "a"}},
		})
		fmt.Printf("%s: DynamoDB %d requests", answer.kind, requests)
		requests = 0
		queue := sqs.New(sqs.Options{Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: who})
		_, _ = queue.ReceiveMessage(context.Background(), &sqs.ReceiveMessageInput{QueueUrl: &server.URL})
		fmt.Printf(", SQS %d\n", requests)
		server.Close()
	}
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/aws/aws-sdk-go-v2@v1.47.7 github.com/aws/aws-sdk-go-v2/credentials@v1.20.15 \
  github.com/aws/aws-sdk-go-v2/service/dynamodb@v1.73.1 github.com/aws/aws-sdk-go-v2/service/sqs@v1.52.10 >/dev/null 2>&1
go build -o run .
{ echo unset; env -u AWS_NEW_RETRIES_2026 ./run; echo set; AWS_NEW_RETRIES_2026=true ./run; } | tee seen
diff seen - <<'SEEN' && echo 'still so'
unset
InternalServerError: DynamoDB 3 requests, SQS 3
ThrottlingException: DynamoDB 3 requests, SQS 3
TransactionCanceledException: DynamoDB 1 requests, SQS 1
set
InternalServerError: DynamoDB 4 requests, SQS 3
ThrottlingException: DynamoDB 4 requests, SQS 3
TransactionCanceledException: DynamoDB 1 requests, SQS 1
SEEN
