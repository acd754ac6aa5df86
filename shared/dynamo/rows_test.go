package dynamo_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/fanout"
)

func onlineRow(user, connection string, connectedAt int, more string) string {
	return fmt.Sprintf(`{"SK":{"S":"ONLINE#%s#%s"},"connectedAt":{"N":"%d"}%s}`, user, connection, connectedAt, more)
}

// Rows are read by whatever client, over pages, in a further attempt, and where an item has
// what rows are not for.
func TestRows(t *testing.T) {
	page := func(next string, rows ...string) answer {
		return answer{status: http.StatusOK, body: fmt.Sprintf(
			`{"Count":%d,"ScannedCount":%[1]d,"ConsumedCapacity":{"TableName":"t","CapacityUnits":0.5},"Items":[%s]%s}`, len(rows), strings.Join(rows, ","), next)}
	}
	const next = `,"LastEvaluatedKey":{"PK":{"S":"CHATROOM#r"},"SK":{"S":"ONLINE#alice#a1"}}`
	whole := page("", onlineRow("alice", "a1", 2, `,"ttl":{"N":"9"}`), onlineRow("bob", "b1", 1, ""))
	want := map[string][]chat.Connection{
		"alice": {{ID: "a1", UserID: "alice", ConnectedAt: 2}}, "bob": {{ID: "b1", UserID: "bob", ConnectedAt: 1}},
	}
	for name, answers := range map[string][]answer{
		"a page":            {whole},
		"two pages":         {page(next, onlineRow("alice", "a1", 2, "")), page("", onlineRow("bob", "b1", 1, ""))},
		"a further attempt": {{status: http.StatusInternalServerError, body: `{}`}, whole},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				table := &answering{t: t, answers: answers}
				sdk := &answering{t: t, answers: answers}
				for s, client := range map[*answering]dynamo.Client{
					table: dynamo.NewClient(config(table)), sdk: dynamodb.NewFromConfig(config(sdk)),
				} {
					got, err := dynamo.New(client, "t", func() time.Time { return time.Unix(8, 0) }).
						Online(t.Context(), "r", fanout.MemberRange{}, 5)
					if diff := cmp.Diff(want, got); err != nil || diff != "" {
						t.Errorf("error %v (-want +got):\n%s", err, diff)
					}
					if len(s.requests) != len(answers) {
						t.Errorf("%d requests, want %d", len(s.requests), len(answers))
					}
				}
				if name != "two pages" {
					return
				}
				for _, want := range []string{`"ExclusiveStartKey":{`, `"PK":{"S":"CHATROOM#r"}`, `"SK":{"S":"ONLINE#alice#a1"}`} {
					if !strings.Contains(table.requests[1], want) {
						t.Errorf("asked %s for the second page, without %s", table.requests[1], want)
					}
				}
			})
		})
	}

	damaged := page("", onlineRow("alice", "a1", 2, `,"ttl":{"SS":["9"]}`), onlineRow("bob", "b1", 1, ""))
	table := &answering{t: t, answers: []answer{damaged}}
	got, err := dynamo.New(dynamo.NewClient(config(table)), "t", time.Now).Online(t.Context(), "r", fanout.MemberRange{}, 5)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("with an attribute of another type: error %v (-want +got):\n%s", err, diff)
	}
}
