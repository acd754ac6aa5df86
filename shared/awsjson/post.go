package awsjson

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// maxAnswer bounds an answer to Post, in bytes.
const maxAnswer = 1 << 20

// NewPoster returns a Client for Post. c configures the way to the service: its region,
// credentials, HTTP client, and perhaps its endpoint, which else is the region's. name is the
// service's in endpoints and signatures, such as events; serviceID is in errors.
func NewPoster(c aws.Config, serviceID, name string) (*Client, error) {
	endpoint := aws.ToString(c.BaseEndpoint)
	if endpoint == "" {
		endpoint = "https://" + name + "." + c.Region + ".amazonaws.com"
		if strings.HasPrefix(c.Region, "cn-") {
			endpoint += ".cn"
		}
	}
	return New(Config{
		ServiceID: serviceID, SigningName: name, Region: c.Region, Endpoint: endpoint, Credentials: c.Credentials, HTTPClient: c.HTTPClient,
	})
}

// Post makes one request of a service that speaks AWS JSON 1.1, without the SDK's module of
// that service, whose schemas every program that links it sets up at its start: target is
// the header X-Amz-Target, in and out are encoded as JSON. Protocol and Types are not
// used. Errors are those of Call, those of the service a *smithy.GenericAPIError.
func (c *Client) Post(ctx context.Context, target string, in, out any) error {
	if err := c.post(ctx, target, in, out); err != nil {
		_, operation, _ := strings.Cut(target, ".")
		return &smithy.OperationError{ServiceID: c.c.ServiceID, OperationName: operation, Err: err}
	}
	return nil
}

func (c *Client) post(ctx context.Context, target string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return &smithy.SerializationError{Err: err}
	}
	req, err := c.build(ctx, "application/x-amz-json-1.1", target, body)
	if err != nil {
		return err
	}
	resp, err := c.send(ctx, req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	resp.Request, resp.Body = nil, http.NoBody // what keeps an error keeps no request
	switch {
	case err != nil && ctx.Err() != nil:
		return &smithy.CanceledError{Err: ctx.Err()}
	case err != nil:
		return failed(resp, &smithyhttp.RequestSendError{Err: err})
	case resp.StatusCode != http.StatusOK:
		return failed(resp, serviceError(resp, answer))
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return failed(resp, fmt.Errorf("read the answer: %w", err))
	}
	return nil
}

// serviceError is the error that an answer has ("AWS JSON 1.1 protocol", Smithy
// specification, "Operation error serialization").
func serviceError(resp *http.Response, answer []byte) error {
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(answer, &e) // a gateway's answer may be anything
	if header := resp.Header.Get("X-Amzn-Errortype"); header != "" {
		e.Type = header
	}
	e.Type, _, _ = strings.Cut(e.Type[strings.LastIndex(e.Type, "#")+1:], ":")
	if e.Type == "" {
		e.Type = resp.Status
	}
	fault := smithy.FaultClient
	if resp.StatusCode >= http.StatusInternalServerError {
		fault = smithy.FaultServer
	}
	return &smithy.GenericAPIError{Code: e.Type, Message: e.Message, Fault: fault}
}
