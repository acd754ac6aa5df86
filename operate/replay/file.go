package replay

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
)

// A saved file has a record a line, and this line at its end, so that a half of
// one is noticed. Lines may be changed, removed and added by hand.
const endLine = `{"end":true}`

// maxLine is more than the longest record has: two images of 400 KB.
const maxLine = 8 << 20

// fileSource gives the records of a saved file.
type fileSource struct {
	path   string
	digest string // SHA-256, from the survey
}

// survey reads the file to its end, so that nothing is sent of one that is
// damaged.
func (f *fileSource) survey(ctx context.Context, after Position, s *survey) error {
	sum := sha256.New()
	err := s.read(f.read(ctx, after, sum))
	f.digest = hex.EncodeToString(sum.Sum(nil))
	return err
}

func (f *fileSource) records(ctx context.Context, after Position) iter.Seq2[Record, error] {
	return f.read(ctx, after, io.Discard)
}

func (f *fileSource) read(ctx context.Context, after Position, sum io.Writer) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		done, err := after.lines()
		if err != nil {
			yield(Record{}, err)
			return
		}
		file, err := os.Open(f.path)
		if err != nil {
			yield(Record{}, fmt.Errorf("open the file of records: %w", err))
			return
		}
		defer file.Close()
		lines := bufio.NewScanner(io.TeeReader(file, sum))
		lines.Buffer(make([]byte, 0, 64<<10), maxLine)
		ended := false
		for number := 1; lines.Scan() && ctx.Err() == nil; number++ {
			line := bytes.TrimSpace(lines.Bytes())
			switch {
			case len(line) == 0:
				continue
			case ended:
				yield(Record{}, fmt.Errorf("%s continues after its end, at line %d", f.path, number))
				return
			case isEnd(line):
				ended = true
				continue
			case number <= done:
				continue
			}
			r, err := fromJSON(line)
			if err != nil && !errors.Is(err, errUnreadable) {
				yield(Record{}, fmt.Errorf("%s, line %d: %w", f.path, number, err))
				return
			}
			r.Position = Position{After: strconv.Itoa(number)}
			if !yield(r, err) {
				return
			}
		}
		switch {
		case ctx.Err() != nil:
			yield(Record{}, ctx.Err())
		case lines.Err() != nil:
			yield(Record{}, fmt.Errorf("read %s: %w", f.path, lines.Err()))
		case !ended:
			yield(Record{}, fmt.Errorf("%s is incomplete: want the line %s at its end; save it again", f.path, endLine))
		}
	}
}

func isEnd(line []byte) bool {
	var end struct {
		End bool `json:"end"`
	}
	return bytes.HasPrefix(line, []byte(`{"end"`)) && json.Unmarshal(line, &end) == nil && end.End
}

// lines is how many lines of a file are done.
func (p Position) lines() (int, error) {
	if p.After == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(p.After)
	if err != nil {
		return 0, fmt.Errorf("invalid position %q in the checkpoint: want a number of lines", p.After)
	}
	return n, nil
}

// saver writes a file of records.
type saver struct {
	file *os.File
	out  *bufio.Writer
}

// save creates the file, which must not exist. It holds messages, so only its
// owner may read it.
func save(path string) (*saver, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the path is the operator's choice
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("%s exists: choose another file with --save", path)
	}
	if err != nil {
		return nil, fmt.Errorf("create the file of records: %w", err)
	}
	return &saver{file, bufio.NewWriter(file)}, nil
}

func (s *saver) add(line []byte) error {
	if _, err := s.out.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("save a record: %w", err)
	}
	return nil
}

// close ends the file; whole means that it has all records.
func (s *saver) close(whole bool) error {
	var err error
	if whole {
		err = s.add([]byte(endLine))
	}
	if err = errors.Join(err, s.out.Flush(), s.file.Sync(), s.file.Close()); err != nil {
		return fmt.Errorf("end the file of records: %w", err)
	}
	return nil
}
