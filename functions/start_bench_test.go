package functions_test

import (
	"archive/zip"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/topology"
)

// buildFlags are those of the deployment.
var buildFlags = []string{"-trimpath", "-ldflags", "-s -w -buildid=", "-tags", "lambda.norpc"}

// emptyFunction is a function that does nothing: what starting costs anyway.
const emptyFunction = `package main

import "github.com/aws/aws-lambda-go/lambda"

func main() { lambda.Start(func() {}) }
`

// build builds programs into a folder.
func build(b *testing.B, into string, env []string, programs ...string) {
	b.Helper()
	args := append([]string{"build", "-o", into}, buildFlags...)
	command := exec.CommandContext(b.Context(), "go", append(args, programs...)...)
	command.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if out, err := command.CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
}

// measured lists the programs that are measured: two of them where -short is set, as each is
// linked.
func measured() []topology.Function {
	if testing.Short() {
		return topology.Programs()[:2]
	}
	return topology.Programs()
}

func programs() (paths []string) {
	for _, f := range measured() {
		paths = append(paths, "./"+f.Name)
	}
	return paths
}

// BenchmarkStart prints, for each function as it is deployed but for this
// machine, the time from the start of its process to its first request for work,
// and how much longer that takes than for a function that does nothing. The
// figures are those of the fastest start, as others may use the machine.
func BenchmarkStart(b *testing.B) {
	dir := b.TempDir()
	build(b, dir+"/", nil, programs()...)
	source := filepath.Join(dir, "empty.go")
	if err := os.WriteFile(source, []byte(emptyFunction), 0o600); err != nil {
		b.Fatal(err)
	}
	build(b, filepath.Join(dir, "empty"), nil, source)
	runtime := startRuntime(b)
	empty := filepath.Join(dir, "empty")
	for _, f := range measured() {
		b.Run(f.Name, func(b *testing.B) {
			runtime.start(b, filepath.Join(dir, f.Name)) // reads the file into memory
			took, base := time.Minute, time.Minute
			for b.Loop() {
				took = min(took, runtime.start(b, filepath.Join(dir, f.Name)))
				base = min(base, runtime.start(b, empty))
			}
			b.ReportMetric(micros(took)/1e3, "start-ms/op")
			b.ReportMetric(micros(took-base)/1e3, "over-empty-ms/op")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// lambdaRuntime is a Lambda Runtime API that has no work.
type lambdaRuntime struct {
	address string
	asked   chan time.Time // when a function asked for work
}

func startRuntime(b *testing.B) *lambdaRuntime {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	r := &lambdaRuntime{address: listener.Addr().String(), asked: make(chan time.Time, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(_ http.ResponseWriter, request *http.Request) {
		r.asked <- time.Now()
		<-request.Context().Done()
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	b.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return r
}

// start runs a function until it asks for work, and returns how long that took.
func (r *lambdaRuntime) start(b *testing.B, program string) time.Duration {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
	defer cancel()
	function := exec.CommandContext(ctx, program)
	function.Env = []string{
		"AWS_LAMBDA_RUNTIME_API=" + r.address, "AWS_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local", "AWS_SESSION_TOKEN=local",
		config.TableName + "=" + tableName, config.CallbackURL + "=https://gateway.example/prod",
		config.PushKey + "=key", config.PushSecret + "=/push", config.PushContact + "=mailto:ops@example.com",
		config.Issuer + "=" + issuer, config.Audience + "=client", config.TokenUse + "=access",
	}
	function.Stderr = os.Stderr
	started := time.Now()
	if err := function.Start(); err != nil {
		b.Fatal(err)
	}
	var took time.Duration
	select {
	case asked := <-r.asked:
		took = asked.Sub(started)
	case <-ctx.Done():
		b.Errorf("%s asks for no work", filepath.Base(program))
	}
	_ = function.Process.Kill()
	_ = function.Wait() // killed
	return took
}

// BenchmarkZip prints the size of each function's package, a zip with the
// program for Lambda's ARM machines.
func BenchmarkZip(b *testing.B) {
	dir := b.TempDir()
	build(b, dir+"/", []string{"GOOS=linux", "GOARCH=arm64"}, programs()...)
	for _, f := range measured() {
		b.Run(f.Name, func(b *testing.B) {
			program, err := os.ReadFile(filepath.Join(dir, f.Name))
			if err != nil {
				b.Fatal(err)
			}
			var size counter
			if err := pack(&size, program); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				continue // what is measured is a size
			}
			b.ReportMetric(float64(len(program))/1e6, "program-MB")
			b.ReportMetric(float64(size)/1e6, "zipped-MB")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// pack writes the zip that Lambda wants: the program under the name bootstrap.
func pack(w io.Writer, program []byte) error {
	archive := zip.NewWriter(w)
	file, err := archive.CreateHeader(&zip.FileHeader{Name: "bootstrap", Method: zip.Deflate})
	if err != nil {
		return err
	}
	if _, err := file.Write(program); err != nil {
		return err
	}
	return archive.Close()
}

// counter counts what is written to it.
type counter int

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
