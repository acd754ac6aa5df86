package httpapi

import (
	"net/http"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

func (a *API) announceAttachment(r *http.Request, userID string) (int, any, error) {
	var in wire.AttachmentRequest
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	announced, upload, err := a.domain.Attachments.Announce(r.Context(), userID, r.PathValue("room"), chat.File{
		Name: in.Name, ContentType: in.ContentType, Size: in.Size, Width: in.Width, Height: in.Height,
	})
	if err != nil {
		return 0, nil, err
	}
	a.domain.Limits.Weigh(userID, chat.Writing, fileWeight(announced.Size))
	return http.StatusCreated, wire.AnnouncedAttachment{
		AttachmentID: announced.ID, Upload: wire.Upload{URL: upload.URL, Fields: upload.Fields}, ExpiresAt: upload.ExpiresAt,
	}, nil
}

// downloadAttachment leads to the file, or with redirect=false says where it is: a page
// can't have a browser follow a redirect without the token that it sends here.
func (a *API) downloadAttachment(r *http.Request, userID string) (int, any, error) {
	redirect := true
	switch value := r.URL.Query().Get("redirect"); value {
	case "", "true":
	case "false":
		redirect = false
	default:
		return 0, nil, chat.Errorf(chat.CodeInvalidRequest, "invalid redirect: want true or false, got %q", value)
	}
	download, err := a.domain.Attachments.Download(r.Context(), userID, r.PathValue("room"), r.PathValue("file"))
	if err != nil {
		return 0, nil, err
	}
	a.domain.Limits.Weigh(userID, chat.Reading, fileWeight(download.Size))
	if redirect {
		return http.StatusFound, location(download.URL), nil
	}
	return http.StatusOK, wire.Download{URL: download.URL, ExpiresAt: download.ExpiresAt}, nil
}

// fileWeight is as how many a file counts over time, beside the request for it.
func fileWeight(size int64) int { return int((size - 1) / chat.FileWeight) }

func attachments(files []chat.File) []wire.Attachment {
	var out []wire.Attachment
	for _, f := range files {
		out = append(out, wire.Attachment{
			AttachmentID: f.ID, Name: f.Name, ContentType: f.ContentType, Size: f.Size, Width: f.Width, Height: f.Height,
		})
	}
	return out
}
