package eventbus_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go"

	"github.com/streamroom/streamroom/shared/eventbus"
)

// service answers requests; script has what it does with each.
type service struct {
	mu       sync.Mutex
	requests []*http.Request
	entries  []int
	script   func(n int, details []string) (status int, body string, err error)
}

func (s *service) Do(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var in struct {
		Entries []struct{ EventBusName, Source, DetailType, Detail string }
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	details := make([]string, len(in.Entries))
	for i, e := range in.Entries {
		if e.EventBusName != "rooms" || e.Source != "streamroom" || e.DetailType != "message.sent" {
			return nil, fmt.Errorf("an entry is %+v", e)
		}
		details[i] = e.Detail
	}
	s.requests, s.entries = append(s.requests, r), append(s.entries, len(details))
	status, text, err := http.StatusOK, taken(len(details)), error(nil)
	if s.script != nil {
		status, text, err = s.script(len(s.requests), details)
	}
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{}, Body: io.NopCloser(bytes.NewBufferString(text))}, nil
}

func taken(n int) string {
	return `{"FailedEntryCount":0,"Entries":[` + strings.TrimSuffix(strings.Repeat(`{"EventId":"x"},`, n), ",") + `]}`
}

func put(t *testing.T, s *service, ctx context.Context, events []eventbus.Event) []error { //nolint:revive // a test's context is not its own
	t.Helper()
	bus, err := eventbus.New(aws.Config{
		Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("id", "key", "session"), HTTPClient: s,
	}, "rooms")
	if err != nil {
		t.Fatal(err)
	}
	return bus.Put(ctx, events)
}

func some(n, size int) []eventbus.Event {
	events := make([]eventbus.Event, n)
	for i := range events {
		events[i] = eventbus.Event{ID: fmt.Sprint(i), Type: "message.sent", Data: strings.Repeat("x", size)}
	}
	return events
}

func TestPut_TakesOneRequestForTenEvents(t *testing.T) {
	for _, test := range []struct{ events, size, requests int }{{0, 1, 0}, {1, 1, 1}, {10, 1, 1}, {11, 1, 2}, {100, 1, 10}, {10, 32_000, 2}} {
		s := &service{}
		for i, err := range put(t, s, t.Context(), some(test.events, test.size)) {
			if err != nil {
				t.Errorf("event %d: %v", i, err)
			}
		}
		if len(s.requests) != test.requests {
			t.Errorf("%d events of %d bytes take %d requests of %v, want %d", test.events, test.size, len(s.requests), s.entries, test.requests)
		}
		for _, r := range s.requests {
			if r.URL.String() != "https://events.eu-central-1.amazonaws.com/" || r.Header.Get("X-Amz-Target") != "AWSEvents.PutEvents" ||
				!strings.Contains(r.Header.Get("Authorization"), "/eu-central-1/events/aws4_request") || r.Header.Get("X-Amz-Security-Token") != "session" {
				t.Errorf("the request is %s %v", r.URL, r.Header)
			}
		}
	}
}

func TestPut_TriesAgainWhatWasRefused(t *testing.T) {
	refused := `{"FailedEntryCount":1,"Entries":[{"EventId":"x"},{"ErrorCode":"ThrottlingException","ErrorMessage":"slow down"}]}`
	for name, test := range map[string]struct {
		script  func(n int, details []string) (int, string, error)
		entries string
		failed  string // ids
	}{
		"one entry, once": {func(n int, d []string) (int, string, error) { return script(n > 1, refused, d) }, "[2 1]", ""},
		"a request, once": {func(n int, d []string) (int, string, error) { return 500 - min(n-1, 1)*300, taken(len(d)), nil }, "[2 2]", ""},
		"no answer, once": {func(n int, d []string) (int, string, error) {
			return 200, taken(len(d)), []error{errors.New("reset"), nil}[min(n-1, 1)]
		}, "[2 2]", ""},
		"all, each time": {func(int, []string) (int, string, error) {
			return 400, `{"__type":"ResourceNotFoundException","message":"no bus"}`, nil
		}, "[2 2 2]", "0 1"},
		"an answer of less": {func(int, []string) (int, string, error) { return 200, taken(1), nil }, "[2 2 2]", "0 1"},
		"nonsense":          {func(int, []string) (int, string, error) { return 200, "<html>", nil }, "[2 2 2]", "0 1"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &service{script: test.script}
				var failed []string
				for i, err := range put(t, s, t.Context(), some(2, 1)) {
					if err != nil {
						failed = append(failed, fmt.Sprint(i))
					}
				}
				if got := fmt.Sprint(s.entries); got != test.entries || strings.Join(failed, " ") != test.failed {
					t.Errorf("requests of %s entries, failed %q; want %s, %q", got, failed, test.entries, test.failed)
				}
			})
		})
	}
}

func script(good bool, refused string, details []string) (int, string, error) {
	if good {
		return 200, taken(len(details)), nil
	}
	return 200, refused, nil
}

func TestPut_SaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{script: func(int, []string) (int, string, error) {
			return 400, `{"__type":"com.amazonaws.events#ResourceNotFoundException","message":"no bus"}`, nil
		}}
		var refusal smithy.APIError
		if errs := put(t, s, t.Context(), some(1, 1)); !errors.As(errs[0], &refusal) || refusal.ErrorCode() != "ResourceNotFoundException" {
			t.Errorf("got %v", errs)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if errs := put(t, s, ctx, some(1, 1)); errs[0] == nil || len(s.requests) != 4 {
			t.Errorf("beyond its time: %v after %d requests", errs, len(s.requests))
		}
	})
}
