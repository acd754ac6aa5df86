package erase

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/operate/throttle"
	"github.com/streamroom/streamroom/shared/dynamo"
)

// meter is a client of the table that counts and limits the units which its requests take.
// Those of a request are waited for after it.
type meter struct {
	dynamo.Client
	reads, writes throttle.Throttle

	mu                    sync.Mutex
	readUnits, writeUnits float64
}

var total = types.ReturnConsumedCapacityTotal

func (m *meter) used() (reads, writes float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.readUnits, m.writeUnits
}

func (m *meter) read(ctx context.Context, used ...*types.ConsumedCapacity) error {
	units := sum(used)
	m.mu.Lock()
	m.readUnits += units
	m.mu.Unlock()
	return m.reads.Take(ctx, units)
}

func (m *meter) written(ctx context.Context, used ...*types.ConsumedCapacity) error {
	units := sum(used)
	m.mu.Lock()
	m.writeUnits += units
	m.mu.Unlock()
	return m.writes.Take(ctx, units)
}

func sum(used []*types.ConsumedCapacity) (units float64) {
	for _, c := range used {
		units += throttle.Units(c)
	}
	return units
}

func all(used []types.ConsumedCapacity) []*types.ConsumedCapacity {
	pointers := make([]*types.ConsumedCapacity, len(used))
	for i := range used {
		pointers[i] = &used[i]
	}
	return pointers
}

// GetItem implements dynamo.Client.
func (m *meter) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	in.ReturnConsumedCapacity = total
	out, err := m.Client.GetItem(ctx, in, o...)
	if err != nil {
		return nil, err
	}
	return out, m.read(ctx, out.ConsumedCapacity)
}

// Query implements dynamo.Client.
func (m *meter) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	in.ReturnConsumedCapacity = total
	out, err := m.Client.Query(ctx, in, o...)
	if err != nil {
		return nil, err
	}
	return out, m.read(ctx, out.ConsumedCapacity)
}

// BatchGetItem implements dynamo.Client.
func (m *meter) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	in.ReturnConsumedCapacity = total
	out, err := m.Client.BatchGetItem(ctx, in, o...)
	if err != nil {
		return nil, err
	}
	return out, m.read(ctx, all(out.ConsumedCapacity)...)
}

// PutItem implements dynamo.Client.
func (m *meter) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	in.ReturnConsumedCapacity = total
	out, err := m.Client.PutItem(ctx, in, o...)
	if err != nil {
		return nil, err
	}
	return out, m.written(ctx, out.ConsumedCapacity)
}

// UpdateItem implements dynamo.Client.
func (m *meter) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	in.ReturnConsumedCapacity = total
	out, err := m.Client.UpdateItem(ctx, in, o...)
	if err != nil {
		return nil, err
	}
	return out, m.written(ctx, out.ConsumedCapacity)
}

// DeleteItem implements dynamo.Client.
func (m *meter) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, o ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	in.ReturnConsumedCapacity = total
	out, err := m.Client.DeleteItem(ctx, in, o...)
	if err != nil {
		return nil, err
	}
	return out, m.written(ctx, out.ConsumedCapacity)
}

// BatchWriteItem implements dynamo.Client.
func (m *meter) BatchWriteItem(ctx context.Context, in *dynamodb.BatchWriteItemInput, o ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error) {
	in.ReturnConsumedCapacity = total
	out, err := m.Client.BatchWriteItem(ctx, in, o...)
	if err != nil {
		return nil, err
	}
	return out, m.written(ctx, all(out.ConsumedCapacity)...)
}

// TransactWriteItems implements dynamo.Client.
func (m *meter) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	in.ReturnConsumedCapacity = total
	out, err := m.Client.TransactWriteItems(ctx, in, o...)
	if err != nil {
		return nil, err
	}
	return out, m.written(ctx, all(out.ConsumedCapacity)...)
}
