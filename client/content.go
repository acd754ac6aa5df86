package client

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// contentError is an error of a file's content, with which no attempt can succeed.
type contentError struct{ error }

// Unwrap returns the error of the reader.
func (e contentError) Unwrap() error { return e.error }

// content is a file's content, read once for each attempt.
type content struct {
	reader io.Reader
	size   int64
	start  int64 // where a seeker stood
	begun  bool  // it was read
}

func newContent(f File) (*content, error) {
	c := &content{reader: f.Content, size: f.Size}
	if seeker, ok := f.Content.(io.Seeker); ok {
		var err error
		if c.start, err = seeker.Seek(0, io.SeekCurrent); err != nil {
			return nil, contentError{err}
		}
	}
	return c, nil
}

// rewind makes the content ready for another attempt; false if it can't be.
func (c *content) rewind() bool {
	if !c.begun {
		return true
	}
	seeker, ok := c.reader.(io.Seeker)
	if !ok {
		return false
	}
	_, err := seeker.Seek(c.start, io.SeekStart)
	return err == nil
}

// open returns a reader for one attempt.
func (c *content) open() *contentReader { return &contentReader{content: c, left: c.size} }

// contentReader reads exactly as many bytes as a file has. A transport may go on
// reading when its request has ended, which close makes it stop.
type contentReader struct {
	content *content

	mu     sync.Mutex // guards what follows, and content
	left   int64
	wrong  error
	closed bool
}

var errEnded = errors.New("the request has ended")

// Read implements io.Reader.
func (r *contentReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return 0, errEnded
	case r.wrong != nil:
		return 0, r.wrong
	case r.left == 0:
		return 0, r.end()
	}
	r.content.begun = true
	n, err := r.content.reader.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	switch {
	case errors.Is(err, io.EOF) && r.left == 0:
		err = nil // end looks whether there is more
	case errors.Is(err, io.EOF):
		err = fmt.Errorf("the content has %d bytes less than Size, %d: %w", r.left, r.content.size, io.ErrUnexpectedEOF)
	}
	if err != nil {
		r.wrong = contentError{err}
	}
	return n, r.wrong
}

// end checks that there is no more to read.
func (r *contentReader) end() error {
	n, err := io.ReadFull(r.content.reader, make([]byte, 1))
	switch {
	case n > 0:
		r.wrong = contentError{fmt.Errorf("the content has more bytes than Size, %d", r.content.size)}
	case !errors.Is(err, io.EOF):
		r.wrong = contentError{err}
	default:
		return io.EOF
	}
	return r.wrong
}

// close ends reading, and returns what was wrong with the content.
func (r *contentReader) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return r.wrong
}
