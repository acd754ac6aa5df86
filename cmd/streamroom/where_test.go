package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/test/rig"
)

// operatorCalls read a table, each in its own way.
var operatorCalls = []string{"verify", "verify --json", "replay", "replay --apply --json", "replay --source stream", "failures list"}

// refuses calls a command that cannot work, and checks that it prints one line
// on stderr and reports nothing.
func refuses(t *testing.T, want []string, args ...string) {
	t.Helper()
	code, stdout, stderr := tool(t, args...)
	missing := func(text string) bool { return !strings.Contains(stderr, text) }
	if code != exitFailed || stdout != "" || slices.ContainsFunc(want, missing) || strings.Count(stderr, "\n") != 1 {
		t.Errorf("streamroom %v: exit code %d, stdout %q, stderr %q; want one line with %q", args, code, stdout, stderr, want)
	}
}

func TestEndpoint_NothingThatSpeaksDynamoDB(t *testing.T) {
	var listening net.ListenConfig
	listener, err := listening.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + listener.Addr().String()
	_ = listener.Close()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<html>hello</html>"))
	}))
	defer web.Close()
	s := rig.Start(t, local.Config{})
	var calls sync.WaitGroup // each waits seconds between its attempts
	defer calls.Wait()
	for _, call := range operatorCalls {
		for endpoint, why := range map[string]string{
			closed: "connection refused", web.URL: "got HTTP status 200 from a server of another kind",
			s.URL(): "from a server of another kind", // local's other port
		} {
			calls.Go(func() {
				want := []string{"nothing that speaks DynamoDB answers at " + endpoint + ": ", why}
				refuses(t, want, append(strings.Fields(call), "--endpoint", endpoint)...)
			})
		}
		if !strings.HasPrefix(call, "failures") { // which needs no table
			want := []string{"no such table: check --table"}
			calls.Go(func() {
				refuses(t, want, append(strings.Fields(call), "--endpoint", s.TableURL(), "--table", "nowhere")...)
			})
		}
	}
}

func TestEnv_WithoutCredentials(t *testing.T) {
	for _, name := range []string{"AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for _, call := range []string{"verify", "replay", "failures list"} {
		refuses(t, []string{"no AWS credentials: choose a profile with AWS_PROFILE"}, append(strings.Fields(call), "--env", "dev", "--region", "eu-west-1")...)
		if code, stdout, stderr := tool(t, append(strings.Fields(call), "--env", "dev")...); code != exitUsage || stdout != "" || !strings.Contains(stderr, "has no region: use --region") {
			t.Errorf("%s without a region: exit code %d, %q, %q", call, code, stdout, stderr)
		}
	}
}

func TestVerify_SaysThatEverythingFits(t *testing.T) {
	s := rig.Start(t, local.Config{})
	s.Room("alice", "bob")
	// Until lastmessage has placed the room in its members' lists.
	rig.Eventually(t, "a table that fits", func() bool {
		code, stdout, stderr := tool(t, "verify", "--endpoint", s.TableURL(), "--settle", "0s")
		lines := strings.Split(strings.TrimSpace(stdout), "\n")
		last := lines[len(lines)-1]
		return code == exitDone && stderr == "" && strings.HasPrefix(last, "Everything fits: ") && strings.HasSuffix(last, " items and 0 files checked, 0 differ.")
	})
}

func TestThings_AreSingularAndPlural(t *testing.T) {
	for want, got := range map[string]string{
		"1 batch": things(1, "batch"), "2 batches": things(2, "batch"), "0 entries": things(0, "entry"), "1 entry": things(1, "entry"),
		"1,000 records": things(1000, "record"),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
