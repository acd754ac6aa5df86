package expression_test

import (
	"testing"

	"github.com/streamroom/streamroom/local/dynamodb/expression"
	"github.com/streamroom/streamroom/local/dynamodb/item"
	"github.com/streamroom/streamroom/local/dynamodb/jsonio"
)

// FuzzEvaluate parses, binds and evaluates any expression over any item and values, both in the
// protocol's JSON: it returns a value or an error and never panics.
func FuzzEvaluate(f *testing.F) {
	values := `{":a":{"S":"a"},":n":{"N":"-1.5"},":b":{"B":"AQ=="},":t":{"BOOL":true},":z":{"NULL":true},":l":{"L":[{"S":"a"}]},` +
		`":m":{"M":{"k":{"S":"a"}}},":ss":{"SS":["a"]},":ns":{"NS":["1"]},":bs":{"BS":["AQ=="]}}`
	it := `{"a":{"S":"ab"},"n":{"N":"1"},"b":{"B":"AQI="},"l":{"L":[{"S":"a"},{"N":"1"}]},"m":{"M":{"k":{"NS":["1","2"]}}},"ns":{"NS":["1","2"]}}`
	for i, text := range []string{
		"contains(ns, :a) OR contains(m.k, :b) AND NOT contains(l, size(a))", "a BETWEEN :a AND :a", "size(ns) > :n", "n IN (:a, :n)",
		"SET a = if_not_exists(zz, :n) + n, l[1] = list_append(l, :l) REMOVE m.k ADD ns :ns DELETE m.k :ns", "a, l[0], m.k", "attribute_type(a, :a)",
		"begins_with(b, :b)", ":a = :a AND :n <> :b",
	} {
		f.Add(uint8(i), text, it, values)
	}
	kinds := []expression.Kind{expression.KindCondition, expression.KindFilter, expression.KindKeyCondition}
	f.Fuzz(func(t *testing.T, kind uint8, text, itemJSON, valuesJSON string) {
		subject, err := item.ReadItem(jsonio.NewReader(itemJSON))
		if err != nil {
			return
		}
		given, err := item.ReadItem(jsonio.NewReader(valuesJSON))
		if err != nil {
			return
		}
		names := []expression.Name{{Placeholder: "#a", Name: "a"}, {Placeholder: "#b", Name: "b"}}
		if c, err := expression.ParseCondition(kinds[int(kind)%len(kinds)], text); err == nil {
			if b, err := c.Bind(&expression.Args{Names: names, Values: given}); err == nil {
				b.Matches(subject)
				b.Matches(nil)
				_, _ = b.Key("a", "n")
				b.Mentions("a", "")
			}
		}
		if p, err := expression.ParseProjection(text); err == nil {
			if b, err := p.Bind(&expression.Args{Names: names, Values: given}); err == nil {
				b.Apply(subject)
			}
		}
		if u, err := expression.ParseUpdate(text); err == nil {
			if b, err := u.Bind(&expression.Args{Names: names, Values: given}); err == nil {
				if after, err := b.Apply(subject); err == nil {
					b.Updated(after)
					if decoded, err := item.Decode(after.Append(nil)); err != nil || !decoded.Equal(after) {
						t.Errorf("%q makes an item that does not survive storage: %v", text, err)
					}
				}
			}
		}
	})
}
