package dynamodb_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/local/dynamodb"
)

func TestExpiry(t *testing.T) {
	clock := clockwork.NewFakeClock()
	f := start(t, dynamodb.Options{Clock: clock})
	now := clock.Now().Unix()
	expiring := func(sk string, at int64) { f.put(t, with(key("p", sk), "ttl", num(fmt.Sprint(at)))) }
	expiring("soon", now+10)
	expiring("later", now+1000)
	expiring("prolonged", now+10)
	expiring("prolonged", now+1000)
	expiring("long ago", now-6*365*24*3600)
	f.put(t, with(key("p", "text"), "ttl", str(fmt.Sprint(now+10))))
	f.put(t, key("p", "none"))
	for i := range 600 {
		f.put(t, with(key("many", fmt.Sprint(i)), "ttl", num(fmt.Sprint(now+5))))
	}
	wake, stop := f.engine.Subscribe()
	defer stop()
	equal(t, "expired but not yet removed", len(f.get(t, "p", "soon")), 3)
	clock.Advance(11 * time.Second)
	<-wake
	waitFor(t, func() bool {
		return f.get(t, "p", "soon") == nil && f.get(t, "many", "599") == nil && f.get(t, "many", "0") == nil
	})
	for _, sk := range []string{"later", "prolonged", "long ago", "text", "none"} {
		if f.get(t, "p", sk) == nil {
			t.Errorf("%s was removed", sk)
		}
	}
	removed := 0
	for _, r := range f.everything(t) {
		if r.EventName != streamtypes.OperationTypeRemove {
			continue
		}
		removed++
		if r.UserIdentity == nil || *r.UserIdentity.Type != "Service" || *r.UserIdentity.PrincipalId != "dynamodb.amazonaws.com" || r.Dynamodb.OldImage["ttl"] == nil {
			t.Fatalf("got %+v of %+v", r.Dynamodb, r.UserIdentity)
		}
	}
	if removed != 601 {
		t.Errorf("%d items were removed, want 601", removed)
	}
	specification := func(on bool) error {
		_, err := f.UpdateTimeToLive(t.Context(), &ddb.UpdateTimeToLiveInput{
			TableName: aws.String("chat"), TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("ttl"), Enabled: aws.Bool(on)},
		})
		return err
	}
	refused(t, specification(true), "ValidationException", "TimeToLive is already enabled")
	if err := specification(false); err != nil {
		t.Fatal(err)
	}
	refused(t, specification(false), "ValidationException", "TimeToLive is already disabled")
	if err := specification(true); err != nil { // takes up the items that are there
		t.Fatal(err)
	}
	clock.Advance(1000 * time.Second)
	waitFor(t, func() bool { return f.get(t, "p", "later") == nil && f.get(t, "p", "prolonged") == nil })
}

func TestTTLLag(t *testing.T) {
	clock := clockwork.NewFakeClock()
	f := start(t, dynamodb.Options{Clock: clock, TTLLag: time.Hour})
	for sk, after := range map[string]int64{"first": 10, "second": 20} {
		f.put(t, with(key("p", sk), "ttl", num(fmt.Sprint(clock.Now().Unix()+after))))
	}
	clock.Advance(time.Hour + 15*time.Second)
	waitFor(t, func() bool { return f.get(t, "p", "first") == nil })
	if f.get(t, "p", "second") == nil {
		t.Error("an item was removed before the lag")
	}
	if _, err := dynamodb.Open(t.Context(), dynamodb.Options{TTLLag: -1}); err == nil {
		t.Error("a negative lag is taken")
	}
}

// Nothing is left of a table and its stream: another one gets their numbers once the file is
// opened again.
func TestDeletedStream(t *testing.T) {
	clock := clockwork.NewFakeClock()
	o := dynamodb.Options{Shards: 3, Clock: clock, Path: filepath.Join(t.TempDir(), "data.db")}
	e, err := dynamodb.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	f := clients(e)
	f.createChat(t)
	f.put(t, key("p", "s"))
	if _, err := f.DeleteTable(t.Context(), &ddb.DeleteTableInput{TableName: aws.String("chat")}); err != nil {
		t.Fatal(err)
	}
	clock.Advance(25 * time.Hour)
	waitFor(t, func() bool {
		clock.Advance(time.Minute) // the sweeper may not have been waiting for the last one
		out, err := f.streams.ListStreams(t.Context(), &dynamodbstreams.ListStreamsInput{})
		return err == nil && len(out.Streams) == 0
	})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	f = start(t, o)
	f.put(t, key("p", "s"))
	equal(t, "records", len(f.everything(t)), 1)
}
