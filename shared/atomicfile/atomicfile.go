// Package atomicfile creates and replaces files as a whole, for the local runtime and the
// operator tools: who reads the file, also after a crash, finds all of the old
// content or all of the new.
package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// Write puts data in the place of the file at path, which need not exist. The
// file can then be read and written by its owner only. The data has reached the
// disk when Write returns. Two calls at the same time don't mix: one wins.
func Write(path string, data []byte) error {
	return Stream(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Create is Write of a new file. It fails with fs.ErrExist instead of replacing one.
func Create(path string, data []byte) error {
	// A link, because a rename would replace the file of one who was faster.
	return put(path, os.Link, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Stream is Write of what a function writes, of any size. If the function fails, the file
// stays as it was.
func Stream(path string, write func(io.Writer) error) error { return put(path, os.Rename, write) }

// put writes a file beside its place, and moves it there.
func put(path string, move func(from, to string) error, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = move(f.Name(), path)
	}
	_ = os.Remove(f.Name()) // it is there unless it was renamed; the error before says what is wrong
	return err
}
