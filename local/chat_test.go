package local_test

import (
	"fmt"
	"maps"
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
	"github.com/streamroom/streamroom/test/rig"
)

func TestAMessageReachesEveryDeviceOfEveryMember(t *testing.T) {
	s := start(t, local.Config{})
	room := s.Room("alice", "bob")
	phone, laptop, bob, carol := s.Connect("alice"), s.Connect("alice"), s.Connect("bob"), s.Connect("carol")

	ack, own := phone.Deliver(room, "こんにちは <b>&", "c-1")
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
	for _, d := range []*rig.Socket{laptop, bob} {
		got := d.Expect(wire.TypeMessage)
		want.ClientMessageID = ""
		if d.User == "alice" {
			want.ClientMessageID = "c-1" // on the sender's devices only
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s got (-want +got):\n%s", d.User, diff)
		}
		d.ExpectNone(wire.TypeMessage)
	}
	carol.ExpectNone(wire.TypeMessage)

	_, second := bob.Deliver(room, "hello", "")
	if second.PreviousMessageID == nil || *second.PreviousMessageID != ack.MessageID {
		t.Errorf("the second message follows %v, not the first", second.PreviousMessageID)
	}
}

// What a connection sends with "echo":false comes to all devices but to that
// connection, for which the ack is enough.
func TestASendWithoutEcho(t *testing.T) {
	s := start(t, local.Config{})
	room := s.Room("alice", "bob")
	phone, laptop, bob := s.Connect("alice"), s.Connect("alice"), s.Connect("bob")
	frame := `{"action":"sendMessage","chatRoomId":"` + room + `","content":"hello","clientMessageId":"c-1","echo":false}`
	phone.Write(frame)
	ack := phone.Expect(wire.TypeAck, wire.TypeError)
	if ack.PreviousMessageID == nil || *ack.PreviousMessageID != "" {
		t.Errorf("the ack of the first message names %v as the one before, want none", ack.PreviousMessageID)
	}
	for _, d := range []*rig.Socket{laptop, bob} {
		if got := d.Expect(wire.TypeMessage); got.MessageID != ack.MessageID || got.Content != "hello" {
			t.Errorf("%s got %+v, the ack was %+v", d.User, got, ack)
		}
	}
	phone.Write(frame)
	if again := phone.Expect(wire.TypeAck, wire.TypeError); !again.Duplicate || again.MessageID != ack.MessageID {
		t.Errorf("the second ack is %+v, the first was %+v", again, ack)
	}
	if got := s.History("alice", room); len(got) != 1 || got[0].MessageID != ack.MessageID {
		t.Errorf("the history is %+v", got)
	}
	next, own := phone.Deliver(room, "with an echo", "c-2") // the first message that it gets
	if own.MessageID != next.MessageID || own.PreviousMessageID == nil || *own.PreviousMessageID != ack.MessageID {
		t.Errorf("the next message is %+v, its ack %+v", own, next)
	}
	phone.Write(strings.Replace(frame, "c-1", "c-3", 1))
	third := phone.Expect(wire.TypeAck, wire.TypeError)
	if third.PreviousMessageID == nil || *third.PreviousMessageID != next.MessageID {
		t.Errorf("the ack of the third message names %v as the one before, want the second", third.PreviousMessageID)
	}
	if again := bob.Expect(wire.TypeMessage); again.MessageID != next.MessageID {
		t.Errorf("bob got %+v, want the second message", again)
	}
	if other := bob.Expect(wire.TypeMessage); *other.PreviousMessageID != *third.PreviousMessageID {
		t.Errorf("bob's frame names %s as the one before, the ack %s", *other.PreviousMessageID, *third.PreviousMessageID)
	}
	phone.ExpectNone(wire.TypeMessage)
	laptop.Expect(wire.TypeMessage)
}

func TestASendRepeatedStoresNothing(t *testing.T) {
	s := start(t, local.Config{})
	room, other := s.Room("alice"), s.Room("alice")
	alice := s.Connect("alice")

	first, _ := alice.Deliver(room, "once", "c-1")
	alice.Send(room, "once", "c-1")
	again := alice.Expect(wire.TypeAck, wire.TypeError)
	if !again.Duplicate || again.MessageID != first.MessageID || again.Timestamp != first.Timestamp {
		t.Errorf("the second ack is %+v, the first was %+v", again, first)
	}
	alice.Send(other, "once", "c-1")
	if refused := alice.Expect(wire.TypeAck, wire.TypeError); refused.Code != "invalid_request" || refused.ClientMessageID != "c-1" {
		t.Errorf("the id of another room's message was answered with %+v", refused)
	}
	alice.ExpectNone(wire.TypeMessage)
	if got := s.History("alice", room); len(got) != 1 {
		t.Errorf("the room has %d messages", len(got))
	}
}

func TestConcurrentSendsWithOneClientMessageIDStoreOne(t *testing.T) {
	s := start(t, local.Config{})
	room := s.Room("alice")
	devices := []*rig.Socket{s.Connect("alice"), s.Connect("alice"), s.Connect("alice"), s.Connect("alice")}
	for _, d := range devices {
		d.Send(room, "once", "c-1")
	}
	ids, fresh := map[string]bool{}, 0
	for _, d := range devices {
		ack := d.Expect(wire.TypeAck, wire.TypeError)
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
	room := s.Room(users...)
	const each = 12
	devices := make([]*rig.Socket, len(users))
	seen := make([]map[string]bool, len(users))
	for i, user := range users {
		devices[i], seen[i] = s.Connect(user), map[string]bool{}
	}
	// take notes a device's next message, and reports whether it was an ack instead.
	take := func(i int) (acked bool) {
		frame := devices[i].Expect(wire.TypeMessage, wire.TypeAck, wire.TypeError)
		switch frame.Type {
		case wire.TypeError:
			t.Fatalf("%s is refused: %s", devices[i].User, frame.Message)
		case wire.TypeMessage:
			seen[i][frame.MessageID] = true
		}
		return frame.Type == wire.TypeAck
	}
	for n := range each {
		for _, d := range devices { // all at once
			d.Send(room, fmt.Sprintf("%s %d", d.User, n), fmt.Sprintf("c-%d", n))
		}
		// All sends at once would exceed a function's time on a busy machine.
		for i := range devices {
			for !take(i) {
			}
		}
	}
	for i, d := range devices {
		for len(seen[i]) < each*len(users) {
			take(i)
		}
		var want []string
		for _, m := range s.History(d.User, room) {
			want = append(want, m.MessageID)
		}
		slices.Reverse(want)
		got := slices.Sorted(maps.Keys(seen[i]))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s, history against sorted ids (-want +got):\n%s", d.User, diff)
		}
	}
}

func TestRefusedFrames(t *testing.T) {
	s := start(t, local.Config{})
	room := s.Room("alice")
	foreign := s.Room("bob")
	long := strings.Repeat("x", 16_385)
	escaped := "x" + strings.Repeat(`\u0001`, 5_300) // 5,301 bytes of content, 31,801 encoded
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
		"echo is a text":        {`{"action":"sendMessage","chatRoomId":"` + room + `","content":"x","clientMessageId":"c","echo":"no"}`, "invalid_request", "c"},
		"no echo and no id":     {`{"action":"sendMessage","chatRoomId":"` + room + `","content":"x","echo":false}`, "invalid_request", ""},
		"no content":            {send(room, `""`, "c"), "invalid_request", "c"},
		"blanks":                {send(room, `" \n\t\u00a0\u3000"`, "c"), "invalid_request", "c"},
		"no width":              {send(room, `"\u200b\ufeff\u2060"`, "c"), "invalid_request", "c"},
		"control characters":    {send(room, `"\u0000\u0007"`, "c"), "invalid_request", "c"},
		"a blank letter":        {send(room, `"\u3164\u2800"`, "c"), "invalid_request", "c"},
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
	alice := s.Connect("alice")
	bob := s.Connect("bob")
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			alice.Write(tt.frame)
			got := alice.Expect(wire.TypeError, wire.TypeAck, wire.TypeMessage)
			if got.Code != tt.code || got.ClientMessageID != tt.clientMessageID {
				t.Errorf("answered %+v; want code %s", got, tt.code)
			}
			if got.Message == "" {
				t.Error("the error says nothing")
			}
		})
	}
	if n := len(s.History("alice", room)) + len(s.History("bob", foreign)); n != 0 {
		t.Errorf("%d messages were stored", n)
	}
	alice.Deliver(room, "still here", "") // the socket is open
	bob.ExpectNone(wire.TypeMessage)
}

func TestAClientCannotNameTheGatewaysRoutes(t *testing.T) {
	s := start(t, local.Config{})
	room := s.Room("alice")
	alice := s.Connect("alice")
	alice.Write(`{"action":"$disconnect"}`)
	alice.Write(`{"action":"$connect"}`)
	alice.Deliver(room, "still here", "")
	if rows, entries := s.CountConnections("alice"); rows != 1 || entries != 1 {
		t.Errorf("%d rows and %d entries are left of the connection", rows, entries)
	}
}

func TestBadTokensLeaveNothing(t *testing.T) {
	s := start(t, local.Config{})
	other := start(t, local.Config{})
	good := s.Token("alice", 0)
	parts := strings.Split(good, ".")
	tokens := map[string]string{
		"none":      "",
		"forged":    parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])),
		"expired":   s.Token("alice", -3600*time.Second),
		"alg none":  "eyJhbGciOiJub25lIn0." + parts[1] + ".",
		"foreign":   other.Token("alice", 0),
		"gibberish": "not-a-token",
	}
	before := s.CountItems("")
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
			if status := s.Request(http.MethodGet, "/api/rooms", token, nil, nil); status != http.StatusUnauthorized {
				t.Errorf("the HTTP API answers %d", status)
			}
		})
	}
	if after := s.CountItems(""); after != before {
		t.Errorf("the table had %d items and has %d", before, after)
	}
}

func TestAQueryTokenOpensASocket(t *testing.T) {
	s := start(t, local.Config{})
	socket, _, err := websocket.Dial(t.Context(), s.WebSocketURL()+"?token="+s.Token("alice", 0), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := socket.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
}

func TestTheRateWindow(t *testing.T) {
	clock := clockwork.NewFakeClockAt(time.Now())
	s := start(t, local.Config{Clock: clock})
	room := s.Room("alice")
	alice := s.Connect("alice")
	// One after the other, as the window does not promise an order.
	ask := func(frame string) wire.ServerFrame {
		alice.Write(frame)
		return alice.Expect(wire.TypeAck, wire.TypeError)
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

// TestMalformedRecords_DelayNoOthers writes what no function writes, and chats.
func TestMalformedRecords_DelayNoOthers(t *testing.T) {
	s := start(t, local.Config{})
	room := s.Room("alice")
	alice := s.Connect("alice")
	db := dynamodb.NewFromConfig(s.AWS())
	text := func(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }
	number := func(v string) types.AttributeValue { return &types.AttributeValueMemberN{Value: v} }
	const secret = "never-logged"
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
		alice.Deliver(room, fmt.Sprintf("hello %d", i), "")
	}
	rig.Eventually(t, "the malformed records are reported", func() bool {
		return strings.Count(s.Logs.String(), "malformed_record_skipped") >= 6
	})
	if strings.Contains(s.Logs.String(), secret) {
		t.Error("content was logged")
	}
}

func TestRoomListsFollowTheLastMessage(t *testing.T) {
	clock := clockwork.NewFakeClockAt(time.Now())
	s := start(t, local.Config{Clock: clock})
	first, second := s.Room("alice", "bob"), s.Room("alice", "bob")
	alice := s.Connect("alice")
	list := func() (ids []string, rooms []wire.RoomSummary) {
		clock.Advance(time.Second) // through the projection's window
		var out wire.RoomList
		s.API("bob", http.MethodGet, "/rooms", nil, &out)
		for _, r := range out.Rooms {
			if r.ChatRoomID != local.Lobby {
				ids, rooms = append(ids, r.ChatRoomID), append(rooms, r)
			}
		}
		return ids, rooms
	}
	const family = "👩\u200d👩\u200d👧\u200d👧" // 7 characters that are read as one
	for _, room := range []string{second, first, second, first} {
		clock.Advance(time.Second) // two rooms of one millisecond have no order
		ack, _ := alice.Deliver(room, strings.Repeat("é", 130)+family+family, "")
		rig.Eventually(t, room+" is first in the list", func() bool {
			ids, rooms := list()
			return ids[0] == room && rooms[0].LastMessage != nil && rooms[0].LastMessage.MessageID == ack.MessageID &&
				rooms[0].LastMessageAt == ack.Timestamp
		})
	}
	_, rooms := list()
	if want := strings.Repeat("é", 130) + family; rooms[0].LastMessage.Preview != want {
		t.Errorf("the preview is %q, want %q", rooms[0].LastMessage.Preview, want)
	}

	// A new member finds the room where its last message puts it.
	s.API("alice", http.MethodPost, "/rooms/"+first+"/members", wire.MemberRequest{UserID: "carol"}, nil)
	rig.Eventually(t, "the new member's list has the last message", func() bool {
		clock.Advance(time.Second)
		var out wire.RoomList
		s.API("carol", http.MethodGet, "/rooms", nil, &out)
		return len(out.Rooms) == 2 && out.Rooms[0].ChatRoomID == first && out.Rooms[0].LastMessage != nil &&
			out.Rooms[0].LastMessageAt == rooms[0].LastMessageAt
	})
}

func TestMembersComeAndGo(t *testing.T) {
	s := start(t, local.Config{})
	alice, bob, carol := s.Connect("alice"), s.Connect("bob"), s.Connect("carol")
	room := s.Room("alice", "bob")
	if got := bob.ExpectIn(room, wire.TypeMemberJoined); got.UserID != "bob" {
		t.Errorf("bob hears %+v of the new room", got)
	}
	bob.ExpectNoneIn(room, wire.TypeMemberJoined) // alice came with the room: no news
	if status := s.API("alice", http.MethodPost, "/rooms/"+room+"/members", wire.MemberRequest{UserID: "carol"}, nil); status != http.StatusCreated {
		t.Fatalf("add carol: status %d", status)
	}
	for _, d := range []*rig.Socket{alice, bob, carol} {
		rig.Eventually(t, d.User+" hears of carol", func() bool {
			return d.ExpectIn(room, wire.TypeMemberJoined).UserID == "carol"
		})
	}
	carol.Deliver(room, "hello", "")
	if status := s.API("carol", http.MethodDelete, "/rooms/"+room+"/members/carol", nil, nil); status != http.StatusNoContent {
		t.Fatalf("carol leaves: status %d", status)
	}
	for _, d := range []*rig.Socket{alice, bob, carol} {
		if got := d.Expect(wire.TypeMemberLeft); got.ChatRoomID != room || got.UserID != "carol" {
			t.Errorf("%s hears %+v", d.User, got)
		}
	}
	carol.Send(room, "one more thing", "")
	if got := carol.Expect(wire.TypeAck, wire.TypeError); got.Code != "not_a_member" {
		t.Errorf("a send after leaving: %+v", got)
	}
}
