package dynamodb

import (
	"slices"
	"strings"

	"github.com/streamroom/streamroom/local/dynamodb/item"
)

// The description of a table, as the protocol spells it.
type (
	indexDescription struct {
		IndexName             string
		IndexArn              string
		IndexStatus           string `json:",omitempty"`
		IndexSizeBytes        int64
		ItemCount             int64
		KeySchema             []keySchemaElement
		Projection            projectionSpec
		ProvisionedThroughput *throughputDescription `json:",omitempty"`
	}
	throughputDescription struct {
		NumberOfDecreasesToday int64
		ReadCapacityUnits      int64
		WriteCapacityUnits     int64
	}
	billingModeSummary struct {
		BillingMode                       string
		LastUpdateToPayPerRequestDateTime float64 `json:",omitempty"`
	}
	tableClassSummary struct{ TableClass string }
	sseDescription    struct{ Status, SSEType, KMSMasterKeyArn string }
	tableDescription  struct {
		TableName                 string
		TableArn                  string
		TableID                   string `json:"TableId"`
		TableStatus               string
		CreationDateTime          float64
		AttributeDefinitions      []attributeDefinition
		KeySchema                 []keySchemaElement
		ItemCount                 int64
		TableSizeBytes            int64
		ProvisionedThroughput     *throughputDescription
		BillingModeSummary        *billingModeSummary  `json:",omitempty"`
		TableClassSummary         *tableClassSummary   `json:",omitempty"`
		SSEDescription            *sseDescription      `json:",omitempty"`
		LocalSecondaryIndexes     []indexDescription   `json:",omitempty"`
		GlobalSecondaryIndexes    []indexDescription   `json:",omitempty"`
		StreamSpecification       *streamSpecification `json:",omitempty"`
		LatestStreamArn           string               `json:",omitempty"`
		LatestStreamLabel         string               `json:",omitempty"`
		DeletionProtectionEnabled bool
	}
)

// describe returns the answer of DescribeTable. Item counts stay 0: DynamoDB's lag by hours,
// and counting takes a scan.
func describe(t *table, s *stream) tableDescription {
	out := tableDescription{
		TableName: t.Name, TableArn: t.arn(), TableID: t.UUID, TableStatus: statusActive, CreationDateTime: epoch(t.Created),
		KeySchema: schemaOf(t.Hash, t.Range), DeletionProtectionEnabled: t.Protected, AttributeDefinitions: t.attributeDefinitions(),
		ProvisionedThroughput: t.Provisioned.describe(),
	}
	if t.Provisioned == nil || !t.OnDemandSince.IsZero() {
		out.BillingModeSummary = &billingModeSummary{BillingMode: billingProvisioned}
		if t.Provisioned == nil {
			out.BillingModeSummary.BillingMode = billingOnDemand
		}
		if !t.OnDemandSince.IsZero() {
			out.BillingModeSummary.LastUpdateToPayPerRequestDateTime = epoch(t.OnDemandSince)
		}
	}
	if t.Class != "" {
		out.TableClassSummary = &tableClassSummary{TableClass: t.Class}
	}
	if t.Encryption != "" {
		out.SSEDescription = &sseDescription{Status: "ENABLED", SSEType: encryptionKMS, KMSMasterKeyArn: t.Encryption}
	}
	for _, x := range t.Indexes {
		d := indexDescription{
			IndexName: x.Name, IndexArn: t.arn() + "/index/" + x.Name, KeySchema: schemaOf(x.Hash, x.Range),
			Projection: projectionSpec{ProjectionType: x.Projection, NonKeyAttributes: x.Include},
		}
		if x.Local {
			out.LocalSecondaryIndexes = append(out.LocalSecondaryIndexes, d)
			continue
		}
		d.IndexStatus, d.ProvisionedThroughput = statusActive, x.Provisioned.describe()
		out.GlobalSecondaryIndexes = append(out.GlobalSecondaryIndexes, d)
	}
	if s != nil {
		out.StreamSpecification = &streamSpecification{StreamEnabled: true, StreamViewType: s.View}
		out.LatestStreamArn, out.LatestStreamLabel = s.arn, s.Label
	} else if t.LastStream != "" {
		out.LatestStreamArn, out.LatestStreamLabel = t.arn()+"/stream/"+t.LastStream, t.LastStream
	}
	return out
}

// attributeDefinitions lists the key attributes of the table and its indexes, by name.
func (t *table) attributeDefinitions() []attributeDefinition {
	kinds := map[string]item.Kind{t.Hash.Name: t.Hash.Kind, t.Range.Name: t.Range.Kind}
	for _, x := range t.Indexes {
		kinds[x.Hash.Name], kinds[x.Range.Name] = x.Hash.Kind, x.Range.Kind
	}
	delete(kinds, "")
	out := make([]attributeDefinition, 0, len(kinds))
	for name, kind := range kinds {
		out = append(out, attributeDefinition{AttributeName: name, AttributeType: kind.String()})
	}
	slices.SortFunc(out, func(a, b attributeDefinition) int { return strings.Compare(a.AttributeName, b.AttributeName) })
	return out
}

func (t *throughput) describe() *throughputDescription {
	if t == nil {
		return &throughputDescription{}
	}
	return &throughputDescription{ReadCapacityUnits: t.ReadCapacityUnits, WriteCapacityUnits: t.WriteCapacityUnits}
}

func schemaOf(hash, sort keyAttribute) []keySchemaElement {
	out := []keySchemaElement{{AttributeName: hash.Name, KeyType: "HASH"}}
	if sort.Name != "" {
		out = append(out, keySchemaElement{AttributeName: sort.Name, KeyType: "RANGE"})
	}
	return out
}
