package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/gateway"
	"github.com/streamroom/streamroom/shared/httpapi"
	"github.com/streamroom/streamroom/shared/wire"
)

// links stand for a bucket.
type links struct{}

func (links) SignUpload(context.Context, chat.Attachment, time.Time, time.Time) (chat.Upload, error) {
	return chat.Upload{URL: "https://bucket.example"}, nil
}

func (links) SignDownload(context.Context, chat.Attachment, time.Time, time.Time) (chat.Download, error) {
	return chat.Download{URL: "https://bucket.example/file"}, nil
}

// What a request costs is counted in the limit over time: by the bytes of an answer, of an
// edit, and of a file, in the same one as all else.
func TestLimits_WeighRequestsOverTime(t *testing.T) {
	const mb, burst = chat.FileWeight, 2 * chat.SustainedPerTake
	small, large := messageID(101), messageID(125) // of files
	announce := func(size int) string {
		return fmt.Sprintf(`{"name":"a.bin","contentType":"application/octet-stream","size":%d}`, size)
	}
	for name, test := range map[string]struct {
		request, body string
		weight        int
	}{
		"a list":                 {"GET /rooms", "", 1},
		"a small file":           {"GET /rooms/{room}/attachments/" + small, "", 1},
		"a large file":           {"GET /rooms/{room}/attachments/" + large, "", 25},
		"a history":              {"GET /rooms/{room}/messages?limit=7", "", 1},
		"a large history":        {"GET /rooms/{room}/messages?limit=70", "", 9},
		"an announcement":        {"POST /rooms/{room}/attachments", announce(1), 1},
		"one of a large file":    {"POST /rooms/{room}/attachments", announce(25 * mb), 25},
		"an edit":                {"PATCH /rooms/{room}/messages/" + messageID(1), `{"content":"x"}`, 1},
		"an edit of 16 KB":       {"PATCH /rooms/{room}/messages/" + messageID(1), `{"content":"` + strings.Repeat("x", chat.MaxContent) + `"}`, 5},
		"a room of two":          {"POST /rooms", `{"type":"group","name":"Two","members":["carol"]}`, 2},
		"oneself":                {"GET /me", "", 1},
		"the API's description":  {"GET /openapi.json", "", 1},
		"that of frames":         {"GET /asyncapi.json", "", 1},
		"a member":               {"POST /rooms/{room}/members", `{"userId":"dave"}`, 2},
		"a role":                 {"PATCH /rooms/{room}/members?userId=alice", `{"role":"owner"}`, 2},
		"a name":                 {"PATCH /rooms/{room}", `{"name":"New"}`, 1},
		"a name and visibility":  {"PATCH /rooms/{room}", `{"name":"New","visibility":"public"}`, 2},
		"a place":                {"PUT /rooms/crowded/place", `{"lat":1,"lon":2}`, 4},
		"how long it is kept":    {"PATCH /rooms/{room}", `{"retentionDays":7}`, 40},
		"a refused large sync":   {"POST /sync", `{}`, 1},
		"a room that is foreign": {"GET /rooms/nowhere", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAPI(t)
			if strings.Contains(test.request, "messages") {
				for i := range 70 {
					id := a.put(a.room, "alice", i+1)
					long := fmt.Sprintf(`{"content":"%s"}`, strings.Repeat("x", chat.MaxContent))
					a.answer("alice", "PATCH /rooms/"+a.room+"/messages/"+id, long, http.StatusOK, &wire.HistoryMessage{})
				}
			}
			for id, size := range map[string]int64{small: mb, large: 25 * mb} {
				err := a.store.PutAttachment(t.Context(), chat.Attachment{
					File: chat.File{ID: id, Name: "a", ContentType: "image/png", Size: size}, RoomID: a.room, MessageID: messageID(1),
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			crowd := make([]chat.Member, 200)
			for i := range crowd {
				crowd[i] = chat.Member{UserID: fmt.Sprint("user-", i), Role: chat.PlainMember, JoinedAt: 1}
			}
			crowd[0] = chat.Member{UserID: "alice", Role: chat.Owner, JoinedAt: 1}
			_, err := a.store.CreateRoom(t.Context(), chat.Room{ID: "crowded", Type: chat.Group, Public: true, MemberCount: len(crowd)}, crowd)
			if err != nil {
				t.Fatal(err)
			}
			ids := chat.NewIDs(clock, strings.NewReader(strings.Repeat("entropy", 10_000)))
			free := chat.RateLimit{Interval: time.Microsecond, Burst: 1_000_000}
			limits := chat.NewLimiter(a.store, chat.Limits{
				chat.Reading: free, chat.Writing: free, chat.Sustaining: {Interval: time.Hour, Burst: burst},
			}, clock)
			api := httpapi.New(httpapi.Domain{
				Rooms: chat.NewRooms(a.store, ids, clock).Weighing(limits), Histories: chat.NewHistories(a.store),
				Editor:      chat.NewEditor(a.store, clock, func(chat.Message) error { return nil }),
				Attachments: chat.NewAttachments(a.store, links{}, ids, clock, chat.MaxAttachmentSize),
				Users:       chat.NewUsers(a.store, clock), Profiles: chat.NewProfiles(a.store, clock),
				Limits: limits,
			}, gateway.Status, zerolog.Nop())
			a.API = api
			served := 0
			for a.do("alice", strings.ReplaceAll(test.request, "{room}", a.room), test.body).Code != http.StatusTooManyRequests {
				served++
			}
			// The last one before a take may weigh more than is left.
			most := (burst+chat.SustainedPerTake-1)/test.weight + 1
			if served > most || served < burst/2/test.weight {
				t.Errorf("%d were served, want %d at most", served, most)
			}
		})
	}
}
