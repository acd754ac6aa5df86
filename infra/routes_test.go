package main

import (
	"debug/buildinfo"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/topology"
)

func TestTheRoutesAreTheTopologys(t *testing.T) {
	byKey := func(a, b topology.Route) int { return strings.Compare(a.Key, b.Key) }
	got := slices.SortedFunc(slices.Values(synth(t, "dev").routes(t)), byKey)
	want := slices.SortedFunc(slices.Values(topology.Routes()), byKey)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-topology +template):\n%s", diff)
	}
}

// routes returns the WebSocket API's routes in the template.
func (c *cloud) routes(t *testing.T) []topology.Route {
	t.Helper()
	stack := c.templates["WebSocket"].Resources
	responses := map[string]bool{}
	for _, r := range c.all("AWS::ApiGatewayV2::RouteResponse") {
		r.expect(t, `"$default"`, "RouteResponseKey")
		responses[fmt.Sprint(r.at("RouteId", "Ref"))] = true
	}
	var found []topology.Route
	for _, r := range c.all("AWS::ApiGatewayV2::Route") {
		if r.concern != "WebSocket" {
			continue
		}
		integration := stack[fmt.Sprint(r.at("Target", "Fn::Join", 1, 1, "Ref"))]
		integration.expect(t, `"AWS_PROXY"`, "IntegrationType")
		function := stack[fmt.Sprint(integration.at("IntegrationUri", "Fn::Join", 1, 5, "Fn::GetAtt", 0))]
		twoWay := responses[r.id]
		if (r.at("RouteResponseSelectionExpression") == "$default") != twoWay {
			t.Errorf("the route %v selects no response, or has none", r.at("RouteKey"))
		}
		found = append(found, topology.Route{Key: fmt.Sprint(r.at("RouteKey")), Function: c.program(t, function), TwoWay: twoWay})
	}
	return found
}

// program is the folder below functions/ that a function's code was built from.
func (c *cloud) program(t *testing.T, function resource) string {
	t.Helper()
	asset := "asset." + strings.TrimSuffix(fmt.Sprint(function.at("Code", "S3Key")), ".zip")
	info, err := buildinfo.ReadFile(filepath.Join(c.dir, asset, "bootstrap"))
	if err != nil {
		t.Fatalf("the code of %s/%s: %v", function.concern, function.id, err)
	}
	return filepath.Base(info.Path)
}

func TestEachRouteMayInvokeItsFunctionAndNothingElse(t *testing.T) {
	c := synth(t, "dev")
	got := map[string]string{}
	for _, r := range c.all("AWS::Lambda::Permission") {
		r.expect(t, `"apigateway.amazonaws.com"`, "Principal")
		function := c.templates[r.concern].Resources[fmt.Sprint(r.at("FunctionName", "Fn::GetAtt", 0))]
		parts := list(r.at("SourceArn", "Fn::Join", 1))
		got[c.program(t, function)] = fmt.Sprint(parts[len(parts)-1])
	}
	want := map[string]string{topology.API: "/*/*"} // of this API, by its id
	for _, route := range topology.Routes() {
		want[route.Function] = "/dev/" + route.Key
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheDeploymentDependsOnAllThatItContains(t *testing.T) {
	c := synth(t, "dev")
	depends := texts(c.only(t, "AWS::ApiGatewayV2::Deployment").DependsOn)
	for _, kind := range []string{"Route", "Integration", "RouteResponse"} {
		for _, r := range c.all("AWS::ApiGatewayV2::" + kind) {
			if r.concern == "WebSocket" && !slices.Contains(depends, r.id) {
				t.Errorf("the deployment may be made before %s", r.id)
			}
		}
	}
}

// deploymentOf returns the logical id of the WebSocket API's deployment.
func deploymentOf(t *testing.T, values map[string]any, routes []topology.Route) string {
	t.Helper()
	return webSocketOf(t, values, routes).only(t, "AWS::ApiGatewayV2::Deployment").id
}

// webSocketOf synthesizes the WebSocket stack alone, with the stacks that it needs.
func webSocketOf(t *testing.T, values map[string]any, routes []topology.Route) *cloud {
	t.Helper()
	needNode(t)
	s, all := settingsOf(t, values)
	dir := tempDir(t)
	a := emptyApp(s, appOptions{outdir: dir, context: all})
	a.routes = routes
	a.auth = newAuth(a)
	a.database = newDatabase(a)
	a.storage = newStorage(a)
	a.websocket = newWebSocket(a, files(t))
	a.Synth(nil)
	return read(t, dir, s.Env)
}

// shared/topology allows several routes to one function, and an action named like
// one of API Gateway's own route keys.
func TestRoutes_SeveralToOneFunction(t *testing.T) {
	routes := append(topology.Routes(),
		topology.Route{Key: "say", Function: topology.SendMessage, TwoWay: true},
		topology.Route{Key: "connect", Function: topology.Default},
	)
	c := webSocketOf(t, map[string]any{"env": "dev"}, routes)
	byKey := func(a, b topology.Route) int { return strings.Compare(a.Key, b.Key) }
	got := slices.SortedFunc(slices.Values(c.routes(t)), byKey)
	if diff := cmp.Diff(slices.SortedFunc(slices.Values(routes), byKey), got); diff != "" {
		t.Errorf("(-topology +template):\n%s", diff)
	}
	programs := map[string]int{}
	for _, f := range c.all("AWS::Lambda::Function") {
		if !isDeploymentHelper(f) {
			programs[c.program(t, f)]++
		}
	}
	want := map[string]int{topology.Connect: 1, topology.Disconnect: 1, topology.SendMessage: 1, topology.Default: 1}
	if diff := cmp.Diff(want, programs); diff != "" {
		t.Errorf("functions (-want +got):\n%s", diff)
	}
	allowed := map[string]string{}
	for _, r := range c.all("AWS::Lambda::Permission") {
		function := c.templates[r.concern].Resources[fmt.Sprint(r.at("FunctionName", "Fn::GetAtt", 0))]
		parts := list(r.at("SourceArn", "Fn::Join", 1))
		allowed[fmt.Sprint(parts[len(parts)-1])] = c.program(t, function)
	}
	for _, route := range routes {
		if got := allowed["/dev/"+route.Key]; got != route.Function {
			t.Errorf("route %s may invoke %q, want %q", route.Key, got, route.Function)
		}
	}
	if len(allowed) != len(routes) {
		t.Errorf("got %d permissions, want %d: %v", len(allowed), len(routes), allowed)
	}
}

// Logical ids name what exists in an account: another one replaces it.
func TestLogicalIDs_OfRoutesStay(t *testing.T) {
	ids := map[string]bool{}
	for id := range synth(t, "dev").templates["WebSocket"].Resources {
		ids[id] = true
	}
	for _, route := range []string{"connect", "disconnect", "sendMessage", "default"} {
		function := strings.ToLower(route)
		for _, id := range []string{route + "integration", route + "route"} {
			if !ids[id] {
				t.Errorf("there is no %s", id)
			}
		}
		if !slices.ContainsFunc(slices.Collect(maps.Keys(ids)), func(id string) bool { return strings.HasPrefix(id, function+"invoke") }) {
			t.Errorf("there is no %sinvoke…", function)
		}
	}
}

func TestTheDeploymentChangesExactlyWithItsRoutes(t *testing.T) {
	dev := map[string]any{"env": "dev"}
	routes := topology.Routes()
	changed := func(change func([]topology.Route)) []topology.Route {
		other := slices.Clone(routes)
		change(other)
		return other
	}
	before := deploymentOf(t, dev, routes)
	// All that leaves the deployment as it is, at once: each of it would change the id.
	same := map[string]map[string]any{
		"nothing": dev,
		"throttling, the log level, the issuer or the domain": {
			"env": "dev", "throttleRate": "50", "logLevel": "warn", "issuer": "https://issuer.example", "audience": "app",
			"webSocketDomain": "chat.example.com", "webSocketCertificate": "arn:aws:acm:eu-central-1:123456789012:certificate/abc",
		},
	}
	for what, values := range same {
		if after := deploymentOf(t, values, routes); after != before {
			t.Errorf("changing %s made another deployment", what)
		}
	}
	seen := map[string]string{before: "the first"}
	for what, other := range map[string][]topology.Route{
		"a route's key":      changed(func(r []topology.Route) { r[2].Key = "say" }),
		"a route's function": changed(func(r []topology.Route) { r[2].Function, r[3].Function = r[3].Function, r[2].Function }),
		"a response":         changed(func(r []topology.Route) { r[3].TwoWay = false }),
		"no default route":   routes[:3],
	} {
		after := deploymentOf(t, dev, other)
		if seen[after] != "" {
			t.Errorf("changing %s left the deployment of %s", what, seen[after])
		}
		seen[after] = what
	}
}
