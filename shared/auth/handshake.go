package auth

import (
	"slices"
	"strings"
)

// Subprotocol is the WebSocket subprotocol of a chat client. Offered by the
// client, it must be selected in the answer, or a browser ends the connection.
const Subprotocol = "streamroom"

// TokenFromHandshake finds the token in a WebSocket handshake. Browsers cannot
// set the Authorization header there, so the token is the second subprotocol:
//
//	Sec-WebSocket-Protocol: streamroom, <token>
//
// or, if allowQuery is set, the query parameter token, which ends up in access
// logs. The subprotocols win over the query.
//
// Parameter protocols has the values of the header Sec-WebSocket-Protocol, each
// of them as it came or already split at its commas. The result subprotocol is
// the one to select in the answer, or "" for none. The error is
// a *RefusedError; the token itself is not looked into.
func TokenFromHandshake(protocols []string, query map[string]string, allowQuery bool) (token, subprotocol string, err error) {
	var offered []string
	for _, value := range protocols {
		for protocol := range strings.SplitSeq(value, ",") {
			if protocol = strings.TrimSpace(protocol); protocol != "" {
				offered = append(offered, protocol)
			}
		}
	}
	if slices.Contains(offered, Subprotocol) {
		subprotocol = Subprotocol
	}
	switch {
	case len(offered) == 2 && offered[0] == Subprotocol:
		return offered[1], subprotocol, nil
	case allowQuery && query["token"] != "":
		return query["token"], subprotocol, nil
	case allowQuery:
		return "", "", refusedf(reasonMissing, "no token: offer the subprotocols %q and the token, in this order, or add ?token= to the address", Subprotocol)
	default:
		return "", "", refusedf(reasonMissing, "no token: offer the subprotocols %q and the token, in this order", Subprotocol)
	}
}
