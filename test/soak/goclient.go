package main

import (
	"context"

	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/test/rig"
)

// openClient starts an application on the Go client.
func (d *device) openClient(ctx context.Context) error {
	token := func(ctx context.Context) (string, error) {
		return rig.SignIn(ctx, d.http, d.run.host.URL(), d.user, d.tokens)
	}
	if d.run.config.Token != nil {
		token = d.run.config.Token(token)
	}
	own := clock{clockwork.NewRealClock(), d.clockOffset}
	var at clockwork.Clock = own
	if d.tab != nil {
		at = tabClock{own, d.tab}
	}
	c, err := client.New(client.Options{
		WebSocketURL: d.run.host.WebSocketURL(), APIURL: d.run.host.APIURL(), Backlog: backlog, HTTPClient: d.http, Token: token,
		Clock: at,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	d.mu.Lock()
	defer d.mu.Unlock()
	ended := make(chan struct{})
	d.client, d.end, d.ended = c, cancel, ended
	go func() {
		defer close(ended)
		defer d.asking.Wait()
		_ = c.Run(ctx, func(_ context.Context, e client.Event) { d.handle(ctx, e) }) // its error is ctx's
	}()
	return nil
}

func (d *device) closeClient() {
	d.mu.Lock()
	end, ended := d.end, d.ended
	d.mu.Unlock()
	if end == nil {
		return
	}
	end()
	<-ended
	d.network.transport.CloseIdleConnections()
}

// current is the running application's client; nil for a browser.
func (d *device) current() *client.Client {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.client
}

// handle takes what the client tells its application.
func (d *device) handle(ctx context.Context, e client.Event) {
	switch e.(type) {
	case client.Connected, client.Disconnected, client.CatchUpFailed:
	default:
		d.hears()
	}
	switch e := e.(type) {
	case client.Message:
		d.take(e)
	case client.Edited:
		d.revise(e.HistoryMessage)
	case client.Deleted:
		d.revise(client.HistoryMessage{
			ChatRoomID: e.ChatRoomID, MessageID: e.MessageID, SenderID: e.SenderID, Timestamp: e.Timestamp, DeletedAt: e.DeletedAt,
		})
	case client.Reacted:
		d.reacted(e.ChatRoomID, e.MessageID, client.Reactions{Version: e.Version, Counts: e.Counts, Mine: e.Mine}, e.Changed)
	case client.Typing:
		d.typed(e)
	case client.Presence:
		d.told(e)
	case client.Read:
		d.moved(e.ChatRoomID, e.UserID, e.UpTo)
	case client.MemberLeft:
		if e.UserID == d.user {
			d.leave(e.ChatRoomID)
		} else {
			d.forgetCursor(e.ChatRoomID, e.UserID)
		}
	case client.Connected:
		if d.connected(e.ConnectionID) {
			d.run.chargePresence(d)
		}
		d.forgetPeople()
		if d.run.settling.Load() {
			d.forgetCursors()
			d.asking.Go(func() { d.askCursors(ctx) })
		}
	case client.Disconnected:
		if d.disconnected(e.Err) {
			d.run.chargePresence(d)
		}
	case client.CatchUpFailed:
		d.run.tally.add(&d.run.tally.CatchUpsFailed)
	}
}

// askCursors reads who has read what, since reads that happened without a connection
// don't come as events. While much breaks there is no point in it.
func (d *device) askCursors(ctx context.Context) {
	for _, room := range d.run.rooms {
		if !room.isMember(d.user) {
			continue
		}
		asked := d.run.now()
		members, _, err := d.run.members(ctx, d.current(), room, markedMembers)
		if err != nil && ctx.Err() == nil {
			d.run.ledger.violate(Violation{Promise: Refused, Room: room.id, Client: d.name, Detail: err.Error()})
		}
		for _, m := range members {
			d.learned(m.UserID, m.Online, asked)
			if m.ReadUpTo != m.ReadFrom { // else it is the user's own, who has read nothing since they joined
				d.moved(room.id, m.UserID, m.ReadUpTo)
			}
		}
	}
}
