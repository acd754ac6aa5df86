package client

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	newestPage = 10 // rooms of the list that are read at first: most often few are new

	// listedAfter is how long a message may take to be in the list of rooms, and its room
	// to be one of the user's there.
	listedAfter = 8 * time.Second
)

// discovery says how far the list of rooms is to be read, for rooms of which no frame came.
type discovery struct {
	wake chan struct{} // there is something to read

	mu    sync.Mutex
	due   bool
	since int64 // rooms of which something is newer, in ms
}

// want has the list read down to a time, in ms.
func (d *discovery) want(since int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.due || since < d.since {
		d.due, d.since = true, since
	}
	signal(d.wake)
}

// take returns how far the list is to be read. What is wanted from then on is another time.
func (d *discovery) take() (since int64, due bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	since, due = d.since, d.due
	d.due = false
	return since, due
}

// discover follows rooms of which something may have been missed, such as those to which the
// user was added without a connection, for as long as a connection lives. Each time waits
// until the list has what came before: read earlier, it would have to be read once more.
func (c *Client) discover(ctx context.Context) {
	d := c.inbox.discovery
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		}
		if !c.sleep(ctx, time.Duration(float64(listedAfter)*(1+0.25*c.random()))) {
			return
		}
		if since, due := d.take(); due && !c.followNewest(ctx, since) {
			d.want(since) // on the next connection
		}
	}
}

// followNewest follows the rooms of which something is newer than a time, in ms, less the
// time by which writers' clocks differ. It goes on after failures, and reports false if ctx
// ended.
func (c *Client) followNewest(ctx context.Context, since int64) bool {
	since -= overlap.Milliseconds()
	limit, cursor, failures := newestPage, "", 0
	for {
		page, err := c.listPage(ctx, limit, cursor)
		if ctx.Err() != nil {
			return false
		}
		if refusal := (*Error)(nil); errors.As(err, &refusal) && !refusal.Retryable() {
			c.log.Warn().Err(err).Msg("the list of rooms can't be read")
			return true
		}
		if err != nil {
			pause := c.backoff(failures) + retryAfter(err)
			failures++
			c.log.Warn().Err(err).Dur("retryIn", pause).Msg("reading the list of rooms failed")
			if !c.sleep(ctx, pause) {
				return false
			}
			continue
		}
		news := len(page.Rooms) == 0
		for _, room := range page.Rooms { // their order may be an interval behind
			if room.LastMessageAt >= since {
				news = true
				c.inbox.follow(room.ChatRoomID)
			}
		}
		if !news || page.Cursor == "" {
			return true
		}
		limit, cursor, failures = MaxPage, page.Cursor, 0
	}
}

// listPage returns one page of the user's rooms.
func (c *Client) listPage(ctx context.Context, limit int, cursor string) (RoomList, error) {
	ctx, cancel := c.timeout(ctx, syncTimeout)
	defer cancel()
	return c.listRooms(ctx, limit, cursor)
}
