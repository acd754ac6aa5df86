package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/streamroom/streamroom/shared/jsonscan"
)

// Route is a WebSocket route's handler as Lambda's runtime calls it (lambda.Handler of
// aws-lambda-go): an event's JSON in, an answer's out. It does what lambda.NewHandler does,
// without the reflection, and reads what API Gateway writes in a fifth of the time.
type Route func(context.Context, Request) (Response, error)

// Invoke implements lambda.Handler.
func (handle Route) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	r, ok := read(string(event))
	if !ok {
		r = Request{}
		if err := json.NewDecoder(bytes.NewReader(event)).Decode(&r); err != nil {
			return nil, err
		}
	}
	response, err := handle(ctx, r)
	if err != nil {
		return nil, err
	}
	var answer bytes.Buffer
	encoder := json.NewEncoder(&answer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(response); err != nil {
		return nil, fmt.Errorf("encode an answer: %w", err)
	}
	return bytes.TrimSuffix(answer.Bytes(), []byte("\n")), nil
}

// reader reads an event as API Gateway writes it. What it does not expect, such as another
// field, makes it bad: encoding/json reads the event then, and says what is wrong.
type reader struct {
	jsonscan.Scanner

	single bool // headers came
}

// read reads an event, of which it leaves out what no one asks for: headers whose lists of
// values it has, and such lists of query parameters. It returns false if it was bad.
func read(event string) (in Request, ok bool) {
	r := &reader{Scanner: jsonscan.Of(event)}
	for r.Open('{'); r.Next('}'); {
		switch r.Name() {
		case "headers":
			r.single = true
			for r.Open('{'); r.Next('}'); {
				r.Name()
				r.Text()
			}
		case "multiValueHeaders":
			r.lists(&in.MultiValueHeaders)
		case "queryStringParameters":
			r.texts(&in.QueryStringParameters)
		case "multiValueQueryStringParameters":
			var unused map[string][]string
			r.lists(&unused)
		case "requestContext":
			r.context(&in)
		case "body":
			in.Body = r.Text()
		case "isBase64Encoded":
			in.IsBase64Encoded = r.Bool()
		default:
			r.Fail() // it may be a name in another case
		}
	}
	return in, r.End() && (!r.single || in.MultiValueHeaders != nil)
}

func (r *reader) context(in *Request) {
	c := &in.RequestContext
	for r.Open('{'); r.Next('}'); {
		switch r.Name() {
		case "routeKey":
			c.RouteKey = r.Text()
		case "eventType":
			c.EventType = r.Text()
		case "connectionId":
			c.ConnectionID = r.Text()
		case "requestId":
			c.RequestID = r.Text()
		case "extendedRequestId":
			c.ExtendedRequestID = r.Text()
		case "messageId":
			c.MessageID = r.Text()
		case "messageDirection":
			c.MessageDirection = r.Text()
		case "requestTime":
			c.RequestTime = r.Text()
		case "requestTimeEpoch":
			c.RequestTimeEpoch = r.Int()
		case "connectedAt":
			c.ConnectedAt = r.Int()
		case "disconnectStatusCode":
			c.DisconnectStatusCode = r.Int()
		case "disconnectReason":
			reason := r.Text()
			c.DisconnectReason = &reason
		case "stage":
			c.Stage = r.Text()
		case "domainName":
			c.DomainName = r.Text()
		case "apiId":
			c.APIID = r.Text()
		case "identity":
			r.identity(in)
		default:
			r.Fail()
		}
	}
}

func (r *reader) identity(in *Request) {
	for r.Open('{'); r.Next('}'); {
		switch r.Name() {
		case "sourceIp":
			in.RequestContext.Identity.SourceIP = r.Text()
		case "userAgent":
			in.RequestContext.Identity.UserAgent = r.Text()
		default:
			r.Fail()
		}
	}
}

// texts reads an object of strings.
func (r *reader) texts(into *map[string]string) {
	if *into == nil {
		*into = map[string]string{}
	}
	for r.Open('{'); r.Next('}'); {
		name := r.Name()
		(*into)[name] = r.Text()
	}
}

// lists reads an object of lists of strings.
func (r *reader) lists(into *map[string][]string) {
	if *into == nil {
		*into = make(map[string][]string, headersExpected)
	}
	all := make([]string, 0, headersExpected) // most names have one value
	for r.Open('{'); r.Next('}'); {
		name, from := r.Name(), len(all)
		for r.Open('['); r.Next(']'); {
			all = append(all, r.Text())
		}
		(*into)[name] = all[from:len(all):len(all)]
	}
}

// headersExpected is for how many headers there is room at once: a client sends some eight,
// and the gateway adds five.
const headersExpected = 16
