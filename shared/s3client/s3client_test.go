package s3client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/streamroom/streamroom/shared/s3client"
)

// calls are the operations by which files and records are kept.
func calls(client *s3.Client) map[string]func(ctx context.Context) error {
	bucket, key := aws.String("files"), aws.String("a")
	return map[string]func(ctx context.Context) error{
		"list": func(ctx context.Context) error {
			_, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket})
			return err
		},
		"get": func(ctx context.Context) error {
			_, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key})
			return err
		},
		"put": func(ctx context.Context) error {
			_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader("text")})
			return err
		},
		"copy": func(ctx context.Context) error {
			_, err := client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: bucket, Key: key, CopySource: aws.String("files/b")})
			return err
		},
		"remove": func(ctx context.Context) error {
			_, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: key})
			return err
		},
		"remove several": func(ctx context.Context) error {
			_, err := client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
				Bucket: bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: key}}},
			})
			return err
		},
	}
}

func clientOf(t *testing.T, server http.Handler) *s3.Client {
	t.Helper()
	s := httptest.NewServer(server)
	t.Cleanup(s.Close)
	return s3client.New(aws.Config{
		Region: "us-east-1", BaseEndpoint: &s.URL, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	})
}

// TestOtherServers: no operation succeeds because of what another server answers.
func TestOtherServers(t *testing.T) {
	for name, body := range map[string]string{"a page": "<!DOCTYPE html><html><body>Welcome</body></html>", "text": "ok", "nothing": ""} {
		client := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
		for operation, call := range calls(client) {
			var other *s3client.OtherServerError
			if err := call(t.Context()); !errors.As(err, &other) || other.Status != http.StatusOK {
				t.Errorf("%s by %s: got %v, want an OtherServerError of status 200", operation, name, err)
			}
		}
	}
}

// TestS3 succeeds, and its errors stay its own.
func TestS3(t *testing.T) {
	status := http.StatusOK
	client := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amz-Request-Id", "4442587FB7D0A2F9")
		w.WriteHeader(status)
		switch {
		case status != http.StatusOK:
			_, _ = io.WriteString(w, "<Error><Code>AccessDenied</Code></Error>")
		case r.Header.Get("X-Amz-Copy-Source") != "":
			_, _ = io.WriteString(w, "<CopyObjectResult><ETag>e</ETag></CopyObjectResult>")
		case r.URL.Query().Has("list-type"):
			_, _ = io.WriteString(w, "<ListBucketResult><Name>files</Name></ListBucketResult>")
		case r.URL.Query().Has("delete"):
			_, _ = io.WriteString(w, "<DeleteResult></DeleteResult>")
		}
	}))
	for operation, call := range calls(client) {
		if err := call(t.Context()); err != nil {
			t.Errorf("%s: %v", operation, err)
		}
	}
	status = http.StatusForbidden
	for operation, call := range calls(client) {
		var other *s3client.OtherServerError
		if err := call(t.Context()); err == nil || errors.As(err, &other) || !strings.Contains(err.Error(), "AccessDenied") {
			t.Errorf("%s that is refused: got %v, want AccessDenied", operation, err)
		}
	}
}
