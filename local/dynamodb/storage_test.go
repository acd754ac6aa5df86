package dynamodb

import (
	"errors"
	"path/filepath"
	"testing"
)

func TestStorage_ReadsWithTheWritersConnectionWhileNothingIsWritten(t *testing.T) {
	for name, test := range map[string]struct {
		file, short, writing bool
		writers              bool // is the connection that is wanted
	}{
		"a short read of a file":                {file: true, short: true, writers: true},
		"a short read of a file beside a write": {file: true, short: true, writing: true},
		"a long read of a file":                 {file: true},
		"a long read of a file beside a write":  {file: true, writing: true},
		"a short read in memory":                {short: true, writers: true},
		"a long read in memory":                 {writers: true},
	} {
		t.Run(name, func(t *testing.T) {
			path := ""
			if test.file {
				path = filepath.Join(t.TempDir(), "data.db")
			}
			s, err := openStorage(path, false)
			if err != nil {
				t.Fatal(err)
			}
			read := s.readLong
			if test.short {
				read = s.read
			}
			if test.writing {
				s.writing.Lock()
			}
			err = read(t.Context(), func(c *conn) error {
				if (c == s.writer) != test.writers {
					t.Errorf("got the writer's connection: %t, want %t", c == s.writer, test.writers)
				}
				free := s.writing.TryLock()
				if free {
					s.writing.Unlock()
				}
				if free == (test.writers || test.writing) {
					t.Errorf("another may write: %t", free)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			if test.writing {
				s.writing.Unlock()
			}
			if err := s.close(); err != nil {
				t.Error(err)
			}
			if err := read(t.Context(), func(*conn) error { return nil }); !errors.Is(err, errClosed) {
				t.Errorf("got %v once it is closed, want %v", err, errClosed)
			}
		})
	}
}
