package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/coder/websocket"

	"github.com/streamroom/streamroom/shared/auth"
	"github.com/streamroom/streamroom/shared/wire"
)

// smokeSocket is a connection that shows frames as they come.
type smokeSocket struct {
	*websocket.Conn
	frames []wire.ServerFrame // received and not awaited yet
}

// dialSmoke connects with a token, or without one if it is empty. status is that
// of the answer to the handshake, 0 if there was none.
func dialSmoke(ctx context.Context, url, token string) (socket *smokeSocket, status int, err error) {
	protocols := []string{auth.Subprotocol}
	if token != "" {
		protocols = append(protocols, token)
	}
	conn, response, err := websocket.Dial(ctx, url, &websocket.DialOptions{Subprotocols: protocols}) //nolint:bodyclose // Dial has read and closed it
	if response != nil {
		status = response.StatusCode
	}
	if err != nil {
		return nil, status, fmt.Errorf("connect: %w", err)
	}
	conn.SetReadLimit(wire.MaxFrame)
	return &smokeSocket{Conn: conn}, status, nil
}

func (s *smokeSocket) write(ctx context.Context, frame wire.ClientFrame) error {
	data, err := wire.Encode(frame)
	if err != nil {
		return err
	}
	if err := s.Write(ctx, websocket.MessageText, data); err != nil {
		return fmt.Errorf("write a frame: %w", err)
	}
	return nil
}

// await returns the first wanted frame and keeps the others for later calls.
func (s *smokeSocket) await(ctx context.Context, wanted func(wire.ServerFrame) bool) (wire.ServerFrame, error) {
	for {
		if i := slices.IndexFunc(s.frames, wanted); i >= 0 {
			frame := s.frames[i]
			s.frames = slices.Delete(s.frames, i, i+1)
			return frame, nil
		}
		_, data, err := s.Read(ctx)
		if err != nil {
			return wire.ServerFrame{}, fmt.Errorf("wait for a frame: %w", err)
		}
		if err := s.keep(data); err != nil {
			return wire.ServerFrame{}, err
		}
	}
}

// keep adds a frame, or those in a batch.
func (s *smokeSocket) keep(data []byte) error {
	var frame wire.ServerFrame
	if err := json.Unmarshal(data, &frame); err != nil {
		return fmt.Errorf("invalid frame: want JSON: %w", err)
	}
	switch frame.Type {
	case "": // API Gateway's own frame
		return errors.New("the gateway answered with an error of its own: the route's function failed, or there is no such route")
	case wire.TypeBatch:
		for _, part := range frame.Frames {
			if err := s.keep(part); err != nil {
				return err
			}
		}
	default:
		s.frames = append(s.frames, frame)
	}
	return nil
}
