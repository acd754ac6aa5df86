package erase_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/operate/erase"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/objects"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/test/rig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The user to erase, and what they write: each has a word that nothing else has.
const (
	user = "zephyrine"
	name = "Zephy Quill"
	text = "xylophonic"
)

// config is a run as fast as it goes.
func config(w *rig.Operated) erase.Config {
	return erase.Config{
		DB: w.Clients.Table, Table: local.TableName, Files: objects.New(w.Clients.Config, local.AttachmentsBucket), UserID: user, Now: time.Now,
	}
}

// run erases, or counts.
func run(t testing.TB, w *rig.Operated, apply bool) erase.Report {
	t.Helper()
	c := config(w)
	c.Apply = apply
	report, err := erase.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// What was sent while a run was at work, by users who had read what is erased now, goes, too.
func TestErase_WhatSendsHadReadBefore(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	const room = "room"
	quoted := rig.MessageItem(room, rig.Epoch.Add(time.Hour), user, text)
	w.Write(append(rig.RoomItems(room, 2, 3), quoted)...)
	w.Write(rig.Keyed(table.Member("other", user), rig.Item{table.Role: attribute.Text("member"), table.JoinedAt: attribute.Number(1)}))
	id, err := table.Parse(attribute.KeyOf(quoted))
	if err != nil {
		t.Fatal(err)
	}
	c := config(w)
	c.Apply, c.Settle = true, time.Hour
	c.Progress = func(int) { // after the only page
		reply, mention := rig.MessageItem(room, time.Now(), "bob", "yes"), rig.MessageItem("other", time.Now(), "bob", "yes")
		reply[table.ReplyTo] = &types.AttributeValueMemberM{Value: rig.Item{
			table.MessageID: attribute.Text(id.MessageID), table.SenderID: attribute.Text(user), table.Preview: attribute.Text(text),
		}}
		mention[table.Mentions] = attribute.Texts([]string{user})
		w.Write(reply, mention)
	}
	var waited time.Duration
	c.Wait = func(_ context.Context, d time.Duration) error {
		waited += d
		return nil
	}
	report, err := erase.Run(t.Context(), c)
	if err != nil || waited != c.Settle || report.Kinds[erase.Quote].Erased != 1 || report.Kinds[erase.Mention].Erased != 1 {
		t.Errorf("waited %v: %+v, %v", waited, report, err)
	}
	rig.Eventually(t, "nothing is left", func() bool { return len(trace(t, w)) == 0 }) // LASTMESSAGE follows
	if again := run(t, w, true); len(again.Kinds) > 0 {
		t.Errorf("a second run finds %+v", again.Kinds)
	}
}

// raw is all text of an item, of whatever kind.
func raw(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberSS:
		return strings.Join(v.Value, " ")
	case *types.AttributeValueMemberB:
		return string(v.Value)
	case *types.AttributeValueMemberL:
		var parts []string
		for _, one := range v.Value {
			parts = append(parts, raw(one))
		}
		return strings.Join(parts, " ")
	case *types.AttributeValueMemberM:
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(v.Value)) {
			parts = append(parts, name+"="+raw(v.Value[name]))
		}
		return "{" + strings.Join(parts, " ") + "}"
	}
	return fmt.Sprintf("%v", v)
}

// trace returns the items and files that have the user's id, name or texts, by a search that
// knows no kinds.
func trace(t testing.TB, w *rig.Operated) (found []string) {
	t.Helper()
	words := []string{user, "Zephy", text}
	search := func(what, content string) {
		for _, word := range words {
			if strings.Contains(strings.ToLower(content), strings.ToLower(word)) {
				found = append(found, what+" has "+word)
				return
			}
		}
	}
	for it := range w.Scan() {
		k := attribute.KeyOf(it)
		search(k.PK+" "+k.SK, raw(&types.AttributeValueMemberM{Value: it}))
	}
	client := s3.NewFromConfig(w.WireAWS(), func(o *s3.Options) { o.UsePathStyle = true })
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: aws.String(local.AttachmentsBucket)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range page.Contents {
			out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(local.AttachmentsBucket), Key: object.Key})
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(out.Body)
			_ = out.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			search(*object.Key, *object.Key+" "+aws.ToString(out.ContentDisposition)+" "+string(body))
		}
	}
	return found
}

// planted has an item of each kind that names the user, and of messages and rooms one for
// each way in which they do.
func planted() map[table.Kind][]rig.Item {
	const id, other, third, fourth = "01B3F2133F0000000000000000", "01B3F2133F0000000000000001", "01B3F2133F0000000000000002", "01B3F2133F0000000000000003"
	txt, number := attribute.Text, attribute.Number
	ms := int64(1494000000000)
	at := func(id string) table.Key { return table.Message("planted", messageTime(id), id) }
	by := rig.Keyed
	ends := number(time.Now().Add(time.Hour).Unix())
	entry := &types.AttributeValueMemberM{Value: rig.Item{table.ConnectedAt: number(1)}}
	quoted := &types.AttributeValueMemberM{Value: rig.Item{table.MessageID: txt(id), table.SenderID: txt(user), table.Preview: txt(text)}}
	set := &types.AttributeValueMemberSS{Value: []string{"x"}}
	return map[table.Kind][]rig.Item{
		table.KindConnection:    {by(table.Connection("c="), rig.Item{table.UserID: txt(user), table.ConnectedAt: number(1)})},
		table.KindPresence:      {by(table.Presence(user), rig.Item{table.PresenceEntry("d="): entry, table.PresenceRoom("r"): number(1)})},
		table.KindSeen:          {by(table.Seen(user), rig.Item{table.Changes: number(2)})},
		table.KindProfile:       {by(table.Profile(user), rig.Item{table.DisplayName: txt(name)})},
		table.KindParticipation: {by(table.Participation(user, "stray"), rig.Item{table.GSI1PK: txt(table.UserRooms(user)), table.GSI1SK: txt("1")})},
		table.KindMember:        {by(table.Member("ended", user), rig.Item{table.Role: txt("owner"), table.JoinedAt: number(1)})},
		table.KindRoom:          {by(table.Room("made"), rig.Item{table.CreatedBy: txt(user), table.Type: txt("dm"), table.Invited: txt(user), table.MemberCount: number(0)})},
		table.KindMessage: {
			by(at(id), rig.Item{
				table.SenderID: txt(user), table.Content: txt(text), table.ReadBy: attribute.Texts([]string{user}), table.ClientMessageID: txt(text),
				table.Origin: txt(text), table.ReplyTo: quoted, table.Mentions: attribute.Texts([]string{user}), table.EditedAt: number(9e12),
			}),
			by(at(other), rig.Item{table.SenderID: txt("o"), table.Content: txt("c"), table.ReplyTo: quoted, table.Mentions: attribute.Texts([]string{"p", user})}),
			by(at(third), rig.Item{table.SenderID: txt(user), table.DeletedAt: number(7), table.EditedAt: number(7), table.DeletedBy: txt(user)}),
			by(at(fourth), rig.Item{table.SenderID: txt("o"), table.DeletedAt: number(7), table.EditedAt: number(7), table.DeletedBy: txt(user)}),
		},
		table.KindLastMessage: {
			by(table.LastMessage("planted"), rig.Item{table.MessageID: txt(id), table.SenderID: txt(user), table.Preview: txt(text)}),
			by(table.LastMessage("gone"), rig.Item{table.MessageID: txt(id), table.SenderID: txt(user), table.Preview: txt(text)}),
		},
		table.KindBan: {
			by(table.Ban("r", user), rig.Item{table.By: txt("o"), table.At: number(1)}),
			by(table.Ban("r", "p"), rig.Item{table.By: txt(user), table.At: number(1), table.Reason: txt(text)}),
		},
		table.KindReport: {
			by(table.Report("r", other, user), rig.Item{table.SenderID: txt("o"), table.At: number(1), table.Reason: txt(text)}),
			by(table.Report("r", id, "p"), rig.Item{table.SenderID: txt(user), table.At: number(1), table.Reason: txt(text)}),
		},
		table.KindBlock:      {by(table.Block(user, "p"), rig.Item{table.At: number(1)}), by(table.Block("p", user), rig.Item{table.At: number(1)})},
		table.KindPush:       {by(table.Push(user, "h"), rig.Item{table.Endpoint: txt("https://push.example.com/" + text), table.At: number(1)})},
		table.KindRead:       {by(table.Read("left", user), rig.Item{table.UpTo: txt(id)})},
		table.KindAttachment: {by(table.Attachment("planted", id), rig.Item{table.UploadedBy: txt(user), table.Name: txt(text), table.MessageID: txt(id)})},
		table.KindPlace:      nil, // a room's
		table.KindReacted:    {by(table.Reacted("planted", other, user), rig.Item{table.Reactions: set}), by(table.Reacted("nowhere", id, user), rig.Item{table.Reactions: set})},
		table.KindOnline:     {by(table.Online("left", user, "e="), rig.Item{table.TTL: ends})},
		table.KindTyping:     {by(table.Typing("left", user), rig.Item{table.At: number(ms), table.TTL: ends})},
		table.KindSent:       {by(table.Sent(user, text), rig.Item{table.TTL: ends})},
		table.KindCreated:    {by(table.Created(user, text), rig.Item{table.TTL: ends})},
		table.KindRate:       {by(table.Rate(user, "connect"), rig.Item{table.TTL: ends})},
		table.KindSlice:      {by(table.Slice("run", 1), rig.Item{table.RoomID: txt("r"), table.FromMember: txt(user), table.TTL: number(1)})},
	}
}

func messageTime(id string) int64 {
	ms, err := chat.MessageTime(id)
	if err != nil {
		panic(err)
	}
	return ms
}

// TestEveryKindOfTheTableIsErased fails for a kind that no one thought of.
func TestEveryKindOfTheTableIsErased(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	items := planted()
	total := 0
	for _, kind := range table.Kinds() {
		of, known := items[kind]
		if !known || !erase.Handles(kind) {
			t.Errorf("%s: erase has no handler for this kind, or planted no item of it that names the user", kind)
		}
		w.Write(of...)
		total += len(of)
	}
	if before := trace(t, w); len(before) != total {
		t.Fatalf("%d of %d planted items have something of the user: %v", len(before), total, before)
	}
	counted := run(t, w, false)
	for kind, of := range items {
		if counted.Kinds[kind.String()].Found == 0 && len(of) > 0 {
			t.Errorf("%s: a dry run counts none", kind)
		}
	}
	if after := trace(t, w); len(after) != total {
		t.Errorf("a dry run changed something: %v", after)
	}
	report := run(t, w, true)
	if found := trace(t, w); len(found) > 0 || report.Left > 0 {
		t.Errorf("left %d: %v", report.Left, found)
	}
	again := run(t, w, true)
	if len(again.Kinds) > 0 || again.Left > 0 {
		t.Errorf("another run finds %+v", again)
	}
	for kind, n := range report.Kinds {
		if n.Found != n.Erased {
			t.Errorf("%s: %+v", kind, n)
		}
	}
}

// A message may have more kinds of reactions than a limit that was lowered since.
func TestErase_TakesBackAnyNumberOfReactions(t *testing.T) {
	const id = "01B3F2133F0000000000000000"
	w := rig.StartOperated(t, rig.OperatedOptions{})
	counts, mine := rig.Item{}, []string{}
	for i := range 2 * chat.MaxReactionKinds {
		reaction := fmt.Sprintf(":kind%d:", i)
		counts[reaction] = attribute.Number(2)
		mine = append(mine, reaction)
	}
	w.Write(
		rig.Keyed(table.Message("r", messageTime(id), id), rig.Item{
			table.SenderID: attribute.Text("o"), table.Content: attribute.Text("c"),
			table.Reactions: &types.AttributeValueMemberM{Value: counts}, table.ReactionVersion: attribute.Number(1),
		}),
		rig.Keyed(table.Reacted("r", id, user), rig.Item{table.Reactions: &types.AttributeValueMemberSS{Value: mine}}),
	)
	run(t, w, true)
	messages, err := w.Store().MessagesByID(t.Context(), "r", []string{id})
	if err != nil {
		t.Fatal(err)
	}
	for reaction, n := range messages[0].Reactions.Counts {
		if n != 1 {
			t.Errorf("%s is counted %d times, want 1, of another user", reaction, n)
		}
	}
	if found := trace(t, w); len(found) > 0 {
		t.Errorf("left %v", found)
	}
}

// TestWhatNoHandlerKnowsIsReported, by the key or an attribute: an item of a kind that
// comes later.
func TestWhatNoHandlerKnowsIsReported(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	keys := []table.Key{{PK: "CHATROOM#r", SK: "NEW#" + user}, {PK: "NEW#1", SK: "METADATA"}, {PK: table.Room("r").PK, SK: table.PlaceKey}}
	w.Write(
		rig.Keyed(keys[0], rig.Item{table.At: attribute.Number(1)}),
		rig.Keyed(keys[1], rig.Item{"by": &types.AttributeValueMemberM{Value: rig.Item{"who": attribute.Texts([]string{"bob", user})}}}),
		rig.Keyed(keys[2], rig.Item{"by": attribute.Text(user)}),
		rig.Keyed(table.Key{PK: "NEW#2", SK: "METADATA"}, rig.Item{table.Content: attribute.Text(user)}),
	)
	var left []table.Key
	c := config(w)
	c.Left = func(k table.Key) { left = append(left, k) }
	report, err := erase.Run(t.Context(), c)
	order := func(a, b table.Key) int { return strings.Compare(a.PK+a.SK, b.PK+b.SK) }
	slices.SortFunc(left, order)
	slices.SortFunc(keys, order)
	if diff := cmp.Diff(keys, left); err != nil || report.Left != len(keys) || diff != "" {
		t.Errorf("left %d, %v, (-want +got):\n%s", report.Left, err, diff)
	}
}

// killer lets a run make some writes, and then ends it.
type killer struct {
	next   http.RoundTripper
	writes atomic.Int64 // that are left; negative: no limit
	kill   atomic.Pointer[context.CancelFunc]
}

func (k *killer) RoundTrip(r *http.Request) (*http.Response, error) {
	target := r.Header.Get("X-Amz-Target")
	writes := strings.Contains(target, "Update") || strings.Contains(target, "Delete") || strings.Contains(target, "Write") || target == "" && r.Method == http.MethodPost
	if kill := k.kill.Load(); writes && kill != nil && k.writes.Add(-1) < 0 {
		(*kill)()
		return nil, context.Canceled
	}
	return k.next.RoundTrip(r)
}

// TestAKilledRunIsStartedAgain after each of its writes, until it is complete.
func TestAKilledRunIsStartedAgain(t *testing.T) {
	var k killer
	w := rig.StartOperated(t, rig.OperatedOptions{Wrap: func(next http.RoundTripper) http.RoundTripper {
		k.next = next
		return &k
	}})
	for _, of := range planted() {
		w.Write(of...)
	}
	runs := 0
	for k.writes.Store(1); ; k.writes.Store(int64(1 + runs%10)) {
		ctx, cancel := context.WithCancel(t.Context())
		k.kill.Store(&cancel)
		c := config(w)
		c.Apply = true
		_, err := erase.Run(ctx, c)
		cancel()
		if runs++; err == nil {
			break
		}
		if runs > 200 {
			t.Fatalf("not complete after %d runs: %v", runs, err)
		}
	}
	k.kill.Store(nil)
	if found := trace(t, w); len(found) > 0 || runs < 5 {
		t.Errorf("after %d runs: %v", runs, found)
	}
	if again := run(t, w, false); len(again.Kinds) > 0 {
		t.Errorf("another run finds %+v", again.Kinds)
	}
}
