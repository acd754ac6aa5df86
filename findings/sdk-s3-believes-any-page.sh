#!/usr/bin/env bash
# aws-sdk-go-v2/service/s3 v1.114.10, cloudformation v1.84.0, lambda v1.114.2, sns v1.48.0
# (core v1.48.0).
#
# Where a web page with status 200 comes in place of the service's answer, such as a proxy's
# sign-in page, or from an endpoint with a wrong port, the SDK's clients report that it can't
# be read. Not S3's: to it the page is an empty list, an object that was stored, one that was
# copied, and objects that were all removed. S3's own answers have an x-amz-request-id.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
cat > main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
)

func main() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!DOCTYPE html><html><body>Please sign in</body></html>")
	}))
	defer server.Close()
	ctx, text := context.Background(), aws.String("text")
	c := aws.Config{
		Region: "us-east-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	}
	files := s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = true })
	_, err := files.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: text})
	fmt.Println("s3 ListObjectsV2 fails:", err != nil)
	_, err = files.PutObject(ctx, &s3.PutObjectInput{Bucket: text, Key: text})
	fmt.Println("s3 PutObject fails:", err != nil)
	_, err = files.CopyObject(ctx, &s3.CopyObjectInput{Bucket: text, Key: text, CopySource: aws.String("from/text")})
	fmt.Println("s3 CopyObject fails:", err != nil)
	removed, err := files.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: text, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: text}}},
	})
	fmt.Println("s3 DeleteObjects fails:", err != nil || len(removed.Errors) > 0)
	_, err = cloudformation.NewFromConfig(c).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{})
	fmt.Println("cloudformation DescribeStacks fails:", err != nil)
	_, err = lambda.NewFromConfig(c).ListFunctions(ctx, &lambda.ListFunctionsInput{})
	fmt.Println("lambda ListFunctions fails:", err != nil)
	_, err = sns.NewFromConfig(c).Publish(ctx, &sns.PublishInput{Message: text, TopicArn: text})
	fmt.Println("sns Publish fails:", err != nil)
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/aws/aws-sdk-go-v2@v1.48.0 github.com/aws/aws-sdk-go-v2/credentials@v1.20.15 \
  github.com/aws/aws-sdk-go-v2/service/s3@v1.114.10 github.com/aws/aws-sdk-go-v2/service/cloudformation@v1.84.0 \
  github.com/aws/aws-sdk-go-v2/service/lambda@v1.114.2 github.com/aws/aws-sdk-go-v2/service/sns@v1.48.0 \
  github.com/aws/smithy-go@v1.28.9 >/dev/null 2>&1
go run . | tee seen
diff seen - <<'SEEN' && echo 'still so'
s3 ListObjectsV2 fails: false
s3 PutObject fails: false
s3 CopyObject fails: false
s3 DeleteObjects fails: false
cloudformation DescribeStacks fails: true
lambda ListFunctions fails: true
sns Publish fails: true
SEEN
