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
	store, tokens := w.store(), w.vars.Tokens()
	if err := w.vars.Err(); err != nil {
		return nil, err
	}
	verifier, err := auth.New(auth.Config{
		Issuer: tokens.Issuer, JWKSURL: tokens.KeysURL, Audience: tokens.Audience,
		TokenUse: tokens.TokenUse, UserClaim: tokens.UserClaim,
	}, w.Keys, w.Now)
	if err != nil {
		return nil, err
	}
	connect := gateway.NewConnect(verifier, chat.NewSessions(store, w.Now), tokens.InQuery, w.Now, w.log)
	return w.handler(connect.Handle)
}

// Disconnect removes the connection.
func Disconnect(e Env) (lambda.Handler, error) {
	w := e.wire(topology.Disconnect)
	disconnect := gateway.NewDisconnect(chat.NewSessions(w.store(), w.Now), w.Now, w.log)
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
	fallback := gateway.NewDefault(chat.NewSessions(w.store(), w.Now), w.Now, w.log)
	return w.handler(fallback.Handle)
}

// API serves the HTTP API.
func API(e Env) (lambda.Handler, error) {
	w := e.wire(topology.API)
	store := w.store()
	api := httpapi.New(httpapi.Domain{
		Rooms:     chat.NewRooms(store, w.ids(), w.Now),
		Histories: chat.NewHistories(store),
		Editor:    chat.NewEditor(store, w.Now, fanout.FitsEdited),
		Readers:   chat.NewReaders(store, w.Now),
		Profiles:  chat.NewProfiles(store, w.Now),
	}, gateway.Status, w.log)
	return w.handler(gateway.NewHTTP(api, w.vars.UserClaim(), w.Now, w.log).Handle)
}
