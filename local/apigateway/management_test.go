package apigateway_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	management "github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/local/apigateway"
)

const unknownID = "R1kmxc2VNjMCFIA="

func TestManagementErrors(t *testing.T) {
	g := start(t, nil)
	c := g.dial()
	for name, test := range map[string]struct {
		method, path, body string
		status             int
		errorType, message string
	}{
		"unknown":              {"POST", "/local/@connections/R1kmxc2VNjMCFIA%3D", "x", 410, "GoneException", ""},
		"unknown, not escaped": {"POST", "/local/@connections/R1kmxc2VNjMCFIA=", "x", 410, "GoneException", ""},
		"unknown, all escaped": {"POST", "/local/%40connections/%521kmxc2VNjMCFIA%3D", "x", 410, "GoneException", ""},
		"other alphabet":       {"POST", "/local/@connections/R1k%2Bxc2V%2FjMCFIA%3D", "x", 410, "GoneException", ""},
		"GET unknown":          {"GET", "/local/@connections/R1kmxc2VNjMCFIA%3D", "", 410, "GoneException", ""},
		"DELETE unknown":       {"DELETE", "/local/@connections/R1kmxc2VNjMCFIA%3D", "", 410, "GoneException", ""},
		"malformed":            {"POST", "/local/@connections/nope", "x", 400, "BadRequestException", "Invalid connectionId: nope"},
		"malformed characters": {"POST", "/local/@connections/R1kmxc2V!jMCFIA%3D", "x", 400, "BadRequestException", "Invalid connectionId: R1kmxc2V!jMCFIA="},
		"empty":                {"POST", "/local/@connections/", "x", 400, "BadRequestException", "Invalid connectionId: "},
		"too large":            {"POST", c.path(), strings.Repeat("x", 128<<10+1), 413, "PayloadTooLargeException", "Payload too large"},
		"wrong stage":          {"POST", "/prod/@connections/R1kmxc2VNjMCFIA%3D", "x", 403, "ForbiddenException", "Forbidden"},
		"too deep":             {"POST", "/local/@connections/R1kmxc2VNjMCFIA%3D/x", "x", 403, "ForbiddenException", "Forbidden"},
		"no id":                {"POST", "/local/@connections", "x", 403, "ForbiddenException", "Forbidden"},
		"other method":         {"PUT", c.path(), "x", 403, "ForbiddenException", "Forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			status, header, body := g.request(test.method, test.path, test.body, nil)
			want := ""
			if test.message != "" {
				want = `{"message":"` + test.message + `"}`
			}
			if status != test.status || header.Get("X-Amzn-ErrorType") != test.errorType || body != want {
				t.Errorf("answered %d %q %q", status, header.Get("X-Amzn-ErrorType"), body)
			}
		})
	}
}

func TestPostBeforeTheHandshakeEndsIsGone(t *testing.T) {
	g := start(t, nil)
	g.onConnect(func(e event) answer {
		c := client{g: g, id: e.RequestContext.ConnectionID}
		if status := c.post("too early"); status != http.StatusGone {
			t.Errorf("a post from inside $connect answered %d", status)
		}
		return answer{response: ok}
	})
	_ = g.handshake(g.url(), nil).conn.CloseNow()
	g.expectDisconnect(1006, "")
}

// TestPostRightAfterTheHandshake needs no retry: a client that has seen the 101 can
// be reached.
func TestPostRightAfterTheHandshake(t *testing.T) {
	g := start(t, nil)
	for range 50 {
		c := g.dial()
		if status := c.post("hi"); status != http.StatusOK {
			t.Fatalf("post: %d", status)
		}
		c.expect("hi")
	}
}

func TestDeleteClosesTheConnection(t *testing.T) {
	g := start(t, nil)
	c := g.dial()
	c.post("last words")
	if status, _, body := g.request(http.MethodDelete, c.path(), "", nil); status != http.StatusNoContent || body != "" {
		t.Errorf("answered %d %q", status, body)
	}
	if status := c.post("x"); status != http.StatusGone {
		t.Errorf("a post after it answered %d", status)
	}
	c.expect("last words")
	c.expectClose(websocket.StatusNormalClosure)
	g.expectDisconnect(1000, "Connection Closed Normally")
}

// TestSlowClient fills the network's buffers and the connection's own.
func TestSlowClient(t *testing.T) {
	g := start(t, nil)
	slow, quick := g.dial(), g.dial()
	body := strings.Repeat("x", 128<<10)
	var sent, status int
	for ; sent < 1000; sent++ {
		var header http.Header
		status, header, _ = g.request(http.MethodPost, slow.path(), body, nil)
		if status != http.StatusOK {
			if kind := header.Get("X-Amzn-ErrorType"); status != http.StatusTooManyRequests || kind != "LimitExceededException" {
				t.Fatalf("answered %d %q", status, kind)
			}
			break
		}
	}
	if status != http.StatusTooManyRequests {
		t.Fatalf("%d posts to a client that reads nothing were taken", sent)
	}
	if status := quick.post("hi"); status != http.StatusOK {
		t.Errorf("a post to another client answered %d", status)
	}
	quick.expect("hi")

	// What was taken is delivered, and then there is room again.
	for range sent {
		slow.expect(body)
	}
	if status := slow.post("again"); status != http.StatusOK {
		t.Errorf("a post to the client that reads again answered %d", status)
	}
	slow.expect("again")
}

// TestSlowClientDoesNotHoldShutdown: closeGrace ends it.
func TestSlowClientDoesNotHoldShutdown(t *testing.T) {
	g := start(t, nil)
	slow := g.dial()
	for slow.post(strings.Repeat("x", 128<<10)) == http.StatusOK {
	}
	stopped := make(chan error, 1)
	go func() { stopped <- g.Shutdown(context.Background()) }()
	for slow.post("") != http.StatusGone {
	}
	for open := true; open; { // until the timer is armed
		g.clock.Advance(10 * time.Second)
		select {
		case err := <-stopped:
			open = false
			if err != nil {
				t.Error(err)
			}
		case <-g.gone:
		default:
		}
	}
}

// TestClientThatHalfCloses has stopped reading and says that it won't send any
// more, while the gateway waits for it to read.
func TestClientThatHalfCloses(t *testing.T) {
	g := start(t, nil)
	ids := make(chan string, 1)
	g.onConnect(func(e event) answer {
		ids <- e.RequestContext.ConnectionID
		return answer{response: ok}
	})
	r := g.rawDial(rawHandshake)
	c := &client{g: g, id: <-ids}
	for c.post(strings.Repeat("x", 128<<10)) == http.StatusOK {
	}
	if err := r.conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	g.expectDisconnect(1006, "")
}

// TestInProcessBodies are client requests, whose length may be unknown.
func TestInProcessBodies(t *testing.T) {
	g := start(t, nil)
	c := g.dial()
	for name, test := range map[string]struct {
		body io.Reader
		want string
	}{
		"none":    {nil, ""},
		"known":   {strings.NewReader("known"), "known"},
		"unknown": {io.MultiReader(strings.NewReader("un"), strings.NewReader("known")), "unknown"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.server.URL+c.path(), test.body)
		if err != nil {
			t.Fatal(err)
		}
		response, err := g.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("%s: answered %s", name, response.Status)
		}
		c.expect(test.want)
	}
}

// sdk is AWS's client of the management API, over the network or in process.
func (g *gateway) sdk(in bool) *management.Client {
	return management.New(management.Options{
		BaseEndpoint:     aws.String(g.url()),
		Region:           "us-east-1",
		Credentials:      credentials.NewStaticCredentialsProvider("id", "secret", ""),
		RetryMaxAttempts: 1,
	}, func(o *management.Options) {
		if in {
			o.HTTPClient = g.WebSocketAPI
		} else {
			o.HTTPClient = &http.Client{Transport: g.transport}
		}
	})
}

func TestManagementThroughTheSDK(t *testing.T) {
	for name, inProcess := range map[string]bool{"network": false, "in process": true} {
		t.Run(name, func(t *testing.T) {
			g := start(t, func(c *apigateway.WebSocketConfig) { c.SendBuffer = 1 })
			sdk, c := g.sdk(inProcess), g.dial()
			id, ctx := aws.String(c.id), t.Context()

			if _, err := sdk.PostToConnection(ctx, &management.PostToConnectionInput{ConnectionId: id, Data: []byte("hi")}); err != nil {
				t.Fatal(err)
			}
			c.expect("hi")
			g.clock.Advance(time.Minute)
			c.send(`{"action":"oneWay"}`)
			g.nextCall().respond(ok)

			got, err := sdk.GetConnection(ctx, &management.GetConnectionInput{ConnectionId: id})
			if err != nil {
				t.Fatal(err)
			}
			want := &types.Identity{SourceIp: aws.String("127.0.0.1"), UserAgent: aws.String("Go-http-client/1.1")}
			if diff := cmp.Diff(want.SourceIp, got.Identity.SourceIp) + cmp.Diff(want.UserAgent, got.Identity.UserAgent); diff != "" {
				t.Errorf("identity: %s", diff)
			}
			if !got.ConnectedAt.Equal(g.started) || !got.LastActiveAt.Equal(g.started.Add(time.Minute)) {
				t.Errorf("connected at %v, last active at %v", got.ConnectedAt, got.LastActiveAt)
			}

			var tooLarge *types.PayloadTooLargeException
			_, err = sdk.PostToConnection(ctx, &management.PostToConnectionInput{ConnectionId: id, Data: make([]byte, 128<<10+1)})
			if !errors.As(err, &tooLarge) {
				t.Errorf("too large: %v", err)
			}
			if _, err := sdk.DeleteConnection(ctx, &management.DeleteConnectionInput{ConnectionId: id}); err != nil {
				t.Error(err)
			}
			c.expectClose(websocket.StatusNormalClosure)
			g.expectDisconnect(1000, "Connection Closed Normally")
			var gone *types.GoneException
			_, err = sdk.PostToConnection(ctx, &management.PostToConnectionInput{ConnectionId: id, Data: []byte("x")})
			if !errors.As(err, &gone) {
				t.Errorf("gone: %v", err)
			}
		})
	}
}

func TestInProcessCallsHonourTheirContext(t *testing.T) {
	g := start(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url()+"/@connections/"+url.PathEscape(unknownID), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := g.Do(request)
	if response != nil {
		response.Body.Close()
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("answered %v, %v", response, err)
	}
}
