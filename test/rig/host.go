package rig

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/table"
)

const (
	// stopTimeout is how long a server may take to stop; open requests and
	// invocations are then cut off.
	stopTimeout = 10 * time.Second
	// Another program may take a port while the server is down, for a moment.
	startAttempts = 50
	startPause    = 100 * time.Millisecond
)

// Host runs one server after the other, at the same addresses and on the same
// data, and returns errors. It is for programs, and for tests that restart a
// server. Its methods are safe for concurrent use.
type Host struct {
	config local.Config

	mu     sync.Mutex
	url    string // of everything but the WebSocket and the table; "" before the first start
	socket string
	server *local.Server
}

// NewHost returns a Host without a server. Ports that c leaves open are chosen at
// the first start.
func NewHost(c local.Config) *Host {
	if c.Clock == nil {
		c.Clock = clockwork.NewRealClock()
	}
	return &Host{config: loopback(c)}
}

// Start starts a server.
func (h *Host) Start(ctx context.Context) error {
	h.mu.Lock()
	config, restarted := h.config, h.url != ""
	h.mu.Unlock()
	server, err := local.Start(ctx, config)
	for attempt := 1; err != nil && restarted && attempt < startAttempts; attempt++ {
		select {
		case <-config.Clock.After(startPause):
		case <-ctx.Done():
			return ctx.Err()
		}
		server, err = local.Start(ctx, config)
	}
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.server = server
	h.url, h.socket = server.URL(), server.WebSocketURL()
	h.config.Addr = strings.TrimPrefix(server.URL(), "http://")
	h.config.DynamoDBAddr = strings.TrimPrefix(server.TableURL(), "http://")
	return nil
}

// Stop stops the server, if one runs: gently, or in the middle of its work. It
// returns the error of a server that has ended by itself.
func (h *Host) Stop(ctx context.Context, abrupt bool) error {
	h.mu.Lock()
	server := h.server
	h.server = nil
	h.mu.Unlock()
	if server == nil {
		return nil
	}
	ctx, cancel := clockwork.WithTimeout(ctx, h.config.Clock, stopTimeout)
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

// URL returns where everything but the WebSocket and the table is reached, also
// while the server is down.
func (h *Host) URL() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.url
}

// APIURL returns where the HTTP API is reached.
func (h *Host) APIURL() string { return h.URL() + apiPath }

// WebSocketURL returns where clients connect.
func (h *Host) WebSocketURL() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.socket
}

// SplitShard splits a shard of the table's stream.
func (h *Host) SplitShard(ctx context.Context) error {
	h.mu.Lock()
	server := h.server
	h.mu.Unlock()
	if server == nil {
		return errors.New("split a shard: no server runs")
	}
	return server.SplitShard(ctx)
}

// Items has each called with the keys of all items of the table, and their expiry times,
// in seconds since 1970; 0 for none.
func (h *Host) Items(ctx context.Context, each func(pk, sk string, ttl int64)) error {
	h.mu.Lock()
	server := h.server
	h.mu.Unlock()
	if server == nil {
		return errors.New("read the table: no server runs")
	}
	pages := dynamodb.NewScanPaginator(dynamodb.NewFromConfig(server.AWS()), &dynamodb.ScanInput{
		TableName: aws.String(local.TableName), ConsistentRead: aws.Bool(true),
		ProjectionExpression: aws.String("#pk, #sk, #ttl"), ExpressionAttributeNames: map[string]string{"#pk": table.PK, "#sk": table.SK, "#ttl": table.TTL},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("read the table: %w", err)
		}
		for _, it := range page.Items {
			key := attribute.KeyOf(it)
			each(key.PK, key.SK, attribute.GetNumber(it, table.TTL))
		}
	}
	return nil
}

// GivenUp counts the records in the bucket of failures, by function.
func (h *Host) GivenUp(ctx context.Context) (map[string]int, error) {
	transport := &http.Transport{}
	if h.config.Network != nil {
		transport.DialContext = h.config.Network.DialContext
	}
	queued, err := failures(ctx, transport, h.URL())
	if err != nil {
		return nil, err
	}
	records := map[string]int{}
	for _, f := range queued {
		arn := f.Request.FunctionARN
		records[arn[strings.LastIndexByte(arn, ':')+1:]] += f.Batch.BatchSize
	}
	return records, nil
}
