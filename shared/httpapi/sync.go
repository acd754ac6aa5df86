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
// What does not fit is not encoded, but for the first such message of each room.
func fitSync(missed []chat.Missed, reader string) (syncBody, error) {
	body := syncBody{Rooms: make(map[string]syncRoom, len(missed))}
	encoded := make([][]json.RawMessage, len(missed))
	size := 0
	for i, room := range missed {
		encoded[i] = []json.RawMessage{} // never null
		if len(room.Messages) == 0 {
			continue
		}
		first, err := encodeMessage(room.Messages[0], reader)
		if err != nil {
			return syncBody{}, err
		}
		encoded[i] = append(encoded[i], first)
		size += len(first)
	}
	for i, room := range missed {
		for _, m := range room.Messages[len(encoded[i]):] {
			data, err := encodeMessage(m, reader)
			if err != nil {
				return syncBody{}, err
			}
			if size+len(data) > maxSyncBody {
				break
			}
			encoded[i] = append(encoded[i], data)
			size += len(data)
		}
		body.Rooms[room.RoomID] = syncRoom{
			Messages: encoded[i],
			More:     room.More || len(encoded[i]) < len(room.Messages),
		}
	}
	return body, nil
}

func encodeMessage(m chat.Message, reader string) (json.RawMessage, error) {
	data, err := wire.Encode(messageBody(m, reader))
	if err != nil {
		return nil, fmt.Errorf("encode message %s: %w", m.ID, err)
	}
	return data, nil
}
