// Package cost estimates what a Streamroom costs a month on AWS, by service, and
// beside it what two other designs cost under the same workload.
//
// A bill is a multiplication. What each action asks of AWS is in units.go, and
// tests of package functions hold it to what the functions ask of the embedded
// table. What stands there without any traffic is in deployment.go, and a test
// of package infra holds it to the templates. What AWS asks for is in prices.go,
// dated. What is left is assumed, and named: the workload, how long functions
// run, and how much of a log is compressed.
//
// The other designs are models of an architecture, not measured programs:
//
//   - The classic design, as the first articles on WebSocket APIs have it:
//     sendMessage itself stores the message, moves the room up in each member's
//     list, reads who is connected, and posts. It knows no retries, so it spends
//     nothing on recognising them, acknowledges nothing but its own post to the
//     sender, appends each reader to the message, and never catches up.
//   - AppSync Events: clients subscribe to a channel a room and publish to it over
//     their connection. A handler calls the same send as here, which also stores
//     the message once, and AppSync delivers it, so there is no fan-out and no
//     presence. Room lists, history and catching up are the same as here.
//     AppSync bills each publish, each call of a handler, each subscription and
//     each delivery of up to 5 KB as an operation.
//
// Both have the same table, HTTP API, bucket, user pool, alarms and logs as
// Streamroom.
package cost
