package local_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/wire"
)

func TestAMessageReachesEveryDeviceOfEveryMember(t *testing.T) {
	s := start(t, local.Config{})
	room := s.room("alice", "bob")
	phone, laptop, bob, carol := s.connect("alice"), s.connect("alice"), s.connect("bob"), s.connect("carol")

	ack, own := phone.deliver(room, "こんにちは <b>&", "c-1")
	if ack.Duplicate || ack.ClientMessageID != "c-1" || ack.MessageID != own.MessageID || ack.Timestamp != own.Timestamp {
		t.Errorf("ack %+v does not go with message %+v", ack, own)
	}
	if own.PreviousMessageID != nil {
		t.Errorf("a room's first message has a previous one: %s", *own.PreviousMessageID)
	}
	want := wire.ServerFrame{
		Type: wire.TypeMessage, ChatRoomID: room, MessageID: ack.MessageID, SenderID: "alice",
		Content: "こんにちは <b>&", Timestamp: ack.Timestamp, ClientMessageID: "c-1",
	}
	for _, d := range []*device{laptop, bob} {
		got := d.expect(wire.TypeMessage)
		want.ClientMessageID = ""
		if d.user == "alice" {
			want.ClientMessageID = "c-1" // on the sender's devices only
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s got (-want +got):\n%s", d.user, diff)
		}
		d.none(wire.TypeMessage)
	}
	carol.none(wire.TypeMessage)

	_, second := bob.deliver(room, "hello", "")
	if second.PreviousMessageID == nil || *second.PreviousMessageID != ack.MessageID {
		t.Errorf("the second message follows %v, not the first", second.PreviousMessageID)
	}
}

func TestASendRepeatedStoresNothing(t *testing.T) {
	s := start(t, local.Config{})
	room, other := s.room("alice"), s.room("alice")
	alice := s.connect("alice")

	first, _ := alice.deliver(room, "once", "c-1")
	alice.send(room, "once", "c-1")
	again := alice.expect(wire.TypeAck, wire.TypeError)
	if !again.Duplicate || again.MessageID != first.MessageID || again.Timestamp != first.Timestamp {
		t.Errorf("the second ack is %+v, the first was %+v", again, first)
	}
	alice.send(other, "once", "c-1")
	if refused := alice.expect(wire.TypeAck, wire.TypeError); refused.Code != "invalid_request" || refused.ClientMessageID != "c-1" {
		t.Errorf("the id of another room's message was answered with %+v", refused)
	}
	alice.none(wire.TypeMessage)
	if got := s.history("alice", room); len(got) != 1 {
		t.Errorf("the room has %d messages", len(got))
	}
}

func TestConcurrentSendsWithOneClientMessageIDStoreOne(t *testing.T) {
	s := start(t, local.Config{})
	room := s.room("alice")
	devices := []*device{s.connect("alice"), s.connect("alice"), s.connect("alice"), s.connect("alice")}
	for _, d := range devices {
		d.send(room, "once", "c-1")
	}
	ids, fresh := map[string]bool{}, 0
	for _, d := range devices {
		ack := d.expect(wire.TypeAck, wire.TypeError)
		ids[ack.MessageID] = true
		if ack.Type == wire.TypeAck && !ack.Duplicate {
			fresh++
		}
	}
	if len(ids) != 1 || fresh != 1 {
		t.Errorf("%d ids, %d fresh acks; want one of each", len(ids), fresh)
	}
}

func TestEveryoneSeesTheSameOrder(t *testing.T) {
	s := start(t, local.Config{})
	users := []string{"alice", "bob", "carol", "dave"}
	room := s.room(users...)
	const each = 12
	devices := make([]*device, len(users))
	for i, user := range users {
		devices[i] = s.connect(user)
	}
	for i := range each {
		for _, d := range devices {
			d.send(room, fmt.Sprintf("%s %d", d.user, i), fmt.Sprintf("c-%d", i))
		}
	}
	for _, d := range devices {
		seen := map[string]bool{}
		for len(seen) < each*len(users) {
			frame := d.expect(wire.TypeMessage, wire.TypeError)
			if frame.Type == wire.TypeError {
				t.Fatalf("%s is refused: %s", d.user, frame.Message)
			}
			seen[frame.MessageID] = true
		}
		var want []string
		for _, m := range s.history(d.user, room) {
			want = append(want, m.MessageID)
		}
		slices.Reverse(want)
		got := slices.Sorted(func(yield func(string) bool) {
			for id := range seen {
				if !yield(id) {
					return
				}
			}
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s, history against sorted ids (-want +got):\n%s", d.user, diff)
		}
	}
}

func TestRefusedFrames(t *testing.T) {
	s := start(t, local.Config{})
	room := s.room("alice")
	foreign := s.room("bob")
	long := strings.Repeat("x", 16_385)
	escaped := strings.Repeat(`\u0001`, 5_300) // 5,300 bytes of content, 31,800 encoded
	send := func(room, content, id string) string {
		return fmt.Sprintf(`{"action":"sendMessage","chatRoomId":%q,"content":%s,"clientMessageId":%q}`, room, content, id)
	}
	tests := map[string]struct{ frame, code, clientMessageID string }{
		"no JSON":               {`hello`, "invalid_request", ""},
		"an array":              {`[1]`, "invalid_request", ""},
		"null":                  {`null`, "invalid_request", ""},
		"action is a number":    {`{"action":7}`, "invalid_request", ""},
		"no action":             {`{}`, "unknown_action", ""},
		"unknown action":        {`{"action":"dance"}`, "unknown_action", ""},
		"no room":               {`{"action":"sendMessage","content":"x","clientMessageId":"c"}`, "invalid_request", "c"},
		"room is a number":      {`{"action":"sendMessage","chatRoomId":7,"content":"x","clientMessageId":"c"}`, "invalid_request", "c"},
		"no content":            {send(room, `""`, "c"), "invalid_request", "c"},
		"content is an object":  {send(room, `{}`, "c"), "invalid_request", "c"},
		"a key in the room id":  {send("a#b", `"x"`, "c"), "invalid_request", "c"},
		"a key in the send id":  {send(room, `"x"`, "c#d"), "invalid_request", ""},
		"half a surrogate":      {send(room, `"\ud800"`, "c"), "invalid_request", "c"},
		"invalid UTF-8":         {send(room, "\"\xff\"", "c"), "invalid_request", "c"},
		"content too long":      {send(room, `"`+long+`"`, "c"), "too_large", "c"},
		"too long once encoded": {send(room, `"`+escaped+`"`, "c"), "too_large", "c"},
		"a room that is none":   {send("nowhere", `"x"`, "c"), "not_a_member", "c"},
		"a foreign room":        {send(foreign, `"x"`, "c"), "not_a_member", "c"},
	}
	alice := s.connect("alice")
	bob := s.connect("bob")
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			alice.say(tt.frame)
			got := alice.expect(wire.TypeError, wire.TypeAck, wire.TypeMessage)
			if got.Code != tt.code || got.ClientMessageID != tt.clientMessageID {
				t.Errorf("answered %+v; want code %s", got, tt.code)
			}
			if got.Message == "" {
				t.Error("the error says nothing")
			}
		})
	}
	if n := len(s.history("alice", room)) + len(s.history("bob", foreign)); n != 0 {
		t.Errorf("%d messages were stored", n)
	}
	alice.deliver(room, "still here", "") // the socket is open
	bob.none(wire.TypeMessage)
}

func TestAClientCannotNameTheGatewaysRoutes(t *testing.T) {
	s := start(t, local.Config{})
	room := s.room("alice")
	alice := s.connect("alice")
	alice.say(`{"action":"$disconnect"}`)
	alice.say(`{"action":"$connect"}`)
	alice.deliver(room, "still here", "")
	if rows, entries := s.connections("alice"); rows != 1 || entries != 1 {
		t.Errorf("%d rows and %d entries are left of the connection", rows, entries)
	}
}

func TestBadTokensLeaveNothing(t *testing.T) {
	s := start(t, local.Config{})
	other := start(t, local.Config{})
	good := s.token("alice", 0)
	parts := strings.Split(good, ".")
	tokens := map[string]string{
		"none":      "",
		"forged":    parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])),
		"expired":   s.token("alice", -3600),
		"alg none":  "eyJhbGciOiJub25lIn0." + parts[1] + ".",
		"foreign":   other.token("alice", 0),
		"gibberish": "not-a-token",
	}
	before := s.items("")
	for name, token := range tokens {
		t.Run(name, func(t *testing.T) {
			for way, dial := range map[string]struct {
				url       string
				protocols []string
			}{
				"subprotocol": {s.WebSocketURL(), []string{"streamroom", token}},
				"query":       {s.WebSocketURL() + "?token=" + token, nil},
			} {
				if token == "" {
					dial.protocols = nil
				}
				socket, response, err := websocket.Dial(t.Context(), dial.url, &websocket.DialOptions{Subprotocols: dial.protocols})
				if err == nil {
					_ = socket.CloseNow()
					t.Fatalf("by %s: let in", way)
				}
				if response == nil || response.StatusCode != http.StatusUnauthorized {
					t.Errorf("by %s: %v, %v; want 401", way, response, err)
				}
			}
			if status := s.request(http.MethodGet, "/api/rooms", token, nil, nil); status != http.StatusUnauthorized {
				t.Errorf("the HTTP API answers %d", status)
			}
		})
	}
	if after := s.items(""); after != before {
		t.Errorf("the table had %d items and has %d", before, after)
	}
}

func TestAQueryTokenOpensASocket(t *testing.T) {
	s := start(t, local.Config{})
	socket, _, err := websocket.Dial(t.Context(), s.WebSocketURL()+"?token="+s.token("alice", 0), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := socket.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
}

func TestClosedConnectionsAreForgotten(t *testing.T) {
	tests := map[string]func(*device) error{
		"clean":  func(d *device) error { return d.socket.Close(websocket.StatusNormalClosure, "bye") },
		"abrupt": func(d *device) error { return d.socket.CloseNow() },
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			s := start(t, local.Config{})
			alice := s.connect("alice")
			if rows, entries := s.connections("alice"); rows != 1 || entries != 1 {
				t.Fatalf("%d rows, %d entries of an open connection", rows, entries)
			}
			if err := end(alice); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the connection's rows go", func() bool {
				rows, entries := s.connections("alice")
				return rows == 0 && entries == 0
			})
		})
	}
}

// TestLostDisconnectsAreFoundByPosting loses $disconnect: the next message finds
// out, but not while the connection might still be in its handshake.
func TestLostDisconnectsAreFoundByPosting(t *testing.T) {
	clock := clockwork.NewFakeClockAt(time.Now())
	s := start(t, local.Config{Clock: clock, Wrap: func(d local.Deployment) local.Deployment {
		d.DropDisconnect = func(string) bool { return true }
		return d
	}})
	room := s.room("alice", "bob")
	alice, bob := s.connect("alice"), s.connect("bob")
	_ = bob.socket.CloseNow()
	<-bob.ended

	alice.deliver(room, "young", "")
	alice.none(wire.TypeMessage)
	if rows, entries := s.connections("bob"); rows != 2 || entries != 1 {
		t.Errorf("%d rows, %d entries: a connection within its grace was dropped", rows, entries)
	}
	clock.Advance(61 * time.Second)
	alice.deliver(room, "old", "")
	eventually(t, "the ended connection goes", func() bool {
		rows, entries := s.connections("bob")
		return rows == 1 && entries == 0
	})
	if _, entries := s.connections("alice"); entries != 1 {
		t.Error("the sender's connection went as well")
	}
}

func TestExpiredConnectionsAreIgnoredAndRemoved(t *testing.T) {
	clock := clockwork.NewFakeClockAt(time.Now())
	s := start(t, local.Config{Clock: clock})
	room := s.room("alice")
	alice := s.connectWith("alice", s.token("alice", 300))

	clock.Advance(5*time.Minute + 31*time.Second) // the token's end, and the clocks' leeway
	alice.send(room, "too late", "c")
	if got := alice.expect(wire.TypeAck, wire.TypeError); got.Code != "token_expired" {
		t.Errorf("after the token's end: %+v", got)
	}
	clock.Advance(30 * time.Second) // the row's end
	alice.say(`{"action":"ping"}`)
	if got := alice.expect(wire.TypePong, wire.TypeError); got.Code != "reconnect" {
		t.Errorf("after the row's end: %+v", got)
	}
	alice.send(room, "too late", "c")
	if got := alice.expect(wire.TypeAck, wire.TypeError); got.Code != "reconnect" {
		t.Errorf("a send on an expired row: %+v", got)
	}
	eventually(t, "TTL removes both rows", func() bool {
		clock.Advance(time.Second)
		rows, entries := s.connections("alice")
		return rows == 0 && entries == 0
	})
}

func TestTheRateWindow(t *testing.T) {
	clock := clockwork.NewFakeClockAt(time.Now())
	s := start(t, local.Config{Clock: clock})
	room := s.room("alice")
	alice := s.connect("alice")
	// One after the other, as the window does not promise an order.
	ask := func(frame string) wire.ServerFrame {
		alice.say(frame)
		return alice.expect(wire.TypeAck, wire.TypeError)
	}
	good := fmt.Sprintf(`{"action":"sendMessage","chatRoomId":%q,"content":"x"}`, room)
	bad := `{"action":"sendMessage","content":"x"}`
	for i := range 20 {
		want := wire.TypeAck
		frame := good
		if i%4 == 3 { // refused ones count
			frame, want = bad, wire.TypeError
		}
		if got := ask(frame); got.Type != want || got.Code == "rate_limited" {
			t.Fatalf("send %d of a burst: %+v", i+1, got)
		}
	}
	if got := ask(good); got.Code != "rate_limited" {
		t.Errorf("send 21 of a burst: %+v", got)
	}
	clock.Advance(100 * time.Millisecond)
	if got := ask(good); got.Type != wire.TypeAck {
		t.Errorf("a tenth of a second later: %+v", got)
	}
	if got := ask(good); got.Code != "rate_limited" {
		t.Errorf("and another one: %+v", got)
	}
	clock.Advance(2 * time.Second)
	for i := range 20 {
		if got := ask(good); got.Type != wire.TypeAck {
			t.Fatalf("send %d of the next burst: %+v", i+1, got)
		}
	}
}

// TestMalformedRecordsHoldNobodyUp writes what no function writes, and chats.
func TestMalformedRecordsHoldNobodyUp(t *testing.T) {
	s := start(t, local.Config{})
	room := s.room("alice")
	alice := s.connect("alice")
	db := dynamodb.NewFromConfig(s.AWS())
	text := func(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }
	number := func(v string) types.AttributeValue { return &types.AttributeValueMemberN{Value: v} }
	const secret = "nobody-logs-this"
	for sk, attributes := range map[string]map[string]types.AttributeValue{
		"MESSAGE#1709136000000#01HQZ6T0T0ABCDEFGHJKMNPQRS": {table.Content: text(secret)},
		"MESSAGE#1709136000001#nonsense":                   {table.Content: text(secret), table.SenderID: text("alice")},
		"MESSAGE#17#01HQZ6T0T0ABCDEFGHJKMNPQRS":            {table.Content: text(secret), table.SenderID: text("alice")},
		"MESSAGE#":                                         {table.Content: text(secret)},
		"MEMBER#mallet":                                    {table.JoinedAt: text("yesterday")},
		"MEMBER#":                                          {table.JoinedAt: number("1")},
	} {
		item := map[string]types.AttributeValue{table.PK: text(table.RoomPrefix + room), table.SK: text(sk)}
		for name, value := range attributes {
			item[name] = value
		}
		if _, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(local.TableName), Item: item}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 { // every shard gets some
		alice.deliver(room, fmt.Sprintf("hello %d", i), "")
	}
	eventually(t, "the malformed records are reported", func() bool {
		return strings.Count(s.logs.String(), "malformed_record_skipped") >= 6
	})
	if strings.Contains(s.logs.String(), secret) {
		t.Error("content was logged")
	}
}

func TestRoomListsFollowTheLastMessage(t *testing.T) {
	clock := clockwork.NewFakeClockAt(time.Now())
	s := start(t, local.Config{Clock: clock})
	first, second := s.room("alice", "bob"), s.room("alice", "bob")
	alice := s.connect("alice")
	list := func() (ids []string, rooms []wire.RoomSummary) {
		clock.Advance(time.Second) // through the projection's window
		var out wire.RoomList
		s.api("bob", http.MethodGet, "/rooms", nil, &out)
		for _, r := range out.Rooms {
			if r.ChatRoomID != local.Lobby {
				ids, rooms = append(ids, r.ChatRoomID), append(rooms, r)
			}
		}
		return ids, rooms
	}
	for _, room := range []string{second, first, second, first} {
		clock.Advance(time.Second) // two rooms of one millisecond have no order
		ack, _ := alice.deliver(room, strings.Repeat("é", 200), "")
		eventually(t, room+" is first in the list", func() bool {
			ids, rooms := list()
			return ids[0] == room && rooms[0].LastMessage != nil && rooms[0].LastMessage.MessageID == ack.MessageID &&
				rooms[0].LastMessageAt == ack.Timestamp
		})
	}
	_, rooms := list()
	if want := strings.Repeat("é", 140); rooms[0].LastMessage.Preview != want {
		t.Errorf("the preview has %d characters", len([]rune(rooms[0].LastMessage.Preview)))
	}

	// Somebody new finds the room where its last message puts it.
	s.api("alice", http.MethodPost, "/rooms/"+first+"/members", wire.MemberRequest{UserID: "carol"}, nil)
	eventually(t, "the new member's list has the last message", func() bool {
		clock.Advance(time.Second)
		var out wire.RoomList
		s.api("carol", http.MethodGet, "/rooms", nil, &out)
		return len(out.Rooms) == 2 && out.Rooms[0].ChatRoomID == first && out.Rooms[0].LastMessage != nil &&
			out.Rooms[0].LastMessageAt == rooms[0].LastMessageAt
	})
}

func TestMembersComeAndGo(t *testing.T) {
	s := start(t, local.Config{})
	alice, bob, carol := s.connect("alice"), s.connect("bob"), s.connect("carol")
	room := s.room("alice", "bob")
	if got := bob.expectOf(room, wire.TypeMemberJoined); got.UserID != "bob" {
		t.Errorf("bob hears %+v of the new room", got)
	}
	bob.noneOf(room, wire.TypeMemberJoined) // alice came with the room: no news
	if status := s.api("alice", http.MethodPost, "/rooms/"+room+"/members", wire.MemberRequest{UserID: "carol"}, nil); status != http.StatusCreated {
		t.Fatalf("add carol: status %d", status)
	}
	for _, d := range []*device{alice, bob, carol} {
		eventually(t, d.user+" hears of carol", func() bool {
			return d.expectOf(room, wire.TypeMemberJoined).UserID == "carol"
		})
	}
	carol.deliver(room, "hello", "")
	if status := s.api("carol", http.MethodDelete, "/rooms/"+room+"/members/carol", nil, nil); status != http.StatusNoContent {
		t.Fatalf("carol leaves: status %d", status)
	}
	for _, d := range []*device{alice, bob, carol} {
		if got := d.expect(wire.TypeMemberLeft); got.ChatRoomID != room || got.UserID != "carol" {
			t.Errorf("%s hears %+v", d.user, got)
		}
	}
	carol.send(room, "one more thing", "")
	if got := carol.expect(wire.TypeAck, wire.TypeError); got.Code != "not_a_member" {
		t.Errorf("a send after leaving: %+v", got)
	}
}

func TestStoppingClosesSocketsAndForgetsThem(t *testing.T) {
	s := start(t, local.Config{DataDir: t.TempDir()})
	alice := s.connect("alice")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if code := websocket.CloseStatus(<-alice.ended); code != websocket.StatusGoingAway {
		t.Errorf("the socket ended with %d, want 1001", code)
	}
}
