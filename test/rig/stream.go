package rig

import (
	"io"
	"os"
	"sync"
	"time"
)

// streamBuffer is how many bytes a connection in memory holds for a reader, in each
// direction. A kernel holds more.
const streamBuffer = 64 << 10

// stream is one direction of a connection in memory.
type stream struct {
	mu               sync.Mutex
	changed          sync.Cond
	buffer           []byte
	ended            bool  // nothing more is written
	failure          error // of reads after the buffer's end; nil: the writer has closed, in order
	refusal          error // of writes, once ended
	reading, writing deadline
}

// deadline is that of reads or of writes. Its fields are guarded by the stream's mu.
type deadline struct {
	timer  *time.Timer // nil: none was set
	passed bool
}

func newStream() *stream {
	s := &stream{}
	s.changed.L = &s.mu
	return s
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.reading.passed:
			return 0, os.ErrDeadlineExceeded
		case s.ended && s.failure != nil:
			return 0, s.failure
		case len(s.buffer) > 0 || len(p) == 0:
			n := copy(p, s.buffer)
			if s.buffer = s.buffer[n:]; len(s.buffer) == 0 {
				s.buffer = nil // an idle connection holds nothing
			}
			s.changed.Broadcast()
			return n, nil
		case s.ended:
			return 0, io.EOF
		}
		s.changed.Wait()
	}
}

func (s *stream) write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch free := streamBuffer - len(s.buffer); {
		case s.writing.passed:
			return n, os.ErrDeadlineExceeded
		case s.ended:
			return n, s.refusal
		case free > 0:
			part := p[n:min(len(p), n+free)]
			s.buffer = append(s.buffer, part...)
			n += len(part)
			s.changed.Broadcast()
		}
		if n == len(p) {
			return n, nil
		}
		if len(s.buffer) >= streamBuffer {
			s.changed.Wait()
		}
	}
}

// end ends the stream, unless it has ended: writes get the refusal, and reads the
// failure, or what is left and io.EOF if there is none.
func (s *stream) end(refusal, failure error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if failure != nil {
		s.failure, s.buffer = failure, nil
	}
	if !s.ended {
		s.ended, s.refusal = true, refusal
	}
	for _, d := range []*deadline{&s.reading, &s.writing} {
		if d.timer != nil {
			d.timer.Stop()
		}
	}
	s.changed.Broadcast()
}

// limit sets a deadline; the zero time is none.
func (s *stream) limit(d *deadline, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	d.timer, d.passed = nil, false
	switch left := time.Until(at); {
	case at.IsZero():
	case left <= 0:
		d.passed = true
		s.changed.Broadcast()
	case !s.ended:
		var timer *time.Timer
		timer = time.AfterFunc(left, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if d.timer == timer { // no other one was set since
				d.passed = true
				s.changed.Broadcast()
			}
		})
		d.timer = timer
	}
}
