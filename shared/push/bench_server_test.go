package push

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// serverEnv turns the test binary into the server that benchmarks post to: a
// process of its own, so that its CPU isn't counted as ours.
const serverEnv = "PUSH_BENCHMARK_SERVER"

// serveBenchmark answers every request with an empty 200 until standard input
// ends, which it does with the parent at the latest.
func serveBenchmark() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "listen:", err)
		os.Exit(1)
	}
	server := &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
		}),
	}
	scheme := os.Getenv(serverEnv)
	if scheme == "https" {
		borrowed := httptest.NewTLSServer(nil) // for its certificate
		listener = tls.NewListener(listener, borrowed.TLS)
		borrowed.Close()
	}
	fmt.Println(scheme + "://" + listener.Addr().String())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	_ = server.Serve(listener)
}

// startServer returns the endpoint of a benchmark server, over http or https, that ends
// with b.
func startServer(b *testing.B, scheme string) string {
	b.Helper()
	server := exec.CommandContext(b.Context(), os.Args[0])
	server.Env = append(os.Environ(), serverEnv+"="+scheme, "GOMAXPROCS=1")
	server.Stderr = os.Stderr
	stdin, err := server.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = server.Wait()
	})
	return strings.TrimSpace(address) + "/local"
}
