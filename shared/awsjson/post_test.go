package awsjson

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// called is a service that notes where it is.
type called struct{ at string }

// Do implements aws.HTTPClient.
func (c *called) Do(r *http.Request) (*http.Response, error) {
	c.at = r.URL.String()
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

func TestNewPoster_Endpoints(t *testing.T) {
	for want, c := range map[string]aws.Config{
		"https://ssm.eu-west-1.amazonaws.com/":     {Region: "eu-west-1"},
		"https://ssm.cn-north-1.amazonaws.com.cn/": {Region: "cn-north-1"},
		"http://localhost:1/ssm":                   {Region: "cn-north-1", BaseEndpoint: aws.String("http://localhost:1/ssm")},
	} {
		service := &called{}
		c.HTTPClient = service
		client, err := NewPoster(c, "SSM", "ssm")
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Post(t.Context(), "AmazonSSM.GetParameter", struct{}{}, &struct{}{}); err != nil || service.at != want {
			t.Errorf("posted to %s, %v, want %s", service.at, err, want)
		}
	}
}
