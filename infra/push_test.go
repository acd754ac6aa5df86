package main

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/shared/wire"
)

const pushKey = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"

// subscription is one of a browser.
var subscription = wire.PushSubscription{Endpoint: "https://push.example.com/x", Keys: wire.PushKeys{P256dh: pushKey, Auth: "BTBZMqHH6r4Tts7J_aSIgg"}}

// pushSettings adds those of Web Push.
func pushSettings(values map[string]any) map[string]any {
	maps.Copy(values, map[string]any{"push": "/streamroom/dev/push", "pushKey": pushKey, "pushContact": "mailto:ops@example.com"})
	return values
}

// Notifications alone are put for it, and invoke a function whose role may read one secret.
func TestPush_IsInvokedByNotifications(t *testing.T) {
	c := synthWith(t, pushSettings(map[string]any{"env": "prod"}))
	r := resolver{t, c, ""}
	var push resource
	for _, f := range c.all("AWS::Lambda::Function") {
		if isDeploymentHelper(f) {
			continue
		}
		got := map[string]string{}
		for _, name := range []string{config.EventBus, config.EventTypes, config.Failures, config.PushKey, config.PushSecret, config.PushContact} {
			if value := f.at("Environment", "Variables", name); value != nil {
				got[name] = r.text(f.concern, value)
			}
		}
		want := map[string]string{}
		switch c.program(t, f) {
		case topology.Push:
			push = f
			want = map[string]string{config.PushKey: pushKey, config.PushSecret: "/streamroom/dev/push", config.PushContact: "mailto:ops@example.com"}
		case topology.API:
			want = map[string]string{config.PushKey: pushKey}
		case topology.Fanout:
			want = map[string]string{config.EventBus: busName, config.EventTypes: "notification", config.Failures: failuresName}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.program(t, f), diff)
		}
	}
	rule := c.only(t, "AWS::Events::Rule")
	rule.expect(t, `{"detail-type":["notification"],"source":["streamroom"]}`, "EventPattern")
	if target := rule.at("Targets", 0, "Arn", "Fn::GetAtt", 0); fmt.Sprint(target) != push.id || rule.at("EventBusName") == nil {
		t.Errorf("the rule's target is %v", target)
	}
	rule.expect(t, "3600", "Targets", 0, "RetryPolicy", "MaximumEventAgeInSeconds")
	retries := c.only(t, "AWS::Lambda::EventInvokeConfig")
	retries.expect(t, "2", "MaximumRetryAttempts")
	retries.expect(t, "3600", "MaximumEventAgeInSeconds")
	var actions []string
	for _, s := range r.statements(push) {
		actions = append(actions, s.actions...)
		if slices.Contains(s.actions, "ssm:GetParameter") && !slices.Equal(s.resources, []string{"arn:aws:ssm:" + region + ":" + account + ":parameter/streamroom/dev/push"}) {
			t.Errorf("it may read %q", s.resources)
		}
	}
	slices.Sort(actions)
	want := []string{"dynamodb:DeleteItem", "dynamodb:Query", "logs:CreateLogStream", "logs:PutLogEvents", "ssm:GetParameter"}
	if diff := cmp.Diff(want, actions); diff != "" {
		t.Errorf("the role allows (-want +got):\n%s", diff)
	}
	alarms := 0
	for _, alarm := range c.all("AWS::CloudWatch::Alarm") {
		if name := alarm.id; name[:4] == "Push" {
			alarms++
		}
	}
	if alarms != 2 {
		t.Errorf("%d alarms watch it, want errors and throttles", alarms)
	}
}

func TestPush_IsOffByDefault(t *testing.T) {
	c := synth(t, "prod")
	if found := slices.Concat(c.all("AWS::Events::Rule"), c.all("AWS::Events::EventBus"), c.all("AWS::Lambda::EventInvokeConfig")); len(found) > 0 {
		t.Errorf("there is %v", found)
	}
}

// EventBridge may invoke the function, by that rule alone.
func TestPush_EventBridgeMayInvokeIt(t *testing.T) {
	c := synthWith(t, pushSettings(map[string]any{"env": "prod"}))
	rule, invokers := c.only(t, "AWS::Events::Rule"), map[string]int{}
	for _, r := range c.all("AWS::Lambda::Permission") {
		principal := fmt.Sprint(r.at("Principal"))
		invokers[principal]++
		if principal == "apigateway.amazonaws.com" {
			continue
		}
		r.expect(t, `"events.amazonaws.com"`, "Principal")
		r.expect(t, `"lambda:InvokeFunction"`, "Action")
		r.expect(t, `{"Fn::GetAtt":["`+rule.id+`","Arn"]}`, "SourceArn")
		f := c.templates[r.concern].Resources[fmt.Sprint(r.at("FunctionName", "Fn::GetAtt", 0))]
		if got := c.program(t, f); got != topology.Push {
			t.Errorf("the rule may invoke %s", got)
		}
	}
	if invokers["events.amazonaws.com"] != 1 {
		t.Errorf("the function may be invoked by %v", invokers)
	}
}

// What the bus does not take goes where Lambda's own failures do, within the role.
func TestEvents_AreKeptWithinTheRole(t *testing.T) {
	c := synthWith(t, pushSettings(map[string]any{"env": "prod"}))
	for _, f := range c.all("AWS::Lambda::Function") {
		if isDeploymentHelper(f) || c.program(t, f) != topology.Fanout {
			continue
		}
		g := &guard{function: topology.Fanout, used: map[permission]bool{}, statements: resolver{t, c, ""}.statements(f)}
		for key, want := range map[string]bool{topology.FailurePrefix + "EventsNotPut/unknown/2026/01/01/x": true, "other/x": false} {
			if got := g.allow(call{action: putObject, resource: bucketARN(failuresName + "/" + key)}); got != want {
				t.Errorf("fanout may put %s: %t, want %t", key, got, want)
			}
		}
		return
	}
	t.Error("there is no fanout")
}
