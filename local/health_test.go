package local_test

import (
	"database/sql"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // its driver

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/test/rig"
)

func health(t *testing.T, s *rig.Rig) int {
	t.Helper()
	return asked(t, http.MethodGet, s.URL()+"/healthz", "", nil).StatusCode
}

func TestHealth_FailsWhileWritesFail(t *testing.T) {
	dir := t.TempDir()
	s := start(t, local.Config{DataDir: dir})
	if got := health(t, s); got != http.StatusOK {
		t.Fatalf("at first: %d", got)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "table.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	run := func(statement string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	run("CREATE TRIGGER full BEFORE INSERT ON meta BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END")
	if got := health(t, s); got != http.StatusServiceUnavailable {
		t.Errorf("while writes fail: %d", got)
	}
	if !strings.Contains(s.Logs.String(), "disk is full") {
		t.Error("the log does not say why")
	}
	run("DROP TRIGGER full")
	if got := health(t, s); got != http.StatusOK {
		t.Errorf("after it was repaired: %d", got)
	}
}

func TestHealth_OfAnotherDynamoDB(t *testing.T) {
	table := start(t, local.Config{})
	s := start(t, local.Config{DynamoDBEndpoint: table.TableURL()})
	if got := health(t, s); got != http.StatusOK {
		t.Errorf("while it is there: %d", got)
	}
	table.Stop()
	if got := health(t, s); got != http.StatusServiceUnavailable {
		t.Errorf("after it is gone: %d", got)
	}
}
