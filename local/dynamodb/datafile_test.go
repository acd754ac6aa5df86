package dynamodb_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	_ "modernc.org/sqlite" // its driver, for files of other programs

	"github.com/streamroom/streamroom/local/dynamodb"
)

// filled writes a data file with a thousand items, and returns its content.
func filled(t *testing.T, path string) []byte {
	t.Helper()
	e, err := dynamodb.Open(t.Context(), dynamodb.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	f := clients(e)
	if _, err := f.CreateTable(t.Context(), chatTable()); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		it := with(key(fmt.Sprint(i), "s"), "body", str(strings.Repeat("x", 200)))
		if _, err := f.PutItem(t.Context(), &ddb.PutItemInput{TableName: aws.String("chat"), Item: it}); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// ofAnotherProgram returns a database of SQLite that was made by statements.
func ofAnotherProgram(t *testing.T, statements ...string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "other.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestOpen_RefusesWhatIsNoWholeDataFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	good := filled(t, path)
	random := func(n int) []byte {
		source := rand.NewChaCha8([32]byte{1})
		b := make([]byte, n)
		_, _ = source.Read(b) // never fails
		return b
	}
	damaged := bytes.Clone(good)
	copy(damaged[len(good)/2:], random(8192))
	const restore, elsewhere = "restore it from a copy, or move it away", "choose another folder with --data"
	for name, test := range map[string]struct {
		content   []byte
		says, fix string
	}{
		"0 bytes":                          {nil, "is empty (0 bytes)", restore},
		"cut in half":                      {good[:len(good)/2], "is damaged", restore},
		"cut inside a page":                {good[:len(good)-100], "is damaged", restore},
		"cut after its first page":         {good[:4096], "is damaged", restore},
		"cut after its header":             {good[:100], "is damaged", restore},
		"random bytes":                     {random(100_000), "is not a data file of this program", elsewhere},
		"random bytes in its middle":       {damaged, "is damaged", restore},
		"text":                             {[]byte("hello\n"), "is not a data file of this program", elsewhere},
		"another program's":                {ofAnotherProgram(t, "CREATE TABLE places (id INTEGER)"), "is a database of another program", elsewhere},
		"another program's, with a meta":   {ofAnotherProgram(t, "CREATE TABLE meta (key TEXT, value TEXT)"), "is a database of another program", elsewhere},
		"another program's, nothing in it": {ofAnotherProgram(t, "PRAGMA user_version = 1"), "is a database of another program", elsewhere},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "data.db")
			if err := os.WriteFile(path, test.content, 0o600); err != nil {
				t.Fatal(err)
			}
			e, err := dynamodb.Open(t.Context(), dynamodb.Options{Path: path})
			if err == nil {
				_ = e.Close()
				t.Fatal("it was opened")
			}
			for _, want := range []string{path, test.says, test.fix} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("got more than a line: %q", err)
			}
			after, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(after, test.content) {
				t.Errorf("the file has changed, %v", err)
			}
		})
	}
	e, err := dynamodb.Open(t.Context(), dynamodb.Options{Path: path})
	if err != nil {
		t.Fatalf("a good file: %v", err)
	}
	defer func() { _ = e.Close() }()
	out, err := clients(e).GetItem(t.Context(), &ddb.GetItemInput{TableName: aws.String("chat"), Key: key("999", "s")})
	if err != nil || len(out.Item) == 0 {
		t.Errorf("of a good file: %v, %v", out, err)
	}
}

// A file that was never completed, and the log of one that was deleted, are left
// from a process that was killed.
func TestOpen_CreatesAFileBesideLeftovers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	for _, left := range []string{"-wal", "-shm", ".new", ".new-wal", ".new-shm"} {
		if err := os.WriteFile(path+left, []byte("left"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	filled(t, path)
}

func TestOpen_DataFilesAreTheirOwnersOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no modes here")
	}
	path := filepath.Join(t.TempDir(), "data.db")
	modes := func(when string) {
		t.Helper()
		e, err := dynamodb.Open(t.Context(), dynamodb.Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		f := clients(e)
		_, _ = f.CreateTable(t.Context(), chatTable()) // it exists the second time
		for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
			info, err := os.Stat(path + suffix)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %s has the mode %v, %v", when, suffix, info.Mode(), err)
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	modes("new")
	for _, suffix := range []string{"", ".lock"} {
		if err := os.Chmod(path+suffix, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	modes("of an earlier version")
}

// TestFsync: a write reaches the disk before its answer only where that is asked for.
func TestFsync(t *testing.T) {
	for fsync, want := range map[bool]int64{false: 1, true: 2} {
		e := open(t, dynamodb.Options{Path: filepath.Join(t.TempDir(), "data.db"), Fsync: fsync})
		if got, err := e.Synchronous(); got != want || err != nil {
			t.Errorf("Fsync %t: got %d, %v, want %d", fsync, got, err, want)
		}
	}
}
