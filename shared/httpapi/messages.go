package httpapi

import (
	"net/http"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

func (a *API) history(r *http.Request, userID string) (int, any, error) {
	n, err := limit(r)
	if err != nil {
		return 0, nil, err
	}
	query := r.URL.Query()
	if query.Has("cursor") { // ignoring it would return the newest page each time
		return 0, nil, chat.Errorf(chat.CodeInvalidRequest, "invalid parameter cursor: want the cursor of an earlier page as before=, or as after= if that page was read with after=")
	}
	messages, more, err := a.domain.Histories.Read(r.Context(), userID, r.PathValue("room"), chat.Range{
		Before: query.Get("before"), After: query.Get("after"), Limit: n,
	})
	if err != nil {
		return 0, nil, err
	}
	body := wire.History{Messages: make([]wire.HistoryMessage, len(messages))}
	for i, m := range messages {
		body.Messages[i] = messageBody(m, userID)
	}
	if more {
		body.Cursor = messages[len(messages)-1].ID
	}
	return http.StatusOK, body, nil
}

// messageBody is a message as a reader gets it. Only its sender learns by which send it
// was stored.
func messageBody(m chat.Message, reader string) wire.HistoryMessage {
	body := wire.HistoryMessage{
		ChatRoomID: m.RoomID, MessageID: m.ID, SenderID: m.SenderID, Content: m.Content, Timestamp: m.SentAt,
		ReadBy: m.ReadBy, EditedAt: m.EditedAt, DeletedAt: m.DeletedAt, DeletedBy: m.DeletedBy, Attachments: attachments(m.Attachments),
		ReplyTo: (*wire.Quote)(m.ReplyTo.Shown()), Mentions: m.Mentions, ExpiresAt: m.ExpiresAt,
	}
	if m.SenderID == reader {
		body.ClientMessageID = m.ClientMessageID
	}
	if m.Reactions.Version != 0 && m.DeletedAt == 0 {
		reactions := reactionsBody(m.Reactions)
		body.Reactions = &reactions
	}
	return body
}

func (a *API) readRoom(r *http.Request, userID string) (int, any, error) {
	var in wire.ReadRequest
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	if err := a.domain.Readers.Read(r.Context(), userID, r.PathValue("room"), in.UpTo); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, nil
}

func (a *API) editMessage(r *http.Request, userID string) (int, any, error) {
	var in struct {
		Content  *string   `json:"content"`  // it may be empty, with attachments, but not left out by mistake
		Mentions *[]string `json:"mentions"` // nil: they stay
	}
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	if in.Content == nil {
		return 0, nil, chat.Errorf(chat.CodeInvalidRequest, "content is missing")
	}
	if in.Mentions != nil {
		users, err := a.domain.UserIDs.NormalizeAll(*in.Mentions)
		if err != nil {
			return 0, nil, err
		}
		in.Mentions = &users
	}
	a.domain.Limits.Weigh(userID, chat.Writing, len(*in.Content)/chat.ContentWeight)
	m, err := a.domain.Editor.Edit(r.Context(), userID, r.PathValue("room"), r.PathValue("message"), *in.Content, in.Mentions)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, messageBody(m, userID), nil
}

func (a *API) deleteMessage(r *http.Request, userID string) (int, any, error) {
	if err := a.domain.Editor.Delete(r.Context(), userID, r.PathValue("room"), r.PathValue("message")); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, nil
}

func (a *API) react(r *http.Request, userID string) (int, any, error) {
	var in wire.ReactionRequest
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	return a.changeReaction(r, userID, in.Reaction, true)
}

// takeBack takes the reaction as a parameter: what is between a client and the function
// may drop the body of a DELETE.
func (a *API) takeBack(r *http.Request, userID string) (int, any, error) {
	return a.changeReaction(r, userID, r.URL.Query().Get("reaction"), false)
}

func (a *API) changeReaction(r *http.Request, userID, reaction string, add bool) (int, any, error) {
	now, err := a.domain.Reactors.React(r.Context(), userID, r.PathValue("room"), r.PathValue("message"), reaction, add)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, reactionsBody(now), nil
}

func reactionsBody(r chat.Reactions) wire.Reactions {
	body := wire.Reactions{Version: r.Version, Counts: r.Counts, Mine: r.Mine}
	if body.Counts == nil {
		body.Counts = map[string]int{}
	}
	return body
}
