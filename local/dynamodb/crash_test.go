package dynamodb_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/local/dynamodb"
)

// childFile is the environment variable that makes the test binary a writer to that file,
// until it is killed.
const childFile = "DYNAMODB_TEST_CHILD_FILE"

// runWriterChild writes items from several goroutines and prints the name of each once it
// is acknowledged.
func runWriterChild() bool {
	path := os.Getenv(childFile)
	if path == "" {
		return false
	}
	ctx := context.Background()
	e, err := dynamodb.Open(ctx, dynamodb.Options{Path: path})
	if err != nil {
		fmt.Println("error", err)
		return true
	}
	f := clients(e)
	if _, err := f.CreateTable(ctx, chatTable()); err != nil {
		fmt.Println("error", err)
		return true
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%d-%d", w, i)
				if err := writeOne(ctx, f, name, i); err != nil {
					fmt.Println("error", err)
					return
				}
				mu.Lock()
				fmt.Println("done", name)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return true
}

// writeOne writes an item, or every third time a transaction of two.
func writeOne(ctx context.Context, f fixture, name string, i int) error {
	it := with(key(name, "s"), "body", str(strings.Repeat("x", 200)), "GSI1PK", str("g"), "GSI1SK", str(name))
	if i%3 > 0 {
		_, err := f.PutItem(ctx, &ddb.PutItemInput{TableName: aws.String("chat"), Item: it})
		return err
	}
	_, err := f.TransactWriteItems(ctx, &ddb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		putAction(it, ""), putAction(key(name, "twin"), ""),
	}})
	return err
}

// TestKill kills a process that writes, and looks for every write that it was told was
// done.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	child := exec.CommandContext(t.Context(), os.Args[0]) // this very binary
	child.Env = append(os.Environ(), childFile+"="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var acknowledged []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		kind, name, _ := strings.Cut(lines.Text(), " ")
		if kind != "done" {
			t.Error(lines.Text())
			continue
		}
		acknowledged = append(acknowledged, name)
		if len(acknowledged) == 100 {
			// while it lives, no one else can open the file
			if _, err := dynamodb.Open(t.Context(), dynamodb.Options{Path: path}); err == nil || !strings.Contains(err.Error(), "in use by another process") {
				t.Errorf("a second process on the file: got %v", err)
			}
		}
		if len(acknowledged) == 1000 {
			if err := child.Process.Kill(); err != nil { // SIGKILL; what it still printed is read on
				t.Fatal(err)
			}
		}
	}
	_ = child.Wait() // it was killed
	if len(acknowledged) < 1000 {
		t.Fatalf("the child wrote only %d items", len(acknowledged))
	}
	f := clients(open(t, dynamodb.Options{Path: path}))
	recorded := make(map[string]int)
	for _, r := range f.everything(t) {
		recorded[streamKey(r)]++
	}
	for _, name := range acknowledged {
		transaction := strings.HasSuffix(name, "-0")
		if _, i, _ := strings.Cut(name, "-"); !transaction {
			n, _ := strconv.Atoi(i)
			transaction = n%3 == 0
		}
		if f.get(t, name, "s") == nil || recorded[name+"/s"] != 1 {
			t.Errorf("%s was acknowledged and is lost, or its %d stream records are", name, recorded[name+"/s"])
		}
		if transaction && (f.get(t, name, "twin") == nil || recorded[name+"/twin"] != 1) {
			t.Errorf("half of the transaction %s is lost", name)
		}
	}
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	e, err := dynamodb.Open(t.Context(), dynamodb.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	f := clients(e)
	f.createChat(t)
	want := with(key("p", "s"), "GSI1PK", str("g"), "GSI1SK", str("1"))
	f.put(t, want)
	arn := f.arn(t)
	if _, err := dynamodb.Open(t.Context(), dynamodb.Options{Path: path}); err == nil {
		t.Error("the file was opened twice")
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.GetItem(t.Context(), &ddb.GetItemInput{TableName: aws.String("chat"), Key: key("p", "s")}); err == nil {
		t.Error("a closed engine answered a read")
	}
	if _, err := f.PutItem(t.Context(), &ddb.PutItemInput{TableName: aws.String("chat"), Item: want}); err == nil {
		t.Error("a closed engine answered a write")
	}
	f = clients(open(t, dynamodb.Options{Path: path}))
	equal(t, "item", f.get(t, "p", "s"), want)
	equal(t, "stream", f.arn(t), arn)
	f.put(t, key("p", "t"))
	if got := len(f.everything(t)); got != 2 {
		t.Errorf("got %d records, want 2", got)
	}
}

func TestOpenRefuses(t *testing.T) {
	directory := t.TempDir()
	noise := filepath.Join(directory, "noise.db")
	if err := os.WriteFile(noise, []byte(strings.Repeat("this is not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]dynamodb.Options{
		"another kind of file": {Path: noise}, "a folder that there is not": {Path: filepath.Join(directory, "none", "data.db")}, "a folder": {Path: directory},
		"too many shards": {Shards: 5000}, "negative shards": {Shards: -1},
	} {
		if e, err := dynamodb.Open(t.Context(), o); err == nil {
			t.Errorf("%s was opened", name)
			_ = e.Close()
		}
	}
}

// TestFailedGroup has storage fail in the middle of a group: what the group did is
// undone, and the next ones go well.
func TestFailedGroup(t *testing.T) {
	for name, path := range map[string]string{"memory": "", "file": filepath.Join(t.TempDir(), "data.db")} {
		t.Run(name, func(t *testing.T) {
			f := start(t, dynamodb.Options{Path: path})
			want := key("p", "s")
			f.put(t, want)
			for range 3 {
				if err := f.engine.FailGroup(t.Context(), "DELETE FROM t1"); err == nil || !strings.Contains(err.Error(), "disk is full") {
					t.Errorf("the group that was to fail: got %v", err)
				}
			}
			equal(t, "item", f.get(t, "p", "s"), want)
			f.put(t, key("p", "t"))
			if got := len(f.everything(t)); got != 2 {
				t.Errorf("got %d records, want 2", got)
			}
		})
	}
}
