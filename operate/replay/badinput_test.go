package replay_test

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/streamroom/streamroom/operate/replay"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/test/rig"
)

func TestConfigsThatMakeNoSense(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for says, c := range map[string]replay.Config{
		`invalid --source "nowhere"`:  {Source: "nowhere", Target: replay.ToNone},
		`invalid --target "unknown"`:  {Source: replay.FromTable, Target: "unknown"},
		"add --deliver":               {Source: replay.FromTable, Target: topology.Fanout, Apply: true},
		"needs --file":                {Source: replay.FromFile, Target: replay.ToNone},
		"--file is for --source file": {Source: replay.FromTable, Target: replay.ToNone, File: "x"},
		"--save is for --target none": {Source: replay.FromTable, Target: topology.LastMessage, Save: "x"},
		"--pause-mapping is for":      {Source: replay.FromTable, Target: topology.LastMessage, PauseMapping: true},
		"entries are for":             {Source: replay.FromTable, Target: replay.ToNone, Entries: []string{"x"}},
		"want 0 or more":              {Source: replay.FromTable, Target: replay.ToNone, Rate: -1},
		"want a time before --to":     {Source: replay.FromTable, Target: replay.ToNone, Selection: replay.Selection{From: ago(time.Hour), To: ago(2 * time.Hour)}},
		"want a time in the past":     {Source: replay.FromTable, Target: replay.ToNone, Selection: replay.Selection{From: ago(-time.Hour)}},
		"--from 2026-02-28T11:00:00Z is older than the stream": {
			Source: replay.FromStream, Target: replay.ToNone, Selection: replay.Selection{From: ago(25 * time.Hour)},
		},
		"--to 2026-02-28T11:00:00Z is older than the stream": {
			Source: replay.FromStream, Target: replay.ToNone, Selection: replay.Selection{To: ago(25 * time.Hour)},
		},
		"--room or --user":        {Source: replay.FromTable, Target: replay.ToNone, Selection: replay.Selection{Room: "r", User: "u"}},
		"invalid --room":          {Source: replay.FromTable, Target: replay.ToNone, Selection: replay.Selection{Room: "a#b"}},
		`invalid --entity "cat"`:  {Source: replay.FromTable, Target: replay.ToNone, Selection: replay.Selection{Entities: []string{"cat"}}},
		"--source table rebuilds": {Source: replay.FromTable, Target: replay.ToNone, Selection: replay.Selection{Entities: []string{"room"}}},
		"sends whole entries":     {Source: replay.FromFailures, Target: replay.ToNone, Selection: replay.Selection{Room: "r"}},
	} {
		if err := c.Check(now); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want an error that says %q: %v", says, err)
		}
	}
	good := replay.Config{Source: replay.FromStream, Target: topology.Fanout, Deliver: true, Apply: true, Selection: replay.Selection{From: ago(23 * time.Hour)}}
	if err := good.Check(now); err != nil {
		t.Error(err)
	}
}

// refusing answers one operation as IAM does where it is not allowed.
type refusing struct {
	next    http.RoundTripper
	refused atomic.Pointer[string] // in X-Amz-Target or the path
	code    string
}

func (f *refusing) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := f.next.RoundTrip(r)
	refused := f.refused.Load()
	if err != nil || refused == nil || !strings.HasSuffix(r.Header.Get("X-Amz-Target"), *refused) && !strings.HasSuffix(r.URL.Path, *refused) {
		return response, err
	}
	response.Body.Close()
	response.StatusCode = http.StatusBadRequest
	response.Header.Set("X-Amzn-Errortype", f.code)
	response.Header.Del("X-Amz-Crc32")
	body := []byte(`{"__type":"x#` + f.code + `","message":"not this"}`)
	if strings.HasPrefix(r.URL.Path, "/failures") { // S3 speaks XML
		response.StatusCode, body = http.StatusForbidden, []byte(`<Error><Code>AccessDenied</Code><Message>not this</Message></Error>`)
	}
	response.Body, response.ContentLength = http.NoBody, int64(len(body))
	response.Body = readCloser{bytes.NewReader(body)}
	return response, nil
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// TestNothingIsSentWhereTheInputIsBad checks, for each, one clear error before
// anything is sent.
func TestNothingIsSentWhereTheInputIsBad(t *testing.T) {
	wire := &refusing{code: "AccessDeniedException"}
	w := rig.StartOperated(t, rig.OperatedOptions{Wrap: func(next http.RoundTripper) http.RoundTripper {
		wire.next = next
		return wire
	}})
	w.Write(rig.RoomItems("r", 1, 5)...)
	rig.Eventually(t, "the projections", func() bool { return w.Consumers.Handled(topology.LastMessage) == 6 })
	saved := filepath.Join(t.TempDir(), "saved.jsonl")
	run(t, w, replay.Config{Source: replay.FromTable, Target: replay.ToNone, Save: saved, RunID: "save"})
	text, err := os.ReadFile(saved)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	file := func(content string) func(*replay.Config) {
		path := filepath.Join(t.TempDir(), "records.jsonl")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return func(c *replay.Config) { c.Source, c.File = replay.FromFile, path }
	}
	w.Consumers.Reset()
	for _, test := range []struct {
		name, says string
		refused    string
		change     func(*replay.Config)
	}{
		{"an unknown room", "no room nowhere in the table", "", func(c *replay.Config) { c.Selection.Room = "nowhere" }},
		{"an unknown user", "user unknown is not a member of any room", "", func(c *replay.Config) { c.Selection.User = "unknown" }},
		{"no file", "open the file", "", func(c *replay.Config) { c.Source, c.File = replay.FromFile, "/nowhere" }},
		{"a file cut between lines", "is incomplete", "", file(strings.Join(lines[:3], ""))},
		{"a file cut in a line", "line 3: parse stream record", "", file(strings.Join(lines[:2], "") + lines[2][:40])},
		{"a file that goes on", "continues after its end", "", file(string(text) + lines[0])},
		{"a file of something else", "line 1: parse stream record", "", file("hello\n")},
		{"no permission to scan", "not allowed to dynamodb:Scan;", ".Scan", nil},
		{"no permission to look at the table", "not allowed to dynamodb:DescribeTable;", ".DescribeTable", nil},
		{"no permission to invoke", "not allowed to lambda:InvokeFunction;", "/invocations", nil},
		{"no permission to read the stream", "not allowed to dynamodb:GetRecords;", ".GetRecords", func(c *replay.Config) { c.Source = replay.FromStream }},
		{"no permission to list the bucket", "not allowed to s3:ListBucket;", "/failures", func(c *replay.Config) { c.Source = replay.FromFailures }},
		{"no permission to pause", "not allowed to lambda:UpdateEventSourceMapping;", "", func(c *replay.Config) {
			c.Source, c.PauseMapping = replay.FromStream, true
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := plain(t, replay.FromTable)
			if test.change != nil {
				test.change(&c)
			}
			if test.refused != "" {
				wire.refused.Store(&test.refused)
			}
			if c.PauseMapping {
				id := mappingID(t, w)
				wire.refused.Store(&id)
			}
			defer wire.refused.Store(nil)
			_, err := replay.Run(t.Context(), env(w, replay.Events{}), c, nil)
			if err == nil || !strings.Contains(replay.Explain(err).Error(), test.says) {
				t.Errorf("want an error that says %q: %v", test.says, replay.Explain(err))
			}
		})
	}
	wire.code = "ExpiredTokenException"
	refused := ".DescribeTable"
	wire.refused.Store(&refused)
	if _, err := replay.Run(t.Context(), env(w, replay.Events{}), plain(t, replay.FromTable), nil); err == nil || !strings.Contains(replay.Explain(err).Error(), "sign in again") {
		t.Errorf("an old session: %v", replay.Explain(err))
	}
	wire.refused.Store(nil)
	w.Deployment.Table = "elsewhere"
	if _, err := replay.Run(t.Context(), env(w, replay.Events{}), plain(t, replay.FromTable), nil); err == nil || !strings.Contains(replay.Explain(err).Error(), "no such table") {
		t.Errorf("another table: %v", replay.Explain(err))
	}
	if got := w.Consumers.Handled(topology.LastMessage); got != 0 {
		t.Errorf("%d records were sent", got)
	}
}

func TestADryRunSendsNothing(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	records := w.Seed(3, 2, 4)
	rig.Eventually(t, "the projections", func() bool { return w.Consumers.Handled(topology.LastMessage) == records })
	w.Consumers.Reset()
	for _, source := range []replay.Source{replay.FromTable, replay.FromStream, replay.FromFailures} {
		c := plain(t, source)
		c.Apply = false
		plan, summary := run(t, w, c)
		if (plan.Records == 0) != (source == replay.FromFailures) || summary.Applied || summary.Records != 0 {
			t.Errorf("%s: %+v, %+v", source, plan, summary)
		}
		if _, err := os.Stat(c.Checkpoint); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s leaves a checkpoint: %v", source, err)
		}
	}
	if got := w.Consumers.Handled(topology.LastMessage); got != 0 {
		t.Errorf("%d records were sent", got)
	}
}
