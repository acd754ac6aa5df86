package atomicfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/streamroom/streamroom/shared/atomicfile"
)

func TestWriteReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file.json")
	for _, text := range []string{"the first", "2", ""} {
		if err := atomicfile.Write(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Errorf("got %q, %v, want %q", got, err, text)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// A write that fails leaves neither a half file nor a temporary one.
func TestWriteThatFails(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "taken")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Write(path, []byte("x")); err == nil {
		t.Error("a folder was replaced")
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
	if err := atomicfile.Write(filepath.Join(folder, "missing", "file"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want ErrNotExist", err)
	}
}

// What is created replaces nothing, and leaves no temporary file.
func TestCreateReplacesNothing(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "file.pem")
	if err := atomicfile.Create(path, []byte("the first")); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Create(path, []byte("2")); !errors.Is(err, os.ErrExist) {
		t.Errorf("got %v, want ErrExist", err)
	}
	got, err := os.ReadFile(path)
	left, listErr := os.ReadDir(folder)
	if err := errors.Join(err, listErr); err != nil || string(got) != "the first" || len(left) != 1 {
		t.Errorf("got %q beside %v, %v", got, left, err)
	}
}
