package verify_test

import (
	"cmp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/operate/verify"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/test/rig"
)

// lonely is an item that is alone in its room or with its user, and what is said of it: ""
// if it may be so.
type lonely struct {
	key  table.Key
	item rig.Item
	says string
	at   string // the partition that the difference is in; "" is the item's
}

// lonelyItems has one of each kind that the table has.
func lonelyItems(expired types.AttributeValue) map[table.Kind]lonely {
	const message = "01B3F2133F0000000000000000"
	text, number := attribute.Text, attribute.Number
	entry := &types.AttributeValueMemberM{Value: rig.Item{table.ConnectedAt: number(1)}}
	some := rig.Item{table.JoinedAt: number(1)}
	ends := rig.Item{table.TTL: expired}
	const leftover = "expired"
	return map[table.Kind]lonely{
		table.KindConnection:    {table.Connection("c="), rig.Item{table.UserID: text("u1"), table.ConnectedAt: number(1)}, "it lacks the connection", "USER#u1"},
		table.KindPresence:      {table.Presence("u2"), rig.Item{table.PresenceEntry("d="): entry}, "which the user does not have", ""},
		table.KindSeen:          {table.Seen("u3"), rig.Item{table.Changes: number(2)}, "others have learned", ""},
		table.KindProfile:       {table.Profile("u4"), rig.Item{table.DisplayName: text("U")}, "", ""},
		table.KindParticipation: {table.Participation("u5", "r1"), some, "the room lacks the member", ""},
		table.KindRoom:          {table.Room("r2"), rig.Item{table.MemberCount: number(7)}, "it says that the room has 7 members", ""},
		table.KindMember:        {table.Member("r3", "u6"), some, "lacks the room", "USER#u6"},
		table.KindMessage: {table.Message("r4", ulid.MustParse(message).Timestamp().UnixMilli(), message), rig.Item{
			table.SenderID: text("u"), table.Content: text("c"), table.ReactionVersion: number(1), table.Reactions: counts(map[string]int64{"x": 1}),
		}, "its counts are of 1 reactions", ""},
		table.KindLastMessage: {table.LastMessage("r5"), rig.Item{table.MessageID: text(message)}, "which is not there", ""},
		table.KindRead:        {table.Read("r6", "u7"), rig.Item{table.UpTo: text(message)}, "lacks the member who has read", ""},
		table.KindAttachment:  {table.Attachment("r7", message), some, "it never expires", ""},
		table.KindPlace:       {table.Place("r8"), some, "its room is not there", ""},
		table.KindReacted:     {table.Reacted("r9", message, "u8"), rig.Item{table.Reactions: &types.AttributeValueMemberSS{Value: []string{"x"}}}, "is not there", ""},
		table.KindOnline:      {table.Online("r10", "u9", "e="), ends, leftover, ""},
		table.KindTyping:      {table.Typing("r11", "u10"), ends, leftover, ""},
		table.KindSent:        {table.Sent("u11", "1"), ends, leftover, ""},
		table.KindCreated:     {table.Created("u12", "1"), ends, leftover, ""},
		table.KindRate:        {table.Rate("u13", "connect"), ends, leftover, ""},
		table.KindSlice:       {table.Slice("run", 1), ends, leftover, ""},
		table.KindBan:         {table.Ban("r12", "u14"), ends, leftover, ""},
		table.KindReport:      {table.Report("r17", message, "u17"), rig.Item{table.SenderID: text("u18"), table.At: number(1)}, "", ""},
		table.KindBlock:       {table.Block("u15", "u16"), rig.Item{table.At: number(1)}, "", ""},
		table.KindPush:        {table.Push("u17", "h"), rig.Item{table.At: number(1)}, "", ""},
	}
}

// TestEveryKindOfTheTableIsVerified, of which none is unknown: what fits nothing is found.
func TestEveryKindOfTheTableIsVerified(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	items := lonelyItems(attribute.Number(time.Now().Add(10 * time.Minute).Unix()))
	for _, one := range items {
		w.Write(rig.Keyed(one.key, one.item))
	}
	report, found := check(t, w, verify.Config{
		Now: func() time.Time { return time.Now().Add(50 * time.Hour) }, Leftover: 48 * time.Hour,
	})
	if report.Foreign != 0 {
		t.Errorf("%d items are of no kind", report.Foreign)
	}
	for _, kind := range table.Kinds() {
		one, known := items[kind]
		if !known || report.Kinds[kind.String()] == 0 {
			t.Errorf("%s: no item of this kind was verified: add one to lonelyItems, and what verify says of it", kind)
			continue
		}
		said := false
		for _, d := range found {
			said = said || d.PK == cmp.Or(one.at, one.key.PK) && one.says != "" && strings.Contains(d.Problem, one.says)
		}
		if said != (one.says != "") {
			t.Errorf("%s: want %q among %v", kind, one.says, found)
		}
	}
}
