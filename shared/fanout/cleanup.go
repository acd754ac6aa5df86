package fanout

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/metrics"
	"github.com/streamroom/streamroom/shared/parallel"
	"github.com/streamroom/streamroom/shared/push"
	"github.com/streamroom/streamroom/shared/wire"
)

const (
	// handshakeGrace is how old a connection must be before a 410 counts as its
	// end: API Gateway answers 410 until the handshake is over.
	handshakeGrace = 60 * time.Second

	// cleanUpsInFlight bounds the deletes of one invocation at a time.
	cleanUpsInFlight = 16

	// closeTime is how long an invocation tries to tell connections why they end, and
	// then to close them, beside its other work.
	closeTime = time.Second
)

// Frames that tell a client why its connection is closed.
var (
	replacedFrame = endFrame(chat.ErrReplaced())
	floodedFrame  = endFrame(chat.ErrFlooded())

	disconnectedFrame = endFrame(chat.ErrDisconnected())
	endedFrame        = endFrame(chat.ErrEnded())
)

func endFrame(reason *chat.Error) []byte {
	return encode(wire.Error{Type: wire.TypeError, Code: string(reason.Code), Message: reason.Message})
}

// closeReplaced tells connections why they were replaced or ended, and closes them. One
// that cannot be closed stays open: its pings and sends are refused for the same reason, and
// the first refused frame that comes chat.CloseWithin after the mark has it closed again.
func closeReplaced(ctx context.Context, pusher Pusher, replaced []changes.ConnectionReplaced, log *zerolog.Logger) {
	if len(replaced) == 0 {
		return
	}
	frames, ends := make([]push.Post, len(replaced)), make([]push.Post, len(replaced))
	for i, c := range replaced {
		frames[i] = push.Post{ConnectionID: c.ConnectionID, Data: replacedFrame}
		switch {
		case c.Disconnected:
			frames[i].Data = disconnectedFrame
		case c.Banned, c.Expired:
			frames[i].Data = endedFrame
		case c.Flooded:
			frames[i].Data = floodedFrame
		}
		ends[i] = push.Post{ConnectionID: c.ConnectionID, Close: true}
	}
	pushWithin(ctx, pusher, frames)
	for i, d := range pushWithin(ctx, pusher, ends) { // even if a connection took no frame
		log.Info().Err(d.Err).Str("connection_id", replaced[i].ConnectionID).Str("outcome", d.Outcome.String()).Bool("flooded", replaced[i].Flooded).Msg("close a replaced connection")
	}
}

// pushWithin sends posts that connections are closed by, for closeTime at most.
func pushWithin(ctx context.Context, pusher Pusher, posts []push.Post) []push.Delivery {
	ctx, cancel := context.WithTimeout(ctx, closeTime)
	defer cancel()
	return pusher.Push(ctx, posts)
}

// drop removes connections that a post showed to have ended. One that cannot be
// removed stays until it expires.
func (t *table) drop(ctx context.Context, gone []chat.Connection, log *zerolog.Logger) {
	parallel.Each(len(gone), cleanUpsInFlight, func(i int) {
		err := t.store.DropConnection(ctx, gone[i])
		log.Info().Err(err).Str("connection_id", gone[i].ID).Str("outcome", metrics.Outcome(err == nil)).Msg("drop an ended connection")
	})
}
