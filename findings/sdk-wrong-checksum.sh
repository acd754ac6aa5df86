#!/usr/bin/env bash
# aws-sdk-go-v2 v1.47.7, service/dynamodb v1.73.1.
#
# DynamoDB sends the CRC-32 of each answer, and the SDK compares it with what it
# has read. The comparison is made when the body is closed, after the answer has
# been decoded: an answer with a wrong checksum is returned as any other, without
# an error and without a retry. All that tells of it is a log line about the reuse
# of connections.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
cat > main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/logging"
)

const body = `{"TableNames":["chat"]}`

func main() {
	right := crc32.ChecksumIEEE([]byte(body))
	ask("right", right)
	ask("wrong", right+1)
}

func ask(name string, sum uint32) {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		w.Header().Set("X-Amz-Crc32", strconv.FormatUint(uint64(sum), 10))
		_, _ = w.Write([]byte(body))
	}))
	defer server.Close()
	client := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(server.URL),
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
		Logger: logging.LoggerFunc(func(level logging.Classification, format string, v ...any) {
			fmt.Printf("  %s: %s\n", level, fmt.Sprintf(format, v...))
		}),
	})
	out, err := client.ListTables(context.Background(), nil)
	fmt.Printf("%s checksum, requests: %d, tables: %v, error: %v\n", name, requests, out.TableNames, err)
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/aws/aws-sdk-go-v2@v1.47.7 github.com/aws/aws-sdk-go-v2/credentials@v1.20.15 \
  github.com/aws/aws-sdk-go-v2/service/dynamodb@v1.73.1 github.com/aws/smithy-go@v1.28.8 >/dev/null 2>&1
go run . | tee seen
diff seen - <<'SEEN' && echo 'still so'
right checksum, requests: 1, tables: [chat], error: <nil>
  WARN: failed to close HTTP response body, this may affect connection reuse: response did not match expected checksum, 1078811514, 1078811513
wrong checksum, requests: 1, tables: [chat], error: <nil>
SEEN
