package client

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"
)

const (
	syncEvery   = 5 * time.Minute  // while a connection is open
	syncTimeout = 10 * time.Second // of one request
	syncRooms   = 100              // in one request, the server's limit
)

// catchUp asks for what rooms miss, for as long as a connection lives: for all
// of them at first and then every few minutes, and for one whenever it sees a
// hole. It waits while the application has many events before it.
func (c *Client) catchUp(ctx context.Context) {
	rooms, failures := syncRooms, 0
	refresh := c.clock.After(c.jitter(syncEvery))
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
			case <-refresh:
				c.inbox.refresh()
				refresh = c.clock.After(c.jitter(syncEvery))
			}
			continue
		}
		if err := c.ask(ctx, todo); err != nil && ctx.Err() == nil {
			// Fewer rooms at once: the answer may have been too large for the server.
			rooms = max(1, rooms/2)
			pause := c.backoff(failures)
			c.log.Warn().Err(err).Dur("retryIn", pause).Msg("catch-up failed")
			if failures == 0 {
				c.inbox.events.push(CatchUpFailed{Err: err, RetryIn: pause})
			}
			failures++
			select {
			case <-ctx.Done():
			case <-c.clock.After(pause):
			}
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
		if q.page {
			if err := c.askPage(ctx, q); err != nil {
				c.failed(ctx, append(todo[i:], synced...))
				return fmt.Errorf("read the newest messages of room %s: %w", q.room.id, err)
			}
		}
		if !q.look && !q.from.IsZero() {
			after[q.room.id] = q.from.String()
			synced = append(synced, q)
			continue
		}
		if err := c.askHistory(ctx, q); err != nil {
			c.failed(ctx, append(todo[i:], synced...))
			return fmt.Errorf("read the history of room %s: %w", q.room.id, err)
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
		c.inbox.answer(q, (*room).fail)
	}
}

// askSync asks for what came after the last message known, in several rooms. One
// room's failure doesn't keep the others from what came.
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
		missed, ok := got.Rooms[q.room.id]
		if !ok { // the server leaves out rooms that aren't the user's
			c.inbox.drop(q.room.id)
			continue
		}
		page, err := c.inbox.parse(q, missed.Messages, missed.More)
		if err != nil {
			c.inbox.answer(q, (*room).fail)
			failure = fmt.Errorf("sync room %s: %w", q.room.id, err)
			continue
		}
		c.inbox.answer(q, func(r *room) { r.apply(q.from, page, missed.More) })
	}
	return failure
}

// askHistory asks for the messages of a room of which the client has nothing:
// the newest ones if it never did, else all, for it was empty.
func (c *Client) askHistory(ctx context.Context, q request) error {
	ctx, cancel := c.timeout(ctx, syncTimeout)
	defer cancel()
	ask := Page{Limit: c.backlog}
	if !q.look {
		ask = Page{Limit: MaxPage, After: ulid.ULID{}.String()}
	}
	got, err := c.History(ctx, q.room.id, ask)
	if isCode(err, CodeNotAMember) {
		c.inbox.drop(q.room.id)
		return nil
	}
	if err != nil {
		return err
	}
	more := got.Cursor != ""
	page, err := c.inbox.parse(q, got.Messages, more)
	if err != nil {
		return err
	}
	if q.look {
		slices.Reverse(page)
	}
	c.inbox.answer(q, func(r *room) {
		if q.look {
			r.look(page, more)
		} else {
			r.apply(q.from, page, more)
		}
	})
	return nil
}

// askPage asks for the newest messages of a room again, for what has become of
// those that the application has.
func (c *Client) askPage(ctx context.Context, q request) error {
	ctx, cancel := c.timeout(ctx, syncTimeout)
	defer cancel()
	got, err := c.History(ctx, q.room.id, Page{Limit: c.backlog})
	if isCode(err, CodeNotAMember) {
		return nil // the sync that follows says so, too
	}
	if err != nil {
		return err
	}
	page, err := c.inbox.parse(q, got.Messages, false)
	if err != nil {
		return err
	}
	slices.Reverse(page) // oldest first, as they are shown
	c.inbox.answer(q, func(r *room) { r.compare(page) })
	return nil
}
