package review_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/review"
)

// program answers as it is set to.
type program struct {
	status int
	header http.Header
	body   string
	err    error

	request *http.Request
	asked   string
}

func (p *program) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil || p.err != nil {
		return nil, errors.Join(err, p.err)
	}
	p.request, p.asked = r, string(body)
	if p.header == nil {
		p.header = http.Header{}
	}
	return &http.Response{StatusCode: p.status, Header: p.header, Body: io.NopCloser(strings.NewReader(p.body))}, nil
}

const function = "arn:aws:lambda:eu-central-1:123456789012:function:review"

func ask(t *testing.T, p *program, target string) (chat.Verdict, string, error) {
	t.Helper()
	var log bytes.Buffer
	client, err := review.New(review.Config{
		Target: target, Transport: p, Credentials: credentials.NewStaticCredentialsProvider("id", "key", "session"), Log: zerolog.New(&log),
	})
	if err != nil {
		t.Fatal(err)
	}
	verdict, err := client.Review(context.Background(), chat.Message{RoomID: "r", ID: "m", SenderID: "alice", Content: "a secret"}, false)
	return verdict, log.String(), err
}

func TestReview_TakesWhatIsAnswered(t *testing.T) {
	for name, test := range map[string]struct {
		program program
		deny    bool
		content string
		fails   bool
	}{
		"allow":              {program: program{status: 200, body: `{"action":"allow"}`}},
		"deny":               {program: program{status: 200, body: `{"action":"deny","reason":"be kind"}`}, deny: true},
		"replace":            {program: program{status: 200, body: `{"action":"replace","content":"****"}`}, content: "****"},
		"replace by nothing": {program: program{status: 200, body: `{"action":"replace"}`}, fails: true},
		"nothing":            {program: program{status: 200}, fails: true},
		"null":               {program: program{status: 200, body: `null`}, fails: true},
		"a word":             {program: program{status: 200, body: `"allow"`}, fails: true},
		"another action":     {program: program{status: 200, body: `{"action":"Allow it"}`}, fails: true},
		"a page":             {program: program{status: 200, body: `<html>`}, fails: true},
		"too much":           {program: program{status: 200, body: `{"action":"allow","x":"` + strings.Repeat("x", 200_000) + `"}`}, fails: true},
		"an error":           {program: program{status: 500, body: `{"action":"allow"}`}, fails: true},
		"a redirect":         {program: program{status: 302, header: http.Header{"Location": {"http://169.254.169.254/"}}}, fails: true},
		"a function's error": {program: program{status: 200, header: http.Header{"X-Amz-Function-Error": {"Unhandled"}}, body: `{"action":"allow"}`}, fails: true},
		"no answer":          {program: program{err: errors.New("reset")}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, target := range []string{"http://127.0.0.1:9000/x", function} {
				verdict, log, err := ask(t, &test.program, target)
				content := ""
				if verdict.Replace != nil {
					content = *verdict.Replace
				}
				if (err != nil) != test.fails || verdict.Deny != test.deny || content != test.content {
					t.Errorf("%s: %+v, %v", target, verdict, err)
				}
				if (log != "") != test.fails || strings.Contains(log, "secret") {
					t.Errorf("%s: the log has %q", target, log)
				}
			}
		})
	}
}

func TestReview_InvokesAFunctionAsItsRole(t *testing.T) {
	p := &program{status: 200, body: `{"action":"allow"}`}
	if _, _, err := ask(t, p, function); err != nil {
		t.Fatal(err)
	}
	want := "https://lambda.eu-central-1.amazonaws.com/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction%3Areview/invocations"
	if got := p.request.URL.String(); got != want || !strings.Contains(p.request.Header.Get("Authorization"), "/eu-central-1/lambda/aws4_request") || p.request.Header.Get("X-Amz-Security-Token") != "session" {
		t.Errorf("asked %s with %v", got, p.request.Header)
	}
	if want := `{"type":"message","chatRoomId":"r","messageId":"m","senderId":"alice","content":"a secret"}`; p.asked != want {
		t.Errorf("asked %s, want %s", p.asked, want)
	}
	for _, target := range []string{"review", "arn:aws:lambda:review", "arn:aws:sns:eu-central-1:123456789012:x:y", "http://"} {
		if _, err := review.New(review.Config{Target: target}); err == nil {
			t.Errorf("%q is taken", target)
		}
	}
}
