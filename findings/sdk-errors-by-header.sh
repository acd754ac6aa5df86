#!/usr/bin/env bash
# aws-sdk-go-v2/service/apigatewaymanagementapi v1.30.0 (core v1.47.7).
#
# The SDK names an error by the X-Amzn-ErrorType header or a JSON body, never by
# the HTTP status. A plain 410 from POST @connections/{id} is not a
# *types.GoneException, so code that cleans up by errors.As keeps dead
# connections. A plain 429 is not retried either, while one with the header is
# sent three times.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
cat > main.go <<'GO'
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	api "github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
	"github.com/aws/smithy-go"
)

func main() {
	for _, answer := range []struct {
		status int
		header string
	}{{410, "GoneException"}, {410, ""}, {429, "LimitExceededException"}, {429, ""}} {
		requests := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			requests++
			if answer.header != "" {
				w.Header().Set("X-Amzn-ErrorType", answer.header)
			}
			w.WriteHeader(answer.status)
		}))
		client := api.New(api.Options{
			Region: "us-east-1", BaseEndpoint: aws.String(server.URL + "/prod"),
			Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
		})
		_, err := client.PostToConnection(context.Background(), &api.PostToConnectionInput{
			ConnectionId: aws.String("R1kmxc2VNjMCFIA="), Data: []byte("hello"),
		})
		server.Close()
		var known smithy.APIError
		var gone *types.GoneException
		var limit *types.LimitExceededException
		errors.As(err, &known)
		fmt.Printf("%d, header %q: code %s, GoneException %v, LimitExceededException %v, requests %d\n",
			answer.status, answer.header, known.ErrorCode(), errors.As(err, &gone), errors.As(err, &limit), requests)
	}
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/aws/aws-sdk-go-v2@v1.47.7 github.com/aws/aws-sdk-go-v2/credentials@v1.20.15 \
  github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi@v1.30.0 github.com/aws/smithy-go@v1.28.8 >/dev/null 2>&1
go run . | tee seen
diff seen - <<'SEEN' && echo 'still so'
410, header "GoneException": code GoneException, GoneException true, LimitExceededException false, requests 1
410, header "": code UnknownError, GoneException false, LimitExceededException false, requests 1
429, header "LimitExceededException": code LimitExceededException, GoneException false, LimitExceededException true, requests 3
429, header "": code UnknownError, GoneException false, LimitExceededException false, requests 1
SEEN
