package objects

import (
	"encoding/xml"
	"errors"
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
