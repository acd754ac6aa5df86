package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/streamroom/streamroom/local/lambda"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/eventsource"
	"github.com/streamroom/streamroom/shared/wire"
)

const apiPath = "/api"

// SignIn returns a token of a user, or of a service by its id, from the pool of the Streamroom at url. It is
// for goroutines other than the test's; see Rig.Token.
func SignIn(ctx context.Context, client *http.Client, url, user string, expiresIn time.Duration) (string, error) {
	kind := "user"
	if name, ok := strings.CutPrefix(user, chat.ServiceID("")); ok {
		kind, user = "service", name
	}
	body := fmt.Sprintf(`{%q:%q,"expiresIn":%d}`, kind, user, int(expiresIn.Seconds()))
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/token", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var out struct{ Token string }
	if err := json.NewDecoder(response.Body).Decode(&out); err != nil || out.Token == "" {
		return "", fmt.Errorf("sign %s in: status %s, want a token", user, response.Status)
	}
	return out.Token, nil
}

// Token signs a user in. expiresIn 0 is the default; a negative one has the token
// be expired.
func (s *Rig) Token(user string, expiresIn time.Duration) string {
	s.T.Helper()
	token, err := SignIn(s.T.Context(), http.DefaultClient, s.URL(), user, expiresIn)
	if err != nil {
		s.T.Fatal(err)
	}
	return token
}

// signedIn is a token of a user, and when it was handed out.
type signedIn struct {
	token string
	at    time.Time
}

// token returns a token of a user that ends in half an hour at the earliest: signing one
// in for each request would take longer than most requests.
func (s *Rig) token(user string) string {
	s.T.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, ok := s.tokens[user]; ok && s.clock.Since(last.at) < 30*time.Minute {
		return last.token
	}
	now := s.clock.Now()
	token := s.Token(user, 0)
	s.tokens[user] = signedIn{token, now}
	return token
}

// API makes a request of the HTTP API as a user: path is below /api, and body and
// into are JSON or nil. An answer without a body (204) leaves into as it is.
func (s *Rig) API(user, method, path string, body, into any) (status int) {
	s.T.Helper()
	return s.Request(method, apiPath+path, s.token(user), body, into)
}

// Request makes a request with a token, or without one if it is "".
func (s *Rig) Request(method, path, token string, body, into any) (status int) {
	s.T.Helper()
	var sent []byte
	if body != nil {
		var err error
		if sent, err = json.Marshal(body); err != nil {
			s.T.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(s.T.Context(), method, s.URL()+path, bytes.NewReader(sent))
	if err != nil {
		s.T.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	status, data := s.do(r, sent)
	if into != nil && status != http.StatusNoContent {
		if err := json.Unmarshal(data, into); err != nil {
			s.T.Fatalf("%s %s answered %d, %s: %v", method, path, status, data, err)
		}
	}
	return status
}

// direct is a client that follows no redirects, which are answers of the API.
var direct = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// do makes a request and reads its answer.
func (s *Rig) do(r *http.Request, sent []byte) (status int, body []byte) {
	s.T.Helper()
	response, err := direct.Do(r) //nolint:gosec // the URL is the rig's
	if err != nil {
		s.T.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	if err != nil {
		s.T.Fatalf("%s %s: read the answer: %v", r.Method, r.URL.Path, err)
	}
	if s.Inspect != nil && strings.HasPrefix(r.URL.Path, apiPath+"/") {
		s.Inspect(r, sent, response, body)
	}
	return response.StatusCode, body
}

// Room makes a group and returns its id. The first member owns it.
func (s *Rig) Room(members ...string) string {
	s.T.Helper()
	var out wire.Room
	request := wire.RoomRequest{Name: "Test", Type: "group", Members: members[1:]}
	if status := s.API(members[0], http.MethodPost, "/rooms", request, &out); status != http.StatusCreated {
		s.T.Fatalf("create a room: status %d", status)
	}
	return out.ChatRoomID
}

// History reads a room's newest 100 messages as a user, newest first.
func (s *Rig) History(user, room string) []wire.HistoryMessage {
	s.T.Helper()
	var out wire.History
	if status := s.API(user, http.MethodGet, "/rooms/"+room+"/messages?limit=100", nil, &out); status != http.StatusOK {
		s.T.Fatalf("history of %s: status %d", room, status)
	}
	return out.Messages
}

// Failures returns what the stream's consumers gave up, from the bucket of failures.
func (s *Rig) Failures() []eventsource.Failure {
	s.T.Helper()
	failures, err := failures(s.T.Context(), &http.Transport{}, s.URL())
	if err != nil {
		s.T.Fatal(err)
	}
	return failures
}

func failures(ctx context.Context, transport *http.Transport, url string) ([]eventsource.Failure, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/failures", http.NoBody)
	if err != nil {
		return nil, err
	}
	transport.DisableKeepAlives = true
	response, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return nil, fmt.Errorf("read the bucket of failures: %w", err)
	}
	defer response.Body.Close()
	var out struct{ Failures []lambda.StoredFailure }
	if err := json.NewDecoder(response.Body).Decode(&out); err != nil {
		return nil, fmt.Errorf("read the bucket of failures: status %s: %w", response.Status, err)
	}
	failures := make([]eventsource.Failure, len(out.Failures))
	for i, f := range out.Failures {
		failures[i] = f.Failure
	}
	return failures, nil
}
