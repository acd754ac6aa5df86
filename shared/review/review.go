// Package review asks an operator's program about messages: a Lambda function by its ARN,
// or anything that answers an HTTP POST at a URL. Both get and give the same JSON.
package review

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/sigv4"
)

// maxAnswer bounds an answer, in bytes: content of the longest kind, as JSON.
const maxAnswer = 128 << 10

// Config says whom to ask.
type Config struct {
	Target      string // the ARN of a Lambda function, or an http:// or https:// URL
	Credentials aws.CredentialsProvider
	Transport   http.RoundTripper
	Log         zerolog.Logger // gets failures, and no content
}

// Client asks one program. It is safe for concurrent use.
type Client struct {
	c      Config
	url    *url.URL
	signer *sigv4.Signer // nil for a URL
}

// New returns a Client.
func New(c Config) (*Client, error) {
	if strings.HasPrefix(c.Target, "http://") || strings.HasPrefix(c.Target, "https://") {
		u, err := url.Parse(c.Target)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("invalid review %q: want a URL such as https://example.com/review", c.Target)
		}
		return &Client{c: c, url: u}, nil
	}
	parts := strings.Split(c.Target, ":")
	if len(parts) < 7 || parts[0] != "arn" || parts[2] != "lambda" {
		return nil, fmt.Errorf("invalid review %q: want the ARN of a Lambda function, or a URL", c.Target)
	}
	host := "lambda." + parts[3] + ".amazonaws.com"
	if parts[1] == "aws-cn" {
		host += ".cn"
	}
	const path = "/2015-03-31/functions/%s/invocations"
	return &Client{c: c, signer: sigv4.New("lambda", parts[3]), url: &url.URL{
		Scheme: "https", Host: host, Path: fmt.Sprintf(path, c.Target),
		RawPath: fmt.Sprintf(path, strings.ReplaceAll(url.PathEscape(c.Target), ":", "%3A")),
	}}, nil
}

// question and answer are the JSON that docs/protocol.md describes.
type question struct {
	Type            string   `json:"type"` // message or edit
	ChatRoomID      string   `json:"chatRoomId"`
	MessageID       string   `json:"messageId"`
	SenderID        string   `json:"senderId"`
	Content         string   `json:"content"`
	ReplyTo         string   `json:"replyTo,omitempty"`
	Mentions        []string `json:"mentions,omitempty"`
	AttachmentTypes []string `json:"attachmentTypes,omitempty"`
}

type answer struct {
	Action  string  `json:"action"` // allow, deny or replace
	Reason  string  `json:"reason"`
	Content *string `json:"content"`
}

// Review implements chat.Reviewer.
func (c *Client) Review(ctx context.Context, m chat.Message, edit bool) (chat.Verdict, error) {
	verdict, err := c.review(ctx, m, edit)
	if err != nil {
		c.c.Log.Error().Err(err).Str("room_id", m.RoomID).Str("message_id", m.ID).Str("outcome", "failed").Msg("review a message")
	}
	return verdict, err
}

func (c *Client) review(ctx context.Context, m chat.Message, edit bool) (chat.Verdict, error) {
	q := question{Type: "message", ChatRoomID: m.RoomID, MessageID: m.ID, SenderID: m.SenderID, Content: m.Content, Mentions: m.Mentions}
	if edit {
		q.Type = "edit"
	}
	if m.ReplyTo != nil {
		q.ReplyTo = m.ReplyTo.MessageID
	}
	for _, file := range m.Attachments {
		q.AttachmentTypes = append(q.AttachmentTypes, file.ContentType)
	}
	body, err := json.Marshal(q)
	if err != nil {
		return chat.Verdict{}, err
	}
	text, err := c.ask(ctx, body)
	if err != nil {
		return chat.Verdict{}, err
	}
	var a answer
	if json.Unmarshal(text, &a) != nil {
		return chat.Verdict{}, errors.New("the answer is not a JSON object")
	}
	switch {
	case a.Action == "allow":
		return chat.Verdict{}, nil
	case a.Action == "deny":
		return chat.Verdict{Deny: true, Reason: a.Reason}, nil
	case a.Action == "replace" && a.Content != nil:
		return chat.Verdict{Replace: a.Content}, nil
	}
	return chat.Verdict{}, errors.New("the answer's action is not allow, deny, or replace with content")
}

// ask makes the request. It follows no redirect.
func (c *Client) ask(ctx context.Context, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "/", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.URL, r.Host = c.url, c.url.Host
	r.Header.Set("Content-Type", "application/json")
	if c.signer != nil {
		if err := c.sign(r, body); err != nil {
			return nil, err
		}
	}
	resp, err := c.c.Transport.RoundTrip(r)
	if err != nil {
		return nil, fmt.Errorf("no answer: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch failed := resp.Header.Get("X-Amz-Function-Error"); {
	case err != nil:
		return nil, fmt.Errorf("no whole answer: %w", err)
	case resp.StatusCode != http.StatusOK || failed != "":
		return nil, fmt.Errorf("answered %d %s", resp.StatusCode, failed)
	case len(text) > maxAnswer:
		return nil, fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	return text, nil
}

// sign signs a request for now, by the real clock, as the SDK's clients do.
func (c *Client) sign(r *http.Request, body []byte) error {
	credentials, err := c.c.Credentials.Retrieve(r.Context())
	if err != nil {
		return fmt.Errorf("get identity: %w", err)
	}
	date, sum := sigv4.Date(time.Now()), sha256.Sum256(body)
	r.Header["X-Amz-Date"] = []string{date}
	headers := []sigv4.Header{
		{Name: "content-length", Value: strconv.Itoa(len(body))},
		{Name: "content-type", Value: "application/json"},
		{Name: "host", Value: r.Host},
		{Name: "x-amz-date", Value: date},
	}
	if token := credentials.SessionToken; token != "" {
		r.Header["X-Amz-Security-Token"] = []string{token}
		headers = append(headers, sigv4.Header{Name: "x-amz-security-token", Value: token})
	}
	r.Header["Authorization"] = []string{c.signer.Authorization(credentials, date, sigv4.Request{
		Method: r.Method, Path: sigv4.AppendEscaped(nil, r.URL.EscapedPath(), true), Headers: headers, SHA256: hex.EncodeToString(sum[:]),
	})}
	return nil
}
