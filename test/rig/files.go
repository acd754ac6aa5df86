package rig

import (
	"bytes"
	"mime/multipart"
	"net/http"

	"github.com/streamroom/streamroom/shared/wire"
)

// Upload posts a file by a form, and returns the status.
func (s *Rig) Upload(form wire.Upload, content []byte) int {
	s.T.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, value := range form.Fields {
		_ = w.WriteField(name, value) // a buffer takes all
	}
	part, err := w.CreateFormFile("file", "ignored")
	if err != nil {
		s.T.Fatal(err)
	}
	_, _ = part.Write(content)
	_ = w.Close()
	r, err := http.NewRequestWithContext(s.T.Context(), http.MethodPost, form.URL, &body)
	if err != nil {
		s.T.Fatal(err)
	}
	r.Header.Set("Content-Type", w.FormDataContentType())
	status, _ := s.do(r, nil)
	return status
}
