package dynamodb

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/streamroom/streamroom/local/dynamodb/item"
)

// The values of BillingMode, TableClass and SSEType.
const (
	billingProvisioned = "PROVISIONED"
	billingOnDemand    = "PAY_PER_REQUEST"
	classStandard      = "STANDARD"
	classInfrequent    = "STANDARD_INFREQUENT_ACCESS"
	encryptionKMS      = "KMS"
)

// The limits of a table's indexes (Developer Guide, "Quotas in Amazon DynamoDB").
const (
	maxGlobalIndexes = 20
	maxLocalIndexes  = 5
)

// The parameters that describe a table, as the protocol spells them.
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
	encryptionSpec struct {
		Enabled        bool
		SSEType        string
		KMSMasterKeyID string `json:"KMSMasterKeyId"`
	}
	createTableInput struct {
		TableName                 *string
		AttributeDefinitions      []attributeDefinition
		KeySchema                 []keySchemaElement
		GlobalSecondaryIndexes    []indexSpec
		LocalSecondaryIndexes     []indexSpec
		BillingMode               string
		ProvisionedThroughput     *throughput
		StreamSpecification       *streamSpecification
		SSESpecification          *encryptionSpec
		TableClass                string
		Tags                      []tag
		DeletionProtectionEnabled bool
	}
)

// check returns what the request's parameters violate.
func (in *createTableInput) check() error {
	if in.TableName == nil {
		return required("TableName")
	}
	var v violations
	v.definitions(in.AttributeDefinitions)
	v.name(*in.TableName, "tableName")
	v.keySchema(in.KeySchema, "keySchema")
	v.enum(in.BillingMode, "billingMode", billingProvisioned, billingOnDemand)
	v.enum(in.TableClass, "tableClass", classStandard, classInfrequent)
	v.throughput(in.ProvisionedThroughput, "provisionedThroughput")
	v.stream(in.StreamSpecification)
	v.encryption(in.SSESpecification)
	for i := range in.LocalSecondaryIndexes {
		v.index(&in.LocalSecondaryIndexes[i], fmt.Sprintf("localSecondaryIndexes.%d.member.", i+1))
	}
	for i := range in.GlobalSecondaryIndexes {
		v.index(&in.GlobalSecondaryIndexes[i], fmt.Sprintf("globalSecondaryIndexes.%d.member.", i+1))
	}
	return v.err()
}

func (v *violations) definitions(given []attributeDefinition) {
	for i, d := range given {
		at := fmt.Sprintf("attributeDefinitions.%d.member.", i+1)
		if d.AttributeName == "" {
			v.add("null", at+"attributeName", "Member must not be null")
		}
		if d.AttributeType == "" {
			v.add("null", at+"attributeType", "Member must not be null")
		}
		v.enum(d.AttributeType, at+"attributeType", "B", "N", "S")
	}
}

func (v *violations) keySchema(schema []keySchemaElement, at string) {
	switch {
	case schema == nil:
		v.add("null", at, "Member must not be null")
	case len(schema) == 0:
		v.add("[]", at, "Member must have length greater than or equal to 1")
	case len(schema) > 2:
		shown := make([]string, len(schema))
		for i, e := range schema {
			shown[i] = "KeySchemaElement(attributeName=" + e.AttributeName + ", keyType=" + e.KeyType + ")"
		}
		v.add("["+strings.Join(shown, ", ")+"]", at, "Member must have length less than or equal to 2")
	}
	for i, e := range schema {
		v.enum(e.KeyType, fmt.Sprintf("%s.%d.member.keyType", at, i+1), "HASH", "RANGE")
	}
}

func (v *violations) index(spec *indexSpec, at string) {
	v.name(spec.IndexName, at+"indexName")
	v.keySchema(spec.KeySchema, at+"keySchema")
	if spec.Projection == nil {
		v.add("null", at+"projection", "Member must not be null")
	} else {
		v.enum(spec.Projection.ProjectionType, at+"projection.projectionType", projectAll, projectInclude, projectKeys)
	}
	v.throughput(spec.ProvisionedThroughput, at+"provisionedThroughput")
}

func (v *violations) throughput(t *throughput, at string) {
	if t == nil {
		return
	}
	for _, unit := range []struct {
		name  string
		value int64
	}{{"readCapacityUnits", t.ReadCapacityUnits}, {"writeCapacityUnits", t.WriteCapacityUnits}} {
		if unit.value < 1 {
			v.add(strconv.FormatInt(unit.value, 10), at+"."+unit.name, "Member must have value greater than or equal to 1")
		}
	}
}

func (v *violations) stream(spec *streamSpecification) {
	if spec != nil {
		v.enum(spec.StreamViewType, "streamSpecification.streamViewType", viewKeys, viewNew, viewOld, viewBoth)
	}
}

func (v *violations) encryption(spec *encryptionSpec) {
	if spec != nil {
		v.enum(spec.SSEType, "sSESpecification.sSEType", "AES256", encryptionKMS)
	}
}

// definitions are a table's AttributeDefinitions, and which of them keys use.
type definitions struct {
	names []string
	kinds map[string]item.Kind
	used  []string
}

func newDefinitions(given []attributeDefinition) (*definitions, error) {
	d := &definitions{kinds: make(map[string]item.Kind, len(given))}
	for _, a := range given {
		kind, _ := item.KindOf(a.AttributeType)
		if _, twice := d.kinds[a.AttributeName]; twice {
			return nil, invalidParameter("Duplicate AttributeName in AttributeDefinitions: %s", a.AttributeName)
		}
		d.names = append(d.names, a.AttributeName)
		d.kinds[a.AttributeName] = kind
	}
	return d, nil
}

func brackets(names []string) string { return "[" + strings.Join(names, ", ") + "]" }

// keys reads a key schema. The error is an *Error.
func (d *definitions) keys(schema []keySchemaElement) (hash, sort keyAttribute, err error) {
	names := make([]string, len(schema))
	out := make([]keyAttribute, 2)
	for i, e := range schema {
		names[i] = e.AttributeName
		out[i] = keyAttribute{Name: e.AttributeName, Kind: d.kinds[e.AttributeName]}
	}
	hash, sort = out[0], out[1]
	if len(names) > len(d.names) {
		return hash, sort, validation("Invalid KeySchema: Some index key attribute have no definition")
	}
	for _, name := range names {
		if d.kinds[name] == 0 {
			return hash, sort, invalidParameter("Some index key attributes are not defined in AttributeDefinitions. Keys: %s, AttributeDefinitions: %s",
				brackets(names), brackets(d.names))
		}
		if !slices.Contains(d.used, name) {
			d.used = append(d.used, name)
		}
	}
	switch {
	case hash.Name == sort.Name:
		err = validation("Both the Hash Key and the Range Key element in the KeySchema have the same name")
	case schema[0].KeyType != "HASH":
		err = validation("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
	case sort.Name != "" && schema[1].KeyType != "RANGE":
		err = validation("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
	}
	return hash, sort, err
}

// checkUsed rejects definitions that no key uses.
func (d *definitions) checkUsed(indexes int) error {
	switch {
	case len(d.used) == len(d.names):
		return nil
	case indexes == 0:
		return invalidParameter("Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions")
	}
	return invalidParameter("Some AttributeDefinitions are not used. AttributeDefinitions: %s, keys used: %s", brackets(d.names), brackets(d.used))
}

// newTable turns a CreateTable request into a table without an id. The error is an *Error.
func newTable(in *createTableInput) (*table, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	provisioned, err := billing(in.BillingMode, in.ProvisionedThroughput)
	if err != nil {
		return nil, err
	}
	d, err := newDefinitions(in.AttributeDefinitions)
	if err != nil {
		return nil, err
	}
	t := &table{
		Name: *in.TableName, Protected: in.DeletionProtectionEnabled, Provisioned: provisioned,
		Class: in.TableClass, Encryption: in.SSESpecification.key(),
	}
	if t.Hash, t.Range, err = d.keys(in.KeySchema); err != nil {
		return nil, err
	}
	if t.Tags, err = withTags(nil, in.Tags); err != nil {
		return nil, err
	}
	if err := t.addIndexes(in, d); err != nil {
		return nil, err
	}
	return t, d.checkUsed(len(t.Indexes))
}

func (t *table) addIndexes(in *createTableInput, d *definitions) error {
	switch {
	case in.LocalSecondaryIndexes != nil && len(in.LocalSecondaryIndexes) == 0:
		return invalidParameter("List of LocalSecondaryIndexes is empty")
	case in.GlobalSecondaryIndexes != nil && len(in.GlobalSecondaryIndexes) == 0:
		return invalidParameter("List of GlobalSecondaryIndexes is empty")
	case len(in.LocalSecondaryIndexes) > 0 && t.Range.Name == "":
		return invalidParameter("Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex")
	case len(in.LocalSecondaryIndexes) > maxLocalIndexes:
		return invalidParameter("Number of LocalSecondaryIndexes exceeds per-table limit of %d", maxLocalIndexes)
	}
	for _, spec := range in.LocalSecondaryIndexes {
		x, err := t.newIndex(&spec, d)
		if err != nil {
			return err
		}
		x.Local = true
		switch {
		case x.Range.Name == "":
			return invalidParameter("Index KeySchema does not have a range key for index: %s", x.Name)
		case x.Hash.Name != t.Hash.Name:
			return invalidParameter("Index KeySchema does not have the same leading hash key as table KeySchema for index: %s. index hash key: %s, table hash key: %s",
				x.Name, x.Hash.Name, t.Hash.Name)
		}
		t.Indexes = append(t.Indexes, x)
	}
	for _, spec := range in.GlobalSecondaryIndexes {
		if err := t.addGlobalIndex(&spec, d); err != nil {
			return err
		}
	}
	return nil
}

// addGlobalIndex adds an index that is not yet filled. The error is an *Error.
func (t *table) addGlobalIndex(spec *indexSpec, d *definitions) error {
	x, err := t.newIndex(spec, d)
	if err != nil {
		return err
	}
	switch {
	case t.Provisioned == nil && spec.ProvisionedThroughput != nil:
		return invalidParameter("ProvisionedThroughput should not be specified for index: %s when BillingMode is PAY_PER_REQUEST", x.Name)
	case t.Provisioned != nil && spec.ProvisionedThroughput == nil:
		return invalidParameter("ProvisionedThroughput must be specified for index: %s", x.Name)
	}
	x.Provisioned = spec.ProvisionedThroughput
	t.Indexes = append(t.Indexes, x)
	if len(t.globalIndexes()) > maxGlobalIndexes {
		return invalidParameter("GlobalSecondaryIndex count exceeds the per-table limit of %d", maxGlobalIndexes)
	}
	return nil
}

func (t *table) newIndex(spec *indexSpec, d *definitions) (*index, error) {
	x := &index{Name: spec.IndexName, Number: t.NextIndex, Projection: spec.Projection.ProjectionType, Include: spec.Projection.NonKeyAttributes}
	t.NextIndex++
	var err error
	if x.Hash, x.Range, err = d.keys(spec.KeySchema); err != nil {
		return nil, err
	}
	switch {
	case x.Projection == "":
		return nil, invalidParameter("Unknown ProjectionType: null")
	case x.Projection != projectInclude && len(x.Include) > 0:
		return nil, invalidParameter("ProjectionType is %s, but NonKeyAttributes is specified", x.Projection)
	case x.Projection == projectInclude && len(x.Include) == 0:
		return nil, invalidParameter("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
	case t.index(x.Name) != nil:
		return nil, invalidParameter("Duplicate index name: %s", x.Name)
	}
	return x, nil
}

// billing returns the throughput to provision, nil on demand. The error is an *Error.
func billing(mode string, given *throughput) (*throughput, error) {
	switch {
	case mode == billingOnDemand && given != nil:
		return nil, invalidParameter("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
	case mode != billingOnDemand && given == nil:
		return nil, invalidParameter("ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED")
	}
	return given, nil
}

// key returns the ARN of the key that encrypts the table, "" for DynamoDB's own.
func (spec *encryptionSpec) key() string {
	switch {
	case spec == nil || !spec.Enabled:
		return ""
	case strings.HasPrefix(spec.KMSMasterKeyID, "arn:"):
		return spec.KMSMasterKeyID
	case spec.KMSMasterKeyID != "":
		return "arn:aws:kms:" + region + ":" + account + ":key/" + spec.KMSMasterKeyID
	}
	return "arn:aws:kms:" + region + ":" + account + ":key/00000000-0000-0000-0000-000000000000"
}

// viewOf returns the view of the stream to enable, "" for none. The error is an *Error.
func viewOf(spec *streamSpecification) (string, error) {
	switch {
	case spec == nil:
		return "", nil
	case spec.StreamEnabled && spec.StreamViewType == "":
		return "", validation("Invalid StreamViewType: Stream ViewType must not be null or empty when enabling streams.")
	case !spec.StreamEnabled && spec.StreamViewType != "":
		return "", validation("Invalid StreamViewType: Stream StreamEnabled was false but a StreamViewType was present.")
	}
	return spec.StreamViewType, nil
}
