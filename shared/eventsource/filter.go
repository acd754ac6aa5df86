package eventsource

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/streamroom/streamroom/shared/topology"
)

// Filters are the event filters of one mapping. A record passes if it matches
// one of them; if there are none, all records pass.
type Filters []Filter

// ParseFilters compiles the filters of a mapping, as they are deployed.
func ParseFilters(patterns []topology.Pattern) (Filters, error) {
	filters := make(Filters, 0, len(patterns))
	for _, pattern := range patterns {
		f, err := ParseFilter(pattern.JSON())
		if err != nil {
			return nil, err
		}
		filters = append(filters, f)
	}
	return filters, nil
}

// Match reports whether the record passes.
func (f Filters) Match(r *types.Record) bool {
	return len(f) == 0 || slices.ContainsFunc(f, func(one Filter) bool { return one.Match(r) })
}

// Filter is one compiled event filter: all of its fields must match, each by
// any of its alternatives.
type Filter struct {
	fields []field
}

type field struct {
	value func(*types.Record) (string, bool)
	rules []rule
}

// rule matches a value exactly or by its prefix; any value has the prefix "".
type rule struct {
	text   string
	prefix bool
}

// ParseFilter compiles a filter in the language of FilterCriteria ("Control
// which events Lambda sends to your function"). It knows what is deployed: exact
// strings, {"prefix":"…"} and {"exists":true}, on eventName, on
// userIdentity.type and .principalId, and on attributes of type S or N of
// dynamodb.Keys, .NewImage and .OldImage, below the type. It returns an error
// for anything else, rather than match differently from AWS: above the type
// {"exists":false} matches every attribute there (recorded by localstack's tests
// against AWS), and numeric operators match no attribute of type N, whose value
// is a string.
func ParseFilter(text string) (Filter, error) {
	if !json.Valid([]byte(text)) {
		return Filter{}, fmt.Errorf("invalid filter %s: want a JSON object", text)
	}
	var f Filter
	err := walkObject([]byte(text), func(name string, value json.RawMessage) error {
		switch name {
		case "eventName":
			return f.add(value, func(r *types.Record) (string, bool) { return string(r.EventName), true })
		case "userIdentity":
			return f.parseIdentity(value)
		case "dynamodb":
			return f.parseImages(value)
		}
		return errors.New("unsupported field: want eventName, userIdentity or dynamodb")
	})
	if err != nil {
		return Filter{}, fmt.Errorf("invalid filter %s: %w", text, err)
	}
	if len(f.fields) == 0 {
		return Filter{}, fmt.Errorf("invalid filter %s: want at least one field to match", text)
	}
	return f, nil
}

// Match reports whether the record passes the filter. A record without a body
// does not.
func (f Filter) Match(r *types.Record) bool {
	if r.Dynamodb == nil {
		return false
	}
	for _, field := range f.fields {
		value, ok := field.value(r)
		if !ok || !slices.ContainsFunc(field.rules, func(rule rule) bool { return rule.match(value) }) {
			return false
		}
	}
	return true
}

func (r rule) match(value string) bool {
	if r.prefix {
		return strings.HasPrefix(value, r.text)
	}
	return value == r.text
}

func (f *Filter) parseIdentity(text json.RawMessage) error {
	return walkObject(text, func(name string, value json.RawMessage) error {
		var get func(*types.Identity) *string
		switch name {
		case "type":
			get = func(i *types.Identity) *string { return i.Type }
		case "principalId":
			get = func(i *types.Identity) *string { return i.PrincipalId }
		default:
			return errors.New("unsupported field of userIdentity: want type or principalId")
		}
		return f.add(value, func(r *types.Record) (string, bool) {
			if r.UserIdentity == nil {
				return "", false
			}
			return aws.ToString(get(r.UserIdentity)), true
		})
	})
}

func (f *Filter) parseImages(text json.RawMessage) error {
	return walkObject(text, func(name string, value json.RawMessage) error {
		var image func(*types.StreamRecord) map[string]types.AttributeValue
		switch name {
		case "Keys":
			image = func(s *types.StreamRecord) map[string]types.AttributeValue { return s.Keys }
		case "NewImage":
			image = func(s *types.StreamRecord) map[string]types.AttributeValue { return s.NewImage }
		case "OldImage":
			image = func(s *types.StreamRecord) map[string]types.AttributeValue { return s.OldImage }
		default:
			return errors.New("unsupported field of dynamodb: want Keys, NewImage or OldImage")
		}
		return walkObject(value, func(attribute string, value json.RawMessage) error {
			return walkObject(value, func(kind string, value json.RawMessage) error {
				return f.parseAttribute(image, attribute, kind, value)
			})
		})
	})
}

func (f *Filter) parseAttribute(image func(*types.StreamRecord) map[string]types.AttributeValue, attribute, kind string, rules json.RawMessage) error {
	switch kind {
	case "S":
		return f.add(rules, func(r *types.Record) (string, bool) {
			return Text(image(r.Dynamodb), attribute)
		})
	case "N": // a string, too
		return f.add(rules, func(r *types.Record) (string, bool) {
			return Number(image(r.Dynamodb), attribute)
		})
	}
	return errors.New("unsupported attribute type: want S or N")
}

// add compiles the alternatives of one field.
func (f *Filter) add(text json.RawMessage, value func(*types.Record) (string, bool)) error {
	var alternatives []json.RawMessage
	if err := json.Unmarshal(text, &alternatives); err != nil || len(alternatives) == 0 {
		return errors.New("want a list with at least one alternative")
	}
	rules := make([]rule, len(alternatives))
	for i, alternative := range alternatives {
		var err error
		if rules[i], err = parseRule(alternative); err != nil {
			return err
		}
	}
	f.fields = append(f.fields, field{value, rules})
	return nil
}

func parseRule(text json.RawMessage) (rule, error) {
	var r rule
	switch text[0] {
	case '"':
		err := json.Unmarshal(text, &r.text)
		return r, err
	case '{':
		err := walkObject(text, func(name string, value json.RawMessage) error {
			if r.prefix {
				return errors.New("want one operator: AWS takes no second")
			}
			r.prefix = true
			switch name {
			case "exists":
				if string(value) != "true" {
					return errors.New("want true: nothing else is supported")
				}
				return nil
			case "prefix":
				if value[0] != '"' {
					return errors.New("want a string")
				}
				return json.Unmarshal(value, &r.text)
			}
			return errors.New("unsupported operator: want prefix, exists or an exact string")
		})
		return r, err
	}
	return rule{}, fmt.Errorf("unsupported value %s: want a string or {\"prefix\":\"…\"}", text)
}

// walkObject calls visit for every member of an object in valid JSON, in order.
// It refuses empty objects and repeated names, of which AWS keeps only the last.
func walkObject(text []byte, visit func(name string, value json.RawMessage) error) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return errors.New("want a JSON object")
	}
	seen := make(map[string]bool)
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return err
		}
		if seen[name] {
			return fmt.Errorf("%s is given twice: AWS keeps only the last", name)
		}
		seen[name] = true
		if err := visit(name, value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(seen) == 0 {
		return errors.New("want at least one member, got {}")
	}
	return nil
}
