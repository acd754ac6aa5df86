package client

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"github.com/streamroom/streamroom/shared/wire"
)

// MaxAttachments is how many files a message may have.
const MaxAttachments = 10

// maxRefusal bounds what is read of an answer of the store of files that is no file.
const maxRefusal = 64 << 10

// File is a file to attach to a message.
type File struct {
	Name          string // what readers see: the server keeps what is safe of it
	ContentType   string // such as "image/png"
	Size          int64  // bytes
	Width, Height int    // pixels of a picture or a video; 0: unknown

	// Content has exactly Size bytes. If it is an io.Seeker, such as an *os.File or a
	// *bytes.Reader, it is read again from where it stands for each further attempt.
	Content io.Reader
}

// Attach announces a file in a room and uploads it. Send the message that has it
// within a day, by [WithAttachments].
//
// It tries again, after a growing pause, what may succeed later: without a network, when
// a server fails or asks to wait, and with a new form when the old one has expired. It
// ends when ctx does, so give it one that ends. Content that is no io.Seeker can be read
// only once: then nothing is tried again once reading it has begun.
//
// Errors: *Error for a refusal, such as of a size or a type; that of Content; and
// ctx's.
func (c *Client) Attach(ctx context.Context, roomID string, f File) (attachmentID string, err error) {
	content, err := newContent(f)
	if err != nil {
		return "", fmt.Errorf("upload %q: %w", f.Name, err)
	}
	var announced wire.AnnouncedAttachment
	for attempt := 0; ; attempt++ {
		if announced.AttachmentID == "" {
			if announced, err = c.announce(ctx, roomID, f); err != nil {
				err = fmt.Errorf("announce %q: %w", f.Name, err)
			}
		}
		if announced.AttachmentID != "" {
			if err = c.upload(ctx, announced.Upload, f.Size, content); err == nil {
				return announced.AttachmentID, nil
			}
			if isExpired(err) {
				announced = wire.AnnouncedAttachment{}
			}
			err = fmt.Errorf("upload %q: %w", f.Name, err)
		}
		if ctx.Err() != nil || !worthUploading(err) || !content.rewind() {
			return "", err
		}
		c.log.Debug().Err(err).Str("room", roomID).Int("attempt", attempt).Msg("attach again")
		if !c.sleep(ctx, c.backoff(attempt)+retryAfter(err)) {
			return "", fmt.Errorf("%w, the last attempt: %w", ctx.Err(), err)
		}
	}
}

// announce asks for a form.
func (c *Client) announce(ctx context.Context, roomID string, f File) (wire.AnnouncedAttachment, error) {
	request := wire.AttachmentRequest{Name: f.Name, ContentType: f.ContentType, Size: f.Size, Width: f.Width, Height: f.Height}
	var announced wire.AnnouncedAttachment
	err := c.call(ctx, http.MethodPost, roomPath(roomID)+"/attachments", request, &announced)
	return announced, err
}

// worthUploading tells whether an attempt may succeed later: after some refusals, and
// after failures of the network, but not of the content.
func worthUploading(err error) bool {
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal.Retryable() || isExpired(err)
	}
	var wrong contentError
	var failed *url.Error
	return !errors.As(err, &wrong) && (errors.As(err, &failed) && failed.Op != "parse" || errors.Is(err, io.ErrUnexpectedEOF))
}

// isExpired tells whether a store refused a form because its time is over ("POST policy",
// Amazon S3 API Reference).
func isExpired(err error) bool {
	var refusal *Error
	return errors.As(err, &refusal) && refusal.Status == http.StatusForbidden && strings.Contains(refusal.Message, "expired")
}

// upload posts a file by a form. A store wants to know how long the request is, so what
// is around the file is made first.
func (c *Client) upload(ctx context.Context, form wire.Upload, size int64, content *content) error {
	var head, tail bytes.Buffer
	w := multipart.NewWriter(&head)
	for name, value := range form.Fields {
		if err := w.WriteField(name, value); err != nil {
			return fmt.Errorf("make the form: %w", err)
		}
	}
	if _, err := w.CreateFormFile("file", "file"); err != nil {
		return fmt.Errorf("make the form: %w", err)
	}
	fmt.Fprintf(&tail, "\r\n--%s--\r\n", w.Boundary())

	length := int64(head.Len()) + size + int64(tail.Len())
	part := content.open()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, form.URL, io.MultiReader(&head, part, &tail))
	if err != nil {
		return fmt.Errorf("make a request: %w", err)
	}
	req.ContentLength = length
	req.Header.Set("Content-Type", w.FormDataContentType())
	resp, err := c.http.Do(req)
	if wrong := part.close(); wrong != nil {
		err = errors.Join(wrong, err)
	}
	if err != nil {
		if resp != nil {
			_ = resp.Body.Close() // what it says is about half a file
		}
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusMultipleChoices {
		return storeError(resp)
	}
	return nil
}

// Download opens a file of a message. Close what it returns.
//
// Errors: *Error for a refusal, [CodeNotAMember] also where there is no such file; and
// ctx's, which ends reading, too.
func (c *Client) Download(ctx context.Context, roomID, attachmentID string) (io.ReadCloser, error) {
	path := "/rooms/" + url.PathEscape(roomID) + "/attachments/" + url.PathEscape(attachmentID) + "?redirect=false"
	var link wire.Download
	if err := c.call(ctx, http.MethodGet, path, nil, &link); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link.URL, nil)
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("download: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, fmt.Errorf("download: %w", storeError(resp))
	}
	return resp.Body, nil
}

// storeError is a refusal of the store of files, which has codes of its own.
func storeError(resp *http.Response) error {
	var refused struct{ Code, Message string }
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	if err = errors.Join(err, xml.Unmarshal(text, &refused)); err != nil {
		refused.Message = resp.Status
	}
	code := statusCode(resp.StatusCode)
	if refused.Code == "RequestTimeout" { // the upload stood still; S3 has status 400 for it
		code = CodeInternal
	}
	return &Error{Code: code, Message: refused.Code + " " + refused.Message, Status: resp.StatusCode}
}
