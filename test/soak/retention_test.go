package main

import (
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/client"
)

// A room that keeps messages for a day is judged by what is younger.
func TestRetention(t *testing.T) {
	clock := clockwork.NewFakeClock()
	messageOf := func(age time.Duration) ulid.ULID {
		var id ulid.ULID
		if err := id.SetTime(ulid.Timestamp(clock.Now().Add(-age))); err != nil {
			t.Fatal(err)
		}
		return id
	}
	kept, past := messageOf(23*time.Hour), messageOf(25*time.Hour)
	for name, tt := range map[string]struct {
		keeps   time.Duration
		history []stored
		want    Promise
	}{
		"as it is":            {day, []stored{{id: kept}}, ""},
		"past its time":       {day, []stored{{id: past}, {id: kept}}, Outlives},
		"by a second, maybe":  {day, []stored{{id: messageOf(day + time.Second)}}, ""},
		"of a room as others": {0, []stored{{id: past}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := &run{config: Config{Clock: clock}, ledger: &ledger{}}
			r.checkExpired(&room{keeps: tt.keeps}, tt.history)
			wantOne(t, r.ledger.broken(), tt.want)
		})
	}
	r := &run{config: Config{Clock: clock}, ledger: &ledger{}}
	shown := []client.HistoryMessage{
		{MessageID: past.String()}, {MessageID: kept.String(), ReplyTo: &client.Quote{MessageID: past.String(), Preview: "tea", Attachments: 1}},
	}
	for _, tt := range []struct {
		keeps time.Duration
		want  int
		quote string
	}{{0, 2, "tea"}, {day, 1, ""}} {
		got := r.withoutExpired(&room{keeps: tt.keeps}, shown)
		if len(got) != tt.want || got[len(got)-1].ReplyTo.Preview != tt.quote {
			t.Errorf("of a room that keeps messages for %s: got %+v, want %d messages, the last with the quote %q", tt.keeps, got, tt.want, tt.quote)
		}
	}
	// What is past its time need not be in the history, and what was seen of it neither.
	for keeps, want := range map[time.Duration]Promise{0: Lost, day: ""} {
		r := &run{config: Config{Clock: clock}, ledger: &ledger{}}
		r.checkHistory(&room{id: "r", keeps: keeps}, nil, []send{{room: "r", id: past}})
		wantOne(t, r.ledger.broken(), want)
	}
}
