package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/topology"
)

// yesNo is an option that is true or false.
func yesNo(name string, field func(*settings) *bool) option {
	return option{name, func(s *settings, v string) error {
		*field(s) = v == "true"
		return oneOf(v, "true", "false")
	}}
}

// eventBus is the bus that fanout puts events to; nil if it puts none.
type eventBus struct {
	bus      awsevents.EventBus
	failures awss3.Bucket // of records whose events the bus has not taken
}

func newEventBus(a *app, stack awscdk.Stack, failures awss3.Bucket) *eventBus {
	if !a.settings.Events && a.settings.PushSecret == "" {
		return nil
	}
	bus := awsevents.NewEventBus(stack, jsii.String("Events"), &awsevents.EventBusProps{
		EventBusName: jsii.String("streamroom-" + a.settings.Env),
		Description:  jsii.String("Streamroom " + a.settings.Env + ": what happens in rooms"),
	})
	output(stack, "EventBus", *bus.EventBusName(), "The bus of events")
	return &eventBus{bus, failures}
}

// variables adds what a function needs to know of the bus.
func (b *eventBus) variables(s settings, values map[string]string) map[string]string {
	if b == nil {
		return values
	}
	values[config.EventBus], values[config.Failures] = *b.bus.EventBusName(), *b.failures.BucketName()
	if !s.Events { // only the pushes need some
		values[config.EventTypes] = config.Notification
	}
	if s.EventContent {
		values[config.EventContent] = "true"
	}
	return values
}

// grant lets fanout put events.
func (b *eventBus) grant(f function) {
	if b != nil && f.Name == topology.Fanout {
		allow(f.role, []string{"events:PutEvents"}, *b.bus.EventBusArn(), nil)
	}
}
