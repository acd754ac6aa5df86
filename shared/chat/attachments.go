package chat

import (
	"context"
	"fmt"
	"mime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// An attachment's times.
const (
	// UploadTime is how long a form to upload a file is valid.
	UploadTime = 10 * time.Minute
	// DownloadTime is how long a link to a file is valid.
	DownloadTime = 5 * time.Minute
	// PendingTime is how long an announced file waits for its message.
	PendingTime = 24 * time.Hour
)

// MaxAttachmentSize is the largest file by default, in bytes.
const MaxAttachmentSize = 25 << 20

// maxPixels bounds a picture's width and height; those of image formats end at 65,535.
const maxPixels = 65_535

// File is what readers of a message learn of one of its files.
type File struct {
	ID            string // a ULID
	Name          string // as FileName makes it
	ContentType   string // lower case, without parameters
	Size          int64  // bytes
	Width, Height int    // pixels, as the sender says; 0: unknown
}

// Attachment is a file that was announced in a room.
type Attachment struct {
	File
	RoomID     string
	UploadedBy string
	MessageID  string // the message that has it; "": none yet
	ExpiresAt  int64  // ms; 0 once a message has it
	GoneAt     int64  // ms; when its file was missed in the bucket; 0: it is there
}

// Upload is a form by which a file is uploaded.
type Upload struct {
	URL       string
	Fields    map[string]string
	ExpiresAt int64 // ms
}

// Download is a link by which anyone may read a file.
type Download struct {
	URL       string
	ExpiresAt int64 // ms
	Size      int64 // of the file, in bytes
}

// AttachmentStore stores what is known of files. Reads are strongly consistent.
type AttachmentStore interface {
	roomReader
	// Member reads a member; false if the user is none.
	Member(ctx context.Context, roomID, userID string) (Member, bool, error)
	// PutAttachment stores a file that was announced.
	PutAttachment(ctx context.Context, a Attachment) error
	// Attachments reads files of a room by their ids. Those that don't exist or have
	// expired are left out.
	Attachments(ctx context.Context, roomID string, ids []string) (map[string]Attachment, error)
}

// Signer signs forms and links to objects.
type Signer interface {
	// SignUpload returns a form that takes exactly the size and type of a, until a time.
	SignUpload(ctx context.Context, a Attachment, now, until time.Time) (Upload, error)
	// SignDownload returns a link to an uploaded file that a message has.
	SignDownload(ctx context.Context, a Attachment, now, until time.Time) (Download, error)
}

// Keeper keeps uploads for the messages that have them.
type Keeper interface {
	// Keep copies an upload to where SignDownload's links lead, with the type and
	// disposition of a; false if nothing was uploaded.
	Keep(ctx context.Context, a Attachment) (uploaded bool, err error)
}

// Attachments announces files, and gives them to members of their rooms.
type Attachments struct {
	store   AttachmentStore
	signer  Signer
	ids     IDs
	now     func() time.Time
	maxSize int64
}

// NewAttachments returns Attachments whose files have at most maxSize bytes. Without a
// signer each call is refused.
func NewAttachments(store AttachmentStore, signer Signer, ids IDs, now func() time.Time, maxSize int64) *Attachments {
	return &Attachments{store: store, signer: signer, ids: ids, now: now, maxSize: maxSize}
}

// Announce makes a place for a file, and returns how to upload it. The file's name is
// made safe; its id and its other ends are set here.
//
// Errors: CodeInvalidRequest, CodeTooLarge, CodeNotAMember, CodeMuted, CodeNotFound where
// the deployment has no place for files.
func (s *Attachments) Announce(ctx context.Context, userID, roomID string, file File) (Attachment, Upload, error) {
	if s.signer == nil {
		return Attachment{}, Upload{}, errNoAttachments()
	}
	if err := ValidateRoomID(roomID); err != nil {
		return Attachment{}, Upload{}, err
	}
	file, err := s.check(file)
	if err != nil {
		return Attachment{}, Upload{}, err
	}
	if err := maySpeak(ctx, s.store, ToSend, roomID, userID, s.now().UnixMilli()); err != nil {
		return Attachment{}, Upload{}, err
	}
	if file.ID, _, err = s.ids.Message(); err != nil {
		return Attachment{}, Upload{}, err
	}
	now := s.now()
	a := Attachment{File: file, RoomID: roomID, UploadedBy: userID, ExpiresAt: now.Add(PendingTime).UnixMilli()}
	if err := s.store.PutAttachment(ctx, a); err != nil {
		return Attachment{}, Upload{}, fmt.Errorf("put the attachment: %w", err)
	}
	upload, err := s.signer.SignUpload(ctx, a, now, now.Add(UploadTime))
	if err != nil {
		return Attachment{}, Upload{}, fmt.Errorf("sign the upload: %w", err)
	}
	return a, upload, nil
}

// check checks a file that is announced, and returns it as it is stored.
func (s *Attachments) check(file File) (File, error) {
	var err error
	if file.Name, err = FileName(file.Name); err != nil {
		return File{}, err
	}
	if file.ContentType, err = contentType(file.ContentType); err != nil {
		return File{}, err
	}
	switch {
	case file.Size < 1:
		return File{}, Errorf(CodeInvalidRequest, "invalid size: want at least 1 byte, got %d", file.Size)
	case file.Size > s.maxSize:
		return File{}, Errorf(CodeTooLarge, "invalid size: want at most %d bytes, got %d", s.maxSize, file.Size)
	case (file.Width == 0) != (file.Height == 0):
		return File{}, Errorf(CodeInvalidRequest, "invalid width and height: want both or neither")
	case min(file.Width, file.Height) < 0 || max(file.Width, file.Height) > maxPixels:
		return File{}, Errorf(CodeInvalidRequest, "invalid width or height: want 1 to %d pixels", maxPixels)
	}
	return file, nil
}

// maxContentType bounds a type, in bytes: each of its halves has at most 127 (RFC 6838,
// section 4.2), and no registered one has half of that.
const maxContentType = 127

// contentType returns a media type in lower case and without parameters, such as the
// codecs of a recording: a file's name and type are all that its readers need.
func contentType(value string) (string, error) {
	mediaType, _, err := mime.ParseMediaType(value)
	kind, sub, found := strings.Cut(mediaType, "/")
	if err != nil || !found || kind == "" || sub == "" || len(mediaType) > maxContentType {
		return "", Errorf(CodeInvalidRequest, "invalid contentType: want a media type such as image/png, got %s", quote(value))
	}
	return mediaType, nil
}

// inline are the types that a browser may show by itself, instead of saving them:
// pictures, sound and videos, which run no script. Never HTML, SVG or XML, which do, nor
// PDF, for which a reader is another program.
var inline = []string{
	"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif",
	"audio/mpeg", "audio/mp4", "audio/ogg", "audio/webm", "audio/wav",
	"video/mp4", "video/webm",
}

// Inline reports whether a browser may show the file by itself.
func (f File) Inline() bool { return slices.Contains(inline, f.ContentType) }

// Download returns a link to a file of a message to a member of its room. A user who is not a
// member, and who asks for what does not exist or is gone, get the same answer.
//
// Errors: CodeInvalidRequest, CodeNotAMember, CodeNotFound where the deployment has no
// place for files.
func (s *Attachments) Download(ctx context.Context, userID, roomID, id string) (Download, error) {
	if s.signer == nil {
		return Download{}, errNoAttachments()
	}
	if err := ValidateRoomID(roomID); err != nil {
		return Download{}, err
	}
	if err := validateAttachmentID(id); err != nil {
		return Download{}, err
	}
	var found map[string]Attachment
	group, both := errgroup.WithContext(ctx)
	group.Go(func() error { return s.authorize(both, roomID, userID) })
	group.Go(func() (err error) {
		if found, err = s.store.Attachments(both, roomID, []string{id}); err != nil {
			return fmt.Errorf("read the attachment: %w", err)
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return Download{}, err
	}
	a, ok := found[id]
	if !ok || a.MessageID == "" || a.GoneAt != 0 {
		return Download{}, errNoAttachment(roomID)
	}
	now := s.now()
	download, err := s.signer.SignDownload(ctx, a, now, now.Add(DownloadTime))
	if err != nil {
		return Download{}, fmt.Errorf("sign the download: %w", err)
	}
	download.Size = a.Size
	return download, nil
}

func (s *Attachments) authorize(ctx context.Context, roomID, userID string) error {
	_, member, err := s.store.Member(ctx, roomID, userID)
	if err != nil {
		return fmt.Errorf("check membership: %w", err)
	}
	if !member {
		return errNoAttachment(roomID)
	}
	return nil
}

// validateAttachmentIDs checks the ids of a message's files.
func validateAttachmentIDs(ids []string) error {
	if len(ids) > MaxAttachments {
		return Errorf(CodeInvalidRequest, "invalid attachments: want at most %d, got %d", MaxAttachments, len(ids))
	}
	for i, id := range ids {
		if err := validateAttachmentID(id); err != nil {
			return err
		}
		if slices.Contains(ids[:i], id) {
			return Errorf(CodeInvalidRequest, "invalid attachments: want each once, got %s twice", id)
		}
	}
	return nil
}

func validateAttachmentID(id string) error {
	if _, err := MessageTime(id); err != nil {
		return Errorf(CodeInvalidRequest, "invalid attachment id: want a ULID as the announcement answered it, got %s", quote(id))
	}
	return nil
}

// ErrAttachment is the refusal of a message with a file that its sender can't use.
func ErrAttachment(id string) *Error {
	return Errorf(CodeInvalidRequest, "invalid attachments: want files that you announced in this room within a day and uploaded, in no other message; %s is not", id)
}

func errNoAttachments() *Error {
	return Errorf(CodeNotFound, "this deployment takes no attachments: it has no bucket for them")
}

func errNoAttachment(roomID string) *Error {
	return Errorf(CodeNotAMember, "you are not a member of room %s, or it or the attachment does not exist", roomID)
}
