package functions

import (
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/push"
	"github.com/streamroom/streamroom/shared/roomlist"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/shared/webpush"
)

// Fanout broadcasts the changes of the stream and cleans up connections.
func Fanout(e Env) (lambda.Handler, error) {
	w := e.wire(topology.Fanout)
	store, callback := w.telling(), w.vars.Callback()
	bus, content, notifications := w.vars.Events()
	kept := w.vars.Failures()
	charges := w.charges(store)
	if err := w.vars.Err(); err != nil {
		return nil, err
	}
	pusher, err := push.New(push.Config{
		Endpoint: callback, Region: w.AWS.Region, Credentials: w.AWS.Credentials, Transport: w.Posts, Now: w.Now,
	})
	if err != nil {
		return nil, err
	}
	consumer := fanout.New(store, pusher, topology.FanoutDeadline, w.Now, w.log)
	if charges != nil {
		consumer = consumer.Charging(charges)
	}
	if bus != "" {
		events, err := w.eventBus(bus)
		if err != nil {
			return nil, err
		}
		to := fanout.Announcements{Bus: events, Content: content, NotificationsOnly: notifications}
		if kept != "" {
			to.Keeper = w.failures(kept)
		}
		consumer = consumer.Announcing(to)
	}
	return w.handler(consumer.Handle)
}

// charges returns what takes what followed from users' actions out of their limits; nil if
// there is none.
func (w wiring) charges(store *dynamo.Store) *chat.Charges {
	return chat.NewCharges(store, w.frameLimits()[chat.Sustaining], w.Now).CountingFrom(w.instance())
}

// LastMessage keeps each room's last message and the order of room lists, and removes
// attachments.
func LastMessage(e Env) (lambda.Handler, error) {
	w := e.wire(topology.LastMessage)
	interval := w.vars.OrderInterval(chat.OrderInterval)
	store := w.store()
	projector := roomlist.NewProjector(store, interval, topology.LastMessageDeadline, w.Now, w.log)
	if charges := w.charges(store); charges != nil {
		projector = projector.Charging(charges)
	}
	if bucket := w.bucket(); bucket != nil {
		projector = projector.Removing(store, bucket)
	}
	return w.handler(projector.Handle)
}

// Push sends Web Push to users whom notification events name.
func Push(e Env) (lambda.Handler, error) {
	w := e.wire(topology.Push)
	store := w.store()
	key, secret, contact := w.vars.Push()
	if err := w.vars.Err(); err != nil {
		return nil, err
	}
	private, err := w.parameter(secret)
	if err != nil {
		return nil, err
	}
	if w.Pushes == nil {
		w.Pushes = webpush.Transport()
	}
	notifier := webpush.New(webpush.Config{
		Store: store, PublicKey: key, PrivateKey: private.Value, Contact: contact, Transport: w.Pushes, Now: w.Now, Log: w.log,
	})
	return w.handler(notifier.Handle)
}
