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

	"github.com/streamroom/streamroom/shared/wire"
)

// MaxAttachments is how many files a message may have.
const MaxAttachments = 10

// maxRefusal bounds what is read of an answer of the store of files that is no file.
const maxRefusal = 64 << 10

// File is a file to attach to a message.
type File struct {
	Name          string    // what readers see: the server keeps what is safe of it
	ContentType   string    // such as "image/png"
	Size          int64     // bytes
	Width, Height int       // pixels of a picture or a video; 0: unknown
	Content       io.Reader // exactly Size bytes
}

// Attach announces a file in a room and uploads it. Send the message that has it
// within a day, by [WithAttachments]. It makes one attempt, as Content can be read
// only once.
//
// Errors: *Error for a refusal, such as of a size or a type; that of Content; and
// ctx's.
func (c *Client) Attach(ctx context.Context, roomID string, f File) (attachmentID string, err error) {
	request := wire.AttachmentRequest{Name: f.Name, ContentType: f.ContentType, Size: f.Size, Width: f.Width, Height: f.Height}
	var announced wire.AnnouncedAttachment
	if err := c.call(ctx, http.MethodPost, "/rooms/"+url.PathEscape(roomID)+"/attachments", request, &announced); err != nil {
		return "", err
	}
	if err := c.upload(ctx, announced.Upload, f); err != nil {
		return "", fmt.Errorf("upload %q: %w", f.Name, err)
	}
	return announced.AttachmentID, nil
}

// upload posts a file by a form. A store wants to know how long the request is, so what
// is around the file is made first.
func (c *Client) upload(ctx context.Context, form wire.Upload, f File) error {
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

	size := int64(head.Len()) + f.Size + int64(tail.Len())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, form.URL, io.MultiReader(&head, f.Content, &tail))
	if err != nil {
		return fmt.Errorf("make a request: %w", err)
	}
	req.ContentLength = size
	req.Header.Set("Content-Type", w.FormDataContentType())
	resp, err := c.http.Do(req)
	if err != nil {
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
	return &Error{Code: statusCode(resp.StatusCode), Message: refused.Code + " " + refused.Message, Status: resp.StatusCode}
}
