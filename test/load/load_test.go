package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/test/rig"
)

// TestLoad_OnAStreamroom runs the command against a Streamroom, as a user does.
func TestLoad_OnAStreamroom(t *testing.T) {
	s := rig.Start(t, local.Config{LogLevel: "warn", Unthrottled: true})
	server := []string{"--url", s.WebSocketURL(), "--api", s.Server.URL() + "/api"}
	for name, test := range map[string]struct {
		args    []string
		members int64
	}{
		"rate":   {[]string{"--users", "12", "--rooms", "3", "--members", "6", "--rate", "60"}, 6},
		"window": {[]string{"--users", "8", "--rooms", "2", "--members", "4", "--window", "3", "--bytes", "4000"}, 4},
		// More members than a room can be made with, and one who is in both rooms.
		"large rooms": {[]string{"--users", "60", "--rooms", "2", "--members", "55", "--rate", "10"}, 55},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "report.json")
			code, stdout, stderr := command(t, append(append(test.args, server...),
				"--for", "1s", "--warm-up", "200ms", "--drain", "1m", "--late", "1m", "--connect-rate", "1000", "--json", file)...)
			if code != exitOK {
				t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
			}
			r, err := readReport(file)
			if err != nil {
				t.Fatal(err)
			}
			if r.Sent < 5 || r.Acked != r.Sent || r.Delivered != r.Acked*test.members || r.Lost+r.Doubled+r.Late+r.Unsent != 0 {
				t.Errorf("%d sent, %d acked, %d delivered, %d lost, %d doubled, %d late, %d unsent: want each sent one acked, and delivered to %d",
					r.Sent, r.Acked, r.Delivered, r.Lost, r.Doubled, r.Late, r.Unsent, test.members)
			}
			if r.Last.Count == 0 || r.Last.Count != r.Ack.Count || r.Each.Count != r.Last.Count*test.members {
				t.Errorf("measured: %d acks, %d deliveries, %d last ones; want the same messages in all, and in none the %d of the warm-up", r.Ack.Count, r.Each.Count, r.Last.Count, r.Sent)
			}
			if r.Last.P50 < r.Each.P50 || r.Last.Max != r.Each.Max {
				t.Errorf("last: p50 %v, max %v; each: p50 %v, max %v: the last delivery is one of them, and none is later", r.Last.P50, r.Last.Max, r.Each.P50, r.Each.Max)
			}
		})
	}
}

func TestLocal_Flags(t *testing.T) {
	for want, o := range map[string]options{
		"--sync normal": {sync: syncNormal},
		"--sync full":   {sync: syncFull},
		"--memory":      {sync: syncNormal, inMemory: true},
	} {
		if got := strings.Join(o.local(), " "); got != want {
			t.Errorf("streamroom local is started with %s, want %s", got, want)
		}
	}
}

func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, log bytes.Buffer
	code = run(t.Context(), args, &out, &log)
	return code, out.String(), log.String()
}

// TestLoad_SignsInByTokens gives the tokens in a file, as a deployed Streamroom needs.
func TestLoad_SignsInByTokens(t *testing.T) {
	s := rig.Start(t, local.Config{LogLevel: "warn", Unthrottled: true})
	var lines strings.Builder
	for _, user := range []string{"ann", "ben"} {
		lines.WriteString(user + " " + s.Token(user, rig.Patience) + "\n")
	}
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--url", s.WebSocketURL(), "--api", s.Server.URL() + "/api", "--tokens", file, "--rooms", "1", "--for", "500ms", "--warm-up", "0s"}
	if code, stdout, stderr := command(t, append(args, "--users", "2", "--members", "2", "--window", "1")...); code != exitOK {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	code, _, stderr := command(t, append(args, "--users", "3", "--members", "2")...)
	if code != exitFailed || !strings.Contains(stderr, "has 2 users, want the 3 of --users") {
		t.Errorf("a third user: exit code %d: %s", code, stderr)
	}
}

func TestLoad_RefusedMessagesAreSaid(t *testing.T) {
	// Each instance of a function counts a burst for itself, and on a busy machine there are
	// several: by one message each, not all that are sent are within their limits.
	s := rig.Start(t, local.Config{LogLevel: "warn", Wrap: local.EachFunction(func(f local.Function) local.Function {
		if _, reads := f.Environment[config.SendRate]; reads {
			f.Environment[config.SendRate], f.Environment[config.SendBurst] = "1", "1"
		}
		return f
	})})
	file := filepath.Join(t.TempDir(), "report.json")
	code, stdout, stderr := command(t, "--url", s.WebSocketURL(), "--api", s.Server.URL()+"/api",
		"--users", "1", "--rooms", "1", "--members", "1", "--rate", "60", "--for", "1s", "--warm-up", "0s", "--json", file)
	if code != exitFailed || !strings.Contains(stdout, "messages were refused: rate_limited") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	r, err := readReport(file)
	if err != nil {
		t.Fatal(err)
	}
	if r.Refused["rate_limited"] == 0 || r.Acked+r.Refused["rate_limited"] != r.Sent || r.Lost != 0 {
		t.Errorf("%d sent, %d acked, %v refused, %d lost; want each acked or refused", r.Sent, r.Acked, r.Refused, r.Lost)
	}
}

func TestBadInput(t *testing.T) {
	for args, want := range map[string]string{
		"--users 0":                       "invalid --users 0: want 1 to 60000",
		"--users 5 --members 6":           "invalid --members 6: want 1 to the 5 of --users",
		"--rooms 0":                       "invalid --rooms 0",
		"--rate -1":                       "invalid --rate -1",
		"--rate NaN":                      "invalid --rate NaN",
		"--rate 5 --window 5":             "--rate and --window exclude each other",
		"--window -1":                     "invalid --window -1",
		"--bytes 5":                       "invalid --bytes 5: want 32 to 16384",
		"--connect-rate 0":                "invalid --connect-rate 0",
		"--for 3h":                        "invalid --for 3h0m0s",
		"--for soon":                      `invalid --for "soon": want a duration such as 30s or 2h`,
		"--late 0s":                       "--late must be positive",
		"--peer irc":                      `invalid --peer "irc": want centrifugo, streamroom or tinode`,
		"--peer tinode":                   "--url is missing",
		"--pid 1":                         "--url is missing",
		"--url http://127.0.0.1:1":        `invalid --url "http://127.0.0.1:1": want a URL such as ws://127.0.0.1:8080/local`,
		"--url ws://127.0.0.1:1":          "--api is missing",
		"--url ws://127.0.0.1:1 --memory": "--memory is for the streamroom that is started",
		"--url ws://x.y/z --sync full":    "--sync is for the streamroom that is started",
		"--memory --sync full":            "--memory has none",
		"--sync maybe":                    `invalid --sync "maybe": want normal or full`,
		"--url ws://127.0.0.1:1 --api x":  `invalid --api "x"`,
		"--speed 5":                       "unknown flag --speed",
		"now":                             `unexpected argument "now"`,
		"merge":                           "invalid arguments of merge: want at least 1 reports",
		"compare one.json":                "invalid arguments of compare: want at least 2 reports",
	} {
		code, stdout, stderr := command(t, strings.Fields(args)...)
		if code != exitUsage || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 || stdout != "" {
			t.Errorf("%s: exit code %d, %q, %q; want %d and one line with %q", args, code, stdout, stderr, exitUsage, want)
		}
	}
}

func TestBadInput_Reports(t *testing.T) {
	write := func(text string) string {
		file := filepath.Join(t.TempDir(), "report.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	one := write(`{"format":1,"peer":"streamroom"}`)
	for text, want := range map[string]string{
		"hello":                        "want a file that --json wrote",
		`{"format":2}`:                 "has format 2, want 1",
		`{"format":1,"peer":"tinode"}`: "reports of streamroom and of tinode",
		`{"format":1,"peer":"streamroom","ack":{"histogram":"AAAA"}}`: "read a histogram",
	} {
		code, _, stderr := command(t, "merge", one, write(text))
		if code != exitFailed || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %q; want %q", text, code, stderr, want)
		}
	}
}

func TestNoServer(t *testing.T) {
	code, _, stderr := command(t, "--url", "ws://127.0.0.1:1/local", "--api", "http://127.0.0.1:1/api", "--for", "1s")
	if code != exitFailed || !strings.Contains(stderr, "sign in: ") || !strings.Contains(stderr, "connection refused") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
}

// TestMerge: what two machines measured is as if one had measured all.
func TestMerge(t *testing.T) {
	whole, parts := newRecorder(), [2]*recorder{newRecorder(), newRecorder()}
	for i := range 3000 {
		latency := time.Duration(i*i) * time.Microsecond
		whole.record(i, latency)
		parts[i%2].record(i, latency)
	}
	var reports []Report
	for _, part := range parts {
		ack, err := summarize(part.sum())
		if err != nil {
			t.Fatal(err)
		}
		reports = append(reports, Report{Ack: ack, Sent: 10, Refused: map[string]int64{"internal": 2}, Seconds: []Second{{Sent: 4, Last: ack}}})
	}
	reports[1].Seconds = append(reports[1].Seconds, Second{Sent: 5})
	got, err := merge(reports)
	if err != nil {
		t.Fatal(err)
	}
	want, err := summarize(whole.sum())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Ack, want) || !reflect.DeepEqual(got.Seconds[0].Last, want) {
		t.Errorf("merged: %+v, want %+v", got.Ack, want)
	}
	if got.Sent != 20 || got.Refused["internal"] != 4 || got.Seconds[0].Sent != 8 || got.Seconds[1].Sent != 5 {
		t.Errorf("merged: %+v", got)
	}
	if reports[0].Refused["internal"] != 2 || reports[0].Seconds[0].Sent != 4 {
		t.Error("merge changes the reports that it is given")
	}
}

func TestPage_HasEachReport(t *testing.T) {
	var r Report
	if err := json.Unmarshal([]byte(`{"format":1,"name":"a<b"}`), &r); err != nil {
		t.Fatal(err)
	}
	text, err := page([]Report{r, {Name: "second"}})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte("a&lt;b")) || bytes.Contains(text, []byte("a<b")) || !bytes.Contains(text, []byte("second")) {
		t.Errorf("the page is %s", text)
	}
}
