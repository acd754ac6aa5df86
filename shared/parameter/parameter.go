// Package parameter reads a secret that AWS Systems Manager keeps as a parameter.
package parameter

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/streamroom/streamroom/shared/awsjson"
)

// Parameter is one parameter. It is safe for concurrent use.
type Parameter struct {
	client *awsjson.Client
	name   string

	mu    sync.Mutex
	value string
}

// New returns the parameter of that name. c configures the way to Systems Manager: its
// region, credentials, HTTP client, and perhaps its endpoint. Nothing is read yet.
func New(c aws.Config, name string) (*Parameter, error) {
	client, err := awsjson.NewPoster(c, "SSM", "ssm")
	if err != nil {
		return nil, fmt.Errorf("the parameter %s: %w", name, err)
	}
	return &Parameter{client: client, name: name}, nil
}

// Value returns the decrypted value. It is read once, and kept; an error is not.
func (p *Parameter) Value(ctx context.Context) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.value != "" {
		return p.value, nil
	}
	in := struct {
		Name           string
		WithDecryption bool
	}{p.name, true}
	var out struct{ Parameter struct{ Value string } }
	if err := p.client.Post(ctx, "AmazonSSM.GetParameter", in, &out); err != nil {
		return "", fmt.Errorf("read the parameter %s: %w", p.name, err)
	}
	if out.Parameter.Value == "" {
		return "", errors.New("the parameter " + p.name + " is empty")
	}
	p.value = out.Parameter.Value
	return p.value, nil
}
