package dynamodb

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"
)

// The values of TableStatus and IndexStatus.
const (
	statusActive   = "ACTIVE"
	statusCreating = "CREATING"
	statusUpdating = "UPDATING"
	statusDeleting = "DELETING"
)

type (
	indexUpdate struct {
		Create *indexSpec
		Update *struct {
			IndexName             string
			ProvisionedThroughput *throughput
		}
		Delete *struct{ IndexName string }
	}
	updateTableInput struct {
		TableName                   string
		AttributeDefinitions        []attributeDefinition
		BillingMode                 string
		ProvisionedThroughput       *throughput
		GlobalSecondaryIndexUpdates []indexUpdate
		StreamSpecification         *streamSpecification
		SSESpecification            *encryptionSpec
		TableClass                  string
		DeletionProtectionEnabled   *bool
	}
)

func (in *updateTableInput) check() error {
	var v violations
	v.definitions(in.AttributeDefinitions)
	v.enum(in.BillingMode, "billingMode", billingProvisioned, billingOnDemand)
	v.enum(in.TableClass, "tableClass", classStandard, classInfrequent)
	v.throughput(in.ProvisionedThroughput, "provisionedThroughput")
	v.stream(in.StreamSpecification)
	v.encryption(in.SSESpecification)
	for i, u := range in.GlobalSecondaryIndexUpdates {
		at := fmt.Sprintf("globalSecondaryIndexUpdates.%d.member.", i+1)
		if u.Create != nil {
			v.index(u.Create, at+"create.")
		}
		if u.Update != nil {
			v.throughput(u.Update.ProvisionedThroughput, at+"update.provisionedThroughput")
		}
	}
	if err := v.err(); err != nil {
		return err
	}
	if in.BillingMode == "" && in.TableClass == "" && in.ProvisionedThroughput == nil && in.StreamSpecification == nil &&
		in.SSESpecification == nil && in.DeletionProtectionEnabled == nil && len(in.GlobalSecondaryIndexUpdates) == 0 {
		return validation("At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required")
	}
	_, err := viewOf(in.StreamSpecification)
	return err
}

// tableUpdate is an UpdateTable on its way: the table as it will be, and what changes in storage.
type tableUpdate struct {
	now, next *table
	created   *index // to be filled
	deleted   *index // to be dropped
}

// updateTable changes a table at once: a new index is filled before the answer.
func (e *Engine) updateTable(ctx context.Context, in *updateTableInput) (*createTableOutput, error) {
	if err := checkTableName(bareName(in.TableName)); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	var u tableUpdate
	err := e.writeAlone(ctx, func(x *tx) (err error) {
		if u, err = e.planUpdateTable(in); err != nil {
			return err
		}
		return x.applyUpdateTable(&u, in)
	})
	if err != nil {
		return nil, err
	}
	out := describe(u.next, u.next.stream)
	out.TableStatus = statusUpdating
	for i := range out.GlobalSecondaryIndexes {
		if u.created != nil && out.GlobalSecondaryIndexes[i].IndexName == u.created.Name {
			out.GlobalSecondaryIndexes[i].IndexStatus = statusCreating
		}
	}
	return &createTableOutput{TableDescription: out}, nil
}

// planUpdateTable validates the update and works out the table after it. It changes nothing.
// The error is an *Error.
func (e *Engine) planUpdateTable(in *updateTableInput) (u tableUpdate, err error) {
	if u.now, err = e.namedTable(in.TableName); err != nil {
		return u, err
	}
	next := *u.now
	u.next = &next
	next.Indexes = make([]*index, len(u.now.Indexes)) // others read the present ones
	for i, x := range u.now.Indexes {
		changed := *x
		next.Indexes[i] = &changed
	}
	if err := next.changeBilling(in, e.clock.Now().UTC()); err != nil {
		return u, err
	}
	if err := u.changeIndexes(in); err != nil {
		return u, err
	}
	if in.TableClass != "" {
		next.Class = in.TableClass
	}
	if in.SSESpecification != nil {
		next.Encryption = in.SSESpecification.key()
	}
	if in.DeletionProtectionEnabled != nil {
		next.Protected = *in.DeletionProtectionEnabled
	}
	if spec := in.StreamSpecification; spec != nil {
		switch {
		case spec.StreamEnabled && u.now.stream != nil:
			return u, validation("Table already has an enabled stream: TableName: " + next.Name)
		case !spec.StreamEnabled && u.now.stream == nil:
			return u, validation("Table has no stream to disable")
		}
	}
	next.prepare()
	return u, nil
}

// applyUpdateTable stores the update.
func (t *tx) applyUpdateTable(u *tableUpdate, in *updateTableInput) error {
	var streams []*stream
	if spec := in.StreamSpecification; spec != nil && spec.StreamEnabled {
		s := &stream{Table: u.next.Name, View: spec.StreamViewType}
		id := t.e.catalog.Load().nextID
		if err := t.createStream(s, u.next, id); err != nil {
			return err
		}
		u.next.StreamID = id
		streams = append(streams, s)
	} else if spec != nil {
		closed := u.now.stream.closed(t.e.clock.Now(), t)
		if err := saveMeta(t.conn, metaKey(metaStream, closed.ID), closed); err != nil {
			return err
		}
		u.next.StreamID, u.next.LastStream = 0, closed.Label
		streams = append(streams, closed)
	}
	if u.deleted != nil {
		if err := t.exec(u.deleted.sql.drop); err != nil {
			return err
		}
	}
	if u.created != nil {
		if err := t.exec(u.created.sql.create); err != nil {
			return err
		}
		if err := t.fillIndex(u.next, u.created); err != nil {
			return err
		}
	}
	return t.saveTable(u.next, streams...)
}

// saveTable stores a changed table and, with the commit, shows it.
func (t *tx) saveTable(changed *table, streams ...*stream) error {
	t.commit = func() { t.e.catalog.Store(t.e.catalog.Load().with([]*table{changed}, streams)) }
	return saveMeta(t.conn, metaKey(metaTable, changed.ID), changed)
}

// fillIndex adds the items that a table has to a new index. Items whose keys have another type
// than the index stay out, as with DynamoDB (Developer Guide, "Detecting and correcting index
// key violations in DynamoDB").
func (t *tx) fillIndex(of *table, x *index) error {
	return t.eachItem(of, func(key []byte, it *row) error {
		decoded, err := it.item()
		if err != nil {
			return err
		}
		if k := x.key(decoded, key); k != nil {
			return t.exec(x.sql.put, k, key)
		}
		return nil
	})
}

// eachItem calls f for every item of a table, in groups, so that f may write.
func (t *tx) eachItem(of *table, f func(key []byte, it *row) error) error {
	type entry struct{ key, stored []byte }
	last := []byte{0}
	for {
		var found []entry
		err := t.query(of.sql.walk, []any{last}, func(r columns) (bool, error) {
			found = append(found, entry{key: bytes.Clone(r.blob(0)), stored: bytes.Clone(r.blob(1))})
			return true, nil
		})
		if err != nil {
			return err
		}
		for _, e := range found {
			if err := f(e.key, &row{stored: e.stored, table: of, key: e.key}); err != nil {
				return err
			}
			last = e.key
		}
		if int64(len(found)) < sweepGroup {
			return nil
		}
	}
}

// changeIndexes works out the indexes after the update.
func (u *tableUpdate) changeIndexes(in *updateTableInput) error {
	d, err := newDefinitions(u.now.attributeDefinitions())
	if err != nil {
		return err
	}
	given, err := newDefinitions(in.AttributeDefinitions)
	if err != nil {
		return err
	}
	for _, name := range given.names {
		if d.kinds[name] == 0 {
			d.names = append(d.names, name)
		}
		d.kinds[name] = given.kinds[name]
	}
	for _, change := range in.GlobalSecondaryIndexUpdates {
		if (change.Create != nil || change.Delete != nil) && (u.created != nil || u.deleted != nil) {
			return &Error{Code: codeLimitExceeded, Message: "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table"}
		}
		if err := u.changeIndex(&change, d); err != nil {
			return err
		}
	}
	for i, x := range u.next.Indexes {
		if !x.Local && u.next.Provisioned != nil && x.Provisioned == nil {
			return invalidParameter("ProvisionedThroughput must be specified for index: %s", u.next.Indexes[i].Name)
		}
	}
	return nil
}

func (u *tableUpdate) changeIndex(change *indexUpdate, d *definitions) error {
	switch {
	case change.Create != nil:
		if u.now.index(change.Create.IndexName) != nil {
			return validation("Attempting to create an index which already exists")
		}
		if err := u.next.addGlobalIndex(change.Create, d); err != nil {
			return err
		}
		u.created = u.next.Indexes[len(u.next.Indexes)-1]
	case change.Delete != nil:
		i := u.next.globalIndex(change.Delete.IndexName)
		if i < 0 {
			return notFound()
		}
		u.deleted = u.next.Indexes[i]
		u.next.Indexes = slices.Delete(u.next.Indexes, i, i+1)
	case change.Update != nil:
		i := u.next.globalIndex(change.Update.IndexName)
		switch {
		case i < 0:
			return notFound()
		case u.next.Provisioned == nil:
			return invalidParameter("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
		}
		u.next.Indexes[i].Provisioned = change.Update.ProvisionedThroughput
	default:
		return invalidParameter("One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete must not be null")
	}
	return nil
}

// globalIndex returns the position of a global index, or -1.
func (t *table) globalIndex(name string) int {
	return slices.IndexFunc(t.Indexes, func(x *index) bool { return x.Name == name && !x.Local })
}

// changeBilling sets the billing mode and the throughput. The error is an *Error.
func (t *table) changeBilling(in *updateTableInput, at time.Time) error {
	mode, given := in.BillingMode, in.ProvisionedThroughput
	if mode == "" && given == nil {
		return nil
	}
	if mode == "" {
		mode = billingProvisioned
		if t.Provisioned == nil {
			mode = billingOnDemand
		}
	}
	if _, err := billing(mode, given); err != nil && (mode != billingProvisioned || t.Provisioned == nil) {
		return err
	}
	switch {
	case mode == billingOnDemand && t.Provisioned != nil:
		t.Provisioned, t.OnDemandSince = nil, at
		for _, x := range t.Indexes {
			x.Provisioned = nil
		}
	case mode == billingProvisioned && given != nil:
		if t.Provisioned != nil && *t.Provisioned == *given {
			return validation(fmt.Sprintf("The provisioned throughput for the table will not change. The requested value equals the current value. "+
				"Current ReadCapacityUnits provisioned for the table: %d. Requested ReadCapacityUnits: %[1]d. "+
				"Current WriteCapacityUnits provisioned for the table: %[2]d. Requested WriteCapacityUnits: %[2]d. "+
				"Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.",
				given.ReadCapacityUnits, given.WriteCapacityUnits))
		}
		t.Provisioned = given
	}
	return nil
}
