package apigateway

import (
	"encoding/json"
	"errors"
	"unicode/utf8"

	"github.com/streamroom/streamroom/shared/topology"
)

// The texts of the gateway's own frames.
const (
	forbidden           = "Forbidden"
	internalServerError = "Internal server error"
	endpointTimedOut    = "Endpoint request timed out"
	tooManyRequests     = "Too Many Requests"
)

// receive starts the invocation for a client's message and returns while it
// runs: a connection's messages run concurrently. It waits only when the API
// runs maxInvocations functions.
func (c *connection) receive(body string) {
	if !c.alive() {
		return // it came after the gateway had decided to close
	}
	now := c.api.c.Clock.Now()
	c.lastActive.Store(now.UnixNano())
	if !c.api.requests.AllowN(now, 1) {
		c.sendError(tooManyRequests, newID())
		return
	}
	c.api.functions.start(func() { c.invoke(body) })
}

// invoke runs the function that a message selects, and sends its response when
// the route is two-way, or the gateway's own frame when it fails.
func (c *connection) invoke(body string) {
	a := c.api
	route, ok := a.route(body)
	event := c.messageEvent(route.Key, body)
	requestID := event.RequestContext.RequestID
	if !ok {
		c.sendError(forbidden, requestID)
		return
	}
	payload, err := json.Marshal(event)
	if err != nil {
		a.logFailure(route, event.RequestContext, err)
		c.sendError(internalServerError, requestID)
		return
	}
	a.functions.call(route.Function, payload, func(answer []byte, err error) {
		var response proxyResponse
		if err == nil {
			response, err = parseProxyResponse(answer)
		}
		if err == nil && len(response.Body) > messageLimit {
			err = errors.New("the response is longer than a message may be")
		}
		switch {
		case errors.Is(err, errIntegrationTimeout):
			a.logFailure(route, event.RequestContext, err)
			c.sendError(endpointTimedOut, requestID)
		case err != nil:
			a.logFailure(route, event.RequestContext, err)
			c.sendError(internalServerError, requestID)
		default:
			c.respond(route, body, response.Body)
		}
	})
}

// respond sends a function's response to a client's frame if the route is two-way.
func (c *connection) respond(route topology.Route, frame, response string) {
	if !route.TwoWay {
		response = ""
	}
	if see := c.api.c.Received; see != nil {
		see(frame, response)
	}
	if response != "" {
		c.answer(response)
	}
}

// route selects a message's route by topology.RouteSelectionExpression, whose
// value is compared exactly. A client can select any route that way, $connect
// and $disconnect included.
func (a *WebSocketAPI) route(body string) (topology.Route, bool) {
	// A map, as a struct's field would match names in any case.
	var fields map[string]json.RawMessage
	var action string
	if utf8.ValidString(body) && json.Unmarshal([]byte(body), &fields) == nil {
		if json.Unmarshal(fields["action"], &action) != nil {
			action = ""
		}
	}
	if route, ok := a.routes[action]; ok {
		return route, true
	}
	route, ok := a.routes[defaultRoute]
	if !ok {
		route.Key = defaultRoute
	}
	return route, ok
}

// answer sends a frame that no sender waits for. There is no one to notify when
// the connection has gone or its buffer is full.
func (c *connection) answer(text string) {
	if err := c.send(textFrame(text)); err != nil {
		c.api.c.Log.Debug().Err(err).Str("connectionId", c.id).Msg("frame lost")
	}
}

func (c *connection) sendError(text, requestID string) {
	c.answer(string(c.errorText(text, requestID)))
}

// errorText is an error of the gateway's own, with AWS's spacing.
func (c *connection) errorText(text, requestID string) []byte {
	return []byte(`{"message": "` + text + `", "connectionId":"` + c.id + `", "requestId":"` + requestID + `"}`)
}

// logFailure logs why a function has not answered.
func (a *WebSocketAPI) logFailure(route topology.Route, request webSocketContext, err error) {
	a.c.Log.Warn().Err(err).Str("function", route.Function).Str("route", route.Key).
		Str("connectionId", request.ConnectionID).Str("requestId", request.RequestID).Msg("invocation failed")
}
