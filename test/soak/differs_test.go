package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Bugs of clients, planted in each, which the final comparison finds: edits and
// deletions that were made while it was offline are ignored, and counts are stale.
func TestPlantedBugsOfClientsAreFound(t *testing.T) {
	t.Parallel()
	bugs := map[string]struct {
		browsers  int
		transport func(http.RoundTripper) http.RoundTripper
		library   func(t *testing.T, name, text string) string
		detail    string // of a violation, as a regular expression
	}{
		// A message that was changed while it was away is not shown, or as it was before.
		"the Go client hides changes that it missed": {transport: hideChanges, detail: "not shown|stored are"},
		"the Go client has an old list":              {transport: func(next http.RoundTripper) http.RoundTripper { return &oldList{next: next} }, detail: "unread, the server"},
		"the browser hides changes that it missed":   {browsers: 1, library: hideRevisions, detail: `it is shown as "`},
		"the browser keeps its counts":               {browsers: 1, library: keepCounts, detail: "unread, the server"},
		"the browser keeps a message's reactions":    {browsers: 1, library: keepReactions, detail: "with (the|one's own) reactions"},
	}
	requireNode := false
	configs, virtual, found := map[string]Config{}, map[string]Config{}, map[string]func(Violation) bool{}
	for name, bug := range bugs {
		detail := regexp.MustCompile(bug.detail)
		c := Config{
			Seed: 1, Users: 3, Devices: 2, Browsers: bug.browsers, Rooms: 3, Sends: 10, Changes: 10,
			Duration: 3 * time.Second, StepTimeout: 20 * time.Second, Transport: bug.transport,
			Enough: func(v Violation) bool { return v.Promise == Differs && detail.MatchString(v.Detail) },
		}
		found[name] = c.Enough
		if bug.browsers == 0 {
			c.StepTimeout = 8 * time.Second
			virtual[name] = c
			continue
		}
		c.Library = func(name string, text []byte) []byte { return []byte(bug.library(t, name, string(text))) }
		if c = withoutBrowsers(c); c.Browsers < bug.browsers {
			requireNode = true
			continue
		}
		configs[name] = c
	}
	reports := runAll(t, configs)
	maps.Copy(reports, runVirtual(t, virtual))
	for name, report := range reports {
		if !slices.ContainsFunc(report.Violations, found[name]) {
			t.Errorf("%s: no difference was found", name)
		}
	}
	if requireNode {
		requireBrowsers(t)
	}
}

// replacer replaces texts of a file, each of which has to be there.
func replacer(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Errorf("the library has no %q any more: plant the bug elsewhere", pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	return text
}

// hideRevisions has the browser library take nothing from the server's answers that
// changes a message.
func hideRevisions(t *testing.T, name, text string) string {
	t.Helper()
	switch name {
	case "lib/recovery.js":
		return replacer(
			t, text,
			"} else if (this.knows(id)) {\n      this.#revise(message);", "} else if (this.knows(id)) {",
			"else if (this.knows(message.messageId)) this.#revise(message);", "",
		)
	case "lib/catchup.js":
		return replacer(t, text, "this.#on.read(timeline, messages);", "", "this.#on.read(timeline, page);", "")
	}
	return text
}

// keepReactions has it keep the reactions of a message as they came first.
func keepReactions(t *testing.T, name, text string) string {
	t.Helper()
	if name != "lib/reactions.js" {
		return text
	}
	return replacer(t, text, "held.reactions = next;", "held.reactions ??= next;")
}

// keepCounts has it keep the count of a room though the list has another.
func keepCounts(t *testing.T, name, text string) string {
	t.Helper()
	if name != "lib/unread.js" {
		return text
	}
	return replacer(t, text, "keeps(chatRoomId, since, older, more) {\n", "keeps(chatRoomId, since, older, more) {\n    return true;\n")
}

// hideChanges takes messages that were edited or deleted out of the answers by which
// the Go client catches up.
func hideChanges(next http.RoundTripper) http.RoundTripper {
	return transport(func(r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if err != nil || !strings.HasSuffix(r.URL.Path, "/sync") && !strings.HasSuffix(r.URL.Path, "/messages") {
			return response, err
		}
		defer response.Body.Close()
		var answer any
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			return nil, err
		}
		body, err := json.Marshal(unchanged(answer))
		if err != nil {
			return nil, err
		}
		response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return response, nil
	})
}

// unchanged is a JSON value without the messages in it that were changed.
func unchanged(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, part := range value {
			value[name] = unchanged(part)
		}
	case []any:
		kept := []any{}
		for _, part := range value {
			message, ok := part.(map[string]any)
			if !ok || message["editedAt"] == nil && message["deletedAt"] == nil {
				kept = append(kept, unchanged(part))
			}
		}
		return kept
	}
	return value
}

// oldList answers every question for a list of rooms as the first one.
type oldList struct {
	next http.RoundTripper

	mu   sync.Mutex
	body []byte
}

func (l *oldList) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := l.next.RoundTrip(r)
	if err != nil || r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/rooms") || response.StatusCode != http.StatusOK {
		return response, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.body == nil {
		l.body = body
	}
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(l.body)), int64(len(l.body))
	return response, nil
}
