package storetest

import (
	"fmt"

	"github.com/streamroom/streamroom/shared/chat"
)

// subscribed is the n-th subscription of a test.
func subscribed(n int) chat.Subscription {
	return chat.Subscription{Endpoint: fmt.Sprintf("https://push.example.com/%02d", n), Key: fmt.Sprint("key-", n), Auth: fmt.Sprint("auth-", n), At: epoch + int64(n)}
}

// pushes checks the subscriptions of a user, in their order.
func (f *fixture) pushes(userID string, want ...chat.Subscription) {
	f.Helper()
	got, err := f.Subscriptions(f.Context(), userID)
	ok(f, err)
	equal(f, "subscriptions of "+userID, want, got)
}

var pushTests = map[string]func(*fixture){
	"Subscription/is kept, replaced and removed": func(f *fixture) {
		f.pushes("alice")
		ok(f, f.PutSubscription(f.Context(), "alice", subscribed(2), 10))
		ok(f, f.PutSubscription(f.Context(), "alice", subscribed(1), 10))
		ok(f, f.PutSubscription(f.Context(), "bob", subscribed(3), 10))
		f.pushes("alice", subscribed(1), subscribed(2))
		again := subscribed(1)
		again.Key, again.Auth, again.At = "other", "others", epoch+9
		ok(f, f.PutSubscription(f.Context(), "alice", again, 10))
		f.pushes("alice", subscribed(2), again)
		for range 2 {
			ok(f, f.RemoveSubscription(f.Context(), "alice", subscribed(2).Endpoint))
		}
		ok(f, f.RemoveSubscription(f.Context(), "alice", subscribed(3).Endpoint)) // bob's
		f.pushes("alice", again)
		f.pushes("bob", subscribed(3))
	},
	"Subscription/replaces the oldest above the most": func(f *fixture) {
		for n := range 5 {
			ok(f, f.PutSubscription(f.Context(), "alice", subscribed(n), 3))
		}
		f.pushes("alice", subscribed(2), subscribed(3), subscribed(4))
		ok(f, f.PutSubscription(f.Context(), "alice", subscribed(3), 3))
		f.pushes("alice", subscribed(2), subscribed(3), subscribed(4))
	},
	"Subscription/is stored though others are as new": func(f *fixture) {
		at := func(n int, ms int64) chat.Subscription {
			s := subscribed(n)
			s.At = epoch + ms
			return s
		}
		for n := range 3 {
			ok(f, f.PutSubscription(f.Context(), "alice", at(5+n, 7), 3))
		}
		ok(f, f.PutSubscription(f.Context(), "alice", at(1, 7), 3))
		f.pushes("alice", at(1, 7), at(6, 7), at(7, 7))
		ok(f, f.PutSubscription(f.Context(), "alice", at(2, 6), 3)) // by a clock that is behind
		f.pushes("alice", at(2, 6), at(6, 7), at(7, 7))
	},
}
