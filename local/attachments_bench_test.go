package local_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/test/rig"
)

// BenchmarkAttachments uploads and downloads files through a server with a data folder,
// by forms and links as clients have them, and, to compare with, puts and gets the same
// files at the port that asks for no signature.
func BenchmarkAttachments(b *testing.B) {
	s := rig.Start(b, local.Config{LogLevel: "error", DataDir: b.TempDir(), Unthrottled: true})
	room := s.Room("alice", "bob")
	alice := s.Connect("alice")
	for _, size := range []int{64 << 10, 1 << 20, 25 << 20} {
		if testing.Short() && size > 1<<20 {
			continue
		}
		content := bytes.Repeat([]byte("streamroom"), size/10+1)[:size]
		announced := announce(s, "alice", room, "a.bin", "application/octet-stream", size)
		name := fmt.Sprintf("%dKB", size>>10)
		b.Run("upload/"+name, func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				if status := s.Upload(announced.Upload, content); status != http.StatusNoContent {
					b.Fatalf("upload: status %d", status)
				}
			}
		})
		file := sendFile(s, alice, room, "b.bin", "application/octet-stream", content)
		b.Run("download/"+name, func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, body := download(s, "bob", room, file.AttachmentID); len(body) != size {
					b.Fatalf("%d bytes, want %d", len(body), size)
				}
			}
		})
		url := s.TableURL() + "/" + local.AttachmentsBucket + "/rooms/bench/alone"
		b.Run("alone-put/"+name, func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				alone(b, http.MethodPut, url, content)
			}
		})
		alone(b, http.MethodPut, url, content)
		b.Run("alone-get/"+name, func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				if n := alone(b, http.MethodGet, url, nil); n != size {
					b.Fatalf("%d bytes, want %d", n, size)
				}
			}
		})
	}
}

// alone makes a request to the store, and returns how many bytes it answers.
func alone(b *testing.B, method, url string, body []byte) int {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	n, err := io.Copy(io.Discard, response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		b.Fatalf("%s: status %d, %v", method, response.StatusCode, err)
	}
	return int(n)
}
