package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
)

// Events of the WebSocket API, as API Gateway writes them.
const (
	connectJSON = `{"headers":{"Host":"h.example","Sec-WebSocket-Protocol":"streamroom, t"},"multiValueHeaders":{"Host":["h.example"],"Sec-WebSocket-Protocol":["streamroom, t"],"X-Twice":["1","2"],"X-None":[]},"queryStringParameters":{"replaces":"c=","a":""},"multiValueQueryStringParameters":{"replaces":["c="],"a":[""]},"requestContext":{"routeKey":"$connect","eventType":"CONNECT","extendedRequestId":"e","requestTime":"03/Feb/2026:04:05:06 +0000","messageDirection":"IN","stage":"local","connectedAt":1770091506789,"requestTimeEpoch":1770091506790,"identity":{"sourceIp":"127.0.0.1","userAgent":"test/1.0"},"requestId":"r","domainName":"h.example","connectionId":"c1","apiId":"a"},"isBase64Encoded":false}`

	messageJSON = `{"requestContext":{"routeKey":"sendMessage","messageId":"m","eventType":"MESSAGE","connectedAt":1,"requestTimeEpoch":2,"identity":{"sourceIp":"::1"},"connectionId":"c1"},"body":"{\"action\":\"ping\",\"content\":\"a \u003c\ud83d\ude00\"}","isBase64Encoded":false}`

	disconnectJSON = `{"requestContext":{"routeKey":"$disconnect","disconnectStatusCode":1001,"eventType":"DISCONNECT","disconnectReason":"gone","connectionId":"c1"},"isBase64Encoded":true}`
)

func TestRead(t *testing.T) {
	for name, test := range map[string]struct {
		event string
		ok    bool
	}{
		"of a handshake":      {connectJSON, true},
		"of a frame":          {messageJSON, true},
		"of an end":           {disconnectJSON, true},
		"with spaces":         {" { \"queryStringParameters\" : { } , \"requestContext\" : { \"connectedAt\" : 1 } } ", true},
		"an unknown field":    {`{"requestContext":{"authorizer":{"principalId":"p"}}}`, false},
		"a name in capitals":  {`{"BODY":"b"}`, false},
		"a fraction":          {`{"requestContext":{"connectedAt":1.5}}`, false},
		"a null":              {`{"body":null}`, false},
		"a number as a text":  {`{"queryStringParameters":{"a":5}}`, false},
		"headers as a number": {`{"headers":{"a":5},"multiValueHeaders":{}}`, false},
		"headers of one kind": {`{"headers":{"Host":"h"}}`, false},
		"more than an event":  {`{}{}`, false},
		"less than an event":  {`{"body":"b"`, false},
		"a byte that is none": {"{\"body\":\"\xff\"}", false},
	} {
		t.Run(name, func(t *testing.T) {
			if _, ok := read(test.event); ok != test.ok {
				t.Errorf("got %v, want %v", ok, test.ok)
			}
		})
	}
}

// FuzzRead: what is read is what encoding/json reads.
func FuzzRead(f *testing.F) {
	f.Add(connectJSON)
	f.Add(messageJSON)
	f.Add(disconnectJSON)
	f.Add(`{"queryStringParameters":{"a":"1"},"queryStringParameters":{"b":"2","a":"3"},"multiValueHeaders":{"a":["1"],"a":[]},"body":"a","body":"b"}`)
	f.Add(`{"requestContext":{"connectedAt":1},"requestContext":{"connectedAt":-0,"identity":{"userAgent":"\uD800"}}}`)
	f.Fuzz(func(t *testing.T, event string) {
		got, ok := read(event)
		if !ok {
			return
		}
		var want Request
		if err := json.Unmarshal([]byte(event), &want); err != nil {
			t.Fatalf("%q is read, and encoding/json says %v", event, err)
		}
		want.Headers, want.MultiValueQueryStringParameters = nil, nil // which it leaves out
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, want %+v", event, got, want)
		}
	})
}

func TestRoute_ReadsWhatEncodingJSONReads(t *testing.T) {
	var got Request
	route := Route(func(_ context.Context, r Request) (Response, error) {
		got = r
		return Response{StatusCode: 200, Body: `{"type":"<pong>"}`}, nil
	})
	answer, err := route.Invoke(t.Context(), []byte(`{"requestContext":{"connectionId":"c1","authorizer":{"a":1}},"body":null}`))
	if want := `{"statusCode":200,"headers":null,"multiValueHeaders":null,"body":"{\"type\":\"<pong>\"}"}`; err != nil || string(answer) != want {
		t.Errorf("got %s, %v; want %s", answer, err, want)
	}
	if got.RequestContext.ConnectionID != "c1" || got.RequestContext.Authorizer == nil {
		t.Errorf("got the event %+v", got)
	}
	if answer, err := route.Invoke(t.Context(), []byte(`{"body":5}`)); err == nil {
		t.Errorf("an event that is none: got %s, want an error", answer)
	}
}

func TestRoute_ReturnsTheHandlersError(t *testing.T) {
	failed := errors.New("failed")
	route := Route(func(context.Context, Request) (Response, error) { return Response{}, failed })
	if answer, err := route.Invoke(t.Context(), []byte(`{}`)); !errors.Is(err, failed) || answer != nil {
		t.Errorf("got %s, %v; want %v", answer, err, failed)
	}
}

func BenchmarkRead(b *testing.B) {
	for name, event := range map[string]string{"connect": connectJSON, "message": messageJSON} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := read(event); !ok {
					b.Fatal("bad")
				}
			}
		})
		b.Run(name+" by encoding-json", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var r Request
				if err := json.Unmarshal([]byte(event), &r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
