package fanout

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/parallel"
)

// presenceBatch is how many users' connections are read in one request:
// DynamoDB's limit, see "BatchGetItem" in its API reference.
const presenceBatch = 100

// devices are the connections of recipients, as far as they are known. They do not change
// once read.
type devices struct {
	byUser map[string][]chat.Connection
	failed map[string]error // users whose connections could not be served, and why
}

// readDevices reads the connections of all recipients at once: each room's index, and the
// presence of each user whom an index does not have, once, however many rooms they are in.
func (t *table) readDevices(ctx context.Context, broadcasts []broadcast, people []person) devices {
	var users []string
	for i := range people {
		users = append(users, people[i].recipients...)
	}
	var indexed []*broadcast
	for i := range broadcasts {
		users = append(users, broadcasts[i].audience.byPresence()...)
		if len(broadcasts[i].audience.listed) > 0 {
			indexed = append(indexed, &broadcasts[i])
		}
	}
	slices.Sort(users)
	batches := slices.Collect(slices.Chunk(slices.Compact(users), presenceBatch))
	found := make([]map[string][]chat.Connection, len(indexed)+len(batches))
	errs := make([]error, len(found))
	parallel.Each(len(found), readsInFlight, func(i int) {
		if i < len(indexed) {
			found[i], errs[i] = t.store.Online(ctx, indexed[i].events.roomID, indexed[i].audience.within, chat.MaxConnections)
		} else {
			found[i], errs[i] = t.store.Presence(ctx, batches[i-len(indexed)], chat.MaxConnections)
		}
	})

	d := devices{byUser: make(map[string][]chat.Connection, len(users)), failed: map[string]error{}}
	for i, b := range indexed {
		for user := range b.audience.listed {
			d.add(user, found[i][user], errs[i])
		}
	}
	for i, batch := range batches {
		for _, user := range batch { // a presence has all that an index has
			delete(d.byUser, user)
			d.add(user, found[len(indexed)+i][user], errs[len(indexed)+i])
		}
	}
	return d
}

// add adds connections to a user's, newest first, or notes why they could not be read.
func (d *devices) add(user string, connections []chat.Connection, err error) {
	if err != nil {
		d.failed[user] = fmt.Errorf("read the connections of a member: %w", err)
		return
	}
	if len(d.byUser[user]) == 0 {
		d.byUser[user] = connections
		return
	}
	all := slices.Concat(d.byUser[user], connections) // of two rooms
	slices.SortFunc(all, func(a, b chat.Connection) int {
		return cmp.Or(cmp.Compare(b.ConnectedAt, a.ConnectedAt), cmp.Compare(a.ID, b.ID))
	})
	all = slices.Compact(all)
	d.byUser[user] = all[:min(chat.MaxConnections, len(all))]
}

// count returns how many connections users have.
func (d devices) count(users []string) (n int) {
	for _, user := range users {
		n += len(d.byUser[user])
	}
	return n
}

// after returns the devices that remain after posts: without those that have ended, whose
// users may count as offline then, and with users that there was no time for as failed.
func (d devices) after(p posted) devices {
	if len(p.gone) > 0 {
		d.byUser = maps.Clone(d.byUser)
	}
	for _, c := range p.gone {
		d.byUser[c.UserID] = slices.DeleteFunc(slices.Clone(d.byUser[c.UserID]), func(other chat.Connection) bool { return other.ID == c.ID })
	}
	if len(p.cut) > 0 {
		d.failed = maps.Clone(d.failed)
	}
	for _, user := range p.cut {
		d.failed[user] = errNoTime
	}
	return d
}

// errorOf returns why some of the recipients' connections could not be served, if
// so. The others get their frames nonetheless: they drop what comes again.
func (d devices) errorOf(recipients []string) error {
	if len(d.failed) == 0 {
		return nil
	}
	for _, user := range recipients {
		if err := d.failed[user]; err != nil {
			return err
		}
	}
	return nil
}
