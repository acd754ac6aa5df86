package attribute_test

import (
	"testing"

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
