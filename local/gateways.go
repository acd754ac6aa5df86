package local

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"golang.org/x/time/rate"

	"github.com/streamroom/streamroom/local/apigateway"
	"github.com/streamroom/streamroom/shared/auth"
)

// openGateways makes the WebSocket API and the HTTP API.
func (s *Server) openGateways() error {
	c := apigateway.WebSocketConfig{
		Stage: s.deployed.Stage, Routes: s.deployed.Routes, Invoke: s.invoke, Clock: s.clock, Log: s.log,
		DropDisconnect: s.deployed.DropDisconnect, Received: s.deployed.Received, Sent: s.deployed.Sent,
	}
	if s.deployed.Unthrottled {
		c.HandshakeRate, c.RequestRate = rate.Inf, rate.Inf
	}
	s.websocket = apigateway.NewWebSocket(c)
	verifier, err := auth.New(s.deployed.Authorizer, s.keys, s.clock.Now)
	if err != nil {
		return fmt.Errorf("wire the authorizer: %w", err)
	}
	s.api = apigateway.NewHTTP(apigateway.HTTPConfig{
		Function: s.deployed.API, Invoke: s.invoke, Clock: s.clock, Log: s.log, BasePath: apiPath, CORS: s.cors(),
		Authorize: func(ctx context.Context, token string) (map[string]string, error) {
			claims, err := verifier.Claims(ctx, token)
			if err != nil {
				return nil, err
			}
			return claimTexts(claims)
		},
	})
	return nil
}

// claimTexts renders claims as the HTTP API's JWT authorizer does: each as a
// string.
func claimTexts(claims map[string]any) (map[string]string, error) {
	texts := make(map[string]string, len(claims))
	for name, value := range claims {
		switch v := value.(type) {
		case string:
			texts[name] = v
		case float64:
			texts[name] = strconv.FormatFloat(v, 'f', -1, 64)
		default:
			data, err := json.Marshal(v)
			if err != nil {
				return nil, fmt.Errorf("render the claim %s: %w", name, err)
			}
			texts[name] = string(data)
		}
	}
	return texts, nil
}
