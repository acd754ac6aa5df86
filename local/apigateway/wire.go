package apigateway

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"sync"
)

// The parts of a frame header (RFC 6455, section 5.2) that a gateway looks at.
const (
	finBit     = 0x80
	maskBit    = 0x80
	opcodeMask = 0x0f
	opText     = 0x1
	opBinary   = 0x2
	opClose    = 0x8 // and above: control frames

	maxHeader = 14 // 2 bytes, 8 of length, 4 of mask
)

// closeStatus is a close code and its reason.
type closeStatus struct {
	code   int
	reason string
}

// errRefused is what a reader gets instead of a frame that breaks a limit.
var errRefused = errors.New("frame refused")

// wire is the network side of one connection. It sits under the WebSocket
// library, which shows messages only, and adds what a gateway needs of frames:
// it sees the length of each before its payload is read and holds back those
// that break a limit, and it writes data frames that are encoded already, each
// in one system call, between the control frames that the library writes.
//
// After a refusal only control frames get through, so that the client's answer
// to the close frame is heard and what it had sent by then is read: a socket
// closed over unread data would be reset, and the client could miss the code.
type wire struct {
	net.Conn
	in *bufio.Reader

	// Reading; the library has one reader at a time.
	header  []byte // of the frame at hand, what is not delivered yet
	scratch [maxHeader]byte
	payload int64 // bytes left of the frame at hand
	skip    bool  // whether they are dropped
	message int64 // bytes of the message so far
	refused *closeStatus
	failed  bool // the network failed, or the client closed it without a close frame

	// Writing.
	mu        sync.Mutex
	closeSent bool
}

const (
	// readBuffer holds a typical frame. It is most of what an idle connection
	// costs, so it is smaller than usual.
	readBuffer = 1 << 10
	// controlBuffer holds any control frame, of 127 bytes at most, and nothing
	// else: data frames don't pass it.
	controlBuffer = 128
	// writeBuffer is what the kernel holds for a client. It would take megabytes on
	// its own account before a client that does not read fills its send buffer.
	writeBuffer = 64 << 10
)

// hijacker hands the library a wire in place of the connection.
type hijacker struct {
	http.ResponseWriter
	wire *wire
}

// Hijack takes the connection over from the HTTP server and leaves the
// server's two 4 KB buffers behind.
func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("take over the connection: %w", err)
	}
	if sized, ok := conn.(interface{ SetWriteBuffer(bytes int) error }); ok {
		_ = sized.SetWriteBuffer(writeBuffer) // without it only more is held
	}
	var source io.Reader = conn
	if n := rw.Reader.Buffered(); n > 0 {
		early, _ := rw.Peek(n) // n bytes are buffered: no error is possible
		source = io.MultiReader(bytes.NewReader(bytes.Clone(early)), conn)
	}
	h.wire.Conn = conn
	h.wire.in = bufio.NewReaderSize(source, readBuffer)
	return h.wire, bufio.NewReadWriter(bufio.NewReaderSize(h.wire, 0), bufio.NewWriterSize(h.wire, controlBuffer)), nil
}

// Read delivers frames that keep the limits.
func (w *wire) Read(p []byte) (int, error) {
	for {
		switch {
		case len(w.header) > 0:
			n := copy(p, w.header)
			w.header = w.header[n:]
			return n, nil
		case w.payload > 0 && w.skip:
			n, err := w.in.Discard(int(min(w.payload, math.MaxInt32)))
			w.payload -= int64(n)
			if err != nil {
				return 0, w.fail(err)
			}
		case w.payload > 0:
			n, err := w.in.Read(p[:min(int64(len(p)), w.payload)])
			w.payload -= int64(n)
			return n, w.fail(err)
		default:
			if err := w.next(); err != nil {
				return 0, err
			}
		}
	}
}

// next reads the header of the next frame and decides what becomes of it.
func (w *wire) next() error {
	first, err := w.in.Peek(2)
	if err != nil {
		return w.fail(err)
	}
	opcode, size := first[0]&opcodeMask, int64(first[1]&^maskBit)
	length := 2
	switch size {
	case 126:
		length += 2
	case 127:
		length += 8
	}
	if first[1]&maskBit != 0 {
		length += 4
	}
	header, err := w.in.Peek(length)
	if err != nil {
		return w.fail(err)
	}
	switch size {
	case 126:
		size = int64(binary.BigEndian.Uint16(header[2:]))
	case 127:
		size = int64(min(binary.BigEndian.Uint64(header[2:]), math.MaxInt64))
	}
	w.header = w.scratch[:copy(w.scratch[:], header)]
	if _, err := w.in.Discard(length); err != nil {
		return w.fail(err)
	}
	w.payload, w.skip = size, false
	if opcode >= opClose {
		return nil
	}
	if w.refused != nil {
		w.header, w.skip = nil, true
		return nil
	}
	if opcode == opText || opcode == opBinary {
		w.message = 0
	}
	switch {
	case opcode == opBinary:
		w.refused = &closeStatus{1003, "Binary frames are not supported"}
	case size > frameLimit:
		w.refused = &closeStatus{1009, "Frame is too long"}
	case w.message+size > messageLimit:
		w.refused = &closeStatus{1009, "Message is too long"}
	default:
		w.message += size
		return nil
	}
	w.header, w.skip = nil, true
	return errRefused
}

// fail remembers that the network failed.
func (w *wire) fail(err error) error {
	if err != nil {
		w.failed = true
	}
	return err
}

// Write sends a control frame of the library's.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(p) > 0 && p[0]&opcodeMask == opClose {
		w.closeSent = true
	}
	return w.Conn.Write(p)
}

// writeFrames sends data frames. Nothing may follow a close frame.
func (w *wire) writeFrames(frames net.Buffers) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closeSent {
		return net.ErrClosed
	}
	var err error
	if len(frames) == 1 {
		_, err = w.Conn.Write(frames[0])
	} else {
		_, err = frames.WriteTo(w.Conn)
	}
	if err != nil {
		return fmt.Errorf("write frames: %w", err)
	}
	return nil
}

// newFrame makes a text frame with room for a payload of size bytes, and
// returns the frame and the payload's place in it.
func newFrame(size int) (frame, payload []byte) {
	switch {
	case size < 126:
		frame = make([]byte, 2+size)
		frame[1] = byte(size) //nolint:gosec // the case says it fits
		payload = frame[2:]
	case size <= math.MaxUint16:
		frame = make([]byte, 4+size)
		frame[1] = 126
		binary.BigEndian.PutUint16(frame[2:], uint16(size))
		payload = frame[4:]
	default:
		frame = make([]byte, 10+size)
		frame[1] = 127
		binary.BigEndian.PutUint64(frame[2:], uint64(size))
		payload = frame[10:]
	}
	frame[0] = finBit | opText
	return frame, payload
}

// payloadOf returns the payload of a frame of newFrame's.
func payloadOf(frame []byte) []byte {
	switch frame[1] {
	case 126:
		return frame[4:]
	case 127:
		return frame[10:]
	}
	return frame[2:]
}

// textFrame encodes one text frame.
func textFrame(text string) []byte {
	frame, payload := newFrame(len(text))
	copy(payload, text)
	return frame
}
