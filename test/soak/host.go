package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/local"
)

const (
	// stopTime is how long a server stops gently; what then still hangs is cut off.
	stopTime = 10 * time.Second
	// Another program may take a port while the server is down, for a moment.
	startAttempts = 50
)

// host runs one server after the other, at the same addresses and on the same
// data.
type host struct {
	clock clockwork.Clock

	// Set before the first start and by it.
	config local.Config
	url    string // of everything but the WebSocket
	socket string

	mu     sync.Mutex
	server *local.Server
}

// start starts a server.
func (h *host) start(ctx context.Context) error {
	var server *local.Server
	for attempt := 0; ; attempt++ {
		var err error
		if server, err = local.Start(ctx, h.config); err == nil {
			break
		}
		if attempt == startAttempts || h.url == "" {
			return err
		}
		select {
		case <-h.clock.After(pollInterval):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.server = server
	if h.url != "" {
		return nil
	}
	h.url, h.socket = server.URL(), server.WebSocketURL()
	h.config.Addr = strings.TrimPrefix(server.URL(), "http://")
	h.config.DynamoDBAddr = strings.TrimPrefix(server.TableURL(), "http://")
	return nil
}

// stop ends the server: gently, or in the middle of what it does.
func (h *host) stop(ctx context.Context, abrupt bool) error {
	h.mu.Lock()
	server := h.server
	h.server = nil
	h.mu.Unlock()
	if server == nil {
		return nil
	}
	ctx, cancel := clockwork.WithTimeout(ctx, h.clock, stopTime)
	defer cancel()
	var failed error
	select {
	case failed = <-server.Failed():
	default:
	}
	if abrupt {
		cancel()
	}
	if err := server.Stop(ctx); err != nil && !abrupt && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop the server: %w", err)
	}
	return failed
}

// token signs a user in.
func (h *host) token(ctx context.Context, client *http.Client, user string, expiresIn time.Duration) (string, error) {
	body := fmt.Sprintf(`{"user":%q,"expiresIn":%d}`, user, int(expiresIn.Seconds()))
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url+"/token", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var signed struct{ Token string }
	if err := json.NewDecoder(response.Body).Decode(&signed); err != nil || signed.Token == "" {
		return "", errors.New("no token came")
	}
	return signed.Token, nil
}

// givenUp counts the records in the failure queue, by function.
func (h *host) givenUp(ctx context.Context) (map[string]int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url+"/failures", http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		return nil, fmt.Errorf("read the failure queue: %w", err)
	}
	defer response.Body.Close()
	var queue struct {
		Failures []struct {
			Failure struct {
				RequestContext     struct{ FunctionARN string }
				DDBStreamBatchInfo struct{ BatchSize int }
			}
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&queue); err != nil {
		return nil, fmt.Errorf("read the failure queue: %w", err)
	}
	records := map[string]int{}
	for _, f := range queue.Failures {
		arn := f.Failure.RequestContext.FunctionARN
		records[arn[strings.LastIndexByte(arn, ':')+1:]] += f.Failure.DDBStreamBatchInfo.BatchSize
	}
	return records, nil
}

// api is the HTTP API's URL.
func (h *host) api() string {
	u, err := url.JoinPath(h.url, "api")
	if err != nil {
		return h.url + "/api"
	}
	return u
}
