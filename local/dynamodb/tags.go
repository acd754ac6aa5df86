package dynamodb

import (
	"context"
	"slices"
	"strings"
)

// maxTags is how many tags a table may have (Developer Guide, "Tagging restrictions in DynamoDB").
const maxTags = 50

type (
	tag              struct{ Key, Value string }
	tagResourceInput struct {
		ResourceArn string
		Tags        []tag
	}
	untagResourceInput struct {
		ResourceArn string
		TagKeys     []string
	}
	listTagsInput  struct{ ResourceArn, NextToken string }
	listTagsOutput struct{ Tags []tag }
	emptyOutput    struct{}
)

// taggedTable returns the table that an ARN names. The error is an *Error.
func (e *Engine) taggedTable(arn string) (*table, error) {
	name := bareName(arn)
	if arn == "" {
		return nil, missing("resourceArn")
	}
	if name == arn || !strings.HasPrefix(arn, "arn:") || !namePattern.MatchString(name) {
		return nil, invalidParameter("Invalid TableArn: Invalid ResourceArn provided as input %s", arn)
	}
	t := e.catalog.Load().tables[name]
	if t == nil {
		return nil, &Error{Code: codeNotFound, Message: "Requested resource not found: ResourcArn: " + arn + " not found"}
	}
	return t, nil
}

// withTags returns the tags with those given added or replaced, sorted by key. The error is an
// *Error.
func withTags(now, given []tag) ([]tag, error) {
	out := slices.Clone(now)
	for i, t := range given {
		if t.Key == "" || len(t.Key) > 128 || len(t.Value) > 256 {
			return nil, invalidParameter("Invalid tag: keys have 1 to 128 characters, values 256 at most")
		}
		if slices.ContainsFunc(given[:i], func(u tag) bool { return u.Key == t.Key }) {
			return nil, invalidParameter("Duplicate tag keys: %s", t.Key)
		}
		out = append(slices.DeleteFunc(out, func(u tag) bool { return u.Key == t.Key }), t)
	}
	if len(out) > maxTags {
		return nil, &Error{Code: codeLimitExceeded, Message: "The number of tags exceeds the limit of 50 of a resource"}
	}
	slices.SortFunc(out, func(a, b tag) int { return strings.Compare(a.Key, b.Key) })
	return out, nil
}

// changeTags replaces a table's tags by what f makes of them.
func (e *Engine) changeTags(ctx context.Context, arn string, f func([]tag) ([]tag, error)) (*emptyOutput, error) {
	err := e.writeAlone(ctx, func(x *tx) error {
		now, err := e.taggedTable(arn)
		if err != nil {
			return err
		}
		t := *now
		if t.Tags, err = f(now.Tags); err != nil {
			return err
		}
		return x.saveTable(&t)
	})
	return &emptyOutput{}, err
}

func (e *Engine) tagResource(ctx context.Context, in *tagResourceInput) (*emptyOutput, error) {
	if in.Tags == nil {
		return nil, missing("tags")
	}
	return e.changeTags(ctx, in.ResourceArn, func(now []tag) ([]tag, error) { return withTags(now, in.Tags) })
}

func (e *Engine) untagResource(ctx context.Context, in *untagResourceInput) (*emptyOutput, error) {
	if in.TagKeys == nil {
		return nil, missing("tagKeys")
	}
	return e.changeTags(ctx, in.ResourceArn, func(now []tag) ([]tag, error) {
		return slices.DeleteFunc(slices.Clone(now), func(t tag) bool { return slices.Contains(in.TagKeys, t.Key) }), nil
	})
}

func (e *Engine) listTagsOfResource(_ context.Context, in *listTagsInput) (*listTagsOutput, error) {
	t, err := e.taggedTable(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &listTagsOutput{Tags: append([]tag{}, t.Tags...)}, nil
}
