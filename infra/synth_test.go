package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/streamroom/streamroom/shared/topology"
)

// temporary outlives the tests: they share what was built and synthesized, and
// jsii's runtime is in it.
var temporary string

// The tests run one after the other: jsii's runtime is one process and does not
// take several callers. It ends with this process; jsii.Close would wait for it
// twice, which the race detector reports.
func TestMain(m *testing.M) {
	var err error
	if temporary, err = os.MkdirTemp("", "streamroom-infra-*"); err == nil {
		err = os.Setenv("TMPDIR", temporary)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if code == 0 && flag.Lookup("test.run").Value.String() == "" {
		code = everySettingIsSynthesized()
	}
	_ = os.RemoveAll(temporary)
	os.Exit(code)
}

// templatesEnv has the folder that keeps all templates of the tests, for .ci/templates. What
// is there stays: CI runs single tests once more.
const templatesEnv = "STREAMROOM_TEMPLATES"

// given are the settings of the apps that were synthesized.
var given = map[string]bool{}

// everySettingIsSynthesized returns an exit code: each setting has to be one of an app
// that a test synthesized.
func everySettingIsSynthesized() (code int) {
	for _, o := range options {
		if len(given) > 0 && !given[o.name] {
			fmt.Fprintf(os.Stderr, "no test synthesizes an app with the setting %s\n", o.name)
			code = 1
		}
	}
	return code
}

// keep copies templates to where .ci/templates finds them.
func keep(t *testing.T, dir string, paths []string) {
	t.Helper()
	folder := os.Getenv(templatesEnv)
	if folder == "" {
		return
	}
	folder = filepath.Join(folder, filepath.Base(dir))
	if err := os.MkdirAll(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, filepath.Base(path)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(temporary, "") //nolint:usetesting // tests share it
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// needNode skips the test where Node.js is not installed. Where
// STREAMROOM_REQUIRE_NODE is set, as in CI, that is a failure.
func needNode(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		if os.Getenv("STREAMROOM_REQUIRE_NODE") != "" {
			t.Fatal("Node.js is not installed, and STREAMROOM_REQUIRE_NODE asks for it")
		}
		t.Skip("Node.js is not installed: the CDK runs on it, so nothing of the deployment is tested here")
	}
}

// build is what prepare makes, once.
type build struct {
	once  sync.Once
	files assets
	err   error
}

func (b *build) assets(t *testing.T) assets {
	t.Helper()
	b.once.Do(func() { b.files, b.err = prepare(t.Context(), "..", tempDir(t)) })
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.files
}

// The tests share what was built, and what was built once more as if the operator had a
// strict umask.
var built, builtAgain build

// files are the functions and the browser client.
func files(t *testing.T) assets {
	t.Helper()
	return built.assets(t)
}

// filesAgain are those of the second build.
func filesAgain(t *testing.T) assets {
	t.Helper()
	before := setUmask(0o077)
	defer setUmask(before)
	return builtAgain.assets(t)
}

// setUmask is syscall.Umask on systems that have it.
var setUmask = func(mask int) (before int) { return mask }

// cliContext returns the context that the CLI passes: cdk.json's and more.
func cliContext(t *testing.T, more map[string]any) map[string]any {
	t.Helper()
	text, err := os.ReadFile("../cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	var config struct{ Context map[string]any }
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	for name, value := range more {
		config.Context[name] = value
	}
	return config.Context
}

func settingsOf(t *testing.T, values map[string]any) (settings, map[string]any) {
	t.Helper()
	all := cliContext(t, values)
	s, err := parseSettings(all)
	if err != nil {
		t.Fatal(err)
	}
	return s, all
}

// cloud holds the synthesized templates by their concern.
type cloud struct {
	dir       string
	env       string
	templates map[string]template
}

type template struct {
	Resources map[string]resource
	Outputs   map[string]struct {
		Value  any
		Export struct{ Name string }
	}
}

type resource struct {
	Type           string
	Properties     map[string]any
	DeletionPolicy string
	DependsOn      any

	concern, id string // where it was found
}

// synthesized has what the tests share, by its settings.
var synthesized = map[string]*cloud{}

// synth synthesizes the whole app for an environment, once.
func synth(t *testing.T, env string) *cloud {
	t.Helper()
	return synthWith(t, map[string]any{"env": env})
}

// synthWith synthesizes the whole app with some settings, once for the same ones.
func synthWith(t *testing.T, values map[string]any) *cloud {
	t.Helper()
	key := toJSON(t, values)
	if synthesized[key] == nil {
		synthesized[key] = synthTopology(t, values, topology.Routes())
	}
	return synthesized[key]
}

// synthTopology synthesizes the whole app with some routes.
func synthTopology(t *testing.T, values map[string]any, routes []topology.Route) *cloud {
	t.Helper()
	needNode(t)
	s, all := settingsOf(t, values)
	dir := tempDir(t)
	for name := range values {
		given[name] = true
	}
	a := emptyApp(s, appOptions{outdir: dir, context: all})
	a.routes = routes
	if _, err := a.fill(files(t)); err != nil {
		t.Fatal(err)
	}
	a.Synth(nil)
	return read(t, dir, s.Env)
}

func read(t *testing.T, dir, env string) *cloud {
	t.Helper()
	c := &cloud{dir: dir, env: env, templates: map[string]template{}}
	paths, err := filepath.Glob(filepath.Join(dir, "Streamroom-"+env+"-*.template.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d templates, %v", len(paths), err)
	}
	keep(t, dir, paths)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var parsed template
		if err := json.Unmarshal(text, &parsed); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		concern := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "Streamroom-"+env+"-"), ".template.json")
		for id, r := range parsed.Resources {
			r.concern, r.id = concern, id
			parsed.Resources[id] = r
		}
		c.templates[concern] = parsed
	}
	return c
}

// all lists the resources of a type, in a stable order.
func (c *cloud) all(kind string) []resource {
	var found []resource
	for _, t := range c.templates {
		for _, r := range t.Resources {
			if r.Type == kind {
				found = append(found, r)
			}
		}
	}
	slices.SortFunc(found, func(a, b resource) int { return strings.Compare(a.concern+a.id, b.concern+b.id) })
	return found
}

func (c *cloud) only(t *testing.T, kind string) resource {
	t.Helper()
	found := c.all(kind)
	if len(found) != 1 {
		t.Fatalf("%d resources of type %s, want one", len(found), kind)
	}
	return found[0]
}

// at walks into properties: names of fields, and numbers for entries of lists.
func at(value any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			fields, _ := value.(map[string]any)
			value = fields[step]
		case int:
			list, _ := value.([]any)
			if step >= len(list) {
				return nil
			}
			value = list[step]
		}
	}
	return value
}

func (r resource) at(path ...any) any { return at(r.Properties, path...) }

// expect compares a property as JSON.
func (r resource) expect(t *testing.T, want string, path ...any) {
	t.Helper()
	got, err := json.Marshal(r.at(path...))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s/%s %v is %s, want %s", r.concern, r.id, path, got, want)
	}
}

func list(value any) []any {
	switch v := value.(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v} // IAM writes a list of one without the list
	}
}

func texts(value any) []string {
	var out []string
	for _, v := range list(value) {
		out = append(out, fmt.Sprint(v))
	}
	return out
}

// statements are those of all policies, with where they were found.
func (c *cloud) statements() []statement {
	var found []statement
	add := func(r resource, document any, roles ...string) {
		for _, s := range list(at(document, "Statement")) {
			found = append(found, statement{r, s.(map[string]any), roles})
		}
	}
	for _, r := range c.all("AWS::IAM::Policy") {
		var roles []string
		for _, role := range list(r.at("Roles")) {
			roles = append(roles, fmt.Sprint(at(role, "Ref")))
		}
		add(r, r.at("PolicyDocument"), roles...)
	}
	for _, r := range c.all("AWS::IAM::Role") {
		for _, p := range list(r.at("Policies")) {
			add(r, at(p, "PolicyDocument"), r.id)
		}
	}
	for _, kind := range []string{"AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::IAM::ManagedPolicy"} {
		for _, r := range c.all(kind) {
			add(r, r.at("PolicyDocument"))
		}
	}
	return found
}

type statement struct {
	resource
	fields map[string]any
	roles  []string // logical ids
}

func (s statement) allows() bool { return s.fields["Effect"] == "Allow" }
