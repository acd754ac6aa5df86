package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
)

// mappings returns the event source mappings in the template.
func (c *cloud) mappings(t *testing.T) []topology.StreamMapping {
	t.Helper()
	var found []topology.StreamMapping
	for _, r := range c.all("AWS::Lambda::EventSourceMapping") {
		text, err := json.Marshal(r.Properties)
		if err != nil {
			t.Fatal(err)
		}
		var p struct {
			BatchSize                      int
			MaximumBatchingWindowInSeconds int
			ParallelizationFactor          int
			MaximumRetryAttempts           int
			MaximumRecordAgeInSeconds      int
			BisectBatchOnFunctionError     bool
			FunctionResponseTypes          []string
			FilterCriteria                 struct{ Filters []struct{ Pattern string } }
			FunctionName                   struct{ Ref string }
		}
		if err := json.Unmarshal(text, &p); err != nil {
			t.Fatal(err)
		}
		m := topology.StreamMapping{
			Function:              c.program(t, c.templates[r.concern].Resources[p.FunctionName.Ref]),
			BatchSize:             p.BatchSize,
			BatchWindow:           time.Duration(p.MaximumBatchingWindowInSeconds) * time.Second,
			ParallelizationFactor: p.ParallelizationFactor,
			MaximumRetryAttempts:  p.MaximumRetryAttempts,
			MaximumRecordAge:      time.Duration(p.MaximumRecordAgeInSeconds) * time.Second,
			BisectOnError:         p.BisectBatchOnFunctionError,
			ReportItemFailures:    fmt.Sprint(p.FunctionResponseTypes) == "[ReportBatchItemFailures]",
		}
		for _, f := range p.FilterCriteria.Filters {
			m.Filters = append(m.Filters, pattern(t, f.Pattern))
		}
		found = append(found, m)
	}
	return found
}

// pattern parses a filter. It must contain nothing that a pattern does not have.
func pattern(t *testing.T, filter string) topology.Pattern {
	t.Helper()
	type prefixes struct {
		S []struct {
			Prefix string `json:"prefix"`
		} `json:"S"`
	}
	var parsed struct {
		EventName []string `json:"eventName"`
		Dynamodb  struct {
			Keys     map[string]prefixes
			NewImage map[string]any
		} `json:"dynamodb"`
	}
	decoder := json.NewDecoder(bytes.NewBufferString(filter))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&parsed); err != nil {
		t.Fatalf("read the filter %s: %v", filter, err)
	}
	p := topology.Pattern{EventNames: parsed.EventName}
	for _, prefix := range parsed.Dynamodb.Keys[table.PK].S {
		p.PKPrefixes = append(p.PKPrefixes, prefix.Prefix)
	}
	for _, prefix := range parsed.Dynamodb.Keys[table.SK].S {
		p.SKPrefixes = append(p.SKPrefixes, prefix.Prefix)
	}
	for name := range parsed.Dynamodb.NewImage {
		p.Number = name
	}
	if p.JSON() != filter {
		t.Fatalf("the filter %s says more than %s", filter, p.JSON())
	}
	return p
}
