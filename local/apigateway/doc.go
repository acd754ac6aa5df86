// Package apigateway stands in for API Gateway on one machine: a WebSocket API
// with its @connections management API, and an HTTP API (payload format 2.0),
// both in front of Lambda-style functions that are reached through an [Invoke].
//
// It exists so that a function cannot tell the difference, least of all where
// API Gateway is unkind: events carry the fields that AWS sends and no others,
// a post to a connection answers 410 until the handshake has ended, messages of
// one connection are invoked concurrently, $disconnect is best effort, a
// function's failure is a frame of the gateway's own, and the limits close the
// connection with AWS's codes.
//
// # Sources
//
// From the API Gateway Developer Guide, by the names of its pages:
//
//   - $connect is the only route with authorization, and its integration decides
//     over the handshake; $disconnect is best effort: "Manage connected users and
//     client apps: $connect and $disconnect routes".
//   - The subprotocol that $connect returns is the one that the handshake selects:
//     "Set up a $connect route that requires a WebSocket subprotocol".
//   - A route key is compared exactly, and anything else takes $default: "Create
//     routes for WebSocket APIs in API Gateway".
//   - Binary frames close the connection with 1003: "Binary media types for
//     WebSocket APIs in API Gateway".
//   - Frames of 32 KB, messages of 128 KB, 10 minutes idle, 2 hours in all, 500 new
//     connections a second, URLs of 4,096 characters: "Quotas for configuring and
//     running a WebSocket in API Gateway".
//   - A function's answer is sent where the route has a route response: "Set up
//     route responses for WebSocket APIs in API Gateway".
//
// The fields of events, the gateway's own error frames, and the pairs of
// disconnectStatusCode and disconnectReason are as in events and frames that were
// recorded on AWS and published (aws-lambda-go's events/testdata among them). How
// the management API spells errors (X-Amzn-ErrorType, an empty body) was measured
// with the Go SDK: it tells errors apart by that header only. That a post from
// within $connect is answered 410 is from AWS re:Post ("How do I troubleshoot 410
// GoneException errors with Amazon API Gateway WebSocket APIs?").
//
// # What was chosen
//
// Some of AWS's behaviour has no public source. What was chosen there:
//
//   - A $connect that times out answers 504; one whose response has no usable
//     statusCode answers 502, and on any other route the same fault sends the
//     frame "Internal server error".
//   - A handshake URL over 4,096 characters answers 414.
//   - Protocol pings are answered but do not count as activity; messages and
//     posts do.
//   - The 2 hour limit closes with 1001 "Going away", as the idle limit does.
//   - A dropped network reports $disconnect with 1006 and an empty reason.
//   - Route responses are sent whatever their statusCode.
//   - A text message that is not UTF-8 is not JSON, so it takes $default.
//   - domainName keeps the port of the Host header, so that a callback URL made
//     from it works.
//   - One bucket of requests is shared by messages and @connections, as AWS
//     shares its account bucket.
//   - An HTTP API honours multiValueHeaders, which format 2.0 doesn't document.
package apigateway
