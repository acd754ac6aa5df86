package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
)

// accepted are the findings of cdk-nag that stay, each with the reason. A finding
// that no longer occurs has to be removed.
var accepted = []struct{ rule, path, reason string }{
	{"AwsSolutions-APIG4", `WebSocket/.*-route$`, "A WebSocket API has no JWT authorizer, and caches no other: $connect verifies the token itself, and no other route is reachable without a connection."},
	{"AwsSolutions-IAM4", `WebSocket/LoggingRole/Resource$`, "API Gateway's account setting asks for this very policy of AWS."},
	{"AwsSolutions-IAM5", `-role/DefaultPolicy/Resource$`, "ListStreams takes no resource, and of @connections the id is whatever the client got; keys are limited by condition."},
	{"AwsSolutions-IAM4", `Frontend/Custom::CDKBucketDeployment.*/ServiceRole/Resource$`, "The CDK's own function; it runs while deploying and reads and writes the site only."},
	{"AwsSolutions-IAM5", `Frontend/Custom::CDKBucketDeployment.*/ServiceRole/DefaultPolicy/Resource$`, "The CDK's own function; its wildcards are limited to the site's bucket and the deployment's."},
	{"AwsSolutions-L1", `Frontend/Custom::CDKBucketDeployment.*/Resource$`, "The CDK's own function; its runtime comes with the CDK's version."},
	{"AwsSolutions-COG2", `Auth/UserPool/Resource$`, "MFA is offered and not forced: the operator decides whether users must have it."},
	{"AwsSolutions-COG3", `Auth/UserPool/Resource$`, "Threat protection is a paid plan; the operator may turn it on."},
	{"AwsSolutions-S1", `Frontend/Site/Resource$`, "The bucket has the public browser client only, and CloudFront alone reads it."},
	{"AwsSolutions-CFR1", `Frontend/Distribution/Resource$`, "A chat has no reason to shut out countries."},
	{"AwsSolutions-CFR2", `Frontend/Distribution/Resource$`, "Static files from a bucket have nothing that a firewall would protect."},
	{"AwsSolutions-CFR3", `Frontend/Distribution/Resource$`, "Loading static files needs no log; the APIs log access."},
	{"AwsSolutions-CFR4", `Frontend/Distribution/Resource$`, "The default domain's certificate sets the minimum of TLS; a domain of one's own would set a higher one."},
	{"AwsSolutions-SQS3", `Streams/Failures/Resource$`, "It is the queue of what had failed before there was a bucket."},
	{"AwsSolutions-S1", `Storage/Attachments/Resource$`, "Uploads and downloads are asked for by the HTTP API, which logs access; a log of the bucket would have the signatures of links, and cost more than the requests."},
	{"AwsSolutions-S1", `Streams/FailedRecords/Resource$`, "Two functions alone write it, and operators' reads are in CloudTrail."},
}

func TestNag(t *testing.T) {
	needNode(t)
	unused := map[string]bool{}
	for _, a := range accepted {
		unused[a.rule+" "+a.path] = true
	}
	s, all := settingsOf(t, map[string]any{"env": "prod"})
	a, err := newApp(s, files(t), appOptions{outdir: tempDir(t), context: all})
	if err != nil {
		t.Fatal(err)
	}
	awscdk.Aspects_Of(a.App).Add(cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{Verbose: jsii.Bool(false)}), nil)
	// assertions.Annotations_FromStack would synthesize the whole app once for each stack.
	assembly := a.Synth(nil)
	seen, warned := 0, 0
	for _, stack := range []awscdk.Stack{
		a.auth.stack, a.database.stack, a.storage.stack, a.websocket.stack, a.streams.stack, a.api.stack, a.frontend.stack, a.monitoring,
	} {
		for _, message := range *assembly.GetStackArtifact(stack.ArtifactId()).Messages() {
			path, text := *message.Id, fmt.Sprint(message.Entry.Data) //nolint:staticcheck // what takes their place is not in Go yet
			if stack == a.monitoring && strings.Contains(text, "alarms notify no one") {
				warned++
			}
			rule := regexp.MustCompile(`AwsSolutions-\w+`).FindString(text)
			if rule == "" {
				continue
			}
			seen++
			i := slices.IndexFunc(accepted, func(a struct{ rule, path, reason string }) bool {
				return a.rule == rule && regexp.MustCompile(a.path).MatchString(path)
			})
			if i < 0 {
				t.Errorf("%s: %s", path, strings.SplitN(text, "\n", 2)[0])
				continue
			}
			delete(unused, accepted[i].rule+" "+accepted[i].path)
		}
	}
	if warned != 1 {
		t.Errorf("%d warnings that no one is notified in prod, want one", warned)
	}
	if seen == 0 {
		t.Error("cdk-nag found nothing at all: it did not run")
	}
	for _, entry := range slices.Sorted(maps.Keys(unused)) {
		t.Errorf("%s was not reported: remove it", entry)
	}
}
