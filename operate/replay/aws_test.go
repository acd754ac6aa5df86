package replay

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"
)

// stacks is CloudFormation with the outputs of stacks by their names.
type stacks map[string]map[string]string

func (s stacks) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	answer := func(status int, text string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
	}
	name := form.Get("StackName")
	outputs, ok := s[name]
	if !ok {
		return answer(http.StatusBadRequest, `<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>Stack with id `+name+` does not exist</Message></Error></ErrorResponse>`)
	}
	var members strings.Builder
	for key, value := range outputs {
		fmt.Fprintf(&members, `<member><OutputKey>%s</OutputKey><OutputValue>%s</OutputValue></member>`, key, value)
	}
	return answer(http.StatusOK, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>`+name+
		`</StackName><CreationTime>2026-01-01T00:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus><Outputs>`+members.String()+
		`</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`)
}

func TestADeploymentIsFoundByItsOutputs(t *testing.T) {
	deployed := stacks{
		"Streamroom-dev-Database": {"TableName": "the-table"},
		"Streamroom-dev-Streams": {
			"FailuresBucket": "the-bucket", "FanoutFunction": "fanout-1", "LastmessageFunction": "lastmessage-1",
		},
		"Streamroom-dev-Storage":   {"AttachmentsBucket": "the-files"},
		"Streamroom-bare-Database": {"TableName": "the-table"},
		"Streamroom-bare-Streams": {
			"FailuresBucket": "the-bucket", "FanoutFunction": "fanout-1", "LastmessageFunction": "lastmessage-1",
		},
		"Streamroom-old-Database": {"TableName": "the-table"},
		"Streamroom-old-Streams":  {"FailuresBucket": "the-bucket"},
	}
	c := aws.Config{Region: "eu-west-1", HTTPClient: deployed, Credentials: credentials.NewStaticCredentialsProvider("x", "x", "")}
	for env, files := range map[string]string{"dev": "the-files", "bare": ""} { // as before there were attachments
		got, err := Find(t.Context(), c, env)
		want := Deployment{
			Table: "the-table", Bucket: "the-bucket", Functions: map[string]string{"fanout": "fanout-1", "lastmessage": "lastmessage-1"},
			Attachments: files,
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", env, err, diff)
		}
	}
	for env, says := range map[string]string{"prod": "no stack Streamroom-prod-Database in eu-west-1", "old": "lack outputs of this version"} {
		if _, err := Find(t.Context(), c, env); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: want an error that says %q: %v", env, says, err)
		}
	}
}
