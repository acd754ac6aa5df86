// Package storetest checks that a store keeps the promises of shared/chat's ports.
// shared/chat/memory and shared/dynamo both run it, so that rules that are tested
// on the one hold on the other.
package storetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/shared/chat"
)

// Store has every port of shared/chat, and the methods by which the stream's
// readers write what those ports read, or read what they write.
type Store interface {
	chat.ConnectionStore
	chat.SendStore
	chat.RoomStore
	chat.HistoryStore
	chat.ReadingStore
	chat.EditStore
	chat.ReactionStore
	chat.ProfileStore
	chat.UserStore
	chat.AttachmentStore
	chat.TypingStore
	chat.PresenceStore
	chat.BlockStore
	chat.PushStore
	attachmentReader

	PauseMember(ctx context.Context, roomID, userID string, until int64) error
	IsMember(ctx context.Context, roomID, userID string) (bool, error)
	NotifyAmong(ctx context.Context, roomID string, userIDs []string) (map[string]chat.Notify, error)
	Presence(ctx context.Context, userIDs []string, limit int) (map[string][]chat.Connection, error)
	Seen(ctx context.Context, userIDs []string) (map[string]chat.Seen, error)
	NewestRooms(ctx context.Context, userID string, limit int) ([]string, error)
	AdvanceLastMessage(ctx context.Context, roomID string, m chat.LastMessage) (chat.LastMessage, error)
	AdvanceRoomOrder(ctx context.Context, userID, roomID string, ms int64) error
	RemoveReactions(ctx context.Context, roomID, messageID string) error
}

// sweeper is a store whose items are removed when they have expired, at some time.
type sweeper interface {
	// Sweep removes what has expired.
	Sweep(ctx context.Context) error
}

// Run runs the suite. open returns an empty store on a clock; it is called once a
// test.
func Run(t *testing.T, open func(t *testing.T, now func() time.Time) Store) {
	t.Helper()
	for _, tests := range []map[string]func(*fixture){
		connectionTests, sendTests, roomTests, memberTests, placeTests, listTests, historyTests, readingTests, editTests, profileTests,
		attachmentTests, mentionTests, typingTests, reactionTests, presenceTests, moderationTests, banTests, blockTests, pushTests, retentionTests, reportTests, notifyTests,
	} {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				clock := &clock{}
				clock.ms.Store(epoch)
				test(&fixture{T: t, Store: open(t, clock.now), clock: clock})
			})
		}
	}
}

// sweep removes what has expired, from a store that does that.
func (f *fixture) sweep() {
	f.Helper()
	if s, sweeps := f.Store.(sweeper); sweeps {
		ok(f, s.Sweep(f.Context()))
	}
}

// epoch is the time at which tests begin, in ms: a whole second.
const epoch = 1_709_136_000_000

// fixture is a test with an empty store and its clock.
type fixture struct {
	*testing.T
	Store
	clock *clock
}

type clock struct{ ms atomic.Int64 }

func (c *clock) now() time.Time          { return time.UnixMilli(c.ms.Load()) }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

// messageID returns the n-th message id of a time, in ms after epoch.
func messageID(ms int64, n uint16) string {
	entropy := binary.BigEndian.AppendUint16(make([]byte, 8), n)
	return ulid.MustNew(ulid.Timestamp(time.UnixMilli(epoch+ms)), bytes.NewReader(entropy)).String()
}

// message returns the message of a sender that messageID(ms, 0) names.
func message(roomID, senderID string, ms int64) chat.Message {
	return chat.Message{
		RoomID: roomID, ID: messageID(ms, 0), SenderID: senderID, SentAt: epoch + ms,
		Content: "sent by " + senderID,
	}
}

// put stores messages without a client message id.
func (f *fixture) put(messages ...chat.Message) {
	f.Helper()
	for _, m := range messages {
		ok(f, f.PutMessage(f.Context(), m))
	}
}

// upTo is the read cursor of a member since a room's creation.
func upTo(messageID string) chat.ReadCursor { return chat.ReadCursor{UpTo: messageID} }

// read moves a user's read cursor in room r forward; it is no error if it is there
// already.
func (f *fixture) read(userID, messageID string) {
	f.Helper()
	_, err := f.AdvanceReadCursor(f.Context(), "r", userID, upTo(messageID), epoch)
	ok(f, err)
}

// create stores a group of an owner and members.
func (f *fixture) create(roomID, owner string, members ...string) chat.Room {
	f.Helper()
	room, all := group(roomID, owner, members...)
	created, err := f.CreateRoom(f.Context(), room, all)
	if !created || err != nil {
		f.Fatalf("CreateRoom: created %t, error %v", created, err)
	}
	return room
}

func group(roomID, owner string, members ...string) (chat.Room, []chat.Member) {
	all := []chat.Member{{UserID: owner, Role: chat.Owner, JoinedAt: epoch}}
	for _, m := range members {
		all = append(all, chat.Member{UserID: m, Role: chat.PlainMember, JoinedAt: epoch})
	}
	return chat.Room{
		ID: roomID, Name: "Room " + roomID, Type: chat.Group, CreatedBy: owner, CreatedAt: epoch, MemberCount: len(all),
	}, all
}

// race runs n calls at once and returns how many of them report true.
func race(t testing.TB, n int, call func(i int) (bool, error)) int {
	t.Helper()
	var won atomic.Int64
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		group.Go(func() {
			<-start
			ok, err := call(i)
			if err != nil {
				t.Error(err)
			}
			if ok {
				won.Add(1)
			}
		})
	}
	close(start)
	group.Wait()
	return int(won.Load())
}

// equal compares what a store returned; nil and empty are the same.
func equal(t testing.TB, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.SortSlices(func(a, b string) bool { return a < b })); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// ok fails the test on an error.
func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func ids(messages []chat.Message) []string {
	out := make([]string, len(messages))
	for i, m := range messages {
		out[i] = m.ID
	}
	return out
}

func users(members []chat.Member) []string {
	out := make([]string, len(members))
	for i, m := range members {
		out[i] = m.UserID
	}
	return out
}

// inOrder compares ids whose order matters.
func inOrder(t testing.TB, what string, want, got []string) {
	t.Helper()
	if !slices.Equal(want, got) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}
