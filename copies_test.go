package streamroom_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/operate/cost"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/shared/wire"
)

// copies are values that places have which cannot import them: a client of the protocol, the
// page, what is written. A place is a file and a text in it, in which # stands for the
// number, a space for any white space, and … for up to 300 characters. The text may be there
// more than once. What schemas bound is in bounds.
var copies = []struct {
	name   string // the constant that has the value
	values []int  // nil: those of the first place
	places []string
}{
	{"chat.MaxContent", []int{chat.MaxContent}, []string{
		"client/send.go: MaxContent = #", "web/lib/frames.js: MAX_CONTENT = #", "test/load/plan.go: maxBytes = #",
		"README.md: a message's content # |", "docs/protocol.md: content over # bytes of UTF-8",
		"shared/httpapi/openapi.json: 1 to # bytes of UTF-8, with", "shared/httpapi/openapi.json: content has more than # bytes",
		"shared/httpapi/asyncapi.json: 1 to # bytes of UTF-8, with", "shared/httpapi/asyncapi.json: 1 to # bytes of UTF-8; empty",
	}},
	{"wire.MaxFrame", []int{wire.MaxFrame}, []string{
		"web/lib/frames.js: MAX_FRAME = #", "README.md: | a frame | # bytes;", "docs/protocol.md: of at most # bytes once encoded",
		"docs/protocol.md: whose own frame would have over # bytes",
		"shared/httpapi/asyncapi.json: JSON object of at most # bytes",
	}},
	{"chat.MaxRoomName", []int{chat.MaxRoomName}, []string{
		`web/index.html: id="new-room-name" … data-most="#"`, `web/index.html: id="rename-name" … data-most="#"`,
		"docs/protocol.md: A name has 1 to # characters: see",
		`shared/httpapi/openapi.json: "RoomName": … "1 to # characters`, `shared/httpapi/asyncapi.json: "RoomName": … "1 to # characters`,
	}},
	{"chat.MaxInitialMember", []int{chat.MaxInitialMember}, []string{
		"client/shapes.go: user ids: at most #, without", "web/app/ui/dialogs.js: MAX_MEMBERS = #", "test/load/streamroom.go: createdMembers = #",
		"docs/protocol.md: At most # members besides you",
	}},
	{"1 + chat.MaxInitialMember", []int{1 + chat.MaxInitialMember}, []string{"README.md: members at its creation | #;"}},
	{"chat.MaxPreview", []int{chat.MaxPreview}, []string{
		"client/shapes.go: Preview string // at most # characters", "web/lib/frames.js: MAX_PREVIEW = #", "web/lib/rooms.js: PREVIEW = #",
		"docs/protocol.md: is the first # characters, see", "docs/protocol.md: code points shorter than #;",
		"shared/httpapi/openapi.json: The content's first # characters", "docs/operations.md: last message, up to # characters, until",
		"shared/wire/frame.go: Preview string `json:\"preview\"` // at most # characters",
		"shared/wire/http.go: Preview string `json:\"preview\"` // at most # characters",
	}},
	{"chat.MaxDisplayName", []int{chat.MaxDisplayName}, []string{
		`web/index.html: id="profile-name" … data-most="#"`, "client/api.go: a display name of at most # characters", "docs/protocol.md: A name has 1 to # characters after",
		`shared/httpapi/openapi.json: "DisplayName": … "1 to # characters`, "shared/httpapi/openapi.json: 1 to # characters, not counting white space",
	}},
	{"chat.MaxUserID", []int{chat.MaxUserID}, []string{
		"web/app/ui/signin.js: MAX_NAME = #", "shared/httpapi/openapi.json: 1 to # bytes of UTF-8 without",
		"shared/httpapi/asyncapi.json: 1 to # bytes of UTF-8 without",
	}},
	{"chat.MaxUnread", []int{chat.MaxUnread}, []string{
		"client/shapes.go: has not read, at most #", "web/lib/rooms.js: MOST_UNREAD = #", "web/lib/api.js: counting stops at #",
		"docs/protocol.md: It stops at #.", "docs/protocol.md: before the newest message, at # or",
		"shared/httpapi/openapi.json: At most # are counted",
	}},
	{"chat.MaxAttachments", []int{chat.MaxAttachments}, []string{
		"client/attach.go: MaxAttachments = #", "web/lib/attachments.js: MAX_ATTACHMENTS = #", "docs/protocol.md: A message may have up to # files",
		"docs/protocol.md: so is one with more than #,",
	}},
	{"chat.PendingTime, in days", []int{int(chat.PendingTime.Hours()) / 24}, []string{
		"infra/storage.go: Prefix: jsii.String(topology.PendingPrefix), Expiration: awscdk.Duration_Days(jsii.Number(#))",
	}},
	{"failureDays of infra", nil, []string{
		"infra/streams.go: failureDays = #", "cmd/streamroom/failures.go: kept in a bucket for # days",
		"docs/operations.md: and-is-fixed), within # days", "docs/operations.md: --deliver`, within # days", "docs/operations.md: for # days. It is private",
		"docs/operations.md: it gave up on, within # days", "docs/adr/0027-chat-does-not-wait-for-the-bus.md: and within # days",
	}},
	{"eventsource.PageLimit", nil, []string{
		"shared/eventsource/shards.go: PageLimit = #", "local/dynamodb/shards.go: maxRecords = #",
	}},
	{"chat.MaxAttachmentSize >> 20", []int{chat.MaxAttachmentSize >> 20}, []string{"docs/protocol.md: files of up to # MB each"}},
	{"chat.MaxAttachmentSize", []int{chat.MaxAttachmentSize}, []string{"shared/httpapi/openapi.json: At most #, unless the deployment"}},
	{"chat.MaxSubscriptions", []int{chat.MaxSubscriptions}, []string{
		"docs/protocol.md: A user has at most # subscriptions", "shared/httpapi/openapi.json: the same endpoint; above # the oldest",
	}},
	{"chat.MaxMarks", []int{chat.MaxMarks}, []string{
		"shared/httpapi/openapi.json: at most # combining marks", "shared/httpapi/asyncapi.json: at most # combining marks",
	}},
	{"chat.RetainedMembers", []int{chat.RetainedMembers}, []string{
		"web/app/ui/retention.js: only in rooms of at most # members", "shared/httpapi/openapi.json: in rooms of more than # members.",
	}},
	{"chat.CountedReaders", []int{chat.CountedReaders}, []string{
		"shared/httpapi/openapi.json: In rooms of over # members, the sender", "docs/protocol.md: In rooms of up to # members it has the sender",
	}},
	{"chat.MaxFileName", []int{chat.MaxFileName}, []string{
		"docs/protocol.md: the last part of a path, at most # bytes,", "shared/httpapi/openapi.json: reserve, of at most # bytes",
	}},
	{"chat.MaxAddress", []int{chat.MaxAddress}, []string{
		"client/shapes.go: Address string // at most # characters", "web/lib/api.js: [address] at most # characters",
		`web/index.html: id="place-address" … data-most="#"`, "docs/protocol.md: an `address` of 1 to # characters",
	}},
	{"chat.MaxMentions", []int{chat.MaxMentions}, []string{
		"client/send.go: MaxMentions = #", "web/lib/mentions.js: MAX_MENTIONS = #", "web/lib/streamroom.js: whom it mentions, at most #:",
		"docs/protocol.md: may mention up to # members", "docs/protocol.md: a send with more than #, of which",
		"docs/protocol.md: reads the members that it names, at most #, and",
	}},
	{"chat.MaxReaction", []int{chat.MaxReaction}, []string{
		"client/reactions.go: at most # bytes, or a name", "web/lib/reactions.js: MAX_REACTION = #", "docs/protocol.md: of at most # bytes. Or with a name",
		"shared/httpapi/openapi.json: an emoji, of at most # bytes", "shared/httpapi/asyncapi.json: an emoji, of at most # bytes",
	}},
	{"chat.MaxReactionKinds", []int{chat.MaxReactionKinds}, []string{
		"client/reactions.go: A message has at most # different", "docs/protocol.md: A message has at most # different",
		"shared/httpapi/openapi.json: at most # different reactions", "docs/adr/0023-reactions-are-counted-with-the-message.md: At most # kinds a message bound",
	}},
	{"chat.MaxReason", []int{chat.MaxReason}, []string{
		`web/index.html: id="report-reason" … data-most="#"`, "client/moderation.go: reason, at most # characters",
		"web/lib/api.js: without an end; at most # characters", "web/lib/api.js: [reason] at most # characters",
		"web/lib/roomactions.js: [reason] at most # characters", "shared/wire/http.go: json:\"reason,omitempty\"` // at most # characters",
		"docs/protocol.md: of up to # characters. Doing it again",
	}},
	{"chat.MaxBlocks", []int{chat.MaxBlocks}, []string{"docs/protocol.md: user has at most #; one more is refused"}},
	{"chat.MaxRetentionDays", []int{chat.MaxRetentionDays}, []string{
		`web/index.html: id="retention-days" … max="#"`, "web/app/ui/retention.js: MOST = #", "web/lib/roomactions.js: days 1 to #, at most",
		"infra/settings.go: config.Retention, 1, #)", "docs/protocol.md: # days, at most the deployment's", "docs/operations.md: from then on are kept, 1 to #;",
	}},
	{"chat.MaxEndpoint", []int{chat.MaxEndpoint}, []string{"docs/protocol.md: URL on the internet of at most # bytes"}},
	{"chat.MaxProfiles", []int{chat.MaxProfiles}, []string{
		"client/api.go: are called, at most # of them", "web/lib/people.js: AT_ONCE = #", "web/lib/api.js: {string[]} users at most #",
		"docs/protocol.md: have a name, of 1 to # users",
	}},
	{"chat.MaxRadius", []int{chat.MaxRadius}, []string{
		"client/api.go: metres, 100 to #;", "web/lib/api.js: metres, 100 to #,", "web/app/ui/nearby.js: CHOICES = [100, 500, 1_000, 2_000, 5_000, 10_000, 20_000, #]",
		"web/app/ui/nearby.js: RADII = [5_000, #]", "docs/protocol.md: are metres: 100 to #, 5,000 by default",
	}},
	{"chat.MaxRadius / 1000", []int{chat.MaxRadius / 1000}, []string{"shared/geo/geo.go: up to an outer distance of # km", "docs/performance.md: among places within # km"}},
	{"chat.SmallRoom", []int{chat.SmallRoom}, []string{
		"client/event.go: of at most # members", "client/typing.go: rooms of at most # members", "web/lib/typing.js: TYPING_ROOM = #",
		"web/lib/api.js: in rooms of at most # members", "docs/protocol.md: rooms of up to # members the other", "docs/protocol.md: share a room of up to # members",
		"shared/httpapi/openapi.json: In rooms of up to # members", "shared/httpapi/openapi.json: In rooms of at most # members",
	}},
	{"chat.MaxConnections", []int{chat.MaxConnections}, []string{
		"README.md: a user's newest # are served", "docs/protocol.md: A user has at most # connections", "docs/protocol.md: you have opened more than # connections",
		"docs/protocol.md: only counts if the user has # connections",
	}},
	{"chat.MaxSyncRooms", []int{chat.MaxSyncRooms}, []string{
		"client/sync.go: syncRooms = #", "client/api.go: per room, # rooms at most", "web/lib/catchup.js: ROOMS = #", "web/lib/api.js: at most # rooms",
		"docs/protocol.md: One request may carry # rooms",
	}},
	{"chat.MaxSyncMessages", []int{chat.MaxSyncMessages}, []string{
		"docs/protocol.md: after each id, at most # a room", "shared/httpapi/openapi.json: after each id, at most # of a room",
	}},
	{"client.MaxPage", []int{client.MaxPage}, []string{
		"shared/httpapi/httpapi.go: maxLimit = #", "shared/httpapi/httpapi.go: limit: 1 to #, 50 if absent", "web/lib/blocks.js: PAGE = #", "web/lib/catchup.js: PAGE = #",
		"web/lib/history.js: const PAGE = #", "web/lib/directory.js: ROOM_PAGE = #", "docs/protocol.md: `limit` is 1 to #, and",
	}},
	{"announcedRoom of shared/fanout", nil, []string{
		"shared/fanout/audience.go: announcedRoom = #", "operate/cost/routes.go: announcedRoom = #", "docs/protocol.md: joined or left. In rooms of more than # members",
	}},
	{"retainWrites", nil, []string{
		"shared/httpapi/places.go: retainWrites = #", "operate/cost/routes.go: retainWeight = #", "docs/protocol.md: To change it counts as # changes",
	}},
	{"successors", nil, []string{
		"operate/cost/routes.go: successors = #", "README.md: (of the first # by user id)",
	}},
	{"fanout.SliceAbove", nil, []string{
		"shared/fanout/slice.go: SliceAbove = #", "operate/cost/workload.go: MaxMembers = #", "README.md: unlimited: above # members it is served in slices",
	}},
	{"roomlist.FrozenAbove", nil, []string{
		"shared/roomlist/project.go: FrozenAbove = #", "operate/cost/units.go: if members > # {", "README.md: Rooms of more than # members don't move",
		"docs/protocol.md: or has over # members", "docs/protocol.md: A room of over # members stays",
	}},
	{"notifiedRoom of shared/fanout", nil, []string{
		"shared/fanout/notifications.go: notifiedRoom = #", "operate/cost/backends.go: notifiedRoom = #", "docs/protocol.md: or is in a room of at most # members.",
		"docs/protocol.md: more than # members mentions alone",
	}},
	{"API Gateway's longest connection, in hours", []int{int(longestConnection.Hours())}, []string{
		"local/apigateway/websocket.go: lifetime = # * time.Hour", "client/session.go: maxLifetime = # * time.Hour",
		"operate/cost/workload.go: maxSession = # * time.Hour", "README.md: | a connection | # h,",
		"docs/protocol.md: in either direction, and after # hours in", "docs/protocol.md: replace the connection before the # hours,",
		"web/lib/connection.js: ends every connection after # hours.",
	}},
	{"cost.Session, in minutes", []int{int(cost.Session.Minutes())}, []string{
		"web/lib/connection.js: LIFETIME = # * MINUTE", "docs/operations.md: a connection lasts # minutes, in",
	}},
	{"the longest pause of a client before it connects again, in seconds", nil, []string{
		"client/client.go: backoffCap = # * time.Second", "web/lib/connection.js: RETRY_CAP = #_000",
	}},
	{"chat.TypingEvery, in ms", []int{int(chat.TypingEvery / time.Millisecond)}, []string{"web/lib/typing.js: AGAIN_AFTER = #"}},

	{"chat.ConnectRate, ConnectBurst", []int{chat.ConnectRate, chat.ConnectBurst}, []string{
		"README.md: | a user: connections | # a minute, in bursts of # |", "docs/protocol.md: | connections | # a minute, in bursts of # |",
		"docs/operations.md: | `connectRate`, `connectBurst` | #, # |",
	}},
	{"chat.SendRate, SendBurst", []int{chat.SendRate, chat.SendBurst}, []string{
		"README.md: | a user: messages | # a second, in bursts of # |", "docs/protocol.md: | messages | # a second, in bursts of #.",
		"docs/operations.md: | `sendRate`, `sendBurst` | #, # |",
	}},
	{"chat.WriteRate, WriteBurst", []int{chat.WriteRate, chat.WriteBurst}, []string{
		"README.md: | a user: changes by the HTTP API | # a second, in bursts of # |", "docs/protocol.md: each as one | # a second, in bursts of # |",
		"docs/operations.md: | `writeRate`, `writeBurst` | #, # |",
		"shared/httpapi/openapi.json: and # changes a second, in bursts of #;",
	}},
	{"chat.ReadRate, ReadBurst", []int{chat.ReadRate, chat.ReadBurst}, []string{
		"README.md: | a user: reads by the HTTP API | # a second, in bursts of # |", "docs/protocol.md: profiles, files | # a second, in bursts of # |",
		"docs/operations.md: | `readRate`, `readBurst` | #, # |",
		"shared/httpapi/openapi.json: these are # reads a second, in bursts of #,",
	}},
	{"chat.ReportRate, ReportBurst", []int{chat.ReportRate, chat.ReportBurst}, []string{
		"docs/protocol.md: | reports of messages | # a minute, in bursts of # |", "docs/operations.md: | `reportRate`, `reportBurst` | #, # |",
	}},
	{"what follows from chat.SendRate by Shared()", []int{chat.SendRate, messages.Shared().Burst}, []string{
		"docs/protocol.md: functions # a second in bursts of #, counted in twenties",
	}},
	{"what follows from chat.SendRate by Sustained()", []int{chat.SendRate / chat.SustainedPart, messages.Sustained().Burst}, []string{
		"README.md: messages, changes and reads together | [#⅓ a second] … in bursts of #;",
		"docs/protocol.md: follows from them | #⅓ a second, in bursts of #:",
	}},
	{"an hour of chat.RateLimit.Sustained()", []int{messages.Sustained().Burst + int(time.Hour/messages.Sustained().Interval)}, []string{
		"docs/operations.md: by what they weigh, of # in",
	}},
	{"chat.SustainedFor, in seconds", []int{int(chat.SustainedFor.Seconds())}, []string{"docs/operations.md: # s of the full rate at once, and a third of it"}},
	{"chat.RefusedRate, RefusedBurst", []int{chat.RefusedRate, chat.RefusedBurst}, []string{
		"client/send.go: more than # refused frames a minute, after a burst of #.", "docs/protocol.md: is closed: more than # a minute, after a burst of #.",
	}},
	{"chat.PingRate, PingBurst, TypingRate, IgnoredRate, IgnoredBurst", []int{
		chat.PingRate, chat.PingBurst, chat.TypingRate, int(chat.TypingEvery.Seconds()), chat.IgnoredRate, chat.IgnoredBurst,
	}, []string{
		"docs/protocol.md: about # a minute, in bursts of #. A user's `typing` has one of # a minute. … less than # s before … has one of #, in bursts of #.",
	}},
	{"chat.EndingBurst, EndingInterval", []int{chat.EndingBurst, int(chat.EndingInterval.Minutes())}, []string{
		"docs/protocol.md: at most # times at once, and once more every # minutes;",
	}},

	{"a month by cost.DefaultWorkload(), to ten dollars, and its connections", []int{
		rounded(cost.Of(cost.Streamroom, cost.DefaultWorkload()).Bill(false).Total(), 10), cost.DefaultWorkload().Connections,
	}, []string{"README.md: about $# a month for # connections and five messages a second to rooms of ten,"}},
	{"a million messages at cost.Busy, to a dollar", []int{rounded(cost.Messages(cost.Streamroom, busyRoom(), 1_000_000).Total(), 1)}, []string{
		"README.md: about $# for a million messages in a busy room of ten.",
	}},
}

// busyRoom is the room of the figure that docs/operations.md has of a million messages.
func busyRoom() cost.Workload {
	w := cost.DefaultWorkload()
	w.Online, w.Pace = 1, cost.Busy
	return w
}

// rounded rounds a price to a number of dollars.
func rounded(price, to float64) int { return int(math.Round(price/to) * to) }

// bounds are what the schemas of openapi.json and asyncapi.json bound, by a property or a
// component, and a keyword. Where a property has another bound in one component, that is named
// before it.
var bounds = map[string]int{
	"UserId maxLength":                 chat.MaxUserID,
	"RoomName maxLength":               chat.MaxRoomName,
	"DisplayName maxLength":            chat.MaxDisplayName,
	"Content maxLength":                chat.MaxContent,
	"content maxLength":                chat.MaxContent,
	"preview maxLength":                chat.MaxPreview,
	"reason maxLength":                 chat.MaxReason,
	"address maxLength":                chat.MaxAddress,
	"endpoint maxLength":               chat.MaxEndpoint,
	"Attachment name maxLength":        chat.MaxFileName,
	"AttachmentRequest name maxLength": 4_096,  // maxGivenName of shared/chat
	"width maximum":                    65_535, // maxPixels
	"height maximum":                   65_535,
	"mutedUntil maximum":               253_402_300_799_999, // maxTime
	"until maximum":                    253_402_300_799_999,
	"attachments maxItems":             chat.MaxAttachments,
	"attachments maximum":              chat.MaxAttachments,
	"mentions maxItems":                chat.MaxMentions,
	"Mentions maxItems":                chat.MaxMentions,
	"mentions maximum":                 chat.MaxUnread,
	"unread maximum":                   chat.MaxUnread,
	"Reaction maxLength":               chat.MaxReaction,
	"counts maxProperties":             chat.MaxReactionKinds,
	"NewRoom members maxItems":         chat.MaxInitialMember,
	"ProfilesRequest users maxItems":   chat.MaxProfiles,
	"SyncRequest rooms maxProperties":  chat.MaxSyncRooms,
	"Missed messages maxItems":         chat.MaxSyncMessages,
	"retentionDays maximum":            chat.MaxRetentionDays,
	"RetentionDays maximum":            chat.MaxRetentionDays,
	"radiusInQuery minimum":            chat.MinRadius,
	"radiusInQuery maximum":            chat.MaxRadius,
	"radiusInQuery default":            chat.DefaultRadius,
	"limitInQuery default":             50, // defaultLimit of shared/httpapi
	"limitInQuery maximum":             client.MaxPage,
	"online maximum":                   client.MaxPage,
	"maxItems":                         client.MaxPage, // of any other list
	"lat minimum":                      -90,
	"lat maximum":                      90,
	"lon minimum":                      -180,
	"lon maximum":                      180,
	"latInQuery minimum":               -90,
	"latInQuery maximum":               90,
	"lonInQuery minimum":               -180,
	"lonInQuery maximum":               180,
}

// waits are how long clients wait for a function. They outlast it: what is asked again earlier
// is asked of two at a time, and counts twice in its user's limits.
var waits = []struct {
	function string
	unit     time.Duration
	place    string
}{
	{topology.SendMessage, time.Second, "client/send.go: ackTimeout = # * time.Second"},
	{topology.SendMessage, time.Millisecond, "web/lib/outbox.js: ACK_WITHIN = #"},
	{topology.Fanout, time.Second, "client/succession.go: lingerFor = # * time.Second"},
	{topology.Fanout, time.Millisecond, "web/lib/connection.js: LINGER = #"},
	{topology.Default, time.Second, "client/session.go: pongTimeout = # * time.Second"},
	{topology.Default, time.Millisecond, "web/lib/attempt.js: PONG_WITHIN = #"},
	{topology.API, time.Second, "client/sync.go: syncTimeout = # * time.Second"},
	{topology.API, time.Millisecond, "web/lib/api.js: ANSWER_WITHIN = #"},
}

// longestConnection is after what time API Gateway ends a connection.
const longestConnection = 2 * time.Hour

// messages is a user's limit of messages.
var messages = chat.PerSecond(chat.SendRate, chat.SendBurst)

func TestCopies(t *testing.T) {
	for _, c := range copies {
		want := c.values
		for _, place := range c.places {
			for _, f := range find(t, place) {
				if want == nil {
					want = f.numbers
				}
				if !slices.Equal(f.numbers, want) {
					t.Errorf("%s has %d, and %s is %d: change that copy, too", f.line, f.numbers, c.name, want)
				}
			}
		}
	}
}

func TestCopies_ClientsOutlastFunctions(t *testing.T) {
	timeouts := map[string]time.Duration{}
	for _, f := range topology.Functions() {
		timeouts[f.Name] = f.Timeout
	}
	for _, w := range waits {
		for _, f := range find(t, w.place) {
			if got := time.Duration(f.numbers[0]) * w.unit; got < timeouts[w.function] {
				t.Errorf("%s has %s, and %s may take %s (shared/topology/topology.go): wait at least that long", f.line, got, w.function, timeouts[w.function])
			}
		}
	}
}

// A client that keeps a connection until API Gateway ends it has none for a moment, and what
// counts connections by their age must not take a living one for one that is over.
func TestCopies_ConnectionsAreReplacedBeforeTheirEnd(t *testing.T) {
	if chat.ConnectionLife <= longestConnection {
		t.Errorf("chat.ConnectionLife is %s, and API Gateway keeps a connection for %s: want more", chat.ConnectionLife, longestConnection)
	}
	life := find(t, "web/lib/connection.js: LIFETIME = # * MINUTE")
	spread := find(t, "web/lib/connection.js: clock, LIFETIME, 0.#)")
	least := find(t, "client/session.go: float64(life)*(0.#+0.#*c.random())")
	if t.Failed() {
		return
	}
	web := time.Duration(life[0].numbers[0]) * time.Minute * time.Duration(100+spread[0].numbers[0]) / 100
	of := least[0].numbers
	device := longestConnection * time.Duration(of[0]+of[1]) / 100 // of maxLifetime, in copies
	for line, longest := range map[string]time.Duration{spread[0].line: web, least[0].line: device} {
		if longest > longestConnection-time.Minute {
			t.Errorf("%s keeps a connection for up to %s, and API Gateway for %s: want a minute less at least, for the next one", line, longest, longestConnection)
		}
	}
}

func TestCopies_OfSchemas(t *testing.T) {
	used := map[string]bool{}
	for _, file := range []string{"shared/httpapi/openapi.json", "shared/httpapi/asyncapi.json"} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var description struct {
			Components map[string]map[string]any
		}
		if err := json.Unmarshal(content, &description); err != nil {
			t.Fatal(err)
		}
		for kind, components := range description.Components {
			for name, component := range components {
				eachBound(component, name, func(property, keyword string, got int) {
					if keyword == "minimum" && (got == 0 || got == 1) {
						return
					}
					keys := []string{name + " " + property + " " + keyword, property + " " + keyword, keyword}
					i := slices.IndexFunc(keys, func(key string) bool { _, ok := bounds[key]; return ok })
					if i < 0 {
						t.Errorf("%s bounds %s of components.%s.%s by %s %d: say in bounds, in this test, whose copy that is", file, property, kind, name, keyword, got)
						return
					}
					used[keys[i]] = true
					if want := bounds[keys[i]]; got != want {
						t.Errorf("%s: components.%s.%s has %s %d for %s, want %d", file, kind, name, keyword, got, property, want)
					}
				})
			}
		}
	}
	for key := range bounds {
		if !used[key] {
			t.Errorf("no schema has the bound %s", key)
		}
	}
}

// roles are where a role of members is named, each by a text in which ROLE stands for it.
var roles = []string{
	"shared/httpapi/openapi.json: \"ROLE\"", "shared/httpapi/asyncapi.json: \"ROLE\"", "docs/protocol.md: A member of a group is … `ROLE`",
	"client/moderation.go: = \"ROLE\"", "client/shapes.go: RoleROLE", "web/lib/api.js: `ROLE`", "web/lib/standings.js: `ROLE`",
	"web/lib/roomactions.js: \"ROLE\"", "web/app/ui/membermenu.js: , \"ROLE\", ",
}

func TestCopies_OfRoles(t *testing.T) {
	for _, place := range roles {
		file, text, _ := strings.Cut(place, ": ")
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, role := range chat.Roles {
			text := strings.ReplaceAll(text, "ROLE", string(role))
			if !regexp.MustCompile("(?i)" + textPattern(text)).Match(content) {
				t.Errorf("%s does not have %q: members may have the role %s (chat.Roles)", file, text, role)
			}
		}
	}
}

// eachBound calls do with the bounds of a part of a component, and the property that it is of.
func eachBound(part any, property string, do func(property, keyword string, value int)) {
	switch part := part.(type) {
	case map[string]any:
		for name, value := range part {
			number, isNumber := value.(float64)
			switch {
			case isNumber && slices.Contains(bounding, name):
				do(property, name, int(number))
			case name == "properties":
				properties, _ := value.(map[string]any)
				for property, schema := range properties {
					eachBound(schema, property, do)
				}
			case name != "examples" && name != "example":
				eachBound(value, property, do)
			}
		}
	case []any:
		for _, value := range part {
			eachBound(value, property, do)
		}
	}
}

var bounding = []string{"minimum", "maximum", "maxLength", "maxItems", "maxProperties", "default"}

type found struct {
	line    string // file:line
	numbers []int
}

// textPattern matches the text of a place. Words may be apart as where a comment goes on in its
// next line.
func textPattern(text string) string {
	return strings.NewReplacer(" … ", `[\s\S]{1,300}?`, " ", `(?:\s|//|\*)+`, "#", `([0-9]+(?:[_,][0-9]{3})*)`).Replace(regexp.QuoteMeta(text))
}

// find returns where the text of a place is. It is there at least once.
func find(t *testing.T, place string) []found {
	t.Helper()
	file, text, _ := strings.Cut(place, ": ")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []found
	for _, at := range regexp.MustCompile(textPattern(text)).FindAllSubmatchIndex(content, -1) {
		f := found{line: fmt.Sprintf("%s:%d", file, 1+bytes.Count(content[:at[2]], []byte("\n")))}
		for i := 2; i < len(at); i += 2 {
			n, err := strconv.Atoi(strings.NewReplacer("_", "", ",", "").Replace(string(content[at[i]:at[i+1]])))
			if err != nil {
				t.Fatal(err)
			}
			f.numbers = append(f.numbers, n)
		}
		all = append(all, f)
	}
	if len(all) == 0 {
		t.Errorf("%s does not have %q, # being a number: look for where it went, and correct this test's table", file, text)
	}
	return all
}
