package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// started is a `streamroom local` of this tree, in a process of its own.
type started struct {
	cmd    *exec.Cmd
	folder string
	url    string // http://127.0.0.1:PORT
	ended  chan error
}

// startPatience is how long a build that is in no cache may take, and the start
// after it.
const (
	startPatience = time.Minute
	stopPatience  = 20 * time.Second
)

// start builds this tree's Streamroom and starts it without limits. Its data is in a file of
// a temporary folder, unless flags say otherwise.
func start(ctx context.Context, flags []string, log io.Writer) (*started, error) {
	folder, err := os.MkdirTemp("", "streamroom-load-")
	if err != nil {
		return nil, err
	}
	s := &started{folder: folder, ended: make(chan error, 1)}
	program := filepath.Join(folder, "streamroom")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/streamroom/streamroom/cmd/streamroom") //nolint:gosec // into our own folder
	build.Stderr = log
	if err := build.Run(); err != nil {
		return nil, errors.Join(fmt.Errorf("build streamroom: %w; or start one yourself and pass --url and --api", err), os.RemoveAll(folder))
	}
	addr, table, err := freeAddresses(ctx)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	args := append([]string{"local", "--unthrottled", "--addr", addr, "--dynamodb-addr", table, "--data", filepath.Join(folder, "data")}, flags...)
	s.url = "http://" + addr
	s.cmd = exec.Command(program, args...) //nolint:gosec,noctx // what was just built; stop ends it
	s.cmd.Stderr = log
	s.cmd.SysProcAttr = apart // Ctrl-C is ours to pass on, once the report is made
	if err := s.cmd.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	go func() { s.ended <- s.cmd.Wait() }()
	if err := s.ready(ctx); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// freeAddresses returns two addresses of this machine that no one listens on. Another
// program may take them before Streamroom does, which then says so.
func freeAddresses(ctx context.Context) (first, second string, err error) {
	var found []string
	for range 2 {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return "", "", err
		}
		defer listener.Close()
		found = append(found, listener.Addr().String())
	}
	return found[0], found[1], nil
}

func (s *started) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/healthz", http.NoBody)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close() // of a body that is not read
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-s.ended:
			s.ended <- err // stop waits for it, too
			return fmt.Errorf("streamroom local has ended: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("streamroom local is not ready: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stop ends it as Ctrl-C does, where the system lets it, and removes its data.
func (s *started) stop() error {
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil { // it has ended, or this is Windows
		_ = s.cmd.Process.Kill()
	}
	select {
	case <-s.ended: //nolint:errcheck // how it ended is no concern any more
	case <-time.After(stopPatience):
		_ = s.cmd.Process.Kill()
		<-s.ended //nolint:errcheck // it was killed
	}
	return os.RemoveAll(s.folder)
}
