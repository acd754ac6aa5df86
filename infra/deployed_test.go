package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/local/identity"
	"github.com/streamroom/streamroom/shared/auth"
	"github.com/streamroom/streamroom/shared/topology"
)

// The values of the templates' references, for a deployment that the local runtime
// emulates.
const (
	region    = "us-east-1"
	account   = "000000000000"
	apiID     = "abcdefghij"
	tableName = local.TableName

	attachmentsBucket = local.AttachmentsBucket
)

func tableARN(name string) string {
	return "arn:aws:dynamodb:" + region + ":" + account + ":table/" + name
}

const (
	busName = "streamroom-dev"
	// failuresName is the bucket of failures.
	failuresName = local.FailuresBucket
	busARN       = "arn:aws:events:" + region + ":" + account + ":event-bus/" + busName
)

func bucketARN(name string) string { return "arn:aws:s3:::" + name }

var streamARN = tableARN(tableName) + "/stream/2024-02-28T00:00:00.000"

// resolver resolves a template's references.
type resolver struct {
	t   *testing.T
	c   *cloud
	url string // of the running server, which is the issuer of tokens, too
}

// text resolves a value to a string.
func (r resolver) text(concern string, value any) string {
	r.t.Helper()
	switch v := value.(type) {
	case string:
		return v
	case map[string]any:
		for function, argument := range v {
			return r.call(concern, function, argument)
		}
	}
	r.t.Fatalf("%s: want a text, got %v", concern, value)
	return ""
}

func (r resolver) texts(concern string, value any) []string {
	r.t.Helper()
	var out []string
	for _, v := range list(value) {
		out = append(out, r.text(concern, v))
	}
	return out
}

// source returns the stack and the construct that a value is of, or the program of a
// function; a text is its own.
func (r resolver) source(concern string, value any) string {
	r.t.Helper()
	var id string
	switch v := value.(type) {
	case string:
		return v
	case map[string]any:
		if name := v["Fn::ImportValue"]; name != nil {
			for other, t := range r.c.templates {
				for _, o := range t.Outputs {
					if o.Export.Name == fmt.Sprint(name) {
						return r.source(other, o.Value)
					}
				}
			}
		}
		if read := v["Fn::GetStackOutput"]; read != nil {
			other := strings.TrimPrefix(fmt.Sprint(at(read, "StackName")), "Streamroom-"+r.c.env+"-")
			return r.source(other, r.c.templates[other].Outputs[fmt.Sprint(at(read, "OutputName"))].Value)
		}
		if id = fmt.Sprint(at(v, "Fn::GetAtt", 0)); v["Ref"] != nil {
			id = fmt.Sprint(v["Ref"])
		}
	}
	found, ok := r.c.templates[concern].Resources[id]
	if !ok {
		r.t.Fatalf("%s: want a reference, got %v", concern, value)
	}
	if found.Type == "AWS::Lambda::Function" {
		return r.c.program(r.t, found)
	}
	return concern + "/" + id
}

func (r resolver) call(concern, function string, argument any) string {
	r.t.Helper()
	switch function {
	case "Ref":
		return r.ref(concern, fmt.Sprint(argument))
	case "Fn::GetAtt":
		return r.attribute(concern, fmt.Sprint(at(argument, 0)), fmt.Sprint(at(argument, 1)))
	case "Fn::Join":
		return strings.Join(r.texts(concern, at(argument, 1)), r.text(concern, at(argument, 0)))
	case "Fn::ImportValue":
		name := r.text(concern, argument)
		for other, t := range r.c.templates {
			for _, o := range t.Outputs {
				if o.Export.Name == name {
					return r.text(other, o.Value)
				}
			}
		}
		r.t.Fatalf("%s imports %s, which no stack exports", concern, name)
	case "Fn::GetStackOutput":
		other := strings.TrimPrefix(fmt.Sprint(at(argument, "StackName")), "Streamroom-"+r.c.env+"-")
		output, ok := r.c.templates[other].Outputs[fmt.Sprint(at(argument, "OutputName"))]
		if !ok {
			r.t.Fatalf("%s reads %v, which no stack has", concern, argument)
		}
		return r.text(other, output.Value)
	}
	r.t.Fatalf("%s: %s is not known here", concern, function)
	return ""
}

func (r resolver) ref(concern, id string) string {
	r.t.Helper()
	switch id {
	case "AWS::Region":
		return region
	case "AWS::AccountId":
		return account
	case "AWS::Partition":
		return "aws"
	case "AWS::URLSuffix":
		return "amazonaws.com"
	}
	switch kind := r.c.templates[concern].Resources[id].Type; kind {
	case "AWS::DynamoDB::Table":
		return tableName
	case "AWS::ApiGatewayV2::Api":
		return apiID
	case "AWS::Events::EventBus":
		return busName
	case "AWS::S3::Bucket":
		if concern == topology.StorageStack {
			return attachmentsBucket
		}
		if concern == topology.StreamsStack {
			return failuresName
		}
	case "AWS::Cognito::UserPoolClient":
		if secret, _ := r.c.templates[concern].Resources[id].at("GenerateSecret").(bool); secret {
			return identity.ServiceClientID("bot")
		}
		return identity.ClientID
	case "":
		r.t.Fatalf("%s refers to %s, which it does not have", concern, id)
	}
	return id
}

func (r resolver) attribute(concern, id, name string) string {
	r.t.Helper()
	switch kind := r.c.templates[concern].Resources[id].Type; kind + "." + name {
	case "AWS::DynamoDB::Table.Arn":
		return tableARN(tableName)
	case "AWS::DynamoDB::Table.StreamArn":
		return streamARN
	case "AWS::Events::EventBus.Arn":
		return busARN
	case "AWS::S3::Bucket.Arn":
		return bucketARN(r.ref(concern, id))
	case "AWS::S3::Bucket.RegionalDomainName":
		return r.ref(concern, id) + ".s3." + region + ".amazonaws.com"
	case "AWS::Cognito::UserPool.ProviderURL":
		return r.url
	case "." + name:
		r.t.Fatalf("%s refers to %s, which it does not have", concern, id)
	}
	return "arn:" + id + ":" + name
}

// deployment returns what the templates deploy, with a guard for each function.
func (r resolver) deployment(guards map[string]*guard) local.Deployment {
	r.t.Helper()
	d := local.Deployment{URL: r.url, Routes: r.c.routes(r.t), Mappings: r.c.mappings(r.t)}
	constructors := functions.All()
	for _, f := range r.c.all("AWS::Lambda::Function") {
		if isDeploymentHelper(f) {
			continue
		}
		name := r.c.program(r.t, f)
		g := &guard{function: name, used: map[permission]bool{}, statements: r.statements(f)}
		guards[name] = g
		environment := map[string]string{}
		variables, _ := f.at("Environment", "Variables").(map[string]any)
		for variable, value := range variables {
			environment[variable] = r.text(f.concern, value)
		}
		memory, _ := f.at("MemorySize").(float64)
		timeout, _ := f.at("Timeout").(float64)
		d.Functions = append(d.Functions, local.Function{
			Function:    topology.Function{Name: name, MemoryMB: int(memory), Timeout: time.Duration(timeout) * time.Second},
			Construct:   constructors[name],
			Environment: environment,
			Transport:   g.wrap,
		})
		if f.concern == "Api" {
			d.API = name
		}
	}
	for _, stage := range r.c.all("AWS::ApiGatewayV2::Stage") {
		if stage.concern == "WebSocket" {
			d.Stage = fmt.Sprint(stage.at("StageName"))
		}
	}
	authorizer := r.c.only(r.t, "AWS::ApiGatewayV2::Authorizer")
	d.Authorizer = auth.Config{Rule: auth.Rule{
		Issuer:   r.text(authorizer.concern, authorizer.at("JwtConfiguration", "Issuer")),
		Audience: r.texts(authorizer.concern, authorizer.at("JwtConfiguration", "Audience")),
	}}
	return d
}

// statements returns what a function's role allows.
func (r resolver) statements(f resource) []allowed {
	r.t.Helper()
	role := fmt.Sprint(f.at("Role", "Fn::GetAtt", 0))
	var found []allowed
	for _, s := range r.c.statements() {
		if s.concern != f.concern || len(s.roles) != 1 || s.roles[0] != role {
			continue
		}
		a := allowed{
			actions:   texts(s.fields["Action"]),
			resources: r.texts(s.concern, s.fields["Resource"]),
			keys:      texts(at(s.fields, "Condition", "ForAllValues:StringLike", "dynamodb:LeadingKeys")),
		}
		conditions, _ := s.fields["Condition"].(map[string]any)
		if !slices.ContainsFunc(a.actions, func(action string) bool { return !a.byAWS(action) }) {
			conditions = nil // no local run meets them
		}
		if !s.allows() || (len(a.keys) == 0 && len(conditions) > 0) || len(conditions) > 1 || s.fields["NotAction"] != nil {
			r.t.Fatalf("the guard does not understand the statement %v", s.fields)
		}
		found = append(found, a)
	}
	if len(found) == 0 {
		r.t.Fatalf("the role %s of %s allows nothing", role, f.id)
	}
	return found
}
