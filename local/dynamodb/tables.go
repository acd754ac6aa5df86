package dynamodb

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/streamroom/streamroom/local/dynamodb/item"
)

// The parameters and answers of the operations on tables, as the protocol spells them.
type (
	attributeDefinition struct{ AttributeName, AttributeType string }
	keySchemaElement    struct{ AttributeName, KeyType string }
	projectionSpec      struct {
		ProjectionType   string   `json:",omitempty"`
		NonKeyAttributes []string `json:",omitempty"`
	}
	indexSpec struct {
		IndexName             string
		KeySchema             []keySchemaElement
		Projection            *projectionSpec
		ProvisionedThroughput *throughput
	}
	streamSpecification struct {
		StreamEnabled  bool
		StreamViewType string `json:",omitempty"`
	}
	createTableInput struct {
		TableName                 string
		AttributeDefinitions      []attributeDefinition
		KeySchema                 []keySchemaElement
		GlobalSecondaryIndexes    []indexSpec
		LocalSecondaryIndexes     []json.RawMessage
		BillingMode               string
		ProvisionedThroughput     *throughput
		StreamSpecification       *streamSpecification
		DeletionProtectionEnabled bool
	}
	tableInput      struct{ TableName string }
	listTablesInput struct {
		ExclusiveStartTableName string
		Limit                   *int
	}
	listTablesOutput struct {
		TableNames             []string
		LastEvaluatedTableName string `json:",omitempty"`
	}
	indexDescription struct {
		IndexName             string
		IndexArn              string
		IndexStatus           string
		IndexSizeBytes        int64
		ItemCount             int64
		KeySchema             []keySchemaElement
		Projection            projectionSpec
		ProvisionedThroughput throughputDescription
	}
	throughputDescription struct {
		NumberOfDecreasesToday int64
		ReadCapacityUnits      int64
		WriteCapacityUnits     int64
	}
	billingModeSummary struct{ BillingMode string }
	tableDescription   struct {
		TableName                 string
		TableArn                  string
		TableID                   string `json:"TableId"`
		TableStatus               string
		CreationDateTime          float64
		AttributeDefinitions      []attributeDefinition
		KeySchema                 []keySchemaElement
		ItemCount                 int64
		TableSizeBytes            int64
		ProvisionedThroughput     throughputDescription
		BillingModeSummary        *billingModeSummary  `json:",omitempty"`
		GlobalSecondaryIndexes    []indexDescription   `json:",omitempty"`
		StreamSpecification       *streamSpecification `json:",omitempty"`
		LatestStreamArn           string               `json:",omitempty"`
		LatestStreamLabel         string               `json:",omitempty"`
		DeletionProtectionEnabled bool
	}
	createTableOutput   struct{ TableDescription tableDescription }
	describeTableOutput struct{ Table tableDescription }
)

var tableName = regexp.MustCompile(`^[a-zA-Z0-9_.-]+$`)

func checkTableName(name string) error {
	var constraint string
	switch {
	case len(name) < 3:
		constraint = "Member must have length greater than or equal to 3"
	case len(name) > 255:
		constraint = "Member must have length less than or equal to 255"
	case !tableName.MatchString(name):
		constraint = "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
	default:
		return nil
	}
	return validation(fmt.Sprintf("1 validation error detected: Value '%s' at 'tableName' failed to satisfy constraint: %s", name, constraint))
}

func invalidParameter(format string, args ...any) error {
	return validation("One or more parameter values were invalid: " + fmt.Sprintf(format, args...))
}

// newTable turns a CreateTable request into a table without an id. The error is an
// *Error.
func newTable(in *createTableInput) (*table, error) {
	if err := checkTableName(in.TableName); err != nil {
		return nil, err
	}
	if len(in.LocalSecondaryIndexes) > 0 {
		return nil, validation("LocalSecondaryIndexes are left out of this engine: use a global secondary index")
	}
	kinds := make(map[string]item.Kind, len(in.AttributeDefinitions))
	for _, d := range in.AttributeDefinitions {
		kind, ok := item.KindOf(d.AttributeType)
		if !ok || !kind.Ordered() {
			return nil, validation(fmt.Sprintf("1 validation error detected: Value '%s' at 'attributeDefinitions.1.member.attributeType' failed to satisfy constraint: "+
				"Member must satisfy enum value set: [B, N, S]", d.AttributeType))
		}
		kinds[d.AttributeName] = kind
	}
	used := make(map[string]bool)
	t := &table{Name: in.TableName, Protected: in.DeletionProtectionEnabled}
	var err error
	if t.Hash, t.Range, err = readSchema(in.KeySchema, kinds, used); err != nil {
		return nil, err
	}
	if t.Provisioned, err = readBilling(in); err != nil {
		return nil, err
	}
	for _, spec := range in.GlobalSecondaryIndexes {
		x, err := newIndex(&spec, kinds, used)
		if err != nil {
			return nil, err
		}
		if t.index(x.Name) != nil {
			return nil, invalidParameter("Duplicate index name: %s", x.Name)
		}
		t.Indexes = append(t.Indexes, x)
	}
	if len(t.Indexes) > 20 {
		return nil, invalidParameter("GlobalSecondaryIndex count exceeds the per-table limit of 20")
	}
	for name := range kinds {
		if !used[name] {
			return nil, invalidParameter("Some AttributeDefinitions are not used. AttributeDefinitions: [%s], keys used: [%s]", joined(kinds), joined(used))
		}
	}
	return t, nil
}

func joined[V any](m map[string]V) string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func readSchema(schema []keySchemaElement, kinds map[string]item.Kind, used map[string]bool) (hash, sort keyAttribute, err error) {
	if len(schema) == 0 || len(schema) > 2 {
		return hash, sort, invalidParameter("KeySchema must have one or two elements, a HASH and perhaps a RANGE")
	}
	for i, e := range schema {
		if e.KeyType != []string{"HASH", "RANGE"}[i] {
			return hash, sort, validation("Invalid KeySchema: The first KeySchemaElement is not a HASH key type, or the second is not a RANGE key type")
		}
		kind, ok := kinds[e.AttributeName]
		if !ok {
			return hash, sort, invalidParameter("Some index key attributes are not defined in AttributeDefinitions. Keys: [%s], AttributeDefinitions: [%s]", e.AttributeName, joined(kinds))
		}
		used[e.AttributeName] = true
		if i == 0 {
			hash = keyAttribute{Name: e.AttributeName, Kind: kind}
		} else {
			sort = keyAttribute{Name: e.AttributeName, Kind: kind}
		}
	}
	if hash.Name == sort.Name {
		return hash, sort, validation("Both the Hash Key and the Range Key element in the KeySchema have the same name")
	}
	return hash, sort, nil
}

func readBilling(in *createTableInput) (*throughput, error) {
	if err := oneOf("billingMode", in.BillingMode, "PROVISIONED", "PAY_PER_REQUEST"); err != nil {
		return nil, err
	}
	onDemand := in.BillingMode == "PAY_PER_REQUEST"
	switch {
	case onDemand && in.ProvisionedThroughput != nil:
		return nil, invalidParameter("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
	case !onDemand && in.ProvisionedThroughput == nil:
		return nil, invalidParameter("ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED")
	}
	return in.ProvisionedThroughput, nil
}

func newIndex(spec *indexSpec, kinds map[string]item.Kind, used map[string]bool) (*index, error) {
	x := &index{Name: spec.IndexName, Provisioned: spec.ProvisionedThroughput}
	if len(x.Name) < 3 || len(x.Name) > 255 || !tableName.MatchString(x.Name) {
		return nil, invalidParameter("Index names have 3 to 255 characters of [a-zA-Z0-9_.-]: %s", x.Name)
	}
	var err error
	if x.Hash, x.Range, err = readSchema(spec.KeySchema, kinds, used); err != nil {
		return nil, err
	}
	if spec.Projection == nil {
		return nil, invalidParameter("Unknown ProjectionType: null")
	}
	x.Projection, x.Include = spec.Projection.ProjectionType, spec.Projection.NonKeyAttributes
	switch x.Projection {
	case "ALL", "KEYS_ONLY":
		if len(x.Include) > 0 {
			return nil, invalidParameter("ProjectionType is %s, but NonKeyAttributes is specified", x.Projection)
		}
	case "INCLUDE":
		if len(x.Include) == 0 {
			return nil, invalidParameter("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
		}
	default:
		return nil, invalidParameter("Unknown ProjectionType: %s", x.Projection)
	}
	return x, nil
}

func (e *Engine) createTable(ctx context.Context, in *createTableInput) (*createTableOutput, error) {
	t, err := newTable(in)
	if err != nil {
		return nil, err
	}
	var s *stream
	if spec := in.StreamSpecification; spec != nil && spec.StreamEnabled {
		if err := oneOf("streamSpecification.streamViewType", spec.StreamViewType, viewKeys, viewNew, viewOld, viewBoth); err != nil {
			return nil, err
		}
		if spec.StreamViewType == "" {
			return nil, invalidParameter("StreamViewType is required when the stream is enabled")
		}
		s = &stream{Table: t.Name, View: spec.StreamViewType}
	}
	t.Created = e.clock.Now().UTC()
	t.UUID = newUUID()
	err = e.writeAlone(ctx, func(x *tx) error {
		now := e.catalog.Load()
		if now.tables[t.Name] != nil {
			return &Error{Code: codeInUse, Message: "Table already exists: " + t.Name}
		}
		t.ID = now.nextID
		var streams []*stream
		if s != nil {
			t.StreamID = now.nextID
			if err := x.createStream(s, t, t.StreamID); err != nil {
				return err
			}
			streams = append(streams, s)
		}
		if err := x.createTable(t); err != nil {
			return err
		}
		x.commit = func() { e.catalog.Store(now.with([]*table{t}, streams)) }
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &createTableOutput{TableDescription: describe(t, s)}, nil
}

func (t *tx) createTable(made *table) error {
	made.prepare()
	statements := []string{made.sql.create, made.sql.createExpiry}
	for _, x := range made.Indexes {
		statements = append(statements, x.sql.create)
	}
	for _, sql := range statements {
		if err := t.exec(sql); err != nil {
			return err
		}
	}
	return saveMeta(t.conn, metaKey(metaTable, made.ID), made)
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (e *Engine) namedTable(name string) (*table, error) {
	if i := strings.Index(name, ":table/"); i >= 0 {
		name = name[i+len(":table/"):]
	}
	if err := checkTableName(name); err != nil {
		return nil, err
	}
	t, err := e.table(name)
	if err != nil {
		return nil, &Error{Code: codeNotFound, Message: "Requested resource not found: Table: " + name + " not found"}
	}
	return t, nil
}

func (e *Engine) describeTable(_ context.Context, in *tableInput) (*describeTableOutput, error) {
	t, err := e.namedTable(in.TableName)
	if err != nil {
		return nil, err
	}
	return &describeTableOutput{Table: describe(t, t.stream)}, nil
}

// deleteTable drops the table at once. Its stream stays readable until its records are a
// day old.
func (e *Engine) deleteTable(ctx context.Context, in *tableInput) (*createTableOutput, error) {
	t, err := e.namedTable(in.TableName)
	if err != nil {
		return nil, err
	}
	err = e.writeAlone(ctx, func(x *tx) error {
		now := e.catalog.Load()
		if t, err = e.namedTable(t.Name); err != nil {
			return err
		}
		if t.Protected {
			return validation("Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
		}
		next := now.without(t.Name, 0)
		if t.stream != nil {
			closed := t.stream.closed(e.clock.Now(), x)
			if err := saveMeta(x.conn, metaKey(metaStream, closed.ID), closed); err != nil {
				return err
			}
			next = next.with(nil, []*stream{closed})
		}
		for _, sql := range t.sql.drop {
			if err := x.exec(sql); err != nil {
				return err
			}
		}
		x.commit = func() { e.catalog.Store(next) }
		return deleteMeta(x.conn, metaKey(metaTable, t.ID))
	})
	if err != nil {
		return nil, err
	}
	out := &createTableOutput{TableDescription: describe(t, t.stream)}
	out.TableDescription.TableStatus = "DELETING"
	return out, nil
}

func (e *Engine) listTables(_ context.Context, in *listTablesInput) (*listTablesOutput, error) {
	limit := 100
	if in.Limit != nil {
		limit = *in.Limit
	}
	if limit < 1 || limit > 100 {
		return nil, validation(fmt.Sprintf("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value between 1 and 100", limit))
	}
	out := &listTablesOutput{TableNames: []string{}}
	for _, t := range e.catalog.Load().sortedTables() {
		if t.Name <= in.ExclusiveStartTableName {
			continue
		}
		if len(out.TableNames) == limit {
			out.LastEvaluatedTableName = out.TableNames[limit-1]
			break
		}
		out.TableNames = append(out.TableNames, t.Name)
	}
	return out, nil
}

// describe returns the answer of DescribeTable. Item counts stay 0: DynamoDB's lag by
// hours, and counting takes a scan.
func describe(t *table, s *stream) tableDescription {
	out := tableDescription{
		TableName: t.Name, TableArn: t.arn(), TableID: t.UUID, TableStatus: "ACTIVE", CreationDateTime: epoch(t.Created),
		KeySchema: schemaOf(t.Hash, t.Range), DeletionProtectionEnabled: t.Protected,
	}
	kinds := map[string]item.Kind{t.Hash.Name: t.Hash.Kind, t.Range.Name: t.Range.Kind}
	if t.Provisioned == nil {
		out.BillingModeSummary = &billingModeSummary{BillingMode: "PAY_PER_REQUEST"}
	}
	out.ProvisionedThroughput = t.Provisioned.describe()
	for _, x := range t.Indexes {
		kinds[x.Hash.Name], kinds[x.Range.Name] = x.Hash.Kind, x.Range.Kind
		out.GlobalSecondaryIndexes = append(out.GlobalSecondaryIndexes, indexDescription{
			IndexName: x.Name, IndexArn: t.arn() + "/index/" + x.Name, IndexStatus: "ACTIVE", KeySchema: schemaOf(x.Hash, x.Range),
			Projection: projectionSpec{ProjectionType: x.Projection, NonKeyAttributes: x.Include}, ProvisionedThroughput: x.Provisioned.describe(),
		})
	}
	delete(kinds, "")
	for name, kind := range kinds {
		out.AttributeDefinitions = append(out.AttributeDefinitions, attributeDefinition{AttributeName: name, AttributeType: kind.String()})
	}
	slices.SortFunc(out.AttributeDefinitions, func(a, b attributeDefinition) int { return strings.Compare(a.AttributeName, b.AttributeName) })
	if s != nil {
		out.StreamSpecification = &streamSpecification{StreamEnabled: true, StreamViewType: s.View}
		out.LatestStreamArn, out.LatestStreamLabel = s.arn, s.Label
	}
	return out
}

func (t *throughput) describe() throughputDescription {
	if t == nil {
		return throughputDescription{}
	}
	return throughputDescription{ReadCapacityUnits: t.ReadCapacityUnits, WriteCapacityUnits: t.WriteCapacityUnits}
}

func schemaOf(hash, sort keyAttribute) []keySchemaElement {
	out := []keySchemaElement{{AttributeName: hash.Name, KeyType: "HASH"}}
	if sort.Name != "" {
		out = append(out, keySchemaElement{AttributeName: sort.Name, KeyType: "RANGE"})
	}
	return out
}

// epoch returns a time as the protocol writes it: seconds since 1970, with a fraction.
func epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
