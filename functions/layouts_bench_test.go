package functions_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"golang.org/x/sync/errgroup"

	"github.com/streamroom/streamroom/test/cputime"
)

// This file measures what docs/adr/0010 decides by: ways to know which
// connections the members of a room have. It spells the keys itself, so that
// the evidence stays what it was when the table moves on.

// layout is a way to keep them and to read them. Beside a connection's own row
// it writes an entry of its user. With an index the stream's consumer also writes
// a row in each of the user's rooms, and still needs the entries: who joins a
// room may be online.
type layout struct {
	name    string
	read    func(t rivals, ctx context.Context, roomID string) ([]device, error)
	put     func(d device) types.TransactWriteItem
	drop    func(t rivals, ctx context.Context, d device) error
	indexed bool
}

var layouts = []layout{
	{"row-per-connection", rivals.readRows, device.puttingRow, rivals.dropRow, false},
	{"presence-item", rivals.readPresence, device.puttingEntry, rivals.dropEntry, false},
	{"room-index", rivals.readIndex, device.puttingEntry, rivals.dropEntry, true},
}

type attributes = map[string]types.AttributeValue

func textValue(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func numberValue(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func itemKey(pk, sk string) attributes { return attributes{"PK": textValue(pk), "SK": textValue(sk)} }

func textOf(it attributes, name string) string { return it[name].(*types.AttributeValueMemberS).Value }

func numberOf(it attributes, name string) int64 {
	n, _ := strconv.ParseInt(it[name].(*types.AttributeValueMemberN).Value, 10, 64)
	return n
}

// device is a user's connection.
type device struct {
	userID, id  string
	connectedAt int64 // ms
}

func (d device) key() attributes         { return itemKey("CONNECTION#"+d.id, "METADATA") }
func (d device) rowKey() attributes      { return itemKey("USER#"+d.userID, "CONNECTION#"+d.id) }
func (d device) presenceKey() attributes { return itemKey("USER#"+d.userID, "PRESENCE") }

// stamp adds when the connection began and when it is forgotten.
func (d device) stamp(it attributes) attributes {
	it["connectedAt"], it["ttl"] = numberValue(d.connectedAt), numberValue(d.connectedAt/1000+7500)
	return it
}

func (d device) puttingRow() types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{TableName: aws.String(tableName), Item: d.stamp(d.rowKey())}}
}

func (d device) puttingEntry() types.TransactWriteItem {
	entry := d.stamp(attributes{})
	return types.TransactWriteItem{Update: &types.Update{
		TableName: aws.String(tableName), Key: d.presenceKey(),
		UpdateExpression:          aws.String("SET #entry = :entry, #ttl = :ttl"),
		ExpressionAttributeNames:  map[string]string{"#entry": "CONNECTION#" + d.id, "#ttl": "ttl"},
		ExpressionAttributeValues: attributes{":entry": &types.AttributeValueMemberM{Value: entry}, ":ttl": entry["ttl"]},
	}}
}

func (d device) enter(roomID string) types.WriteRequest {
	it := d.stamp(itemKey("ROOMCONNECTIONS#"+roomID, d.id))
	it["userId"] = textValue(d.userID)
	return putting(it)
}

func (d device) leave(roomID string) types.WriteRequest {
	return types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: itemKey("ROOMCONNECTIONS#"+roomID, d.id)}}
}

func putting(it attributes) types.WriteRequest {
	return types.WriteRequest{PutRequest: &types.PutRequest{Item: it}}
}

// rivals is a table that has the connections in every layout.
type rivals struct {
	*ddb.Client
	now int64 // ms
}

// requestsAtOnce is how many reads fanout makes side by side.
const requestsAtOnce = 64

// sideBySide calls do for 0 to n-1, from few goroutines: calls into the SDK run
// deep, and a new stack for each costs a tenth of a broadcast.
func sideBySide(n int, do func(i int) error) error {
	var next atomic.Int64
	var group errgroup.Group
	for range min(n, requestsAtOnce) {
		group.Go(func() error {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// live says whether an item or an entry has not expired.
func (t rivals) live(it attributes) bool { return numberOf(it, "ttl") > t.now/1000 }

// read returns, strongly, the items of a partition whose sort keys start with prefix.
func (t rivals) read(ctx context.Context, pk, prefix string) (items []attributes, err error) {
	in := &ddb.QueryInput{
		TableName: aws.String(tableName), ConsistentRead: aws.Bool(true),
		KeyConditionExpression:    aws.String("PK = :pk AND begins_with(SK, :prefix)"),
		ExpressionAttributeValues: attributes{":pk": textValue(pk), ":prefix": textValue(prefix)},
	}
	for {
		out, err := t.Query(ctx, in)
		if err != nil {
			return nil, err
		}
		items = append(items, out.Items...)
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			return items, nil
		}
	}
}

// readIDs returns what follows the prefix in those sort keys.
func (t rivals) readIDs(ctx context.Context, pk, prefix string) ([]string, error) {
	items, err := t.read(ctx, pk, prefix)
	ids := make([]string, len(items))
	for i, it := range items {
		ids[i] = strings.TrimPrefix(textOf(it, "SK"), prefix)
	}
	return ids, err
}

// readRows asks for each member's rows.
func (t rivals) readRows(ctx context.Context, roomID string) ([]device, error) {
	members, err := t.readIDs(ctx, "CHATROOM#"+roomID, "MEMBER#")
	if err != nil {
		return nil, err
	}
	found := make([][]device, len(members))
	err = sideBySide(len(members), func(i int) error {
		items, err := t.read(ctx, "USER#"+members[i], "CONNECTION#")
		for _, it := range items {
			if t.live(it) {
				id := strings.TrimPrefix(textOf(it, "SK"), "CONNECTION#")
				found[i] = append(found[i], device{members[i], id, numberOf(it, "connectedAt")})
			}
		}
		return err
	})
	return slices.Concat(found...), err
}

// readPresence asks for the presence of 100 members at a time.
func (t rivals) readPresence(ctx context.Context, roomID string) ([]device, error) {
	members, err := t.readIDs(ctx, "CHATROOM#"+roomID, "MEMBER#")
	if err != nil {
		return nil, err
	}
	parts := slices.Collect(slices.Chunk(members, 100))
	found := make([][]device, len(parts))
	err = sideBySide(len(parts), func(i int) (err error) {
		found[i], err = t.devices(ctx, parts[i]...)
		return err
	})
	return slices.Concat(found...), err
}

func (t rivals) devices(ctx context.Context, users ...string) (found []device, err error) {
	keys := make([]attributes, len(users))
	for i, userID := range users {
		keys[i] = device{userID: userID}.presenceKey()
	}
	asked := map[string]types.KeysAndAttributes{tableName: {Keys: keys, ConsistentRead: aws.Bool(true)}}
	for len(asked) > 0 {
		out, err := t.BatchGetItem(ctx, &ddb.BatchGetItemInput{RequestItems: asked})
		if err != nil {
			return nil, err
		}
		for _, it := range out.Responses[tableName] {
			found = append(found, t.entries(it)...)
		}
		asked = out.UnprocessedKeys
	}
	return found, nil
}

func (t rivals) entries(presence attributes) (found []device) {
	userID := strings.TrimPrefix(textOf(presence, "PK"), "USER#")
	for name, value := range presence {
		id, ok := strings.CutPrefix(name, "CONNECTION#")
		entry, isMap := value.(*types.AttributeValueMemberM)
		if ok && isMap && t.live(entry.Value) {
			found = append(found, device{userID, id, numberOf(entry.Value, "connectedAt")})
		}
	}
	return found
}

// readIndex asks for nothing but the room's index.
func (t rivals) readIndex(ctx context.Context, roomID string) ([]device, error) {
	items, err := t.read(ctx, "ROOMCONNECTIONS#"+roomID, "R") // as all ids here begin
	found := make([]device, 0, len(items))
	for _, it := range items {
		if t.live(it) {
			found = append(found, device{textOf(it, "userId"), textOf(it, "SK"), numberOf(it, "connectedAt")})
		}
	}
	return found, err
}

// connect writes a connection's own row and its user's entry.
func (t rivals) connect(ctx context.Context, d device, entry types.TransactWriteItem) error {
	row := d.stamp(d.key())
	row["userId"], row["tokenExpiresAt"], row["rateTat"] = textValue(d.userID), numberValue(d.connectedAt+86_400_000), numberValue(0)
	_, err := t.TransactWriteItems(ctx, &ddb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Put: &types.Put{TableName: aws.String(tableName), Item: row}}, entry,
	}})
	return err
}

func (t rivals) remove(ctx context.Context, key attributes) error {
	_, err := t.DeleteItem(ctx, &ddb.DeleteItemInput{TableName: aws.String(tableName), Key: key})
	return err
}

func (t rivals) dropRow(ctx context.Context, d device) error { return t.remove(ctx, d.rowKey()) }

func (t rivals) dropEntry(ctx context.Context, d device) error {
	_, err := t.UpdateItem(ctx, &ddb.UpdateItemInput{
		TableName: aws.String(tableName), Key: d.presenceKey(),
		UpdateExpression:         aws.String("REMOVE #entry"),
		ConditionExpression:      aws.String("attribute_exists(#entry)"),
		ExpressionAttributeNames: map[string]string{"#entry": "CONNECTION#" + d.id},
	})
	var absent *types.ConditionalCheckFailedException
	if errors.As(err, &absent) {
		return nil
	}
	return err
}

// inUsersRooms writes to the indexes of all rooms that a connection's user is in.
func (t rivals) inUsersRooms(ctx context.Context, d device, write indexWrite) error {
	rooms, err := t.readIDs(ctx, "USER#"+d.userID, "CHATROOM#")
	if err != nil {
		return err
	}
	return t.index(ctx, []device{d}, rooms, write)
}

// ofUsersDevices writes to the index of a room that a user has joined or left.
func (t rivals) ofUsersDevices(ctx context.Context, userID, roomID string, write indexWrite) error {
	devices, err := t.devices(ctx, userID)
	if err != nil {
		return err
	}
	return t.index(ctx, devices, []string{roomID}, write)
}

// indexWrite is device.enter or device.leave.
type indexWrite func(d device, roomID string) types.WriteRequest

func (t rivals) index(ctx context.Context, devices []device, rooms []string, write indexWrite) error {
	var writes []types.WriteRequest
	for _, d := range devices {
		for _, roomID := range rooms {
			writes = append(writes, write(d, roomID))
		}
	}
	return t.writeAll(ctx, writes)
}

func (t rivals) writeAll(ctx context.Context, writes []types.WriteRequest) error {
	parts := slices.Collect(slices.Chunk(writes, 25))
	return sideBySide(len(parts), func(i int) error {
		_, err := t.BatchWriteItem(ctx, &ddb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{tableName: parts[i]}})
		return err
	})
}

// device makes ids that are as long as those of a user pool and of API Gateway.
func (t rivals) device(number, i int) device {
	return device{fmt.Sprintf("%08x-%04x-4000-8000-000000000000", i, number), fmt.Sprintf("R1kmxc%02d%07d=", number, i), t.now}
}

func (m metered) rivals(config aws.Config) rivals {
	return rivals{ddb.NewFromConfig(config), m.clock.now().UnixMilli()}
}

func roomID(number int) string { return fmt.Sprintf("room-%026d", number) }

// seed writes a room in every layout and returns how many members are online.
func (t rivals) seed(b *testing.B, number, members, percent int) (online int) {
	b.Helper()
	var writes []types.WriteRequest
	for i := range members {
		d := t.device(number, i)
		member := itemKey("CHATROOM#"+roomID(number), "MEMBER#"+d.userID)
		member["role"], member["joinedAt"] = textValue("member"), numberValue(t.now)
		writes = append(writes, putting(member))
		if i%(100/percent) > 0 {
			continue
		}
		online++
		presence := d.presenceKey()
		presence["CONNECTION#"+d.id] = &types.AttributeValueMemberM{Value: d.stamp(attributes{})}
		writes = append(writes, putting(d.stamp(d.rowKey())), putting(presence), d.enter(roomID(number)))
	}
	if err := t.writeAll(b.Context(), writes); err != nil {
		b.Fatal(err)
	}
	return online
}

// BenchmarkReadRoom prints what it takes to know whom a broadcast goes to. The
// time is that of an engine in this process; the CPU is this process's, with the
// engine in another one.
func BenchmarkReadRoom(b *testing.B) {
	m := newMetered(b, 0, 1)
	inside := m.env.AWS
	inside.HTTPClient = m.table.table
	url := startBackend(b)
	outside := newWorld(b, url, url+"/local", awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConns, t.MaxIdleConnsPerHost = requestsAtOnce, requestsAtOnce
	}), nil).env.AWS
	number := 0
	for _, members := range sizes(10, 100, 1_000, 10_000) {
		for _, percent := range []int{2, 50} {
			number++
			near, far := m.rivals(inside), m.rivals(outside)
			near.seed(b, number, members, percent)
			online := far.seed(b, number, members, percent)
			for _, l := range layouts {
				b.Run(fmt.Sprintf("%d-members/%d-percent-online/%s", members, percent, l.name), func(b *testing.B) {
					m.measureReads(b, near, far, members, func(t rivals) {
						found, err := l.read(t, b.Context(), roomID(number))
						if err != nil || len(found) != online {
							b.Fatalf("%d connections, %v; want %d", len(found), err, online)
						}
					})
				})
			}
		}
	}
}

func (m metered) measureReads(b *testing.B, near, far rivals, members int, read func(t rivals)) {
	b.Helper()
	read(far) // opens its connections
	m.table.take()
	m.table.away = nearby
	read(m.rivals(m.env.AWS))
	used := m.table.take()
	var cpu time.Duration
	for b.Loop() {
		read(near)
		b.StopTimer()
		before := cputime.Used(b)
		read(far)
		cpu += cputime.Used(b) - before
		b.StartTimer()
	}
	b.ReportMetric(float64(used.Requests), "requests/op")
	b.ReportMetric(float64(used.RoundTrips), "round-trips/op")
	b.ReportMetric(used.Read, "read-units/op")
	b.ReportMetric(micros(cpu)/float64(b.N), "cpu-us/op")
	b.ReportMetric(micros(cpu)/float64(b.N*members), "cpu-us/member")
}

// BenchmarkKeepConnection prints what it takes to keep a connection that begins
// and ends, in the routes and in the stream's consumer, and to keep an index when
// the user joins and leaves a room in between.
func BenchmarkKeepConnection(b *testing.B) {
	for _, l := range layouts {
		for _, rooms := range []int{1, 20} {
			b.Run(fmt.Sprintf("%s/%d-rooms", l.name, rooms), func(b *testing.B) { l.measureKeeping(b, rooms) })
		}
	}
}

func (l layout) measureKeeping(b *testing.B, rooms int) {
	b.Helper()
	m, ctx := newMetered(b, 0, 1), b.Context()
	t := m.rivals(m.env.AWS)
	d := t.device(0, 0)
	for i := range rooms {
		participation := itemKey("USER#"+d.userID, "CHATROOM#"+roomID(i))
		participation["joinedAt"], participation["GSI1PK"] = numberValue(t.now), textValue("USERROOMS#"+d.userID)
		participation["GSI1SK"] = textValue(strconv.FormatInt(t.now, 10))
		m.must(t.writeAll(ctx, []types.WriteRequest{putting(participation)}))
	}
	arrived := m.tail()
	m.table.take()
	var routes, consumer, membership account
	on := func(a *account, err error) {
		b.Helper()
		m.must(err)
		a.add(m.table.take())
		a.records += arrived()
	}
	for b.Loop() {
		on(&routes, t.connect(ctx, d, l.put(d)))
		if l.indexed {
			on(&consumer, t.inUsersRooms(ctx, d, device.enter))
			on(&membership, t.ofUsersDevices(ctx, d.userID, roomID(rooms), device.enter))
			on(&membership, t.ofUsersDevices(ctx, d.userID, roomID(rooms), device.leave))
		}
		on(&routes, t.remove(ctx, d.key()))
		on(&routes, l.drop(t, ctx, d))
		on(&consumer, l.drop(t, ctx, d)) // the route may not have run, or not to its end
		if l.indexed {
			on(&consumer, t.inUsersRooms(ctx, d, device.leave))
		}
	}
	routes.print(b, "routes")
	consumer.print(b, "consumer")
	if l.indexed {
		membership.print(b, "join-and-leave")
	}
	b.ReportMetric(0, "ns/op")
}

// account is what some writes cost, and how many stream records follow from them.
type account struct {
	total
	records int
}

func (c account) print(b *testing.B, who string) {
	b.Helper()
	n := float64(b.N)
	b.ReportMetric(float64(c.Requests)/n, who+"-requests/op")
	b.ReportMetric(c.Read/n, who+"-read-units/op")
	b.ReportMetric((c.Write+float64(c.Refused))/n, who+"-write-units/op") // a failed condition consumes one, and doesn't say so
	b.ReportMetric(float64(c.records)/n, who+"-records/op")
}

// tail returns a function that says how many records have come to the stream.
func (m metered) tail() (arrived func() int) {
	config := m.env.AWS
	config.HTTPClient = m.table.table
	ctx, client := m.t.Context(), dynamodbstreams.NewFromConfig(config)
	listed, err := client.ListStreams(ctx, &dynamodbstreams.ListStreamsInput{TableName: aws.String(tableName)})
	m.must(err)
	arn := listed.Streams[0].StreamArn
	described, err := client.DescribeStream(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: arn})
	m.must(err)
	iterators := make([]*string, len(described.StreamDescription.Shards))
	for i, shard := range described.StreamDescription.Shards {
		out, err := client.GetShardIterator(ctx, &dynamodbstreams.GetShardIteratorInput{StreamArn: arn, ShardId: shard.ShardId, ShardIteratorType: "LATEST"})
		m.must(err)
		iterators[i] = out.ShardIterator
	}
	return func() (records int) {
		for i := range iterators {
			out, err := client.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: iterators[i]})
			m.must(err)
			records += len(out.Records)
			iterators[i] = out.NextShardIterator
		}
		return records
	}
}
