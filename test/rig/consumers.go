package rig

import (
	"context"
	"encoding/json"
	"strings"
	"sync"

	"github.com/aws/aws-lambda-go/events"
	awslambda "github.com/aws/aws-lambda-go/lambda"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
)

// A Bug answers a batch of stream records instead of a function. Without an
// answer and an error the function gets the batch.
type Bug func(function string, records []events.DynamoDBEventRecord) (answer []byte, err error)

// Consumers are the functions that read the table's stream, lastmessage and
// fanout, with a test between them and their callers.
type Consumers struct {
	fanout bool // run it

	mu      sync.Mutex
	bug     Bug
	handled map[string]int // by function and sort key: records that were not refused
	mapped  map[string]int // by function and the sort key's prefix: those of them from the mapping
}

func (c *Consumers) wrap(f local.Function) local.Function {
	construct := f.Construct
	f.Construct = func(env functions.Env) (awslambda.Handler, error) {
		next, err := construct(env)
		return consumer{c, f.Name, next}, err
	}
	return f
}

// Plant has both consumers behave as bug says; nil removes it.
func (c *Consumers) Plant(bug Bug) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bug = bug
}

// Refuse answers that all records of a batch failed.
func Refuse(records []events.DynamoDBEventRecord) ([]byte, error) {
	var answer events.DynamoDBEventResponse
	for _, r := range records {
		answer.BatchItemFailures = append(answer.BatchItemFailures, events.DynamoDBBatchItemFailure{ItemIdentifier: r.Change.SequenceNumber})
	}
	return json.Marshal(answer)
}

// Handled counts the different records that a function has processed, by sort key.
func (c *Consumers) Handled(function string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for key := range c.handled {
		if strings.HasPrefix(key, function+" ") {
			n++
		}
	}
	return n
}

// HasHandled reports whether a function has processed a record of an item, and so those
// before it in the item's partition, with all that it writes for them.
func (c *Consumers) HasHandled(function string, it Item) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.handled[function+" "+attribute.KeyOf(it).SK] > 0
}

// Reset has Handled start again at 0.
func (c *Consumers) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.handled)
}

// Mapped counts the records that lastmessage has processed whose sort key has a
// prefix and that came by its mapping, not from a tool.
func (c *Consumers) Mapped(prefix string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mapped[topology.LastMessage+" "+prefix]
}

func (c *Consumers) note(function string, records []events.DynamoDBEventRecord) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range records {
		sk := r.Change.Keys[table.SK].String()
		c.handled[function+" "+sk]++
		if prefix, _, ok := strings.Cut(sk, "#"); ok && r.EventSource != changes.ReplaySource {
			c.mapped[function+" "+prefix+"#"]++
		}
	}
}

// consumer is a function with Consumers in front of it.
type consumer struct {
	consumers *Consumers
	name      string
	next      awslambda.Handler
}

// Invoke implements lambda.Handler.
func (c consumer) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	switch {
	case c.name == topology.Fanout && !c.consumers.fanout:
		return nil, nil
	case c.name != topology.LastMessage && c.name != topology.Fanout:
		return c.next.Invoke(ctx, payload)
	}
	var event events.DynamoDBEvent
	if err := json.Unmarshal(payload, &event); err != nil {
		return nil, err
	}
	c.consumers.mu.Lock()
	bug := c.consumers.bug
	c.consumers.mu.Unlock()
	if bug != nil {
		if answer, err := bug(c.name, event.Records); answer != nil || err != nil {
			return answer, err
		}
	}
	answer, err := c.next.Invoke(ctx, payload)
	if err != nil {
		return nil, err
	}
	c.consumers.note(c.name, event.Records)
	return answer, nil
}
