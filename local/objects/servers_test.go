package objects_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	guard "github.com/streamroom/streamroom/local/objects"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/objects"
)

// gatewayEnv has the URL of an S3 server that is not of this project, which
// .ci/objects installs and starts. Without it the suite runs against the guard alone.
const gatewayEnv = "STREAMROOM_S3_GATEWAY"

// What both servers know. Another S3 server takes them from ROOT_ACCESS_KEY and
// ROOT_SECRET_KEY, see .ci/objects.
const (
	accessKey = "streamroom-test"
	secretKey = "streamroom-test-secret"
	region    = "us-east-1"
	bucket    = "attachments"
)

// server is an S3 server as those see it who sign.
type server struct {
	files *objects.Bucket
	admin *s3.Client
}

// servers are those that the suite runs against.
var servers = map[string]func(*testing.T) server{"guard": startGuard, "guard in a folder": startFolder, "gateway": needGateway}

func needGateway(t *testing.T) server {
	t.Helper()
	url := os.Getenv(gatewayEnv)
	if url == "" {
		t.Skipf("%s is not set: .ci/objects installs another S3 server and runs this", gatewayEnv)
	}
	s := newServer(url, http.DefaultClient)
	_, err := s.admin.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)})
	var exists *types.BucketAlreadyOwnedByYou
	if err != nil && !errors.As(err, &exists) {
		t.Fatal(err)
	}
	return s
}

func startGuard(t *testing.T) server {
	t.Helper()
	return startGuardIn(t, "")
}

func startFolder(t *testing.T) server {
	t.Helper()
	return startGuardIn(t, t.TempDir())
}

func startGuardIn(t *testing.T, dir string) server {
	t.Helper()
	store, err := guard.Open(guard.Config{
		Bucket: bucket, Dir: dir, Path: "/objects", Region: region, Now: time.Now,
		Credentials: aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey},
	})
	if err != nil {
		t.Fatal(err)
	}
	listening := httptest.NewServer(store)
	t.Cleanup(listening.Close)
	return newServer(listening.URL+"/objects", store)
}

func newServer(url string, client aws.HTTPClient) server {
	config := aws.Config{
		Region: region, BaseEndpoint: aws.String(url), HTTPClient: client,
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	}
	return server{
		files: objects.New(config, bucket),
		admin: s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true }),
	}
}

// exists tells whether there is an object, as one who may do anything sees it.
func (s server) exists(t *testing.T, key string) bool {
	t.Helper()
	listed, err := s.admin.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: aws.String(key)})
	if err != nil {
		t.Fatal(err)
	}
	return len(listed.Contents) > 0
}

// holds tells whether there is an object with exactly this key.
func (s server) holds(t *testing.T, key string) bool {
	t.Helper()
	// A key comes before those that it begins.
	listed, err := s.admin.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{
		Bucket: aws.String(bucket), Prefix: aws.String(key), MaxKeys: aws.Int32(1),
	})
	if err != nil {
		t.Fatal(err)
	}
	return len(listed.Contents) == 1 && aws.ToString(listed.Contents[0].Key) == key
}

// post posts a form, and returns the status and the code of an error.
func post(ctx context.Context, t *testing.T, form chat.Upload, file *string) (int, string) {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, value := range form.Fields {
		if err := w.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	if file != nil {
		part, err := w.CreateFormFile("file", "tea.png")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(part, *file)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, form.URL, &body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", w.FormDataContentType())
	status, code, _ := do(t, r)
	return status, code
}

// do sends a request from outside, and returns the status, the error's code if it has one,
// and the body.
func do(t *testing.T, r *http.Request) (status int, code, body string) {
	t.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answered struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
	}
	if xml.Unmarshal(text, &answered) == nil {
		code = answered.Code
	}
	return response.StatusCode, code, string(text)
}

// keep uploads a file and copies it to where links lead.
func (s server) keep(t *testing.T, a chat.Attachment) {
	t.Helper()
	form, err := s.files.SignUpload(t.Context(), a, time.Now(), time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	file := content
	if status, code := post(t.Context(), t, form, &file); status != http.StatusNoContent {
		t.Fatalf("upload: %d %s", status, code)
	}
	if kept, err := s.files.Keep(t.Context(), a); err != nil || !kept {
		t.Fatalf("keep: %v, %v", kept, err)
	}
}
