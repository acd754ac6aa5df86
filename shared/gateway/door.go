package gateway

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"

	"github.com/aws/aws-lambda-go/events"
	"github.com/rs/zerolog"
)

// Door lets in what came through the distribution. The APIs have addresses of their own,
// which a firewall can't be attached to ("Use AWS WAF to protect your REST APIs in API
// Gateway", API Gateway Developer Guide); that a header tells is CloudFront's own advice
// ("Add custom headers to origin requests", CloudFront Developer Guide).
type Door struct {
	header string
	keys   []string
	log    zerolog.Logger
}

// NewDoor returns the door that opens to requests with any of the keys in a header;
// without keys it is open.
func NewDoor(header string, keys []string, log zerolog.Logger) Door {
	return Door{header: header, keys: keys, log: log}
}

// Connect puts the door before the handler of $connect. Frames on a connection that was
// let in carry no headers.
func (d Door) Connect(handle func(context.Context, Request) (Response, error)) func(context.Context, Request) (Response, error) {
	return func(ctx context.Context, r Request) (Response, error) {
		if !d.opens(headerValues(r, d.header)) {
			d.refuse(r.RequestContext.RequestID)
			return Response{StatusCode: http.StatusForbidden}, nil
		}
		return handle(ctx, r)
	}
}

// HTTP puts the door before the handler of the HTTP API.
func (d Door) HTTP(handle func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error)) func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	return func(ctx context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		if !d.opens(headerValues(Request{Headers: e.Headers}, d.header)) {
			d.refuse(e.RequestContext.RequestID)
			return plainAnswer(http.StatusForbidden), nil
		}
		return handle(ctx, e)
	}
}

// opens compares hashes, which are of one length: how long it takes says nothing of the
// keys.
func (d Door) opens(values []string) bool {
	if len(d.keys) == 0 {
		return true
	}
	if len(values) != 1 {
		return false
	}
	got, open := sha256.Sum256([]byte(values[0])), 0
	for _, key := range d.keys {
		want := sha256.Sum256([]byte(key))
		open |= subtle.ConstantTimeCompare(got[:], want[:])
	}
	return open == 1
}

func (d Door) refuse(requestID string) {
	d.log.Warn().Str("request_id", requestID).Int("status", http.StatusForbidden).Str("reason", "origin_key").
		Str("outcome", http.StatusText(http.StatusForbidden)).Msg("handled")
}
