package httpapi

import (
	"net/http"

	"github.com/streamroom/streamroom/shared/wire"
)

// ownBlocks stands for the room in the cursor of a list of blocks. No room has this id.
const ownBlocks = "/me/blocks"

func (a *API) block(r *http.Request, userID string) (int, any, error) {
	other, err := a.userNamed(r)
	if err != nil {
		return 0, nil, err
	}
	if err := a.domain.Blocks.Block(r.Context(), userID, other); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, nil
}

func (a *API) unblock(r *http.Request, userID string) (int, any, error) {
	other, err := a.userNamed(r)
	if err != nil {
		return 0, nil, err
	}
	if err := a.domain.Blocks.Unblock(r.Context(), userID, other); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, nil
}

func (a *API) blocks(r *http.Request, userID string) (int, any, error) {
	n, err := limit(r)
	if err != nil {
		return 0, nil, err
	}
	after, err := decodeMember(ownBlocks, r.URL.Query().Get("cursor"))
	if err != nil {
		return 0, nil, err
	}
	blocks, next, err := a.domain.Blocks.List(r.Context(), userID, after, n)
	if err != nil {
		return 0, nil, err
	}
	body := wire.BlockList{Blocks: make([]wire.Block, len(blocks)), Cursor: encodeMember(ownBlocks, next)}
	for i, b := range blocks {
		body.Blocks[i] = wire.Block{UserID: b.UserID, At: b.At}
	}
	return http.StatusOK, body, nil
}
