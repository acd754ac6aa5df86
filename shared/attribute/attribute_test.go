package attribute_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/table"
)

func TestGetters(t *testing.T) {
	it := attribute.Item{
		"text": attribute.Text("x"), "number": attribute.Number(-7),
		"map": &types.AttributeValueMemberM{Value: attribute.Item{"a": attribute.Number(1)}}, "fraction": &types.AttributeValueMemberN{Value: "1.5"},
	}
	if got := attribute.GetText(it, "text"); got != "x" {
		t.Errorf("GetText: got %q", got)
	}
	if got := attribute.GetNumber(it, "number"); got != -7 {
		t.Errorf("GetNumber: got %d", got)
	}
	if got, ok := attribute.GetMap(it, "map"); !ok || attribute.GetNumber(got, "a") != 1 {
		t.Errorf("GetMap: got %v, %t", got, ok)
	}
	// Another type, and none.
	for _, name := range []string{"fraction", "absent"} {
		_, isMap := attribute.GetMap(it, name)
		if attribute.GetText(it, name) != "" || attribute.GetNumber(it, name) != 0 || isMap {
			t.Errorf("%s is found", name)
		}
	}
}

func TestKeyRoundTrip(t *testing.T) {
	k := table.Member("room", "bob")
	if got := attribute.KeyOf(attribute.Key(k)); got != k {
		t.Errorf("got %v, want %v", got, k)
	}
}

func TestExpired(t *testing.T) {
	at := time.Unix(1_000, 999_999_999)
	for ttl, want := range map[int64]bool{0: false, 999: true, 1_000: true, 1_001: false} {
		if got := attribute.Expired(attribute.Item{table.TTL: attribute.Number(ttl)}, at); got != want {
			t.Errorf("ttl %d: got %t, want %t", ttl, got, want)
		}
	}
	if attribute.Expired(nil, at) {
		t.Error("an item without a ttl has expired")
	}
}
