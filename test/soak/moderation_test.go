package main

import (
	"testing"

	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/shared/wire"
)

// What members who are muted may not do, and others may.
func TestCheckRefusals_OfTheMuted(t *testing.T) {
	const user = "bob"
	stored := ulid.MustParse("01HZZZZZZZZZZZZZZZZZZZZZZZ")
	for name, tt := range map[string]struct {
		mutes []sentence
		send  send
		want  Promise
	}{
		"stored while muted":            {[]sentence{{10, 12, 90, 95}}, send{called: 20, returned: 30, id: stored}, Unauthorized},
		"refused while muted":           {[]sentence{{10, 12, 90, 95}}, send{called: 20, returned: 30, code: client.CodeMuted}, ""},
		"stored as the mute began":      {[]sentence{{10, 12, 90, 95}}, send{called: 11, returned: 30, id: stored}, ""},
		"stored as the mute ended":      {[]sentence{{10, 12, 90, 95}}, send{called: 85, returned: 91, id: stored}, ""},
		"refused as the mute ended":     {[]sentence{{10, 12, 90, 95}}, send{called: 92, returned: 94, code: client.CodeMuted}, ""},
		"refused after the mute":        {[]sentence{{10, 12, 90, 95}}, send{called: 96, returned: 97, code: client.CodeMuted}, Refused},
		"refused though never muted":    {nil, send{called: 20, returned: 30, code: client.CodeMuted}, Refused},
		"refused, a mute not answered":  {[]sentence{{10, never, 90, 95}}, send{called: 20, returned: 30, code: client.CodeMuted}, ""},
		"stored, a mute not answered":   {[]sentence{{10, never, 90, 95}}, send{called: 20, returned: 30, id: stored}, ""},
		"stored, and no one is muted":   {nil, send{called: 20, returned: 30, id: stored}, ""},
		"refused for another reason":    {nil, send{called: 20, returned: 30, code: client.CodeRateLimited}, ""},
		"refused as no member, muted":   {[]sentence{{10, 12, 90, 95}}, send{called: 20, returned: 30, code: client.CodeNotAMember}, Refused},
		"of unknown outcome, and muted": {[]sentence{{10, 12, 90, 95}}, send{called: 20, returned: 30}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			in := &room{id: "r", users: []string{"alice", user}, members: map[string][]membership{user: {{0, 0, never, never}}}, mutes: map[string][]sentence{user: tt.mutes}}
			r := &run{ledger: &ledger{}, rooms: []*room{in}}
			tt.send.room, tt.send.user = in.id, user
			r.checkRefusals([]send{tt.send})
			wantOne(t, r.ledger.broken(), tt.want)
		})
	}
}

// What two users may not do of whom one blocks the other.
func TestCheckRefusals_OfTheBlocked(t *testing.T) {
	stored := ulid.MustParse("01HZZZZZZZZZZZZZZZZZZZZZZZ")
	for name, tt := range map[string]struct {
		blocks []sentence
		send   send
		want   Promise
	}{
		"stored while blocked":           {[]sentence{{10, 12, never, never}}, send{called: 20, returned: 30, id: stored}, Unauthorized},
		"refused while blocked":          {[]sentence{{10, 12, never, never}}, send{called: 20, returned: 30, code: client.CodeForbidden}, ""},
		"stored after it":                {[]sentence{{10, 12, 90, 95}}, send{called: 91, returned: 99, id: stored}, ""},
		"refused after it":               {[]sentence{{10, 12, 90, 95}}, send{called: 96, returned: 99, code: client.CodeForbidden}, Refused},
		"refused, its end not sure":      {[]sentence{{10, 12, 90, never}}, send{called: 96, returned: 99, code: client.CodeForbidden}, ""},
		"refused, and no one blocks":     {nil, send{called: 20, returned: 30, code: client.CodeForbidden}, Refused},
		"stored, as it was not answered": {[]sentence{{10, never, never, never}}, send{called: 20, returned: 30, id: stored}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			in := &room{id: "r", dm: true, users: []string{"alice", "bob"}, members: map[string][]membership{"bob": {{0, 0, never, never}}}, blocks: tt.blocks}
			r := &run{ledger: &ledger{}, rooms: []*room{in}}
			tt.send.room, tt.send.user = in.id, "bob"
			r.checkRefusals([]send{tt.send})
			wantOne(t, r.ledger.broken(), tt.want)
		})
	}
}

// wantOne wants a broken promise, or none.
func wantOne(t *testing.T, broken []Violation, want Promise) {
	t.Helper()
	if want == "" && len(broken) > 0 || want != "" && (len(broken) != 1 || broken[0].Promise != want) {
		t.Errorf("got %v, want %q", broken, want)
	}
}

func TestCompareReports(t *testing.T) {
	key := [2]string{"m", "bob"}
	for name, tt := range map[string]struct {
		known  reports
		listed map[[2]string]bool
		want   Promise
	}{
		"as it is":             {reports{key: true}, map[[2]string]bool{key: true}, ""},
		"lost":                 {reports{key: true}, nil, Reported},
		"not sure":             {reports{key: false}, nil, ""},
		"not sure, and there":  {reports{key: false}, map[[2]string]bool{key: true}, ""},
		"dismissed, and there": {reports{}, map[[2]string]bool{key: true}, Reported},
		"no one reported":      {reports{}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := &days{run: &run{ledger: &ledger{}}}
			d.compareReports(&room{reports: tt.known}, tt.listed)
			wantOne(t, d.ledger.broken(), tt.want)
		})
	}
}

func TestComparePlaces(t *testing.T) {
	at := func(id string, n int) client.NearbyRoom { return client.NearbyRoom{ChatRoomID: id, Place: placeOf(n)} }
	for name, tt := range map[string]struct {
		spot  spot
		found []client.NearbyRoom
		want  Promise
	}{
		"where it is":              {spot{7, true}, []client.NearbyRoom{at("r", 7)}, ""},
		"not where it is":          {spot{7, true}, nil, Placed},
		"where it was":             {spot{8, true}, []client.NearbyRoom{at("r", 7)}, Placed},
		"where it is no more":      {spot{nowhere, true}, []client.NearbyRoom{at("r", 7)}, Placed},
		"at another place, though": {spot{7, true}, []client.NearbyRoom{at("r", 107)}, Placed},
		"another room":             {spot{nowhere, true}, []client.NearbyRoom{at("other", 7)}, Placed},
		"not sure":                 {spot{7, false}, nil, ""},
		"elsewhere":                {spot{8, true}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := &days{run: &run{ledger: &ledger{}}}
			d.comparePlaces(&room{id: "r", spot: tt.spot}, 7, tt.found)
			wantOne(t, d.ledger.broken(), tt.want)
		})
	}
	for _, n := range []int{0, 99, 100, 301} {
		if got := numberOf(placeOf(n)); got != n {
			t.Errorf("place %d is place %d", n, got)
		}
	}
}

func TestWrongFiles(t *testing.T) {
	f := file{"a.bin", "text/plain", 5, 1}
	there := wire.Attachment{AttachmentID: "1", Name: f.name, ContentType: f.contentType, Size: 5}
	longer := there
	longer.Size++
	for name, tt := range map[string]struct {
		sent    []string
		deleted bool
		shown   []wire.Attachment
		wrong   bool
	}{
		"as it was sent":        {[]string{"1"}, false, []wire.Attachment{there}, false},
		"without":               {[]string{"1"}, false, nil, true},
		"with one too many":     {nil, false, []wire.Attachment{there}, true},
		"of another size":       {[]string{"1"}, false, []wire.Attachment{longer}, true},
		"another one":           {[]string{"2"}, false, []wire.Attachment{there}, true},
		"deleted":               {[]string{"1"}, true, nil, false},
		"deleted, with its own": {[]string{"1"}, true, []wire.Attachment{there}, true},
	} {
		t.Run(name, func(t *testing.T) {
			l := &ledger{sends: []send{{files: tt.sent}}, files: map[string]file{"1": f, "2": f}}
			m := client.HistoryMessage{Attachments: tt.shown}
			if tt.deleted {
				m.DeletedAt = 1
			}
			if got := l.wrongFiles(0, m); (got != "") != tt.wrong {
				t.Errorf("got %q", got)
			}
		})
	}
}
