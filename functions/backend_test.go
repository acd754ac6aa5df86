package functions_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/streamroom/streamroom/local/dynamodb"
)

// backendEnv turns the test binary into what the functions call: the table and
// an @connections API. It is a process of its own, so that its CPU isn't counted
// as theirs.
const backendEnv = "FUNCTIONS_BENCHMARK_BACKEND"

// openedPath is where the backend says how many TCP connections were opened.
const openedPath = "/opened"

// serveBackend serves both until standard input ends, which it does with the
// parent at the latest.
func serveBackend() {
	if err := runBackend(); err != nil {
		fmt.Fprintln(os.Stderr, "backend:", err)
		os.Exit(1)
	}
}

func runBackend() error {
	engine, err := dynamodb.Open(context.Background(), dynamodb.Options{})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + listener.Addr().String())
	mux := http.NewServeMux()
	mux.Handle("/", engine)
	mux.HandleFunc("POST /local/@connections/{id}", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	})
	var opened atomic.Int64
	mux.HandleFunc("GET "+openedPath, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, opened.Load())
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute, ConnState: func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	_ = server.Serve(listener)
	return engine.Close()
}

// startBackend returns the URL of a backend that ends with t.
func startBackend(t testing.TB) string {
	t.Helper()
	backend := exec.CommandContext(t.Context(), os.Args[0])
	backend.Env = append(os.Environ(), backendEnv+"=1", "GOMAXPROCS=1")
	backend.Stderr = os.Stderr
	stdin, err := backend.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := backend.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := backend.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = backend.Wait()
	})
	url, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(url)
}
