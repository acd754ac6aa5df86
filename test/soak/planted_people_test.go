package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
)

// peoplePlants are bugs of what users learn of each other, with what is said of each.
func peoplePlants() map[string]struct {
	wrap      func(local.Function) local.Function
	transport func(http.RoundTripper) http.RoundTripper
	promise   Promise
	detail    string
} {
	type plant = struct {
		wrap      func(local.Function) local.Function
		transport func(http.RoundTripper) http.RoundTripper
		promise   Promise
		detail    string
	}
	return map[string]plant{
		"no one is sent reactions": {
			wrap: only(topology.Fanout, withoutRecords(table.ReactedPrefix)), promise: Differs, detail: "shown with the reactions",
		},
		"no one is sent who comes and goes": {
			wrap: only(topology.Fanout, withoutRecords(table.SeenKey)), promise: Differs, detail: "visitor is shown as online: true, by the server: false",
		},
		"frames have no quotes": {
			wrap: only(topology.Fanout, replacedInFrames("replyTo", "replyT0")), promise: Differs, detail: "shown with the quote",
		},
		"frames have no mentions": {
			wrap: only(topology.Fanout, replacedInFrames("mentions", "mention5")), promise: Differs, detail: "shown to mention",
		},
		"a reaction counts twice": {
			wrap: requests(topology.API, func(body []byte) []byte {
				if !bytes.Contains(body, []byte(`"`+table.ReactedPrefix)) {
					return body
				}
				return bytes.ReplaceAll(body, []byte(`":one":{"N":"1"}`), []byte(`":one":{"N":"2"}`))
			}), promise: Reaction, detail: "the counts are",
		},
		"what is taken back stays": {
			transport: func(next http.RoundTripper) http.RoundTripper { return keepsReactions{next} },
			promise:   Reaction, detail: "is there: true, by what was acknowledged: false",
		},
		"the Go client misses reactions while it is away": {
			transport: func(next http.RoundTripper) http.RoundTripper { return withoutReactions{next} },
			promise:   Differs, detail: "shown with the reactions",
		},
	}
}

// TestPlantedBugsOfPeopleAreFound plants one bug after the other of what users learn of
// each other.
func TestPlantedBugsOfPeopleAreFound(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	plants := peoplePlants()
	for seed := uint64(1); len(plants) > 0 && seed <= 8; seed++ {
		configs := map[string]Config{}
		for name, bug := range plants {
			detail := regexp.MustCompile(bug.detail)
			c := Config{
				Seed: seed, Users: 3, Devices: 2, Rooms: 2, Sends: 8, Changes: 20, Duration: 2 * time.Second, StepTimeout: 6 * time.Second,
				Wrap: bug.wrap, Transport: bug.transport,
				Enough: func(v Violation) bool { return v.Promise == bug.promise && detail.MatchString(v.Detail) },
			}
			if strings.HasPrefix(bug.detail, visitor) { // who has gone shows for 15 s
				c.StepTimeout = 20 * time.Second
			}
			configs[name] = c
		}
		for name, report := range runVirtual(t, configs) {
			if slices.ContainsFunc(report.Violations, configs[name].Enough) {
				delete(plants, name)
			}
		}
	}
	for name, bug := range plants {
		t.Errorf("%s: no broken promise %q with %q was found", name, bug.promise, bug.detail)
	}
}

// withoutRecords has a function's mapping skip items by the beginning of their sort keys.
func withoutRecords(prefix string) func(functions.Env, functions.Constructor) (lambda.Handler, error) {
	return func(env functions.Env, construct functions.Constructor) (lambda.Handler, error) {
		handler, err := construct(env)
		if err != nil {
			return nil, err
		}
		return handlerFunc(func(ctx context.Context, payload []byte) ([]byte, error) {
			var batch events.DynamoDBEvent
			if err := json.Unmarshal(payload, &batch); err != nil {
				return nil, err
			}
			batch.Records = slices.DeleteFunc(batch.Records, func(r events.DynamoDBEventRecord) bool {
				return strings.HasPrefix(r.Change.Keys[table.SK].String(), prefix)
			})
			if len(batch.Records) == 0 {
				return []byte(`{"batchItemFailures":[]}`), nil
			}
			kept, err := json.Marshal(batch)
			if err != nil {
				return nil, err
			}
			return handler.Invoke(ctx, kept)
		}), nil
	}
}

// replacedInFrames has a function post another text in its frames.
func replacedInFrames(old, replacement string) func(functions.Env, functions.Constructor) (lambda.Handler, error) {
	return func(env functions.Env, construct functions.Constructor) (lambda.Handler, error) {
		posts := env.Posts
		env.Posts = transport(func(r *http.Request) (*http.Response, error) {
			body, err := readBody(r)
			if err != nil {
				return nil, err
			}
			changed := r.Clone(r.Context())
			body = bytes.ReplaceAll(body, []byte(`"`+old+`"`), []byte(`"`+replacement+`"`))
			changed.Body, changed.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			return posts.RoundTrip(changed)
		})
		return construct(env)
	}
}

// withoutReactions takes reactions out of what the client reads to catch up.
type withoutReactions struct{ next http.RoundTripper }

func (t withoutReactions) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(r)
	if err != nil || !strings.HasSuffix(r.URL.Path, "/sync") && !strings.HasSuffix(r.URL.Path, "/messages") {
		return response, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	body = bytes.ReplaceAll(body, []byte(`"reactions"`), []byte(`"reaction5"`))
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return response, nil
}

// keepsReactions asks for no reaction to be taken back, and says that it was.
type keepsReactions struct{ next http.RoundTripper }

func (t keepsReactions) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodDelete || !strings.HasSuffix(r.URL.Path, "/reactions") {
		return t.next.RoundTrip(r)
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"version":0,"counts":{},"mine":[]}`)),
	}, nil
}
