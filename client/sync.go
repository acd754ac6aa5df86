package client

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"
)

const (
	syncTimeout = 10 * time.Second // of one request
	syncRooms   = 100              // in one request, the server's limit
)

// catchUp asks for what rooms miss, for as long as a connection lives: for all
// of them at first and when freshness says so, and for one whenever it sees a hole. It
// waits while the application has many events before it.
func (c *Client) catchUp(ctx context.Context) {
	rooms, failures := syncRooms, 0
	for c.inbox.events.awaitRoom(ctx) == nil {
		todo, wait := c.inbox.requests(rooms)
		if len(todo) == 0 {
			var patience <-chan time.Time
			if !wait.IsZero() {
				patience = c.clock.After(c.clock.Until(wait))
			}
			select {
			case <-ctx.Done():
			case <-c.inbox.wake:
			case <-patience:
			}
			continue
		}
		if err := c.ask(ctx, todo); err != nil && ctx.Err() == nil {
			// Fewer rooms at once: the answer may have been too large for the server.
			if !isCode(err, CodeRateLimited) {
				rooms = max(1, rooms/2)
			}
			pause := c.backoff(failures) + retryAfter(err)
			c.log.Warn().Err(err).Dur("retryIn", pause).Msg("catch-up failed")
			if failures == 0 {
				c.inbox.events.push(CatchUpFailed{Err: err, RetryIn: pause})
			}
			failures++
			c.sleep(ctx, pause)
			continue
		}
		rooms, failures = syncRooms, 0
	}
}

// ask serves requests. After an error those that were not served are due again.
func (c *Client) ask(ctx context.Context, todo []request) error {
	after := map[string]string{}
	var synced []request
	for i, q := range todo {
		if err := c.askRoom(ctx, q); err != nil {
			c.failed(ctx, append(todo[i:], synced...))
			return err
		}
		if q.sync && !q.after.IsZero() {
			after[q.room] = q.after.String()
			synced = append(synced, q)
		}
	}
	if len(synced) == 0 {
		return nil
	}
	return c.askSync(ctx, synced, after)
}

// failed notes requests that were not answered. At the end of a connection it
// doesn't matter: the next one begins by asking for everything.
func (c *Client) failed(ctx context.Context, todo []request) {
	if ctx.Err() != nil {
		return
	}
	for _, q := range todo {
		c.inbox.answer(q, (*recovery).failed)
	}
}

// askSync asks for the messages after an id, in several rooms. One room's failure
// doesn't keep the others from their messages.
func (c *Client) askSync(ctx context.Context, todo []request, after map[string]string) error {
	asking, cancel := c.timeout(ctx, syncTimeout)
	defer cancel()
	got, err := c.sync(asking, after)
	if err != nil {
		c.failed(ctx, todo)
		return fmt.Errorf("sync %d rooms: %w", len(todo), err)
	}
	var failure error
	for _, q := range todo {
		missed, ok := got.Rooms[q.room]
		if !ok { // the server leaves out rooms that aren't the user's
			c.inbox.lost(q)
			continue
		}
		page, err := c.inbox.parse(q.after, missed.Messages, missed.More)
		if err != nil {
			c.inbox.answer(q, (*recovery).failed)
			failure = fmt.Errorf("sync room %s: %w", q.room, err)
			continue
		}
		if err := c.inbox.events.awaitRoom(ctx); err != nil {
			return err
		}
		c.inbox.fetched(q, page, true, func(r *recovery) { r.synced(q.after, page, missed.More) })
	}
	return failure
}

// askRoom asks for a room's newest messages, for those that the application shows,
// and for all of a room that was empty: what a sync doesn't give.
func (c *Client) askRoom(ctx context.Context, q request) error {
	if q.newest {
		return c.askHistory(ctx, q, Page{Limit: c.backlog}, (*recovery).newest)
	}
	if q.page {
		page := Page{Limit: c.backlog}
		if q.before != lastID {
			page.Before = q.before.String()
		}
		if err := c.askHistory(ctx, q, page, (*recovery).rereadPage); err != nil {
			return err
		}
	}
	if !q.sync || !q.after.IsZero() {
		return nil
	}
	return c.askHistory(ctx, q, Page{Limit: MaxPage, After: q.after.String()}, func(r *recovery, page []arrival, more bool) {
		r.synced(q.after, page, more)
	})
}

// askHistory asks for a page of a room's history, and gives it to the room oldest
// first.
func (c *Client) askHistory(ctx context.Context, q request, ask Page, input func(*recovery, []arrival, bool)) error {
	asking, cancel := c.timeout(ctx, syncTimeout)
	defer cancel()
	got, err := c.History(asking, q.room, ask)
	if isCode(err, CodeNotAMember) {
		c.inbox.lost(q)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the history of room %s: %w", q.room, err)
	}
	more := got.Cursor != ""
	page, err := c.inbox.parse(ulid.ULID{}, got.Messages, more)
	if err != nil {
		return fmt.Errorf("read the history of room %s: %w", q.room, err)
	}
	if ask.After == "" {
		slices.Reverse(page)
	}
	if err := c.inbox.events.awaitRoom(ctx); err != nil {
		return err
	}
	delivers := q.newest || ask.After != ""
	c.inbox.fetched(q, page, delivers, func(r *recovery) { input(r, page, more) })
	return nil
}
