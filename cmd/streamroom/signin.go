package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"time"

	"github.com/streamroom/streamroom/shared/wire"
)

// signInTimeout bounds one request for a token.
const signInTimeout = 10 * time.Second

// localToken gets a user's token from the user pool of a running `streamroom local`. addr
// is its URL, without a slash at the end.
func localToken(ctx context.Context, addr, user string, expiresIn time.Duration) (string, error) {
	return askToken(ctx, addr, "user", user, expiresIn)
}

// askToken asks for the token of a user or a service.
func askToken(ctx context.Context, addr, kind, name string, expiresIn time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, signInTimeout)
	defer cancel()
	body, err := json.Marshal(map[string]any{kind: name, "expiresIn": int64(expiresIn / time.Second)})
	if err != nil {
		return "", fmt.Errorf("sign in: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, addr+"/token", bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("sign in: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "", fmt.Errorf("nothing listens at %s: start it with `go run ./cmd/streamroom local`, or give its address with --addr", addr)
	}
	if err != nil {
		return "", fmt.Errorf("sign in: %w", err)
	}
	defer response.Body.Close()
	var answer struct {
		Token string `json:"token"`
		wire.Problem
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || (answer.Token == "" && answer.Detail == "") {
		return "", fmt.Errorf("invalid answer of %s: want a token of `streamroom local`, got %s", addr, response.Status)
	}
	if answer.Token == "" {
		return "", fmt.Errorf("sign in as %q: %s", name, answer.Detail)
	}
	return answer.Token, nil
}
