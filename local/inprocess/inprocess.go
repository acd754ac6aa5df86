// Package inprocess answers requests of HTTP clients within the process, for what stands
// in for a service of AWS without a port of its own.
package inprocess

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
)

// Client is an HTTP client whose requests a handler answers.
type Client struct{ Handler http.Handler }

// Do serves a request.
func (c Client) Do(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	defer r.Body.Close()
	a := &answer{header: http.Header{}}
	c.Handler.ServeHTTP(a, r)
	return a.response(r), nil
}

// RoundTrip implements http.RoundTripper, as Do.
func (c Client) RoundTrip(r *http.Request) (*http.Response, error) { return c.Do(r) }

// answer collects what a handler answers.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

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

// Service is a service of AWS that speaks JSON: it answers an operation, by the value of
// X-Amz-Target, with a status and what is encoded as the body.
type Service func(operation string, body []byte) (status int, answer any)

// ServeHTTP implements http.Handler.
func (s Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "cannot read the request", http.StatusBadRequest)
		return
	}
	status, answer := s(r.Header.Get("X-Amz-Target"), body)
	data, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, "cannot encode the answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_, _ = w.Write(data) // a client that went away needs no answer
}
