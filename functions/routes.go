package functions

import (
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/streamroom/streamroom/shared/auth"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/gateway"
	"github.com/streamroom/streamroom/shared/httpapi"
	"github.com/streamroom/streamroom/shared/topology"
)

// Connect verifies the token and stores the connection.
func Connect(e Env) (lambda.Handler, error) {
	w := e.wire(topology.Connect)
	store, allowQuery := w.store(), w.vars.TokenInQuery()
	connects := chat.PerMinute(w.vars.Connects(chat.ConnectRate, chat.ConnectBurst))
	tokens := auth.Config{Rule: w.tokenRule(), JWKSURL: w.vars.KeysURL()}
	if err := w.vars.Err(); err != nil {
		return nil, err
	}
	verifier, err := auth.New(tokens, w.Keys, w.Now)
	if err != nil {
		return nil, err
	}
	connect := gateway.NewConnect(verifier, chat.NewSessions(store, connects, w.Now), allowQuery, w.Now, w.log)
	return w.handler(connect.Handle)
}

// Disconnect removes the connection.
func Disconnect(e Env) (lambda.Handler, error) {
	w := e.wire(topology.Disconnect)
	disconnect := gateway.NewDisconnect(chat.NewSessions(w.store(), chat.RateLimit{}, w.Now), w.Now, w.log)
	return w.handler(disconnect.Handle)
}

// SendMessage stores a message and answers with an ack.
func SendMessage(e Env) (lambda.Handler, error) {
	w := e.wire(topology.SendMessage)
	send := gateway.NewSendMessage(chat.NewSender(w.store(), w.ids(), w.Now, fanout.Fits), w.Now, w.log)
	return w.handler(send.Handle)
}

// Default answers pings, and frames that name no route.
func Default(e Env) (lambda.Handler, error) {
	w := e.wire(topology.Default)
	fallback := gateway.NewDefault(chat.NewSessions(w.store(), chat.RateLimit{}, w.Now), w.Now, w.log)
	return w.handler(fallback.Handle)
}

// API serves the HTTP API.
func API(e Env) (lambda.Handler, error) {
	w := e.wire(topology.API)
	store, rule := w.store(), w.tokenRule()
	if err := w.vars.Err(); err != nil {
		return nil, err
	}
	tokens, err := auth.NewChecker(rule, w.Now)
	if err != nil {
		return nil, err
	}
	api := httpapi.New(httpapi.Domain{
		Rooms:     chat.NewRooms(store, w.ids(), w.Now),
		Histories: chat.NewHistories(store),
		Editor:    chat.NewEditor(store, w.Now, fanout.FitsEdited),
		Readers:   chat.NewReaders(store, w.Now),
		Profiles:  chat.NewProfiles(store, w.Now),
		Users:     chat.NewUsers(store, w.Now),
		UserIDs:   rule.UserIDs,
	}, gateway.Status, w.log)
	return w.handler(gateway.NewHTTP(api, tokens, w.Now, w.log).Handle)
}

// tokenRule returns the one rule of accepted tokens, for both APIs.
func (w wiring) tokenRule() auth.Rule {
	t := w.vars.Tokens()
	return auth.Rule{
		Issuer: t.Issuer, Audience: t.Audience, TokenUse: t.TokenUse, UserClaim: t.UserClaim,
		UserIDs: chat.UserIDs{FoldCase: w.vars.FoldCase()},
	}
}
