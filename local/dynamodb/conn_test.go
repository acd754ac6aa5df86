package dynamodb

import (
	"bytes"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	sqlite3 "modernc.org/sqlite/lib"
)

func connect(t *testing.T, path string) *conn {
	t.Helper()
	c, err := openConn(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// SQLite's own word for what a value is tells an empty one from NULL.
func TestConn_GivesValuesToSQLiteAndBack(t *testing.T) {
	c := connect(t, "")
	if err := c.exec("CREATE TABLE kept (n INTEGER PRIMARY KEY, a, b, c)"); err != nil {
		t.Fatal(err)
	}
	long := bytes.Repeat([]byte{0, 1, 255}, firstBuffer)
	for _, value := range []struct {
		given any
		kind  string
	}{
		{[]byte(nil), "blob"},
		{[]byte{}, "blob"},
		{[]byte{0}, "blob"},
		{long, "blob"},
		{"", "text"},
		{"a\x00ü", "text"},
		{strings.Repeat("x", 10*firstBuffer), "text"},
		{int64(math.MinInt64), "integer"},
		{int64(math.MaxInt64), "integer"},
	} {
		if err := c.exec("INSERT OR REPLACE INTO kept (n, a, b, c) VALUES (1, ?, ?, ?)", []byte("before"), value.given, "after"); err != nil {
			t.Fatal(err)
		}
		err := c.query("SELECT a, b, c, typeof(b) FROM kept", nil, func(row columns) (bool, error) {
			if row.text(0) != "before" || row.text(2) != "after" || row.text(3) != value.kind {
				t.Errorf("got %q, %q and a %s for a %s", row.text(0), row.text(2), row.text(3), value.kind)
			}
			same := false
			switch given := value.given.(type) {
			case []byte:
				same = bytes.Equal(row.blob(1), given)
			case string:
				same = row.text(1) == given
			case int64:
				same = row.integer(1) == given
			}
			if !same {
				t.Errorf("got other than the %s that was given", value.kind)
			}
			return true, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestConn_AnotherStatementLeavesWhatWasReturned(t *testing.T) {
	c := connect(t, "")
	first, err := c.blob("SELECT ?", []byte("first"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.blob("SELECT ?", []byte("other")); err != nil || string(first) != "first" {
		t.Errorf("got %q, %v", first, err)
	}
	if none, err := c.blob("SELECT 1 WHERE 0"); err != nil || none != nil {
		t.Errorf("got %q, %v without a row, want nil", none, err)
	}
	if empty, err := c.blob("SELECT x''"); err != nil || empty == nil {
		t.Errorf("got %v, %v of an empty column, want other than nil", empty, err)
	}
}

func TestConn_RefusesAndGoesOn(t *testing.T) {
	c := connect(t, "")
	next := func(columns) (bool, error) { return true, nil }
	fault := errors.New("the caller's own")
	for name, test := range map[string]struct {
		run  func() error
		says string
	}{
		"too few arguments":  {func() error { return c.exec("SELECT ?, ?", int64(1)) }, "got 1 arguments, want 2"},
		"too many arguments": {func() error { return c.exec("SELECT ?", int64(1), int64(2)) }, "got 2 arguments, want 1"},
		"another type":       {func() error { return c.exec("SELECT ?", 1) }, "invalid argument 1"},
		"two statements":     {func() error { return c.exec("SELECT 1; SELECT 2") }, "want one statement"},
		"no statement":       {func() error { return c.exec(" -- nothing") }, "want one statement"},
		"a fault of its SQL": {func() error { return c.exec("SELECT FROM") }, "syntax error (1)"},
		"a statement in a row": {func() error {
			return c.query("SELECT 1", nil, func(columns) (bool, error) { return true, c.exec("SELECT 2") })
		}, "another statement runs"},
		"the caller's fault": {func() error {
			return c.query("SELECT 1 UNION SELECT 2", nil, func(columns) (bool, error) { return true, fault })
		}, fault.Error()},
		"a panic": {func() error {
			return guard(func() error {
				return c.query("SELECT 1 UNION SELECT 2", nil, func(columns) (bool, error) { panic("in a row") })
			})
		}, "in a row"},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // what is prepared is used again
				if err := test.run(); err == nil || !strings.Contains(err.Error(), test.says) {
					t.Errorf("got %v, want %q in it", err, test.says)
				}
				if err := c.query("SELECT ?", []any{int64(7)}, next); err != nil {
					t.Errorf("the next statement: %v", err)
				}
			}
		})
	}
}

func TestConn_ReturnsSQLitesErrors(t *testing.T) {
	c := connect(t, "")
	for _, sql := range []string{"CREATE TABLE kept (n INTEGER PRIMARY KEY)", "INSERT INTO kept (n) VALUES (1)"} {
		if err := c.exec(sql); err != nil {
			t.Fatal(err)
		}
	}
	_, opening := openConn(filepath.Join(t.TempDir(), "none", "data.db"))
	for _, test := range []struct {
		err  error
		code int32
		says string
	}{
		{c.exec("SELECT 1 FROM none"), sqlite3.SQLITE_ERROR, "SQL logic error: no such table: none (1)"},
		{c.exec("INSERT INTO kept (n) VALUES (?)", int64(1)), sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, "constraint failed: UNIQUE constraint failed: kept.n (1555)"},
		{opening, sqlite3.SQLITE_CANTOPEN, "unable to open database file (14)"},
	} {
		failed, ok := errors.AsType[*storageError](test.err)
		if !ok || failed.code != test.code || !strings.HasSuffix(test.err.Error(), test.says) {
			t.Errorf("got %v, want %q and the code %d", test.err, test.says, test.code)
		}
	}
}
