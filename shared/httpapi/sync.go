package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

// syncBody is a wire.SyncResponse whose messages are encoded.
type syncBody struct {
	Rooms map[string]syncRoom `json:"rooms"`
}

type syncRoom struct {
	Messages []json.RawMessage `json:"messages"`
	More     bool              `json:"more"`
}

func (a *API) sync(r *http.Request, userID string) (int, any, error) {
	var in wire.SyncRequest
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	missed, err := a.domain.Histories.Sync(r.Context(), userID, in.Rooms)
	if err != nil {
		return 0, nil, err
	}
	body, err := fitSync(missed, userID)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, body, nil
}

// fitSync encodes missed messages into maxSyncBody bytes. Every room keeps its
// first message, because a client continues from the last one that it received.
func fitSync(missed []chat.Missed, reader string) (syncBody, error) {
	body := syncBody{Rooms: make(map[string]syncRoom, len(missed))}
	encoded := make([][]json.RawMessage, len(missed))
	size := 0
	for i, room := range missed {
		for n, m := range room.Messages {
			data, err := wire.Encode(messageBody(m, reader))
			if err != nil {
				return syncBody{}, fmt.Errorf("encode message %s: %w", m.ID, err)
			}
			encoded[i] = append(encoded[i], data)
			if n == 0 {
				size += len(data)
			}
		}
	}
	for i, room := range missed {
		n := min(1, len(encoded[i]))
		for n < len(encoded[i]) && size+len(encoded[i][n]) <= maxSyncBody {
			size += len(encoded[i][n])
			n++
		}
		body.Rooms[room.RoomID] = syncRoom{
			Messages: append([]json.RawMessage{}, encoded[i][:n]...), // never null
			More:     room.More || n < len(encoded[i]),
		}
	}
	return body, nil
}
