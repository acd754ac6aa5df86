package local_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/streamroom/streamroom/test/rig"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/wire"
)

func TestARoomThatIsRenamedTellsItsMembers(t *testing.T) {
	s := start(t, local.Config{})
	room := s.Room("alice", "bob")
	bob := s.Connect("bob")
	var renamed wire.Room
	status := s.API("alice", http.MethodPatch, "/rooms/"+room, wire.NameRequest{Name: "お茶"}, &renamed)
	want := wire.Room{ChatRoomID: room, Name: "お茶", Type: "group", MemberCount: 2}
	if diff := cmp.Diff(want, renamed); status != http.StatusOK || diff != "" {
		t.Errorf("answered %d (-want +got):\n%s", status, diff)
	}
	if got := bob.Expect(wire.TypeRoomChanged); got.ChatRoomID != room || got.Name != "お茶" {
		t.Errorf("bob is told %+v", got)
	}
	s.API("alice", http.MethodPatch, "/rooms/"+room, wire.NameRequest{Name: "お茶"}, nil)
	// More members are a change of the room, but not of its name.
	s.API("alice", http.MethodPost, "/rooms/"+room+"/members", wire.MemberRequest{UserID: "carol"}, nil)
	bob.Expect(wire.TypeMemberJoined)
	bob.ExpectNone(wire.TypeRoomChanged)
	if got := summary(s, "bob", room).Name; got != "お茶" {
		t.Errorf("the list calls it %q", got)
	}
}

// owners are a room's owners and members, by the table.
func owners(s *rig.Rig, room string) (owners, members int, exists bool) {
	s.T.Helper()
	db := dynamodb.NewFromConfig(s.AWS())
	out, err := db.Query(s.T.Context(), &dynamodb.QueryInput{
		TableName: aws.String(local.TableName), ConsistentRead: aws.Bool(true), KeyConditionExpression: aws.String("PK = :pk"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":pk": &types.AttributeValueMemberS{Value: table.RoomPrefix + room}},
	})
	if err != nil {
		s.T.Fatal(err)
	}
	for _, it := range out.Items {
		sk, _ := it[table.SK].(*types.AttributeValueMemberS)
		exists = exists || sk.Value == table.MetadataKey
		if !strings.HasPrefix(sk.Value, table.MemberPrefix) {
			continue
		}
		members++
		if role, _ := it[table.Role].(*types.AttributeValueMemberS); role.Value == "owner" {
			owners++
		}
	}
	return owners, members, exists
}

func leave(s *rig.Rig, user, room string) int {
	s.T.Helper()
	return s.API(user, http.MethodDelete, "/rooms/"+room+"/members?userId="+url.QueryEscape(user), nil, nil)
}

func TestTheLastOwnerHandsOver(t *testing.T) {
	clock := newJumper()
	s := start(t, local.Config{Clock: clock})
	room := s.Room("olga")
	for _, user := range []string{"zoe", "adam"} { // in this order
		s.API("olga", http.MethodPost, "/rooms/"+room+"/members", wire.MemberRequest{UserID: user}, nil)
		clock.jump(time.Millisecond) // who joins within one has joined at the same time
	}
	zoe := s.Connect("zoe")
	if status := leave(s, "olga", room); status != http.StatusNoContent {
		t.Fatalf("leave: status %d", status)
	}
	if got := zoe.Expect(wire.TypeMemberLeft); got.UserID != "olga" {
		t.Errorf("zoe is told %+v", got)
	}
	var description wire.Room
	s.API("adam", http.MethodGet, "/rooms/"+room, nil, &description)
	roles := map[string]string{}
	for _, m := range description.Members {
		roles[m.UserID] = m.Role
	}
	if diff := cmp.Diff(map[string]string{"adam": "member", "zoe": "owner"}, roles); diff != "" || description.MemberCount != 2 {
		t.Errorf("%d members (-want +got):\n%s", description.MemberCount, diff)
	}
	if status := s.API("zoe", http.MethodDelete, "/rooms/"+room+"/members/adam", nil, nil); status != http.StatusNoContent {
		t.Errorf("the new owner removes: status %d", status)
	}
	if status := leave(s, "zoe", room); status != http.StatusNoContent {
		t.Errorf("the last member leaves: status %d", status)
	}
	if _, members, exists := owners(s, room); members != 0 || exists {
		t.Errorf("%d members are left; the room is there: %t", members, exists)
	}
	if status := s.API("zoe", http.MethodGet, "/rooms/"+room, nil, nil); status != http.StatusForbidden {
		t.Errorf("the room that ended: status %d", status)
	}
}

// Whichever members leave and join at the same time: a room with members has an
// owner, and its count is right.
func TestARoomWithMembersHasAnOwner(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn"})
	users := []string{"a", "b", "c", "d"}
	for _, user := range append(users, "late") {
		s.Token(user, 0)
	}
	for round := range 12 {
		room := s.Room(users...)
		leaving := users[:1+round%len(users)]
		var all sync.WaitGroup
		for _, user := range leaving {
			all.Go(func() {
				if status := leave(s, user, room); status != http.StatusNoContent {
					t.Errorf("%s leaves: status %d", user, status)
				}
			})
		}
		joined := make(chan int, 1)
		all.Go(func() {
			joined <- s.API("a", http.MethodPost, "/rooms/"+room+"/members", wire.MemberRequest{UserID: "late"}, nil)
		})
		all.Wait()
		status := <-joined
		if status != http.StatusCreated && status != http.StatusForbidden {
			t.Errorf("joining answers %d", status)
		}
		owners, members, exists := owners(s, room)
		if (members > 0) != (owners > 0) || exists != (members > 0) {
			t.Errorf("round %d: %d owners of %d members, the room is there: %t", round, owners, members, exists)
		}
		want := len(users) - len(leaving)
		if status == http.StatusCreated {
			want++
		}
		if members != want {
			t.Errorf("round %d: %d members, want %d", round, members, want)
		}
	}
}

// What was read of a room may be over when it is acted on: nothing is done then.
func TestARemovalOfWhatHasChangedDoesNothing(t *testing.T) {
	s := start(t, local.Config{})
	store := dynamo.New(dynamodb.NewFromConfig(s.AWS()), local.TableName, time.Now)
	room := s.Room("olga", "bob")
	before := everything(s)
	is := func(user string, role chat.Role) chat.Member { return chat.Member{UserID: user, Role: role} }
	for name, c := range map[string]struct{ member, successor chat.Member }{
		"an owner who seemed to be alone":          {is("olga", chat.Owner), chat.Member{}},
		"a successor who has left":                 {is("olga", chat.Owner), is("carol", chat.PlainMember)},
		"an owner who seemed to be none":           {is("olga", chat.PlainMember), chat.Member{}},
		"a plain member who seemed an owner":       {is("bob", chat.Owner), is("olga", chat.Owner)},
		"a member who has left":                    {is("carol", chat.PlainMember), chat.Member{}},
		"an owner who has left, and the successor": {is("carol", chat.Owner), is("bob", chat.PlainMember)},
	} {
		if removed, err := store.RemoveMember(t.Context(), room, c.member, c.successor); removed || err != nil {
			t.Errorf("%s: removed %t, error %v", name, removed, err)
		}
	}
	gone := chat.Room{ID: "room-gone", CreatedAt: 1}
	if added, err := store.AddMember(t.Context(), gone, chat.Member{UserID: "bob"}); added || chat.Reason(err).Code != chat.CodeNotAMember {
		t.Errorf("a user is added to a room that has ended: %t, %v", added, err)
	}
	if after := everything(s); after != before {
		t.Errorf("the table was\n%s\nand is\n%s", before, after)
	}
}

func TestMembersAreNamedByTheQueryToo(t *testing.T) {
	s := start(t, local.Config{})
	odd := []string{"a/b", "what?", "..", ".", "a%41", "a&b=c", "日本 語"}
	room := s.Room(append([]string{"alice", "a", "what", "aA"}, odd...)...)
	for _, user := range odd {
		if status := s.API("alice", http.MethodDelete, "/rooms/"+room+"/members?userId="+url.QueryEscape(user), nil, nil); status != http.StatusNoContent {
			t.Errorf("removing %s: status %d", user, status)
		}
	}
	for path, want := range map[string]int{
		"/members":                          400,
		"/members?userId=":                  400,
		"/members?userId=a&userId=what":     400,
		"/members/a?userId=what":            400, // one of them was not meant
		"/members/a/b":                      404,
		"/members/..%2Fa":                   404,
		"/members/what%3F?userId=what%3F":   400, // the gateway cut the path
		"/members/" + url.PathEscape("a b"): 404,
	} {
		var problem wire.Problem
		if status := s.API("alice", http.MethodDelete, "/rooms/"+room+path, nil, &problem); status != want || problem.Code == "" {
			t.Errorf("%s is answered with %d, %+v; want %d", path, status, problem, want)
		}
	}
	if _, members, _ := owners(s, room); members != 4 {
		t.Errorf("%d members are left, want 4", members)
	}
}

// create makes a room with an idempotency key.
func create(s *rig.Rig, user, key string, r wire.RoomRequest) (status int, room wire.Room, problem wire.Problem) {
	s.T.Helper()
	body, err := json.Marshal(r)
	if err != nil {
		s.T.Fatal(err)
	}
	request, err := http.NewRequestWithContext(s.T.Context(), http.MethodPost, s.URL()+"/api/rooms", bytes.NewReader(body))
	if err != nil {
		s.T.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+s.Token(user, 0))
	request.Header.Set("Idempotency-Key", key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.T.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		s.T.Fatal(err)
	}
	if json.Unmarshal(answer, &room) != nil || json.Unmarshal(answer, &problem) != nil {
		s.T.Fatalf("answered %s", answer)
	}
	return response.StatusCode, room, problem
}

func TestACreationRepeatedStoresNothing(t *testing.T) {
	s := start(t, local.Config{})
	tea := wire.RoomRequest{Name: "Tea", Type: "group", Members: []string{"bob", "carol"}}
	s.Token("alice", 0)
	s.Token("bob", 0)
	status, first, _ := create(s, "alice", "k-1", tea)
	if status != http.StatusCreated {
		t.Fatalf("status %d", status)
	}
	before := s.CountItems("")
	swapped := tea
	swapped.Members = []string{"carol", "bob", "alice"} // means the same
	if status, again, _ := create(s, "alice", "k-1", swapped); status != http.StatusCreated || again.ChatRoomID != first.ChatRoomID || again.MemberCount != 3 {
		t.Errorf("the same is answered with %d, %+v", status, again)
	}
	for name, other := range map[string]wire.RoomRequest{
		"another name":    {Name: "Coffee", Type: "group", Members: tea.Members},
		"other members":   {Name: "Tea", Type: "group", Members: []string{"bob"}},
		"another type":    {Type: "dm", Members: []string{"bob"}},
		"members as name": {Name: "Teabob", Type: "group", Members: []string{"carol"}},
	} {
		if status, _, problem := create(s, "alice", "k-1", other); status != http.StatusBadRequest || problem.Code != "invalid_request" {
			t.Errorf("%s: answered %d, %+v", name, status, problem)
		}
	}
	for _, key := range []string{"", "a b", "a#b", strings.Repeat("k", 129), "ключ"} {
		if status, _, problem := create(s, "alice", key, tea); status != http.StatusBadRequest || problem.Code != "invalid_request" {
			t.Errorf("the key %q: answered %d, %+v", key, status, problem)
		}
	}
	if after := s.CountItems(""); after != before {
		t.Errorf("the table had %d items and has %d", before, after)
	}
	if _, other, _ := create(s, "bob", "k-1", tea); other.ChatRoomID == first.ChatRoomID {
		t.Error("bob's key is alice's")
	}
	dm := wire.RoomRequest{Type: "dm", Members: []string{"bob"}}
	for range 2 {
		if status, _, _ := create(s, "alice", "k-2", dm); status != http.StatusCreated {
			t.Errorf("a direct message, repeated: status %d", status)
		}
	}
	if status, _, _ := create(s, "alice", "k-3", dm); status != http.StatusOK {
		t.Errorf("the same with a new key: status %d, want that it is there", status)
	}
	many := wire.RoomRequest{Name: "Many", Type: "group"}
	for i := range 48 {
		many.Members = append(many.Members, fmt.Sprint("user-", i))
	}
	if status, _, problem := create(s, "alice", "k-4", many); status != http.StatusCreated {
		t.Errorf("the largest room: status %d, %+v", status, problem)
	}
}

func TestConcurrentCreationsWithOneKeyMakeOneRoom(t *testing.T) {
	s := start(t, local.Config{})
	s.Token("alice", 0)
	ids := make([]string, 8)
	var all sync.WaitGroup
	for i := range ids {
		all.Go(func() {
			status, room, problem := create(s, "alice", "k-1", wire.RoomRequest{Name: "Tea", Type: "group"})
			if status != http.StatusCreated {
				t.Errorf("status %d, %+v", status, problem)
			}
			ids[i] = room.ChatRoomID
		})
	}
	all.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("made %s and %s", id, ids[0])
		}
	}
	var list wire.RoomList
	if s.API("alice", http.MethodGet, "/rooms", nil, &list); len(list.Rooms) != 2 { // and the lobby
		t.Errorf("alice is in %d rooms", len(list.Rooms))
	}
}

func TestPeopleHaveNames(t *testing.T) {
	s := start(t, local.Config{})
	room := s.Room("alice", "bob")
	change := func(name string) (status int, me wire.Me) {
		status = s.API("alice", http.MethodPut, "/me", wire.NameChange{DisplayName: &name}, &me)
		return status, me
	}
	var me wire.Me
	if s.API("alice", http.MethodGet, "/me", nil, &me); me != (wire.Me{UserID: "alice"}) {
		t.Errorf("at first alice is %+v", me)
	}
	if status, me := change("  Ärne 日本 \t"); status != http.StatusOK || me.DisplayName != "Ärne 日本" {
		t.Errorf("answered %d, %+v", status, me)
	}
	for _, name := range []string{strings.Repeat("é", 65), "a\nb", "a\u0085b", "\ufffd", "\u3164", "\u2800", "\u061c", strings.Repeat("\u0301", 60)} {
		if status, _ := change(name); status != http.StatusBadRequest {
			t.Errorf("%q is answered with %d", name, status)
		}
	}
	var profiles wire.Profiles
	s.API("mallet", http.MethodPost, "/profiles", wire.ProfilesRequest{Users: []string{"alice", "bob", "alice"}}, &profiles)
	if diff := cmp.Diff(map[string]wire.Profile{"alice": {DisplayName: "Ärne 日本"}}, profiles.Profiles); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var description wire.Room
	s.API("bob", http.MethodGet, "/rooms/"+room, nil, &description)
	if names := []string{description.Members[0].DisplayName, description.Members[1].DisplayName}; names[0] != "Ärne 日本" || names[1] != "" {
		t.Errorf("the room's members are called %q", names)
	}
	if status, me := change(" "); status != http.StatusOK || me.DisplayName != "" {
		t.Errorf("answered %d, %+v", status, me)
	}
	var none wire.Profiles
	if s.API("bob", http.MethodPost, "/profiles", wire.ProfilesRequest{Users: []string{"alice"}}, &none); len(none.Profiles) != 0 {
		t.Errorf("a name that was removed is there: %+v", none)
	}
}
