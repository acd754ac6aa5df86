package local_test

import (
	"bytes"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/streamroom/streamroom/shared/httpapi"
)

// description is what openapi.json says of the HTTP API, or asyncapi.json of the
// frames. Every answer to a test's request is held to it.
type description struct {
	url      string
	doc      map[string]any
	compiler *jsonschema.Compiler

	mu       sync.Mutex
	schemas  map[string]*jsonschema.Schema
	answered map[string]bool // operation and status
}

var described = sync.OnceValue(func() *description {
	return newDescription("file:///openapi.json", httpapi.Description, jsonschema.Draft2020)
})

func newDescription(at string, data []byte, draft *jsonschema.Draft) *description {
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		panic(err)
	}
	doc, _ := parsed.(map[string]any)
	strict(doc)
	d := &description{url: at, doc: doc, compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}, answered: map[string]bool{}}
	d.compiler.DefaultDraft(draft)
	if err := d.compiler.AddResource(at, doc); err != nil {
		panic(err)
	}
	return d
}

// strict closes every schema with properties: clients take fields that they
// don't know, but here none may be missing from the description.
func strict(node any) {
	switch node := node.(type) {
	case map[string]any:
		if _, ok := node["properties"].(map[string]any); ok && node["type"] == "object" && node["additionalProperties"] == nil {
			node["additionalProperties"] = false
		}
		for _, child := range node {
			strict(child)
		}
	case []any:
		for _, child := range node {
			strict(child)
		}
	}
}

// at follows a path of names through the description, and references.
func (d *description) at(names ...string) (node map[string]any, pointer string) {
	node = d.doc
	for _, name := range names {
		next, _ := node[name].(map[string]any)
		node, pointer = next, pointer+"/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		if target, ok := next["$ref"].(string); ok {
			return d.at(strings.Split(strings.TrimPrefix(target, "#/"), "/")...)
		}
	}
	return node, pointer
}

// path finds the described path of a request's; "" if there is none.
func (d *description) path(requested string) string {
	paths, _ := d.doc["paths"].(map[string]any)
	asked := strings.Split(requested, "/")
	best, most := "", 0
	for path := range paths {
		if n := d.fits(path, asked); n > most {
			best, most = path, n
		}
	}
	return best
}

// fits is 0 for a path that is another, and more the fewer parameters it has.
func (d *description) fits(path string, asked []string) int {
	parts := strings.Split(path, "/")
	if len(parts) != len(asked) {
		return 0
	}
	literal := 1
	for i, part := range parts {
		switch {
		case part == asked[i]:
			literal++
		case !strings.HasPrefix(part, "{") || asked[i] == "":
			return 0
		}
	}
	return literal
}

func (d *description) validate(pointer string, body []byte) error {
	d.mu.Lock()
	schema, ok := d.schemas[pointer]
	if !ok {
		var err error
		if schema, err = d.compiler.Compile(d.url + "#" + pointer); err != nil {
			d.mu.Unlock()
			return fmt.Errorf("compile %s: %w", pointer, err)
		}
		d.schemas[pointer] = schema
	}
	d.mu.Unlock()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// check holds an answer to the description, and a request that was served.
func (d *description) check(t testing.TB, r *http.Request, sent []byte, response *http.Response, body []byte) {
	t.Helper()
	path := d.path(strings.TrimPrefix(r.URL.EscapedPath(), "/api"))
	method := strings.ToLower(r.Method)
	operation, _ := d.at("paths", path, method)
	var pointer string
	status := fmt.Sprint(response.StatusCode)
	if operation == nil {
		if response.StatusCode != http.StatusNotFound && response.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s %s, which is not described, is answered with %s", r.Method, r.URL.Path, status)
		}
		_, pointer = d.at("components", "responses", "OtherProblem")
	} else {
		id, _ := operation["operationId"].(string)
		d.mu.Lock()
		d.answered[id+" "+status] = true
		d.mu.Unlock()
		if response.StatusCode < http.StatusMultipleChoices {
			d.checkRequest(t, path, method, operation, r, sent)
		}
		var answer map[string]any
		if answer, pointer = d.at("paths", path, method, "responses", status); answer == nil {
			if response.StatusCode != http.StatusMethodNotAllowed && response.StatusCode != http.StatusInternalServerError {
				t.Errorf("%s answers %s, which is not described", id, status)
			}
			_, pointer = d.at("paths", path, method, "responses", "default")
		}
	}
	d.checkAnswer(t, r.Method+" "+r.URL.Path+": "+status, pointer, response, body)
}

func (d *description) checkAnswer(t testing.TB, what, pointer string, response *http.Response, body []byte) {
	t.Helper()
	content, _ := d.byPointer(pointer)["content"].(map[string]any)
	if len(content) == 0 {
		if len(body) > 0 {
			t.Errorf("%s has a body", what)
		}
		return
	}
	kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil || content[kind] == nil {
		t.Errorf("%s has the content type %q, described are %v", what, kind, slices.Collect(maps.Keys(content)))
		return
	}
	schema := pointer + "/content/" + strings.ReplaceAll(kind, "/", "~1") + "/schema"
	if err := d.validate(schema, body); err != nil {
		t.Errorf("%s is not as described: %v\n%s", what, err, body)
	}
}

func (d *description) byPointer(pointer string) map[string]any {
	node := d.doc
	for name := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		node, _ = node[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)].(map[string]any)
	}
	return node
}

// checkRequest holds what was served to the description: nothing undescribed is
// needed, or taken.
func (d *description) checkRequest(t testing.TB, path, method string, operation map[string]any, r *http.Request, sent []byte) {
	t.Helper()
	if operation["requestBody"] != nil {
		schema := "/paths/" + strings.ReplaceAll(path, "/", "~1") + "/" + method + "/requestBody/content/application~1json/schema"
		if err := d.validate(schema, sent); err != nil {
			t.Errorf("%s %s takes a body that is not described: %v\n%s", r.Method, r.URL.Path, err, sent)
		}
	}
	var names []string
	parameters, _ := operation["parameters"].([]any)
	for _, p := range parameters {
		reference, _ := p.(map[string]any)["$ref"].(string)
		parameter := d.byPointer(strings.TrimPrefix(reference, "#"))
		if parameter["in"] == "query" {
			name, _ := parameter["name"].(string)
			names = append(names, name)
		}
	}
	for name := range r.URL.Query() {
		if !slices.Contains(names, name) && r.URL.Query().Get(name) != "" {
			t.Errorf("%s %s takes the parameter %s, which is not described", r.Method, r.URL.Path, name)
		}
	}
}

// unanswered lists what is described and was never answered.
func (d *description) unanswered() (missing []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	paths, _ := d.doc["paths"].(map[string]any)
	for path := range paths {
		for _, method := range []string{"get", "post", "put", "patch", "delete"} {
			operation, _ := d.at("paths", path, method)
			if operation == nil {
				continue
			}
			answers, _ := operation["responses"].(map[string]any)
			for status := range answers {
				id, _ := operation["operationId"].(string)
				if status != "default" && !d.answered[id+" "+status] {
					missing = append(missing, id+" "+status)
				}
			}
		}
	}
	slices.Sort(missing)
	return missing
}
