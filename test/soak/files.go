package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"

	"github.com/streamroom/streamroom/client"
)

// Files: some messages have some.
const (
	fileShare = 0.06
	mostFiles = 3
	fileBytes = 3000
)

// file is what a device has uploaded.
type file struct {
	name, contentType string
	size              int
	seed              uint64 // of its content
}

func (f file) content() []byte {
	random := newRandom(f.seed, 0)
	content := make([]byte, f.size)
	for i := range content {
		content[i] = fileAlphabet[random.IntN(len(fileAlphabet))]
	}
	return content
}

const fileAlphabet = "\x00\xff\r\n-0123456789abcdef" // bytes that forms and texts may stumble over

var fileTypes = []string{"image/png", "text/plain", "application/octet-stream"}

// attach uploads some files, and gives their ids.
func (d *device) attach(ctx context.Context, room *room, random *rand.Rand) (ids []string) {
	ctx, cancel := d.run.timeout(ctx)
	defer cancel()
	for n := range 1 + random.IntN(mostFiles) {
		f := file{fmt.Sprintf("%s %d.bin", d.user, n), fileTypes[random.IntN(len(fileTypes))], 1 + random.IntN(fileBytes), random.Uint64()}
		id, err := d.current().Attach(ctx, room.id, client.File{
			Name: f.name, ContentType: f.contentType, Size: int64(f.size), Content: bytes.NewReader(f.content()),
		})
		if err != nil {
			return ids
		}
		d.run.ledger.uploaded(id, f)
		ids = append(ids, id)
		d.run.tally.add(&d.run.tally.Files)
	}
	return ids
}

// uploaded notes a file.
func (l *ledger) uploaded(id string, f file) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.files == nil {
		l.files = map[string]file{}
	}
	l.files[id] = f
}

// attaching notes which files a message is sent with.
func (l *ledger) attaching(number int, ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sends[number].files = ids
}

// wrongFiles says where a message's files are not those that it was sent with; "" if nowhere.
func (l *ledger) wrongFiles(number int, m client.HistoryMessage) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	sent := l.sends[number].files
	if m.DeletedAt != 0 {
		sent = nil
	}
	if len(m.Attachments) != len(sent) {
		return fmt.Sprintf("it has %d files, and was sent with %d", len(m.Attachments), len(sent))
	}
	for i, a := range m.Attachments {
		f := l.files[sent[i]]
		if a.AttachmentID != sent[i] || a.Name != f.name || a.ContentType != f.contentType || a.Size != int64(f.size) {
			return fmt.Sprintf("it has the file %+v, and was sent with %s, %q of %d bytes", a, sent[i], f.name, f.size)
		}
	}
	return ""
}

// checkFiles reads the files of a room's messages that were not judged yet, and looks for
// those of deleted messages.
func (r *run) checkFiles(ctx context.Context, room *room, history []stored, sends []send) error {
	r.ledger.mu.Lock()
	from := r.ledger.settled
	r.ledger.mu.Unlock()
	reader, err := r.reader(room.owner())
	if err != nil {
		return err
	}
	for _, m := range history {
		wrong := func(format string, arguments ...any) {
			r.ledger.violate(Violation{Promise: Altered, Room: room.id, IDs: []string{m.id.String()}, Detail: fmt.Sprintf(format, arguments...)})
		}
		if problem := r.ledger.wrongFiles(m.number, m.message); problem != "" {
			wrong("%s", problem)
			continue
		}
		if m.number < from {
			continue
		}
		for _, id := range sends[m.number].files {
			if err := r.checkFile(ctx, reader, room, id, m.message.DeletedAt != 0); err != nil {
				wrong("its file %s: %v", id, err)
			}
		}
	}
	return nil
}

// checkFile reads a file, or finds that it is gone.
func (r *run) checkFile(ctx context.Context, reader *client.Client, room *room, id string, gone bool) error {
	ctx, cancel := r.timeout(ctx)
	defer cancel()
	body, err := reader.Download(ctx, room.id, id)
	if gone {
		if err == nil {
			_ = body.Close()
			return errors.New("it can be read, and its message is deleted")
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read it: %w", err)
	}
	defer body.Close()
	got, err := io.ReadAll(body)
	r.ledger.mu.Lock()
	want := r.ledger.files[id].content()
	r.ledger.mu.Unlock()
	if err == nil && !slices.Equal(got, want) {
		err = fmt.Errorf("it has %d bytes, which are not the %d that were uploaded", len(got), len(want))
	}
	return err
}
