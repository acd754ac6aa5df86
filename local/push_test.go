package local_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/webpush/webpushtest"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

// subscribe has a user's new browser take pushes.
func subscribe(s *rig.Rig, service *webpushtest.Service, user string) *webpushtest.Browser {
	s.T.Helper()
	b := service.Subscribe()
	in := wire.PushSubscription{Endpoint: b.Endpoint, Keys: wire.PushKeys{P256dh: b.Key, Auth: b.Auth}}
	if got := s.API(user, http.MethodPut, "/me/push", in, nil); got != http.StatusNoContent {
		s.T.Fatalf("a subscription is answered with %d", got)
	}
	return b
}

// endpoints are those that a user's pushes go to.
func endpoints(s *rig.Rig, user string) (all []string) {
	s.T.Helper()
	subscriptions, err := s.Store().Subscriptions(s.T.Context(), user)
	if err != nil {
		s.T.Fatal(err)
	}
	for _, one := range subscriptions {
		all = append(all, one.Endpoint)
	}
	return all
}

// A user who is offline gets a push that their browser decrypts, signed with the key that it
// has subscribed with; one who is online, and the sender, get none.
func TestPush_ReachesWhoIsOffline(t *testing.T) {
	service := webpushtest.New(t)
	s := start(t, local.Config{LogLevel: "warn", Push: true, Pushes: service.Transport()})
	room := s.Room("alice", "bob", "carol")
	bobs, carols, alices := subscribe(s, service, "bob"), subscribe(s, service, "carol"), subscribe(s, service, "alice")
	alice, carol := s.Connect("alice"), s.Connect("carol")
	sent, _ := alice.Deliver(room, "a secret", "")
	rig.Eventually(t, "bob is notified", func() bool { return len(bobs.Received()) == 1 })
	got := bobs.Received()[0]
	var key wire.PushKey
	s.API("bob", http.MethodGet, "/me/push", nil, &key)
	if got.Key != key.PublicKey || key.PublicKey == "" {
		t.Errorf("the push is signed with %s, want %s", got.Key, key.PublicKey)
	}
	var body map[string]any
	if err := json.Unmarshal([]byte(got.Body), &body); err != nil {
		t.Fatal(err)
	}
	if body["chatRoomId"] != room || body["messageId"] != sent.MessageID || body["senderId"] != "alice" || body["type"] != "message" || body["reason"] != "room" || strings.Contains(got.Body, "secret") {
		t.Errorf("the push says %s", got.Body)
	}
	if carols.Asked() > 0 || alices.Asked() > 0 {
		t.Error("someone online is notified")
	}
	if status := s.Request(http.MethodGet, "/events", "", nil, nil); status != http.StatusNotFound {
		t.Errorf("/events is answered with %d: no one asked for events", status)
	}

	// A user who has ended it gets none any more.
	if got := s.API("bob", http.MethodDelete, "/me/push", wire.PushEndpoint{Endpoint: bobs.Endpoint}, nil); got != http.StatusNoContent {
		t.Errorf("the end is answered with %d", got)
	}
	phone := subscribe(s, service, "bob")
	carol.Deliver(room, "again", "")
	rig.Eventually(t, "bob's other browser is notified", func() bool { return len(phone.Received()) == 1 })
	if n := len(bobs.Received()); n != 1 {
		t.Errorf("the first one got %d", n)
	}
}

func TestPush_HasContentIfAsked(t *testing.T) {
	service := webpushtest.New(t)
	s := start(t, local.Config{LogLevel: "warn", Push: true, EventContent: true, Pushes: service.Transport()})
	room := s.Room("alice", "bob")
	b := subscribe(s, service, "bob")
	s.Connect("alice").Deliver(room, "Tea?", "")
	rig.Eventually(t, "bob is notified", func() bool { return len(b.Received()) == 1 })
	if got := b.Received()[0].Body; !strings.Contains(got, `"content":"Tea?"`) {
		t.Errorf("the push says %s", got)
	}
}

// A subscription that the push service no longer has is removed; a redirect is not
// followed; an endpoint that fails is tried again with the event.
func TestPush_WhatPushServicesAnswer(t *testing.T) {
	service := webpushtest.New(t)
	s := start(t, local.Config{LogLevel: "fatal", Push: true, Pushes: service.Transport()})
	room := s.Room("alice", "bob", "carol", "dave")
	alice := s.Connect("alice")
	ended, inner := subscribe(s, service, "bob"), subscribe(s, service, "carol")
	ended.Answer(webpushtest.Status(http.StatusGone))
	led := service.Subscribe()
	inner.Answer(func(w http.ResponseWriter) {
		w.Header().Set("Location", led.Endpoint)
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	alice.Deliver(room, "one", "")
	rig.Eventually(t, "the subscription that has ended is removed", func() bool { return len(endpoints(s, "bob")) == 0 && inner.Asked() == 1 })
	if led.Asked() > 0 {
		t.Error("a redirect is followed")
	}
	if got := endpoints(s, "carol"); len(got) != 1 {
		t.Errorf("carol has %q", got)
	}
	failing := subscribe(s, service, "dave")
	failing.Answer(webpushtest.Status(http.StatusServiceUnavailable))
	alice.Deliver(room, "two", "")
	rig.Eventually(t, "the event comes again", func() bool { return failing.Asked() >= 4 })
	failing.Answer(nil)
	rig.Eventually(t, "it is taken", func() bool { return len(failing.Received()) == 1 })
}

func TestPush_TheOldestSubscriptionEnds(t *testing.T) {
	service := webpushtest.New(t)
	s := start(t, local.Config{LogLevel: "warn", Push: true, Pushes: service.Transport()})
	var all []string
	for range chat.MaxSubscriptions + 2 {
		all = append(all, subscribe(s, service, "bob").Endpoint)
		<-time.After(time.Millisecond) // those of the same millisecond have no order
	}
	got := endpoints(s, "bob")
	if len(got) != chat.MaxSubscriptions {
		t.Fatalf("%d are kept", len(got))
	}
	for _, newest := range all[len(all)-1:] {
		if got[len(got)-1] != newest {
			t.Errorf("the newest is %s, want %s", got[len(got)-1], newest)
		}
	}
}

// Browsers have subscribed with the key: it outlives the process.
func TestPush_KeepsItsKey(t *testing.T) {
	dir := t.TempDir()
	var keys [2]wire.PushKey
	for i := range keys {
		host := rig.Start(t, local.Config{LogLevel: "warn", Push: true, DataDir: dir})
		host.API("bob", http.MethodGet, "/me/push", nil, &keys[i])
		if err := host.Server.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if keys[0] != keys[1] || keys[0].PublicKey == "" {
		t.Errorf("the keys are %q", keys)
	}
	about, err := os.Stat(filepath.Join(dir, "push-key"))
	if err != nil || about.Mode().Perm() != 0o600 {
		t.Errorf("the key's file is %v, %v", about, err)
	}
}
