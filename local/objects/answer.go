package objects

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
)

// refusal is an error as S3 answers it (Amazon S3 API Reference, "Error responses").
type refusal struct {
	status        int
	code, message string
}

// Error implements error.
func (r refusal) Error() string { return r.code + ": " + r.message }

func answerError(w http.ResponseWriter, err error) {
	refused := refusal{http.StatusInternalServerError, "InternalError", err.Error()}
	errors.As(err, &refused)
	text, err := xml.Marshal(struct {
		XMLName struct{} `xml:"Error"`
		Code    string
		Message string
	}{Code: refused.code, Message: refused.message})
	if err != nil {
		http.Error(w, "cannot encode the answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(refused.status)
	_, _ = w.Write(text) // a client that went away needs no answer
}

// answer collects what a handler answers within the process.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func newAnswer() *answer { return &answer{header: http.Header{}} }

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter: the first status counts.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

func (a *answer) response(r *http.Request) *http.Response {
	a.WriteHeader(http.StatusOK)
	return &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()), Request: r,
	}
}
