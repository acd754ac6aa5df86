package rig

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// pair connects two ends of a network in memory.
func pair(t *testing.T) (near, far net.Conn) {
	t.Helper()
	n := NewNetwork()
	l, err := n.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if near, err = n.DialContext(t.Context(), "tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return near, far
}

func TestNetwork_Waits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t)
		go func() {
			<-time.After(time.Hour)
			_, _ = near.Write([]byte("late"))
			_ = near.Close()
		}()
		began := time.Now()
		got, err := io.ReadAll(far)
		if string(got) != "late" || err != nil || time.Since(began) != time.Hour {
			t.Errorf("got %q, %v after %s", got, err, time.Since(began))
		}
		if _, err := far.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a write to a connection that was closed: %v", err)
		}
	})
}

func TestNetwork_IsBuffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := pair(t)
		if n, err := near.Write(make([]byte, streamBuffer)); n != streamBuffer || err != nil {
			t.Fatal(n, err)
		}
		if err := near.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if n, err := near.Write(make([]byte, 10)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a write beyond the buffer: %d, %v", n, err)
		}
		if err := near.SetWriteDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.CopyN(io.Discard, far, streamBuffer) }()
		if n, err := near.Write(make([]byte, 10)); n != 10 || err != nil {
			t.Errorf("a write once there is room: %d, %v", n, err)
		}
	})
}

func TestNetwork_Deadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, _ := pair(t)
		if err := near.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err := near.Read(make([]byte, 1))
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != time.Minute {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		// A deadline that has passed wakes a read that waits: net/http relies on it.
		if err := near.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		read := make(chan error)
		go func() {
			_, err := near.Read(make([]byte, 1))
			read <- err
		}()
		synctest.Wait()
		if err := near.SetReadDeadline(time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		if err := <-read; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a read that waited: %v", err)
		}
	})
}

func TestNetwork_Ends(t *testing.T) {
	n := NewNetwork()
	l, err := n.Listen(t.Context(), "tcp", "127.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Listen(t.Context(), "tcp", "127.0.0.1:80"); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second listener: %v", err)
	}
	waiting, err := n.DialContext(context.Background(), "tcp", "127.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed listener: %v", err)
	}
	if _, err := waiting.Read(make([]byte, 1)); err == nil {
		t.Error("who was not accepted reads")
	}
	if _, err := n.DialContext(t.Context(), "tcp", "127.0.0.1:80"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("no one listens: %v", err)
	}
	near, far := pair(t)
	if _, err := near.Write([]byte("lost")); err != nil {
		t.Fatal(err)
	}
	reset, _ := near.(*conn)
	reset.Reset()
	if got, err := far.Read(make([]byte, 9)); got != 0 || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after a reset: %d, %v", got, err)
	}
	if _, err := near.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the end that was closed: %v", err)
	}
}
