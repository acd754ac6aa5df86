package review_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/review"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

// node runs Node.js until the test ends, and returns its two ends.
func node(t *testing.T, arguments ...string) (io.Writer, *bufio.Reader) {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		t.Skip("Node.js is not installed: the review is not tested")
	}
	program := exec.CommandContext(t.Context(), path, arguments...)
	program.Env, program.Stderr = append(os.Environ(), "PORT=0"), t.Output()
	in, err := program.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Wait() }) // it is killed with the test's context
	return in, bufio.NewReader(out)
}

// serve starts the example as its first lines say, and returns its URL.
func serve(t *testing.T) string {
	t.Helper()
	_, out := node(t, "review.mjs")
	url, err := out.ReadString('\n')
	if err != nil {
		t.Fatalf("it does not say where it is: %v", err)
	}
	return strings.TrimSpace(url)
}

// Local asks the example.
func TestReviewInNode_AnswersAboutMessages(t *testing.T) {
	s := rig.Start(t, local.Config{Review: serve(t)})
	room := s.Room("alice", "bob")
	alice := s.Connect("alice")
	for content, want := range map[string]string{"hello": "hello", "Darn it": "**** it"} {
		if _, got := alice.Deliver(room, content, ""); got.Content != want {
			t.Errorf("%q is stored as %q, want %q", content, got.Content, want)
		}
	}
	alice.Send(room, "see https://spam.example/now", "")
	if got := alice.Expect(wire.TypeError); got.Code != "denied" || !strings.HasSuffix(got.Message, "no links to spam.example") {
		t.Errorf("a link to spam.example is answered with %+v", got)
	}
}

// function is the example as a Lambda function: Lambda hands an invocation's payload to the
// handler as a value, and its JSON back.
type function struct {
	t   *testing.T
	arn string

	mu  sync.Mutex
	in  io.Writer
	out *bufio.Reader
}

const runtime = `
import { createInterface } from "node:readline";
const { handler } = await import("./review.mjs");
for await (const event of createInterface({ input: process.stdin }))
  console.log(JSON.stringify(await handler(JSON.parse(event), { awsRequestId: "1" })));
`

func newFunction(t *testing.T, arn string) *function {
	t.Helper()
	in, out := node(t, "--input-type=module", "--eval", runtime)
	return &function{t: t, arn: arn, in: in, out: out}
}

// RoundTrip implements http.RoundTripper. It answers as Lambda's Invoke.
func (f *function) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if want := "/2015-03-31/functions/" + f.arn + "/invocations"; r.Method != http.MethodPost || r.URL.Path != want {
		return nil, fmt.Errorf("%s %s: want POST %s", r.Method, r.URL.Path, want)
	}
	var event bytes.Buffer
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Compact(&event, body)
	}
	if err == nil {
		_, err = fmt.Fprintln(f.in, event.String())
	}
	if err != nil {
		return nil, err
	}
	answer, err := f.out.ReadString('\n')
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, err
}

// As a Lambda function and at a URL the example gives the same answers to what Streamroom
// asks.
func TestReviewInNode_IsAFunctionAndAServer(t *testing.T) {
	const arn = "arn:aws:lambda:eu-central-1:123456789012:function:review"
	reviewers := map[string]*review.Client{}
	for target, transport := range map[string]http.RoundTripper{arn: newFunction(t, arn), serve(t): http.DefaultTransport} {
		client, err := review.New(review.Config{
			Target: target, Transport: transport, Log: zerolog.Nop(), Credentials: credentials.NewStaticCredentialsProvider("id", "key", "session"),
		})
		if err != nil {
			t.Fatal(err)
		}
		reviewers[target] = client
	}
	hidden := "**** it,\n“****”"
	full := chat.Message{
		RoomID: "r", ID: "01HQRS", SenderID: "alice", Content: "darn it,\n“Darn”", Mentions: []string{"bob"},
		ReplyTo: &chat.Quote{Quoted: chat.Quoted{MessageID: "01HQRR"}}, Attachments: []chat.File{{ContentType: "image/png"}},
	}
	for what, test := range map[string]struct {
		message chat.Message
		want    chat.Verdict
	}{
		"allowed":  {chat.Message{RoomID: "r", ID: "01HQRS", SenderID: "alice", Content: "hello, darnit"}, chat.Verdict{}},
		"a file":   {chat.Message{RoomID: "r", ID: "01HQRS", SenderID: "alice", Attachments: full.Attachments}, chat.Verdict{}},
		"denied":   {chat.Message{RoomID: "r", ID: "01HQRS", SenderID: "alice", Content: "darn https://spam.example/now"}, chat.Verdict{Deny: true, Reason: "no links to spam.example"}},
		"replaced": {full, chat.Verdict{Replace: &hidden}},
	} {
		for target, client := range reviewers {
			for _, edit := range []bool{false, true} {
				got, err := client.Review(t.Context(), test.message, edit)
				if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
					t.Errorf("%s, asked at %s, edit: %t: %v (-want +got)\n%s", what, target, edit, err, diff)
				}
			}
		}
	}
}
