package fanout

import (
	"context"
	"fmt"
	"slices"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/parallel"
)

// presenceBatch is how many users' connections are read in one request:
// DynamoDB's limit, see "BatchGetItem" in its API reference.
const presenceBatch = 100

// devices are the connections of recipients.
type devices struct {
	byUser map[string][]chat.Connection
	failed map[string]error // users whose connections could not be served, and why
}

// readDevices reads the connections of all recipients at once: each user is read
// once, however many rooms they are in.
func (f *Fanout) readDevices(ctx context.Context, broadcasts []broadcast) devices {
	var users []string
	for i := range broadcasts {
		users = append(users, broadcasts[i].audience.recipients...)
	}
	slices.Sort(users)
	batches := slices.Collect(slices.Chunk(slices.Compact(users), presenceBatch))
	found := make([]map[string][]chat.Connection, len(batches))
	errs := make([]error, len(batches))
	parallel.Each(len(batches), readsInFlight, func(i int) {
		found[i], errs[i] = f.store.Presence(ctx, batches[i], chat.MaxConnections)
	})

	d := devices{byUser: make(map[string][]chat.Connection, len(users)), failed: map[string]error{}}
	for i, batch := range batches {
		for _, user := range batch {
			if errs[i] != nil {
				d.failed[user] = fmt.Errorf("read the connections of a member: %w", errs[i])
			} else {
				d.byUser[user] = found[i][user]
			}
		}
	}
	return d
}

// errorOf returns why some of the recipients' connections could not be served, if
// so. The others get their frames nonetheless: they drop what comes again.
func (d *devices) errorOf(recipients []string) error {
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
