// Command guregu creates, reads, queries, updates and deletes with guregu/dynamo, in
// transactions too, against the endpoint in DYNAMO_ENDPOINT. It sends KeyConditions with every
// query. It is a module of its own, so that no one else gets its dependencies.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/guregu/dynamo/v2"
)

type message struct {
	Room string   `dynamo:"room,hash"`
	ID   int      `dynamo:"id,range"`
	Text string   `dynamo:"text"`
	Tags []string `dynamo:"tags,set,omitempty"`
	N    int      `dynamo:"n"`
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "guregu/dynamo:", err)
		os.Exit(1)
	}
	fmt.Println("guregu/dynamo: passed")
}

func run(ctx context.Context) error {
	db := dynamo.New(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(os.Getenv("DYNAMO_ENDPOINT")),
		Credentials: credentials.NewStaticCredentialsProvider("any", "any", ""),
	})
	type row struct {
		Room string `dynamo:"room,hash"`
		ID   int    `dynamo:"id,range"`
		Text string `dynamo:"text"`
	}
	if err := db.CreateTable("guregu", row{}).OnDemand(true).Wait(ctx); err != nil {
		return fmt.Errorf("create: %w", err)
	}
	table := db.Table("guregu")
	if _, err := table.UpdateTable().CreateIndex(dynamo.Index{
		Name: "byText", HashKey: "text", HashKeyType: dynamo.StringType, ProjectionType: dynamo.AllProjection,
	}).Run(ctx); err != nil {
		return fmt.Errorf("add an index: %w", err)
	}
	for i := range 4 {
		if err := table.Put(message{Room: "r", ID: i, Text: "hello", Tags: []string{"a"}, N: i}).If("attribute_not_exists(room)").Run(ctx); err != nil {
			return fmt.Errorf("put: %w", err)
		}
	}
	var found []message
	if err := table.Get("room", "r").Range("id", dynamo.Between, 1, 3).Filter("n > ?", 1).Order(dynamo.Descending).All(ctx, &found); err != nil {
		return fmt.Errorf("query: %w", err)
	}
	if len(found) != 2 || found[0].ID != 3 {
		return fmt.Errorf("query: got %+v", found)
	}
	found = nil
	if err := table.Get("text", "hello").Index("byText").Project("room", "id").All(ctx, &found); err != nil {
		return fmt.Errorf("query of an index: %w", err)
	}
	if len(found) != 4 {
		return fmt.Errorf("query of an index: got %+v", found)
	}
	var updated message
	if err := table.Update("room", "r").Range("id", 1).Set("text", "changed").Add("n", 5).AddStringsToSet("tags", "b").Value(ctx, &updated); err != nil {
		return fmt.Errorf("update: %w", err)
	}
	if updated.N != 6 || updated.Text != "changed" || len(updated.Tags) != 2 {
		return fmt.Errorf("update: got %+v", updated)
	}
	err := db.WriteTx().Delete(table.Delete("room", "r").Range("id", 2)).Put(table.Put(message{Room: "r", ID: 1}).If("n = ?", 0)).Run(ctx)
	if !dynamo.IsCondCheckFailed(err) {
		return fmt.Errorf("transaction: got %v, want a failed condition", err)
	}
	count, err := table.Scan().Filter("n >= ?", 2).Count(ctx)
	if err != nil {
		return fmt.Errorf("scan: %w", err)
	}
	if count != 3 {
		return fmt.Errorf("scan: got %d items, want 3", count)
	}
	if err := table.Get("room", "none").Range("id", dynamo.Equal, 1).One(ctx, &updated); !errors.Is(err, dynamo.ErrNotFound) {
		return fmt.Errorf("get: got %v, want ErrNotFound", err)
	}
	return nil
}
