#!/usr/bin/env bash
# aws-sdk-go-v2 v1.47.7, service/apigatewaymanagementapi v1.30.0.
#
# AccessDeniedException (403) is not a retryable error, and its text says
# nothing about time. Still, when the answer's Date is an hour from the local
# clock, the SDK signs again with the shifted clock and sends the request a
# second time. The client keeps the shift: its next call is signed an hour ahead
# from the start.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
cat > main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	api "github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
)

func main() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signed, _ := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		fmt.Printf("  a request, signed %d h ahead\n", int(time.Until(signed).Round(time.Hour).Hours()))
		w.Header().Set("X-Amzn-ErrorType", "AccessDeniedException")
		w.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusForbidden)
	}))
	defer server.Close()
	client := api.New(api.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(server.URL + "/prod"),
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	})
	for call := range 2 {
		fmt.Printf("call %d\n", call+1)
		_, _ = client.PostToConnection(context.Background(), &api.PostToConnectionInput{
			ConnectionId: aws.String("R1kmxc2VNjMCFIA="), Data: []byte("hello"),
		})
	}
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/aws/aws-sdk-go-v2@v1.47.7 github.com/aws/aws-sdk-go-v2/credentials@v1.20.15 \
  github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi@v1.30.0 >/dev/null 2>&1
go run . | tee seen
diff seen - <<'SEEN' && echo 'still so'
call 1
  a request, signed 0 h ahead
  a request, signed 1 h ahead
call 2
  a request, signed 1 h ahead
SEEN
