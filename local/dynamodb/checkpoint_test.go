package dynamodb_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/local/dynamodb"
)

// logSize is how large the log of a data file is.
func logSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// writeAndRead writes items of 20 KB from several goroutines that never pause, beside
// others that read.
func writeAndRead(t *testing.T, f fixture, items int) {
	t.Helper()
	var reading sync.WaitGroup
	done := make(chan struct{})
	for w := range 4 {
		reading.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, err := f.GetItem(t.Context(), &ddb.GetItemInput{TableName: aws.String("chat"), Key: key(fmt.Sprint(w), "1")}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	write(t, f, items)
	close(done)
	reading.Wait()
}

// write writes items of 20 KB from several goroutines that never pause.
func write(t *testing.T, f fixture, items int) {
	t.Helper()
	body := str(strings.Repeat("x", 20_000))
	started := fmt.Sprint(time.Now().UnixNano())
	var writing sync.WaitGroup
	for w := range 4 {
		writing.Go(func() {
			for i := range items / 4 {
				it := with(key(fmt.Sprint(w), fmt.Sprint(i%50)), "body", body, "number", str(started+"-"+fmt.Sprint(i)))
				if _, err := f.PutItem(t.Context(), &ddb.PutItemInput{TableName: aws.String("chat"), Item: it}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writing.Wait()
}

// TestTheLogIsBounded writes more than 20 times what the log may have, and looks at its size and at
// what the file has.
func TestTheLogIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	e, err := dynamodb.Open(t.Context(), dynamodb.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	const every, longest, page = 50, 300, 4096
	e.CheckpointEvery(every, longest, "")
	f := clients(e)
	f.createChat(t)
	writeAndRead(t, f, 600) // of some 15 pages each, with its stream record
	// A pass that finds readers in the way is made up for by the next ones.
	size := logSize(t, path)
	if t.Logf("the log has %d bytes", size); size > 5*longest*page {
		t.Errorf("the log has %d bytes, want %d at most", size, 5*longest*page)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + "-wal"); !os.IsNotExist(err) {
		t.Errorf("a closed engine has left its log: %v", err)
	}
	f = clients(open(t, dynamodb.Options{Path: path}))
	if got := len(f.everything(t)); got != 600 {
		t.Errorf("got %d records, want 600", got)
	}
}

// TestFailedCheckpoint has the log's way to the file fail, as on a full disk: it is said,
// writes go on, and the log shrinks once it succeeds.
func TestFailedCheckpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	said := &lines{found: make(chan string, 1)}
	f := start(t, dynamodb.Options{Path: path, Log: zerolog.New(said)})
	f.engine.CheckpointEvery(100, 1000, filepath.Join(t.TempDir(), "none", "data.db"))
	writeAndRead(t, f, 400)
	before := logSize(t, path)
	f.engine.CheckpointEvery(100, 1000, "") // waits for the pass that runs
	select {
	case line := <-said.found: // writes have waited for passes
		if !strings.Contains(line, "see to it that the disk has room") {
			t.Errorf("got %s", line)
		}
	default:
		t.Fatal("nothing is said about it")
	}
	write(t, f, 400) // readers would be in the way of passes for as long as they don't get the processor
	if after := logSize(t, path); after > before*5/4 {
		t.Errorf("the log had %d bytes, and has %d after as many writes again", before, after)
	}
	if f.get(t, "0", "1") == nil {
		t.Error("an item is lost")
	}
}

// lines takes the first line of a log.
type lines struct{ found chan string }

func (l *lines) Write(p []byte) (int, error) {
	select {
	case l.found <- string(p):
	default:
	}
	return len(p), nil
}
