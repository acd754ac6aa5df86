package dynamodb_test

import (
	"context"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/local/dynamodb"
)

// TestPanicFailsOneRequest has requests panic in the writer and outside of it: each is answered
// InternalServerError, writes of the same group succeed, and the engine goes on.
func TestPanicFailsOneRequest(t *testing.T) {
	for name, path := range map[string]string{"memory": "", "file": filepath.Join(t.TempDir(), "data.db")} {
		t.Run(name, func(t *testing.T) {
			f := start(t, dynamodb.Options{Path: path})
			server := httptest.NewServer(f.engine)
			t.Cleanup(server.Close)
			status, body := send(t, server, dynamodb.PanicTarget, strings.NewReader("{}"))
			if status != 500 || !strings.Contains(body, "InternalServerError") {
				t.Errorf("got %d %s, want 500 InternalServerError", status, body)
			}

			resume := f.engine.Pause()
			var waiting sync.WaitGroup
			const drop = "DELETE FROM meta"
			waiting.Go(func() {
				if err := f.engine.PanicInWriter(context.Background(), drop); err == nil || !strings.Contains(err.Error(), "a fault in the engine") {
					t.Errorf("got %v, want the panic", err)
				}
			})
			for i := range 4 {
				waiting.Go(func() {
					item := with(key("p", string(rune('a'+i))), "n", num("1"))
					if _, err := f.PutItem(context.Background(), &ddb.PutItemInput{TableName: aws.String("chat"), Item: item}); err != nil {
						t.Errorf("a write of the same group: %v", err)
					}
				})
			}
			resume()
			waiting.Wait()
			for i := range 4 {
				equal(t, "item", f.get(t, "p", string(rune('a'+i))), with(key("p", string(rune('a'+i))), "n", num("1")))
			}
			if held := f.engine.Locked(); held != 0 {
				t.Errorf("%d items are still locked", held)
			}
		})
	}
}

// TestContainsOnSets looks for an operand of every type in a number set, in a condition of a
// write: this once ended the process.
func TestContainsOnSets(t *testing.T) {
	f := start(t, dynamodb.Options{})
	it := with(key("p", "s"), "ns", &types.AttributeValueMemberNS{Value: []string{"1", "2"}})
	f.put(t, it)
	for _, kind := range operandKinds[:10] {
		_, err := f.PutItem(t.Context(), &ddb.PutItemInput{
			TableName: aws.String("chat"), Item: it, ConditionExpression: aws.String("contains(ns, :v)"),
			ExpressionAttributeValues: record{":v": operandValue(kind, false)},
		})
		if kind == "N" {
			if err != nil {
				t.Errorf("contains(ns, 1): %v", err)
			}
			continue
		}
		refused(t, err, "ConditionalCheckFailedException", "")
	}
}
