package dynamodb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/streamroom/streamroom/local/dynamodb/item"
)

// DynamoDB's limits on keys, in bytes.
const (
	maxHashKey  = 2048
	maxRangeKey = 1024
)

// A storage key is a hash of the partition key, the partition key, and the sort key, the
// last two encoded so that bytes sort as values do. The leading hash spreads partitions
// over a scan, as DynamoDB does, and lets segments split the table evenly. An index's
// storage key ends with the key of the item, because several items may share the rest.
//
// An item is stored without its key attributes: restoreItem takes them from the storage key.

// hashBytes is how many bytes a storage key begins with that are the hash.
const hashBytes = 4

// hashKey returns a well mixed 32-bit hash: FNV-1a, finished by mix.
func hashKey(b []byte) uint32 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return uint32(mix(h) >> 32) // the upper half
}

// mix spreads every bit of h over all 64 (MurmurHash3's finaliser). It is a bijection.
func mix(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// partition returns the common prefix of the storage keys of all items with the given
// partition key.
func partition(hash item.Value) []byte {
	b := hash.AppendOrdered(make([]byte, hashBytes, 96))
	binary.BigEndian.PutUint32(b, hashKey(b[hashBytes:]))
	return b
}

// after returns the lowest key above all keys that begin with b.
func after(b []byte) []byte {
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] != 0xff {
			out := append(make([]byte, 0, i+1), b[:i+1]...)
			out[i]++
			return out
		}
	}
	return []byte{0xff, 0xff, 0xff, 0xff, 0xff}
}

// itemKey returns the storage key of an item to be put. The error is an *Error.
func (t *table) itemKey(it item.Item) ([]byte, error) {
	return t.storageKey(it, func(k keyAttribute, v item.Value, ok bool) error {
		if !ok {
			return misfit("One or more parameter values were invalid: Missing the key " + k.Name + " in the item")
		}
		return misfit(fmt.Sprintf("One or more parameter values were invalid: Type mismatch for key %s expected: %s actual: %s", k.Name, k.Kind, v.Kind))
	})
}

// key returns the storage key for a request's Key. The error is an *Error.
func (t *table) key(key item.Item) ([]byte, error) {
	mismatch := misfit("The provided key element does not match the schema")
	want := 1
	if t.Range.Name != "" {
		want = 2
	}
	if len(key) != want {
		return nil, mismatch
	}
	return t.storageKey(key, func(keyAttribute, item.Value, bool) error { return mismatch })
}

func (t *table) storageKey(it item.Item, refuse func(k keyAttribute, v item.Value, ok bool) error) ([]byte, error) {
	var b []byte
	for i, k := range []keyAttribute{t.Hash, t.Range} {
		if k.Name == "" {
			continue
		}
		v, ok := it.Get(k.Name)
		if !ok || v.Kind != k.Kind {
			return nil, refuse(k, v, ok)
		}
		if err := checkKeyValue(k, v, i == 0); err != nil {
			return nil, err
		}
		if i == 0 {
			b = partition(v)
		} else {
			b = v.AppendOrdered(b)
		}
	}
	return b, nil
}

func checkKeyValue(k keyAttribute, v item.Value, hash bool) error {
	switch {
	case v.Text == "":
		what := "a empty binary value"
		if v.Kind == item.S {
			what = "an empty string value"
		}
		return validation("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain " + what + ". Key: " + k.Name)
	case hash && len(v.Text) > maxHashKey:
		return validation("One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes")
	case !hash && len(v.Text) > maxRangeKey:
		return validation("One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes")
	}
	return nil
}

var errKey = errors.New("a stored key is damaged")

// restoreItem decodes an item that was stored without its key attributes, given what of its storage
// key follows the hash. In files of before format 4 an item may have them, too. It takes the
// memory of another item's attributes, which is lost.
func restoreItem(hash, sort keyAttribute, lost item.Item, key, body []byte) (item.Item, error) {
	var one strings.Builder // all strings share its memory
	one.Grow(len(key) + len(body))
	one.Write(key)
	one.Write(body)
	keys := [2]item.Key{{Name: hash.Name, Kind: hash.Kind}, {Name: sort.Name, Kind: sort.Kind}}
	text, rest, ok := item.CutOrdered(hash.Kind, one.String()[:len(key)])
	keys[0].Text = text
	n := 1
	if ok && sort.Name != "" {
		n = 2
		keys[1].Text, rest, ok = item.CutOrdered(sort.Kind, rest)
	}
	if !ok || rest != "" {
		return nil, errKey
	}
	if n == 2 && keys[1].Name < keys[0].Name {
		keys[0], keys[1] = keys[1], keys[0]
	}
	return item.DecodeWith(lost, one.String()[len(key):], keys[:n])
}

// keyOf returns the item's key attributes.
func (t *table) keyOf(it item.Item) item.Item { return it.Only(t.keyNames) }

// key returns the index's storage key for an item whose own is base, or nil if the index omits
// the item: because it lacks a key, or because an item older than the index has none that the
// index takes.
func (x *index) key(it item.Item, base []byte) []byte {
	var b []byte
	for i, k := range []keyAttribute{x.Hash, x.Range} {
		if k.Name == "" {
			continue
		}
		v, ok := it.Get(k.Name)
		if !ok || v.Kind != k.Kind || v.Text == "" || checkKeyValue(k, v, i == 0) != nil {
			return nil
		}
		if i == 0 {
			b = partition(v)
		} else {
			b = v.AppendOrdered(b)
		}
	}
	return append(b, base...)
}

// checkIndexKeys rejects an item whose index keys have a type other than the schema's.
// The error is an *Error.
func (t *table) checkIndexKeys(it item.Item) error {
	for _, x := range t.Indexes {
		for i, k := range []keyAttribute{x.Hash, x.Range} {
			v, ok := it.Get(k.Name)
			switch {
			case !ok || k.Name == "":
			case v.Kind != k.Kind:
				return misfit(fmt.Sprintf("One or more parameter values were invalid: Type mismatch for Index Key %s Expected: %s Actual: %s IndexName: %s",
					k.Name, k.Kind, v.Kind, x.Name))
			case v.Text == "":
				return validation(fmt.Sprintf("One or more parameter values are not valid. A value specified for a secondary index key is not supported. "+
					"The AttributeValue for a key attribute cannot contain an empty string value. IndexName: %s, IndexKey: %s", x.Name, k.Name))
			default:
				if err := checkKeyValue(k, v, i == 0); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// project returns the attributes of an item that the index holds.
func (x *index) project(it item.Item) item.Item {
	if x.attributes == nil {
		return it
	}
	return it.Only(x.attributes)
}
