package gateway_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/gateway"
)

func TestTheDoorOpensToItsKeys(t *testing.T) {
	for name, test := range map[string]struct {
		keys    []string
		headers map[string]string
		want    int
	}{
		"no door":         {nil, nil, http.StatusOK},
		"its key":         {[]string{"old", "new"}, map[string]string{"x-origin-key": "new"}, http.StatusOK},
		"the one before":  {[]string{"old", "new"}, map[string]string{"X-Origin-Key": "old"}, http.StatusOK},
		"another key":     {[]string{"old", "new"}, map[string]string{"X-Origin-Key": "ne"}, http.StatusForbidden},
		"an empty key":    {[]string{"old"}, map[string]string{"X-Origin-Key": ""}, http.StatusForbidden},
		"no key":          {[]string{"old"}, map[string]string{"Origin": "old"}, http.StatusForbidden},
		"a list of them":  {[]string{"old", "new"}, map[string]string{"X-Origin-Key": "old,new"}, http.StatusForbidden},
		"a key of blanks": {[]string{"old"}, map[string]string{"X-Origin-Key": " old"}, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			door := gateway.NewDoor("X-Origin-Key", test.keys, zerolog.New(&log))
			asked := 0
			connect := door.Connect(func(context.Context, gateway.Request) (gateway.Response, error) {
				asked++
				return gateway.Response{StatusCode: http.StatusOK}, nil
			})
			api := door.HTTP(func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
				asked++
				return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusOK}, nil
			})
			socket, err := connect(t.Context(), gateway.Request{Headers: test.headers})
			if err != nil || socket.StatusCode != test.want {
				t.Errorf("$connect answers %d, %v; want %d", socket.StatusCode, err, test.want)
			}
			answer, err := api(t.Context(), events.APIGatewayV2HTTPRequest{Headers: test.headers})
			if err != nil || answer.StatusCode != test.want {
				t.Errorf("the HTTP API answers %d, %v; want %d", answer.StatusCode, err, test.want)
			}
			if open := test.want == http.StatusOK; open != (asked == 2) || open == strings.Contains(log.String(), "origin_key") {
				t.Errorf("%d handlers were asked, and the log has %q", asked, log.String())
			}
		})
	}
}
