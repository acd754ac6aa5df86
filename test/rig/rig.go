// Package rig starts a whole Streamroom in a test: the functions as they are
// deployed, on local's stand-ins for AWS, on free ports of this machine.
//
//	s := rig.Start(t, local.Config{})
//	room := s.Room("alice", "bob")
//	alice, bob := s.Connect("alice"), s.Connect("bob")
//	alice.Send(room, "hello", "")
//	got := bob.Expect(wire.TypeMessage)
//
// It ends with the test, which fails if it does not stop, and its log is shown if
// the test fails. Config.Wrap is the seam for faults (package faults) and planted
// bugs.
//
// # When to use it
//
// For what only the whole shows: that a message reaches a socket by way of the
// table's stream, that an outage is survived, that a tool works over the wire.
// Start takes about 50 ms. The limits per user of the HTTP API are lifted, unless Wrap
// sets them; those of connections and frames hold. Operated is for tests of operators' tools, whose
// consumers a test can break; Host is for programs and for tests that restart the
// server on the same data.
//
// # When not
//
//   - For a rule of the domain: test it beside the rule, in shared/chat.
//   - For one function and its AWS calls: functions/harness_test.go invokes it
//     directly and counts them.
//   - For a client's behaviour against answers that a server rarely gives:
//     client/fake_test.go and web/fake_test.go script a server.
//   - For how a server starts, or what it keeps: local's state_test.go, its example and
//     its benchmarks of rooms start one by themselves.
//   - For an emulator's own behaviour: local/apigateway, local/lambda and
//     local/dynamodb have tests of their own.
package rig

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/backoff"
	"github.com/streamroom/streamroom/shared/config"
)

// Patience is how long a test waits for what should happen at once, or with the
// next window of a mapping. A machine with ten times more to do than it has
// processors needs 17 s for what takes one second alone.
const Patience = time.Minute

// Rig is a whole Streamroom that a test has started. Its methods fail that test
// instead of returning errors; those that wait give up after Patience.
type Rig struct {
	T      testing.TB
	Server *local.Server
	Logs   *Logs

	// Inspect, if set, sees each request of the HTTP API with its answer.
	Inspect func(request *http.Request, sent []byte, response *http.Response, body []byte)

	clock  clockwork.Clock
	mu     sync.Mutex
	tokens map[string]signedIn // by user
}

// Start starts a Streamroom, on free ports and with LogLevel "debug" unless c has
// others, in memory unless c has a DataDir. c.Log is ignored: see Logs.
func Start(t testing.TB, c local.Config) *Rig {
	t.Helper()
	s := &Rig{T: t, Logs: &Logs{}, clock: c.Clock, tokens: map[string]signedIn{}}
	if s.clock == nil {
		s.clock = clockwork.NewRealClock()
	}
	c = loopback(c)
	if c.LogLevel == "" {
		c.LogLevel = "debug"
	}
	c.Log = s.Logs
	server, err := local.Start(t.Context(), c)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	s.Server = server
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			t.Logf("the server logged:\n%s", s.Logs)
		}
	})
	return s
}

// Hasten has mappings gather batches for a moment, at most: it is a Config.Wrap for tests
// of what a last message shows, which comes after that window. Those of windows are
// in local/lambda, by a clock of their own.
func Hasten(d local.Deployment) local.Deployment {
	for i := range d.Mappings {
		d.Mappings[i].BatchWindow = min(d.Mappings[i].BatchWindow, 200*time.Millisecond)
	}
	return d
}

// loopback fills in free ports of this machine, and lifts the limits per user that
// tests would meet which prepare much by one user: Wrap sees them as "0".
func loopback(c local.Config) local.Config {
	wrap := c.Wrap
	c.Wrap = func(d local.Deployment) local.Deployment {
		for _, f := range d.Functions {
			for _, name := range []string{config.WriteRate, config.ReadRate} {
				if _, reads := f.Environment[name]; reads {
					f.Environment[name] = "0"
				}
			}
		}
		if wrap != nil {
			d = wrap(d)
		}
		return d
	}
	if c.Addr == "" {
		c.Addr = "127.0.0.1:0"
	}
	if c.DynamoDBAddr == "" {
		c.DynamoDBAddr = "127.0.0.1:0"
	}
	return c
}

// Stop stops the Streamroom before the test ends. It may be called again.
func (s *Rig) Stop() {
	s.T.Helper()
	http.DefaultClient.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.T.Context()), Patience)
	defer cancel()
	if err := s.Server.Stop(ctx); err != nil {
		s.T.Errorf("stop: %v", err)
	}
}

// URL returns where everything but the table is reached.
func (s *Rig) URL() string { return s.Server.URL() }

// APIURL returns where the HTTP API is reached.
func (s *Rig) APIURL() string { return s.Server.URL() + apiPath }

// WebSocketURL returns where clients connect.
func (s *Rig) WebSocketURL() string { return s.Server.WebSocketURL() }

// TableURL returns where DynamoDB, its streams, Lambda and S3 are reached.
func (s *Rig) TableURL() string { return s.Server.TableURL() }

// AWS returns a configuration that reaches the table without a network.
func (s *Rig) AWS() aws.Config { return s.Server.AWS() }

// WireAWS returns a configuration that reaches DynamoDB, its streams, Lambda and
// S3 over the wire, as operators' tools do.
func (s *Rig) WireAWS() aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(s.TableURL()),
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	}
}

// Eventually waits until check holds, and fails the test after Patience or when
// the test is cancelled.
func Eventually(t testing.TB, what string, check func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	if err := Await(ctx, check); err != nil {
		t.Fatalf("%s: not within %s", what, Patience)
	}
}

// The pauses between two calls of a check: they grow by a quarter, since a check that is
// a request takes the processor from what it waits for.
const (
	firstPoll   = 10 * time.Millisecond
	longestPoll = 200 * time.Millisecond
)

// Await polls until done, and returns ctx's error if it ends before.
func Await(ctx context.Context, done func() bool) error {
	for pause := firstPoll; !done(); pause = min(pause*5/4, longestPoll) {
		if err := backoff.Sleep(ctx, pause); err != nil {
			return err
		}
	}
	return nil
}
