package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/faults"
)

// Bugs that others have had, each planted at a seam, are found by the promise
// that they break.
func TestPlantedBugsAreFound(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	outage := func(function string) faults.Plan {
		return faults.Plan{Outages: []faults.Outage{
			{Seam: faults.SeamTable, Function: function, After: time.Second / 2, For: time.Minute},
		}}
	}
	bugs := map[string]struct {
		config   Config
		promises []Promise // one of them is broken
	}{
		"a 410 costs the sender its connections": {
			Config{
				Users: 4, Rooms: 3, Sends: 15,
				Faults: faults.Plan{LostDisconnects: 1}, Chaos: Chaos{Cuts: 120},
				Wrap: only(topology.Fanout, blameSender),
			},
			[]Promise{Forgotten, NotDelivered},
		},
		// Only what comes late is lost: its frame, while others that are newer come.
		"no overlap in sync": {
			Config{
				Users: 6, Rooms: 3, Sends: 30, Duration: 8 * time.Second,
				Faults:    faults.Plan{Posts: faults.Posts{Lost: 0.5}},
				Chaos:     Chaos{Cuts: 120},
				Wrap:      only(topology.SendMessage, storeLate),
				Transport: func(next http.RoundTripper) http.RoundTripper { return noOverlap{next} },
			},
			[]Promise{Missing},
		},
		// In a room that goes on, the next message gives away the one before. So
		// there are many, and most of them end in the outage.
		"fanout hides what failed": {
			Config{
				Users: 2, Rooms: 16, Sends: 10, Duration: 8 * time.Second,
				Faults: outage(topology.Fanout), Wrap: only(topology.Fanout, hideFailures),
			},
			[]Promise{NotDelivered},
		},
		"no row of a new connection": {
			Config{
				Users: 4, Rooms: 2, Group: chat.LongIndexAbove, Sends: 20, Duration: 8 * time.Second,
				Chaos: Chaos{Cuts: 120}, Wrap: only(topology.Connect, forgetRows),
			},
			[]Promise{NotDelivered},
		},
		"no rows of the connections of a new member of the index": {
			Config{
				Users: 4, Rooms: 2, Group: chat.LongIndexAbove, Sends: 20, Duration: 8 * time.Second,
				Wrap: only(topology.Fanout, forgetRows),
			},
			[]Promise{NotDelivered},
		},
		"fanout panics": {
			Config{Users: 2, Rooms: 1, Sends: 5, Wrap: only(topology.Fanout, panicking)},
			[]Promise{ServerRuns},
		},
		"lastmessage hides what failed": {
			Config{
				Users: 2, Rooms: 16, Sends: 10, Duration: 8 * time.Second, StepTimeout: 8 * time.Second,
				Faults: outage(topology.LastMessage), Wrap: only(topology.LastMessage, hideFailures),
			},
			[]Promise{List},
		},
	}
	// Which goroutine goes first is not the plan's: three have their go.
	for seed := uint64(1); len(bugs) > 0 && seed <= 3; seed++ {
		configs := map[string]Config{}
		for name, bug := range bugs {
			c := bug.config
			c.Seed, c.Devices, c.Enough = seed, 1, breaks(bug.promises)
			c.Duration, c.StepTimeout = max(c.Duration, 5*time.Second), max(c.StepTimeout, 6*time.Second)
			configs[name] = c
		}
		for name, report := range runVirtual(t, configs) {
			if slices.ContainsFunc(report.Violations, configs[name].Enough) {
				delete(bugs, name)
			}
		}
	}
	for name, bug := range bugs {
		t.Errorf("%s: no broken promise of %v was found", name, bug.promises)
	}
}

// breaks finds broken promises of a kind.
func breaks(promises []Promise) func(Violation) bool {
	return func(v Violation) bool { return slices.Contains(promises, v.Promise) }
}

// only changes one function's environment and handler.
func only(name string, change func(functions.Env, functions.Constructor) (lambda.Handler, error)) func(local.Function) local.Function {
	return func(f local.Function) local.Function {
		if f.Name == name {
			construct := f.Construct
			f.Construct = func(env functions.Env) (lambda.Handler, error) { return change(env, construct) }
		}
		return f
	}
}

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// readBody reads a request's body and puts it back.
func readBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, err
}

// blameSender deletes the connections of a message's sender when a connection
// that it is for is gone.
func blameSender(env functions.Env, construct functions.Constructor) (lambda.Handler, error) {
	db, posts := dynamodb.NewFromConfig(env.AWS), env.Posts
	env.Posts = transport(func(r *http.Request) (*http.Response, error) {
		body, err := readBody(r)
		if err != nil {
			return nil, err
		}
		response, err := posts.RoundTrip(r)
		if err == nil && response.StatusCode == http.StatusGone {
			for _, sender := range senders(body) {
				err = deleteConnections(r.Context(), db, sender)
			}
		}
		return response, err
	})
	return construct(env)
}

func senders(frame []byte) []string {
	var f wire.ServerFrame
	if err := json.Unmarshal(frame, &f); err != nil {
		return nil
	}
	var all []string
	if f.SenderID != "" {
		all = append(all, f.SenderID)
	}
	for _, part := range f.Frames {
		all = append(all, senders(part)...)
	}
	return all
}

func deleteConnections(ctx context.Context, db *dynamodb.Client, user string) error {
	name := aws.String(local.TableName)
	item := func(k table.Key) map[string]types.AttributeValue {
		return map[string]types.AttributeValue{
			table.PK: &types.AttributeValueMemberS{Value: k.PK}, table.SK: &types.AttributeValueMemberS{Value: k.SK},
		}
	}
	presence, err := db.GetItem(ctx, &dynamodb.GetItemInput{TableName: name, Key: item(table.Presence(user))})
	if err != nil {
		return err
	}
	for attribute := range presence.Item {
		if id, ok := table.PresenceConnection(attribute); ok {
			_, err = db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: name, Key: item(table.Connection(id))})
		}
	}
	return err
}

// storeLate holds every other message back for a second, so that it is stored
// behind later ones. That is no bug.
func storeLate(env functions.Env, construct functions.Constructor) (lambda.Handler, error) {
	db := env.AWS.HTTPClient
	env.AWS.HTTPClient = doer(func(r *http.Request) (*http.Response, error) {
		body, err := readBody(r)
		if err != nil {
			return nil, err
		}
		put := strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".PutItem") && bytes.Contains(body, []byte(`"`+table.MessagePrefix))
		if put && writes.Add(1)%2 == 0 {
			select {
			case <-time.After(time.Second):
			case <-r.Context().Done():
			}
		}
		return db.Do(r)
	})
	return construct(env)
}

var writes atomic.Int64 // of messages, that storeLate has seen

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// forgetRows stores no connection in a room.
func forgetRows(env functions.Env, construct functions.Constructor) (lambda.Handler, error) {
	db := env.AWS.HTTPClient
	env.AWS.HTTPClient = doer(func(r *http.Request) (*http.Response, error) {
		body, err := readBody(r)
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".BatchWriteItem") && bytes.Contains(body, []byte(`"`+table.OnlinePrefix)) {
			return &http.Response{
				StatusCode: http.StatusOK, Header: http.Header{}, Request: r, Body: io.NopCloser(strings.NewReader(`{"UnprocessedItems":{}}`)),
			}, nil
		}
		return db.Do(r)
	})
	return construct(env)
}

// noOverlap asks for what came after the last message, not for what came after
// the minute before it.
type noOverlap struct{ next http.RoundTripper }

func (t noOverlap) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/sync") {
		return t.next.RoundTrip(r)
	}
	var request wire.SyncRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return nil, err
	}
	for room, after := range request.Rooms {
		id, err := ulid.ParseStrict(after)
		if err != nil {
			return nil, err
		}
		if err := id.SetTime(id.Time() + 60_000); err != nil {
			return nil, err
		}
		request.Rooms[room] = id.String()
	}
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	moved := r.Clone(r.Context())
	moved.Body, moved.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return t.next.RoundTrip(moved)
}

// hideFailures answers that all records were processed.
func hideFailures(env functions.Env, construct functions.Constructor) (lambda.Handler, error) {
	handler, err := construct(env)
	if err != nil {
		return nil, err
	}
	return handlerFunc(func(ctx context.Context, payload []byte) ([]byte, error) {
		if _, err := handler.Invoke(ctx, payload); err != nil {
			return nil, err
		}
		return []byte(`{"batchItemFailures":[]}`), nil
	}), nil
}

// panicking panics instead of doing anything.
func panicking(functions.Env, functions.Constructor) (lambda.Handler, error) {
	return handlerFunc(func(context.Context, []byte) ([]byte, error) { panic("planted") }), nil
}

type handlerFunc func(context.Context, []byte) ([]byte, error)

func (f handlerFunc) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return f(ctx, payload)
}
