package local_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/streamroom/streamroom/test/rig"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	awslambda "github.com/aws/aws-lambda-go/lambda"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/eventsource"
	"github.com/streamroom/streamroom/shared/topology"
)

func TestTheTablesPortInvokesFunctions(t *testing.T) {
	s := start(t, local.Config{})
	client := lambda.NewFromConfig(s.WireAWS())
	out, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String(topology.LastMessage), Payload: []byte(`{"Records":[]}`)})
	if err != nil || out.StatusCode != http.StatusOK || out.FunctionError != nil || !strings.HasPrefix(string(out.Payload), "{") {
		t.Errorf("invoke: %+v, %v", out, err)
	}
	out, err = client.Invoke(t.Context(), &lambda.InvokeInput{
		FunctionName: aws.String("arn:aws:lambda:us-east-1:000000000000:function:" + topology.LastMessage), Payload: []byte(`[]`),
	})
	if err != nil || aws.ToString(out.FunctionError) != "Unhandled" {
		t.Errorf("invoke with what it can't read: %+v, %v", out, err)
	}
	for kind, name := range map[lambdatypes.InvocationType]string{lambdatypes.InvocationTypeDryRun: topology.Fanout, "": "nothing"} {
		_, err = client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String(name), InvocationType: kind, Payload: []byte(`{}`)})
		var missing *lambdatypes.ResourceNotFoundException
		if errors.As(err, &missing) != (name == "nothing") || (err != nil) != (name == "nothing") {
			t.Errorf("invoke %s: %v", name, err)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.TableURL()+"/2015-03-31/functions/fanout/invocations", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Origin", "http://elsewhere.example")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("a page elsewhere invokes a function: %s", response.Status)
	}
}

func TestAMappingIsPausedAndResumed(t *testing.T) {
	s := start(t, local.Config{})
	client := lambda.NewFromConfig(s.WireAWS())
	listed, err := client.ListEventSourceMappings(t.Context(), &lambda.ListEventSourceMappingsInput{FunctionName: aws.String(topology.Fanout)})
	if err != nil || len(listed.EventSourceMappings) != 1 {
		t.Fatalf("list: %+v, %v", listed, err)
	}
	id := listed.EventSourceMappings[0].UUID
	becomes := func(enabled bool, state string) {
		if _, err := client.UpdateEventSourceMapping(t.Context(), &lambda.UpdateEventSourceMappingInput{UUID: id, Enabled: aws.Bool(enabled)}); err != nil {
			t.Fatal(err)
		}
		rig.Eventually(t, state, func() bool {
			out, err := client.GetEventSourceMapping(t.Context(), &lambda.GetEventSourceMappingInput{UUID: id})
			return err == nil && aws.ToString(out.State) == state
		})
	}
	room := s.Room("alice", "bob")
	alice, bob := s.Connect("alice"), s.Connect("bob")
	becomes(false, "Disabled")
	alice.Send(room, "held", "")
	alice.Expect("ack")
	bob.ExpectNoneIn(room, "message")
	becomes(true, "Enabled")
	if got := bob.ExpectIn(room, "message"); got.Content != "held" {
		t.Errorf("after the pause came %+v", got)
	}
}

func TestTheBucketOfFailuresSpeaksS3(t *testing.T) {
	s := start(t, local.Config{Wrap: func(d local.Deployment) local.Deployment {
		for i, f := range d.Functions {
			if f.Name == topology.LastMessage {
				d.Functions[i].Construct = func(functions.Env) (awslambda.Handler, error) {
					return awslambda.NewHandler(func(context.Context) error { return errors.New("a bug") }), nil
				}
			}
		}
		for i := range d.Mappings {
			d.Mappings[i].MaximumRetryAttempts, d.Mappings[i].BisectOnError, d.Mappings[i].BatchWindow = 0, false, 0
			d.Mappings[i].BatchSize = 1 // a failure for each record, also where they are on one shard
		}
		return d
	}})
	s.Room("alice", "bob")
	client := s3.NewFromConfig(s.WireAWS(), func(o *s3.Options) { o.UsePathStyle = true })
	bucket := aws.String(local.FailuresBucket)
	list := func(token *string) *s3.ListObjectsV2Output {
		out, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{
			Bucket: bucket, Prefix: aws.String(topology.FailurePrefix), MaxKeys: aws.Int32(1), ContinuationToken: token,
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	rig.Eventually(t, "two failures", func() bool { return len(s.Failures()) > 1 })
	first := list(nil)
	second := list(first.NextContinuationToken)
	if len(first.Contents) != 1 || len(second.Contents) != 1 || !aws.ToBool(first.IsTruncated) {
		t.Fatalf("pages of one: %+v, %+v", first, second)
	}
	key := first.Contents[0].Key
	layout := regexp.MustCompile(`^aws/lambda/[0-9a-f-]{36}/shardId-[0-9a-f-]+/\d{4}/\d\d/\d\d/\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f-]{36}$`)
	if !layout.MatchString(*key) || *key >= *second.Contents[0].Key {
		t.Errorf("the keys are %s and %s", *key, *second.Contents[0].Key)
	}
	object, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	defer object.Body.Close()
	var failure eventsource.Failure
	if err := json.NewDecoder(object.Body).Decode(&failure); err != nil {
		t.Fatal(err)
	}
	records, err := failure.Payload.Records()
	if err != nil || len(records) != failure.Batch.BatchSize || !strings.Contains(string(records[0]), failure.Batch.StartSequenceNumber) {
		t.Errorf("%d records of %d, %v", len(records), failure.Batch.BatchSize, err)
	}
	for range 2 { // the second time there is nothing left to remove
		if _, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: key}); err != nil {
			t.Error(err)
		}
	}
	var gone *s3types.NoSuchKey
	if _, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: key}); !errors.As(err, &gone) {
		t.Errorf("what was removed is there: %v", err)
	}
}
