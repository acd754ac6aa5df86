package local_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/streamroom/streamroom/test/rig"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	awslambda "github.com/aws/aws-lambda-go/lambda"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local"
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

func TestTheOnFailureQueueSpeaksSQS(t *testing.T) {
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
		}
		return d
	}})
	s.Room("alice", "bob")
	client := sqs.NewFromConfig(s.WireAWS())
	url := aws.String(s.TableURL() + "/000000000000/failures")
	var got []sqstypes.Message
	receive := func() int {
		out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10})
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, out.Messages...)
		return len(out.Messages)
	}
	rig.Eventually(t, "a failure", func() bool { return receive() > 0 })
	if body := aws.ToString(got[0].Body); !strings.Contains(body, "DDBStreamBatchInfo") || got[0].Attributes["ApproximateReceiveCount"] == "" {
		t.Errorf("it says %s, %v", body, got[0].Attributes)
	}
	attributes, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []sqstypes.QueueAttributeName{"All"}})
	if err != nil || attributes.Attributes["ApproximateNumberOfMessagesNotVisible"] == "0" {
		t.Errorf("attributes: %v, %v", attributes, err)
	}
	hide := func(seconds int32) error {
		_, err := client.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{
			QueueUrl: url, ReceiptHandle: got[0].ReceiptHandle, VisibilityTimeout: seconds,
		})
		return err
	}
	if err := hide(0); err != nil {
		t.Error(err)
	}
	first := aws.ToString(got[0].MessageId)
	got = nil
	if receive() == 0 || aws.ToString(got[0].MessageId) != first {
		t.Errorf("what was made visible is not there: %+v", got)
	}
	if _, err := client.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: got[0].ReceiptHandle}); err != nil {
		t.Error(err)
	}
	var gone *sqstypes.MessageNotInflight
	if err := hide(0); !errors.As(err, &gone) {
		t.Errorf("what was removed is hidden: %v", err)
	}
}
