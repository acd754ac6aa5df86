package push

import (
	"errors"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
)

// taking is a gateway in this process that takes the frames of one connection only.
type taking struct {
	id       string
	took     []string
	requests int
}

func (t *taking) Take(id string, data []byte) bool {
	if id != t.id {
		return false
	}
	t.took = append(t.took, string(data))
	return true
}

func (t *taking) RoundTrip(*http.Request) (*http.Response, error) {
	t.requests++
	return &http.Response{StatusCode: http.StatusGone, Header: http.Header{"X-Amzn-Errortype": {"GoneException"}}, Body: http.NoBody}, nil
}

// TestTaker posts to a gateway in this process: by a request only what it did not take,
// and the end of a connection.
func TestTaker(t *testing.T) {
	gateway := &taking{id: "a"}
	p, err := New(Config{Endpoint: "http://127.0.0.1:8080/local", Region: "us-east-1", Credentials: testCredentials, Transport: gateway})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		post     Post
		outcome  Outcome
		requests int
	}{
		{Post{ConnectionID: "a", Data: []byte("hello")}, Delivered, 0},
		{Post{ConnectionID: "b", Data: []byte("hello")}, Gone, 1},
		{Post{ConnectionID: "a", Close: true}, Gone, 2},
	} {
		got := p.Push(t.Context(), []Post{test.post})[0]
		var gone *types.GoneException
		if got.Outcome != test.outcome || got.Attempts != 1 || errors.As(got.Err, &gone) != (test.outcome == Gone) || gateway.requests != test.requests {
			t.Errorf("%+v: got %+v after %d requests", test.post, got, gateway.requests)
		}
	}
	if len(gateway.took) != 1 || gateway.took[0] != "hello" {
		t.Errorf("it took %q", gateway.took)
	}
}
