package parameter_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/streamroom/streamroom/shared/parameter"
)

// service answers requests in turn.
type service struct {
	t       *testing.T
	answers []string
	asked   int
}

func (s *service) Do(r *http.Request) (*http.Response, error) {
	s.asked++
	body, _ := io.ReadAll(r.Body)
	if r.URL.String() != "https://ssm.eu-central-1.amazonaws.com/" || r.Header.Get("X-Amz-Target") != "AmazonSSM.GetParameter" ||
		string(body) != `{"Name":"/a/b","WithDecryption":true}` || !strings.Contains(r.Header.Get("Authorization"), "/eu-central-1/ssm/aws4_request") {
		s.t.Errorf("asked %s %v %s", r.URL, r.Header, body)
	}
	if len(s.answers) < s.asked {
		return nil, errors.New("no more answers")
	}
	answer := s.answers[s.asked-1]
	status := http.StatusOK
	if strings.Contains(answer, "__type") {
		status = http.StatusBadRequest
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
}

// An error is not kept, and a value is.
func TestValue(t *testing.T) {
	s := &service{t: t, answers: []string{`{"__type":"ParameterNotFound","message":"none"}`, `{"Parameter":{"Value":""}}`, `{"Parameter":{"Value":"secret"}}`}}
	p, err := parameter.New(aws.Config{Region: "eu-central-1", HTTPClient: s, Credentials: credentials.NewStaticCredentialsProvider("id", "key", "")}, "/a/b")
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range []string{"ParameterNotFound", "is empty", "", ""} {
		value, err := p.Value(t.Context())
		if want == "" && (err != nil || value != "secret") || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%d: %q, %v; want %q", n, value, err, want)
		}
	}
	if s.asked != 3 {
		t.Errorf("asked %d times", s.asked)
	}
}
