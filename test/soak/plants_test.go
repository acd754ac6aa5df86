package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/golang-jwt/jwt/v5"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/test/faults"
)

var realFlag = flag.Duration("real", 20*time.Second, "how long each run of TestRealTime_FindsNoPlant is under load")

var plantFlag = flag.String("plant", "", "the `name` of a planted bug, or all: TestVirtualDays_FindsPlantedBugs plants it")

// plant is a bug that shows after hours.
type plant struct {
	config   DaysConfig
	promises []Promise // that it breaks
}

// plants are bugs that a run in real time is too short for.
func plants() map[string]plant {
	wrap := func(f func(local.Function) local.Function, promises ...Promise) plant {
		return plant{DaysConfig{Wrap: f}, promises}
	}
	lasting := func(p plant) plant {
		p.config.TTLLag = -1
		return p
	}
	return map[string]plant{
		"a connection's row expires before the connection": lasting(wrap(
			requests(topology.Connect, lives(45*time.Minute, 3*time.Hour, func(time.Duration) time.Duration { return 20 * time.Minute })), Forgotten, NotDelivered)),
		"sends are forgotten after an hour": wrap(
			requests(topology.SendMessage, lives(20*time.Hour, 25*time.Hour, func(time.Duration) time.Duration { return time.Hour })), StoredTwice),
		"sends are remembered a thousand times as long": wrap(
			requests(topology.SendMessage, lives(20*time.Hour, 25*time.Hour, func(left time.Duration) time.Duration { return 1000 * left })), Outlives),
		"connections' rows stay": wrap(requests(topology.Connect, func(body []byte) []byte {
			if !bytes.Contains(body, []byte(`"PK":{"S":"CONNECTION#`)) {
				return body
			}
			return bytes.ReplaceAll(body, []byte(`"ttl"`), []byte(`"TTL"`))
		}), Outlives),
		"fanout's mapping skips shards that follow others":      wrap(skipChildren(topology.Fanout), Slow),
		"lastmessage's mapping skips shards that follow others": wrap(skipChildren(topology.LastMessage), List),
		"an iterator that expired is followed by the newest":    wrap(restartAtNewest(topology.LastMessage), List),
		"messages end after hours": lasting(wrap(requests(topology.SendMessage, func(body []byte) []byte {
			if !bytes.Contains(body, []byte(`"Item":`)) { // it reads a message, to answer it
				return body
			}
			ends := strconv.FormatInt(time.Now().Add(4*time.Hour).Unix(), 10)
			return bytes.Replace(body, []byte(`"SK":{"S":"MESSAGE#`), []byte(`"ttl":{"N":"`+ends+`"},"SK":{"S":"MESSAGE#`), 1)
		}), Lost)),
		"who leaves leaves a read cursor":                     wrap(requests(topology.API, keepCursor), Remains),
		"what was read hours ago counts as all read":          wrap(only(topology.API, forgetUnread), Unread),
		"a function's clock is fast by a second a minute":     wrap(only(topology.SendMessage, fastClock), Dated),
		"a token is kept until its end":                       {DaysConfig{Token: keepToken}, []Promise{Costs}},
		"a client does not replace its connection before 2 h": {DaysConfig{Transport: keepConnection}, []Promise{Ended}},
		"a projection that a restart forgets":                 wrap(forgetAtRestart(topology.LastMessage), List),
		"a tab that was frozen gets nothing new":              {DaysConfig{Transport: keepFrozen}, []Promise{Woken}},
	}
}

// TestVirtualDays_FindsPlantedBugs plants one bug after the other:
//
//	go test ./test/soak -run Days_Finds -v -plant all
func TestVirtualDays_FindsPlantedBugs(t *testing.T) {
	all := plants()
	seed, err := parseSeed(*seedFlag)
	if err != nil {
		t.Fatal(err)
	}
	if *plantFlag == "" {
		t.Skip("takes minutes: go test ./test/soak -run Days_Finds -v -plant all, or one of: " + strings.Join(slices.Sorted(maps.Keys(all)), "; "))
	}
	if _, ok := all[*plantFlag]; !ok && *plantFlag != "all" {
		t.Fatalf("invalid -plant %q: want all, or one of: %s", *plantFlag, strings.Join(slices.Sorted(maps.Keys(all)), "; "))
	}
	for name, bug := range all {
		if *plantFlag != "all" && *plantFlag != name {
			continue
		}
		t.Run(name, func(t *testing.T) {
			c := bug.config
			c.Seed, c.Days, c.Users, c.Enough = seed, 1, 8, breaks(bug.promises)
			report, took, err := inBubble(t, c)
			if err != nil {
				t.Error(err)
			}
			found := slices.IndexFunc(report.Violations, func(v Violation) bool { return slices.Contains(bug.promises, v.Promise) })
			if found < 0 {
				t.Fatalf("no broken promise of %v was found, but %v", bug.promises, report.Violations[:min(3, len(report.Violations))])
			}
			t.Logf("%d broken promises in %s, one of them: %s", len(report.Violations), took.Round(time.Second), report.Violations[found])
		})
	}
}

// TestRealTime_FindsNoPlant plants the bugs in runs in real time, which are too short for
// them:
//
//	go test ./test/soak -run RealTime_FindsNoPlant -v -plant all
func TestRealTime_FindsNoPlant(t *testing.T) {
	all := plants()
	if *plantFlag == "" {
		t.Skip("takes minutes: go test ./test/soak -run RealTime_FindsNoPlant -v -plant all, or the name of one")
	}
	seed, err := parseSeed(*seedFlag)
	if err != nil {
		t.Fatal(err)
	}
	for name, bug := range all {
		if *plantFlag != "all" && *plantFlag != name {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, err := Run(t.Context(), Config{
				Seed: seed, Duration: *realFlag, Users: 6, Devices: 2, Rooms: 4, Sends: 4, Changes: 2, Reads: 2,
				Faults: faults.All(seed), Chaos: Chaos{Cuts: 20, Partitions: 6, Reopens: 10, MemberChanges: 20, Restarts: 2},
				Wrap: bug.config.Wrap, Token: bug.config.Token, Transport: bug.config.Transport,
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range report.Violations {
				t.Errorf("found in real time: %s", v)
			}
		})
	}
}

// requests changes the bodies of what a function asks of AWS.
func requests(name string, change func(body []byte) []byte) func(local.Function) local.Function {
	return through(name, func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		if r.Header.Get("X-Amz-Target") == "" || r.Body == nil {
			return next.RoundTrip(r)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = change(body)
		changed := r.Clone(r.Context())
		changed.Body, changed.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return next.RoundTrip(changed)
	})
}

// through puts something in a function's way to AWS.
func through(name string, trip func(next http.RoundTripper, r *http.Request) (*http.Response, error)) func(local.Function) local.Function {
	return func(f local.Function) local.Function {
		if f.Name == name {
			f.Transport = func(next http.RoundTripper) http.RoundTripper {
				return transport(func(r *http.Request) (*http.Response, error) { return trip(next, r) })
			}
		}
		return f
	}
}

var seconds = regexp.MustCompile(`"N":"\d{9,10}"`)

// lives changes how long items live whose time to live is between two.
func lives(from, to time.Duration, change func(left time.Duration) time.Duration) func([]byte) []byte {
	return func(body []byte) []byte {
		return seconds.ReplaceAllFunc(body, func(n []byte) []byte {
			ends, err := strconv.ParseInt(string(n[len(`"N":"`):len(n)-1]), 10, 64)
			left := time.Until(time.Unix(ends, 0))
			if err != nil || left < from || left > to {
				return n
			}
			return fmt.Appendf(nil, `"N":"%d"`, time.Now().Add(change(left)).Unix())
		})
	}
}

// keepCursor leaves out the part of a transaction that deletes a read cursor.
func keepCursor(body []byte) []byte {
	var in map[string]any
	if json.Unmarshal(body, &in) != nil || in["TransactItems"] == nil {
		return body
	}
	items, _ := in["TransactItems"].([]any)
	in["TransactItems"] = slices.DeleteFunc(items, func(it any) bool {
		text, _ := json.Marshal(it) // it was JSON
		return bytes.HasPrefix(text, []byte(`{"Delete"`)) && bytes.Contains(text, []byte(`"`+table.ReadPrefix))
	})
	changed, err := json.Marshal(in)
	if err != nil {
		return body
	}
	return changed
}

// answers changes what a function's mapping is answered.
func answers(name, operation string, change func(map[string]any)) func(local.Function) local.Function {
	return through(name, func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if err != nil || !strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+operation) {
			return response, err
		}
		response.Header.Del("X-Amz-Crc32")
		return replaceJSON(response, change)
	})
}

// replaceJSON changes the body of an answer.
func replaceJSON(response *http.Response, change func(map[string]any)) (*http.Response, error) {
	defer response.Body.Close()
	var answer map[string]any
	decoder := json.NewDecoder(response.Body)
	decoder.UseNumber()
	if err := decoder.Decode(&answer); err != nil {
		return nil, err
	}
	change(answer)
	body, err := json.Marshal(answer)
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	response.Header.Del("Content-Length")
	return response, err
}

// skipChildren hides shards that follow others.
func skipChildren(name string) func(local.Function) local.Function {
	return answers(name, "DescribeStream", func(answer map[string]any) {
		stream, _ := answer["StreamDescription"].(map[string]any)
		shards, _ := stream["Shards"].([]any)
		stream["Shards"] = slices.DeleteFunc(shards, func(s any) bool {
			shard, _ := s.(map[string]any)
			return shard["ParentShardId"] != nil
		})
	})
}

// restartAtNewest has a mapping that needs another iterator, since its own has expired, go
// on with the newest record.
func restartAtNewest(name string) func(local.Function) local.Function {
	return requests(name, func(body []byte) []byte {
		return bytes.Replace(body, []byte(`"AFTER_SEQUENCE_NUMBER"`), []byte(`"LATEST"`), 1)
	})
}

// forgetAtRestart has a mapping whose server was up for hours go on with the newest record
// when it restarts: what waited is never read.
func forgetAtRestart(name string) func(local.Function) local.Function {
	var last time.Time
	return func(f local.Function) local.Function {
		if f.Name != name {
			return f
		}
		lasted := !last.IsZero() && time.Since(last) > time.Hour
		last = time.Now()
		var asked sync.Map // shards
		return requests(name, func(body []byte) []byte {
			var in struct{ ShardId, ShardIteratorType string } //nolint:revive // AWS's spelling
			if !lasted || json.Unmarshal(body, &in) != nil || in.ShardIteratorType == "" {
				return body
			}
			if _, again := asked.LoadOrStore(in.ShardId, true); again {
				return body
			}
			return bytes.Replace(body, []byte(`"AFTER_SEQUENCE_NUMBER"`), []byte(`"LATEST"`), 1)
		})(f)
	}
}

// keepConnection has a client keep each connection until the gateway ends it: it opens
// none beside it.
func keepConnection(next http.RoundTripper) http.RoundTripper {
	return transport(func(r *http.Request) (*http.Response, error) {
		if r.URL.Query().Has("replaces") {
			return nil, errors.New("planted")
		}
		return next.RoundTrip(r)
	})
}

// keepFrozen has a client that was frozen find nothing new when it asks for what it missed. It
// was if nothing came and went on its connections for longer than they may be idle.
func keepFrozen(next http.RoundTripper) http.RoundTripper {
	const longest, stale = 15 * time.Minute, 5 * time.Minute
	var mu sync.Mutex
	busy, thawed := time.Now(), time.Time{}
	notice := func() (frozen bool) {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(busy) > longest {
			thawed = time.Now()
		}
		busy = time.Now()
		return time.Since(thawed) < stale
	}
	return transport(func(r *http.Request) (*http.Response, error) {
		frozen := notice()
		response, err := next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		if conn, ok := response.Body.(io.ReadWriteCloser); ok && response.StatusCode == http.StatusSwitchingProtocols {
			response.Body = noticed{conn, notice}
		}
		if frozen && strings.HasSuffix(r.URL.Path, "/sync") && response.StatusCode == http.StatusOK {
			return replaceJSON(response, func(answer map[string]any) {
				rooms, _ := answer["rooms"].(map[string]any)
				for id := range rooms {
					rooms[id] = map[string]any{"messages": []any{}, "more": false}
				}
			})
		}
		return response, nil
	})
}

// noticed is a connection of which each read and write is noticed.
type noticed struct {
	io.ReadWriteCloser

	notice func() bool
}

func (n noticed) Read(p []byte) (int, error) {
	read, err := n.ReadWriteCloser.Read(p)
	n.notice()
	return read, err
}

func (n noticed) Write(p []byte) (int, error) {
	n.notice()
	return n.ReadWriteCloser.Write(p)
}

// forgetUnread answers that nothing is unread in rooms that were last read hours ago.
func forgetUnread(env functions.Env, construct functions.Constructor) (lambda.Handler, error) {
	next, err := construct(env)
	if err != nil {
		return nil, err
	}
	return handlerFunc(func(ctx context.Context, payload []byte) ([]byte, error) {
		answer, err := next.Invoke(ctx, payload)
		var response, list map[string]any
		if err != nil || json.Unmarshal(answer, &response) != nil {
			return answer, err
		}
		body, _ := response["body"].(string)
		if json.Unmarshal([]byte(body), &list) != nil || list["rooms"] == nil {
			return answer, nil //nolint:nilerr // it is no list of rooms
		}
		rooms, _ := list["rooms"].([]any)
		for _, r := range rooms {
			room, _ := r.(map[string]any)
			upTo, _ := room["readUpTo"].(string)
			if id, err := ulid.ParseStrict(upTo); err == nil && time.Since(id.Timestamp()) > 2*time.Hour {
				room["unread"] = 0
			}
		}
		text, err := json.Marshal(list)
		if err != nil {
			return nil, err
		}
		response["body"] = string(text)
		return json.Marshal(response)
	}), nil
}

// fastClock has a function's clock gain a second a minute.
func fastClock(env functions.Env, construct functions.Constructor) (lambda.Handler, error) {
	now, began := env.Now, time.Now()
	env.Now = func() time.Time { return now().Add(time.Since(began) / 60) }
	return construct(env)
}

// keepToken asks for another token once the last one has ended.
func keepToken(next TokenSource) TokenSource {
	var kept string
	return func(ctx context.Context) (string, error) {
		var claims jwt.RegisteredClaims
		_, _, err := jwt.NewParser().ParseUnverified(kept, &claims)
		if err == nil && time.Until(claims.ExpiresAt.Time) > time.Second {
			return kept, nil
		}
		kept, err = next(ctx)
		return kept, err
	}
}
