package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/streamroom/streamroom/shared/topology"
)

// order is that of the stacks of one deployment of all of them.
var order = []string{"Auth", "Database", "Storage", "WebSocket", "Streams", "Api", "Frontend", "Monitoring"}

// links are what a stack shares with others, as text.
type links struct {
	exports map[string]string // values by name
	imports map[string]bool   // names
	outputs map[string]string
	reads   map[string]bool // stack and output
}

func (c *cloud) links(t *testing.T) map[string]links {
	t.Helper()
	all := map[string]links{}
	for concern, template := range c.templates {
		l := links{map[string]string{}, map[string]bool{}, map[string]string{}, map[string]bool{}}
		for name, o := range template.Outputs {
			value, err := json.Marshal(o.Value)
			if err != nil {
				t.Fatal(err)
			}
			l.outputs[name] = string(value)
			if o.Export.Name != "" {
				l.exports[o.Export.Name] = string(value)
			}
		}
		for _, r := range template.Resources {
			l.find(r.Properties)
		}
		all[concern] = l
	}
	return all
}

// find collects the imports and reads in a value.
func (l links) find(value any) {
	switch v := value.(type) {
	case []any:
		for _, entry := range v {
			l.find(entry)
		}
	case map[string]any:
		for name, entry := range v {
			switch name {
			case "Fn::ImportValue":
				l.imports[fmt.Sprint(entry)] = true
			case "Fn::GetStackOutput":
				stack := fmt.Sprint(at(entry, "StackName"))
				l.reads[stack[strings.LastIndex(stack, "-")+1:]+" "+fmt.Sprint(at(entry, "OutputName"))] = true
			default:
				l.find(entry)
			}
		}
	}
}

// blocked lists what CloudFormation would refuse of a deployment, stack after stack:
// an export that is removed or changed while a stack still imports it, and an import
// or an output that is not there. An import of a resource that stays may keep its
// value, which no template shows, so only a changed expression counts as changed.
func blocked(before, after map[string]links, order []string) (out []string) {
	deployed := maps.Clone(before)
	for _, concern := range order {
		next, exists := after[concern]
		if !exists {
			continue // it is no part of the app any more, and stays as it is
		}
		for name, value := range before[concern].exports {
			if next.exports[name] == value {
				continue
			}
			for other, l := range deployed {
				if l.imports[name] {
					out = append(out, fmt.Sprintf("%s can't change %s, which %s imports", concern, name, other))
				}
			}
		}
		deployed[concern] = next
		for name := range next.imports {
			if !slices.ContainsFunc(slices.Collect(maps.Values(deployed)), func(l links) bool { return l.exports[name] != "" }) {
				out = append(out, fmt.Sprintf("%s imports %s, which is not exported yet", concern, name))
			}
		}
		for read := range next.reads {
			from, name, _ := strings.Cut(read, " ")
			if deployed[from].outputs[name] == "" {
				out = append(out, fmt.Sprintf("%s reads %s, which is not there yet", concern, read))
			}
		}
	}
	slices.Sort(out)
	return out
}

// Setting or taking away what gives others a name, and dropping a function with its
// metrics, deploys in the order of the stacks. CloudFormation refuses to change an
// export that is in use.
func TestChangesAreDeployable(t *testing.T) {
	plain := synth(t, "dev").links(t)
	named := synthWith(t, map[string]any{
		"env": "dev", "site": "https://www.example.com", "siteCertificate": "arn:aws:acm:us-east-1:123456789012:certificate/a",
		"apiDomain": "api.example.com", "apiCertificate": "arn:aws:acm:eu-central-1:123456789012:certificate/b",
		"webSocketDomain": "chat.example.com", "webSocketCertificate": "arn:aws:acm:eu-central-1:123456789012:certificate/c",
	}).links(t)
	guarded := synthWith(t, guardedSettings()).links(t)
	serving := synthWith(t, map[string]any{"env": "dev", "services": "bot"}).links(t)
	servingTwo := synthWith(t, map[string]any{"env": "dev", "services": "bot,import"}).links(t)
	// The settings of the second deployment that "First deploy" describes.
	cloudFront := synthWith(t, underCloudFront()).links(t)
	issuer := synthWith(t, anotherIssuer()).links(t)
	pool := synthWith(t, existingPool()).links(t)
	everything := synthWith(t, pushSettings(map[string]any{"env": "dev", "services": "bot", "events": true})).links(t)
	fewer := synthTopology(t, map[string]any{"env": "dev"}, slices.DeleteFunc(topology.Routes(), func(r topology.Route) bool {
		return r.Function == topology.SendMessage
	})).links(t)
	if len(plain["Monitoring"].reads) < 10 || len(plain["Streams"].imports) == 0 {
		t.Fatalf("the links were not found: %v", plain)
	}
	for what, change := range map[string][2]map[string]links{
		"the first deployment":         {{}, plain},
		"the first one, with names":    {{}, named},
		"setting names":                {plain, named},
		"taking names away":            {named, plain},
		"setting a firewall":           {plain, guarded},
		"taking the firewall away":     {guarded, plain},
		"the first one, with services": {{}, servingTwo},
		"setting CloudFront's address": {plain, cloudFront},
		"taking that address away":     {cloudFront, plain},
		"setting an issuer":            {plain, issuer},
		"taking the issuer away":       {issuer, plain},
		"setting an existing pool":     {plain, pool},
		"taking that pool away":        {pool, plain},
		"from a pool to an issuer":     {pool, issuer},
		"setting services":             {plain, servingTwo},
		"taking one of two away":       {servingTwo, serving},
		"taking services away":         {serving, plain},
		"setting services and pushes":  {plain, everything},
		"taking those away":            {everything, plain},
		"dropping a function":          {plain, fewer},
		"adding a function":            {fewer, plain},
		"dropping names and functions": {named, fewer},
		"dropping metrics":             {plain, withoutMetrics(t, plain)},
		"adding metrics":               {withoutMetrics(t, plain), plain},
	} {
		for _, problem := range blocked(change[0], change[1], order) {
			t.Errorf("%s: %s", what, problem)
		}
	}
}

// withoutMetrics returns the links of an app whose alarms watch no mapping of the stream,
// while the mappings stay: what Monitoring alone reads of the stack Streams is no longer
// shared.
func withoutMetrics(t *testing.T, all map[string]links) map[string]links {
	t.Helper()
	fewer := maps.Clone(all)
	monitoring, streams := all["Monitoring"], all["Streams"]
	monitoring.reads, streams.outputs, streams.exports = maps.Clone(monitoring.reads), maps.Clone(streams.outputs), maps.Clone(streams.exports)
	dropped := 0
	for read := range all["Monitoring"].reads {
		from, name, _ := strings.Cut(read, " ")
		if from != "Streams" || !strings.Contains(name, "mapping") {
			continue
		}
		dropped++
		delete(monitoring.reads, read)
		value := streams.outputs[name]
		maps.DeleteFunc(streams.outputs, func(_, v string) bool { return v == value })
		maps.DeleteFunc(streams.exports, func(_, v string) bool { return v == value })
	}
	if dropped != 2 {
		t.Fatalf("Monitoring reads %d mappings of Streams, want those of both readers", dropped)
	}
	fewer["Monitoring"], fewer["Streams"] = monitoring, streams
	return fewer
}

// The order in which these tests deploy is one of those that the CLI may take: a stack comes
// after all that the manifest has it depend on. What a stack imports or reads is of such a
// one, so that it is there in each of those orders.
func TestTheOrderIsTheManifests(t *testing.T) {
	for name, values := range map[string]map[string]any{
		"no options": {"env": "dev"}, "names and a firewall": guardedSettings(),
		"services and pushes": pushSettings(map[string]any{"env": "dev", "services": "bot", "events": true}),
	} {
		t.Run(name, func(t *testing.T) {
			c := synthWith(t, values)
			needs, all := c.dependencies(t), c.links(t)
			for concern := range needs {
				if at := slices.Index(order, concern); at < 0 {
					if l := all[concern]; len(needs[concern]) > 0 || len(l.exports) > 0 || len(l.imports) > 0 || len(l.reads) > 0 {
						t.Errorf("%s is not in the order, and not by itself", concern)
					}
				} else if later := slices.IndexFunc(order[at:], func(other string) bool { return slices.Contains(needs[concern], other) }); later >= 0 {
					t.Errorf("%s comes before %s, which it depends on", concern, order[at+later])
				}
				for imported := range all[concern].imports {
					if !slices.ContainsFunc(needs[concern], func(other string) bool { return all[other].exports[imported] != "" }) {
						t.Errorf("%s imports %s of none of %v", concern, imported, needs[concern])
					}
				}
				for read := range all[concern].reads {
					if from, _, _ := strings.Cut(read, " "); !slices.Contains(needs[concern], from) {
						t.Errorf("%s reads %s, and does not depend on it", concern, read)
					}
				}
			}
			if len(needs["Streams"]) == 0 || slices.Contains(needs["WebSocket"], "Streams") {
				t.Errorf("dependencies are %v", needs)
			}
		})
	}
}

// dependencies returns which stacks the CLI deploys before each one, directly or not.
func (c *cloud) dependencies(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Artifacts map[string]struct {
			Type         string
			Dependencies []string
		}
	}
	if err := json.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	needs := map[string][]string{}
	var add func(concern, artifact string)
	add = func(concern, artifact string) {
		for _, other := range manifest.Artifacts[artifact].Dependencies {
			name, isStack := strings.CutPrefix(other, topology.StackName(c.env, ""))
			if isStack && manifest.Artifacts[other].Type == "aws:cloudformation:stack" && !slices.Contains(needs[concern], name) {
				needs[concern] = append(needs[concern], name)
				add(concern, other)
			}
		}
	}
	for concern := range c.templates {
		needs[concern] = nil
		add(concern, topology.StackName(c.env, concern))
	}
	return needs
}

func TestBlocked_FindsWhatCloudFormationRefuses(t *testing.T) {
	producer := links{exports: map[string]string{"a": "1", "b": "2"}}
	consumer := links{imports: map[string]bool{"a": true}}
	before := map[string]links{"Database": producer, "Monitoring": consumer}
	for what, test := range map[string]struct {
		after map[string]links
		want  int
	}{
		"an export that is used":     {map[string]links{"Database": {exports: map[string]string{"b": "2"}}, "Monitoring": {}}, 1},
		"an export that is not used": {map[string]links{"Database": {exports: map[string]string{"a": "1"}}, "Monitoring": consumer}, 0},
		"a changed export":           {map[string]links{"Database": {exports: map[string]string{"a": "3", "b": "2"}}, "Monitoring": consumer}, 1},
		"a missing import":           {map[string]links{"Database": producer, "Monitoring": {imports: map[string]bool{"c": true}}}, 1},
		"a missing output":           {map[string]links{"Database": producer, "Monitoring": {reads: map[string]bool{"Database x": true}}}, 1},
	} {
		if got := blocked(before, test.after, order); len(got) != test.want {
			t.Errorf("%s: %q, want %d problems", what, got, test.want)
		}
	}
}
