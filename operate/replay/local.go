package replay

import (
	"bytes"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// Local is how the local runtime is reached at the URL of its table. Its keys are
// not checked.
func Local(endpoint string, transport http.RoundTripper) aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(endpoint), HTTPClient: &http.Client{Transport: ownBody{transport}},
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	}
}

// ownBody gives the transport a body that only it closes. The SDK closes a
// request's body once the answer has begun. A server on the same machine may
// answer before the transport has looked for the body's end, which then is an
// error, and the answer is cut off.
type ownBody struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (o ownBody) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		return o.next.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	_ = r.Body.Close() // it has been read
	if err != nil {
		return nil, err
	}
	own := r.Clone(r.Context())
	own.Body, own.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return o.next.RoundTrip(own)
}
