package table_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/table"
)

func TestParseReadsBackWhatTheConstructorsMake(t *testing.T) {
	const connection, user, room, message = "R1kmxc2VNjMCFIA=", "alice", "room-xyz", "01HQZ6T0T0ABCDEFGHJKMNPQRS"
	tests := map[string]struct {
		key  table.Key
		want table.Identity
	}{
		"connection":    {table.Connection(connection), table.Identity{Kind: table.KindConnection, ConnectionID: connection}},
		"presence":      {table.Presence(user), table.Identity{Kind: table.KindPresence, UserID: user}},
		"slice":         {table.Slice("RUN", 12), table.Identity{Kind: table.KindSlice, RunID: "RUN", Slice: 12}},
		"room":          {table.Room(room), table.Identity{Kind: table.KindRoom, RoomID: room}},
		"member":        {table.Member(room, user), table.Identity{Kind: table.KindMember, RoomID: room, UserID: user}},
		"participation": {table.Participation(user, room), table.Identity{Kind: table.KindParticipation, UserID: user, RoomID: room}},
		"message":       {table.Message(room, 1709136000000, message), table.Identity{Kind: table.KindMessage, RoomID: room, MessageID: message, MS: 1709136000000}},
		"last message":  {table.LastMessage(room), table.Identity{Kind: table.KindLastMessage, RoomID: room}},
		"read cursor":   {table.Read(room, user), table.Identity{Kind: table.KindRead, RoomID: room, UserID: user}},
		"profile":       {table.Profile(user), table.Identity{Kind: table.KindProfile, UserID: user}},
		"attachment":    {table.Attachment(room, "01HQ"), table.Identity{Kind: table.KindAttachment, RoomID: room, AttachmentID: "01HQ"}},
		"place":         {table.Place(room), table.Identity{Kind: table.KindPlace, RoomID: room}},
		"seen":          {table.Seen(user), table.Identity{Kind: table.KindSeen, UserID: user}},
		"typing":        {table.Typing(room, user), table.Identity{Kind: table.KindTyping, RoomID: room, UserID: user}},
		"report":        {table.Report(room, message, user), table.Identity{Kind: table.KindReport, RoomID: room, MessageID: message, UserID: user}},
		"reacted":       {table.Reacted(room, message, user), table.Identity{Kind: table.KindReacted, RoomID: room, MessageID: message, UserID: user}},
		"ban":           {table.Ban(room, user), table.Identity{Kind: table.KindBan, RoomID: room, UserID: user}},
		"block":         {table.Block(user, "bob"), table.Identity{Kind: table.KindBlock, UserID: user, Blocked: "bob"}},
		"push":          {table.Push(user, "h"), table.Identity{Kind: table.KindPush, UserID: user, PushID: "h"}},
		"online":        {table.Online(room, user, connection), table.Identity{Kind: table.KindOnline, RoomID: room, UserID: user, ConnectionID: connection}},
		"rate":          {table.Rate(user, "connect"), table.Identity{Kind: table.KindRate, UserID: user, Limit: "connect"}},
		"created once":  {table.Created(user, "k-1"), table.Identity{Kind: table.KindCreated, UserID: user, IdempotencyKey: "k-1"}},
		"sent once":     {table.Sent(user, "c-1"), table.Identity{Kind: table.KindSent, UserID: user, ClientMessageID: "c-1"}},
	}
	page, err := os.ReadFile("../../docs/table.md")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[table.Kind]bool{}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			kinds[tt.want.Kind] = true
			if name, _, _ := strings.Cut(tt.key.SK, "#"); !strings.Contains(string(page), "`"+name) {
				t.Errorf("docs/table.md does not have the key %s", tt.key.SK)
			}
			got, err := table.Parse(tt.key)
			if err != nil {
				t.Fatalf("Parse(%v): %v", tt.key, err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Parse(%v) (-want +got):\n%s", tt.key, diff)
			}
		})
	}
	for _, kind := range table.Kinds() {
		if !kinds[kind] {
			t.Errorf("no test reads back the key of the kind %s", kind)
		}
	}
}

func TestParseRefusesForeignKeys(t *testing.T) {
	for _, key := range []table.Key{
		{},
		{PK: "CHATROOM#", SK: "METADATA"},
		{PK: "CHATROOM#r", SK: "MEMBER#"},
		{PK: "CHATROOM#r", SK: "READ#"},
		{PK: "CHATROOM#r", SK: "BAN#"},
		{PK: "CHATROOM#r", SK: "REPORT#m"},
		{PK: "CHATROOM#r", SK: "REPORT#m#"},
		{PK: "USER#u", SK: "BLOCK#"},
		{PK: "USER#u", SK: "PUSH#"},
		{PK: "CHATROOM#r", SK: "ONLINE#u"},
		{PK: "CHATROOM#r", SK: "ONLINE##c"},
		{PK: "CHATROOM#r", SK: "ONLINE#u#"},
		{PK: "CHATROOM#r", SK: "REACTED#m"},
		{PK: "CHATROOM#r", SK: "REACTED##u"},
		{PK: "CHATROOM#r", SK: "REACTED#m#"},
		{PK: "CHATROOM#r", SK: "PROFILE"},
		{PK: "USER#u", SK: "CREATED#"},
		{PK: "CHATROOM#r", SK: "MESSAGE#12#m"},            // not 13 digits
		{PK: "CHATROOM#r", SK: "MESSAGE#170913600000x#m"}, // no number
		{PK: "CHATROOM#r", SK: "MESSAGE#1709136000000"},   // no id
		{PK: "CONNECTION#c", SK: "OTHER"},
		{PK: "USER#u", SK: "METADATA"},
		{PK: "FANOUT#run", SK: "SLICE"},
		{PK: "FANOUT##1", SK: "SLICE"},
		{PK: "FANOUT#run#01", SK: "SLICE"},
		{PK: "FANOUT#run#1", SK: "METADATA"},
		{PK: "ELSE#x", SK: "METADATA"},
	} {
		if got, err := table.Parse(key); !errors.Is(err, table.ErrUnknownKey) {
			t.Errorf("Parse(%v) = %+v, %v; want ErrUnknownKey", key, got, err)
		}
	}
}

// FuzzParse checks that whatever Parse accepts, the constructors make again: no
// two keys mean the same thing.
func FuzzParse(f *testing.F) {
	f.Add("CHATROOM#room", "MESSAGE#1709136000000#01HQ")
	f.Add("USER#alice", "PRESENCE")
	f.Add("FANOUT#run#7", "SLICE")
	f.Add("CHATROOM#room", "READ#alice")
	f.Add("USER#alice", "PROFILE")
	f.Add("USER#alice", "CREATED#k-1")
	f.Add("CONNECTION#c=", "METADATA")
	f.Fuzz(func(t *testing.T, pk, sk string) {
		id, err := table.Parse(table.Key{PK: pk, SK: sk})
		if err != nil {
			return
		}
		var again table.Key
		switch id.Kind {
		case table.KindConnection:
			again = table.Connection(id.ConnectionID)
		case table.KindPresence:
			again = table.Presence(id.UserID)
		case table.KindSlice:
			again = table.Slice(id.RunID, id.Slice)
		case table.KindRoom:
			again = table.Room(id.RoomID)
		case table.KindMember:
			again = table.Member(id.RoomID, id.UserID)
		case table.KindParticipation:
			again = table.Participation(id.UserID, id.RoomID)
		case table.KindMessage:
			again = table.Message(id.RoomID, id.MS, id.MessageID)
		case table.KindLastMessage:
			again = table.LastMessage(id.RoomID)
		case table.KindSent:
			again = table.Sent(id.UserID, id.ClientMessageID)
		case table.KindRead:
			again = table.Read(id.RoomID, id.UserID)
		case table.KindProfile:
			again = table.Profile(id.UserID)
		case table.KindCreated:
			again = table.Created(id.UserID, id.IdempotencyKey)
		case table.KindPlace:
			again = table.Place(id.RoomID)
		case table.KindReport:
			again = table.Report(id.RoomID, id.MessageID, id.UserID)
		case table.KindReacted:
			again = table.Reacted(id.RoomID, id.MessageID, id.UserID)
		case table.KindOnline:
			again = table.Online(id.RoomID, id.UserID, id.ConnectionID)
		case table.KindTyping:
			again = table.Typing(id.RoomID, id.UserID)
		case table.KindBan:
			again = table.Ban(id.RoomID, id.UserID)
		case table.KindBlock:
			again = table.Block(id.UserID, id.Blocked)
		case table.KindPush:
			again = table.Push(id.UserID, id.PushID)
		case table.KindSeen:
			again = table.Seen(id.UserID)
		case table.KindRate:
			again = table.Rate(id.UserID, id.Limit)
		case table.KindAttachment:
			again = table.Attachment(id.RoomID, id.AttachmentID)
		case table.KindUnknown:
			t.Fatalf("Parse(%q, %q) accepted a key of no kind", pk, sk)
		}
		if again.PK != pk || again.SK != sk {
			t.Errorf("Parse(%q, %q) = %+v, which makes %v", pk, sk, id, again)
		}
	})
}

func TestEveryKindHasANameOfItsOwn(t *testing.T) {
	kinds := map[string]table.Kind{}
	for _, kind := range table.Kinds() {
		name := kind.String()
		if other, taken := kinds[name]; taken || name == "" {
			t.Errorf("kinds %d and %d are called %q", kind, other, name)
		}
		kinds[name] = kind
	}
	if kinds["created"] != table.KindCreated {
		t.Errorf("the kinds are %v", kinds)
	}
}

func TestMessageKeysSortByTime(t *testing.T) {
	earlier := table.Message("r", 999_999_999_999, "Z").SK
	later := table.Message("r", 1_000_000_000_000, "A").SK
	if strings.Compare(earlier, later) >= 0 {
		t.Errorf("%s does not sort before %s", earlier, later)
	}
}
