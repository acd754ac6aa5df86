package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/streamroom/streamroom/shared/topology"
)

// appOptions are for tests; the CLI sets the same by the environment.
type appOptions struct {
	outdir  string
	context map[string]any
}

// app is the whole system. Stacks get what they need of each other by its fields.
type app struct {
	awscdk.App
	settings settings
	routes   []topology.Route // of the WebSocket API

	auth       authStack
	database   databaseStack
	storage    storageStack
	websocket  websocketStack
	streams    streamsStack
	api        apiStack
	frontend   frontendStack
	monitoring awscdk.Stack
}

// newApp makes the stacks in the order of their dependencies.
func newApp(s settings, files assets, o appOptions) (*app, error) {
	return emptyApp(s, o).fill(files)
}

// fill makes the stacks of an app.
func (a *app) fill(files assets) (*app, error) {
	a.auth = newAuth(a)
	a.database = newDatabase(a)
	a.storage = newStorage(a)
	a.websocket = newWebSocket(a, files)
	a.streams = newStreams(a, files)
	a.api = newAPI(a, files)
	var err error
	if a.frontend, err = newFrontend(a, files); err != nil {
		return nil, err
	}
	a.monitoring = newMonitoring(a)
	if a.settings.FirewallRate > 0 {
		newFirewall(a)
	}
	return a, nil
}

// emptyApp returns the app without its stacks.
func emptyApp(s settings, o appOptions) *app {
	props := &awscdk.AppProps{AnalyticsReporting: jsii.Bool(false)}
	if o.outdir != "" {
		props.Outdir = jsii.String(o.outdir)
		props.Context = &o.context
	}
	a := &app{App: awscdk.NewApp(props), settings: s, routes: topology.Routes()}
	tags := awscdk.Tags_Of(a.App)
	// Not every region's CloudFormation knows tags of dashboards yet.
	tagged := &awscdk.TagProps{ExcludeResourceTypes: jsii.Strings("AWS::CloudWatch::Dashboard")}
	tags.Add(jsii.String("application"), jsii.String("streamroom"), tagged)
	tags.Add(jsii.String("environment"), jsii.String(s.Env), tagged)
	return a
}

// stack creates the stack of one concern after the stacks it needs; nil entries
// are skipped.
func (a *app) stack(concern, description string, needs ...awscdk.Stack) awscdk.Stack {
	return a.stackIn(nil, concern, description, needs...)
}

// stackIn is stack in an environment of its own; nil is that of the CLI.
func (a *app) stackIn(env *awscdk.Environment, concern, description string, needs ...awscdk.Stack) awscdk.Stack {
	stack := awscdk.NewStack(a.App, jsii.String(topology.StackName(a.settings.Env, concern)), &awscdk.StackProps{
		Description:           jsii.String("Streamroom: " + description),
		TerminationProtection: jsii.Bool(a.settings.prod()),
		Env:                   env,
	})
	for _, other := range needs {
		if other != nil {
			stack.AddStackDependency(other, nil)
		}
	}
	return stack
}

// leaf creates a stack that no other one needs. It reads the outputs of others
// without locking them: a lock would refuse, or undo, the deployment of what comes
// before the leaf and no longer has a function, a metric or a name of the leaf's
// last version. An export stays as long as the version before may import it.
func (a *app) leaf(concern, description string, needs ...awscdk.Stack) awscdk.Stack {
	stack := a.stack(concern, description, needs...)
	stack.Node().SetContext(jsii.String("@aws-cdk/core:defaultCrossStackReferences"), "both")
	awscdk.Annotations_Of(stack).AcknowledgeWarning(jsii.String("@aws-cdk/core:crossStackReferencesBothTransitional"), nil)
	return stack
}

// keep returns the removal policy of data: retain in prod, destroy in dev.
func (a *app) keep() awscdk.RemovalPolicy {
	if a.settings.prod() {
		return awscdk.RemovalPolicy_RETAIN
	}
	return awscdk.RemovalPolicy_DESTROY
}

// output exports a value that the deploy command prints.
func output(stack awscdk.Stack, name, value, description string) {
	awscdk.NewCfnOutput(stack, jsii.String(name), &awscdk.CfnOutputProps{
		Value: jsii.String(value), Description: jsii.String(description),
	})
}
