package functions

import (
	"hash/fnv"
	"io"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/streamroom/streamroom/shared/auth"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/gateway"
	"github.com/streamroom/streamroom/shared/httpapi"
	"github.com/streamroom/streamroom/shared/topology"
)

// Connect verifies the token and stores the connection.
func Connect(e Env) (lambda.Handler, error) {
	w := e.wire(topology.Connect)
	store, allowQuery := w.telling(), w.vars.TokenInQuery()
	limits := chat.Limits{
		chat.Connecting: chat.PerMinute(w.vars.Limit(config.ConnectRate, config.ConnectBurst, chat.ConnectRate, chat.ConnectBurst)),
	}
	tokens := auth.Config{Rule: w.tokenRule(), JWKSURL: w.vars.KeysURL()}
	if err := w.vars.Err(); err != nil {
		return nil, err
	}
	verifier, err := auth.New(tokens, w.Keys, w.Now)
	if err != nil {
		return nil, err
	}
	connect := gateway.NewConnect(verifier, chat.NewSessions(store, limits, w.Now), allowQuery, w.Now, w.log)
	return w.handler(gateway.Route(w.door().Connect(connect.Handle)))
}

// Disconnect removes the connection.
func Disconnect(e Env) (lambda.Handler, error) {
	w := e.wire(topology.Disconnect)
	disconnect := gateway.NewDisconnect(chat.NewSessions(w.telling(), nil, w.Now), w.Now, w.log)
	return w.handler(gateway.Route(disconnect.Handle))
}

// SendMessage stores a message and answers with an ack.
func SendMessage(e Env) (lambda.Handler, error) {
	w := e.wire(topology.SendMessage)
	store, limits := w.store(), w.frameLimits()
	reviewing, err := w.reviewing()
	if err != nil {
		return nil, err
	}
	sender := w.sender(store, limits).Reviewing(reviewing)
	users := chat.UserIDs{FoldCase: w.vars.FoldCase()}
	send := gateway.NewSendMessage(sender, chat.NewSessions(store, limits, w.Now), users, w.Now, w.log)
	return w.handler(gateway.Route(send.Handle))
}

// Default answers pings, notes who types, and answers frames that name no route.
func Default(e Env) (lambda.Handler, error) {
	w := e.wire(topology.Default)
	store, limits := w.store(), w.frameLimits()
	var typists *chat.Typists
	if w.vars.Typing() {
		typists = chat.NewTypists(store, limits, w.Now)
	}
	fallback := gateway.NewDefault(chat.NewSessions(store, limits, w.Now), typists, w.vars.Presence(), w.Now, w.log)
	return w.handler(gateway.Route(fallback.Handle))
}

// API serves the HTTP API.
func API(e Env) (lambda.Handler, error) {
	w := e.wire(topology.API)
	store, rule := w.telling().OrderedWithin(w.vars.OrderInterval(chat.OrderInterval)), w.tokenRule()
	rule.Services = w.vars.Services()
	frames := w.frameLimits()
	limits := chat.Limits{
		chat.Sustaining: frames[chat.Sustaining],
		chat.Writing:    chat.PerSecond(w.vars.Limit(config.WriteRate, config.WriteBurst, chat.WriteRate, chat.WriteBurst)),
		chat.Reading:    chat.PerSecond(w.vars.Limit(config.ReadRate, config.ReadBurst, chat.ReadRate, chat.ReadBurst)),
		chat.Reporting:  chat.PerMinute(w.vars.Limit(config.ReportRate, config.ReportBurst, chat.ReportRate, chat.ReportBurst)),
	}
	reviewing, err := w.reviewing()
	if err != nil {
		return nil, err
	}
	sender := w.sender(store, frames).Reviewing(reviewing)
	var signer chat.Signer
	if bucket := w.bucket(); bucket != nil {
		signer = bucket
	}
	maxSize := w.vars.MaxFile(chat.MaxAttachmentSize)
	if err := w.vars.Err(); err != nil {
		return nil, err
	}
	tokens, err := auth.NewChecker(rule, w.Now)
	if err != nil {
		return nil, err
	}
	limiter := chat.NewLimiter(store, limits, w.Now).CountingFrom(w.instance())
	rooms := chat.NewRooms(store, w.ids(), w.Now).Retaining(w.vars.Retention()).Weighing(limiter)
	var presences *chat.Presences
	if w.vars.Presence() {
		presences = chat.NewPresences(store, rooms, w.Now)
	}
	var pushes *chat.Pushes
	if key := w.vars.PublicPushKey(); key != "" {
		pushes = chat.NewPushes(store, key, w.Now)
	}
	api := httpapi.New(httpapi.Domain{
		Rooms:     rooms,
		Presences: presences,
		Histories: chat.NewHistories(store),
		Editor:    chat.NewEditor(store, w.Now, fanout.FitsEdited).Reviewing(reviewing),
		Readers:   chat.NewReaders(store, w.Now),
		Reactors:  chat.NewReactors(store, w.Now),
		Profiles:  chat.NewProfiles(store, w.Now),
		Blocks:    chat.NewBlocks(store, w.Now),
		Pushes:    pushes,
		Users:     chat.NewUsers(store, w.Now),
		Sender:    sender,
		Sessions:  chat.NewSessions(store, nil, w.Now),
		UserIDs:   rule.UserIDs,

		Attachments: chat.NewAttachments(store, signer, w.ids(), w.Now, maxSize),

		Limits: limiter,
	}, gateway.Status, w.log)
	return w.handler(w.door().HTTP(gateway.NewHTTP(api, tokens, w.Now, w.log).Handle))
}

// sender returns what stores messages, from a frame or a request.
func (w wiring) sender(store *dynamo.Store, limits chat.Limits) *chat.Sender {
	sender := chat.NewSender(store, w.ids(), w.Now, fanout.Fits, limits).Retaining(w.vars.Retention()).CountingFrom(w.instance())
	if bucket := w.bucket(); bucket != nil {
		sender = sender.Attaching(bucket)
	}
	return sender
}

// instance returns a number of this instance of the function, by its log stream; 0 where
// there is none.
func (w wiring) instance() int {
	if w.LogStream == "" {
		return 0
	}
	hash := fnv.New32a()
	_, _ = io.WriteString(hash, w.LogStream) // a hash takes everything
	return int(hash.Sum32() >> 1)
}

// telling returns a store that has others notified of who comes and goes, unless that is
// switched off.
func (w wiring) telling() *dynamo.Store {
	if w.vars.Presence() {
		return w.store()
	}
	return w.store().WithoutPresence()
}

// tokenRule returns the one rule of accepted tokens, for both APIs.
func (w wiring) tokenRule() auth.Rule {
	t := w.vars.Tokens()
	return auth.Rule{
		Issuer: t.Issuer, Audience: t.Audience, TokenUse: t.TokenUse, UserClaim: t.UserClaim,
		UserIDs: chat.UserIDs{FoldCase: w.vars.FoldCase()},
	}
}

// door returns what both APIs ask of a request before all else.
func (w wiring) door() gateway.Door {
	return gateway.NewDoor(topology.OriginKeyHeader, w.vars.OriginKeys(), w.log)
}

// frameLimits returns the limits of what clients send over the WebSocket, of which the
// routes that serve it share one setting.
func (w wiring) frameLimits() chat.Limits {
	sends := chat.PerSecond(w.vars.Limit(config.SendRate, config.SendBurst, chat.SendRate, chat.SendBurst))
	if sends == (chat.RateLimit{}) {
		return chat.Limits{}
	}
	return chat.Limits{
		chat.Sending: sends, chat.Sustaining: sends.Sustained(),
		chat.Refusing: chat.PerMinute(chat.RefusedRate, chat.RefusedBurst),
		chat.Pinging:  chat.PerMinute(chat.PingRate, chat.PingBurst),
		chat.Typing:   chat.PerMinute(chat.TypingRate, chat.TypingBurst),
		chat.Ignoring: chat.PerMinute(chat.IgnoredRate, chat.IgnoredBurst),
	}
}
