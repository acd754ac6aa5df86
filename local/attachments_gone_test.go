package local_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/objects"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/faults"
	"github.com/streamroom/streamroom/test/rig"
)

// removalFaults are what may happen once to a removal of files. Each prepares its fault and
// returns whether it has happened.
var removalFaults = map[string]func(*testing.T, *broken) func() bool{
	"nothing": func(*testing.T, *broken) func() bool { return func() bool { return true } },
	"the records come twice": func(t *testing.T, b *broken) func() bool {
		t.Helper()
		twice := always(t, faults.Plan{Invocations: faults.Invocations{Twice: 1}})
		b.failing(twice, topology.LastMessage)
		return func() bool { return twice.Counts()["invocations twice"] > 0 }
	},
	"the function fails when all is done": func(_ *testing.T, b *broken) func() bool {
		var crashed atomic.Bool
		b.set(func() {
			b.invoke = func(function, payload string, next lambda.Handler) lambda.Handler {
				if function != topology.LastMessage {
					return next
				}
				return handle(func(ctx context.Context, _ []byte) ([]byte, error) {
					out, err := next.Invoke(ctx, []byte(payload))
					if crashed.CompareAndSwap(false, true) {
						return nil, errors.New("injected")
					}
					return out, err
				})
			}
		})
		return func() bool { return crashed.Load() && b.failed() }
	},
	"the bucket answers 500 once":                           answeringRemovals(false, http.StatusInternalServerError, s3Error),
	"the bucket answers 500 once and has removed the files": answeringRemovals(true, http.StatusInternalServerError, s3Error),
	"the bucket refuses files once": answeringRemovals(false, http.StatusOK,
		`<DeleteResult><Error><Key>rooms/x/y</Key><Code>InternalError</Code><Message>once more</Message></Error></DeleteResult>`),
	"the table fails once after the bucket": func(t *testing.T, b *broken) func() bool {
		t.Helper()
		failed := always(t, faults.Plan{Table: faults.Table{Failed: 1}})
		var once atomic.Bool
		b.set(func() {
			b.request = func(function, body string, next http.RoundTripper) http.RoundTripper {
				if function == topology.LastMessage && strings.Contains(body, `"DeleteRequest"`) &&
					strings.Contains(body, table.AttachmentPrefix) && once.CompareAndSwap(false, true) {
					return failed.Table(function, next)
				}
				return next
			}
		})
		return func() bool { return once.Load() && b.failed() }
	},
}

const s3Error = `<Error><Code>InternalError</Code><Message>We encountered an internal error. Please try again.</Message></Error>`

// answeringRemovals answers the first request of lastmessage to the bucket, which has
// carried it out or not.
func answeringRemovals(carriedOut bool, status int, answer string) func(*testing.T, *broken) func() bool {
	return func(_ *testing.T, b *broken) func() bool {
		var once atomic.Bool
		b.set(func() {
			b.object = func(function string, next http.RoundTripper) http.RoundTripper {
				if function != topology.LastMessage || !once.CompareAndSwap(false, true) {
					return next
				}
				return roundTrip(func(r *http.Request) (*http.Response, error) {
					if carriedOut {
						response, err := next.RoundTrip(r)
						if err != nil {
							return nil, err
						}
						_ = response.Body.Close()
					}
					return &http.Response{
						StatusCode: status, Header: http.Header{"Content-Type": {"application/xml"}},
						Body: io.NopCloser(strings.NewReader(answer)), Request: r,
					}, nil
				})
			}
		})
		return func() bool { return once.Load() && b.failed() }
	}
}

// failed reports whether an invocation of lastmessage failed, or some of its records.
func (b *broken) failed() bool {
	return len(b.that(func(i invocation) bool {
		return i.function == topology.LastMessage && (i.err != nil || len(i.again) > 0)
	})) > 0
}

// fileItems are the keys of the objects of messages that the table's items name.
func fileItems(s *rig.Rig) []string {
	named := []string{}
	for it := range s.Scan() {
		if id, err := table.Parse(attribute.KeyOf(it)); err == nil && id.Kind == table.KindAttachment {
			named = append(named, objects.Key(id.RoomID, id.AttachmentID))
		}
	}
	slices.Sort(named)
	return named
}

// Whatever happens on the way, the files of a deleted message, and those of a room that
// ended, are gone in the end, and no others.
func TestAttachments_GoHoweverTheirRemovalWent(t *testing.T) {
	t.Parallel()
	for name, prepare := range removalFaults {
		for _, ends := range []bool{false, true} {
			what := map[bool]string{false: "message", true: "room"}[ends]
			t.Run(what+"/"+name, func(t *testing.T) {
				t.Parallel()
				clock, b := clockwork.NewFakeClockAt(time.Now()), &broken{once: true}
				s := start(t, local.Config{Clock: clock, Wrap: b.Wrap, LogLevel: "error"})
				room, other := s.Room("alice"), s.Room("alice")
				alice := s.Connect("alice")
				send := func(room string, n int) (messageID string, files []string) {
					t.Helper()
					ids := make([]string, n)
					for i := range ids {
						clock.Advance(time.Second) // as fast as one may announce
						announced := announce(s, "alice", room, "a", "text/plain", 1)
						if status := s.Upload(announced.Upload, []byte("x")); status != http.StatusNoContent {
							t.Fatalf("upload: status %d", status)
						}
						ids[i] = announced.AttachmentID
						files = append(files, objects.Key(room, announced.AttachmentID))
					}
					writeFiles(s, alice, room, "see", "", ids...)
					return alice.Expect(wire.TypeAck).MessageID, files
				}
				deleted, gone := send(room, 2)
				_, rest := send(room, 1)
				_, left := send(other, 1)
				if ends {
					gone = append(gone, rest...)
				} else {
					left = append(left, rest...)
				}
				want := slices.DeleteFunc(keys(s), func(key string) bool { return slices.Contains(gone, key) })
				slices.Sort(left)

				happened := prepare(t, b)
				clock.Advance(time.Second)
				path := messagePath(room, deleted)
				if ends {
					path = "/rooms/" + room + "/members?userId=alice"
				}
				if status := s.API("alice", http.MethodDelete, path, nil, nil); status != http.StatusNoContent {
					t.Fatalf("delete: status %d", status)
				}
				removal := func(r events.DynamoDBEventRecord) bool {
					if r.Change.Keys[table.PK].String() != table.RoomPrefix+room {
						return false
					}
					_, isDeleted := r.Change.NewImage[table.DeletedAt]
					return isDeleted && !ends || ends && r.Change.Keys[table.SK].String() == table.Room(room).SK && r.EventName == string(events.DynamoDBOperationTypeRemove)
				}
				rig.Eventually(t, "the removal is through", func() bool {
					b.pass(clock, time.Second)
					return b.through(topology.LastMessage, removal) == 1
				})
				if !happened() {
					t.Error("nothing went wrong on the way: the test shows nothing")
				}
				if got := keys(s); !slices.Equal(got, want) {
					t.Errorf("the bucket has %q, want %q", got, want)
				}
				if got := fileItems(s); !slices.Equal(got, left) {
					t.Errorf("the table names %q, want %q", got, left)
				}
				if given := s.Failures(); len(given) > 0 {
					t.Errorf("records were given up: %+v", given)
				}
			})
		}
	}
}
